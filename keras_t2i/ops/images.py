"""Turns pictures between the networks' floats and the world's bytes.

Inside the library a picture is float32 in [-1, 1], channels last; in records,
files and answers it is uint8 in [0, 255].
"""

import numpy as np
import tensorflow as tf


def to_float(images):
    """Brings bytes into the networks' range.

    Args:
        images: (..., H, W, C) uint8 tensor or array.

    Returns:
        Tensor of the same shape, float32 in [-1, 1].
    """
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def readable(images):
    """Readies pictures for a network that looks at three colours.

    Args:
        images: (B, H, W, 3) uint8 [0, 255] or float [-1, 1].

    Returns:
        (B, H, W, 3) float32 in [-1, 1].

    Raises:
        ValueError: if the images have not three colours.
    """
    images = tf.convert_to_tensor(images)
    if images.shape.rank != 4 or images.shape[-1] != 3:
        raise ValueError(
            f"images have shape {images.shape}; (B, H, W, 3) is read."
        )
    if images.dtype == tf.uint8:
        return to_float(images)
    return tf.cast(images, tf.float32)


def to_uint8(images):
    """Brings a network's picture back to bytes, rounding to the nearest.

    Args:
        images: (..., H, W, C) float tensor or array; beyond [-1, 1] is cut.

    Returns:
        Tensor of the same shape, uint8.
    """
    scaled = (tf.cast(images, tf.float32) + 1.0) * 127.5
    return tf.cast(tf.round(tf.clip_by_value(scaled, 0.0, 255.0)), tf.uint8)


def in_colour(images):
    """Shows grey pictures as coloured ones: all three colours alike.

    Args:
        images: (..., H, W, 1) or (..., H, W, 3) array.

    Returns:
        (..., H, W, 3) array.
    """
    images = np.asarray(images)
    return images.repeat(3, -1) if images.shape[-1] == 1 else images


def grid(images, columns: int, gap: int = 2) -> np.ndarray:
    """Lays pictures out in rows on white.

    Args:
        images: (N, H, W, 3) uint8.
        columns: pictures a row; the last row may be shorter.
        gap: white pixels between and around pictures.

    Returns:
        (rows * (H + gap) + gap, columns * (W + gap) + gap, 3) uint8.
    """
    images = np.asarray(images)
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels),
        255,
        np.uint8,
    )
    for index, image in enumerate(images):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def shrink(images, size: int):
    """Scales square pictures down as Pillow's bilinear filter does.

    That is a triangle as wide as two pixels of the answer, cut off at the
    borders: a convolution, since sizes are powers of two apart.

    Args:
        images: (B, H, H, C) floats.
        size: H divided by a power of two.

    Returns:
        (B, size, size, C) of the same type.

    Raises:
        ValueError: if `size` is not reached by halving.
    """
    side, channels = images.shape[-2:]
    factor = side // size if size > 0 else 0
    if factor * size != side or factor & (factor - 1):
        raise ValueError(
            f"Pictures of {side} px can't be halved to {size} px; allowed are "
            f"{side}, {side / 2:g}, {side / 4:g} ..."
        )
    if factor == 1:
        return images
    taps = np.minimum(
        np.arange(2 * factor) + 0.5, np.arange(2 * factor, 0, -1) - 0.5
    )
    inside = np.pad(np.ones(side), factor // 2)
    windows = np.lib.stride_tricks.sliding_window_view(inside, 2 * factor)
    whole = windows[::factor] @ taps  # less at the borders

    def along(rows, shape):
        kernel = np.tile(taps.reshape(*shape, 1, 1), (rows.shape[-1], 1))
        kernel = tf.constant(kernel, images.dtype)
        return tf.nn.depthwise_conv2d(
            rows, kernel, [1, factor, factor, 1], "SAME"
        )

    # Whole rows at first, as if their pixels were colours: much faster.
    count = tf.shape(images)[0]
    rows = tf.reshape(images, [count, side, 1, side * channels])
    rows = along(rows, [-1, 1])
    columns = tf.reshape(rows, [count * size, 1, side, channels])
    columns = along(columns, [1, -1])
    summed = tf.reshape(columns, [count, size, size, channels])
    share = 1.0 / np.outer(whole, whole)[:, :, None]
    return summed * tf.constant(share, images.dtype)


def sizes_up_to(image_size: int, base: int = 4) -> list[int]:
    """Lists the resolutions of a network that doubles from a small map.

    Args:
        image_size: the picture's height and width, `base` times a power of 2.
        base: the smallest map's height and width.

    Returns:
        `[base, 2 * base, ..., image_size]`.

    Raises:
        ValueError: if `image_size` is not reached by doubling, or `base` is
            below 1.
    """
    if base < 1:
        raise ValueError(f"base is {base}; allowed are 1 and more.")
    sizes = [base]
    while sizes[-1] < image_size:
        sizes.append(2 * sizes[-1])
    if len(sizes) < 2 or sizes[-1] != image_size:
        raise ValueError(
            f"image_size is {image_size}; allowed are {base} times a power of "
            f"two: {2 * base}, {4 * base}, {8 * base}, ..."
        )
    return sizes
