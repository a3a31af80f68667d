"""Examines the distances against slow formulas in float64 NumPy."""

import importlib.util
import subprocess
import sys
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import tfgan


def slow_fid(real, fake):
    """Heusel et al. 2017, eq. 6; Tr((S S')^(1/2)) = sum of root eigenvalues."""
    gap = real.mean(0) - fake.mean(0)
    ours, theirs = (np.atleast_2d(np.cov(x.T)) for x in (real, fake))
    eigenvalues = np.linalg.eigvals(ours @ theirs)
    roots = np.sqrt(np.maximum(eigenvalues.real, 0.0)).sum()
    return gap @ gap + np.trace(ours) + np.trace(theirs) - 2.0 * roots


def slow_kid(real, fake):
    """Binkowski et al. 2018, eq. 4: the unbiased estimate, pair by pair."""

    def kernel(a, b):
        return (sum(x * y for x, y in zip(a, b, strict=True)) / len(a) + 1) ** 3

    def within(rows):
        pairs = [
            kernel(rows[i], rows[j])
            for i in range(len(rows))
            for j in range(len(rows))
            if i != j
        ]
        return sum(pairs) / len(pairs)

    between = [kernel(a, b) for a in real for b in fake]
    return within(real) + within(fake) - 2 * sum(between) / len(between)


def slow_score(logits):
    """Salimans et al. 2016: exp(mean KL(p(y|x) || p(y)))."""
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    average = p.mean(0)
    total = 0.0
    for row in p:
        parts = zip(row, average, strict=True)
        total += sum(a * np.log(a / b) for a, b in parts if a)
    return np.exp(total / len(p))


def cloud(rows, width, seed, shift=0.0):
    """Draws correlated features."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(width, width))
    return rng.normal(size=(rows, width)) @ mix + shift


class FIDTest(parameterized.TestCase, tf.test.TestCase):
    """The Frechet distance is what its equation says."""

    @parameterized.parameters((40, 30, 5), (12, 9, 20), (200, 200, 8))
    def test_equals_the_slow_formula(self, count, other, width):
        real, fake = cloud(count, width, 0), cloud(other, width, 1, 0.5)
        expected = slow_fid(real, fake)
        self.assertAllClose(tfgan.fid(real, fake), expected, rtol=1e-6)

    def test_float32_features_are_measured_in_float64(self):
        real, fake = cloud(50, 6, 0) + 1000.0, cloud(50, 6, 1) + 1000.0
        real, fake = real.astype("float32"), fake.astype("float32")
        expected = slow_fid(real.astype("float64"), fake.astype("float64"))
        self.assertAllClose(tfgan.fid(real, fake), expected, rtol=1e-6)

    def test_shifted_copy_is_as_far_as_the_shift_is_long(self):
        real = cloud(60, 4, 0)
        shift = np.array([3.0, 0.0, -4.0, 0.0])  # |shift|^2 = 25
        self.assertAllClose(tfgan.fid(real, real + shift), 25.0, atol=1e-6)

    def test_stretched_cloud_by_hand(self):
        # One feature, variances 4 and 9: 4 + 9 - 2 sqrt(36) = 1.
        real = np.array([[-1.0], [1.0]]) * np.sqrt(2.0)
        fake = np.array([[-1.0], [1.0]]) * np.sqrt(4.5)
        self.assertAllClose(tfgan.fid(real, fake), 1.0, atol=1e-9)

    def test_laws(self):
        real, fake = cloud(30, 5, 0), cloud(25, 5, 1)
        order = np.random.default_rng(2).permutation(25)
        value = tfgan.fid(real, fake)
        self.assertAllClose(tfgan.fid(real, real), 0.0, atol=1e-6)
        self.assertAllClose(tfgan.fid(fake, real), value, rtol=1e-9)
        self.assertAllClose(tfgan.fid(real, fake[order]), value, rtol=1e-9)

    def test_one_picture_repeated_is_measured(self):
        # No spread at all: |m - m'|^2 + Tr S.
        real = cloud(30, 5, 0)
        fake = np.tile(real[:1], (7, 1))
        gap = real.mean(0) - real[0]
        expected = gap @ gap + np.trace(np.cov(real.T))
        self.assertAllClose(tfgan.fid(real, fake), expected, rtol=1e-6)


class KIDTest(parameterized.TestCase, tf.test.TestCase):
    """The kernel distance is what its equation says."""

    @parameterized.parameters((12, 12, 3), (15, 7, 4))
    def test_equals_the_double_loop(self, count, other, width):
        real, fake = cloud(count, width, 0), cloud(other, width, 1, 0.3)
        expected = slow_kid(real, fake)
        self.assertAllClose(tfgan.kid(real, fake), expected, rtol=1e-9)

    def test_blocks_are_averaged(self):
        # Blocks of equal rows are alike however rows are dealt out.
        real = np.tile([[1.0, 0.0]], (8, 1))
        fake = np.tile([[0.0, 2.0]], (8, 1))
        whole = tfgan.kid(real, fake)
        with mock.patch.object(tfgan, "BLOCK", 4):
            self.assertAllClose(tfgan.kid(real, fake), whole)
        # (1/2 + 1)^3 + (4/2 + 1)^3 - 2 (0 + 1)^3
        self.assertAllClose(whole, 3.375 + 27.0 - 2.0)

    def test_sorted_rows_are_dealt_evenly_into_blocks(self):
        # Two kinds of rows, sorted: unshuffled blocks would each hold one.
        real = np.repeat([[-3.0, 0.0], [3.0, 0.0]], 32, axis=0)
        with mock.patch.object(tfgan, "BLOCK", 32):
            first = tfgan.kid(real, real[::-1])
            again = tfgan.kid(real, real[::-1])
        self.assertEqual(first, again)
        self.assertLess(abs(first), 50.0)  # unshuffled: 2 * (5.5^3 + 3.5^3)

    def test_laws(self):
        real, fake = cloud(30, 5, 0), cloud(25, 5, 1)
        order = np.random.default_rng(2).permutation(25)
        value = tfgan.kid(real, fake)
        self.assertAllClose(tfgan.kid(fake, real), value, rtol=1e-9)
        self.assertAllClose(tfgan.kid(real, fake[order]), value, rtol=1e-9)

    def test_no_bias_between_samples_of_one_distribution(self):
        values = [
            tfgan.kid(*np.random.default_rng(s).normal(size=(2, 20, 4)))
            for s in range(60)
        ]
        error = np.std(values) / np.sqrt(len(values))
        self.assertLess(abs(np.mean(values)), 3.5 * error)
        self.assertLess(min(values), 0.0)


class InceptionScoreTest(tf.test.TestCase):
    """The classifier's score is what its equation says."""

    def test_equals_the_slow_formula(self):
        logits = cloud(40, 7, 0)
        expected = slow_score(logits)
        self.assertAllClose(tfgan.inception_score(logits), expected)
        order = np.random.default_rng(1).permutation(40)
        self.assertAllClose(tfgan.inception_score(logits[order]), expected)

    def test_bounds(self):
        self.assertAllClose(tfgan.inception_score(np.ones((9, 5))), 1.0)
        sure = np.tile(1000.0 * np.eye(5), (3, 1))
        self.assertAllClose(tfgan.inception_score(sure), 5.0)


