"""What the models of this folder share in PyTorch; bench/models/frame.c is the same for tapegrad.

    frame.py THREADS      answers `make`, `check`, `time`, `memory` and `about` as run-models does
"""
import ctypes
import importlib
import math
import os
import statistics
import sys
from time import perf_counter

import torch
from torch.nn import functional as F

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from side import About, answer  # noqa: E402 (after the path above)

BATCHES = 4


def uniform(name, shape):
    stream = 2166136261
    for byte in name.encode():
        stream = (stream ^ byte) * 16777619 & 0xffffffff
    h = (torch.arange(math.prod(shape)) * 2654435761 + stream) & 0xffffffff
    for _ in range(2):
        h = ((h ^ h >> 16) * 0x45d9f3b) & 0xffffffff
    return ((h ^ h >> 16).double() / 2 ** 32).view(shape)


def numbers(name, low, high, *shape):
    return (low + (high - low) * uniform(name, shape)).float()


def ids(name, bound, *shape):
    u = uniform(name, shape)
    return (bound * (u * u)).long()


def init(module):
    """First weights, drawn from the names of the parameters; gives the module back."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            scale = "norm" in name and "weight" in name
            bound = (math.prod(p.shape[1:]) if p.dim() > 1 else 100) ** -0.5
            p.copy_(numbers(name, scale - bound, scale + bound, *p.shape))
    return module


def adam(parameters, **options):
    """The fastest that this version has."""
    parameters = list(parameters)
    try:
        return torch.optim.Adam(parameters, fused=True, **options)
    except (TypeError, RuntimeError):  # no such option, or not on the CPU
        return torch.optim.Adam(parameters, foreach=True, **options)


def update(optimizer, loss):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.item()


def causal_attention(q, k, v, dropout, training):
    dropout = dropout if training else 0.0
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
    n = q.size(-2)
    mask = torch.full((n, n), -math.inf).triu(1)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)) + mask
    return F.dropout(scores.softmax(-1), dropout, training) @ v


# ---- answers -------------------------------------------------------------------------------------


def warm_up():
    """What the library makes once: threads, and buffers for products."""
    w = torch.zeros(256, 256, requires_grad=True)
    (w @ w).relu().sum().backward()
    adam([w]).step()


def status(name):
    with open("/proc/self/status", encoding="utf-8") as file:
        return 1024 * int(next(line.split()[1] for line in file if line.startswith(name + ":")))


class Model(About):
    def make(self, name):
        self.step = importlib.import_module(name).make()
        return "ok"

    def check(self, steps):
        return " ".join(f"{self.step(i, False):.9g}" for i in range(int(steps)))

    def time(self, seconds):
        took, start = [], perf_counter()
        until = start + float(seconds)
        while len(took) < 3 or start < until:
            self.step(len(took), True)
            end = perf_counter()
            took.append(end - start)
            start = end
        return f"{1e9 * statistics.median(took):.0f}"

    def memory(self, steps):
        """As peak_bytes of frame.c; the allocator keeps nothing of what made the model."""
        warm_up()
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")
        before = status("RssAnon")
        for i in range(int(steps)):
            self.step(i, True)
        return status("VmHWM") - status("RssFile") - status("RssShmem") - before


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    sys.modules["frame"] = sys.modules["__main__"]  # for the models, which import it
    answer(Model())
