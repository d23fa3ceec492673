"""PyTorch's ops by their OpInfo names, and the call of tapegrad that computes the same.

Each function here takes the arguments of PyTorch's, with tapegrad's tensors for torch's. An
argument that it does not have, or a value refused by `need`, makes a sample not expressible.
"""
import torch

import tapegrad as tg


I64 = tg.DTYPES[2]


class NotExpressible(Exception):
    """tapegrad has no such call; the message says what is missing."""


def need(condition, what):
    if not condition:
        raise NotExpressible(what)


def is_number(x):
    return isinstance(x, (int, float, complex))


def all_dims(x):
    return tuple(range(len(x.shape)))


# ---- elementwise ---------------------------------------------------------------------------------


def unary(name):
    return lambda input: getattr(tg, name)(input)


def tensor_of(x, like):
    """x, or a scalar of it where it is a number."""
    if not is_number(x):
        return x
    need(like.dtype != I64 or float(x).is_integer(), "i64 and a fraction")
    return tg.full(tg.DTYPES.index(like.dtype), x, ())


def two(name, a, b):
    need(not isinstance(a, complex) and not isinstance(b, complex), "complex number")
    need(not is_number(a) or not is_number(b), "two numbers")
    if is_number(b) and name + "_scalar" in tg.prototypes:
        return getattr(tg, name + "_scalar")(a, b)
    return getattr(tg, name)(tensor_of(a, b), tensor_of(b, a))


def binary(name):
    def call(input, other):
        need(not is_number(input), "number first")
        return two(name, input, other)
    return call


def reflected(name):
    return lambda input, other: two(name, other, input)


def rpow(input, other):
    need(is_number(other), "gradient of the base, which PyTorch drops")
    return two("pow", other, input)


def binary_alpha(name):
    def call(input, other, alpha=1):
        need(alpha == 1, "alpha")
        return two(name, input, other)
    return call


def rsub(input, other, alpha=1):
    need(alpha == 1, "alpha")
    return two("sub", other, input)


def div(input, other, rounding_mode=None):
    need(rounding_mode is None, "rounding_mode")
    return two("div", input, other)


def relu(input, inplace=False):
    need(not inplace, "inplace")
    return tg.relu(input)


def silu(input, inplace=False):
    need(not inplace, "inplace")
    return tg.silu(input)


def gelu(input, approximate="none"):
    need(approximate == "none", "approximate")
    return tg.gelu(input)


def softplus(input, beta=1, threshold=20):
    need(beta == 1 and threshold == 20, "beta, threshold")
    return tg.softplus(input)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    need(not inplace, "inplace")
    return tg.leaky_relu_scalar(input, negative_slope)


def prelu(input, weight):
    dims = len(input.shape)
    need(dims > 0 and len(weight.shape) < 2, "other dimensions")
    if dims > 1 and weight.shape != (1,):
        weight = tg.reshape(weight, (-1,) + (1,) * (dims - 2))
    return tg.leaky_relu(input, weight)


def clamp(input, min=None, max=None):
    need(min is not None or max is not None, "no bound")
    if min is None:
        return two("clamp_max", input, max)
    if max is None:
        return two("clamp_min", input, min)
    need(is_number(min) and is_number(max), "two bounds that are tensors")
    return tg.clamp(input, min, max)


# ---- products, lookup ----------------------------------------------------------------------------


def matmul(input, other):
    need(len(input.shape) >= 1 and len(other.shape) >= 1, "operand of no dimensions")
    return tg.matmul(input, other)


def matrices(dims):
    """mm and bmm: matmul that does not broadcast."""
    def call(input, mat2):
        need(len(input.shape) == len(mat2.shape) == dims, "other dimensions")
        need(input.shape[:-2] == mat2.shape[:-2], "batches that differ")
        return tg.matmul(input, mat2)
    return call


def one(x, default=None):
    """The number that holds for both directions."""
    x = default if x is None or x == () else x
    need(not isinstance(x, str), "padding by name")
    sizes = {x} if is_number(x) else set(x)
    need(len(sizes) == 1, "options that differ by direction")
    return sizes.pop()


