"""Resizes pictures in the ways of those who measured before.

The same word, bilinear, names five operations whose pictures differ by up to
ten grey levels, so each has a name of its own here. All map (B, H, W, C)
float32 in [0, 255] to (B, size, size, C) float32 in [0, 255]. Those of Pillow
work on bytes and outside of graphs; the others anywhere.
"""

import io

import numpy as np
import tensorflow as tf

#: How numbers become bytes: to the nearest, or by cutting off the rest.
ROUNDINGS = ("round", "truncate")
_NEAR = 1e-3  # Bytes that went through floats in [-1, 1] are off by less.


def tf1_bilinear(images, size: int):
    """Resizes as TensorFlow 1 did: corners instead of centres of pixels.

    Args:
        images: (B, H, W, C) float32.
        size: int > 0.

    Returns:
        (B, size, size, C) float32. Pixel i is taken at i * H / size.

    Source:
        `resize_bilinear` of the Inception graph of 2015, as Heusel et al.
        2017, arXiv:1706.08500, ran it.
    """
    return tf.raw_ops.ResizeBilinear(images=images, size=(size, size))


def bilinear(images, size: int):
    """Resizes between the four nearest pixels, skipping others.

    Args:
        images: (B, H, W, C) float32.
        size: int > 0.

    Returns:
        (B, size, size, C) float32. Pixel i is taken at
        (i + 1/2) * H / size - 1/2.

    Source:
        PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
    """
    return tf.image.resize(images, (size, size))


def bilinear_corners(images, size: int):
    """Resizes between the four nearest pixels; corners stay corners.

    Args:
        images: (B, H, W, C) float32.
        size: int > 0.

    Returns:
        (B, size, size, C) float32. Pixel i is taken at
        i * (H - 1) / (size - 1).

    Source:
        PyTorch's `interpolate(mode="bilinear", align_corners=True)`.
    """
    return tf.raw_ops.ResizeBilinear(
        images=images, size=(size, size), align_corners=True
    )


def bilinear_antialiased(images, size: int):
    """Resizes with a triangle that is widened when shrinking.

    Args:
        images: (B, H, W, C) float32.
        size: int > 0.

    Returns:
        (B, size, size, C) float32, as Pillow and jax.image make it of floats.
    """
    return tf.image.resize(images, (size, size), antialias=True)


def bicubic_antialiased(images, size: int):
    """Resizes with cubics that are widened when shrinking.

    Args:
        images: (B, H, W, C) float32 in [0, 255].
        size: int > 0.

    Returns:
        (B, size, size, C) float32, as Pillow makes it of floats, cut to
        [0, 255], which cubics overshoot.

    Source:
        Parmar et al. 2022, arXiv:2104.11222, whose code cuts it so.
    """
    resized = tf.image.resize(images, (size, size), "bicubic", antialias=True)
    return tf.clip_by_value(resized, 0.0, 255.0)


def pillow_bilinear(images, size: int) -> np.ndarray:
    """Resizes bytes by Pillow's bilinear filter, widened when shrinking.

    Args:
        images: (B, H, W, 1 or 3) whole numbers in [0, 255] of any type, to
            a thousandth.
        size: int > 0.

    Returns:
        (B, size, size, C) float32, whole numbers.

    Raises:
        ValueError: if the pictures aren't bytes.
    """
    return _by_pillow(images, size, "BILINEAR")


def pillow_bicubic(images, size: int) -> np.ndarray:
    """Resizes bytes by Pillow's bicubic filter, widened when shrinking.

    Args:
        images: (B, H, W, 1 or 3) whole numbers in [0, 255] of any type, to
            a thousandth.
        size: int > 0.

    Returns:
        (B, size, size, C) float32, whole numbers.

    Raises:
        ValueError: if the pictures aren't bytes.
    """
    return _by_pillow(images, size, "BICUBIC")


