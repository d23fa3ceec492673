"""tapegrad from Python: ctypes on the shared library, tensors to and from PyTorch.

    import torch
    import tapegrad as tg

    with tg.step():
        x = tg.tensor(torch.randn(3, 4), requires_grad=True)
        y = tg.sum(tg.tanh(tg.mul_scalar(x, 2)))
        (dx,) = tg.grad(y, [x])              # or: tg.backward(y); x.grad
        print(tg.to_torch(dx))               # a copy, which outlives the step

Every `tg_NAME_at` that the headers declare is there as `tg.NAME`, with the same arguments; shapes
and dims are tuples, tensors `Tensor` or None. The prototypes are read from the headers. Functions
that fill an array in C return a list here. Misuse raises `Misuse` with the library's message, which
names the caller's line. TAPEGRAD names the library, if it is not build/libtapegrad.so.
"""
import ctypes
import os
import re
import sys
from contextlib import contextmanager

import torch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADERS = ("tensor/tensor.h", "tensor/random.h", "autograd/autograd.h", "autograd/ops.h")
MAX_DIMS = 8
DTYPES = (torch.float32, torch.float64, torch.int64)  # in the order of tg_dtype
SIZES = {torch.float32: 4, torch.float64: 8, torch.int64: 8}

_library = ctypes.CDLL(os.environ.get("TAPEGRAD", os.path.join(ROOT, "build/libtapegrad.so")))


class Misuse(Exception):
    """The library was called wrongly."""


# ---- the C types ---------------------------------------------------------------------------------


class Shape(ctypes.Structure):
    """tg_shape; where one is expected, a tuple will do."""
    _fields_ = [("ndim", ctypes.c_int), ("size", ctypes.c_int64 * MAX_DIMS)]

    @classmethod
    def from_param(cls, sizes):
        sizes = tuple(sizes)  # of too many dimensions ndim alone is passed, and refused
        return cls(len(sizes), (ctypes.c_int64 * MAX_DIMS)(*sizes[:MAX_DIMS]))


class _Fields(ctypes.Structure):  # the public ones of tg_tensor
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int),
                ("requires_grad", ctypes.c_bool), ("shape", Shape),
                ("stride", ctypes.c_int64 * MAX_DIMS), ("grad", ctypes.c_void_p),
                ("rows", ctypes.c_void_p)]


class Tensor:
    """A tensor of the library, which owns it: valid until its step ends."""
    __slots__ = ("address", "fields")

    def __init__(self, address):
        self.address, self.fields = address, _Fields.from_address(address)

    @classmethod
    def from_param(cls, tensor):
        return None if tensor is None else ctypes.c_void_p(tensor.address)

    shape = property(lambda self: tuple(self.fields.shape.size[:self.fields.shape.ndim]))
    stride = property(lambda self: tuple(self.fields.stride[:self.fields.shape.ndim]))
    dtype = property(lambda self: DTYPES[self.fields.dtype])
    requires_grad = property(lambda self: self.fields.requires_grad)
    grad = property(lambda self: _wrap(self.fields.grad))


class _Tensors:  # an array of tensors: of a list, or one for the function to fill
    @classmethod
    def from_param(cls, tensors):
        if isinstance(tensors, ctypes.Array):
            return tensors
        return (ctypes.c_void_p * len(tensors))(*[t.address for t in tensors])


class _GradOptions(ctypes.Structure):
    _fields_ = [("grad_output", ctypes.c_void_p), ("create_graph", ctypes.c_bool)]


class WindowOptions(ctypes.Structure):
    """stride, padding, dilation."""
    _fields_ = [(name, ctypes.c_int64) for name in ("stride", "padding", "dilation")] + [
        ("no_option", ctypes.c_void_p)]


class ConvOptions(ctypes.Structure):
    """stride, padding, dilation, groups."""
    _fields_ = [(name, ctypes.c_int64) for name in ("stride", "padding", "dilation", "groups")] + [
        ("no_option", ctypes.c_void_p)]


class _NoGradGuard(ctypes.Structure):
    _fields_ = [("before", ctypes.c_bool), ("once", ctypes.c_bool)]


class _Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 512)]


Hook = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)

_TYPES = {"void": None, "bool": ctypes.c_bool, "int": ctypes.c_int, "int64_t": ctypes.c_int64,
          "double": ctypes.c_double, "tg_dtype": ctypes.c_int, "tg_shape": Shape, "tg_hook": Hook,
          "tg_grad_options": _GradOptions, "tg_window_options": WindowOptions,
          "tg_conv_options": ConvOptions, "char*": ctypes.c_char_p, "void*": ctypes.c_void_p,
          "tg_tensor*": Tensor, "tg_tensor**": _Tensors}


