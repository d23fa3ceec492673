"""word2vec, skip-gram with negative sampling (Mikolov et al. 2013), at the size of text8: 71,290
words of 100, five negatives, batch 1024, SparseAdam."""
import torch
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, ids, init, update

WORDS, DIM, BATCH, NEGATIVES = 71290, 100, 1024, 5


def make():
    model = init(nn.ModuleDict({name: nn.Embedding(WORDS, DIM, sparse=True)
                                for name in ("centre", "context")}))
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=1e-3)
    words, nears = ids("word", WORDS, BATCHES, BATCH), ids("near", WORDS, BATCHES, BATCH)
    negatives = ids("negative", WORDS, BATCHES, BATCH, NEGATIVES)

    def step(number, training):
        i = number % BATCHES
        word = model["centre"](words[i])
        yes = (word * model["context"](nears[i])).sum(-1)
        no = (model["context"](negatives[i]) @ word.unsqueeze(-1)).squeeze(-1)
        return update(optimizer, -(F.logsigmoid(yes) + F.logsigmoid(-no).sum(-1)).mean())
    return step