#: name -> function and what a card says of it.
RESIZES = {
    "tf1_bilinear": (tf1_bilinear, "bilinear of TensorFlow 1"),
    "bilinear": (bilinear, "bilinear"),
    "bilinear_corners": (bilinear_corners, "bilinear, corners aligned"),
    "bilinear_antialiased": (bilinear_antialiased, "bilinear, antialiased"),
    "bicubic_antialiased": (bicubic_antialiased, "bicubic, antialiased"),
    "pillow_bilinear": (pillow_bilinear, "bilinear of Pillow, bytes"),
    "pillow_bicubic": (pillow_bicubic, "bicubic of Pillow, bytes"),
}


def resize(images, size: int, name: str):
    """Resizes pictures in a named way; those of that size stay as they are.

    Args:
        images: (B, H, W, C) float32 in [0, 255]; whole numbers for Pillow.
        size: int > 0.
        name: a key of `RESIZES`.

    Returns:
        (B, size, size, C) float32 in [0, 255].

    Raises:
        ValueError: if the name is unknown, or Pillow gets no bytes.
    """
    check(name)
    if tuple(images.shape[1:3]) == (size, size):
        return images
    return RESIZES[name][0](images, size)


def check(name: str) -> None:
    """Refuses what is no name of a way to resize.

    Args:
        name: to be a key of `RESIZES`.

    Raises:
        ValueError: if it isn't.
    """
    if name not in RESIZES:
        raise ValueError(
            f"No way to resize is called {name!r}; known are "
            f"{', '.join(RESIZES)}."
        )


def to_bytes(images, rounding: str = "round") -> np.ndarray:
    """Turns pictures of floats into bytes.

    A picture whose numbers are all whole to a thousandth was bytes before:
    those bytes come back in either way.

    Args:
        images: (B, H, W, C) numbers; beyond [0, 255] is cut.
        rounding: "round" to the nearest, or "truncate", which cuts off what
            comes after the point as `astype` does.

    Returns:
        (B, H, W, C) uint8.

    Raises:
        ValueError: if `rounding` is another word, or a number isn't finite.
    """
    if rounding not in ROUNDINGS:
        raise ValueError(
            f"rounding is {rounding!r}; allowed are {', '.join(ROUNDINGS)}."
        )
    images = np.asarray(images)
    fine = np.isfinite(images).all((1, 2, 3))
    if not fine.all():
        raise ValueError(
            f"Picture {fine.argmin()} of the batch holds numbers that aren't "
            "finite; no bytes can be made of them."
        )
    images = np.clip(images, 0, 255)
    whole = np.rint(images)
    if rounding == "truncate":
        off = np.abs(images - whole).max((1, 2, 3), keepdims=True, initial=0)
        whole = np.where(off < _NEAR, whole, np.floor(images))
    return whole.astype(np.uint8)


def jpeg(images, quality: int) -> np.ndarray:
    """Sends pictures through JPEG and back.

    Args:
        images: (B, H, W, 1 or 3) uint8.
        quality: int, 1 to 100; Pillow's other settings are its own.

    Returns:
        The same shape, uint8.

    Raises:
        ValueError: if the pictures aren't bytes, or the quality is another.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG's quality is {quality}; allowed are 1 to 100.")

    def there_and_back(picture):
        from PIL import Image

        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality)
        return Image.open(stream)

    return _each(images, there_and_back)


def _by_pillow(images, size, way):
    from PIL import Image

    way = Image.Resampling[way]
    resized = _each(images, lambda each: each.resize((size, size), way))
    return resized.astype(np.float32)


def _each(images, change):
    """Shows Pillow each picture; the answers as (B, H, W, C) uint8."""
    from PIL import Image

    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"Pictures have shape {images.shape}; Pillow is shown "
            "(B, H, W, 1 or 3)."
        )
    whole = np.rint(images)
    near = np.abs(images - whole) < _NEAR
    if not (near & (whole >= 0) & (whole <= 255)).all():
        raise ValueError(
            "Pillow works on bytes, and these are other numbers: name a "
            f"rounding, {' or '.join(ROUNDINGS)}."
        )
    grey = images.shape[-1] == 1
    rows = [
        np.asarray(change(Image.fromarray(each[..., 0] if grey else each)))
        for each in whole.astype(np.uint8)
    ]
    return np.stack(rows).reshape(len(rows), *rows[0].shape[:2], -1)
