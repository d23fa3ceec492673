"""Mult-VAE (Liang et al. 2018): 3706-600-200-600-3706, batch 100."""
import torch
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, init, numbers, update

ITEMS, HIDDEN, LATENT, BATCH, DROPOUT, ANNEAL = 3706, 600, 200, 100, 0.5, 0.2


class MultVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode1, self.encode2 = nn.Linear(ITEMS, HIDDEN), nn.Linear(HIDDEN, 2 * LATENT)
        self.decode1, self.decode2 = nn.Linear(LATENT, HIDDEN), nn.Linear(HIDDEN, ITEMS)

    def forward(self, x):
        h = F.dropout(F.normalize(x), DROPOUT, self.training)
        mean, log_variance = self.encode2(torch.tanh(self.encode1(h))).chunk(2, -1)
        z = mean
        if self.training:
            z = z + (0.5 * log_variance).exp() * torch.randn_like(mean)
        return self.decode2(torch.tanh(self.decode1(z))), mean, log_variance


def make():
    model = init(MultVAE())
    optimizer = adam(model.parameters(), lr=1e-3)
    clicks = (numbers("clicks", 0, 1, BATCHES, BATCH, ITEMS) < 0.04).float()

    def step(number, training):
        model.train(training)
        x = clicks[number % BATCHES]
        logits, mean, log_variance = model(x)
        likelihood = (F.log_softmax(logits, -1) * x).sum(-1)
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(-1)
        return update(optimizer, (ANNEAL * kl - likelihood).mean())
    return step
