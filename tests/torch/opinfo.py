#!/usr/bin/env python3
"""PyTorch's own test samples (OpInfo) as judge of tapegrad's ops.

    python3 tests/torch/opinfo.py                       all ops, in about a minute
    python3 tests/torch/opinfo.py OP [CASE [LAYOUT]]    one op, one of its samples; all failures

Every sample that tapegrad can express is run in f32 and f64, with operands that are contiguous,
transposed, with gaps and expanded; those of ops that move elements in i64 too. Values, gradients
and gradients of gradients (of operands and of the incoming gradient) are compared by the rule of
compare.py. Error samples must be misuse. Needs python3-torch and build/libtapegrad.so.
"""
import argparse
import ctypes
import inspect
import math
import multiprocessing
import os
import random
import re
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field

import numpy
import torch
from torch.testing._internal.common_methods_invocations import SampleInput, op_db

import calls
import compare
import tapegrad as tg
from calls import CALLS, NotExpressible

LAYOUTS = ("contiguous", "transposed", "gaps", "expanded")
NAMES = {torch.float32: "f32", torch.float64: "f64", torch.int64: "i64"}
PARTS = ("value", "d1", "d2")
SCALES = {"nn.functional.layer_norm": 1000.0,  # 1 / sqrt(eps) of them
          "nn.functional._scaled_dot_product_attention": 100.0}  # products of three operands
READS_STRIDES = ("view", "view_as")
LARGE = 20000  # elements; larger samples are run in one layout, and their first gradients only


def has_special(f):
    """Whether an operand holds 0, an infinity, NaN or what overflows when squared."""
    return any(bool(((t == 0) | ~t.isfinite() | (t.abs() > 1e19)).any())
               for t in floats(tensors_of(f.arguments)))


def has_shape(shape):
    return lambda f: any(t.shape == shape for t in tensors_of(f.arguments))


def only_sign_of_zero(f):
    return f.what.split(": ")[0].endswith("sign of zero")


# Where tapegrad differs on purpose: op, predicate of the failure, reason.
DIFFERENCES = (
    ("clamp_min", only_sign_of_zero, "of 0 and -0 PyTorch's vector code takes the other one"),
    ("clamp_max", only_sign_of_zero, "of 0 and -0 PyTorch's vector code takes the other one"),
    ("nn.functional.relu", only_sign_of_zero, "PyTorch's code leaves -0 as it is"),
    ("nn.functional.gelu", only_sign_of_zero, "PyTorch's f32 code makes 0 of -0"),
    ("nn.functional.softplus", lambda f: f.part in ("d1", "d2") and f.dtype == "f64",
     "PyTorch is linear beyond 20"),
    ("nn.functional.silu", lambda f: f.part == "d2" and f.dtype == "f64",
     "PyTorch's second derivative loses its digits far from 0"),
    ("nn.functional.huber_loss", lambda f: f.part == "d2" and f.case.startswith("own"),
     "the second derivative at the corner is that of the square, in PyTorch that of the line"),
    ("nn.functional.prelu", lambda f: f.part == "d2" and has_shape(())(f),
     "PyTorch's second gradient with a weight of no dimensions is wrong"),
    ("pow", lambda f: f.part == "d2" and has_special(f),
     "second derivatives at 0, NaN and infinity"),
    ("__rdiv__", lambda f: f.part == "d2" and has_special(f),
     "PyTorch multiplies by the reciprocal"),
    ("topk", lambda f: f.dtype == "i64" and f.what.startswith("[1]"),
     "equal elements: the first ones here, any in PyTorch"),
    ("sort", lambda f: f.layout == "expanded", "equal elements keep their order here"),
    ("std", lambda f: f.part == "d2" and f.layout == "expanded",
     "of equal elements the second derivative is NaN in PyTorch"),
    ("cat", has_shape((0,)), "an empty vector fits every shape in PyTorch"),
)


