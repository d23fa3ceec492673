#!/usr/bin/env python3
"""Random programs, run in PyTorch and in tapegrad.

    python3 tests/torch/fuzz.py [--seconds 60] [--seed 1]
    python3 tests/torch/fuzz.py --replay FILE      a program as printed; - is standard input

All ops in random graphs, views of views, several backwards, gradients of intermediates and of
second order, hooks, retained gradients, steps within steps, changes in place, with special values,
ties, empty tensors and scalars, in f32 and f64. What PyTorch refuses must be misuse. A program that
differs is shrunk and printed. Program i of a seed is always the same; how many there are depends on
the time. Needs python3-torch and build/libtapegrad.so.
"""
import argparse
import itertools
import multiprocessing
import os
import random
import re
import sys
import time
import warnings
from collections import Counter

import torch

import programs
from programs import Difference, Finished, Refused

PLAIN_UNARY = ("neg", "abs", "square", "cube", "sqrt", "sign", "round", "floor", "ceil", "sin",
               "cos", "exp", "expm1", "log", "log1p", "relu", "sigmoid", "tanh", "softplus",
               "logsigmoid", "silu", "gelu")
EXACT_UNARY = ("neg", "abs", "square", "sign", "round", "floor", "ceil", "relu")
PLAIN_BINARY = ("add", "sub", "mul", "div", "pow", "minimum", "maximum", "clamp_min", "clamp_max",
                "squared_error", "logit_cross_entropy")
EXACT_BINARY = ("add", "sub", "mul", "minimum", "maximum", "clamp_min", "clamp_max")
SCALARS = ("add_scalar", "sub_scalar", "mul_scalar", "div_scalar", "clamp_min_scalar",
           "clamp_max_scalar", "leaky_relu_scalar", "pow_scalar", "huber_scalar")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or")
REDUCTIONS = ("sum_dim", "mean_dim", "max_dim", "min_dim", "var_dim", "logsumexp")
EXACT_REDUCTIONS = ("sum_dim", "max_dim", "min_dim")
LARGEST = 200  # elements
CORNER = 0.7071  # of huber, where its second derivative is not PyTorch's


