"""Compares vectors by the angle between them, safely at any length."""

from keras import ops

_NOTHING = 1e-8  # What is shorter than this has no direction.


def widened(*tensors):
    """Widens tensors to one precision that sums may be taken in.

    Args:
        *tensors: of any float dtypes.

    Returns:
        List of tensors, float64 if any was, else float32.
    """
    tensors = [ops.convert_to_tensor(x) for x in tensors]
    doubled = any(x.dtype == "float64" for x in tensors)
    return [ops.cast(x, "float64" if doubled else "float32") for x in tensors]


def unit(vectors):
    """Scales vectors to length 1.

    Args:
        vectors: (..., C) float32 or float64.

    Returns:
        (..., C) of that dtype. A vector shorter than 1e-8 becomes 0, and no
        gradient flows to it.
    """
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return ops.where(
        squares > _NOTHING**2,
        vectors * ops.rsqrt(ops.maximum(squares, _NOTHING**2)),
        ops.zeros_like(vectors),
    )


def cosines(one, other):
    """Compares every row with every row of another batch.

    Args:
        one: (B, C) float.
        other: (N, C) float.

    Returns:
        (B, N) float32 (float64 if either is) in [-1, 1]: cosines of the
        angles; 0 with a vector shorter than 1e-8.
    """
    one, other = widened(one, other)
    return ops.matmul(unit(one), ops.transpose(unit(other)))
