"""Examines the kernel distance pair by pair."""

import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import kernel, tfgan


def slow_distance(real, fake, biased=False):
    """Binkowski et al. 2018: the mean over pairs, one at a time."""

    def similar(a, b):
        return (sum(x * y for x, y in zip(a, b, strict=True)) / len(a) + 1) ** 3

    def within(rows):
        pairs = [
            similar(rows[i], rows[j])
            for i in range(len(rows))
            for j in range(len(rows))
            if biased or i != j
        ]
        return sum(pairs) / len(pairs)

    between = [similar(a, b) for a in real for b in fake]
    return within(real) + within(fake) - 2 * sum(between) / len(between)


def cloud(rows, width, seed, shift=0.0):
    """Draws correlated features."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(width, width))
    return rng.normal(size=(rows, width)) @ mix + shift


class DistanceTest(parameterized.TestCase, tf.test.TestCase):
    """The mean over all pairs is what its equation says."""

    @parameterized.product(sizes=[(12, 12), (15, 7), (2, 9)], biased=[0, 1])
    def test_equals_the_double_loop(self, sizes, biased):
        real, fake = cloud(sizes[0], 3, 0), cloud(sizes[1], 3, 1, 0.3)
        found = kernel.distance(real, fake, biased=bool(biased))
        expected = slow_distance(real, fake, biased)
        self.assertAllClose(found, expected, rtol=1e-12)

    @parameterized.parameters(1, 2, 5, 29, 30)
    def test_rows_multiplied_at_once_change_nothing(self, rows):
        real, fake = cloud(30, 4, 0), cloud(21, 4, 1)
        for biased in (False, True):
            whole = kernel.distance(real, fake, biased=biased)
            with mock.patch.object(kernel, "_ROWS", rows):
                parts = kernel.distance(real, fake, biased=biased)
            self.assertAllClose(parts, whole, rtol=1e-12)

    def test_float32_is_measured_in_float64(self):
        real, fake = np.float32(cloud(40, 8, 0)), np.float32(cloud(40, 8, 1))
        found = kernel.distance(real, fake)
        wide = kernel.distance(np.float64(real), np.float64(fake))
        self.assertEqual(found, wide)

    def test_laws(self):
        real, fake = cloud(30, 5, 0), cloud(25, 5, 1)
        order = np.random.default_rng(2).permutation(25)
        turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 5)))
        value = kernel.distance(real, fake)
        for found in (
            kernel.distance(fake, real),
            kernel.distance(real, fake[order]),
            kernel.distance(real @ turn, fake @ turn),
        ):
            self.assertAllClose(found, value, rtol=1e-10)

    def test_set_beside_itself_by_hand(self):
        # Pairs with oneself count between the two, not within one of them.
        rows = np.array([[1.0, 0.0], [0.0, 2.0]])
        # Within: (0 + 1)^3; between: (1.5^3 + 3^3 + 2) / 4.
        expected = 2.0 - 2.0 * (3.375 + 27.0 + 2.0) / 4.0
        self.assertAllClose(kernel.distance(rows, rows), expected)
        self.assertAllClose(kernel.distance(rows, rows, biased=True), 0.0)

    def test_constant_sets_by_hand(self):
        real = np.tile([[1.0, 0.0]], (8, 1))
        fake = np.tile([[0.0, 2.0]], (6, 1))
        expected = 1.5**3 + 3.0**3 - 2.0
        for biased in (False, True):
            found = kernel.distance(real, fake, biased=biased)
            self.assertAllClose(found, expected)

    def test_no_bias_between_samples_of_one_distribution(self):
        draws = [
            np.random.default_rng(s).normal(size=(2, 20, 4)) for s in range(60)
        ]
        values = [kernel.distance(*draw) for draw in draws]
        error = np.std(values) / np.sqrt(len(values))
        self.assertLess(abs(np.mean(values)), 3.5 * error)
        self.assertLess(min(values), 0.0)
        with_bias = [kernel.distance(*draw, biased=True) for draw in draws]
        self.assertGreater(min(with_bias), 0.0)

    @parameterized.parameters(
        ([1.0, 2.0], "shape"),
        ([[1.0, 2.0, 3.0]], "at least 2 rows"),
        ([[1.0], [2.0]], "3 and 1 features wide"),
        ([[0.0, 0.0, 0.0], [0.0, np.nan, 0.0]], "fake must .* row 1 is not"),
    )
    def test_bad_features_give_a_sentence(self, fake, sentence):
        for measure in (
            kernel.distance,
            kernel.over_blocks,
            kernel.over_subsets,
        ):
            with self.assertRaisesRegex(ValueError, sentence):
                measure(np.eye(3), fake)


class SubsetsTest(parameterized.TestCase, tf.test.TestCase):
    """Draws are keyed, without replacement, and averaged."""

    def test_given_draws_are_measured_and_averaged(self):
        real, fake = cloud(30, 4, 0), cloud(20, 4, 1)
        rng = np.random.default_rng(2)
        one = [rng.choice(30, 9, replace=False) for _ in range(5)]
        two = [rng.choice(20, 9, replace=False) for _ in range(5)]
        values = [
            slow_distance(real[a], fake[b])
            for a, b in zip(one, two, strict=True)
        ]
        mean, std = kernel.over_subsets(real, fake, drawn=(one, two))
        self.assertAllClose(mean, np.mean(values), rtol=1e-10)
        self.assertAllClose(std, np.std(values), rtol=1e-10)

    def test_draws_are_without_replacement_and_differ(self):
        seen = []

        def spy(real, fake):
            seen.append((real[:, 0], fake[:, 0]))
            return 0.0

        real, fake = np.arange(40.0)[:, None], np.arange(100.0, 130.0)[:, None]
        with mock.patch.object(kernel, "_distance", spy):
            kernel.over_subsets(real, fake, subsets=6, size=25)
        self.assertLen(seen, 6)
        for drawn in seen:
            for rows in drawn:
                self.assertLen(set(rows), 25)
        self.assertLen({tuple(rows) for rows, _ in seen}, 6)
        self.assertLen({tuple(rows) for _, rows in seen}, 6)
        self.assertNotAllEqual(seen[0][0] + 100.0, seen[0][1])

    def test_draws_of_all_rows_are_the_whole(self):
        real, fake = cloud(20, 4, 0), cloud(20, 4, 1)
        mean, std = kernel.over_subsets(real, fake, subsets=3, size=20)
        self.assertAllClose(mean, kernel.distance(real, fake), rtol=1e-10)
        self.assertAllClose(std, 0.0, atol=1e-10)

    def test_one_seed_one_answer_near_the_whole(self):
        real, fake = cloud(200, 4, 0), cloud(150, 4, 1, 0.5)
        settings = {"subsets": 60, "size": 50}
        mean, std = kernel.over_subsets(real, fake, **settings)
        self.assertEqual(
            (mean, std), kernel.over_subsets(real, fake, **settings)
        )
        other, _ = kernel.over_subsets(real, fake, **settings, seed=1)
        self.assertNotEqual(mean, other)
        whole = kernel.distance(real, fake)
        self.assertLess(abs(mean - whole), 4.0 * std / np.sqrt(60))

    @parameterized.parameters(1, 21, 1000)
    def test_draws_of_too_few_or_too_many_rows_are_refused(self, size):
        with self.assertRaisesRegex(ValueError, f"{size:,} rows .* 30 and 20"):
            kernel.over_subsets(cloud(30, 2, 0), cloud(20, 2, 1), size=size)


class BlocksTest(parameterized.TestCase, tf.test.TestCase):
    """Blocks are dealt as TF-GAN deals them."""

    @parameterized.parameters(
        (40, 40, 2048),
        (41, 37, 16),
        (41, 37, 9),
        (90, 17, 16),
        (17, 90, 16),
        (3, 2, 2048),
    )
    def test_equals_tfgan(self, count, other, block):
        real, fake = cloud(count, 5, 0), cloud(other, 5, 1, 0.3)
        with mock.patch.object(tfgan, "BLOCK", block):
            expected = tfgan.kid(real, fake, seed=4)
        found = kernel.over_blocks(real, fake, seed=4, block=block)
        self.assertAllClose(found, expected, rtol=1e-10)

    def test_one_block_is_the_whole(self):
        real, fake = cloud(30, 4, 0), cloud(20, 4, 1)
        found = kernel.over_blocks(real, fake)
        self.assertAllClose(found, kernel.distance(real, fake), rtol=1e-12)

    def test_blocks_of_one_row_are_refused_on_both_sides(self):
        real, fake = cloud(50, 2, 0), cloud(9, 2, 1)
        told = "50 rows make 5 blocks of 10 .* one has 9"
        with self.assertRaisesRegex(ValueError, told):
            kernel.over_blocks(real, fake, block=10)
        with mock.patch.object(tfgan, "BLOCK", 10):
            with self.assertRaisesRegex(ValueError, told):
                tfgan.kid(real, fake)


class StoredTest(tf.test.TestCase):
    """Features that clean-fid keeps are read."""

    def setUp(self):
        super().setUp()
        folder = tempfile.mkdtemp(dir=self.get_temp_dir())
        self.path = pathlib.Path(folder) / "some_kid.npz"

    def test_features_come_back(self):
        rows = np.float32(cloud(9, 4, 0))
        np.savez_compressed(self.path, feats=rows)
        self.assertAllEqual(kernel.stored(self.path), rows)

    def test_other_files_give_a_sentence(self):
        np.savez(self.path, mu=np.zeros(2), sigma=np.eye(2))
        with self.assertRaisesRegex(ValueError, "no feats; mean and cov"):
            kernel.stored(self.path)
        np.savez(self.path, feats=[[0.0], [np.inf]])
        with self.assertRaisesRegex(ValueError, "some_kid.npz .* row 1 is not"):
            kernel.stored(self.path)
        with self.assertRaisesRegex(OSError, "none.npz"):
            kernel.stored(self.path.with_name("none.npz"))


if __name__ == "__main__":
    tf.test.main()
