"""Examines intervals and limits where the truth is known."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import inception_score, moments, subsamples
from keras_t2i.metrics.moments import Moments


def recorder(drawn, value=float):
    """Measures nothing and keeps the row numbers."""

    def measure(*rows):
        drawn.append(rows)
        return value(len(rows[0]))

    return measure


class IntervalTest(parameterized.TestCase, tf.test.TestCase):
    """Draws tell how much a figure varies."""

    def test_draws_are_without_replacement_sorted_and_differ(self):
        drawn = []
        subsamples.interval(recorder(drawn), 40, 31, share=0.25)
        (whole, whole_too), *rest = drawn
        self.assertAllEqual(whole, np.arange(40))
        self.assertAllEqual(whole_too, np.arange(31))
        self.assertLen(rest, 20)
        for one, two in rest:
            for rows, size, count in ((one, 10, 40), (two, 8, 31)):
                self.assertLen(set(rows), size)
                self.assertAllEqual(rows, np.sort(rows))
                self.assertBetween(max(rows), 0, count - 1)
        self.assertLen({tuple(one) for one, _ in rest}, 20)

    def test_one_seed_one_answer(self):
        table = np.random.default_rng(0).normal(size=90)

        def measured(seed):
            return subsamples.interval(
                lambda rows: table[rows].mean(), 90, seed=seed
            )

        self.assertAllEqual(measured(3).values, measured(3).values)
        self.assertNotAllEqual(measured(3).values, measured(4).values)

    @parameterized.parameters(0.2, 0.5, 0.8)
    def test_error_of_a_mean_is_the_known_one(self, share):
        # Its standard deviation is that of the rows over sqrt N.
        table = np.random.default_rng(0).normal(5.0, 2.0, 400)
        found = subsamples.interval(
            lambda rows: table[rows].mean(), 400, draws=200, share=share
        )
        self.assertAllClose(found.value, table.mean())
        expected = table.std(ddof=1) / np.sqrt(400)
        self.assertAllClose(found.error, expected, rtol=0.15)

    def test_interval_is_students(self):
        table = np.random.default_rng(0).normal(size=100)
        found = subsamples.interval(lambda rows: table[rows].mean(), 100)
        # t(0.975) with 19 degrees of freedom.
        reach = 2.0930240544 * found.values.std(ddof=1)
        self.assertAllClose(found.high - found.value, reach, rtol=1e-8)
        self.assertAllClose(found.value - found.low, reach, rtol=1e-8)
        two = subsamples.interval(lambda rows: table[rows].mean(), 100, draws=2)
        spread = two.values.std(ddof=1)
        self.assertAllClose(two.high - two.value, 12.7062047 * spread)

    def test_it_holds_the_truth_about_as_often_as_it_says(self):
        held = []
        for seed in range(40):
            table = np.random.default_rng(seed).normal(size=(60, 1))
            found = subsamples.interval(
                lambda rows, table=table: table[rows].var(ddof=1), 60, seed=seed
            )
            held.append(found.low <= 1.0 <= found.high)
        self.assertBetween(np.mean(held), 0.8, 1.0)

    def test_any_measure_will_do(self):
        logits = np.random.default_rng(0).normal(0.0, 3.0, (300, 5))
        found = subsamples.interval(
            lambda rows: inception_score.of_logits(logits[rows])[0], 300
        )
        self.assertAllClose(
            found.value, inception_score.of_logits(logits)[0], rtol=1e-12
        )
        self.assertBetween(found.value, found.low, found.high)

    @parameterized.parameters(
        ((3,), {}, "there are 3 rows"),
        ((9, 2), {}, "there are 9 and 2 rows"),
        ((9,), {"draws": 1}, "1 draws"),
        ((9,), {"share": 1.0}, "share of 1.0"),
        ((), {}, "4 rows or more"),
    )
    def test_bad_settings_give_a_sentence(self, counts, settings, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            subsamples.interval(recorder([]), *counts, **settings)

    def test_measure_that_is_no_number_gives_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "draw of 9 rows is nan"):
            subsamples.interval(recorder([], lambda _: np.nan), 9)


class LimitTest(parameterized.TestCase, tf.test.TestCase):
    """The line over 1 / count is found."""

    def test_measure_on_a_line_is_followed_to_its_end(self):
        drawn = []
        found = subsamples.limit(recorder(drawn, lambda n: 7.0 + 30.0 / n), 500)
        self.assertAllClose(found.value, 7.0, rtol=1e-10)
        self.assertAllClose(found.slope, 30.0, rtol=1e-8)
        self.assertLen(found.counts, 15)
        self.assertAllEqual(found.counts[[0, 1, -1]], [50, 82, 500])
        self.assertAllClose(found.values, 7.0 + 30.0 / found.counts)
        for (rows,), count in zip(drawn, found.counts, strict=True):
            self.assertLen(set(rows), count)
        self.assertNotAllEqual(drawn[1][0][:50], drawn[0][0])

    def test_counts_and_draws_are_as_asked(self):
        drawn = [], [], []
        for seed, rows in zip((1, 1, 2), drawn, strict=True):
            found = subsamples.limit(
                recorder(rows), 100, points=4, least=40, seed=seed
            )
            self.assertAllEqual(found.counts, [40, 60, 80, 100])
        for one, same, other in zip(*drawn, strict=True):
            self.assertAllEqual(one[0], same[0])
            if len(one[0]) < 100:
                self.assertNotAllEqual(one[0], other[0])

    @parameterized.parameters(
        (19, {}, "19 rows and the smallest count is 1"),
        (15, {"least": 2}, "15 rows"),
        (100, {"points": 1}, "1 counts"),
    )
    def test_too_few_rows_give_a_sentence(self, count, settings, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            subsamples.limit(recorder([]), count, **settings)


class FIDInfinityTest(parameterized.TestCase, tf.test.TestCase):
    """Bias of few pictures is taken off."""

    def test_limit_is_nearer_the_truth_than_the_distance(self):
        # Normal clouds a shift of length 2 apart: the truth is 4.
        rng = np.random.default_rng(0)
        real = Moments.of(rng.normal(size=(100_000, 16)))
        fake = rng.normal(0.5, 1.0, (600, 16))
        whole = moments.frechet_distance(real, Moments.of(fake))
        found = subsamples.fid_infinity(real, fake, least=100)
        self.assertAllClose(found.values[-1], whole, rtol=1e-10)
        self.assertGreater(found.slope, 0.0)
        # Every cloud's mean is off by chance, which no limit mends.
        gap = fake.mean(0) - real.mean
        truth = gap @ gap
        self.assertLess(abs(found.value - truth), abs(whole - truth) / 2.0)

    def test_bad_features_give_a_sentence(self):
        real = Moments.of(np.eye(3))
        with self.assertRaisesRegex(ValueError, "fake must .* row 2 is not"):
            subsamples.fid_infinity(real, [[0.0] * 3] * 2 + [[np.nan] * 3])
        with self.assertRaisesRegex(ValueError, "3 and 4 features wide"):
            subsamples.fid_infinity(real, np.zeros((90, 4)))


if __name__ == "__main__":
    tf.test.main()
