"""Dropout whose masks come from outside."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_t2i")
class Dropout(keras.layers.Layer):
    """Forgets a share of the features, as the caller's draws say.

    Keras's own layer keeps a hidden generator, whose state no checkpoint
    holds and which gives all replicas the same masks. Here a network takes
    the draws as an input, named dropout_..., and the base hands them over,
    keyed by (seed, move, salt): see `System.masks`.

    Args:
        rate: float in [0, 1). The share that is forgotten; what is left is
            scaled by 1 / (1 - rate).

    Call arguments:
        inputs: (B, ...) float.
        draws: (B, ...) float32 in [0, 1), shaped like `inputs`.
        training: bool. Otherwise the inputs pass as they are.

    Raises:
        ValueError: if `rate` is not in [0, 1).

    Source:
        Srivastava et al. 2014, section 4, in its inverted form.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"rate is {rate}; allowed: [0, 1).")
        self.rate = rate

    def build(self, inputs_shape, draws_shape):
        pass

    def call(self, inputs, draws, training=False):
        inputs = ops.cast(inputs, self.compute_dtype)
        if not training:
            return inputs
        keep = ops.cast(draws >= self.rate, inputs.dtype)
        return inputs * keep / (1.0 - self.rate)

    def compute_output_shape(self, inputs_shape, draws_shape):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