@dataclass
class Failure:
    op: str
    case: str
    dtype: str
    layout: str
    part: str
    what: str
    arguments: tuple

    def is_deliberate(self):
        return any(op == self.op and predicate(self) for op, predicate, _ in DIFFERENCES)

    def __str__(self):
        return (f"{self.op} {self.case} {self.layout}  {self.dtype} {self.part}: {self.what}\n"
                f"    {call_text(self.op, self.arguments)}")


@dataclass
class Row:
    samples: int = 0
    passed: int = 0
    differ: int = 0
    inexpressible: Counter = field(default_factory=Counter)
    worst: dict = field(default_factory=lambda: {(d, p): 0.0 for d in compare.EPS for p in PARTS})
    failures: list = field(default_factory=list)

    def failed(self):
        return self.samples - self.passed - self.differ - sum(self.inexpressible.values())


# ---- samples -------------------------------------------------------------------------------------


def tensors_of(x):
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, (list, tuple)):
        return [t for item in x for t in tensors_of(item)]
    return tensors_of(list(x.values())) if isinstance(x, dict) else []


def changed(x, f):
    """x, or what it contains, with f applied to every tensor, in order."""
    if isinstance(x, torch.Tensor):
        return f(x)
    if isinstance(x, (list, tuple)) and not isinstance(x, torch.Size):
        return type(x)(changed(item, f) for item in x)
    return {k: changed(v, f) for k, v in x.items()} if isinstance(x, dict) else x


def text_of(x):
    if isinstance(x, torch.Tensor):
        values = [float(f"{v:.6g}") if isinstance(v, float) else v for v in x.flatten().tolist()]
        dtype = NAMES.get(x.dtype, str(x.dtype)[6:])
        return f"{dtype}{list(x.shape)}({values if len(values) <= 8 else '...'})"
    if isinstance(x, (list, tuple)):
        return "(" + ", ".join(map(text_of, x)) + ",)"
    return repr(x)


def call_text(name, arguments):
    (first, *rest), options = arguments
    listed = [text_of(first)] + [text_of(x) for x in rest]
    return f"{name}({', '.join(listed + [f'{k}={text_of(v)}' for k, v in options.items()])})"


def expanded(t):
    """t with its first dimension of more than one element expanded from its first."""
    for dim, size in enumerate(t.shape):
        if size > 1:
            return t.narrow(dim, 0, 1).expand(t.shape)
    return t


def laid_out(t, layout):
    """t with other strides (in torch)."""
    if layout == "transposed":
        order = tuple(reversed(range(t.dim())))
        return t.permute(order).contiguous().permute(order)
    if layout == "gaps":
        return torch.stack((t, t), -1).select(-1, 0)
    return expanded(t) if layout == "expanded" else t.contiguous()


def ours_laid_out(t, layout):
    """The same in tapegrad, of a leaf."""
    wants = t.is_floating_point()
    if layout == "transposed" and t.dim() > 1:
        order = tuple(reversed(range(t.dim())))
        return tg.permute(tg.tensor(t.permute(order), wants), order)
    if layout == "gaps" and 0 < t.dim() < tg.MAX_DIMS:
        return tg.select(tg.tensor(torch.stack((t, t), -1), wants), -1, 0)
    if layout == "expanded":
        for dim, size in enumerate(t.shape):
            if size > 1:
                return tg.expand(tg.tensor(t.narrow(dim, 0, 1), wants), t.shape)
    return tg.tensor(t, wants)


# ---- what PyTorch says ---------------------------------------------------------------------------


@dataclass
class Results:
    value: list
    d1: list = None  # None: not differentiable
    d2: list = None
    g: list = field(default_factory=list)  # incoming gradients of the first,
    v: list = field(default_factory=list)  # and of the second
    scale: float = 0.0


def weights(tensors, generator):
    return [torch.rand(t.shape, generator=generator, dtype=torch.float64).add(0.5) for t in tensors]


def floats(tensors):
    return [t for t in tensors if t.is_floating_point()]


