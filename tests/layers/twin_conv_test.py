"""The convolution of a map joined with itself."""

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.layers import TwinConv
from tests import harness

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(2, 5, 4, 3)).astype("float32")


class TwinConvTest(tf.test.TestCase):
    """Equals the two layers that it stands for."""

    def pair(self):
        """Builds it, and the two layers with the same weights."""
        inputs = keras.Input(INPUTS.shape[1:])
        joined = keras.layers.Concatenate()([inputs, inputs])
        conv = keras.layers.Conv2D(6, 3, padding="same", use_bias=False)
        plain = keras.Model(inputs, conv(joined))
        twin = TwinConv(6)
        twin.build(INPUTS.shape)
        weights = [RNG.normal(size=w.shape) for w in twin.weights]
        twin.set_weights(weights)
        plain.set_weights(weights)
        return twin, plain

    def test_answers_and_slopes_equal_those_of_the_two_layers(self):
        found = []
        for network in self.pair():
            inputs = tf.constant(INPUTS)
            with tf.GradientTape() as outer:
                outer.watch(inputs)
                with tf.GradientTape() as inner:
                    inner.watch(inputs)
                    answer = network(inputs)
                    loss = tf.reduce_sum(tf.tanh(0.1 * answer) ** 2)
                slope = inner.gradient(loss, inputs)
                steep = tf.reduce_sum(slope**2)
            weights = [w.value for w in network.trainable_weights]
            steeper = outer.gradient(steep, [inputs, *weights])
            found.append([answer, slope, *steeper])
        for one, other in zip(*found, strict=True):
            self.assertAllClose(one, other, rtol=1e-4, atol=1e-5)

    def test_starts_as_the_convolution_of_the_joined_map_would(self):
        keras.utils.set_random_seed(0)
        layer = TwinConv(6, "he_normal")
        layer.build(INPUTS.shape)
        keras.utils.set_random_seed(0)
        conv = keras.layers.Conv2D(6, 3, kernel_initializer="he_normal")
        conv.build((2, 5, 4, 6))
        self.assertAllEqual(layer.kernel, conv.kernel)

    def test_halves_are_added_before_they_are_rounded(self):
        layer = TwinConv(1, dtype="mixed_bfloat16")
        layer.build((1, 1, 1, 1))
        kernel = np.zeros((3, 3, 2, 1), "float32")
        kernel[1, 1] = [[1.0], [-1.0 + 2.0**-12]]
        layer.set_weights([kernel])
        found = layer(np.ones((1, 1, 1, 1), "float32"))
        self.assertEqual(float(found[0, 0, 0, 0]), 2.0**-12)

    def test_stands_the_examination_of_layers(self):
        harness.examine_layer(self, lambda: TwinConv(6), INPUTS, training=None)


if __name__ == "__main__":
    tf.test.main()
