#!/usr/bin/env python3
"""Random graphs of ops: what PyTorch computes, and the gradients that it gives.

    python3 tests/golden/make_graphs.py >tests/golden/graphs.txt     (needs python3-torch)

A line is one step of a small program, which tests/test_graphs.c runs with the library:

    graph NUMBER
    leaf R LOW HIGH SIZE...       register R: uniform numbers; the draws are described in `uniform`
    ids R COUNT SIZE...           register R: whole numbers below COUNT, drawn in the same way
    OP R OPERAND... : NUMBER...   register R = OP(operands, numbers), by the name of tg_OP
    value R : NUMBER...           all elements of R, in f64
    grad R : NUMBER...            d sum(w * last) / d R, w = 0.5 + uniform
"""
import random

import numpy as np
import torch
from torch.nn import functional as F

from make_golden import Masks

GRAPHS, LATER, SEED = 260, 240, 23  # LATER: from there on with images and sparse matrices


class Graph:
    def __init__(self, number):
        self.number, self.lines, self.registers = number, [f"graph {number}"], []
        self.leaves = []
        self.random = random.Random(1000 * SEED + number)
        self.words = Masks(SEED)
        self.masks = Masks(SEED + 1)
        self.words.position = self.masks.position = number << 20

    def uniform(self, count):
        """The low 53 bits of successive Philox blocks (from position graph << 20)."""
        w = self.words.blocks(count)
        bits = (w[0] | w[1] << np.uint64(32)) >> np.uint64(11)
        return bits.astype(np.float64) * 2.0 ** -53

    def add(self, t):
        self.registers.append(t)
        return len(self.registers) - 1

    def leaf(self, shape, low=-2.0, high=2.0):
        n = int(np.prod(shape))
        t = torch.from_numpy(low + (high - low) * self.uniform(n)).reshape(shape)
        t.requires_grad_()
        r = self.add(t)
        self.leaves.append(r)
        self.lines.append(f"leaf {r} {low} {high} " + " ".join(map(str, shape)))
        return r

    def ids(self, count, shape):
        n = int(np.prod(shape))
        t = torch.from_numpy(np.floor(count * self.uniform(n)).astype(np.int64)).reshape(shape)
        r = self.add(t)
        self.lines.append(f"ids {r} {count} " + " ".join(map(str, shape)))
        return r

    def op(self, name, operands, numbers, value):
        r = self.add(value)
        self.lines.append(" ".join([name, str(r)] + [str(o) for o in operands] + [":"] +
                                   [repr(n) for n in numbers]))
        return r

    def tame(self, r):
        """Keep numbers small: squash a register that has grown."""
        t = self.registers[r]
        return self.op("tanh", [r], [], torch.tanh(t)) if t.numel() and t.abs().max() > 4 else r

    def positive(self, r):
        return self.op("softplus", [r], [], F.softplus(self.registers[r]))


def unary(g, a):
    x = g.registers[a]
    name = g.random.choice(["neg", "abs", "square", "cube", "sign", "round", "floor",
                            "ceil", "sin", "cos", "exp", "expm1", "relu", "sigmoid", "tanh",
                            "softplus", "logsigmoid", "silu", "gelu", "sqrt", "log", "log1p", "clamp", "dropout",
                            "scalar"])
    if name in ("sqrt", "log", "log1p"):
        a = g.positive(a)
        x = g.registers[a]
        return g.op(name, [a], [], getattr(torch, name)(x))
    if name == "dropout":
        position = g.masks.position
        return g.op(name, [a], [0.5, position], x * g.masks.draw(x.shape, 0.5).double())
    if name == "scalar":
        name, number = g.random.choice([("add", 0.7), ("sub", 1.5), ("mul", -0.6), ("div", 1.7),
                                        ("pow", 2.0), ("leaky_relu", 0.1)])
        value = F.leaky_relu(x, number) if name == "leaky_relu" else getattr(torch, name)(x, number)
        return g.op(name + "_scalar", [a], [number], value)
    if name == "clamp":
        return g.op(name, [a], [-0.7, 1.1], x.clamp(-0.7, 1.1))
    by_name = {"cube": lambda x: x ** 3, "softplus": F.softplus, "silu": F.silu, "gelu": F.gelu,
               "logsigmoid": F.logsigmoid}
    return g.op(name, [a], [], by_name.get(name, getattr(torch, name, None))(x))


