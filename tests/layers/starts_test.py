"""Where weights start."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import starts

SHAPE = (200, 300)


def drawn(start):
    """Draws one kernel."""
    return np.array(start(SHAPE))


class StartsTest(tf.test.TestCase, parameterized.TestCase):
    """Means, deviations and bounds by the papers."""

    @parameterized.named_parameters(
        ("dcgan", starts.dcgan, 0.0), ("dcgan_scale", starts.dcgan_scale, 1.0)
    )
    def test_dcgan_starts_normal_with_deviation_002(self, start, mean):
        values = drawn(start())
        self.assertAllClose(values.mean(), mean, atol=5e-4)
        self.assertAllClose(values.std(), 0.02, rtol=0.02)
        near = (np.abs(values - mean) < 0.02).mean()
        self.assertAllClose(near, 0.6827, atol=0.01)

    def test_torch_linear_is_even_within_one_over_root_of_inputs(self):
        values = drawn(starts.torch_linear())
        bound = 1.0 / np.sqrt(SHAPE[0])
        self.assertAllInRange(values, -bound, bound)
        counts, _ = np.histogram(values, bins=4, range=(-bound, bound))
        self.assertAllClose(counts / values.size, [0.25] * 4, atol=0.01)

    @parameterized.named_parameters(
        ("even", lambda: starts.even(0.3), 0.3),
        ("torch_bias", lambda: starts.torch_bias(16), 0.25),
    )
    def test_even_starts_are_even_between_their_bounds(self, start, bound):
        values = drawn(start())
        self.assertAllInRange(values, -bound, bound)
        counts, _ = np.histogram(values, bins=4, range=(-bound, bound))
        self.assertAllClose(counts / values.size, [0.25] * 4, atol=0.01)

    @parameterized.parameters((200, 30), (30, 200), (3, 3, 4, 30))
    def test_orthogonal_keeps_lengths(self, *shape):
        values = np.array(starts.orthogonal()(shape))
        lengths = np.linalg.svd(values.reshape(-1, shape[-1]))[1]
        self.assertAllClose(lengths, np.ones_like(lengths), atol=1e-5)

    @parameterized.named_parameters(
        ("dcgan", starts.dcgan),
        ("dcgan_scale", starts.dcgan_scale),
        ("orthogonal", starts.orthogonal),
        ("torch_linear", starts.torch_linear),
        ("even", lambda: starts.even(0.1)),
    )
    def test_two_layers_start_apart(self, start):
        self.assertNotAllClose(drawn(start()), drawn(start()))


if __name__ == "__main__":
    tf.test.main()
