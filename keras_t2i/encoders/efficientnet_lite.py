"""EfficientNet-Lite0: a small reader of images."""

import keras
import tensorflow as tf

from keras_t2i.encoders import features

# kernel, stride, widening, channels, repeats
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_REGIONS = 112  # The stage whose output is told region by region.
_KEEP = {"dtype": "float32"}


def lite0(classes=1000):
    """Reads an image into regions, one vector, and scores of 1000 classes.

    Args:
        classes: int. Scores given.

    Returns:
        keras.Model, float32 under any policy: {"image": (B, H, W, 3) float32
        [-1, 1]} -> {"regions": (B, H/16, W/16, 112), "pooled": (B, 1280) not
        negative, "logits": (B, classes)}. Any H and W; it was trained at 224.

    Source:
        Tan and Le 2019, arXiv:1905.11946; the Lite0 variant of the TensorFlow
        TPU repository: no squeeze-and-excitation, ReLU6, sizes not rounded.
        Ours differs: our range [-1, 1] is brought to the published
        (x - 127) / 128 of x in [0, 255] inside; no dropout and no dropped
        blocks, since it reads and is not trained here.
    """
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(127.5 / 128, 0.5 / 128, name="scale", **_KEEP)(
        image
    )
    x = _relu(_norm(_conv(x, 32, "stem", kernel=3, stride=2), "stem_norm"))
    number = 0
    for kernel, stride, widening, channels, repeats in _STAGES:
        for repeat in range(repeats):
            stride = stride if repeat == 0 else 1
            name = f"block_{number}"
            x = _block(x, kernel, stride, widening, channels, name)
            number += 1
        if channels == _REGIONS:
            regions = x
    x = _relu(_norm(_conv(x, 1280, "head"), "head_norm"))
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled", **_KEEP)(x)
    logits = keras.layers.Dense(classes, name="logits", **_KEEP)(pooled)
    return keras.Model(
        {"image": image},
        {"regions": regions, "pooled": pooled, "logits": logits},
        name="efficientnet_lite0",
    )


class Features(features.Features):
    """Reads images of any size and either range with one network.

    Args:
        model: keras.Model, as `lite0` makes it.
        size: int. Images are resized to `size` x `size`, bilinearly, with
            the filter widened when shrinking so that no pixel is skipped.
        name: str, a Python identifier; part of a metric's name.
        digest: str. Changes when anything that changes a number does.

    Call arguments:
        images: (B, H, W, 3) uint8 [0, 255] or float [-1, 1].

    Returns of a call:
        dict of the model's outputs; "regions" (B, ceil(size/16),
        ceil(size/16), 112), "pooled" (B, 1280), "logits" (B, 1000), float32.

    Raises:
        ValueError: in a call, if the images have not three colours.
    """

    def __init__(self, model, size, name, digest):
        super().__init__(model, _Way(size), name, digest)


class _Way:
    """Resizes in the range that the network is shown, [-1, 1]."""

    def __init__(self, size):
        self.size = size
        self.words = f"bilinear, antialiased, to {size} x {size}"

    def __call__(self, images):
        is_bytes = images.dtype == tf.uint8
        images = tf.cast(images, tf.float32)
        if is_bytes:
            images = images / 127.5 - 1.0
        if images.shape[1:3] != (self.size, self.size):
            images = tf.image.resize(
                images, (self.size, self.size), antialias=True
            )
        return images


def _block(x, kernel, stride, widening, channels, name):
    """Widens, filters each channel, narrows; adds the input where it fits."""
    y = x
    if widening > 1:
        y = _conv(y, widening * x.shape[-1], f"{name}_expand")
        y = _relu(_norm(y, f"{name}_expand_norm"))
    y = keras.layers.DepthwiseConv2D(
        kernel,
        stride,
        padding="same",
        use_bias=False,
        name=f"{name}_depthwise",
        **_KEEP,
    )(y)
    y = _relu(_norm(y, f"{name}_depthwise_norm"))
    y = _norm(_conv(y, channels, f"{name}_project"), f"{name}_project_norm")
    return x + y if stride == 1 and x.shape[-1] == channels else y


def _conv(x, channels, name, kernel=1, stride=1):
    return keras.layers.Conv2D(
        channels,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        name=name,
        **_KEEP,
    )(x)


def _norm(x, name):
    return keras.layers.BatchNormalization(epsilon=1e-3, name=name, **_KEEP)(x)


def _relu(x):
    return keras.layers.ReLU(max_value=6.0, **_KEEP)(x)
