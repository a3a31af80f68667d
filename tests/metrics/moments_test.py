"""Examines moments and their distance against slow and closed formulas."""

import contextlib
import importlib.util
import pathlib
import sys
import tempfile
import types
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import moments, tfgan
from keras_t2i.metrics.moments import Moments, frechet_distance


def cloud(rows, width, seed, shift=0.0, decay=0.0):
    """Draws correlated features; their spreads fall as k^-decay."""
    rng = np.random.default_rng(seed)
    mix, _ = np.linalg.qr(rng.normal(size=(width, width)))
    spreads = np.arange(1, width + 1.0) ** -decay
    return (rng.normal(size=(rows, width)) * spreads) @ mix + shift


def slow_moments(rows):
    """Mean and covariance, one pair of features at a time."""
    count, width = rows.shape
    mean = [sum(rows[:, i]) / count for i in range(width)]
    covariance = np.empty((width, width))
    for i in range(width):
        for j in range(width):
            parts = [(x[i] - mean[i]) * (x[j] - mean[j]) for x in rows]
            covariance[i, j] = sum(parts) / (count - 1)
    return np.array(mean), covariance


def slow_distance(real, fake):
    """Heusel et al. 2017, eq. 6; Tr((S S')^(1/2)) = sum of root eigenvalues."""
    gap = real.mean(0) - fake.mean(0)
    ours, theirs = (np.atleast_2d(np.cov(x.T)) for x in (real, fake))
    roots = np.sqrt(np.linalg.eigvals(ours @ theirs).astype(complex)).real
    return gap @ gap + np.trace(ours) + np.trace(theirs) - 2.0 * roots.sum()


def distance(real, fake):
    """Measures two tables."""
    return frechet_distance(Moments.of(real), Moments.of(fake))


def folder(test):
    """Makes an empty folder."""
    return pathlib.Path(tempfile.mkdtemp(dir=test.get_temp_dir()))


