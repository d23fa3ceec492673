"""DeepFM (Guo et al. 2017): 39 fields, 100,000 features of 10, layers 400-400-400, batch 1024."""
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, ids, init, numbers, update

FEATURES, FIELDS, DIM, HIDDEN, BATCH, DROPOUT = 100000, 39, 10, 400, 1024, 0.5


class DeepFM(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.factor = nn.Embedding(FEATURES, 1), nn.Embedding(FEATURES, DIM)
        self.deep1 = nn.Linear(FIELDS * DIM, HIDDEN)
        self.deep2, self.deep3 = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, 1)

    def forward(self, feature):
        v = self.factor(feature)
        pairs = 0.5 * (v.sum(1).square() - v.square().sum(1)).sum(-1, keepdim=True)
        h = v.flatten(1)
        for layer in (self.deep1, self.deep2, self.deep3):
            h = F.dropout(F.relu(layer(h)), DROPOUT, self.training)
        return (self.first(feature).sum(1) + pairs + self.out(h)).view(-1)


def make():
    model = init(DeepFM())
    optimizer = adam(model.parameters(), lr=1e-3)
    feature = ids("feature", FEATURES, BATCHES, BATCH, FIELDS)
    click = numbers("click", 0, 1, BATCHES, BATCH)

    def step(number, training):
        i = number % BATCHES
        model.train(training)
        return update(optimizer, F.binary_cross_entropy_with_logits(model(feature[i]), click[i]))
    return step
