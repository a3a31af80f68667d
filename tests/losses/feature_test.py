"""Direct comparisons against slow loops."""

import numpy as np
import tensorflow as tf

from keras_t2i.losses import feature
from tests import harness


def drawn(*shape, seed=0):
    """Draws numbers in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def slopes(loss, *tensors):
    """Finds the slopes of a loss at its arguments."""
    tensors = [tf.constant(x) for x in tensors]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return tape.gradient(value, tensors)


class MatchingTest(tf.test.TestCase):
    """Feature matching."""

    def test_means_are_taken_before_the_square(self):
        fake, real = drawn(3, 2, 2, 4), drawn(3, 2, 2, 4, seed=1)
        gaps = []
        for place in np.ndindex(2, 2, 4):
            one = harness.mean(fake[(row, *place)] for row in range(3))
            two = harness.mean(real[(row, *place)] for row in range(3))
            gaps.append((one - two) ** 2)
        expected = harness.mean(gaps)
        self.assertAllClose(feature.matching(fake, real), expected, rtol=1e-5)

    def test_order_of_rows_changes_nothing(self):
        fake, real = drawn(4, 5), drawn(4, 5, seed=1)
        self.assertAllClose(
            feature.matching(fake, real), feature.matching(fake[::-1], real)
        )

    def test_real_pictures_are_not_drawn_to_the_fakes(self):
        fake, real = slopes(feature.matching, drawn(4, 5), drawn(4, 5, seed=1))
        self.assertGreater(np.abs(fake).max(), 0.0)
        self.assertIsNone(real)

    def test_half_precision_is_widened(self):
        fake = tf.cast(drawn(4, 5), tf.bfloat16)
        loss = feature.matching(fake, tf.zeros_like(fake))
        self.assertEqual(loss.dtype, tf.float32)
        expected = np.square(np.float32(fake).mean(0)).mean()
        self.assertAllClose(loss, expected, rtol=1e-5)


class PerceptualTest(tf.test.TestCase):
    """Features of each fake and its picture."""

    def test_squares_of_differences_are_averaged(self):
        fake, real = drawn(3, 2, 2, 4), drawn(3, 2, 2, 4, seed=1)
        gaps = [(a - b) ** 2 for a, b in zip(fake.flat, real.flat, strict=True)]
        found = feature.perceptual(fake, real)
        self.assertAllClose(found, harness.mean(gaps), rtol=1e-5)

    def test_order_of_rows_matters(self):
        fake, real = drawn(4, 5), drawn(4, 5, seed=1)
        self.assertNotAllClose(
            feature.perceptual(fake, real), feature.perceptual(fake[::-1], real)
        )

    def test_real_pictures_are_not_drawn_to_the_fakes(self):
        fake, real = slopes(
            feature.perceptual, drawn(4, 5), drawn(4, 5, seed=1)
        )
        self.assertGreater(np.abs(fake).max(), 0.0)
        self.assertIsNone(real)

    def test_half_precision_is_widened(self):
        ones = tf.ones((2, 4), tf.bfloat16)
        self.assertEqual(feature.perceptual(ones, -ones).dtype, tf.float32)


class PixelTest(tf.test.TestCase):
    """Absolute differences."""

    def test_differences_are_averaged(self):
        fake, real = drawn(2, 3, 3, 3), drawn(2, 3, 3, 3, seed=1)
        gaps = [abs(a - b) for a, b in zip(fake.flat, real.flat, strict=True)]
        self.assertAllClose(feature.pixel(fake, real), harness.mean(gaps))

    def test_opposite_pictures_are_two_apart(self):
        ones = tf.ones((2, 4, 4, 3))
        self.assertAllClose(feature.pixel(ones, -ones), 2.0)
        self.assertAllClose(feature.pixel(ones, ones), 0.0)

    def test_half_precision_is_widened(self):
        ones = tf.ones((2, 4, 4, 3), tf.bfloat16)
        self.assertEqual(feature.pixel(ones, -ones).dtype, tf.float32)


if __name__ == "__main__":
    tf.test.main()
