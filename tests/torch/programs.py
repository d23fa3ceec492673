"""Programs of lines such as `t3 = F.mul(t1, t2)`, run line by line in PyTorch and in tapegrad.

F has tapegrad's ops by their names, and `leaf`, `backward`, `grad`, hooks, steps and changes in
place. After each line both results are compared; then tapegrad's elements are made the same bits as
PyTorch's, so that a rounding error cannot become another branch further on.

What rules read may be changed in place before they run. PyTorch is made to keep copies, so that it
has the right gradients even then; tapegrad must have the same, or report misuse, and that only
where PyTorch without those copies does.
"""
import math
import re
from contextlib import contextmanager, nullcontext

import torch
from torch.nn import functional

import compare
import tapegrad as tg

DTYPES = {"f32": torch.float32, "f64": torch.float64, "i64": torch.int64}


class Difference(Exception):
    """The two do not agree; the message says in what."""


class Refused(Exception):
    """Misuse: a rule reads what was changed in place. `raises` tells whether in PyTorch too."""


class Finished(Exception):
    """Nothing after this line can be compared."""


# ---- F in PyTorch --------------------------------------------------------------------------------


def pad(x, dim, start, size):
    if not -x.dim() <= dim < x.dim():
        raise IndexError("dim")
    after = size - start - x.shape[dim]
    if start < 0 or after < 0:
        raise ValueError("padding")
    around = [x.new_zeros([n if d == dim % x.dim() else k for d, k in enumerate(x.shape)])
              for n in (start, after)]
    return torch.cat((around[0], x, around[1]), dim)


def embedding(w, index):
    """Without PyTorch's version check of the table, which its rule does not read."""
    return w.index_select(0, index.flatten()).reshape(index.shape + w.shape[1:])


def embedding_bag(w, index, mean):
    return (torch.mean if mean and index.shape[-1] else torch.sum)(embedding(w, index), -2)


def rows_sum(x, index, rows):
    flat = x.reshape(index.numel(), x.shape[-1])
    return x.new_zeros(rows, x.shape[-1]).index_add(0, index.flatten(), flat)


def rows_of(crow, col, columns):
    """The row of each entry of a sparse matrix in compressed rows."""
    if col.numel() and not 0 <= int(col.min()) <= int(col.max()) < columns:
        raise IndexError("col")
    return torch.repeat_interleave(torch.arange(len(crow) - 1), crow.diff())


def sparse_mm(crow, col, values, x):
    row = rows_of(crow, col, len(x))
    matrix = values.new_zeros(len(crow) - 1, len(x))
    return matrix.index_put((row, col), values, accumulate=True) @ x


def sampled_mm(crow, col, a, b):
    return (a @ b)[rows_of(crow, col, b.shape[1]), col]


def conv2d(x, weight, bias, stride, padding, dilation, groups):
    return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)


def max_pool2d(x, kernel, stride, padding, dilation):
    if padding and dilation > min(x.shape[2:]):
        raise ValueError("a window without a pixel")
    return functional.max_pool2d(x, kernel, stride, padding, dilation)


def unfold(x, kh, kw, stride, padding, dilation):
    return functional.unfold(x, (kh, kw), dilation, padding, stride)


def fold(x, h, w, kh, kw, stride, padding, dilation):
    return functional.fold(x, (h, w), (kh, kw), dilation, padding, stride)


def split(x, dim, size):
    """Without PyTorch's rules for the results of functions that give several views."""
    torch.split(x, size, dim)
    length = x.shape[dim]
    return [x.narrow(dim, start, min(size, length - start))
            for start in range(0, max(length, 1), size)]


def topk(x, k):
    """Of equal elements the first."""
    if not 0 <= k <= (x.shape[-1] if x.dim() else 1):
        raise ValueError("k")
    both = torch.sort(x, dim=-1, descending=True, stable=True)
    return [t[..., :k] if t.dim() else t for t in both]