class MomentsTest(parameterized.TestCase, tf.test.TestCase):
    """Mean and covariance are what their definition says."""

    @parameterized.parameters((2, 3), (9, 4), (40, 1))
    def test_equal_the_double_loop(self, count, width):
        rows = cloud(count, width, 0, 3.0)
        found = Moments.of(rows)
        mean, covariance = slow_moments(rows)
        self.assertAllClose(found.mean, mean, rtol=1e-12)
        self.assertAllClose(found.covariance, covariance, atol=1e-12)
        self.assertEqual((found.count, found.width), (count, width))
        self.assertEqual(found.covariance.dtype, np.float64)

    @parameterized.parameters(1, 2, 7, 49, 100)
    def test_size_of_batches_changes_no_bit(self, size):
        rows = np.float32(cloud(100, 5, 0))
        with mock.patch.object(moments, "_BLOCK", 16):
            whole, parts, looked_at = Moments.of(rows), Moments(), []
            for start in range(0, 100, size):
                parts.add(rows[start : start + size])
                looked_at.append(parts.mean)  # which changes nothing either
                looked_at.append(parts.count > 1 and parts.covariance)
        self.assertAllEqual(parts.mean, whole.mean)
        self.assertAllEqual(parts.covariance, whole.covariance)

    def test_order_of_rows_changes_nothing(self):
        rows = np.sort(cloud(300, 5, 0), axis=0)
        order = np.random.default_rng(1).permutation(300)
        with mock.patch.object(moments, "_BLOCK", 32):
            one, two = Moments.of(rows), Moments.of(rows[order])
        self.assertAllClose(one.mean, two.mean, atol=1e-14)
        self.assertAllClose(one.covariance, two.covariance, atol=1e-13)

    def test_far_from_zero_no_digits_are_lost(self):
        # Eighths up to 100 stand exactly beside a million.
        rng = np.random.default_rng(0)
        small = rng.integers(0, 800, (500, 4)) / 8.0
        expected = np.cov(small.T)
        with mock.patch.object(moments, "_BLOCK", 64):
            found = Moments.of(small + 2.0**20 * np.arange(1, 5))
        self.assertAllClose(found.covariance, expected, rtol=1e-13)

    def test_kind_that_drifts_away_is_measured(self):
        drift = np.linspace(0.0, 1e4, 400)[:, None]
        rows = cloud(400, 3, 0) + drift
        with mock.patch.object(moments, "_BLOCK", 10):
            found = Moments.of(rows)
        self.assertAllClose(found.covariance, np.cov(rows.T), rtol=1e-12)

    def test_odd_first_row_spoils_nothing(self):
        rows = cloud(400, 3, 0)
        rows[0] += [1e3, 1e6, 0.0]
        found = Moments.of(rows)
        self.assertAllClose(found.mean, rows.mean(0), rtol=1e-12)
        self.assertAllClose(found.covariance, np.cov(rows.T), rtol=1e-9)

    def test_constant_features_have_no_spread_at_all(self):
        rows = np.float32(cloud(50, 3, 0))
        rows[:, 1] = 0.1
        found = Moments.of(rows)
        self.assertAllEqual(found.covariance[1], np.zeros(3))
        self.assertAllEqual(found.mean[1], rows[0, 1])

    def test_whole_numbers_and_floats_of_any_size_are_taken(self):
        rows = np.random.default_rng(0).integers(0, 9, (20, 3))
        for dtype in ("int32", "float16", "float32", "float64"):
            found = Moments.of(rows.astype(dtype))
            self.assertAllClose(found.covariance, np.cov(rows.T), rtol=1e-13)

    def test_what_is_handed_out_or_in_is_a_copy(self):
        rows = cloud(10, 3, 0)
        found = Moments.of(rows)
        before = found.covariance
        rows[:] = 0.0
        found.mean[:] = 9.0
        found.covariance[:] = 9.0
        self.assertAllEqual(found.covariance, before)

    def test_parts_merge_to_the_whole(self):
        rows = cloud(90, 4, 0, 1e3)
        with mock.patch.object(moments, "_BLOCK", 16):
            whole = Moments.of(rows)
            one, two = Moments.of(rows[:37]), Moments.of(rows[37:])
            merged = one.merged(two)
            self.assertAllClose(merged.mean, whole.mean, rtol=1e-14)
            self.assertAllClose(merged.covariance, whole.covariance, rtol=1e-9)
            self.assertEqual((merged.count, one.count), (90, 37))
            merged.add(rows[:5])
            again = Moments.of(np.vstack([rows, rows[:5]]))
        self.assertAllClose(merged.covariance, again.covariance, rtol=1e-9)
        self.assertEqual((merged.count, one.count, two.count), (95, 37, 53))

    def test_nothing_merges_with_something(self):
        rows = cloud(9, 3, 0)
        for one, two in ((rows, rows[:0]), (rows[:0], rows)):
            merged = Moments.of(one).merged(Moments.of(two))
            self.assertAllEqual(merged.covariance, Moments.of(rows).covariance)
        self.assertEqual(Moments().merged(Moments()).count, 0)
        merged = Moments().merged(Moments.of(rows))
        merged.add(rows)
        self.assertEqual(merged.count, 18)

    @parameterized.parameters(
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros((2, 4)), "4 features wide; those before were 3"),
        ([[0.0, np.nan, 0.0]], "row 7 is not"),
        ([[0.0, 0.0, 0.0], [0.0, np.inf, 0.0]], "row 8 is not"),
    )
    def test_bad_rows_give_a_sentence_and_leave_no_trace(self, rows, sentence):
        found = Moments.of(cloud(7, 3, 0))
        before = found.covariance
        with self.assertRaisesRegex(ValueError, sentence):
            found.add(rows)
        self.assertAllEqual(found.covariance, before)
        self.assertEqual(found.count, 7)

    def test_too_few_rows_give_a_sentence_with_their_count(self):
        for rows in (np.zeros((0, 3)), np.zeros((1, 3))):
            with self.assertRaisesRegex(ValueError, f"got {len(rows)}"):
                _ = Moments.of(rows).covariance
            with self.assertRaisesRegex(ValueError, f"got {len(rows)}"):
                distance(np.eye(3), rows)
        with self.assertRaisesRegex(ValueError, "got 0"):
            _ = Moments().mean