def operand_for(g, a):
    """A register that broadcasts with a: an old one, or a new leaf with some sizes 1 or missing."""
    shape = list(g.registers[a].shape)
    fits = [r for r, t in enumerate(g.registers) if t.is_floating_point() and
            list(t.shape) in (shape, shape[1:], [])]
    if fits and g.random.random() < 0.6:
        return g.random.choice(fits)
    cut = [1 if g.random.random() < 0.3 else n for n in shape]
    return g.leaf(cut[g.random.randint(0, len(cut)):])


def binary(g, a):
    b = operand_for(g, a)
    name = g.random.choice(["add", "sub", "mul", "div", "pow", "minimum", "maximum", "where",
                            "squared_error", "huber", "leaky_relu", "logit_cross_entropy",
                            "clamp_min", "clamp_max"])
    if name == "div":
        b = g.positive(b)
    if name == "pow":
        a = g.op("sigmoid", [a], [], torch.sigmoid(g.registers[a]))
        b = g.op("tanh", [b], [], torch.tanh(g.registers[b]))
    if name in ("huber", "leaky_relu"):
        b = g.op("sigmoid", [b], [], torch.sigmoid(g.registers[b]))
    x, y = g.registers[a], g.registers[b]
    if name in ("add", "sub", "mul", "div", "pow", "minimum", "maximum"):
        return g.op(name, [a, b], [], getattr(torch, name)(x, y))
    if name == "where":
        relation = g.random.choice(["eq", "ne", "lt", "le", "gt", "ge"])
        holds = getattr(torch, relation)(x, y)
        c = g.op(relation, [a, b], [], holds.long())
        return g.op(name, [c, a, b], [], torch.where(holds, x, y))
    if name in ("clamp_min", "clamp_max"):
        x, y = torch.broadcast_tensors(x, y)
        return g.op(name, [a, b], [], torch.where(x < y if name == "clamp_min" else x > y, y, x))
    if name == "squared_error":
        return g.op(name, [a, b], [], (x - y) ** 2)
    if name == "huber":
        return g.op(name, [a, b], [], torch.where(x.abs() <= y, x * x / 2, y * (x.abs() - y / 2)))
    if name == "leaky_relu":
        return g.op(name, [a, b], [], torch.where(x > 0, x, x * y))
    x, y = torch.broadcast_tensors(x, y)
    return g.op(name, [a, b], [], F.binary_cross_entropy_with_logits(x, y, reduction="none"))


def shape(g, a):
    x = g.registers[a]
    n = x.dim()
    choices = ["unsqueeze", "cat", "stack"]
    if n >= 1:
        choices += ["narrow", "select", "view", "split", "index_select", "pad", "sum_to"]
    if n >= 2:
        choices += ["permute", "transpose", "gather", "scatter_add", "argmax", "reshape"]
    if 1 in x.shape:
        choices += ["squeeze", "expand"]
    if n >= 3:
        choices = [c for c in choices if c not in ("unsqueeze", "stack")]
    elif n >= 1:
        choices += ["expand"]
    name = g.random.choice(choices)
    d = g.random.randrange(n) if n else 0
    signed = d - n if g.random.random() < 0.5 else d  # the same dimension, from the end
    if name == "unsqueeze":
        d = g.random.randint(-n - 1, n)
        return g.op(name, [a], [d], x.unsqueeze(d))
    if name in ("cat", "stack"):
        same = [r for r, t in enumerate(g.registers) if t.is_floating_point() and
                t.shape == x.shape]
        b = g.random.choice(same)
        if name == "cat" and n:
            return g.op(name, [a, b, a], [signed], torch.cat([x, g.registers[b], x], signed))
        return g.op("stack", [a, b], [0], torch.stack([x, g.registers[b]], 0))
    if name == "narrow":
        start = g.random.randrange(x.shape[d])
        length = g.random.randint(1, x.shape[d] - start)
        return g.op(name, [a], [signed, start, length], x.narrow(d, start, length))
    if name == "select":
        i = g.random.randrange(-x.shape[d], x.shape[d])
        return g.op(name, [a], [signed, i], x.select(d, i))
    if name == "view":
        c = g.op("contiguous", [a], [], x.contiguous())
        return g.op(name, [c], [-1], x.contiguous().view(-1))
    if name == "reshape":  # of what is not contiguous
        t = g.op("transpose", [a], [0, n - 1], x.transpose(0, n - 1))
        x = x.transpose(0, n - 1)
        return g.op(name, [t], [x.shape[0], -1], x.reshape(x.shape[0], -1))
    if name == "pad":
        before, after = g.random.randint(0, 2), g.random.randint(0, 2)
        around = [0, 0] * (n - 1 - d) + [before, after]
        return g.op(name, [a], [signed, before, before + x.shape[d] + after], F.pad(x, around))
    if name == "sum_to":
        sizes = [1 if g.random.random() < 0.5 else s for s in x.shape][g.random.randint(0, n):]
        return g.op(name, [a], sizes, x.sum_to_size(sizes) if sizes else x.sum())
    if name == "argmax":  # the largest, looked up
        i = g.op(name, [a], [signed], x.argmax(d, keepdim=True))
        return g.op("gather", [a, i], [signed], x.gather(d, g.registers[i]))
    if name == "split":  # its last part
        size = g.random.randint(1, x.shape[d])
        return g.op(name, [a], [signed, size], x.split(size, d)[-1])
    if name == "index_select":
        i = g.ids(x.shape[d], [g.random.randint(1, 4)])
        return g.op(name, [a, i], [signed], x.index_select(d, g.registers[i]))
    if name == "permute":
        order = list(range(n))
        g.random.shuffle(order)
        return g.op(name, [a], order, x.permute(order))
    if name == "transpose":
        e = g.random.randrange(n)
        return g.op(name, [a], [signed, e], x.transpose(d, e))
    if name in ("gather", "scatter_add"):
        sizes = [g.random.randint(1, s) for s in x.shape]
        sizes[d] = g.random.randint(1, 4)
        i = g.ids(x.shape[d], sizes)
        if name == "gather":
            return g.op(name, [a, i], [signed], x.gather(d, g.registers[i]))
        s = g.leaf(sizes)
        return g.op(name, [a, i, s], [signed], x.scatter_add(d, g.registers[i], g.registers[s]))
    if name == "squeeze":
        d = list(x.shape).index(1)
        return g.op(name, [a], [d], x.squeeze(d))
    wide = ([2] if n < 3 else []) + [3 if s == 1 else s for s in x.shape]
    return g.op("expand", [a], wide, x.expand(wide))


