"""Two towers, in-batch softmax (Yi et al. 2019): embeddings of 64, layers 128-64, batch 1024."""
import torch
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, ids, init, update

USERS, ITEMS, DIM, HIDDEN, BATCH, TEMPERATURE = 50000, 20000, 64, 128, 1024, 0.05


class Tower(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.table = nn.Embedding(rows, DIM)
        self.hidden, self.out = nn.Linear(DIM, HIDDEN), nn.Linear(HIDDEN, DIM)

    def forward(self, index):
        return F.normalize(self.out(F.relu(self.hidden(self.table(index)))))


def make():
    model = init(nn.ModuleDict({"user": Tower(USERS), "item": Tower(ITEMS)}))
    optimizer = adam(model.parameters(), lr=1e-3)
    users, items = ids("users", USERS, BATCHES, BATCH), ids("items", ITEMS, BATCHES, BATCH)
    own = torch.arange(BATCH)

    def step(number, training):
        i = number % BATCHES
        logits = model["user"](users[i]) @ model["item"](items[i]).t() / TEMPERATURE
        return update(optimizer, F.cross_entropy(logits, own))
    return step