def both(x):
    return (x, x) if is_number(x) else tuple(x) * (3 - len(x))


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    need(len(input.shape) == 4, "a single image")
    return tg.conv2d(input, weight, bias, tg.ConvOptions(one(stride), one(padding), one(dilation),
                                                         groups))


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
               return_indices=False):
    need(len(input.shape) == 4, "a single image")
    need(not ceil_mode, "ceil_mode")
    need(not return_indices, "return_indices")
    kernel = one(kernel_size)
    return tg.max_pool2d(input, kernel, tg.WindowOptions(one(stride, kernel), one(padding),
                                                         one(dilation)))


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    need(len(input.shape) == 4, "a single image")
    return tg.unfold(input, *both(kernel_size),
                     tg.WindowOptions(one(stride), one(padding), one(dilation)))


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    need(len(input.shape) == 3, "a single image")
    return tg.fold(input, *both(output_size), *both(kernel_size),
                   tg.WindowOptions(one(stride), one(padding), one(dilation)))


def embedding(weight, input, padding_idx=None, max_norm=None, norm_type=2.0,
              scale_grad_by_freq=False, sparse=False):
    need(padding_idx is None, "padding_idx")
    need(max_norm is None, "max_norm")
    need(not scale_grad_by_freq, "scale_grad_by_freq")
    need(not sparse, "sparse")
    return tg.embedding(weight, input)


def embedding_bag(weight, input, offsets=None, mode="mean", per_sample_weights=None,
                  padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
                  sparse=False, include_last_offset=False):
    need(offsets is None, "offsets")
    need(mode in ("sum", "mean"), "mode")
    need(per_sample_weights is None, "per_sample_weights")
    need(padding_idx is None, "padding_idx")
    need(max_norm is None, "max_norm")
    need(not scale_grad_by_freq, "scale_grad_by_freq")
    need(not sparse, "sparse")
    return tg.embedding_bag(weight, input, mode == "mean")


def gather(input, dim, index, sparse_grad=False):
    need(not sparse_grad, "sparse_grad")
    return tg.gather(input, dim, index)


# ---- shapes --------------------------------------------------------------------------------------


def sizes(shape):
    return tuple(shape[0]) if len(shape) == 1 and not is_number(shape[0]) else shape


def where(input, condition, other):
    need(not is_number(input) and not is_number(other), "number")
    need(input.dtype == other.dtype, "operands of two dtypes")
    return tg.where(condition, input, other)


def contiguous(input, memory_format=torch.contiguous_format):
    need(memory_format == torch.contiguous_format, "memory_format")
    return tg.contiguous(input)


def squeeze(input, dim=None):
    need(dim is not None, "no dim")
    return tg.squeeze(input, dim)


def split(input, split_size_or_sections, dim=0):
    need(is_number(split_size_or_sections), "list of sizes")
    return tg.split(input, dim, split_size_or_sections)


