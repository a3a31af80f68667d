"""Lets a vector steer a map, channel by channel."""

import keras
from keras import layers

from keras_t2i.layers import blocks, starts


@keras.saving.register_keras_serializable("keras_t2i")
class Affine(layers.Layer):
    """Scales and shifts each channel as a condition says.

    Two small networks read the condition, one for the factor, one for the
    shift. At the start the factor is 1 and the shift 0, so the layer begins
    as the identity. Nothing is normalised.

    Args:
        hidden: int or None. Width of the two networks; None takes the map's
            channels.

    Call arguments:
        inputs: (B, H, W, C) float.
        condition: (B, D) float.

    Source:
        Tao et al. 2022, eq. 3, arXiv:2008.05865, and the released code.
    """

    def __init__(self, hidden=None, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden

    def build(self, inputs_shape, condition_shape):
        channels = inputs_shape[-1]
        hidden = self.hidden or channels
        self.parts = {}
        for name, start in (("gamma", "ones"), ("beta", "zeros")):
            first = layers.Dense(
                hidden,
                "relu",
                kernel_initializer=starts.torch_linear(),
                bias_initializer=starts.torch_bias(condition_shape[-1]),
                dtype=self.dtype_policy,
                name=f"{name}_first",
            )
            last = layers.Dense(
                channels,
                kernel_initializer="zeros",
                bias_initializer=start,
                dtype=self.dtype_policy,
                name=f"{name}_last",
            )
            first.build(condition_shape)
            last.build((*condition_shape[:-1], hidden))
            self.parts[name] = [first, last]

    def call(self, inputs, condition):
        gamma, beta = (
            self._read(self.parts[name], condition)
            for name in ("gamma", "beta")
        )
        return inputs * gamma + beta

    def _read(self, part, condition):
        first, last = part
        vector = last(first(condition))
        return vector[:, None, None, :]

    def compute_output_shape(self, inputs_shape, condition_shape):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "hidden": self.hidden}


@keras.saving.register_keras_serializable("keras_t2i")
class Gain(layers.Layer):
    """Multiplies by one learned number that starts at 0.

    A residual branch behind it is silent at first and fades in.

    Call arguments:
        inputs: any float tensor.

    Source:
        Zhang et al. 2019, eq. 3, arXiv:1805.08318.
    """

    def build(self, inputs_shape):
        self.gamma = self.add_weight(
            name="gamma", shape=(), initializer="zeros"
        )

    def call(self, inputs):
        return inputs * self.gamma

    def compute_output_shape(self, inputs_shape):
        return inputs_shape


def deep_fusion(x, condition):
    """Steers a map twice, with a kink after each.

    Args:
        x: (B, H, W, C) float.
        condition: (B, D) float.

    Returns:
        (B, H, W, C) float.

    Source:
        Tao et al. 2022, figure 4, arXiv:2008.05865.
    """
    for _ in range(2):
        x = blocks.leaky(Affine()(x, condition))
    return x