def layer_norm(x, w, b, eps):
    """PyTorch's own has wrong third derivatives."""
    variance, mean = torch.var_mean(x, -1, unbiased=False, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * w + b


def logit_cross_entropy(x, y):
    return functional.binary_cross_entropy_with_logits(*torch.broadcast_tensors(x, y),
                                                       reduction="none")


TORCH = {
    **{name: getattr(torch, name) for name in (
        "add", "sub", "mul", "div", "pow", "minimum", "maximum", "neg", "abs", "square", "sqrt",
        "sign", "round", "floor", "ceil", "sin", "cos", "exp", "expm1", "log", "log1p", "relu",
        "sigmoid", "tanh", "tril", "triu", "cumsum", "clamp_min", "clamp_max", "clamp", "matmul",
        "gather", "scatter_add", "index_select", "reshape", "transpose", "permute", "t", "squeeze",
        "unsqueeze", "select", "narrow", "sum", "mean", "softmax", "log_softmax")},
    "cube": lambda a: a ** 3,
    **{name + "_scalar": getattr(torch, name) for name in (
        "add", "sub", "mul", "div", "pow", "clamp_min", "clamp_max")},
    **{name: lambda a, b, compare=getattr(torch, name): compare(a, b).long()
       for name in ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or")},
    "masked_fill": lambda x, mask, value: x.masked_fill(mask != 0, value),
    "sort": lambda x, dim, descending: list(torch.sort(x, dim=dim, descending=descending,
                                                       stable=True)),
    **{name: getattr(functional, name) for name in (
        "logsigmoid", "silu", "gelu", "linear", "mse_loss", "l1_loss", "cross_entropy")},
    "softplus": lambda x: functional.softplus(x, 1, 40),  # linear beyond, not from 20 on
    "leaky_relu_scalar": functional.leaky_relu,
    "squared_error": lambda a, b: functional.mse_loss(*torch.broadcast_tensors(a, b),
                                                      reduction="none"),
    "huber_scalar": lambda d, delta: functional.huber_loss(d, torch.zeros_like(d), delta=delta,
                                                           reduction="none"),
    "logit_cross_entropy": logit_cross_entropy,
    "embedding": embedding,
    "embedding_bag": embedding_bag,
    "rows_sum": rows_sum,
    "conv2d": conv2d, "max_pool2d": max_pool2d, "unfold": unfold, "fold": fold,
    "sparse_mm": sparse_mm, "sampled_mm": sampled_mm,
    "view": lambda x, shape: x.view(shape), "expand": lambda x, shape: x.expand(shape),
    "split": split,
    "cat": lambda dim, x: torch.cat([t.movedim(dim, dim) for t in x], dim),  # of any emptiness
    "stack": lambda dim, x: torch.stack(x, dim),
    "contiguous": lambda x: x.contiguous(), "pad": pad,
    "sum_dim": lambda x, keepdim, dims: torch.sum(x, dims, keepdim),
    "mean_dim": lambda x, keepdim, dims: torch.mean(x, dims, keepdim),
    "max_dim": lambda x, keepdim, dims: torch.amax(x, dims, keepdim),
    "min_dim": lambda x, keepdim, dims: torch.amin(x, dims, keepdim),
    "var_dim": lambda x, keepdim, dims: torch.var(x, dims, True, keepdim),
    "logsumexp": lambda x, keepdim, dims: torch.logsumexp(x, dims, keepdim),
    "sum_to": lambda x, shape: x.clone() if x.shape == shape else x.sum_to_size(shape),
    "where": lambda c, a, b: torch.where(c != 0, a, b),
    "argmax": lambda x, dim, keepdim: torch.argmax(x, dim, keepdim),
    "topk": topk,
    "layer_norm": layer_norm,
    "dropout": lambda x, p, training: functional.dropout(
        x.clone() if training and p > 0 and not x.numel() else x, p, training),
    "huber_loss": lambda x, y, delta: functional.huber_loss(x, y, delta=delta),
    "bce_with_logits_loss": functional.binary_cross_entropy_with_logits,
    "bpr_loss": lambda p, n: functional.softplus(n - p, 1, 40).mean(),
    "detach": lambda x: x.detach(),
}


def contiguous(x):
    """PyTorch's results may have the strides of operands."""
    return [t.contiguous() for t in x] if isinstance(x, list) else x.contiguous()


VIEWS = {"view", "reshape", "transpose", "permute", "t", "squeeze", "unsqueeze", "select", "narrow",
         "split", "expand", "contiguous", "detach", "dropout"}


class Torch:
    """F in PyTorch."""

    def __init__(self):
        self.seen = []  # what hooks have seen
        self.retained = []

    def __getattr__(self, name):
        if name in VIEWS:
            return TORCH[name]
        return lambda *args: contiguous(TORCH[name](*args))

    def leaf(self, dtype, shape, values, requires_grad=False, owned=False):
        x = torch.tensor(values, dtype=DTYPES[dtype]).reshape(shape).clone()  # no view
        if requires_grad:  # gradients of leaves must not share memory, to which PyTorch adds
            x.requires_grad_().register_hook(lambda g: g.clone())
        return x

    def backward(self, x):
        x.backward(retain_graph=True)

    def grad(self, y, inputs, g=None, create_graph=False):
        kept = [x.grad for x in self.retained]
        dx = torch.autograd.grad(y, inputs, g, retain_graph=True, create_graph=create_graph,
                                 allow_unused=True)
        for x, before in zip(self.retained, kept):
            x.grad = before  # tg_grad leaves it alone
        dx = [torch.zeros_like(x) if d is None else d for d, x in zip(dx, inputs)]
        dx = dx if create_graph else [d.detach() for d in dx]
        return [d.clone(memory_format=torch.contiguous_format) for d in dx]  # not an operand itself

    def grad_of(self, x):
        return torch.zeros_like(x) if x.grad is None else x.grad.clone()

    def zero_grad(self, x):
        x.grad = None

    def retain_grad(self, x):
        x.retain_grad()
        self.retained.append(x)

    def hook(self, x, factor):
        def see(g):
            self.seen.append(g.detach().clone())
            return g * factor if factor else None
        x.register_hook(see)

    def fill(self, x, value):
        with torch.no_grad():
            x.fill_(value)

    def copy(self, x, source):
        with torch.no_grad():
            if x.shape != source.shape:
                raise ValueError("shapes")
            x.copy_(source)

    def add_scaled(self, x, factor, source):
        with torch.no_grad():
            x.add_(source, alpha=factor)

    no_grad = staticmethod(torch.no_grad)

    def step_begin(self):
        pass

    step_end = step_begin


# ---- F in tapegrad -------------------------------------------------------------------------------


class Tape:
    """F in tapegrad."""

    def __init__(self):
        self.seen, self.owned, self.steps = [], [], []

    def __getattr__(self, name):
        return getattr(tg, name)

    def step_begin(self):
        self.steps.append(tg.step())
        self.steps[-1].__enter__()

    def step_end(self):
        if len(self.steps) == 1:
            raise NameError("the outermost step")
        self.steps.pop().__exit__(None, None, None)

    def leaf(self, dtype, shape, values, requires_grad=False, owned=False):
        x = torch.tensor(values, dtype=DTYPES[dtype]).reshape(shape)
        if not owned:
            return tg.tensor(x, requires_grad)
        self.owned.append(tg.owned_tensor(x, requires_grad))
        return self.owned[-1]

    def conv2d(self, x, weight, bias, *options):
        return tg.conv2d(x, weight, bias, tg.ConvOptions(*options))

    def max_pool2d(self, x, kernel, *options):
        return tg.max_pool2d(x, kernel, tg.WindowOptions(*options))

    def unfold(self, x, kh, kw, *options):
        return tg.unfold(x, kh, kw, tg.WindowOptions(*options))

    def fold(self, x, h, w, kh, kw, *options):
        return tg.fold(x, h, w, kh, kw, tg.WindowOptions(*options))

    def rows_sum(self, x, index, rows):
        return tg.to_dense(tg.scatter_rows(x, index, rows))

    def grad(self, y, inputs, g=None, create_graph=False):
        dx = tg.grad(y, inputs, g, create_graph)
        dx = [tg.zeros(x.fields.dtype, x.shape) if d is None else d for d, x in zip(dx, inputs)]
        copies = [tg.select(tg.stack(0, [d]), 0, 0) for d in dx]
        return copies if create_graph else [tg.detach(d) for d in copies]

    def grad_of(self, x):
        return tg.tensor(torch.zeros(x.shape, dtype=x.dtype) if x.grad is None
                         else tg.to_torch(x.grad))

    def hook(self, x, factor):
        def see(g):
            self.seen.append(tg.to_torch(g))
            return tg.mul_scalar(tg.to_dense(g), factor) if factor else None
        tg.register_hook(x, see)

    def fill(self, x, value):
        with tg.no_grad():
            tg.fill(x, value)

    def copy(self, x, source):
        with tg.no_grad():
            tg.copy(x, source)

    def add_scaled(self, x, factor, source):
        with tg.no_grad():
            tg.add_scaled(x, factor, source)

    def close(self):
        while self.steps:
            self.steps.pop().__exit__(None, None, None)
        for x in self.owned:
            tg.free(x)


# ---- both at once --------------------------------------------------------------------------------

CHANGES = {"fill", "copy", "add_scaled"}  # in place
GRADIENTS = {"backward", "grad"}
# Of sums, and of 0 and -0 in PyTorch's vector code, the sign of zero says nothing.
ANY_ZERO = {"relu", "pow_scalar", "maximum", "minimum", "clamp_min", "clamp_max", "max_dim",
            "min_dim", "gelu", "sum", "mean", "sum_dim", "mean_dim", "sum_to", "matmul", "linear",
            "conv2d", "fold", "scatter_add", "rows_sum", "embedding_bag", "sparse_mm", "sampled_mm",
            "var_dim", "layer_norm", "cumsum", "grad", "grad_of", "mse_loss", "l1_loss", "huber_loss",
            "bce_with_logits_loss", "cross_entropy", "bpr_loss", "softmax"}
# By how much an error may exceed eps times magnitude:
CONDITION = {"layer_norm": 1e3, "var_dim": 1e2, "matmul": 1e2, "linear": 1e2, "conv2d": 1e2,
             "pow": 1e2, "grad": 1e3, "grad_of": 1e3}
# Their rules choose where PyTorch's multiply 0 with infinity, so that NaN may be a number here.
POLES = {"sqrt", "log", "log1p", "div", "div_scalar", "pow", "pow_scalar", "max_dim", "min_dim"}
# Their rules read, or may read, operands that PyTorch's do not: a change in place is misuse sooner.
# The second derivative of bce_with_logits_loss reads the logits, PyTorch's their sigmoid.
# Of minimum, maximum and clamps PyTorch keeps a mask, of a sparse matrix a copy of the values. The
# second derivative of a sine or cosine reads its value here, its operand in PyTorch.
READ_MORE = {"relu", "div", "layer_norm", "l1_loss", "bpr_loss", "cross_entropy", "sparse_mm",
             "sampled_mm", "minimum's gradient", "maximum's gradient", "clamp_min's gradient",
             "clamp_max's gradient", "sin's gradient", "cos's gradient",
             "logit_cross_entropy's gradient"}
NAME = re.compile(r"\bt\d+\b")


class Runner:
    """The state of a program in both."""

    def __init__(self, copies=True):
        self.torch = {"F": Torch(), "inf": math.inf, "nan": math.nan}
        self.tape = {"F": Tape(), "inf": math.inf, "nan": math.nan}
        self.has_pole = False
        self.outer = []  # names outside of each step
        self.saving = copying if copies else nullcontext

    def tensors(self):
        return {name: x for name, x in self.torch.items() if NAME.fullmatch(name)}

    def do(self, line):
        """Run the line in both; False where both refuse it."""
        left, _, right = line.rpartition(" = ")
        outputs, inputs = NAME.findall(left), NAME.findall(right)
        op = re.search(r"F\.(\w+)\(", right.replace("F.no_grad()", "")).group(1)
        self.has_pole |= op in POLES
        code = compile(line, "program", "exec")
        with self.saving():
            theirs = attempt(code, self.torch, (RuntimeError, IndexError, ValueError))
        ours = attempt(code, self.tape, tg.Misuse)
        if theirs or ours:
            self.check_refusal(op, theirs, ours)
            return False
        if op == "step_begin":
            self.outer.append(set(self.tensors()))
        elif op == "step_end":
            self.forget(set(self.tensors()) - self.outer.pop())
        try:
            for name in outputs:
                self.check(name, op, inputs)
            if op in CHANGES | GRADIENTS:
                self.check_all(op)
        except tg.Misuse as error:
            raise Difference(f"a result cannot be read: {error}") from None
        return True

    @staticmethod
    def check_refusal(op, theirs, ours):
        changed = ours and re.search(r": ([\w' ]+): [^:]*saved for the gradient, was changed", ours)
        if changed and not theirs:
            raise Finished if changed.group(1) in READ_MORE else Refused(ours)
        if theirs and "ZeroTensors" in theirs:
            raise Finished  # PyTorch cannot run its own result
        if ours and "third derivatives" in ours:
            raise Finished
        if not ours:
            raise Difference(f"PyTorch raises: {theirs}")
        if not theirs:
            raise Difference(f"misuse: {ours}")
        if op in GRADIENTS:  # some leaves may have their gradient by now
            raise Finished

    def check(self, name, op, inputs):
        x, y = self.tape[name], self.torch[name]
        if op == "grad" and x.requires_grad != y.requires_grad:
            raise Finished  # one of the two has recorded that a further derivative is 0
        if x.requires_grad != y.requires_grad:
            raise Difference(f"{name}.requires_grad {x.requires_grad}, PyTorch {y.requires_grad}")
        operands = [self.torch[i].data for i in inputs]
        self.check_values(name, op, tg.to_torch(x), y.data, operands)
        memory = tg.memory(x)
        if y.is_floating_point() and memory.is_contiguous():
            memory.copy_(y.data)

    def check_values(self, name, op, x, y, operands):
        if op == "grad" and self.has_pole and x.shape == y.shape:
            y = y.where(y.isfinite(), x)
        if same_bits(x, y):
            return
        scale = 1.0 + compare.largest(operands + [y])
        if op == "grad":
            extent = compare.largest([t.data for t in self.tensors().values()])
            scale = max(scale, extent if extent > 1e9 else 0.0)  # sums of such lose all others
            scale *= 1e3 if y.dtype == torch.float64 else 1.0  # f32 alone decides nothing
        _, what = compare.difference(x, y, scale=scale * CONDITION.get(op, 1.0),
                                     is_value=op not in ANY_ZERO)
        if what:
            raise Difference(f"{name}: {what}")

    def check_all(self, op):
        """Values after a change in place, gradients after tg_backward, and what hooks have seen."""
        ours, theirs = self.tape["F"].seen, self.torch["F"].seen
        if len(ours) != len(theirs):  # no gradient is a gradient of zeros
            ours, theirs = ([g for g in seen if bool((g.abs() > 1e-9).any())]
                            for seen in (ours, theirs))
        if len(ours) != len(theirs):
            raise Difference(f"{len(ours)} calls of hooks, PyTorch {len(theirs)}")
        for x, y in zip(sorted(ours, key=key), sorted(theirs, key=key)):
            self.check_values("hook", "grad", x, y, [])
        self.tape["F"].seen.clear()
        self.torch["F"].seen.clear()
        for name, y in self.tensors().items():
            x = self.tape[name]
            if op in CHANGES:
                self.check_values(name, op, tg.to_torch(x), y.data, [])
            g = y.grad if y.is_leaf or y.retains_grad else None
            if x.grad is None and g is not None:  # no gradient is a gradient of zeros
                g = g.where(g.isfinite(), torch.zeros_like(g)) if self.has_pole else g
                g = g if bool(g.any()) else None
            if (x.grad is None) != (g is None):
                raise Difference(f"{name}.grad {x.grad and 'is there'}, PyTorch "
                                 f"{g if g is None else 'is there'}")
            if g is not None:
                self.check_values(f"{name}.grad", "grad", tg.to_torch(x.grad), g, [])

    def forget(self, names):
        for name in names:
            for namespace in (self.torch, self.tape):
                namespace.pop(name, None)


def same_bits(x, y):
    kind = torch.int32 if x.dtype == torch.float32 else torch.int64
    return x.dtype == y.dtype and torch.equal(x.view(kind), y.view(kind))


def key(t):
    """Hooks of one walk may run in another order."""
    return (tuple(t.shape), [round(v, 3) for v in t.flatten().double().nan_to_num(0.5).tolist()])


def copying():
    return torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t)


def attempt(code, namespace, errors):
    try:
        exec(code, namespace)
        return None
    except errors as error:
        return str(error).split("\n", maxsplit=1)[0]


@contextmanager
def runner(copies=True):
    r = Runner(copies)
    r.tape["F"].step_begin()
    try:
        yield r
    finally:
        r.tape["F"].close()


def run(lines):
    """(line, what) of the first difference, or None."""
    with runner() as r:
        for i, line in enumerate(lines):
            try:
                r.do(line)
            except Difference as difference:
                return i, str(difference)
            except Refused as refusal:
                return None if raises(lines[:i + 1]) else (i, f"misuse: {refusal}")
            except (Finished, NameError):
                return None
    return None


def raises(lines):
    """Whether PyTorch, without those copies, refuses the last line."""
    with runner(copies=False) as r:
        for line in lines[:-1]:
            attempt(line, r.torch, (RuntimeError, IndexError, ValueError, NameError))
        return attempt(lines[-1], r.torch, (RuntimeError, NameError)) is not None