class FilesTest(parameterized.TestCase, tf.test.TestCase):
    """Moments go into files and come out of those of others."""

    def setUp(self):
        super().setUp()
        self.path = folder(self) / "some.npz"

    def load(self, **arrays):
        np.savez(self.path, **arrays)
        return Moments.load(self.path)

    def test_saved_moments_come_back(self):
        rows = cloud(50, 6, 0, 2.0)
        Moments.of(rows).save(self.path)
        found = Moments.load(self.path)
        self.assertAllEqual(found.mean, Moments.of(rows).mean)
        self.assertAllClose(found.covariance, np.cov(rows.T), rtol=1e-13)
        self.assertEqual(found.count, 50)
        found.add(rows[:10])
        both = np.vstack([rows, rows[:10]])
        self.assertAllClose(found.covariance, np.cov(both.T), rtol=1e-12)

    def test_files_of_pytorch_fid_and_clean_fid_are_read(self):
        rows = cloud(50, 6, 0)
        mean, covariance = rows.mean(0), np.cov(rows, rowvar=False)
        np.savez_compressed(self.path, mu=mean, sigma=covariance)
        found = Moments.load(self.path)
        self.assertIsNone(found.count)
        self.assertAllEqual(found.mean, mean)
        self.assertAllEqual(found.covariance, covariance)
        self.assertLess(frechet_distance(found, Moments.of(rows)), 1e-12)
        found.save(self.path)
        self.assertIsNone(Moments.load(self.path).count)
        # What clean-fid keeps for its kernel distance.
        found = self.load(feats=np.float32(rows))
        self.assertEqual(found.count, 50)
        self.assertAllClose(found.covariance, covariance, rtol=1e-5)

    def test_covariance_of_float32_is_evened_out(self):
        covariance = np.float32(np.cov(cloud(50, 6, 0).T))
        covariance[0, 1] *= 1.0 + 1e-6
        found = self.load(mu=np.zeros(6), sigma=covariance)
        self.assertAllEqual(found.covariance, found.covariance.T)

    def test_nothing_is_added_to_moments_of_unknown_count(self):
        found = self.load(mu=np.zeros(2), sigma=np.eye(2))
        with self.assertRaisesRegex(ValueError, "does not say of how many"):
            found.add(np.zeros((3, 2)))
        with self.assertRaisesRegex(ValueError, "did not say"):
            found.merged(Moments.of(np.eye(2)))

    @parameterized.parameters(
        ({"mean": np.zeros(2)}, "neither mu and sigma nor feats"),
        ({"mu": np.zeros(2)}, "neither mu and sigma nor feats"),
        ({"mu": np.zeros(2), "sigma": np.eye(3)}, r"\(2,\) and \(3, 3\)"),
        ({"mu": np.zeros((2, 2)), "sigma": np.eye(2)}, r"\(2, 2\) and \(2"),
        ({"mu": np.zeros(2), "sigma": np.eye(2) * np.nan}, "not finite"),
        ({"mu": np.zeros(2), "sigma": [[1, 2], [0, 1]]}, "not symmetric"),
        ({"mu": np.zeros(2), "sigma": -np.eye(2)}, "negative variance"),
        ({"mu": np.zeros(2), "sigma": np.eye(2), "n": 1}, "n=1"),
        ({"mu": np.zeros(2), "sigma": np.eye(2), "n": [5]}, "n of .* shape"),
        ({"mu": ["a", "b"], "sigma": np.eye(2)}, "mu of .* type <U1"),
        ({"mu": np.array([{}, 0]), "sigma": np.eye(2)}, "plain arrays"),
    )
    def test_file_of_something_else_gives_a_sentence(self, arrays, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            self.load(**arrays)

    def test_file_that_cannot_be_read_is_named(self):
        with self.assertRaisesRegex(OSError, "some.npz"):
            Moments.load(self.path)
        self.path.write_bytes(b"PK\x03\x04 but no more")
        with self.assertRaisesRegex(ValueError, "some.npz is not an .npz"):
            Moments.load(self.path)


class FrechetDistanceTest(parameterized.TestCase, tf.test.TestCase):
    """The distance is what its equation says."""

    def known(self, mean, covariance):
        path = folder(self) / "known.npz"
        np.savez(path, mu=mean, sigma=covariance)
        return Moments.load(path)

    @parameterized.parameters(
        (40, 30, 5, 0.0),
        (200, 200, 8, 1.0),
        (150, 90, 20, 3.0),  # variances from 1 to 1e-8
        (700, 600, 128, 1.5),
        (12, 9, 20, 0.0),  # fewer rows than features
        (9, 300, 20, 1.0),
        (300, 9, 20, 1.0),
        (2, 2, 3, 0.0),
    )
    def test_equals_tfgan_and_the_slow_formula(
        self, count, other, width, decay
    ):
        # TF-GAN takes no root of eigenvalues below 1e-10, so they are scaled.
        real = 1e3 * cloud(count, width, 0, 0.0, decay)
        fake = 1e3 * cloud(other, width, 1, 0.5, decay)
        found = distance(real, fake)
        self.assertAllClose(found, tfgan.fid(real, fake), rtol=1e-6, atol=0)
        self.assertAllClose(found, slow_distance(real, fake), rtol=1e-6, atol=0)

    def test_equals_tfgan_on_features_like_those_of_networks(self):
        rng = np.random.default_rng(0)
        layer = rng.normal(size=(8, 64))
        real, fake = (
            np.maximum(rng.normal(m, 1.0, (n, 8)) @ layer, 0.0)
            for n, m in ((400, 0.0), (300, 0.1))
        )
        found = distance(real, fake)
        self.assertAllClose(found, tfgan.fid(real, fake), rtol=1e-6, atol=0)

    @parameterized.parameters((40, 30, 64), (40, 400, 64), (65, 66, 64))
    def test_low_rank_is_as_exact_as_the_features_allow(self, n, m, width):
        # The root's trace is the sum of singular values of X Y^T, centred.
        real, fake = cloud(n, width, 0), cloud(m, width, 1, 0.2)
        x = (real - real.mean(0)) / np.sqrt(n - 1)
        y = (fake - fake.mean(0)) / np.sqrt(m - 1)
        gap = real.mean(0) - fake.mean(0)
        root = np.linalg.svd(x @ y.T, compute_uv=False).sum()
        expected = gap @ gap + np.sum(x * x) + np.sum(y * y) - 2.0 * root
        self.assertAllClose(distance(real, fake), expected, rtol=1e-11)

    def test_normal_clouds_by_their_closed_form(self):
        # 2 x 2: Tr (S S')^(1/2) = (Tr S S' + 2 (det S S')^(1/2))^(1/2).
        ours, theirs = (
            np.array([[4.0, 1], [1, 3]]),
            np.array([[2.0, -1], [-1, 5]]),
        )
        product = ours @ theirs
        root = np.trace(product) + 2.0 * np.sqrt(np.linalg.det(product))
        expected = 25.0 + 7.0 + 7.0 - 2.0 * np.sqrt(root)
        found = frechet_distance(
            self.known(np.zeros(2), ours), self.known([3.0, -4.0], theirs)
        )
        self.assertAllClose(found, expected, rtol=1e-14)

    @parameterized.parameters(30, 100)
    def test_clouds_along_the_same_axes(self, width):
        # Sum of (sqrt a - sqrt b)^2, down to variances of 1e-14.
        rng = np.random.default_rng(0)
        axes, _ = np.linalg.qr(rng.normal(size=(width, width)))
        ours = 10.0 ** np.linspace(0, -14, width)
        theirs = ours * rng.uniform(0.5, 1.5, width)
        found = frechet_distance(
            *(
                self.known(np.zeros(width), (axes * v) @ axes.T)
                for v in (ours, theirs)
            )
        )
        expected = np.sum((np.sqrt(ours) - np.sqrt(theirs)) ** 2)
        self.assertAllClose(found, expected, rtol=1e-6, atol=0)

    def test_two_lines_by_hand(self):
        # S = u u^T and S' = v v^T: |u|^2 + |v|^2 - 2 |u.v|.
        u, v = np.array([3.0, 0.0, 4.0, 0.0]), np.array([0.0, 5.0, 12.0, 0.0])
        pair = np.array([[1.0], [-1.0]]) / np.sqrt(2.0)
        self.assertAllClose(distance(pair * u, pair * v), 25.0 + 169.0 - 96.0)
        self.assertAllClose(distance(pair * u, pair * -u), 0.0, atol=1e-14)

    @parameterized.parameters(
        (400, 30, 0.0), (30, 60, 0.0), (500, 60, 4.0), (3, 50, 1.0)
    )
    def test_set_is_at_no_distance_from_itself(self, count, width, decay):
        rows = 10.0 * cloud(count, width, 0, 3.0, decay)
        found = distance(rows, rows)
        self.assertBetween(found, 0.0, 1e-10)

    def test_laws(self):
        real, fake = cloud(60, 9, 0, decay=1.0), cloud(45, 9, 1, 0.3, 1.0)
        value = distance(real, fake)
        order = np.random.default_rng(2).permutation(45)
        turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(9, 9)))
        padded = [
            np.pad(x, ((0, 0), (2, 3)), constant_values=7.0)
            for x in (real, fake)
        ]
        for found in (
            distance(fake, real),
            distance(real, fake[order]),
            distance(real @ turn, fake @ turn),
            distance(real + 100.0, fake + 100.0),
            distance(3.0 * real, 3.0 * fake) / 9.0,
            distance(*padded),
        ):
            self.assertAllClose(found, value, rtol=1e-9)

    def test_shifted_copy_is_as_far_as_the_shift_is_long(self):
        real = cloud(60, 4, 0)
        found = distance(real, real + [3.0, 0.0, -4.0, 0.0])
        self.assertAllClose(found, 25.0, rtol=1e-12)

    def test_one_picture_repeated_is_measured(self):
        # No spread at all: |m - m'|^2 + Tr S.
        real = cloud(30, 5, 0)
        fake = np.tile(real[:1], (7, 1))
        gap = real.mean(0) - real[0]
        expected = gap @ gap + np.trace(np.cov(real.T))
        self.assertAllClose(distance(real, fake), expected, rtol=1e-12)
        self.assertEqual(distance(fake, fake), 0.0)

    def test_clouds_in_different_features_share_nothing(self):
        real, fake = np.zeros((9, 4)), np.zeros((8, 4))
        real[:, :2], fake[:, 2:] = cloud(9, 2, 0), cloud(8, 2, 1)
        gap = real.mean(0) - fake.mean(0)
        traces = np.trace(np.cov(real.T)) + np.trace(np.cov(fake.T))
        self.assertAllClose(distance(real, fake), gap @ gap + traces)

    def test_few_rows_at_once_are_as_far_as_row_by_row(self):
        random = np.random.RandomState(0)
        few, more = random.normal(size=(7, 9)), random.normal(size=(5, 9))
        real = moments.Moments.of(random.normal(size=(40, 9)))
        slow = moments.Moments()
        for row in few:
            slow.add(row[None])
        at_once = moments.Moments.of(few)
        before = moments.frechet_distance(real, at_once)
        self.assertAllClose(before, moments.frechet_distance(real, slow), 1e-10)
        for each in (slow, at_once):  # What was found before is forgotten.
            each.add(more)
        after = moments.frechet_distance(real, at_once)
        self.assertAllClose(after, moments.frechet_distance(real, slow), 1e-10)
        self.assertNotAllClose(before, after, 1e-3)

    def test_fast_way_and_sure_way_agree(self):
        real, fake = cloud(300, 40, 0, decay=1.0), cloud(300, 40, 1, decay=1.0)
        with mock.patch.object(moments, "_NEAR", -1.0):
            sure = distance(real, fake)
        with mock.patch.object(np.linalg, "svd", side_effect=AssertionError):
            fast = distance(real, fake)
        self.assertAllClose(fast, sure, rtol=1e-12)

    @parameterized.parameters(True, False)
    def test_matrices_are_taken_apart_by_one_thread(self, is_installed):
        threads, seen, eigvalsh = [2], [], np.linalg.eigvalsh

        @contextlib.contextmanager
        def limits(count, user_api):
            self.assertEqual(user_api, "blas")
            threads.append(count)
            yield
            threads.pop()

        def spy(matrix):
            seen.append(threads[-1])
            return eigvalsh(matrix)

        library = types.SimpleNamespace(threadpool_limits=limits)
        found = {"threadpoolctl": library} if is_installed else {}
        with (
            mock.patch.dict(sys.modules, found),
            mock.patch.object(importlib.util, "find_spec", found.get),
            mock.patch.object(np.linalg, "eigvalsh", spy),
        ):
            distance(cloud(20, 3, 0), cloud(20, 3, 1))
        self.assertEqual(seen, [1 if is_installed else 2])
        self.assertEqual(threads, [2])

    def test_different_widths_give_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "3 and 4 features wide"):
            distance(np.eye(3), np.eye(4))

    def test_covariance_that_is_none_gives_a_sentence(self):
        bad = self.known(np.zeros(2), [[1.0, 2.0], [2.0, 1.0]])
        with self.assertRaisesRegex(
            ValueError, "negative eigenvalue.* -1 and 3"
        ):
            frechet_distance(bad, Moments.of(np.eye(2)))


if __name__ == "__main__":
    tf.test.main()
