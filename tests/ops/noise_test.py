"""Draws depend on their key alone."""

import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import noise
from tests import harness

DRAWS = [
    ("normal", lambda key: noise.normal(key, (3, 4))),
    ("uniform", lambda key: noise.uniform(key, (3, 4))),
    (
        "integers",
        lambda key: noise.uniform(key, (3, 4), 0, 1000, dtype="int64"),
    ),
    ("permutation", lambda key: noise.permutation(key, 50)),
    ("truncated", lambda key: noise.truncated_normal(key, (3, 4), 1.0)),
]


class KeyTest(tf.test.TestCase, parameterized.TestCase):
    """Seed, move and salt each count, and nothing else."""

    def test_keys_differ_in_each_part(self):
        keys = {
            tuple(np.array(noise.key(seed, move, salt)))
            for seed in (0, 1, -5)
            for move in (0, 1, 2**40)
            for salt in ("", "judge", "persuade")
        }
        self.assertLen(keys, 27)

    def test_seed_and_move_do_not_change_places(self):
        self.assertNotAllEqual(noise.key(1, 2, "a"), noise.key(2, 1, "a"))

    @parameterized.named_parameters(DRAWS)
    def test_same_key_same_numbers(self, draw):
        first, again = draw(noise.key(3, 7, "a")), draw(noise.key(3, 7, "a"))
        self.assertAllEqual(first, again)
        self.assertNotAllEqual(first, draw(noise.key(3, 7, "b")))

    @parameterized.named_parameters(DRAWS)
    def test_graphs_draw_what_eager_code_draws(self, draw):
        @tf.function
        def graph(move):
            return draw(noise.key(3, move, "a"))

        self.assertAllEqual(
            graph(tf.constant(7, tf.int64)), draw(noise.key(3, 7, "a"))
        )

    def test_hidden_generators_change_nothing(self):
        before = noise.normal(noise.key(3), (4,))
        tf.random.set_seed(99)
        tf.random.normal((10,))
        self.assertAllEqual(before, noise.normal(noise.key(3), (4,)))

    def test_another_process_draws_the_same(self):
        code = (
            "from keras_t2i.ops import noise; "
            "print(noise.normal(noise.key(3, 7, 'a'), (4,)).numpy().tobytes()"
            ".hex())"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code],
            env=harness.child_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        ours = noise.normal(noise.key(3, 7, "a"), (4,)).numpy()
        self.assertEqual(answer.stdout.strip(), ours.tobytes().hex())


class DistributionTest(tf.test.TestCase, parameterized.TestCase):
    """Numbers are spread as they should be."""

    COUNT = 20000

    def test_normal_has_mean_zero_and_variance_one(self):
        draw = np.array(noise.normal(noise.key(0), (self.COUNT,)))
        self.assertAllClose(draw.mean(), 0.0, atol=0.03)
        self.assertAllClose(draw.var(), 1.0, atol=0.04)
        self.assertAllClose((np.abs(draw) < 1.0).mean(), 0.6827, atol=0.02)

    def test_uniform_fills_its_range_evenly(self):
        draw = noise.uniform(noise.key(0), (self.COUNT,), -2.0, 3.0)
        self.assertAllInRange(draw, -2.0, 3.0)
        counts, _ = np.histogram(draw, bins=5, range=(-2.0, 3.0))
        self.assertAllClose(counts / self.COUNT, [0.2] * 5, atol=0.02)

    def test_integers_reach_every_value_below_the_bound(self):
        draw = noise.uniform(noise.key(0), (200,), 2, 6, dtype="int32")
        self.assertEqual(set(np.array(draw)), {2, 3, 4, 5})

    @parameterized.parameters(0, 1, 2, 1000)
    def test_permutation_holds_each_number_once(self, size):
        order = noise.permutation(noise.key(4), size)
        self.assertEqual(order.dtype, tf.int64)
        self.assertAllEqual(np.sort(order), np.arange(size))

    def test_every_permutation_is_as_likely(self):
        orders = [
            tuple(np.array(noise.permutation(noise.key(0, move), 3)))
            for move in range(600)
        ]
        counts = [orders.count(order) for order in set(orders)]
        self.assertLen(counts, 6)
        self.assertAllInRange(counts, 60, 140)

    @parameterized.parameters(0.5, 1.0, 3.0)
    def test_truncated_numbers_follow_the_cut_bell(self, bound):
        draw = np.array(
            noise.truncated_normal(noise.key(0), (self.COUNT,), bound)
        )
        self.assertAllInRange(draw, -bound, bound)
        # The cut bell's variance by a sum over a fine grid.
        x = np.linspace(-bound, bound, 10001)
        bell = np.exp(-(x**2) / 2)
        variance = (x**2 * bell).sum() / bell.sum()
        self.assertAllClose(draw.var(), variance, rtol=0.04)
        self.assertAllClose(draw.mean(), 0.0, atol=0.03)


class RowsTest(tf.test.TestCase):
    """A latent row belongs to its seed."""

    def test_row_depends_on_its_seed_alone(self):
        together = noise.rows([7, 8, 7, 100], 4, 6)
        self.assertAllEqual(together[0], together[2])
        self.assertAllEqual(together[1:2], noise.rows([8], 1, 6))
        self.assertNotAllEqual(together[0], together[1])

    def test_one_seed_is_widened(self):
        self.assertAllEqual(noise.rows(5, 3, 6), noise.rows([5, 6, 7], 3, 6))

    def test_bound_holds(self):
        draw = noise.rows(0, 200, 6, bound=0.5)
        self.assertAllInRange(draw, -0.5, 0.5)
        self.assertEqual(draw.dtype, tf.float32)

    def test_rows_are_drawn_in_graphs_of_any_size(self):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
        def graph(seeds):
            return noise.rows(seeds, tf.shape(seeds)[0], 6)

        self.assertAllEqual(graph([4, 9]), noise.rows([4, 9], 2, 6))
        self.assertEqual(graph(tf.zeros([0], tf.int64)).shape, (0, 6))


if __name__ == "__main__":
    tf.test.main()
