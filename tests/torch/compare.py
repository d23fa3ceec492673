"""When a result of tapegrad agrees with PyTorch's.

NaN, infinities and, in values, the sign of zero are equal, and otherwise

    |ours - torch| <= r |torch| + 4 E + 4 eps S + tiny        r = 1e-9 in f64, 8 eps in f32

E is PyTorch's own error: that of its f32 result, measured with its f64 result from the same
operands, and scaled by the ratio of the eps. It tells how well conditioned the result is.
- Elementwise ops: E is the error of the element, or for gradients the largest relative error of the
  result, at most 2^-12 in f32. S is 0, or for gradients, whose terms may cancel, at most 1.
- Other ops: E is the largest error of the result, and S the largest magnitude among the result, the
  operands and the incoming gradients, since sums cancel.
tiny is 2^-120 in f32 and 2^-500 in f64: close to underflow PyTorch's own formulas lose all digits.
"""
import torch

EPS = {torch.float32: 2.0 ** -23, torch.float64: 2.0 ** -52}
TINY = {torch.float32: 2.0 ** -120, torch.float64: 2.0 ** -500}


def largest(tensors):
    """The largest finite magnitude."""
    return max((t.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs().max().item()
                for t in tensors if t.is_floating_point() and t.numel()), default=0.0)


def own_error(in_f32, in_f64, elementwise, is_value):
    """E in f32, for each element or for all."""
    error = (in_f32.double() - in_f64).abs().nan_to_num(nan=0.0, posinf=0.0)
    if not elementwise:
        return error.max()
    if is_value:
        return error
    relative = (error / in_f64.abs()).nan_to_num(nan=0.0, posinf=0.0).max().clamp_max(2.0 ** -12)
    return torch.maximum(error, relative * in_f64.abs().nan_to_num(nan=0.0, posinf=0.0))


def difference(ours, expected, in_f32=None, in_f64=None, scale=0.0, elementwise=False,
               is_value=True):
    """(error in units of eps, a text that says what differs or None).

    in_f32 and in_f64 are PyTorch's results for both dtypes; `expected` is one of them.
    """
    if ours.shape != expected.shape:
        return 0.0, f"shape {list(ours.shape)}, PyTorch {list(expected.shape)}"
    if ours.dtype != expected.dtype:
        return 0.0, f"{ours.dtype}, PyTorch {expected.dtype}"
    if ours.numel() == 0:
        return 0.0, None
    if torch.equal(ours, expected) and not is_value:
        return 0.0, None
    if not ours.is_floating_point():
        return 0.0, first_where(ours != expected, ours, expected)
    eps = EPS[ours.dtype]
    same = (ours == expected) | (ours.isnan() & expected.isnan())
    other_zero = torch.zeros_like(same)
    if is_value:
        other_zero = (ours == 0) & (expected == 0) & (ours.signbit() != expected.signbit())
    if bool((same & ~other_zero).all()):
        return 0.0, None
    a, b = ours.double(), expected.double()
    own = 0.0 if in_f32 is None else own_error(in_f32, in_f64, elementwise, is_value)
    allowed = (1e-9 if ours.dtype == torch.float64 else 8 * eps) * b.abs()
    allowed += 4 * (own * (eps / EPS[torch.float32]) + eps * scale) + TINY[ours.dtype]
    error = (a - b).abs()
    good = same | ((error <= allowed) & a.isfinite() & b.isfinite())
    size = b.abs() + scale + TINY[ours.dtype]
    worst = (error / size / eps).nan_to_num(nan=0.0, posinf=0.0).max().item()
    what = first_where(~good, ours, expected)
    sign = first_where(other_zero, ours, expected)
    return worst, what or (sign and "sign of zero: " + sign)


def first_where(wrong, ours, expected):
    if not bool(wrong.any()):
        return None
    place = tuple(wrong.nonzero()[0].tolist())
    count = int(wrong.sum())
    return (f"{ours[place].item()!r}, PyTorch {expected[place].item()!r} at {list(place)}"
            + (f", and {count - 1} more of {ours.numel()}" if count > 1 else ""))
