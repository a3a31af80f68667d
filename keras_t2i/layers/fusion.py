"""Lets a vector steer a map, channel by channel."""

import keras
import tensorflow as tf
from keras import layers

from keras_t2i.layers import blocks, starts

#: Width of the small networks in the code of 2020 and in SSA-GAN's.
HIDDEN = 256


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

    #: Where the last layers' biases start, factor and shift.
    STARTS = {"gamma": "ones", "beta": "zeros"}

    def __init__(self, hidden=None, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden

    def build(self, inputs_shape, condition_shape):
        channels = inputs_shape[-1]
        hidden = self.hidden or channels
        self.parts = {}
        for name, start in self.STARTS.items():
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
        gamma, beta = self.read(condition)
        return inputs * gamma[:, None, None] + beta[:, None, None]

    def read(self, condition):
        """Reads factor and shift from a condition.

        Args:
            condition: (B, D) float.

        Returns:
            Two (B, C) float.
        """
        return [last(first(condition)) for first, last in self.parts.values()]

    def compute_output_shape(self, inputs_shape, *others):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "hidden": self.hidden}


@keras.saving.register_keras_serializable("keras_t2i")
class MaskedAffine(Affine):
    """Scales and shifts each channel as a condition says, where a mask says.

    A normalised map x becomes (1 + mask * gamma) * x + mask * beta: where the
    mask is 0 it stays as it is. At the start gamma and beta are 0.

    Args:
        hidden: int or None. As for `Affine`.

    Call arguments:
        inputs: (B, H, W, C) float.
        condition: (B, D) float.
        area: (B, H, W, 1) float in [0, 1]: the mask, by another name because
            Keras keeps that one for itself.

    Source:
        Liao et al. 2022, eq. 4 and 5, arXiv:2104.00567, and the released
        code: the 1 stands outside of the mask.
    """

    STARTS = {"gamma": "zeros", "beta": "zeros"}

    def build(self, inputs_shape, condition_shape, area_shape):
        super().build(inputs_shape, condition_shape)

    def call(self, inputs, condition, area):
        return self.steered(inputs, *self.read(condition), area)

    def steered(self, inputs, gamma, beta, area):
        """Steers a map by what was read.

        Args:
            inputs: (B, H, W, C) float.
            gamma: (B, C) of the same dtype.
            beta: (B, C) of the same dtype.
            area: (B, H, W, 1) float in [0, 1].

        Returns:
            (B, H, W, C) of that dtype.
        """
        return _steered(inputs, gamma, beta, area)


@tf.custom_gradient
def _steered(x, gamma, beta, mask):
    """Steers a map; keeps it and no other map for the gradient.

    Args:
        x: (B, H, W, C) float.
        gamma: (B, C) of the same dtype.
        beta: (B, C) of the same dtype.
        mask: (B, H, W, 1) of the same dtype.

    Returns:
        (B, H, W, C) of that dtype.
    """

    def slopes(upstream):
        along = upstream * x
        return (
            upstream * (1.0 + mask * gamma[:, None, None]),
            tf.einsum("bhwo,bhwc->bc", mask, along),
            tf.einsum("bhwo,bhwc->bc", mask, upstream),
            tf.einsum("bhwc,bc->bhw", along, gamma)[..., None]
            + tf.einsum("bhwc,bc->bhw", upstream, beta)[..., None],
        )

    factor = 1.0 + mask * gamma[:, None, None]
    return factor * x + mask * beta[:, None, None], slopes


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


def deep_fusion(x, condition, name, hidden=None):
    """Steers a map twice, with a kink after each.

    Args:
        x: (B, H, W, C) float.
        condition: (B, D) float.
        name: str. The two layers are called NAME_1 and NAME_2.
        hidden: int or None. As for `Affine`.

    Returns:
        (B, H, W, C) float.

    Source:
        Tao et al. 2022, figure 4, arXiv:2008.05865.
    """
    for number in (1, 2):
        affine = Affine(hidden, name=f"{name}_{number}")
        x = blocks.leaky(affine(x, condition))
    return x
