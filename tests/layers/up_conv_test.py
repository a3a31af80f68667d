"""Upsampling and convolution in one."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import UpConv
from keras_t2i.ops import convolution
from tests import harness

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(2, 3, 5, 4)).astype("float32")
#: The ways to go, by whether the map is said to be small.
WAYS = (False, True)


def going(is_small):
    """Chooses the way, whatever the sizes."""
    return mock.patch.object(convolution, "is_small", lambda *_: is_small)


def slow(inputs, kernel, bias):
    """Doubles by copying and convolves by loops, in float64."""
    doubled = np.float64(inputs).repeat(2, axis=1).repeat(2, axis=2)
    padded = np.pad(doubled, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows, height, width, _ = doubled.shape
    found = np.zeros((rows, height, width, kernel.shape[-1])) + bias
    for i, j, y, x in np.ndindex(3, 3, height, width):
        found[:, y, x] += padded[:, y + i, x + j] @ np.float64(kernel[i, j])
    return found


class UpConvTest(parameterized.TestCase, tf.test.TestCase):
    """Equals the two layers that it stands for."""

    def pair(self, **kwargs):
        """Builds it, and the two layers with the same weights."""
        layer = UpConv(6, **kwargs)
        layer.build(INPUTS.shape)
        conv = keras.layers.Conv2D(6, 3, padding="same", **kwargs)
        plain = keras.Sequential([keras.layers.UpSampling2D(), conv])
        plain.build(INPUTS.shape)
        weights = [RNG.normal(size=w.shape) for w in layer.weights]
        layer.set_weights(weights)
        plain.set_weights(weights)
        return layer, plain

    @parameterized.parameters(*WAYS)
    def test_equals_the_slow_loop(self, is_small):
        layer, _ = self.pair()
        kernel, bias = layer.get_weights()
        with going(is_small):
            found = layer(INPUTS)
        self.assertAllClose(
            found, slow(INPUTS, kernel, bias), rtol=1e-5, atol=1e-5
        )

    @parameterized.product(is_small=WAYS, use_bias=(True, False))
    def test_slopes_equal_those_of_the_two_layers(self, is_small, use_bias):
        with going(is_small):
            self.examine_slopes(use_bias)

    def examine_slopes(self, use_bias):
        """Compares slopes of both orders."""
        found = []
        for network in self.pair(use_bias=use_bias):
            inputs = tf.constant(INPUTS)
            with tf.GradientTape() as outer:
                outer.watch(inputs)
                with tf.GradientTape() as inner:
                    inner.watch(inputs)
                    loss = tf.reduce_sum(tf.tanh(0.1 * network(inputs)) ** 2)
                slope = inner.gradient(loss, inputs)
                steep = tf.reduce_sum(slope**2)  # as penalties are made
            weights = [w.value for w in network.trainable_weights]
            found.append([slope, *outer.gradient(steep, [inputs, *weights])])
        for one, other in zip(*found, strict=True):
            self.assertAllClose(one, other, rtol=1e-4, atol=1e-5)

    def test_starts_as_the_convolution_would(self):
        keras.utils.set_random_seed(0)
        layer = UpConv(6, kernel_initializer="he_normal")
        layer.build(INPUTS.shape)
        keras.utils.set_random_seed(0)
        conv = keras.layers.Conv2D(6, 3, kernel_initializer="he_normal")
        conv.build(INPUTS.shape)
        self.assertAllEqual(layer.kernel, conv.kernel)

    def test_size_may_be_unknown(self):
        layer = UpConv(6)
        self.assertEqual(
            layer(keras.Input((None, 5, 4))).shape[1:], (None, 10, 6)
        )
        self.assertEqual(layer(INPUTS).shape, (2, 6, 10, 6))

    @parameterized.parameters(*WAYS)
    def test_taps_are_added_before_they_are_rounded(self, is_small):
        layer = UpConv(1, use_bias=False, dtype="mixed_bfloat16")
        layer.build((1, 1, 1, 1))
        kernel = np.zeros((3, 3, 1, 1), "float32")
        kernel[1, 1], kernel[2, 1] = 1.0, -1.0 + 2.0**-12
        layer.set_weights([kernel])
        with going(is_small):
            found = layer(np.ones((1, 1, 1, 1), "float32"))
        self.assertEqual(float(found[0, 0, 0, 0]), 2.0**-12)

    def test_small_maps_of_many_channels_go_the_other_way(self):
        asked = []
        with mock.patch.object(
            convolution, "is_small", lambda *x: asked.append(x) or True
        ):
            UpConv(64)(np.zeros((2, 4, 3, 256), "float32"))
        self.assertEqual(asked, [((2, 8, 6, 256), (3, 3, 256, 64))])

    @parameterized.parameters(False, True)
    def test_number_of_rows_may_be_unknown_either_way(self, xla):
        layer, _ = self.pair()
        expected = layer(INPUTS)
        spec = tf.TensorSpec((None, 3, 5, 4))
        with going(True):
            call = tf.function(
                layer, input_signature=[spec], jit_compile=xla, autograph=False
            )
            self.assertAllClose(call(INPUTS), expected, rtol=1e-5, atol=1e-5)

    @parameterized.product(is_small=WAYS, use_bias=(True, False))
    def test_stands_the_examination_of_layers(self, is_small, use_bias):
        with going(is_small):
            harness.examine_layer(
                self, lambda: UpConv(3, use_bias), INPUTS, training=None
            )


if __name__ == "__main__":
    tf.test.main()
