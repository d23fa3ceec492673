"""SASRec (Kang and McAuley 2018): two blocks of one head, width 50, 50 items a user, batch 128."""
import torch
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, causal_attention, ids, init, update

BLOCKS, WIDTH, LENGTH, BATCH, ITEMS, DROPOUT = 2, 50, 50, 128, 12101, 0.5


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        for name in ("q", "k", "v", "out", "hidden1", "hidden2"):
            self.add_module(name, nn.Linear(WIDTH, WIDTH))

    def forward(self, x):
        t = self.training
        q = self.norm1(x)
        h = causal_attention(self.q(q), self.k(x), self.v(x), DROPOUT, t)
        x = self.norm2(q + self.out(h))
        h = F.relu(F.dropout(self.hidden1(x), DROPOUT, t))
        return x + F.dropout(self.hidden2(h), DROPOUT, t)


class SASRec(nn.Module):
    def __init__(self):
        super().__init__()
        self.item, self.position = nn.Embedding(ITEMS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        for i in range(BLOCKS):
            self.add_module(f"block{i}", Block())
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, seen, positive, negative):
        x = self.item(seen) * 7.0710678 + self.position(torch.arange(LENGTH))
        x = F.dropout(x, DROPOUT, self.training)
        for i in range(BLOCKS):
            x = getattr(self, f"block{i}")(x)
        x = self.norm(x)
        return (x * self.item(positive)).sum(-1), (x * self.item(negative)).sum(-1)


def make():
    model = init(SASRec())
    optimizer = adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
    seen, positive, negative = (ids(name, ITEMS, BATCHES, BATCH, LENGTH)
                                for name in ("seen", "positive", "negative"))
    bce, ones, zeros = F.binary_cross_entropy_with_logits, torch.ones(1), torch.zeros(1)

    def step(number, training):
        i = number % BATCHES
        model.train(training)
        yes, no = model(seen[i], positive[i], negative[i])
        return update(optimizer, bce(yes, ones.expand_as(yes)) + bce(no, zeros.expand_as(no)))
    return step