def constant_pad(input, pad, value=0):
    need(value == 0, "value")
    need(all(amount >= 0 for amount in pad), "negative padding")
    pairs = [(i // 2, pad[i], pad[i + 1]) for i in range(0, len(pad), 2) if pad[i] or pad[i + 1]]
    need(len(pad) % 2 == 0 and len(pad) <= 2 * len(input.shape), "other dimensions")
    for i, before, after in pairs:
        input = tg.pad(input, -1 - i, before, before + input.shape[-1 - i] + after)
    return input


def pad(input, pad, mode="constant", value=None):
    need(mode == "constant", "mode")
    return constant_pad(input, pad, value or 0)


def cat(tensors, dim=0):
    return tg.cat(dim, tensors)


def expand(input, *shape):
    return tg.expand(input, sizes(shape))


def masked_fill(input, mask, value):
    need(is_number(value) and not isinstance(value, complex), "value that is a tensor")
    need(input.dtype != I64 or float(value).is_integer(), "i64 and a fraction")
    return tg.masked_fill(input, mask, value)


def integers(name):
    def call(input, other):
        need(not is_number(input) and input.dtype == I64, "f32 or f64")
        return two(name, input, other)
    return call


# ---- reductions, normalisation -------------------------------------------------------------------


def reduction(whole, name):
    """Over all elements (by `whole`, where there is such an op), or over some dimensions."""
    def call(input, dim=None, keepdim=False):
        dims = (dim,) if is_number(dim) else tuple(dim or all_dims(input))
        if not dims or (whole and dim is None and not keepdim):
            need(whole, "all of no dimensions")
            return getattr(tg, whole)(input)
        return getattr(tg, name)(input, keepdim, dims)
    return call


def spread(name):
    def call(input, dim=None, unbiased=None, keepdim=False, correction=None):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        need(unbiased is not False and correction in (None, 1), "correction")
        need(len(input.shape) > 0, "all of no dimensions")
        dims = (dim,) if is_number(dim) else tuple(dim or all_dims(input))
        return getattr(tg, name)(input, keepdim, dims)
    return call


def norm(input, ord=2, dim=None, keepdim=False, dtype=None):
    need(ord == 2 and dtype is None, "ord, dtype")
    need(len(input.shape) > 0, "all of no dimensions")
    dims = (dim,) if is_number(dim) else tuple(dim or all_dims(input))
    return tg.norm(input, keepdim, dims)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    need(p == 2 and is_number(dim) and out is None, "p, dim")
    return tg.normalize(input, dim, eps)


def over(name):
    def call(input, dim, dtype=None):
        need(dtype is None, "dtype")
        return getattr(tg, name)(input, dim)
    return call


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    need(len(normalized_shape) == 1, "several dimensions")
    return tg.layer_norm(input, weight, bias, eps)


def argmax(input, dim=None, keepdim=False):
    need(dim is not None, "no dim")
    return tg.argmax(input, dim, keepdim)


def topk(input, k, dim=-1, largest=True, sorted=True):
    need(largest, "largest")
    need(dim in (-1, len(input.shape) - 1), "dim")
    return tg.topk(input, k)


def dropout(input, p=0.5, training=True, inplace=False):
    need(not inplace, "inplace")
    need(p in (0, 1) or not training, "random result")
    return tg.dropout(input, p, training)


def attention(query, key, value, attn_mask=None, dropout_p=0.0, need_attn_weights=True,
              is_causal=False):
    need(not need_attn_weights, "attention weights")
    need(dropout_p == 0, "random result")
    return tg.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal)


# ---- losses --------------------------------------------------------------------------------------


def reduced(reduction, mean, each):
    need(reduction in ("mean", "sum", "none"), "reduction")
    if reduction == "mean":
        return mean()
    return each() if reduction == "none" else tg.sum(each())


def mse_loss(input, target, reduction="mean"):
    return reduced(reduction, lambda: tg.mse_loss(input, target),
                   lambda: tg.squared_error(input, target))


def l1_loss(input, target, reduction="mean"):
    return reduced(reduction, lambda: tg.l1_loss(input, target),
                   lambda: tg.abs(tg.sub(input, target)))


def huber_loss(input, target, reduction="mean", delta=1.0):
    return reduced(reduction, lambda: tg.huber_loss(input, target, delta),
                   lambda: tg.huber_scalar(tg.sub(input, target), delta))


def bce_with_logits(input, target, weight=None, pos_weight=None, reduction="mean"):
    need(weight is None, "weight")
    need(pos_weight is None, "pos_weight")
    return reduced(reduction, lambda: tg.bce_with_logits_loss(input, target),
                   lambda: tg.logit_cross_entropy(input, target))


def cross_entropy(input, target, weight=None, ignore_index=-100, reduction="mean",
                  label_smoothing=0.0):
    need(weight is None, "weight")
    need(ignore_index == -100, "ignore_index")
    need(reduction == "mean", "reduction")
    need(label_smoothing == 0, "label_smoothing")
    need(len(input.shape) == 2 and target.dtype == I64, "other dimensions or dtype")
    return tg.cross_entropy(input, target)


# ---- the table -----------------------------------------------------------------------------------

ELEMENTWISE = {
    **{name: unary(name) for name in ("abs", "neg", "square", "sqrt", "sign", "round", "floor",
                                      "ceil", "sin", "cos", "exp", "expm1", "log", "log1p",
                                      "sigmoid", "tanh")},
    "nn.functional.logsigmoid": unary("logsigmoid"),
    **{name: binary(name) for name in ("mul", "pow", "minimum", "maximum", "clamp_min",
                                       "clamp_max")},
    "add": binary_alpha("add"), "sub": binary_alpha("sub"), "rsub": rsub, "div": div,
    "true_divide": binary("div"), "max.binary": binary("maximum"),
    "min.binary": binary("minimum"), "__radd__": reflected("add"), "__rsub__": reflected("sub"),
    "__rmul__": reflected("mul"), "__rdiv__": reflected("div"), "__rpow__": rpow,
    "nn.functional.relu": relu, "nn.functional.silu": silu, "nn.functional.gelu": gelu,
    "nn.functional.softplus": softplus, "nn.functional.leaky_relu": leaky_relu,
    "nn.functional.prelu": prelu, "clamp": clamp,
}

# They move elements, or compare them: i64 is welcome too.
ANY_DTYPE = {
    **{name: binary(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "logical_and": lambda input, other: tg.logical_and(input, other),
    "logical_or": lambda input, other: tg.logical_or(input, other),
    "logical_not": unary("logical_not"),
    "where": where, "masked_fill": masked_fill,
    "tril": lambda input, diagonal=0: tg.tril(input, diagonal),
    "triu": lambda input, diagonal=0: tg.triu(input, diagonal),
    "cumsum": over("cumsum"),
    "sort": lambda input, dim=-1, descending=False, stable=False: tg.sort(input, dim, descending),
    "gather": gather,
    "index_select": lambda input, dim, index: tg.index_select(input, dim, index),
    "view": lambda input, *shape: tg.view(input, sizes(shape)),
    "view_as": lambda input, other: tg.view(input, other.shape),
    "reshape": lambda input, *shape: tg.reshape(input, sizes(shape)),
    "reshape_as": lambda input, other: tg.reshape(input, other.shape),
    "transpose": lambda input, dim0, dim1: tg.transpose(input, dim0, dim1),
    "t": lambda input: tg.t(input),
    "permute": lambda input, *dims: tg.permute(input, sizes(dims)),
    "squeeze": squeeze,
    "unsqueeze": lambda input, dim: tg.unsqueeze(input, dim),
    "select": lambda input, dim, index: tg.select(input, dim, index),
    "split": split,
    "narrow": lambda input, dim, start, length: tg.narrow(input, dim, start, length),
    "expand": expand, "broadcast_to": expand,
    "expand_as": lambda input, other: tg.expand(input, other.shape),
    "contiguous": contiguous,
    "cat": cat,
    "stack": lambda tensors, dim=0: tg.stack(dim, tensors),
    "nn.functional.pad": pad, "constant_pad_nd": constant_pad,
    "argmax": argmax, "topk": topk,
}

OTHERS = {
    "matmul": matmul, "__rmatmul__": lambda input, other: matmul(other, input),
    "mm": matrices(2), "bmm": matrices(3),
    "nn.functional.linear": lambda input, weight, bias=None: tg.linear(input, weight, bias),
    "nn.functional.conv2d": conv2d, "nn.functional.max_pool2d": max_pool2d,
    "nn.functional.unfold": unfold, "nn.functional.fold": fold,
    "nn.functional.embedding": embedding, "nn.functional.embedding_bag": embedding_bag,
    "floor_divide": integers("floor_divide"), "remainder": integers("remainder"),
    "scatter_add": lambda input, dim, index, src: tg.scatter_add(input, dim, index, src),
    "sum_to_size": lambda input, *shape: tg.sum_to(input, sizes(shape)),
    "sum": reduction("sum", "sum_dim"), "mean": reduction("mean", "mean_dim"),
    "amax": reduction(None, "max_dim"), "amin": reduction(None, "min_dim"),
    "logsumexp": reduction(None, "logsumexp"),
    "var": spread("var_dim"), "std": spread("std_dim"), "linalg.vector_norm": norm,
    "nn.functional.normalize": normalize,
    "softmax": over("softmax"), "log_softmax": over("log_softmax"),
    "nn.functional._scaled_dot_product_attention": attention,
    "nn.functional.layer_norm": layer_norm, "nn.functional.dropout": dropout,
    "nn.functional.mse_loss": mse_loss, "nn.functional.l1_loss": l1_loss,
    "nn.functional.huber_loss": huber_loss,
    "nn.functional.binary_cross_entropy_with_logits": bce_with_logits,
    "nn.functional.cross_entropy": cross_entropy,
}

# Of the others, those that i64 has as well.
INTEGER = ANY_DTYPE.keys() | {
    "abs", "neg", "square", "add", "sub", "rsub", "mul", "__radd__", "__rsub__", "__rmul__",
    "minimum", "maximum", "max.binary", "min.binary", "clamp_min", "clamp_max",
    "nn.functional.relu", "sum", "floor_divide", "remainder"}

CALLS = {**ELEMENTWISE, **ANY_DTYPE, **OTHERS}
WITH_INDEX = {"where", "masked_fill", "gather", "index_select", "nn.functional.embedding",
              "nn.functional.embedding_bag", "scatter_add", "nn.functional.cross_entropy"}

FIRST_RESULT = {"nn.functional._scaled_dot_product_attention"}  # is what ours gives

# What the headers declare and no sample of PyTorch can call.
NOT_IN_PYTORCH = {
    "sparse_mm": "sparse operands; see programs.py", "sampled_mm": "sparse operands",
    "fold": "unfold's gradient; see programs.py",
    "scatter_rows": "embedding's gradient", "to_dense": "row-sparse gradients",
    "cast": "another dtype; tests/test_integers.c", "one_hot": "of indices; tests/test_integers.c",
    "multinomial": "random",
    "bpr_loss": "sub and softplus", "add_scaled": "in place",
}