def torch_results(op, arguments, dtype, large):
    """Values, first and second gradients for operands cast to dtype."""
    leaves = []

    def leaf(t):
        t = t.detach().clone(memory_format=torch.contiguous_format)
        if t.is_floating_point():
            t = t.to(dtype).requires_grad_()
            leaves.append(t)
        return t
    positional, options = changed(arguments, leaf)
    out = op(*positional, **options)
    if out is NotImplemented:
        raise NotExpressible("not in PyTorch either")
    outputs = [out] if isinstance(out, torch.Tensor) else list(out)
    values = [t.detach().long() if t.dtype == torch.bool else t.detach() for t in outputs]
    wanted = [t for t in floats(outputs) if t.requires_grad]
    if not wanted or not leaves:
        return Results(values, scale=compare.largest(values + tensors_of(arguments)))
    generator = torch.Generator().manual_seed(1)
    g = [w.to(torch.float32).to(dtype).requires_grad_() for w in weights(wanted, generator)]
    try:
        d1 = torch.autograd.grad(wanted, leaves, g, create_graph=not large, allow_unused=True)
    except RuntimeError:
        raise NotExpressible("PyTorch's own gradient raises") from None
    d2, v = None, []
    if not large:
        v = [w.to(torch.float32).to(dtype) for w in weights(leaves, generator)]
        pairs = [(d, w) for d, w in zip(d1, v) if d is not None and d.requires_grad]
        try:
            d2 = torch.autograd.grad([d for d, _ in pairs], leaves + g, [w for _, w in pairs],
                                     allow_unused=True) if pairs else [None] * len(leaves + g)
        except RuntimeError:  # PyTorch has no second derivative
            d2 = None
    d1 = [t if t is None else t.detach() for t in d1]
    return Results(values, d1, d2, g, v, compare.largest(values + tensors_of(arguments) + g + v))


# ---- what tapegrad says --------------------------------------------------------------------------


def check_operands(name, arguments):
    if any(t.dim() > tg.MAX_DIMS for t in tensors_of(arguments)):
        raise NotExpressible(f"more than {tg.MAX_DIMS} dimensions")
    kinds = {t.dtype for t in tensors_of(arguments)}
    for kind in kinds - set(tg.DTYPES) - ({torch.bool} if name in ("where", "masked_fill") else set()):
        raise NotExpressible(f"{str(kind)[6:]} operand")
    integers = {torch.int64, torch.bool} if name in calls.WITH_INDEX else set()
    if len(kinds - integers) > 1:
        raise NotExpressible("operands of two dtypes")


def our_tensors(arguments, dtype, layout):
    """The arguments with tensors of ours, floating ones of dtype; and those tensors."""
    made = []

    def make(t):
        t = t.to(dtype or t.dtype) if t.is_floating_point() else t.long()
        made.append(ours_laid_out(t, layout))
        return made[-1]
    return changed(arguments, make), made


def operation(info):
    """PyTorch's function; of attention the result without its weights."""
    if info.name not in calls.FIRST_RESULT:
        return info.op
    return lambda *positional, **options: info.op(*positional, **options)[0]


def our_call(name, arguments):
    positional, options = arguments
    function = CALLS[name]
    try:
        inspect.signature(function).bind(*positional, **options)
    except TypeError as error:
        raise NotExpressible(str(error)) from None
    try:
        out = function(*positional, **options)
    except ctypes.ArgumentError:
        raise NotExpressible("argument of another type") from None
    return out if isinstance(out, list) else [out]


def total(terms):
    result = terms[0]
    for term in terms[1:]:
        result = tg.add(result, term)
    return result


def dotted(tensors, by):
    return total([tg.sum(tg.mul(t, w)) for t, w in zip(tensors, by)])