def _prototypes():
    """name -> (result, parameters), of everything in the headers that takes the caller's place."""
    found = {}
    for header in HEADERS:
        with open(os.path.join(ROOT, header), encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
        for result, name, parameters in re.findall(
                r"^(\w+ \**)tg_(\w+)_at\(const char \*at,\s*([^)]*)\);", text, re.MULTILINE):
            types = [re.sub(r"\bconst\b|\s|\w+$", "", p) for p in parameters.split(",")]
            found[name] = (result.replace(" ", ""), types)
    with open(os.path.join(ROOT, "tensor/elementwise.def"), encoding="utf-8") as file:
        for kind, name in re.findall(r"^(UNARY|PERIODIC|BINARY)\((\w+)", file.read(), re.MULTILINE):
            found[name] = ("tg_tensor*", ["tg_tensor*"] * (2 if kind == "BINARY" else 1))
            if kind == "BINARY":
                found[name + "_scalar"] = ("tg_tensor*", ["tg_tensor*", "double"])
    return found


prototypes = _prototypes()

# ---- calls ---------------------------------------------------------------------------------------

_library.tg_last_error.restype = ctypes.POINTER(_Error)
_library.tg_no_grad_begin.restype = _NoGradGuard
_library.tg_set_misuse(1)  # TG_MISUSE_RETURN
_error = _library.tg_last_error().contents
_places = {}  # the tape points to these texts
_functions = {}
_hooks = {}  # by tensor: C calls them as long as it lives
_raised = []  # by hooks: an exception cannot pass through C


def _place():
    frame = sys._getframe(2)
    while frame.f_globals is globals():
        frame = frame.f_back
    key = (frame.f_code.co_filename, frame.f_lineno)
    if key not in _places:
        _places[key] = f"{os.path.basename(key[0])}:{key[1]}".encode()
    return _places[key]


def _wrap(address):
    return Tensor(address) if address else None


def _bind(name):
    result, parameters = prototypes[name]
    function = _library[f"tg_{name}_at"]
    function.argtypes = [ctypes.c_char_p] + [_TYPES[p] for p in parameters]
    gives_tensor = result == "tg_tensor*"
    function.restype = ctypes.c_void_p if gives_tensor else _TYPES[result]

    def call(*args):
        value = function(_place(), *args)
        if _raised:
            raise _raised.pop()
        if _error.status != 0:
            message = _error.message.decode(errors="replace")
            _library.tg_clear_error()
            raise Misuse(message)
        return _wrap(value) if gives_tensor else value
    return call


def _function(name):
    if name not in _functions:
        _functions[name] = _bind(name)
    return _functions[name]


def __getattr__(name):
    if name not in prototypes:
        raise AttributeError(f"no tg_{name}_at in {', '.join(HEADERS)}")
    return _function(name)


def used():
    """The names of those that were asked for."""
    return set(_functions)


# ---- steps, tensors, gradients -------------------------------------------------------------------


@contextmanager
def step():
    _library.tg_step_begin()
    try:
        yield
    finally:
        _library.tg_step_end()


@contextmanager
def no_grad():
    guard = _library.tg_no_grad_begin()
    try:
        yield
    finally:
        _library.tg_no_grad_end(ctypes.byref(guard))


def _filled(made, values, requires_grad):
    if values.numel():
        memory(made).copy_(values.detach())
    return _function("requires_grad")(made) if requires_grad else made


def tensor(values, requires_grad=False):
    """A tensor of the step with a torch tensor's elements, row-major."""
    made = _function("empty")(DTYPES.index(values.dtype), values.shape)
    return _filled(made, values, requires_grad)


def owned_tensor(values, requires_grad=False):
    """The same, but it lives until `free`."""
    made = _function("owned")(DTYPES.index(values.dtype), values.shape)
    return _filled(made, values, requires_grad)


def free(x):
    _library.tg_free(Tensor.from_param(x))


def memory(x):
    """The elements in place: a torch tensor that shares them."""
    if 0 in x.shape:
        return torch.empty(x.shape, dtype=x.dtype)
    extent = 1 + sum((size - 1) * stride for size, stride in zip(x.shape, x.stride))
    elements = (ctypes.c_char * (extent * SIZES[x.dtype])).from_address(x.fields.data)
    return torch.frombuffer(elements, dtype=x.dtype).as_strided(x.shape, x.stride)


def to_torch(x):
    """A copy as a torch tensor."""
    return memory(_function("to_dense")(x)).clone()


def cat(dim, tensors):
    return _function("cat")(dim, tensors, len(tensors))


def stack(dim, tensors):
    return _function("stack")(dim, tensors, len(tensors))


def split(x, dim, size):
    part = (ctypes.c_void_p * (1 + sum(x.shape)))()  # room for all that there can be
    count = _function("split")(x, dim, size, part, len(part))
    return [_wrap(address) for address in part[:count]]


def topk(x, k):
    index = (ctypes.c_void_p * 1)()
    return [_function("topk")(x, k, index), _wrap(index[0])]


def sort(x, dim, descending):
    index = (ctypes.c_void_p * 1)()
    return [_function("sort")(x, dim, descending, index), _wrap(index[0])]


def grad(output, inputs, grad_output=None, create_graph=False):
    """The gradient of the output with respect to each input, None where there is none."""
    dx = (ctypes.c_void_p * len(inputs))()
    g = grad_output.address if grad_output else None
    _function("grad")(output, inputs, len(inputs), dx, _GradOptions(g, create_graph))
    return [_wrap(address) for address in dx]


def register_hook(x, function):
    """function(g) sees the gradient of x, and gives another one or None."""
    def through(_, g):
        if _error.status != 0:  # the walk has failed already
            return None
        try:
            other = function(Tensor(g))
        except Exception as error:
            _raised.append(error)
            return None
        return other.address if other else None
    _hooks[x.address] = Hook(through)
    _function("register_hook")(x, _hooks[x.address], None)


def zero_grad(x):
    _library.tg_zero_grad_tensor(Tensor.from_param(x))
