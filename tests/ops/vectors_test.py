"""Angles between vectors of any length, none at all included."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import vectors


def drawn(*shape, seed=0):
    """Draws normal numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


class VectorsTest(tf.test.TestCase, parameterized.TestCase):
    """Units and cosines against slow loops."""

    def test_cosines_are_those_of_every_pair(self):
        one, other = drawn(3, 5), drawn(4, 5, seed=1)
        found = vectors.cosines(one, other)
        self.assertEqual(found.shape, (3, 4))
        for row, column in np.ndindex(3, 4):
            a, b = np.float64(one[row]), np.float64(other[column])
            angle = np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))
            self.assertAllClose(found[row, column], angle, rtol=1e-5)

    def test_length_does_not_matter(self):
        one, other = drawn(3, 5), drawn(4, 5, seed=1)
        scales = np.float32([[1e-6], [1.0], [1e6]])
        self.assertAllClose(
            vectors.cosines(scales * one, 7.0 * other),
            vectors.cosines(one, other),
        )

    def test_units_keep_their_directions(self):
        units = vectors.unit(tf.constant(drawn(2, 3, 4)))
        self.assertAllClose(tf.norm(units, axis=-1), np.ones((2, 3)))
        self.assertAllClose(vectors.unit(units), units)

    @parameterized.parameters(0.0, 1e-10)
    def test_vectors_of_no_length_have_no_direction_and_no_slope(self, size):
        one = tf.constant([[size, 0.0], [3.0, 4.0]])
        with tf.GradientTape() as tape:
            tape.watch(one)
            units = vectors.unit(one)
        self.assertAllClose(units, [[0.0, 0.0], [0.6, 0.8]])
        slope = tape.gradient(units, one)
        self.assertAllEqual(slope[0], [0.0, 0.0])
        expected = [1 / 5 - 7 * x / 5**3 for x in (3, 4)]
        self.assertAllClose(slope[1], expected)

    @parameterized.parameters(
        (("bfloat16", "bfloat16"), "float32"),
        (("float16", "float32"), "float32"),
        (("float32", "float64"), "float64"),
    )
    def test_precision_is_one_and_at_least_single(self, given, expected):
        tensors = [tf.ones((2, 2), dtype) for dtype in given]
        for each in vectors.widened(*tensors):
            self.assertEqual(each.dtype, expected)
        self.assertEqual(vectors.cosines(*tensors).dtype, expected)


if __name__ == "__main__":
    tf.test.main()
