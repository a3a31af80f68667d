"""The way from a picture to a network that judges it, and the answer."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.encoders import inception
from keras_t2i.ops import resizing

#: name -> what is subtracted from bytes x, by what they are divided then,
#: and the words for a card.
NORMALISATIONS = {
    "symmetric": ((127.5,), (127.5,), "x / 127.5 - 1"),
    "tf_2015": ((128.0,), (128.0,), "(x - 128) / 128"),
    "dm_gan": (
        tuple(
            255 * (0.5 - mean) / deviation
            for mean, deviation in zip(
                inception.MEAN, inception.DEVIATION, strict=True
            )
        ),
        tuple(127.5 / deviation for deviation in inception.DEVIATION),
        "x / 255 * std / 0.5 + (mean - 0.5) / 0.5 with ImageNet's",
    ),
}
_ROUNDED = {
    None: "",
    "round": "floats rounded to bytes",
    "truncate": "floats truncated to bytes",
}


@dataclasses.dataclass(frozen=True)
class Way:
    """Says how a picture is brought to a network, and brings it there.

    Args:
        size: int > 0. Pictures are resized to `size` x `size`.
        resize: key of `ops.resizing.RESIZES`.
        normalise: key of `NORMALISATIONS`: what the network is shown of bytes
            x. "symmetric" is [-1, 1]; "tf_2015" is what the graph of 2015
            does; "dm_gan" is early pytorch-fid's, DM-GAN's and GALIP's, the
            affine of torchvision's network on pixels that nothing was
            subtracted from, about [-0.2, 0.4].
        rounding: what happens to pictures of floats at first: "round",
            "truncate" (`ops.resizing.to_bytes`), or None: nothing. Pillow and
            JPEG then refuse floats that weren't bytes.
        jpeg: int, the quality at which pictures go through JPEG before they
            are resized; None for none.

    Call arguments:
        images: (B, H, W, 3) uint8 [0, 255] or float [-1, 1].

    Returns of a call:
        (B, size, size, 3) float32.

    Raises:
        ValueError: if a name or number is unknown; in a call, if no bytes
            reach Pillow or JPEG.
    """

    size: int = 299
    resize: str = "bilinear"
    normalise: str = "symmetric"
    rounding: str | None = None
    jpeg: int | None = None

    def __post_init__(self):
        resizing.check(self.resize)
        if self.normalise not in NORMALISATIONS:
            raise ValueError(
                f"normalise is {self.normalise!r}; known are "
                f"{', '.join(NORMALISATIONS)}."
            )
        if self.size < 1:
            raise ValueError(f"size is {self.size}; it must be positive.")
        if self.rounding not in (None, *resizing.ROUNDINGS):
            raise ValueError(
                f"rounding is {self.rounding!r}; allowed are "
                f"{', '.join(resizing.ROUNDINGS)} and None."
            )
        if self.jpeg is not None and not 1 <= self.jpeg <= 100:
            raise ValueError(
                f"JPEG's quality is {self.jpeg}; allowed are 1 to 100."
            )

    @property
    def words(self) -> str:
        """What a metric's card says of the way."""
        kind = resizing.RESIZES[self.resize][1]
        parts = [
            _ROUNDED[self.rounding],
            "" if self.jpeg is None else f"JPEG {self.jpeg}",
            f"{kind}, to {self.size} x {self.size}",
            NORMALISATIONS[self.normalise][2],
        ]
        return "; ".join(part for part in parts if part)

    def __call__(self, images):
        is_bytes = images.dtype == np.uint8
        images = tf.cast(images, tf.float32)
        if not is_bytes:
            images = (images + 1.0) * 127.5
        if self.rounding and not is_bytes:
            images = resizing.to_bytes(images, self.rounding)
        if self.jpeg is not None:
            images = resizing.jpeg(images, self.jpeg)
        images = tf.cast(images, tf.float32)
        images = resizing.resize(images, self.size, self.resize)
        less, divisor, _ = NORMALISATIONS[self.normalise]
        return (images - tf.constant(less)) / tf.constant(divisor)


class Features(tf.Module):
    """Reads images of any size and either range with one network.

    Args:
        network: keras.Model of {"image"}, or callable on (B, S, S, 3) float32;
            answers a dict, "pooled" (B, C) and "logits" (B, K) among it.
        way: `Way`, or another callable with `size` S and `words`.
        name: str, a Python identifier; part of a metric's name.
        digest: str. Changes when anything that changes a number does.

    Call arguments:
        images: (B, H, W, 3) uint8 [0, 255] or float [-1, 1].

    Returns of a call:
        dict of the network's outputs, float32.

    Raises:
        ValueError: in a call, if the images have not three colours.
    """

    def __init__(self, network, way, name, digest):
        super().__init__(name=name)
        self.model = network
        self.way = way
        self.size = way.size
        self.digest = digest
        #: What a metric's card says of the way from picture to network.
        self.resize = way.words
        if isinstance(network, keras.Model):
            # Session loaders find a Keras variable only by its TensorFlow one.
            self._held = [v.value for v in network.weights]

        def ask(images):
            if isinstance(network, keras.Model):
                return network({"image": images}, training=False)
            return network(images)

        self._read = tf.function(
            ask,
            input_signature=[tf.TensorSpec((None, way.size, way.size, 3))],
            autograph=False,
        )

    def __call__(self, images):
        images = tf.convert_to_tensor(images)
        if images.shape.rank != 4 or images.shape[-1] != 3:
            raise ValueError(
                f"images have shape {images.shape}; (B, H, W, 3) is read."
            )
        return self._read(self.way(images))