def our_results(outputs, made, expected):
    g, v = expected.g, expected.v
    values = [tg.to_torch(t) for t in outputs]
    leaves = [t for t in made if t.dtype != torch.int64]
    wanted = [t for t in outputs if t.dtype != torch.int64 and t.requires_grad]
    if not g or not wanted:
        return Results(values, None if not wanted else [])
    cotangents = [tg.tensor(t, True) for t in g]
    if len(wanted) == 1:
        d1 = tg.grad(wanted[0], leaves, cotangents[0], create_graph=bool(v))
    else:
        d1 = tg.grad(dotted(wanted, cotangents), leaves, create_graph=bool(v))
    results = Results(values, [t if t is None else tg.to_torch(t) for t in d1])
    if v:
        pairs = [(d, tg.tensor(w)) for d, w in zip(d1, v) if d is not None and d.requires_grad]
        d2 = [None] * (len(leaves) + len(g))
        if pairs:
            d2 = tg.grad(dotted(*zip(*pairs)), leaves + cotangents)
        results.d2 = [t if t is None else tg.to_torch(t) for t in d2]
    return results


# ---- the comparison ------------------------------------------------------------------------------


def differences(ours, expected, results, scale, elementwise):
    """Yields (part, error, what): `what` is None where the two agree."""
    for part in PARTS:
        a, b = getattr(ours, part), getattr(expected, part)
        if part == "d1" and (a is None) != (b is None):
            yield part, 0.0, f"requires_grad {a is not None}, PyTorch {b is not None}"
            return
        if a is None or b is None:
            continue
        if len(a) != len(b):
            yield part, 0.0, f"{len(a)} results, PyTorch {len(b)}"
            return
        for i, (x, y) in enumerate(zip(a, b)):
            if x is None and y is None:
                continue
            x = torch.zeros_like(y) if x is None else x  # no gradient is a gradient of zeros
            y = torch.zeros_like(x) if y is None else y
            own = [getattr(results[d], part)[i] for d in compare.EPS] if results else []
            if any(t is None for t in own):
                own = []
            size = scale if not elementwise else 0.0 if part == "value" else min(scale, 1.0)
            error, what = compare.difference(x, y, *own, scale=size, elementwise=elementwise,
                                             is_value=part == "value")
            yield part, error, what and f"[{i}] {what}"


def outcomes(name, op, arguments, layout, results):
    """Yields (dtype, part, error, what) of one sample in one layout."""
    if name in READS_STRIDES and torch_raises(op, arguments, layout):
        what = not_misuse(name, arguments, next(iter(results)), layout)
        yield next(iter(results)), "value", 0.0, what
        return
    elementwise = name in calls.ELEMENTWISE
    for dtype, expected in results.items():
        scale = SCALES.get(name, 1.0) * expected.scale
        with tg.step():
            operands, made = our_tensors(arguments, dtype, layout)
            try:
                ours = our_results(our_call(name, operands), made, expected)
            except tg.Misuse as error:
                yield dtype, "call", 0.0, f"misuse: {error}"
                continue
        for part, error, what in differences(ours, expected, results if dtype in compare.EPS
                                             else None, scale, elementwise):
            yield dtype, part, error, what


def torch_raises(op, arguments, layout):
    try:
        positional, options = changed(arguments, lambda t: laid_out(t, layout))
        op(*positional, **options)
        return False
    except RuntimeError:
        return True


def not_misuse(name, arguments, dtype, layout):
    """None where the call is misuse, as it should be."""
    with tg.step():
        try:
            operands, _ = our_tensors(arguments, dtype, layout)
            outputs = our_call(name, operands)
        except tg.Misuse:
            return None
        return f"gives {[list(t.shape) for t in outputs]}, PyTorch raises"


def layouts_of(arguments, only):
    """(layout, arguments, whether PyTorch's results are other ones)."""
    tensors = tensors_of(arguments)
    for layout in LAYOUTS:
        given = changed(arguments, expanded) if layout == "expanded" else arguments
        same = layout == "expanded" and all(
            a is b for a, b in zip(tensors, tensors_of(given)))
        is_large = any(t.numel() > LARGE for t in tensors)
        if not same and not (is_large and layout != "contiguous") and only in (None, layout):
            yield layout, given


