"""A character GPT: 4 layers, 4 heads, width 128, context 64, batch 12 (nanoGPT on a CPU)."""
import torch
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, causal_attention, ids, init, update

LAYERS, HEADS, WIDTH, CONTEXT, BATCH, CHARACTERS = 4, 4, 128, 64, 12, 65


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        h = self.qkv(self.norm1(x)).view(-1, CONTEXT, 3, HEADS, WIDTH // HEADS)
        q, k, v = h.permute(2, 0, 3, 1, 4)
        h = causal_attention(q, k, v, 0, False).transpose(1, 2).reshape(-1, CONTEXT, WIDTH)
        x = x + self.out(h)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(CHARACTERS, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        for i in range(LAYERS):
            self.add_module(f"block{i}", Block())
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x):
        x = self.token(x) + self.position(torch.arange(CONTEXT))
        for i in range(LAYERS):
            x = getattr(self, f"block{i}")(x)
        return F.linear(self.norm(x), self.token.weight)


def make():
    model = init(GPT())
    optimizer = adam(model.parameters(), lr=1e-3)
    x = ids("x", CHARACTERS, BATCHES, BATCH, CONTEXT)
    y = ids("y", CHARACTERS, BATCHES, BATCH, CONTEXT)

    def step(number, training):
        i = number % BATCHES
        logits = model(x[i])
        return update(optimizer, F.cross_entropy(logits.view(-1, CHARACTERS), y[i].view(-1)))
    return step
