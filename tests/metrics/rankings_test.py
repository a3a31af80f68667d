"""Examines averages of rankings, their intervals and raters' agreement."""

import itertools
import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import rankings

# Four raters, twelve units; Krippendorff 2011, section C and D: alpha of
# ordinal data is 0.815.
_ = math.nan
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]


def slow_alpha(table):
    """Compares every pair of values that were said, as the text has it."""
    units = [
        [row[unit] for row in table if not math.isnan(row[unit])]
        for unit in range(len(table[0]))
    ]
    units = [values for values in units if len(values) > 1]
    said = sorted(itertools.chain(*units))

    def apart(one, other):
        low, high = min(one, other), max(one, other)
        between = sum(low <= value <= high for value in said)
        return (between - (said.count(low) + said.count(high)) / 2) ** 2

    observed = sum(
        apart(one, other) / (len(values) - 1)
        for values in units
        for one, other in itertools.permutations(values, 2)
    ) / len(said)
    expected = sum(
        apart(one, other) for one, other in itertools.permutations(said, 2)
    ) / (len(said) * (len(said) - 1))
    return 1 - observed / expected


def orders(answers, systems, seed=0):
    """Draws rankings without any preference."""
    draws = np.random.default_rng(seed)
    return np.stack([draws.permutation(systems) + 1 for _ in range(answers)])


class AlphaTest(parameterized.TestCase, tf.test.TestCase):
    """Agreement beyond chance."""

    def test_published_example(self):
        self.assertAllClose(rankings.alpha(PUBLISHED), 0.815, atol=5e-4)
        self.assertAllClose(rankings.alpha(PUBLISHED), slow_alpha(PUBLISHED))

    @parameterized.parameters(0, 1, 2)
    def test_equals_all_pairs(self, seed):
        draws = np.random.default_rng(seed)
        table = draws.integers(1, 5, (4, 20)).astype(float)
        table[draws.random(table.shape) < 0.3] = math.nan
        self.assertAllClose(rankings.alpha(table), slow_alpha(table))

    def test_only_the_order_of_values_counts(self):
        table = np.array(PUBLISHED)
        self.assertAllClose(
            rankings.alpha(np.exp(table)), rankings.alpha(table)
        )
        self.assertAllClose(rankings.alpha(-table), rankings.alpha(table))

    def test_order_of_raters_and_units_does_not_count(self):
        table = np.array(PUBLISHED)
        value = rankings.alpha(table)
        self.assertAllClose(rankings.alpha(table[::-1, ::-1]), value)

    def test_raters_of_one_mind_and_raters_at_random(self):
        ranks = orders(400, 4)
        captions = np.arange(400)
        same = rankings.agreement(
            np.tile(ranks, (3, 1)),
            np.tile(captions, 3),
            np.repeat([0, 1, 2], 400),
        )
        self.assertAllClose(same, 1.0)
        chance = rankings.agreement(
            orders(1200, 4), np.tile(captions, 3), np.repeat([0, 1, 2], 400)
        )
        self.assertAllClose(chance, 0.0, atol=0.05)

    def test_opposites_are_below_chance(self):
        ranks = [[1, 2, 3], [3, 2, 1]]
        self.assertLess(rankings.agreement(ranks, [0, 0], ["a", "b"]), 0.0)

    def test_what_is_undefined_is_none(self):
        self.assertIsNone(rankings.alpha([[1, _], [_, 2]]))
        self.assertIsNone(rankings.alpha([[3, 3], [3, 3]]))
        ranks = orders(5, 3)
        self.assertIsNone(rankings.agreement(ranks, range(5), [0] * 5))

    def test_bad_input_gives_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "table"):
            rankings.alpha([1, 2])
        with self.assertRaisesRegex(ValueError, "table"):
            rankings.alpha([[1, math.inf]])
        with self.assertRaisesRegex(ValueError, "Rater ann .*caption 7"):
            rankings.agreement(orders(3, 2), [7, 8, 7], ["ann", "ann", "ann"])