def mask(g, a):
    """A comparison of a with another one, changed, and what it leaves of a."""
    b = operand_for(g, a)
    x, y = g.registers[a], g.registers[b]
    low, high = g.op("lt", [a, b], [], (x < y).long()), g.op("gt", [a, b], [], (x > y).long())
    name = g.random.choice(["logical_and", "logical_or", "logical_not", "floor_divide",
                            "remainder", "one_hot"])
    p, q = g.registers[low], g.registers[high]
    if name == "one_hot" and p.dim() < 3:
        hot = g.op(name, [low], [3], F.one_hot(p, 3))
        m = g.op("select", [hot], [-1, 1], F.one_hot(p, 3)[..., 1])
    elif name in ("floor_divide", "remainder"):
        m = g.op(name, [low], [2.0], getattr(torch, name)(p, 2))
    elif name in ("logical_and", "logical_or"):
        m = g.op(name, [low, high], [], getattr(torch, name)(p, q).long())
    else:
        m = g.op("logical_not", [low], [], torch.logical_not(p).long())
    if g.random.random() < 0.5:
        wide = torch.broadcast_tensors(x, g.registers[m])[0]
        return g.op("masked_fill", [a, m], [0.3], wide.masked_fill(g.registers[m] != 0, 0.3))
    c = g.op("cast", [m, a], [], g.registers[m].double())
    return g.op("mul", [a, c], [], x * g.registers[c])


def along(g, a):
    """Along a dimension, in the operand's shape; norms."""
    x = g.registers[a]
    if x.dim() < 1:
        return unary(g, a)
    d = g.random.randrange(-x.dim(), x.dim())
    name = g.random.choice(["cumsum", "sort", "normalize", "std_dim", "norm"] +
                           (["tril", "triu"] if x.dim() > 1 else []))
    if name in ("tril", "triu"):
        k = g.random.randint(-2, 2)
        return g.op(name, [a], [k], getattr(x, name)(k))
    if name == "cumsum":
        return g.op(name, [a], [d], x.cumsum(d))
    if name == "sort":
        descending = g.random.random() < 0.5
        return g.op(name, [a], [d, int(descending)],
                    x.sort(dim=d, descending=descending, stable=True).values)
    # Of equal numbers the deviation, and of zeros the norm, has no derivative.
    w = g.leaf(list(x.shape), 0.5, 2.0)
    a = g.op("add", [a, w], [], x + g.registers[w])
    x = g.registers[a]
    if name == "std_dim" and x.shape[d] > 1:
        return g.op(name, [a], [0, d], x.std(d))
    if name == "normalize":
        return g.op(name, [a], [d, 1e-12], F.normalize(x, dim=d, eps=1e-12))
    return g.op("norm", [a], [1, d], torch.linalg.vector_norm(x, 2, d, keepdim=True))