class DoorTest(parameterized.TestCase, tf.test.TestCase):
    """TF-GAN comes in without upsetting anyone."""

    @parameterized.parameters(
        ([1.0, 2.0], "shape"),
        ([[1.0, 2.0]], "at least 2 rows"),
        ([[1.0], [2.0]], "3 and 1 features wide"),
        ([[0.0, 0.0, 0.0], [0.0, np.nan, 0.0]], "row 1 is not"),
    )
    def test_bad_features_give_a_sentence(self, fake, sentence):
        for measure in (tfgan.fid, tfgan.kid):
            with self.assertRaisesRegex(ValueError, sentence):
                measure(np.eye(3), fake)

    @parameterized.parameters("tensorflow_gan", "tf_keras")
    def test_missing_package_is_named(self, absent):
        find = importlib.util.find_spec

        def lame(name, *rest):
            return None if name == absent else find(name, *rest)

        tfgan._tfgan.cache_clear()
        with mock.patch.object(importlib.util, "find_spec", lame):
            with self.assertRaisesRegex(ImportError, absent.replace("_", "-")):
                tfgan.inception_score(np.eye(3))

    def test_no_false_packages_stay_behind(self):
        tfgan._tfgan.cache_clear()
        own = mock.sentinel.own
        with mock.patch.dict(sys.modules, {"tensorflow_gan.python": own}):
            before = dict(sys.modules)
            tfgan.inception_score(np.eye(3))
            left = {n: m for n, m in sys.modules.items() if "_gan" in n}
            self.assertEqual(left, {n: before[n] for n in left})
            self.assertIs(left["tensorflow_gan.python"], own)

    def test_room_opens_without_tfgan(self):
        code = (
            "import sys, keras_t2i.metrics.tfgan; "
            "sys.exit(any(n.startswith(('tensorflow_gan', "
            "'tensorflow_probability', 'tf_keras')) for n in sys.modules))"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    tf.test.main()
