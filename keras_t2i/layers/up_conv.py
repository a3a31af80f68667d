"""Nearest-neighbour upsampling and a convolution in one operation."""

import keras
import numpy as np
import tensorflow as tf
from keras import initializers

#: Which taps of the 3x3 kernel meet in each row of the 4x4 one.
_MEET = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], "float32")


@keras.saving.register_keras_serializable("keras_t2i")
class UpConv(keras.layers.Layer):
    """Doubles a map and convolves it, without making the doubled map.

    Equal to `UpSampling2D()` (nearest) and `Conv2D(filters, 3,
    padding="same")` after it, with the same variables, to rounding. Neighbours
    in the doubled map are copies, so taps of the kernel that meet the same
    number are added up first: what remains is a transposed convolution of
    size 4 and stride 2. It takes 4/9 of the multiplications, and the map of
    four times the size is never held.

    Args:
        filters: int > 0. Output channels F.
        use_bias: bool. Whether a bias is added.
        kernel_initializer: as for `keras.layers.Conv2D`; it sees the 3x3
            kernel.
        bias_initializer: as for `keras.layers.Conv2D`.

    Call arguments:
        inputs: (B, H, W, C) float.

    Returns:
        (B, 2 H, 2 W, F) float of the layer's compute dtype.

    Attributes:
        kernel_size: (3, 3), as `keras.layers.Conv2D` has it.
    """

    kernel_size = (3, 3)

    def __init__(
        self,
        filters,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, inputs_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(3, 3, inputs_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            autocast=False,  # Taps are added in float32.
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
            )

    def call(self, inputs):
        kernel = tf.convert_to_tensor(self.kernel)
        met = tf.einsum("ti,uj,ijcf->tufc", _MEET, _MEET, kernel)
        shape = tf.shape(inputs)
        size = [shape[0], 2 * shape[1], 2 * shape[2], self.filters]
        outputs = tf.nn.conv2d_transpose(
            inputs, tf.cast(met, inputs.dtype), size, strides=2
        )
        outputs = tf.ensure_shape(
            outputs, self.compute_output_shape(inputs.shape)
        )
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias))
        return outputs

    def compute_output_shape(self, inputs_shape):
        rows, height, width, _ = inputs_shape
        double = [None if x is None else 2 * x for x in (height, width)]
        return (rows, *double, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(
                self.kernel_initializer
            ),
            "bias_initializer": initializers.serialize(self.bias_initializer),
        }