def run_sample(row, name, op, case, arguments, only):
    failures, results = [], None
    tensors = tensors_of(arguments)
    large = any(t.numel() > LARGE for t in tensors)
    check_operands(name, arguments)
    not_misuse(name, arguments, torch.float64, "contiguous")  # raises NotExpressible
    for layout, given in layouts_of(arguments, only):
        if results is None or layout == "expanded":
            dtypes = compare.EPS if floats(tensors) else (torch.int64,)
            results = {dtype: torch_results(op, given, dtype, large) for dtype in dtypes}
        for dtype, part, error, what in outcomes(name, op, given, layout, results):
            if dtype in compare.EPS and part in PARTS:
                row.worst[dtype, part] = max(row.worst[dtype, part], error)
            if what:
                failures.append(Failure(name, case, NAMES[dtype], layout, part, what,
                                        given))
    return failures


def run_error(name, case, error, arguments):
    for t in tensors_of(arguments):
        if t.dtype not in tg.DTYPES:
            raise NotExpressible(f"{str(t.dtype)[6:]} operand")
    if name in calls.ELEMENTWISE and any(map(calls.is_number, arguments[0])):
        raise NotExpressible("a number, which here every op of two takes")
    what = not_misuse(name, arguments, None, "contiguous")
    if not what:
        return []
    return [Failure(name, case, "f64", "contiguous", "error", f"{what}: {error.error_regex}",
                    arguments)]


def own_samples(name):
    """Samples of calls that PyTorch's lack."""
    x = torch.tensor([-3.0, -1.0, -0.0, 0.0, 0.25, 1.0, 2.0, 25.0, math.inf, -math.inf, math.nan])
    return {
        "clamp": [SampleInput(x, args=bounds) for bounds in ((-1.0, 1.0), (None, 1.0), (0.0, None),
                                                             (1.0, -1.0))],
        "nn.functional.softplus": [SampleInput(x), SampleInput(torch.linspace(-30, 30, 100))],
        "nn.functional.gelu": [SampleInput(x), SampleInput(torch.linspace(-4, 4, 100))],
        "nn.functional.silu": [SampleInput(torch.linspace(-30, 30, 100))],
        "nn.functional.leaky_relu": [SampleInput(x), SampleInput(x, kwargs={"negative_slope": -2})],
        "nn.functional.conv2d": [  # columns in several blocks, and short rows
            SampleInput(torch.rand(2, 12, 40, 40), args=(torch.rand(4, 12, 3, 3), torch.rand(4)),
                        kwargs={"padding": 1}),
            SampleInput(torch.rand(1, 4, 9, 17), args=(torch.rand(6, 2, 2, 3), torch.rand(6)),
                        kwargs={"stride": 2, "dilation": 2, "groups": 2})],
        "nn.functional.max_pool2d": [
            SampleInput(torch.stack((x[:9].view(3, 3), x[2:].view(3, 3))).repeat(1, 1, 5)[None],
                        args=(2,), kwargs={"stride": stride, "padding": padding})
            for stride in (1, 2, 3) for padding in (0, 1)],
        "argmax": [SampleInput(x.expand(2, 11), args=(-1,))],
        "amax": [SampleInput(torch.tensor([[1.0, 2.0, 2.0]]), args=(1,))],
        "nn.functional.pad": [SampleInput(torch.rand(2, 3), args=((1, 2),))],
        "nn.functional.huber_loss": [SampleInput(x[:8], args=(torch.zeros(8),))],
        "nn.functional.cross_entropy": [SampleInput(torch.rand(4, 3), args=(
            torch.tensor([2, 0, 0, 1]),))],
    }.get(name, [])


def cases_of(info, name):
    """Yields (case, sample, error): error is None but for the samples that PyTorch refuses."""
    make = info.reference_inputs if info.reference_inputs_func else info.sample_inputs
    for dtype in (torch.float32, torch.int64) if name in calls.INTEGER else (torch.float32,):
        if dtype in info.dtypes:
            for i, sample in enumerate(make("cpu", dtype, requires_grad=False)):
                yield f"{NAMES[dtype]}.{i}", sample, None
    for i, sample in enumerate(own_samples(name)):
        yield f"own.{i}", sample, None
    for i, error in enumerate(info.error_inputs("cpu") if info.error_inputs_func else ()):
        yield f"error.{i}", error.sample_input, error


