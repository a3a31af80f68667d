"""Lets each pixel look at the words of its caption."""

import keras
from keras import layers, ops

from keras_t2i.layers import starts


@keras.saving.register_keras_serializable("keras_t2i")
class WordAttention(layers.Layer):
    """Gives each pixel the words it looks at, mixed.

    Words are projected to the map's channels; a pixel looks at a word the
    more the larger their dot product. Looks are worked out in float32.

    Args:
        legacy_mask: bool. Whether masks are dealt out as AttnGAN's code does:
            pixel q of caption b sees the mask of caption (b Q + q) mod B, of
            B captions and Q pixels. Released weights were trained and judged
            with this fault; with one caption, or captions equally long, it
            changes nothing.

    Call arguments:
        inputs: (B, H, W, C) float.
        words: (B, T, D) float.
        mask: (B, T) bool, True = real word. Where a caption has none, its
            pixels look at nothing and get 0.

    Returns of a call:
        (B, H, W, C) float of the layer's compute dtype, the mix, and (B, H,
        W, T) float32, how much each pixel looks at each word: 1 in sum.

    Source:
        Xu et al. 2018, eq. 6, arXiv:1711.10485, and the released code.
    """

    def __init__(self, legacy_mask=False, **kwargs):
        super().__init__(**kwargs)
        self.legacy_mask = legacy_mask

    def build(self, inputs_shape, words_shape):
        self.project = layers.Dense(
            inputs_shape[-1],
            use_bias=False,
            kernel_initializer=starts.orthogonal(),
            dtype=self.dtype_policy,
            name="project",
        )
        self.project.build(words_shape)

    def call(self, inputs, words, mask):
        values = self.project(words)
        weights = look(inputs, values, mask, self.legacy_mask)
        return gather(weights, values, inputs), weights

    def get_config(self):
        return {**super().get_config(), "legacy_mask": self.legacy_mask}


def look(inputs, keys, mask, legacy_mask=False):
    """Tells how much each pixel looks at each word.

    Args:
        inputs: (B, H, W, C) float.
        keys: (B, T, C) float.
        mask: (B, T) bool.
        legacy_mask: bool. As for `WordAttention`.

    Returns:
        (B, H, W, T) float32 in [0, 1]; the sum over words is 1, or 0 where
        the mask leaves none.
    """
    _, height, width, channels = ops.shape(inputs)
    pixels = ops.reshape(inputs, (-1, height * width, channels))
    logits = ops.matmul(
        ops.cast(pixels, "float32"),
        ops.transpose(ops.cast(keys, "float32"), (0, 2, 1)),
    )
    seen = _seen(mask, height * width) if legacy_mask else mask[:, None]
    # Not minus infinity, whose softmax is no number where no word is seen.
    hidden = ops.where(seen, 0.0, -1e30)
    some = ops.cast(ops.any(seen, axis=-1, keepdims=True), "float32")
    weights = ops.softmax(logits + hidden) * some
    return ops.reshape(weights, (-1, height, width, ops.shape(keys)[1]))


def gather(weights, values, like):
    """Mixes words for each pixel.

    Args:
        weights: (B, H, W, T) float32.
        values: (B, T, C) float.
        like: (B, H, W, C), whose shape and dtype the answer has.

    Returns:
        (B, H, W, C).
    """
    _, height, width, words = ops.shape(weights)
    flat = ops.reshape(weights, (-1, height * width, words))
    mixed = ops.matmul(ops.cast(flat, values.dtype), values)
    channels = values.shape[-1]
    mixed = ops.reshape(mixed, (-1, height, width, channels))
    return ops.cast(mixed, like.dtype)


def _seen(mask, pixels):
    """Deals masks out as AttnGAN's code does: (B, T) to (B, Q, T)."""
    rows, words = ops.shape(mask)
    return ops.reshape(ops.tile(mask, (pixels, 1)), (rows, pixels, words))
