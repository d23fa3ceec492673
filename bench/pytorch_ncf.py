#!/usr/bin/env python3
"""The training job of bench/bench.c in PyTorch: the tutorial's NCF at the size of MovieLens 1M.

    pytorch_ncf.py [--threads N] [--optimizer adam|sparse-adam] [--fused] [--batch-size N] [--score]

Prints samples per second of the whole step: batch, forward, backward, update; or pairs per second
of scoring without gradients, 4096 at a time.
"""
import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its own pool only gets in the way of torch's

import torch  # noqa: E402 (after the setting above)
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

USERS, ITEMS, RATINGS, OUTPUT_DIM, DROPOUT, LR = 6041, 3707, 500000, 32, 0.5, 5e-4


class MLP(nn.Module):
    def __init__(self, d, sparse):
        super().__init__()
        self.user_emb = nn.Embedding(USERS, 4 * d, sparse=sparse)
        self.item_emb = nn.Embedding(ITEMS, 4 * d, sparse=sparse)
        self.linear_1 = nn.Linear(8 * d, 4 * d)
        self.linear_2 = nn.Linear(4 * d, 2 * d)
        self.linear_3 = nn.Linear(2 * d, d)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, user, item):
        x = torch.cat([self.user_emb(user), self.item_emb(item)], dim=-1)
        x = self.dropout(F.relu(self.linear_1(x)))
        x = self.dropout(F.relu(self.linear_2(x)))
        return F.relu(self.linear_3(x))


class NCF(nn.Module):
    def __init__(self, d, sparse):
        super().__init__()
        self.user_emb = nn.Embedding(USERS, d, sparse=sparse)
        self.item_emb = nn.Embedding(ITEMS, d, sparse=sparse)
        self.mlp = MLP(d, sparse)
        self.predict_layer = nn.Linear(2 * d, 1)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, user, item):
        x = torch.cat([self.user_emb(user) * self.item_emb(item), self.mlp(user, item)], dim=-1)
        return self.predict_layer(self.dropout(x)).view(-1)


def optimisers(model, sparse, **fused):
    if not sparse:
        return [torch.optim.Adam(model.parameters(), lr=LR, **fused)]
    split = {True: [], False: []}
    for name, p in model.named_parameters():
        split["_emb" in name].append(p)
    return [torch.optim.SparseAdam(split[True], lr=LR),
            torch.optim.Adam(split[False], lr=LR, **fused)]


def score_rate(model, user, item, seconds):
    model.eval()
    pairs, at, start = 0, 0, time.perf_counter()
    with torch.no_grad():
        while time.perf_counter() - start < seconds:
            at = 0 if at + 4096 > RATINGS else at
            model(user[at:at + 4096], item[at:at + 4096])
            at, pairs = at + 4096, pairs + 4096
    return pairs / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--optimizer", default="adam", choices=("adam", "sparse-adam"))
    parser.add_argument("--fused", action="store_true", help="Adam(fused=True)")
    parser.add_argument("--score", action="store_true")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(10)
    user = (USERS * torch.rand(RATINGS, dtype=torch.float64) ** 2).long()  # as skewed as bench.c's
    item = (ITEMS * torch.rand(RATINGS, dtype=torch.float64) ** 3).long()
    rating = torch.randint(1, 6, (RATINGS,)).float()
    sparse = args.optimizer == "sparse-adam"
    model = NCF(OUTPUT_DIM, sparse)
    if args.score:
        print(f"pytorch score: {score_rate(model, user, item, args.seconds):.0f} pairs/s")
        return
    steps = optimisers(model, sparse, **({"fused": True} if args.fused else {}))
    order = torch.randperm(RATINGS)
    samples, warm, start = 0, False, time.perf_counter()
    at = 0
    while not warm or time.perf_counter() - start < args.seconds:
        if not warm and time.perf_counter() - start > args.seconds / 10:
            samples, warm, start = 0, True, time.perf_counter()
        if at >= RATINGS:
            order, at = torch.randperm(RATINGS), 0
        batch = order[at:at + args.batch_size]
        at += args.batch_size
        model.zero_grad(set_to_none=True)
        loss = F.mse_loss(model(user[batch], item[batch]), rating[batch])
        loss.backward()
        for optimiser in steps:
            optimiser.step()
        samples += len(batch)
    rate = samples / (time.perf_counter() - start)
    print(f"pytorch ncf {args.optimizer} threads={args.threads}: {rate:.0f} samples/s")


if __name__ == "__main__":
    main()
