"""Doubling from corner to corner."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import CornerUpSampling


def matrix(size):
    """Writes down how an axis is doubled: row i holds what pixel i takes."""
    found = np.zeros((2 * size, size))
    for i in range(2 * size):
        place = i * (size - 1) / (2 * size - 1)
        low = min(int(place), size - 2)
        found[i, low] += 1.0 - (place - low)
        found[i, low + 1] += place - low
    return found


class CornerUpSamplingTest(tf.test.TestCase, parameterized.TestCase):
    """Beside two products of matrices."""

    @parameterized.product(size=(2, 4, 7), xla=(False, True))
    def test_equals_the_matrices_and_so_do_slopes(self, size, xla):
        draw = np.random.default_rng(size)
        x = draw.normal(size=(2, size, size, 3)).astype("float32")
        along = draw.normal(size=(2, 2 * size, 2 * size, 3)).astype("float32")
        layer = CornerUpSampling()

        @tf.function(jit_compile=xla)
        def play(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                found = layer(x)
                loss = tf.reduce_sum(found * along)
            return found, tape.gradient(loss, x)

        found, slope = play(tf.constant(x))
        way = matrix(size)
        expected = np.einsum("ih,jw,bhwc->bijc", way, way, x)
        self.assertAllClose(found, expected, atol=1e-5)
        expected = np.einsum("ih,jw,bijc->bhwc", way, way, along)
        self.assertAllClose(slope, expected, atol=1e-5)

    def test_corners_stay(self):
        x = np.random.default_rng(0).normal(size=(1, 4, 4, 1))
        found = CornerUpSampling()(x.astype("float32"))
        self.assertAllClose(found[:, ::7, ::7], x[:, ::3, ::3], atol=1e-6)

    def test_shape_is_known_before(self):
        x = keras.Input((4, 4, 5))
        self.assertEqual(CornerUpSampling()(x).shape, (None, 8, 8, 5))

    def test_answers_in_its_own_type(self):
        layer = CornerUpSampling(dtype="mixed_bfloat16")
        found = layer(np.ones((1, 2, 2, 1), "float32"))
        self.assertEqual(found.dtype, tf.bfloat16)


if __name__ == "__main__":
    tf.test.main()
