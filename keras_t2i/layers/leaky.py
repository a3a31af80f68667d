"""A leaky kink that keeps what it gave, not what it got."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_t2i")
class Leaky(keras.layers.LeakyReLU):
    """Bends as `keras.layers.LeakyReLU` does and keeps one map less.

    The next layer keeps this one's answer for its own gradient. The answer
    has the signs of what came in, so the gradient asks it instead, and the map
    that came in need not be kept, too. Answers and gradients are the same, bit
    by bit; gradients of gradients don't look for a slope of the kink.

    Args:
        negative_slope: float > 0. What negative numbers are multiplied by.
        **kwargs: as for `keras.layers.Layer`.

    Call arguments:
        inputs: any float tensor.

    Returns of a call:
        Tensor of the same shape.

    Raises:
        ValueError: if `negative_slope` is not above 0: signs would be lost.
    """

    def __init__(self, negative_slope=0.2, **kwargs):
        if not negative_slope > 0.0:
            raise ValueError(
                f"negative_slope is {negative_slope}; allowed: above 0. "
                "keras.layers.LeakyReLU takes the others."
            )
        super().__init__(negative_slope, **kwargs)

    def call(self, inputs):
        return _bend(inputs, self.negative_slope)


def _bend(x, negative_slope):
    @tf.custom_gradient
    def bend(x):
        y = tf.nn.leaky_relu(x, negative_slope)

        def slopes(upstream):
            return tf.raw_ops.LeakyReluGrad(
                gradients=upstream,
                features=tf.stop_gradient(y),
                alpha=negative_slope,
            )

        return y, slopes

    return bend(x)