class SummaryTest(parameterized.TestCase, tf.test.TestCase):
    """Averages over answers."""

    def test_averages_by_hand(self):
        ranks = [[1, 2, 3], [2, 1, 3], [1, 1, 3], [3, 2, 1]]
        found = rankings.summary(ranks, [0, 0, 1, 1], draws=10)
        # The tie of the third answer is 1.5 and 1.5, and half a first each.
        self.assertAllClose(found.mean_rank, [7.5 / 4, 6.5 / 4, 10 / 4])
        self.assertAllClose(found.first, [1.5 / 4, 1.5 / 4, 1 / 4])
        self.assertAllClose(
            found.wins,
            [[0.5, 1.5 / 4, 3 / 4], [2.5 / 4, 0.5, 3 / 4], [1 / 4, 1 / 4, 0.5]],
        )
        self.assertEqual((found.answers, found.captions), (4, 2))

    def test_equals_counting_pair_by_pair(self):
        ranks = np.random.default_rng(0).integers(1, 4, (30, 4))
        found = rankings.summary(ranks, np.arange(30) % 7, draws=5)
        for i, j in itertools.product(range(4), repeat=2):
            ahead = [
                1.0 if row[i] < row[j] else 0.5 if row[i] == row[j] else 0.0
                for row in ranks
            ]
            self.assertAllClose(found.wins[i, j], sum(ahead) / 30)
        for i in range(4):
            middle = [
                1 + sum(row[i] > x for x in row) + (sum(row[i] == row) - 1) / 2
                for row in ranks
            ]
            self.assertAllClose(found.mean_rank[i], sum(middle) / 30)

    def test_laws(self):
        ranks = orders(60, 5)
        found = rankings.summary(ranks, np.arange(60) % 12)
        self.assertAllClose(found.first.sum(), 1.0)
        self.assertAllClose(found.mean_rank.sum(), 15.0)
        self.assertAllClose(found.wins + found.wins.T, np.ones((5, 5)))
        # Ahead of so many of the four others on average.
        self.assertAllClose(5.5 - found.wins.sum(axis=1), found.mean_rank)

    def test_order_of_answers_and_systems_does_not_count(self):
        ranks, captions = orders(40, 3), np.arange(40) % 10
        found = rankings.summary(ranks, captions)
        turned = rankings.summary(ranks[::-1, ::-1], captions[::-1])
        self.assertAllClose(turned.mean_rank[::-1], found.mean_rank)
        self.assertAllClose(turned.first[::-1], found.first)
        self.assertAllClose(
            turned.mean_rank_interval[::-1], found.mean_rank_interval
        )
        self.assertAllClose(
            turned.wins_interval[::-1, ::-1], found.wins_interval
        )

    def test_answers_of_one_mind_have_no_spread(self):
        found = rankings.summary(np.tile([2, 1, 3], (9, 1)), range(9))
        self.assertAllEqual(found.mean_rank, [2, 1, 3])
        self.assertAllEqual(found.first, [0, 1, 0])
        self.assertAllEqual(found.mean_rank_interval, [[2, 2], [1, 1], [3, 3]])

    def test_random_answers_are_all_alike_and_intervals_cover(self):
        covered = []
        for seed in range(40):
            found = rankings.summary(
                orders(100, 4, seed), range(100), draws=200, seed=seed
            )
            low, high = found.mean_rank_interval.T
            covered.append((low <= 2.5) & (2.5 <= high))
        self.assertBetween(np.mean(covered), 0.88, 1.0)
        found = rankings.summary(orders(3000, 4), range(3000), draws=1)
        self.assertAllClose(found.first, [0.25] * 4, atol=0.03)

    def test_answers_of_one_caption_are_drawn_together(self):
        # Five equal answers to each of 40 captions tell no more than one.
        ranks = orders(40, 2)
        one = rankings.summary(ranks, range(40))
        five = rankings.summary(np.repeat(ranks, 5, 0), np.repeat(range(40), 5))
        self.assertAllClose(five.first_interval, one.first_interval)
        apart = rankings.summary(np.repeat(ranks, 5, 0), range(200))
        width = np.diff(five.first_interval) / np.diff(apart.first_interval)
        self.assertAllClose(width, [[5**0.5]] * 2, rtol=0.25)

    def test_interval_is_near_the_normal_one(self):
        found = rankings.summary(orders(400, 2), range(400), draws=4000)
        share = found.first[0]
        half = 1.96 * math.sqrt(share * (1 - share) / 400)
        self.assertAllClose(
            found.first_interval[0], [share - half, share + half], atol=0.01
        )

    @parameterized.parameters(1, 2, 4)
    def test_few_captions_have_no_interval(self, count):
        ranks = np.tile([2, 1, 3], (12, 1))
        found = rankings.summary(ranks, np.arange(12) % count)
        self.assertAllEqual(found.mean_rank, [2, 1, 3])
        for figure in ("mean_rank", "first", "wins"):
            self.assertIsNone(getattr(found, f"{figure}_interval"))
        found = rankings.summary(ranks, np.arange(12) % 5)
        self.assertEqual(found.wins_interval.shape, (3, 3, 2))

    def test_one_seed_one_answer(self):
        ranks = orders(30, 3)
        intervals = [
            rankings.summary(ranks, range(30), seed=s).wins_interval.tolist()
            for s in (1, 1, 2)
        ]
        self.assertEqual(intervals[0], intervals[1])
        self.assertNotEqual(intervals[0], intervals[2])

    @parameterized.parameters(
        ([[1], [1]], [0, 1], "two systems"),
        ([], [], "two systems"),
        ([[1, 2], [1, math.nan]], [0, 1], "answer 1"),
        ([[1, 2]], [0, 1], "each of 1 answers"),
    )
    def test_bad_input_gives_a_sentence(self, ranks, captions, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            rankings.summary(ranks, captions)


if __name__ == "__main__":
    tf.test.main()
