"""A kink beside Keras's own."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import Leaky


def played(layer, x, along, xla=False):
    """Bends, and goes down twice through a map's square.

    Returns:
        Answers, slopes, and slopes of the length of slopes by x and along.
    """

    @tf.function(jit_compile=xla)
    def play(x, along):
        with tf.GradientTape() as outer:
            outer.watch([x, along])
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = layer(x)
                loss = tf.reduce_sum(y * y * along)
            slope = inner.gradient(loss, x)
            length = tf.reduce_sum(slope * slope)
        return y, slope, outer.gradient(length, [x, along])

    return play(x, along)


class LeakyTest(tf.test.TestCase, parameterized.TestCase):
    """The same numbers from less."""

    @parameterized.product(
        dtype=("float32", "bfloat16", "float16"), xla=(False, True)
    )
    def test_equals_keras_up_to_second_order(self, dtype, xla):
        draw = np.random.default_rng(1)
        x = draw.normal(size=(3, 4, 4, 5))
        x[0, 0, 0] = [0.0, -0.0, 1e-7, -1e-7, -6e-8]  # float16's least is 6e-8.
        x = tf.cast(x, dtype)
        along = tf.cast(draw.normal(size=x.shape), dtype)
        expected = played(
            keras.layers.LeakyReLU(0.2, dtype=dtype), x, along, xla
        )
        found = played(Leaky(0.2, dtype=dtype), x, along, xla)
        self.assertAllEqual(found[0], expected[0])
        self.assertAllEqual(found[1], expected[1])
        self.assertAllClose(found[2], expected[2], rtol=1e-6, atol=0.0)
        self.assertGreater(np.ptp(np.float32(found[2][0])), 1.0)

    def test_keeps_no_map_that_came_in(self):
        seen = []

        @tf.function
        def play(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                seen.append(tf.tanh(x))
                y = Leaky(0.2)(seen[0])
                z = y * y
            return tape.gradient(z, x)

        graph = play.get_concrete_function(tf.TensorSpec((2, 3))).graph
        readers = [op.type for op in seen[0].consumers()]
        self.assertNotIn("LeakyReluGrad", readers)
        backward = [op for op in graph.get_operations() if "Leaky" in op.type]
        self.assertLen(backward, 2)

    def test_comes_back_from_its_config(self):
        layer = Leaky(0.3, name="bend", dtype="mixed_bfloat16")
        again = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        )
        self.assertIsInstance(again, Leaky)
        self.assertEqual(again.get_config(), layer.get_config())
        self.assertEqual(again(np.ones(2, "float32")).dtype, tf.bfloat16)

    @parameterized.parameters(0.0, -0.1)
    def test_refuses_slopes_that_lose_signs(self, slope):
        with self.assertRaisesRegex(ValueError, f"negative_slope is {slope}"):
            Leaky(slope)


if __name__ == "__main__":
    tf.test.main()