def reduction(g, a):
    x = g.registers[a]
    if x.dim() == 0:
        return unary(g, a)
    name = g.random.choice(["sum", "mean", "sum_dim", "mean_dim", "max_dim", "min_dim", "var_dim",
                            "logsumexp", "softmax", "log_softmax", "layer_norm", "topk"])
    if name in ("sum", "mean"):
        return g.op(name, [a], [], getattr(x, name)())
    if name in ("softmax", "log_softmax"):
        d = g.random.randrange(-x.dim(), x.dim())
        return g.op(name, [a], [d], getattr(torch, name)(x, d))
    if name == "layer_norm":
        w, b = g.leaf([x.shape[-1]]), g.leaf([x.shape[-1]])
        return g.op(name, [a, w, b], [1e-5], F.layer_norm(x, [x.shape[-1]], g.registers[w],
                                                          g.registers[b], 1e-5))
    if name == "topk":
        k = g.random.randint(1, x.shape[-1])
        return g.op(name, [a], [k], x.topk(k).values)
    dims = g.random.sample(range(x.dim()), g.random.randint(1, x.dim()))
    count = int(np.prod([x.shape[d] for d in dims]))
    if name == "var_dim" and count < 2:
        name = "mean_dim"
    keep = g.random.random() < 0.5
    torch_name = {"sum_dim": "sum", "mean_dim": "mean", "max_dim": "amax", "min_dim": "amin",
                  "var_dim": "var", "logsumexp": "logsumexp"}[name]
    value = getattr(torch, torch_name)(x, dim=dims, keepdim=keep)
    return g.op(name, [a], [int(keep)] + dims, value)


def attention(q, k, v, causal):
    score = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if causal:
        score = score + torch.full(score.shape, -np.inf).triu(1)
    return score.softmax(-1) @ v


def product(g, a):
    x = g.registers[a]
    if x.dim() < 2:
        return binary(g, a)
    if g.random.random() < 0.4:
        out = g.random.randint(1, 4)
        w, b = g.leaf([out, x.shape[-1]], -1.0, 1.0), g.leaf([out])
        return g.op("linear", [a, w, b], [], F.linear(x, g.registers[w], g.registers[b]))
    batch = [] if g.random.random() < 0.5 else list(x.shape[:-2])
    if g.random.random() < 0.3:
        keys, causal = g.random.randint(1, 4), g.random.random() < 0.5
        k, v = g.leaf([keys, x.shape[-1]]), g.leaf(batch + [keys, g.random.randint(1, 4)])
        return g.op("scaled_dot_product_attention", [a, k, v], [int(causal)],
                    attention(x, g.registers[k], g.registers[v], causal))
    w = g.leaf(batch + [x.shape[-1], g.random.randint(1, 4)], -1.0, 1.0)
    return g.op("matmul", [a, w], [], x @ g.registers[w])


def lookup(g, _):
    rows, dim = g.random.randint(2, 5), g.random.randint(1, 4)
    table = g.leaf([rows, dim])
    index = g.ids(rows, [g.random.randint(1, 3), g.random.randint(1, 3)])
    x = F.embedding(g.registers[index], g.registers[table])
    if g.random.random() < 0.3:  # the other way round: rows added up in a table
        r = g.op("embedding", [table, index], [], x)
        into = torch.zeros(rows, dim, dtype=torch.float64)
        into = into.index_add(0, g.registers[index].reshape(-1), x.reshape(-1, dim))
        return g.op("scatter_rows", [r, index], [rows], into)
    if g.random.random() < 0.5:
        return g.op("embedding", [table, index], [], x)
    mean = g.random.random() < 0.5
    return g.op("embedding_bag", [table, index], [int(mean)], x.mean(1) if mean else x.sum(1))


