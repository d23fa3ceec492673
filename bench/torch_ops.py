"""PyTorch's side of bench/ops.py: answers as bench/ops.c does.

    torch_ops.py ops.def THREADS
"""
import sys
import timeit
from contextlib import nullcontext
from functools import lru_cache
from time import perf_counter

import torch
from torch.nn import functional as F

from side import About, answer, rows_of

# letter -> shape, bounds, whether it wants a gradient: as in ops.def
OPERANDS = {
    "x": (lambda m, n: (m, n), lambda m, n: (-2, 2), True),
    "p": (lambda m, n: (m, n), lambda m, n: (0.5, 2), True),
    "r": (lambda m, n: (n,), lambda m, n: (0.5, 2), True),
    "c": (lambda m, n: (m, 1), lambda m, n: (0.5, 2), True),
    "w": (lambda m, n: (n, n), lambda m, n: (-2, 2), True),
    "s": (lambda m, n: (16, m // 4, n // 4), lambda m, n: (-2, 2), True),
    "v": (lambda m, n: (n // 4, n // 4), lambda m, n: (-2, 2), True),
    "y": (lambda m, n: (m, n), lambda m, n: (0, 1), False),
    "q": (lambda m, n: (m, n), lambda m, n: (0, 2), False),
    "i": (lambda m, n: (m,), lambda m, n: (0, m), False),
    "t": (lambda m, n: (m,), lambda m, n: (0, n), False),
    "j": (lambda m, n: (m, n), lambda m, n: (0, m), False),
    "k": (lambda m, n: (m, n), lambda m, n: (0, n), False),
    "g": (lambda m, n: (4, 16, m // 8, n // 8), lambda m, n: (-2, 2), True),
    "l": (lambda m, n: (4, 18, m // 8 * (n // 8)), lambda m, n: (-2, 2), True),
    "d": (lambda m, n: (32, 16, 3, 3), lambda m, n: (-2, 2), True),
    "u": (lambda m, n: (32, 16, 1, 1), lambda m, n: (-2, 2), True),
    "o": (lambda m, n: (m + 1,), lambda m, n: (0, 0), False),
    "e": (lambda m, n: (m, 4), lambda m, n: (0, m), False),
}


def uniform(operand, count):
    h = (torch.arange(count) * 2654435761 + operand * 40503) & 0xffffffff
    h ^= h >> 16
    h = (h * 0x45d9f3b) & 0xffffffff
    h ^= h >> 16
    return h.double() / 2 ** 32


def operand(letter, number, m, n, wants):
    shape, bounds, gradient = OPERANDS[letter]
    low, high = bounds(m, n)
    count = torch.Size(shape(m, n)).numel()
    values = (low + (high - low) * uniform(number, count)).view(shape(m, n))
    if letter == "o":
        return 4 * torch.arange(m + 1)
    if letter in "itjke":
        return values.long()
    if letter == "q":
        return values >= 1
    return values.float().requires_grad_(gradient and wants)


@lru_cache(maxsize=1)
def matrix(crow, col):
    """The sparse matrix of 0.5 at these places, in the layout that PyTorch is fastest with."""
    m = len(crow) - 1
    row = torch.repeat_interleave(torch.arange(m), crow.diff())
    values = torch.full((col.numel(),), 0.5)
    return torch.sparse_coo_tensor(torch.stack((row, col.view(-1))), values, (m, m)).coalesce()


def composed_attention(q, k, v):
    return (q @ k.transpose(1, 2) / q.shape[2] ** 0.5).softmax(2) @ v


attention = getattr(F, "scaled_dot_product_attention", composed_attention)  # from 2.0 on


class Ops(About):
    def __init__(self, path):
        self.rows = {row.name: row for row in rows_of(path)}

    def set(self, name, m, n):
        self.row, m, n = self.rows[name], int(m), int(n)
        wants = self.row.kind != "DECISION"
        made = {"abc"[i]: operand(letter, i, m, n, wants)
                for i, letter in enumerate(self.row.operands)}
        self.leaves = [name for name, t in made.items() if t.requires_grad]
        self.names = {"torch": torch, "F": F, "attention": attention, "matrix": matrix,
                      "m": m, "n": n, **made}
        return "ok"

    def check(self):
        y = eval(self.row.torch, self.names)
        result, gradients = y.detach().double().abs().sum().item(), 0.0
        if self.leaves:
            y.sum().backward()
        for name in self.leaves:
            gradients += self.names[name].grad.double().abs().sum().item()
            self.names[name].grad = None
        return f"{result:.9g} {gradients:.9g}"

    def time(self, what, _, seconds):
        statement = f"y = {self.row.torch}"
        if what == "both":
            scalar = eval(self.row.torch, self.names).dim() == 0
            statement += "; y.backward()" if scalar else "; y.sum().backward()"
            statement += "".join(f"; {name}.grad = None" for name in self.leaves)
        timer = timeit.Timer(statement, globals=self.names)
        least, count = float("inf"), 1
        with torch.inference_mode() if what == "forward" else nullcontext():
            timer.timeit(1)
            until = perf_counter() + float(seconds)
            while perf_counter() < until:
                took = timer.timeit(count)
                least = min(least, took / count)
                if took < 2e-4:
                    count *= 2
        return f"{1e9 * least:.1f}"


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    answer(Ops(sys.argv[1]))
