"""The divergence of a condition, against sums, numbers and draws."""

import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.losses import latent
from tests import harness


def waves(shape, step, start):
    """Makes numbers that are easily made elsewhere."""
    return np.sin(step * np.arange(math.prod(shape)) + start).reshape(shape)


def drawn(seed=0):
    """Draws means and logarithms of variances, (4, 3) each."""
    return np.random.default_rng(seed).normal(size=(2, 4, 3)).astype("float32")


class DivergenceTest(tf.test.TestCase, parameterized.TestCase):
    """Kullback and Leibler's, to the standard normal distribution."""

    def test_equals_the_slow_sum(self):
        mean, spread = drawn()
        expected = harness.mean(
            0.5 * (m**2 + math.exp(s) - s - 1.0)
            for m, s in zip(mean.ravel(), spread.ravel(), strict=True)
        )
        found = latent.divergence(mean, spread)
        self.assertAllClose(found, expected, rtol=1e-6)

    def test_number_of_the_papers_code(self):
        mean, spread = waves((2, 3), 0.37, 0.0), waves((2, 3), 0.5, 1.0)
        self.assertAllClose(
            latent.divergence(mean, spread), 0.4462778472, rtol=1e-9
        )

    def test_equals_what_draws_tell(self):
        mean, deviation = 0.7, 0.5
        x = mean + deviation * np.random.default_rng(0).normal(size=1_000_000)
        # The mean of log p(x) - log q(x) over draws of p.
        log_p = -0.5 * ((x - mean) / deviation) ** 2 - math.log(deviation)
        expected = np.mean(log_p + 0.5 * x**2)
        found = latent.divergence([[mean]], [[2.0 * math.log(deviation)]])
        self.assertAllClose(found, expected, atol=2e-3)

    def test_standard_normal_is_no_way_off(self):
        zeros = np.zeros((2, 5), "float32")
        self.assertEqual(float(latent.divergence(zeros, zeros)), 0.0)

    def test_numbers_are_averaged_not_summed(self):
        mean, spread = drawn()
        twice = [np.concatenate([x, x], axis=1) for x in (mean, spread)]
        self.assertAllClose(
            latent.divergence(*twice), latent.divergence(mean, spread)
        )

    def test_slopes_are_those_of_differences(self):
        mean, spread = (tf.constant(x, tf.float64) for x in drawn())
        with tf.GradientTape() as tape:
            tape.watch((mean, spread))
            loss = latent.divergence(mean, spread)
        slopes = tape.gradient(loss, (mean, spread))
        count = mean.shape.num_elements()
        self.assertAllClose(slopes[0], mean / count)
        self.assertAllClose(slopes[1], 0.5 * (tf.exp(spread) - 1.0) / count)

    @parameterized.parameters("float16", "bfloat16")
    def test_half_precision_is_widened(self, dtype):
        mean, spread = (tf.cast(x, dtype) for x in drawn())
        found = latent.divergence(mean, spread)
        self.assertEqual(found.dtype, tf.float32)
        wide = [tf.cast(x, tf.float32) for x in (mean, spread)]
        self.assertAllClose(found, latent.divergence(*wide), rtol=1e-6)


if __name__ == "__main__":
    tf.test.main()
