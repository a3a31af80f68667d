"""Convolves a map that is joined with itself, without joining it."""

import keras
from keras import initializers, ops


@keras.saving.register_keras_serializable("keras_t2i")
class TwinConv(keras.layers.Layer):
    """Convolves a map as if its channels came twice, one after the other.

    Equal to `Conv2D(filters, 3, padding="same", use_bias=False)` upon
    `Concatenate()([x, x])`, with the same variable, to rounding. Both halves
    of the kernel meet the same numbers, so they are added up first: that
    takes half of the multiplications.

    Args:
        filters: int > 0. Output channels F.
        kernel_initializer: as for `keras.layers.Conv2D`; it sees the kernel
            of the joined map.

    Call arguments:
        inputs: (B, H, W, C) float.

    Returns of a call:
        (B, H, W, F) float of the layer's compute dtype.

    Attributes:
        kernel: (3, 3, 2 C, F) variable.
        kernel_size: (3, 3), as `keras.layers.Conv2D` has it.
        use_bias: False, likewise.
    """

    kernel_size = (3, 3)
    use_bias = False

    def __init__(self, filters, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_initializer = initializers.get(kernel_initializer)

    def build(self, inputs_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(3, 3, 2 * inputs_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            autocast=False,  # Halves are added in float32.
        )

    def call(self, inputs):
        kernel = ops.convert_to_tensor(self.kernel)
        first, second = ops.split(kernel, 2, axis=2)
        return ops.conv(
            inputs,
            ops.cast(first + second, inputs.dtype),
            padding="same",
            data_format="channels_last",
        )

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_initializer": initializers.serialize(
                self.kernel_initializer
            ),
        }
