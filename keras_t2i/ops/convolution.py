"""Convolves, the deep layers by a way that is faster on processors.

A kernel of a thousand channels upon a map of 4x4 is a large matrix that a few
rows meet. Libraries made for large maps lay such a kernel out anew at each
call; a product of matrices takes it as it is.
"""

import numpy as np
from keras import ops


def convolve(inputs, kernel, strides=1, padding="same"):
    """Slides a kernel over maps.

    Many channels upon a small map of known size are convolved as a product
    of matrices: up to four times as fast at 4x4, forward and backward, and
    equal to rounding.

    Args:
        inputs: (B, H, W, C) float.
        kernel: (h, w, C, F) of the same dtype.
        strides: int. Steps between windows.
        padding: "same", as TensorFlow pads, or "valid".

    Returns:
        (B, H', W', F) of that dtype.
    """
    if is_small(inputs.shape, kernel.shape):
        return _multiply(inputs, kernel, strides, padding)
    return ops.conv(
        inputs, kernel, strides, padding, data_format="channels_last"
    )


def is_small(shape, kernel_shape):
    """Tells whether a product of matrices is the faster way.

    Measured: windows are copied by a product, too, which must stay a small
    part of the work, and thin kernels gain nothing.

    Args:
        shape: (B, H, W, C) of the map; what isn't known is None.
        kernel_shape: (h, w, C, F).

    Returns:
        bool.
    """
    _, height, width, channels = shape
    if height is None or width is None:
        return False
    return channels >= 256 and 4 * height * width <= kernel_shape[-1]


def _multiply(inputs, kernel, strides, padding):
    _, height, width, channels = inputs.shape
    *sizes, _, filters = kernel.shape
    down, across = (
        _windows(length, size, strides, padding)
        for length, size in zip((height, width), sizes, strict=True)
    )
    # Which pixel (h, w) each place (k, l) of each window (i, j) holds.
    places = np.einsum("ikh,jlw->ijklhw", down, across)
    places = places.reshape(-1, height * width)
    pixels = ops.reshape(inputs, (-1, height * width, channels))
    held = ops.matmul(ops.convert_to_tensor(places, inputs.dtype), pixels)
    rows = ops.reshape(held, (-1, sizes[0] * sizes[1] * channels))
    answer = ops.matmul(rows, ops.reshape(kernel, (-1, filters)))
    return ops.reshape(answer, (-1, len(down), len(across), filters))


def _windows(length, size, stride, padding):
    """Marks what each window holds along an axis, (windows, size, length)."""
    if padding == "same":
        count = -(-length // stride)
        before = max((count - 1) * stride + size - length, 0) // 2
    else:
        count, before = (length - size) // stride + 1, 0
    pixel = np.arange(count)[:, None] * stride + np.arange(size) - before
    return (pixel[..., None] == np.arange(length)).astype("float32")
