"""DM-GAN's memory: words are written down in the picture's light, then read."""

import keras
from keras import layers, ops

from keras_t2i.layers import attention, starts


@keras.saving.register_keras_serializable("keras_t2i")
class WordMemory(layers.Layer):
    """Writes words into a memory, lets each pixel read it, mixes both.

    Writing: a gate for each word says how much of the word, and how much of
    the whole picture, goes into its slot. Reading: as `WordAttention`, keys
    and values from the slots. Response: a gate for each pixel says how much
    of what was read replaces what was there. The mean of the picture is a
    constant to the gradient.

    Args:
        legacy_mask: bool. As for `WordAttention`. Slots of padding aren't
            empty here, so a pixel that sees them by mistake reads them.

    Call arguments:
        inputs: (B, H, W, C) float.
        words: (B, T, D) float.
        mask: (B, T) bool, True = real word. Where a caption has none, its
            pixels read 0.

    Returns of a call:
        (B, H, W, C) float of the layer's compute dtype, the map renewed, and
        (B, H, W, T) float32, how much each pixel reads each slot.

    Source:
        Zhu et al. 2019, eq. 3 to 8, arXiv:1904.01310, and the released code,
        which has a ReLU after each projection and stops the gradient.
    """

    def __init__(self, legacy_mask=False, **kwargs):
        super().__init__(**kwargs)
        self.legacy_mask = legacy_mask

    def build(self, inputs_shape, words_shape):
        channels, numbers = inputs_shape[-1], words_shape[-1]
        self.word_gate = self._dense("word_gate", numbers, 1, False)
        self.image_gate = self._dense("image_gate", channels, 1, False)
        self.of_words = self._dense("of_words", numbers, 2 * channels)
        self.of_image = self._dense("of_image", channels, 2 * channels)
        self.key = self._dense("key", 2 * channels, channels)
        self.value = self._dense("value", 2 * channels, channels)
        self.response = self._dense("response", 2 * channels, 1)

    def _dense(self, name, inputs, outputs, use_bias=True):
        dense = layers.Dense(
            outputs,
            use_bias=use_bias,
            kernel_initializer=starts.orthogonal(),
            bias_initializer=starts.torch_bias(inputs),
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build((None, inputs))
        return dense

    def call(self, inputs, words, mask):
        slots = self._write(inputs, words)
        keys = ops.relu(self.key(slots))
        values = ops.relu(self.value(slots))
        weights = attention.look(inputs, keys, mask, self.legacy_mask)
        read = attention.gather(weights, values, inputs)
        both = ops.concatenate([inputs, read], axis=-1)
        gate = ops.sigmoid(self.response(both))
        return inputs + gate * (read - inputs), weights

    def _write(self, inputs, words):
        """Writes the memory, (B, T, 2 C)."""
        whole = ops.mean(ops.cast(inputs, "float32"), (1, 2))
        whole = ops.cast(ops.stop_gradient(whole), inputs.dtype)[:, None]
        gate = ops.sigmoid(self.word_gate(words) + self.image_gate(whole))
        of_words = ops.relu(self.of_words(words))
        of_image = ops.relu(self.of_image(whole))
        return of_image + gate * (of_words - of_image)

    def get_config(self):
        return {**super().get_config(), "legacy_mask": self.legacy_mask}