def sparse(g, _):
    rows, columns, d = (g.random.randint(1, 4) for _ in range(3))
    col = g.ids(columns, [g.random.randint(1, 6)])
    places = g.registers[col]
    count = len(places)
    row = torch.tensor([sum(r * count // rows <= e for r in range(1, rows))
                        for e in range(count)])
    if g.random.random() < 0.5:
        values, x = g.leaf([count]), g.leaf([columns, d])
        matrix = torch.zeros(rows, columns, dtype=torch.float64)
        matrix = matrix.index_put((row, places), g.registers[values], accumulate=True)
        return g.op("sparse_mm", [col, values, x], [rows], matrix @ g.registers[x])
    a, b = g.leaf([rows, d]), g.leaf([d, columns])
    return g.op("sampled_mm", [col, a, b], [rows], (g.registers[a] @ g.registers[b])[row, places])


def image(g, _):
    def up_to(n):
        return g.random.randint(1, n)
    name = g.random.choice(["conv2d", "max_pool2d", "unfold", "fold"])
    groups, channels, stride, padding = up_to(2), up_to(2), up_to(2), up_to(2) - 1
    if name == "fold":
        kh, kw, rows, columns = up_to(3), up_to(2), up_to(3), up_to(3)
        h, w = (rows - 1) * stride + kh, (columns - 1) * stride + kw
        r = g.leaf([up_to(2), channels * kh * kw, rows * columns])
        return g.op(name, [r], [h, w, kh, kw, stride],
                    F.fold(g.registers[r], (h, w), (kh, kw), stride=stride))
    r = g.leaf([up_to(2), groups * channels, g.random.randint(3, 6), g.random.randint(3, 6)])
    x = g.registers[r]
    if name == "max_pool2d":
        return g.op(name, [r], [3, stride, padding], F.max_pool2d(x, 3, stride, padding))
    kh, kw = up_to(3), up_to(3)
    if name == "unfold":
        return g.op(name, [r], [kh, kw, stride, padding],
                    F.unfold(x, (kh, kw), padding=padding, stride=stride))
    out, dilation = groups * up_to(2), 1 if max(kh, kw) > 2 else up_to(2)
    weight, bias = g.leaf([out, channels, kh, kw]), g.leaf([out])
    return g.op(name, [r, weight, bias], [stride, padding, dilation, groups],
                F.conv2d(x, g.registers[weight], g.registers[bias], stride, padding, dilation,
                         groups))


def loss(g, a):
    x = g.registers[a]
    name = g.random.choice(["mse_loss", "l1_loss", "huber_loss", "bce_with_logits_loss",
                            "bpr_loss", "cross_entropy", None])
    if name is None:
        return a
    if name == "cross_entropy":
        if x.dim() != 2:
            return a
        t = g.ids(x.shape[1], [x.shape[0]])
        return g.op(name, [a, t], [], F.cross_entropy(x, g.registers[t]))
    b = g.leaf(list(x.shape), 0.0, 1.0)
    y = g.registers[b]
    if name == "bpr_loss":
        return g.op(name, [a, b], [], F.softplus(y - x).mean())
    if name == "huber_loss":
        return g.op(name, [a, b], [0.6], F.huber_loss(x, y, delta=0.6))
    by_name = {"bce_with_logits_loss": F.binary_cross_entropy_with_logits}
    return g.op(name, [a, b], [], by_name.get(name, getattr(F, name, None))(x, y))


def numbers(t):
    return " ".join(f"{v:.17g}" for v in t.detach().reshape(-1).tolist())


def make(number):
    g = Graph(number)
    g.leaf([g.random.randint(1, 4) for _ in range(g.random.randint(1, 3))])
    kinds = [unary, unary, binary, binary, binary, shape, shape, reduction, product, lookup,
             mask, along]
    kinds += ([sparse] * 2 + [image] * 3) * (number >= LATER)
    last = 0
    for _ in range(g.random.randint(4, 10)):
        floating = [r for r, t in enumerate(g.registers) if t.requires_grad and
                    t.numel() <= 100 and t.dim() <= 3]
        a = last if g.random.random() < 0.7 and last in floating else g.random.choice(floating)
        last = g.tame(g.random.choice(kinds)(g, a))
    last = loss(g, last)
    t = g.registers[last]
    used = [r for r in g.leaves]
    w = torch.from_numpy(0.5 + g.uniform(t.numel())).reshape(t.shape)
    grads = torch.autograd.grad((w * t).sum(), [g.registers[r] for r in used], allow_unused=True)
    g.lines.append(f"value {last} : {numbers(t)}")
    for r, d in zip(used, grads):
        g.lines.append(f"grad {r} : {numbers(d) if d is not None else 'none'}")
    return g.lines


def main():
    torch.set_num_threads(1)
    for number in range(GRAPHS):
        print("\n".join(make(number)))


if __name__ == "__main__":
    main()