class Generator:
    """Makes a program while it runs."""

    def __init__(self, seed, r):
        self.random, self.r, self.lines, self.count = random.Random(seed), r, [], 0
        self.special = self.random.random() < 0.35
        self.dtype = self.random.choice(("f32", "f64"))
        self.open, self.second, self.tame = False, False, {}
        self.no_input = set()  # ids of tensors with a hook
        self.watched = False  # whether a result has a hook or keeps its gradient

    # ---- names and lines ----

    def emit(self, call, results=None):
        """Run the call; names of its result, of a list of results, or of none if it is refused."""
        count = 1 if results is None else results
        names = [f"t{self.count + i}" for i in range(count)]
        left = ", ".join(names) + ("" if results is None else ",")
        self.lines.append(f"{left} = {call}" if names else call)
        self.count += count
        return names if self.r.do(self.lines[-1]) else []

    def chance(self, p):
        return self.random.random() < p

    def tensor(self, name):
        return self.r.torch[name]

    def floats(self, condition=lambda t: True):
        return [n for n, t in self.r.tensors().items()
                if t.is_floating_point() and self.is_tame(n, t) and condition(t)]

    def is_tame(self, name, t):
        """Large values would drown the errors of others."""
        if name not in self.tame:
            self.tame[name] = self.special or t.numel() == 0 or bool(t.data.abs().max() < 1e3)
        return self.tame[name]

    def any(self, condition=lambda t: True):
        found = self.floats(condition)
        if found and self.chance(0.6):
            return self.random.choice(found[-5:])
        if found:
            return self.random.choice(found)
        shape = self.shape()
        while not condition(torch.empty(shape)):
            shape = self.shape()
        return self.leaf(shape)

    def dim(self, t):
        """Mostly a dimension of t."""
        if t.dim() == 0 or self.chance(0.03):
            return self.random.randint(-t.dim() - 1, t.dim())
        return self.random.randint(-t.dim(), t.dim() - 1)

    def dims(self, t):
        dims = [d for d in range(t.dim()) if self.chance(0.5)] or [self.dim(t)]
        self.random.shuffle(dims)
        return tuple(d - t.dim() if self.chance(0.3) and d < t.dim() else d for d in dims)

    # ---- leaves ----

    def shape(self):
        return tuple(self.random.choices((0, 1, 2, 3, 4), (0.03, 0.2, 0.3, 0.3, 0.17))[0]
                     for _ in range(self.random.choices((0, 1, 2, 3, 4), (1, 3, 5, 3, 1))[0]))

    def value(self):
        if self.special and self.chance(0.35):
            huge, tiny = (1e18, 1e-40) if self.dtype == "f32" else (1e100, 1e-310)
            return self.random.choice((0.0, -0.0, float("inf"), float("-inf"), float("nan"), huge,
                                       -huge, tiny, -tiny))
        if self.special or self.chance(0.3):
            return self.random.randint(-4, 4) / 2  # ties
        return round(self.random.uniform(-3, 3), 3)

    def leaf(self, shape, grad=None):
        count = 1
        for size in shape:
            count *= size
        grad = self.chance(0.75) if grad is None else grad
        owned = self.chance(0.3)
        values = [self.value() for _ in range(count)]
        return self.emit(f"F.leaf({self.dtype!r}, {shape}, {values}, {grad}, {owned})")[0]

    def index(self, shape, bound):
        count = 1
        for size in shape:
            count *= size
        wrong = self.chance(0.02)
        values = [self.random.randint(-wrong, bound - 1 + wrong) for _ in range(count)]
        return self.emit(f"F.leaf('i64', {shape}, {values})")[0]

    def partner(self, name):
        """A tensor whose shape broadcasts with that of `name`."""
        shape = tuple(self.tensor(name).shape)

        def fits(t):
            return all(1 in (a, b) or a == b for a, b in zip(reversed(t.shape), reversed(shape)))
        found = self.floats(fits)
        if found and self.chance(0.7):
            return self.random.choice(found)
        shape = [1 if self.chance(0.2) else size for size in shape]
        first = self.random.randint(0, len(shape)) if self.chance(0.3) else 0
        return self.leaf(tuple(shape[first:]))

    def like(self, name):
        shape = self.tensor(name).shape
        found = self.floats(lambda t: t.shape == shape)
        return self.random.choice(found) if self.chance(0.6) else self.leaf(tuple(shape))

    # ---- kinds of lines ----

    def unary(self):
        op = self.random.choice(EXACT_UNARY if self.special else PLAIN_UNARY)
        return f"F.{op}({self.any()})"

    def binary(self):
        op = self.random.choice(EXACT_BINARY if self.special else PLAIN_BINARY)
        a = self.any()
        b = self.partner(a)
        return f"F.{op}({a}, {b})" if self.chance(0.5) else f"F.{op}({b}, {a})"

    def scalar(self):
        op = self.random.choice(SCALARS[:-2] if self.special else SCALARS)
        number = self.random.choice((0.5, 1.0, 2.0, 3.0))
        if op == "huber_scalar":
            number = CORNER
        if op not in ("huber_scalar", "pow_scalar"):
            number = self.random.choice((number, -number, 0.0))
        return f"F.{op}({self.any()}, {number})"

    def clamp(self):
        return f"F.clamp({self.any()}, -1.0, {self.random.choice((-2.0, -1.0, 0.5, 1.0))})"

    def comparison(self):
        a = self.any()
        return f"F.{self.random.choice(COMPARISONS)}({a}, {self.partner(a)})"

    def masked(self):
        if self.chance(0.5):
            x = self.any(lambda t: t.dim() >= 2)
            op = self.random.choice(("tril", "triu"))
            return f"F.{op}({x}, {self.random.randint(-3, 3)})"
        a = self.any()
        mask = self.emit(f"F.{self.random.choice(COMPARISONS)}({a}, {self.partner(a)})")
        return f"F.masked_fill({a}, {mask[0]}, {self.value()!r})" if mask else None

    def where(self):
        a = self.any()
        b = self.partner(a)
        op = self.random.choice(COMPARISONS)
        condition = self.emit(f"F.{op}({a}, {self.partner(a)})")
        return f"F.where({condition[0]}, {a}, {b})" if condition else None

    def product(self):
        a = self.any(lambda t: t.dim() >= 2)
        shape = tuple(self.tensor(a).shape)
        b = self.leaf(shape[:-2][self.random.randint(0, len(shape) - 2):]
                      + (shape[-1], self.random.randint(1, 4)))
        if self.chance(0.5):
            b = self.emit(f"F.transpose({b}, -1, -2)")[0]
            return f"F.matmul({a}, F.transpose({b}, -1, -2))"
        return f"F.matmul({a}, {b})"

    def linear(self):
        x = self.any(lambda t: t.dim() >= 1)
        out = self.random.randint(1, 4)
        w = self.leaf((out, self.tensor(x).shape[-1]))
        return f"F.linear({x}, {w}, {self.leaf((out,)) if self.chance(0.6) else None})"

    def embedding(self):
        w = self.any(lambda t: t.dim() == 2 and t.shape[0] > 0)
        shape = self.shape()[:3]
        index = self.index(shape, self.tensor(w).shape[0])
        if shape and self.chance(0.3):
            return f"F.embedding_bag({w}, {index}, {self.chance(0.5)})"
        return f"F.embedding({w}, {index})"

    def rows_sum(self):
        x = self.any(lambda t: t.dim() >= 1)
        rows = self.random.randint(1, 4)
        index = self.index(tuple(self.tensor(x).shape[:-1]), rows)
        return f"F.rows_sum({x}, {index}, {rows})"

    def image(self):
        """Of kernels that move over images; some do not fit."""
        images, channels, h, w, kh, kw = (self.random.randint(1, n) for n in (2, 4, 6, 6, 3, 3))
        options = [self.random.randint(1, 2), self.random.randint(0, 1), self.random.randint(1, 2)]
        last = ", ".join(map(str, options))
        if self.chance(0.3):
            count = 1
            for n, k in ((h, kh), (w, kw)):
                count *= max((n + 2 * options[1] - options[2] * (k - 1) - 1) // options[0] + 1, 1)
            x = self.leaf((images, channels * kh * kw, count))
            return f"F.fold({x}, {h}, {w}, {kh}, {kw}, {last})"
        found = self.floats(lambda t: t.dim() == 4 and t.numel() > 0)
        x = self.random.choice(found) if found else self.leaf((images, channels, h, w))
        channels = self.tensor(x).shape[1]
        kind = self.random.choice(("max_pool2d", "unfold", "conv2d"))
        if kind == "max_pool2d":
            return f"F.max_pool2d({x}, {kh}, {last})"
        if kind == "unfold" or self.special:
            return f"F.unfold({x}, {kh}, {kw}, {last})"
        groups = 2 if channels % 2 == 0 and self.chance(0.5) else 1
        out = groups * self.random.randint(1, 2)
        weight = self.leaf((out, channels // groups, kh, kw))
        bias = self.leaf((out,)) if self.chance(0.6) else None
        return f"F.conv2d({x}, {weight}, {bias}, {last}, {groups})"

    def sparse(self):
        rows, entries = self.random.randint(0, 3), self.random.randint(0, 6)
        ends = sorted(self.random.randint(0, entries) for _ in range(rows - 1))
        ends = [0, *ends, entries] if rows else [0]
        crow = self.emit(f"F.leaf('i64', ({len(ends)},), {ends})")[0]
        x = self.any(lambda t: t.dim() == 2 and t.numel() > 0)
        n, d = self.tensor(x).shape
        if self.chance(0.5):
            col = self.index((ends[-1],), n)
            return f"F.sparse_mm({crow}, {col}, {self.leaf((ends[-1],))}, {x})"
        col = self.index((ends[-1],), d)
        return f"F.sampled_mm({crow}, {col}, {self.leaf((rows, n))}, {x})"

    def gather(self):
        x = self.any(lambda t: t.dim() >= 1 and t.numel() > 0)
        t = self.tensor(x)
        d = self.random.randint(0, t.dim() - 1)
        if self.chance(0.4):
            index = self.index((self.random.randint(0, 4),), t.shape[d])
            return f"F.index_select({x}, {d - t.dim()}, {index})"
        shape = tuple(self.random.randint(1, 3) if i == d else self.random.randint(1, size)
                      for i, size in enumerate(t.shape))
        index = self.index(shape, t.shape[d])
        if self.chance(0.5):
            return f"F.gather({x}, {d}, {index})"
        return f"F.scatter_add({x}, {d}, {index}, {self.leaf(shape)})"

    def view(self):
        x = self.any()
        t = self.tensor(x)
        shape = [t.numel()]
        for divisor in (2, 3, 2):
            if shape[-1] > 0 and shape[-1] % divisor == 0 and self.chance(0.6):
                shape[-1:] = [divisor, shape[-1] // divisor]
        self.random.shuffle(shape)
        if t.dim() > 1 and self.chance(0.4):
            shape = [t.shape[0], -1] if t.numel() else list(t.shape)
        elif self.chance(0.2) and t.numel():
            shape[self.random.randrange(len(shape))] = -1
        return f"F.{self.random.choice(('view', 'reshape'))}({x}, {tuple(shape)})"

    def moved(self):
        x = self.any()
        t = self.tensor(x)
        order = list(range(t.dim()))
        self.random.shuffle(order)
        return self.random.choice((
            f"F.transpose({x}, {self.dim(t)}, {self.dim(t)})", f"F.permute({x}, {tuple(order)})",
            f"F.squeeze({x}, {self.dim(t)})",
            f"F.unsqueeze({x}, {self.random.randint(-t.dim() - 1, t.dim())})", f"F.t({x})",
            f"F.contiguous({x})", f"F.detach({x})"))

    def part(self):
        x = self.any(lambda t: t.dim() > 0)
        t = self.tensor(x)
        d = self.dim(t)
        size = t.shape[d] if -t.dim() <= d < t.dim() else 1
        start = self.random.randint(0, size)
        return self.random.choice((
            f"F.select({x}, {d}, {self.random.randint(-size - (size == 0), max(size - 1, 0))})",
            f"F.narrow({x}, {d}, {start}, {self.random.randint(0, size - start)})",
            f"F.split({x}, {d}, {self.random.randint(1, 3)})[{self.random.choice((0, -1))}]"))

    def expand(self):
        x = self.any()
        shape = [self.random.randint(1, 3) if size == 1 else size for size in self.tensor(x).shape]
        front = [self.random.randint(1, 3)] if self.chance(0.3) else []
        return f"F.expand({x}, {tuple(front + shape)})"

    def join(self):
        x = self.any()
        parts = [x] + [self.like(x) for _ in range(self.random.randint(0, 2))]
        t = self.tensor(x)
        if self.chance(0.5):
            return f"F.cat({self.dim(t)}, [{', '.join(parts)}])"
        return f"F.stack({self.random.randint(-t.dim() - 1, t.dim())}, [{', '.join(parts)}])"

    def pad(self):
        x = self.any(lambda t: t.dim() > 0)
        d = self.dim(self.tensor(x))
        size = self.tensor(x).shape[d % self.tensor(x).dim()]
        start = self.random.randint(0, 2)
        return f"F.pad({x}, {d}, {start}, {start + size + self.random.randint(0, 2)})"

    def reduction(self):
        x = self.any()
        if self.chance(0.2):
            return f"F.{self.random.choice(('sum', 'mean'))}({x})"
        op = self.random.choice(EXACT_REDUCTIONS if self.special else REDUCTIONS)
        if self.tensor(x).numel() == 0 or bool(self.tensor(x).isnan().any()):
            op = "sum_dim"  # the maximum of nothing, and of NaN, is another matter in PyTorch
        return f"F.{op}({x}, {self.chance(0.4)}, {self.dims(self.tensor(x))})"

    def sum_to(self):
        x = self.any()
        shape = [1 if self.chance(0.4) else size for size in self.tensor(x).shape]
        return f"F.sum_to({x}, {tuple(shape[self.random.choice((0, 0, 1)):])})"

    def normalised(self):
        x = self.any(lambda t: t.dim() > 0)
        n = self.tensor(x).shape[-1]
        if self.chance(0.3) and n > 0:
            return f"F.layer_norm({x}, {self.leaf((n,))}, {self.leaf((n,))}, 0.1)"
        op = self.random.choice(("softmax", "log_softmax", "cumsum"))
        return f"F.{op}({x}, {self.dim(self.tensor(x))})"

    def decision(self):
        x = self.any(lambda t: t.dim() > 0 and t.numel() > 0)
        t = self.tensor(x)
        if self.chance(0.3):
            return f"F.sort({x}, {self.dim(t)}, {self.chance(0.5)})[0]"
        if self.chance(0.5):
            return f"F.argmax({x}, {self.dim(t)}, {self.chance(0.5)})"
        return f"F.topk({x}, {self.random.randint(0, t.shape[-1])})[0]"

    def dropout(self):
        how = self.random.choice(("0.0, True", "1.0, True", "0.5, False"))
        return f"F.dropout({self.any()}, {how})"

    def loss(self):
        x = self.any(lambda t: t.numel() > 0)
        op = self.random.choice(("mse_loss", "l1_loss", "bce_with_logits_loss", "bpr_loss",
                                 "huber_loss", "cross_entropy"))
        if op == "cross_entropy":
            x = self.any(lambda t: t.dim() == 2 and t.numel() > 0)
            n, classes = self.tensor(x).shape
            return f"F.cross_entropy({x}, {self.index((n,), classes)})"
        return f"F.{op}({x}, {self.like(x)}{f', {CORNER}' if op == 'huber_loss' else ''})"

    # ---- gradients, and what changes state ----

    def scalar_loss(self):
        found = self.floats(lambda t: t.requires_grad)
        if not found:
            return None
        x = self.random.choice(found[-4:])
        if self.tensor(x).numel() == 1 and self.chance(0.7):
            return x
        result = self.emit(f"F.{self.random.choice(('sum', 'mean', 'sum'))}({x})")
        return result[0] if result else None

    def backward(self):
        loss = self.scalar_loss()
        if loss:
            self.emit(f"F.backward({loss})", 0)

    def grad(self):
        found = self.floats(lambda t: t.requires_grad)
        # A second gradient with respect to a result depends on how rules are written.
        inputs = [x for x in found if id(self.tensor(x)) not in self.no_input
                  and (self.tensor(x).is_leaf or not self.second)]
        if not inputs:
            return
        y = self.random.choice(found[-4:])
        g = self.like(y)
        inputs = self.random.sample(inputs, min(len(inputs), self.random.randint(1, 3)))
        again = self.chance(0.5) and not self.watched
        self.emit(f"F.grad({y}, [{', '.join(inputs)}], {g}, {again})", len(inputs))
        self.second |= again

    def state(self):
        kind = self.random.choice(("retain", "hook", "zero", "grad_of", "fill", "copy",
                                   "add_scaled", "no_grad"))
        found = self.floats(lambda t: t.requires_grad)
        x = self.random.choice(found) if found else self.any()
        t = self.tensor(x)
        is_free = t.requires_grad and id(t) not in self.no_input and not self.second
        if kind == "retain" and is_free:
            self.no_input.add(id(t))  # a hook after it would not be seen by PyTorch's
            self.watched |= not t.is_leaf
            self.emit(f"F.retain_grad({x})", 0)
        elif kind == "hook" and is_free:
            self.no_input.add(id(t))
            self.watched |= not t.is_leaf
            self.emit(f"F.hook({x}, {self.random.choice((0, 2.0, -0.5))})", 0)
        elif kind == "zero" and t.is_leaf:
            self.emit(f"F.zero_grad({x})", 0)
        elif kind == "grad_of" and t.is_leaf:
            self.emit(f"F.grad_of({x})")
        elif kind == "no_grad":
            line = self.unary()
            self.lines.append(f"with F.no_grad(): t{self.count} = {line}")
            self.count += 1
            self.r.do(self.lines[-1])
        elif kind in ("fill", "copy", "add_scaled") and self.chance(0.6) and self.is_dense(x):
            self.change(kind, x)

    def is_dense(self, x):
        return 0 not in self.tensor(x).stride() + self.r.tape[x].stride

    def change(self, kind, x):
        self.tame.clear()
        data = self.data(self.tensor(x))
        if any(not t.is_leaf and self.data(t) == data and (t is not self.tensor(x) or t._is_view())
               for t in self.r.tensors().values()):
            return  # PyTorch gives views of what was changed another grad_fn
        source = self.like(x)
        if self.data(self.tensor(source)) == data:
            source = x
        if kind == "fill":
            self.emit(f"F.fill({x}, {self.value()})", 0)
        elif kind == "copy":
            self.emit(f"F.copy({x}, {source})", 0)
        else:
            self.emit(f"F.add_scaled({x}, {self.random.choice((-0.5, 2.0))}, {source})", 0)

    @staticmethod
    def data(t):
        return t.storage().data_ptr()

    def step(self):
        self.open = not self.open
        self.emit("F.step_begin()" if self.open else "F.step_end()", 0)

    # ---- the whole ----

    OPS = ((unary, 10), (binary, 14), (scalar, 5), (clamp, 1), (comparison, 1), (where, 3),
           (masked, 3),
           (view, 5), (moved, 8), (part, 6), (expand, 3), (join, 4), (pad, 2), (reduction, 6),
           (sum_to, 2), (gather, 4), (decision, 3), (dropout, 1), (embedding, 4), (rows_sum, 2),
           (image, 4))
    # Not with special values:
    SMOOTH = ((product, 5), (linear, 4), (sparse, 4), (normalised, 4), (loss, 4))

    def program(self, length):
        kinds, weights = zip(*(self.OPS if self.special else self.OPS + self.SMOOTH))
        for _ in range(self.random.randint(1, 3)):
            self.leaf(self.shape(), True)
        while len(self.lines) < length:
            p = self.random.random()
            if p < 0.06:
                self.backward()
            elif p < 0.12:
                self.grad()
            elif p < 0.2:
                self.state()
            elif p < 0.22:
                self.step()
            else:
                call = self.random.choices(kinds, weights)[0](self)
                result = self.emit(call) if call else []
                if result and self.tensor(result[0]).numel() > LARGEST:
                    self.r.forget(result)
        self.backward()


# ---- shrinking, and the report -------------------------------------------------------------------


def shrunk(lines):
    """The program without the lines that the difference does not need."""
    i = len(lines) - 1
    while i >= 0:
        without = lines[:i] + lines[i + 1:]
        if programs.run(without):
            lines = without
            i = min(i, len(lines))
        i -= 1
    return lines


def is_rounding(lines):
    """Whether a program in f32 agrees in f64."""
    text = "\n".join(lines)
    return "'f32'" in text and not programs.run(text.replace("'f32'", "'f64'").split("\n"))


def ops_of(lines):
    return " ".join(sorted(set(re.findall(r"F\.(\w+)\(", "\n".join(lines))) - {"leaf"}))


def show(lines, what, title):
    print(f"{title}: {what}")
    print("\n".join(f"    {line}" for line in lines) + "\n", flush=True)


def share(job):
    """Runs every `workers`th program until `end`: their number, and (number, lines) that differ."""
    seed, first, workers, end, most = job
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    different = []
    for i in itertools.count(first, workers):
        if time.monotonic() > end or len(different) > most:
            return (i - first) // workers, different
        with programs.runner() as r:
            generator = Generator(f"{seed} {i}", r)
            try:
                generator.program(generator.random.randint(8, 30))
            except (Difference, Refused):
                if programs.run(generator.lines):
                    different.append((i, generator.lines))
            except Finished:
                pass


def fuzz(seconds, seed, most):
    """Prints the first program of every set of ops that differs; gives their number."""
    workers, end = os.cpu_count(), time.monotonic() + seconds
    with multiprocessing.Pool(workers) as pool:
        shares = pool.map(share, [(seed, i, workers, end, most) for i in range(workers)])
    rounding, found = 0, Counter()
    for i, lines in sorted(program for _, different in shares for program in different)[:most]:
        if is_rounding(lines):
            rounding += 1
            continue
        lines = shrunk(lines)
        found[ops_of(lines)] += 1
        if found[ops_of(lines)] == 1:
            show(lines, programs.run(lines)[1], f"program {i}")
    print(f"{sum(count for count, _ in shares)} programs, {sum(found.values())} differ in "
          f"{len(found)} sets of ops, {rounding} in f32 alone, by rounding")
    return len(found)


def replay(path):
    file = sys.stdin if path == "-" else open(path, encoding="utf-8")
    with file:
        lines = [line.strip() for line in file if line.strip()]
    difference = programs.run(lines)
    print(f"{lines[difference[0]]}\n    {difference[1]}" if difference else "no difference")
    return bool(difference)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=20, help="stop after so many differences")
    parser.add_argument("--replay", metavar="FILE")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    return replay(args.replay) if args.replay else fuzz(args.seconds, args.seed, args.most)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
