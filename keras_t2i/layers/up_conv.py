"""Nearest-neighbour upsampling and a convolution in one operation."""

import keras
import numpy as np
import tensorflow as tf
from keras import initializers

from keras_t2i.ops import convolution

#: Which taps of the 3x3 kernel meet in each row of the 4x4 one.
_MEET = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], "float32")

#: The same for even and odd rows of the doubled map, of two taps each.
_HALVES = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], "float32")


@keras.saving.register_keras_serializable("keras_t2i")
class UpConv(keras.layers.Layer):
    """Doubles a map and convolves it, without making the doubled map.

    Equal to `UpSampling2D()` (nearest) and `Conv2D(filters, 3,
    padding="same")` after it, with the same variables, to rounding. Neighbours
    in the doubled map are copies, so taps of the kernel that meet the same
    number are added up first: what remains is a transposed convolution of
    size 4 and stride 2. It takes 4/9 of the multiplications, and the map of
    four times the size is never held. Small maps of many channels take the
    faster way of `ops.convolution`.

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
        shape = self.compute_output_shape(inputs.shape)
        doubled = (*shape[:3], kernel.shape[2])
        if convolution.is_small(doubled, kernel.shape):
            outputs = _multiply(inputs, kernel)
        else:
            outputs = _convolve(inputs, kernel)
        outputs = tf.ensure_shape(outputs, shape)
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


def _convolve(inputs, kernel):
    """Convolves backwards with the 4x4 kernel."""
    *_, channels, filters = kernel.shape
    met = _add_up(kernel, np.einsum("ti,uj->tuij", _MEET, _MEET))
    met = tf.reshape(met, (4, 4, channels, filters))
    met = tf.transpose(tf.cast(met, inputs.dtype), (0, 1, 3, 2))
    rows, height, width, _ = tf.unstack(tf.shape(inputs))
    size = [rows, 2 * height, 2 * width, filters]
    return tf.nn.conv2d_transpose(inputs, met, size, strides=2)


def _multiply(inputs, kernel):
    """Multiplies windows of 2x2 with what even and odd places have of it."""
    _, height, width, channels = inputs.shape
    filters, pixels = kernel.shape[-1], height * width
    met = _add_up(kernel, np.einsum("aki,blj->abklij", _HALVES, _HALVES))
    met = tf.reshape(tf.cast(met, inputs.dtype), (4, 4 * channels, filters))
    # Which pixel (h, w) each place (k, l) of each window (i, j) holds.
    places = np.einsum("akih,bljw->abijklhw", _windows(height), _windows(width))
    places = tf.constant(places.reshape(-1, pixels), inputs.dtype)
    held = tf.matmul(places, tf.reshape(inputs, (-1, pixels, channels)))
    held = tf.reshape(held, (-1, 4, pixels, 4 * channels))
    held = tf.reshape(tf.transpose(held, (1, 0, 2, 3)), (4, -1, 4 * channels))
    answer = tf.reshape(
        tf.matmul(held, met), (2, 2, -1, height, width, filters)
    )
    answer = tf.transpose(answer, (2, 3, 0, 4, 1, 5))
    return tf.reshape(answer, (-1, 2 * height, 2 * width, filters))


def _add_up(kernel, meet):
    """Adds up taps (i, j) that meet, (..., i, j) 0 or 1."""
    taps = tf.reshape(kernel, (9, -1))
    return tf.matmul(tf.constant(meet.reshape(-1, 9), kernel.dtype), taps)


def _windows(length):
    """Marks what windows of even and odd places hold, (2, 2, i, h)."""
    even, tap, place = np.ogrid[:2, :2, :length]
    pixel = even + tap + place - 1
    return (pixel[..., None] == np.arange(length)).astype("float32")