def run_op(job):
    """A row, and the functions of tapegrad that were called for it."""
    i, name, only_case, only_layout = job
    info, row = op_db[i], Row()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    numpy.random.seed(0)
    for case, sample, error in cases_of(info, name):
        case = f"{info.variant_test_name}.{case}".lstrip(".")
        if only_case and case != only_case:
            continue
        arguments = ([sample.input, *sample.args], sample.kwargs)
        row.samples += 1
        try:
            if error:
                failures = run_error(name, case, error, arguments)
            else:
                failures = run_sample(row, name, operation(info), case, arguments, only_layout)
        except NotExpressible as reason:
            row.inexpressible[str(reason)] += 1
            continue
        new = [f for f in failures if not f.is_deliberate()]
        row.failures += map(str, new)
        row.differ += bool(failures) and not new
        row.passed += not failures
    return row, tg.used()


# ---- the report ----------------------------------------------------------------------------------

HEAD = (f"{'':28} samples passed failed differ   n/e   worst error in eps: f64 values, d1, d2; "
        "f32 values, d1, d2")


def line(name, row):
    errors = " ".join(f"{row.worst[d, p]:7.2g}" for d in reversed(compare.EPS) for p in PARTS)
    return (f"{name.replace('nn.functional.', 'F.'):28} {row.samples:7} {row.passed:6} "
            f"{row.failed():6} {row.differ:6} {sum(row.inexpressible.values()):5} {errors}")


def summed(rows):
    total_row = Row()
    for row in rows:
        total_row.samples += row.samples
        total_row.passed += row.passed
        total_row.differ += row.differ
        total_row.inexpressible += row.inexpressible
        total_row.failures += row.failures
        for key, error in row.worst.items():
            total_row.worst[key] = max(total_row.worst[key], error)
    return total_row


def uncalled(used):
    """Ops of the headers that nothing here has called."""
    with open(os.path.join(tg.ROOT, "autograd/ops.h"), encoding="utf-8") as file:
        declared = set(re.findall(r"^tg_tensor \*tg_(\w+)_at\(", file.read(), re.MULTILINE))
    return sorted(declared - used - set(calls.NOT_IN_PYTORCH))


def report(rows, most):
    """The table, then why samples are not expressible, and at most so many failures of each op."""
    everything = summed(rows.values())
    print(HEAD)
    for name, row in rows.items():
        print(line(name, row))
    print(line("total", everything))
    print("\nnot expressible:")
    for reason, count in everything.inexpressible.most_common():
        print(f"{count:6}  {reason}")
    print("\ndiffer on purpose:")
    for op, _, reason in DIFFERENCES:
        print(f"        {op}: {reason}")
    for name, row in rows.items():
        if row.failures:
            print(f"\n{name}: {row.failed()} samples fail; python3 tests/torch/opinfo.py {name}")
            print("\n".join(f"  {failure}" for failure in row.failures[:most]))
    print(f"\n{everything.passed} passed, {everything.failed()} failed, "
          f"{everything.differ} differ on purpose, "
          f"{sum(everything.inexpressible.values())} not expressible")
    return everything.failed() == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("op", nargs="?", help="an OpInfo name, such as gather")
    parser.add_argument("case", nargs="?", help="a sample, such as f32.3 or error.0")
    parser.add_argument("layout", nargs="?", choices=LAYOUTS)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    jobs, rows, used = [], {}, set()
    for i, info in enumerate(op_db):
        name = f"{info.name}.{info.variant_test_name}"
        name = name if name in CALLS else info.name
        if name in CALLS and args.op in (None, name):
            jobs.append((i, name, args.case, args.layout))
    with multiprocessing.Pool() as pool:
        for (_, name, *_), (row, called) in zip(jobs, pool.imap(run_op, jobs)):
            rows[name] = summed([rows[name], row]) if name in rows else row
            used |= called
    good = report(rows, None if args.op else 3)
    if not args.op and uncalled(used):
        print(f"no sample calls {', '.join(uncalled(used))}")
        good = False
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
