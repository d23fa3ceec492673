"""GRU4Rec (Hidasi et al. 2016), as in RecBole: the next of 3,706 items after 20, batch 64."""
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, ids, init, update

ITEMS, WIDTH, HIDDEN, LENGTH, BATCH, DROPOUT = 3706, 64, 100, 20, 64, 0.3


class GRU4Rec(nn.Module):
    def __init__(self):
        super().__init__()
        self.item = nn.Embedding(ITEMS, WIDTH)
        self.gru = nn.GRU(WIDTH, HIDDEN, batch_first=True)
        self.dense = nn.Linear(HIDDEN, WIDTH)

    def forward(self, seen):
        x, _ = self.gru(F.dropout(self.item(seen), DROPOUT, self.training))
        return F.linear(self.dense(x[:, -1]), self.item.weight)


def make():
    model = init(GRU4Rec())
    optimizer = adam(model.parameters(), lr=1e-3)
    seen, following = ids("seen", ITEMS, BATCHES, BATCH, LENGTH), ids("next", ITEMS, BATCHES, BATCH)

    def step(number, training):
        i = number % BATCHES
        model.train(training)
        return update(optimizer, F.cross_entropy(model(seen[i]), following[i]))
    return step
