#!/usr/bin/env python3
"""Train the models in PyTorch and write down what tests/test_golden.c must find again.

    python3 tests/golden/make_golden.py        (in the root of the repository; needs python3-torch)

Each run becomes tests/golden/RUN.safetensors: the initial weights (start.*), the batches, the loss
of every step, gradients of some steps (gradient_0.*), the final weights (end.*). All runs of a
model have the same start and the same batches; a shorter one takes the first of them. Dropout masks
are not written down: the rule of tensor/kernels/kernels.h gives them here too, from the same seed.
The committed numbers are of torch 1.13.
"""
import json
import os
import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

USERS, ITEMS, OUTPUT_DIM, BATCH, SEED = 30, 40, 4, 32, 10
MOST_STEPS, LR = 100, 5e-4


class Masks:
    """The masks that tg_dropout draws after tg_manual_seed(seed)."""

    BLOCKS = 16

    def __init__(self, seed):
        self.seed, self.position = seed, 0

    def blocks(self, count):
        """Philox4x32-10 at the next positions: (4, count) words of 32 bits."""
        c = [np.zeros(count, np.uint64) for _ in range(4)]
        c[0] += np.arange(self.position, self.position + count, dtype=np.uint64)
        k0, k1 = self.seed, 0
        low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
        for _ in range(10):
            p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
            c = [(p1 >> shift) ^ c[1] ^ np.uint64(k0), p1 & low,
                 (p0 >> shift) ^ c[3] ^ np.uint64(k1), p0 & low]
            k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
        self.position += count
        return np.stack(c)

    def draw(self, shape, p):
        n, threshold, bits = int(np.prod(shape)), round(p * 65536), 16
        while bits > 1 and threshold % (1 << (16 - bits // 2)) == 0:
            bits //= 2
        segments = -(-n * bits // (128 * self.BLOCKS))
        word = self.blocks(segments * self.BLOCKS).reshape(4, segments, self.BLOCKS)
        piece = np.stack([word >> np.uint64(shift) & np.uint64((1 << bits) - 1)
                          for shift in range(0, 32, bits)])
        piece = piece.transpose(2, 1, 0, 3).reshape(-1)[:n]  # segment, word, piece, block
        keep = torch.from_numpy((piece >= threshold >> (16 - bits)).astype(np.float32))
        return keep.reshape(shape) / (1 - p)


class MLP(nn.Module):
    def __init__(self, last, dropout, sparse):
        super().__init__()
        d, self.dropout = OUTPUT_DIM, dropout
        self.user_emb = nn.Embedding(USERS, 4 * d, sparse=sparse)
        self.item_emb = nn.Embedding(ITEMS, 4 * d, sparse=sparse)
        self.linear_1 = nn.Linear(8 * d, 4 * d)
        self.linear_2 = nn.Linear(4 * d, 2 * d)
        self.linear_3 = nn.Linear(2 * d, last)

    def forward(self, user, item, masks):
        x = torch.cat([self.user_emb(user), self.item_emb(item)], dim=-1)
        x = F.relu(self.linear_1(x))
        x = x * masks.draw(x.shape, self.dropout)
        x = F.relu(self.linear_2(x))
        x = x * masks.draw(x.shape, self.dropout)
        return self.linear_3(x)


class GMF(nn.Module):
    def __init__(self, sparse):
        super().__init__()
        self.user_emb = nn.Embedding(USERS, OUTPUT_DIM, sparse=sparse)
        self.item_emb = nn.Embedding(ITEMS, OUTPUT_DIM, sparse=sparse)
        nn.init.normal_(self.user_emb.weight, std=0.01)
        nn.init.normal_(self.item_emb.weight, std=0.01)

    def forward(self, user, item):
        return self.user_emb(user) * self.item_emb(item)


class NCF(nn.Module):
    def __init__(self, dropout, sparse):
        super().__init__()
        self.dropout = dropout
        self.GMF_layers = GMF(sparse)
        self.MLP_layers = MLP(OUTPUT_DIM, dropout, sparse)
        self.predict_layer = nn.Linear(2 * OUTPUT_DIM, 1)

    def forward(self, user, item, masks):
        x = torch.cat([self.GMF_layers(user, item), F.relu(self.MLP_layers(user, item, masks))], -1)
        x = x * masks.draw(x.shape, self.dropout)
        return self.predict_layer(x).view(-1)


class SimpleCF(MLP):
    def __init__(self, dropout, sparse):
        super().__init__(1, dropout, sparse)

    def forward(self, user, item, masks):
        return super().forward(user, item, masks).view(-1)


def adam(model, **options):
    return [torch.optim.Adam(model.parameters(), lr=LR, **options)]


def adam_decay(model):
    return adam(model, weight_decay=1e-2)


def sparse_adam(model):
    embeddings = [p for name, p in model.named_parameters() if "_emb" in name]
    others = [p for name, p in model.named_parameters() if "_emb" not in name]
    return [torch.optim.SparseAdam(embeddings, lr=LR), torch.optim.Adam(others, lr=LR)]


def sgd(model):
    return [torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9)]


# run: model, dropout, sparse gradients, optimisers, steps, steps whose gradients are written down
RUNS = {
    "adam": (NCF, 0.5, False, adam, MOST_STEPS, (0, 50)),
    "adam_decay": (NCF, 0.5, False, adam_decay, 20, (0,)),
    "sparse_adam": (NCF, 0.5, True, sparse_adam, 20, (0,)),
    "sgd": (NCF, 0.5, False, sgd, 20, (0,)),
    "simplecf": (SimpleCF, 0, False, adam, 20, (0,)),
}


def train(make, dropout, sparse, optimisers, steps, keep):
    torch.manual_seed(SEED)
    model, masks = make(dropout, sparse), Masks(SEED)
    out = {"start." + name: p.detach().clone() for name, p in model.named_parameters()}
    out["user"] = torch.randint(USERS, (MOST_STEPS, BATCH))[:steps]
    out["item"] = torch.randint(ITEMS, (MOST_STEPS, BATCH))[:steps]
    out["rating"] = torch.randint(1, 6, (MOST_STEPS, BATCH))[:steps].float()
    optimisers, losses = optimisers(model), []
    for step in range(steps):
        model.zero_grad(set_to_none=True)
        loss = F.mse_loss(model(out["user"][step], out["item"][step], masks), out["rating"][step])
        loss.backward()
        if step in keep:
            for name, p in model.named_parameters():
                out[f"gradient_{step}.{name}"] = p.grad.to_dense().clone()
        for optimiser in optimisers:
            optimiser.step()
        losses.append(loss.item())
    out["loss"] = torch.tensor(losses)
    out.update({"end." + name: p.detach() for name, p in model.named_parameters()})
    return out


def write_safetensors(path, tensors):
    names = {torch.float32: "F32", torch.int64: "I64"}
    header, data = {}, b""
    for name, t in tensors.items():
        raw = t.contiguous().numpy().tobytes()
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_num_threads(1)
    folder = os.path.dirname(os.path.abspath(__file__))
    losses = []
    for name, run in RUNS.items():
        tensors = train(*run)
        write_safetensors(os.path.join(folder, name + ".safetensors"), tensors)
        losses.append(f"{name} {tensors['loss'][0]:.6f} to {tensors['loss'][-1]:.6f}")
    print("losses: " + ", ".join(losses))


if __name__ == "__main__":
    main()
