"""Examines neighbourhoods ball by ball, and cases made by hand."""

import math
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import neighbours


def cloud(rows, width, seed, shift=0.0):
    """Draws features."""
    return np.random.default_rng(seed).normal(shift, 1.0, (rows, width))


def slow_prdc(real, fake, k, k_dense):
    """Counts balls one by one, from the definitions."""

    def radius(rows, i, nearest):
        others = [math.dist(rows[i], x) for j, x in enumerate(rows) if j != i]
        return sorted(others)[nearest - 1]

    def share_inside(points, centres):
        reach = [radius(centres, i, k) for i in range(len(centres))]
        found = [
            any(
                math.dist(point, centre) <= r
                for centre, r in zip(centres, reach, strict=True)
            )
            for point in points
        ]
        return sum(found) / len(found)

    reach = [radius(real, i, k_dense) for i in range(len(real))]
    held = [
        [math.dist(x, point) <= r for point in fake]
        for x, r in zip(real, reach, strict=True)
    ]
    return {
        "precision": share_inside(fake, real),
        "recall": share_inside(real, fake),
        "density": sum(map(sum, held)) / (k_dense * len(fake)),
        "coverage": sum(map(any, held)) / len(real),
    }


class PRDCTest(parameterized.TestCase, tf.test.TestCase):
    """Precision, recall, density and coverage are what they are said to be."""

    @parameterized.product(
        sizes=[(30, 30), (41, 12), (12, 41)],
        nearest=[(3, 5), (1, 1), (7, 2), (11, 11)],
    )
    def test_equals_the_ball_by_ball_count(self, sizes, nearest):
        real, fake = cloud(sizes[0], 3, 0), 1.3 * cloud(sizes[1], 3, 1, 0.4)
        found = neighbours.prdc(
            real, fake, nearest=nearest[0], nearest_dense=nearest[1]
        )
        expected = slow_prdc(real, fake, *nearest)
        self.assertAllClose(found, expected, rtol=1e-12)
        self.assertEqual(list(found), list(expected))

    @parameterized.parameters(1, 40, 300)
    def test_cells_held_at_once_change_nothing(self, cells):
        real, fake = cloud(30, 3, 0), cloud(25, 3, 1, 0.4)
        whole = neighbours.prdc(real, fake)
        with mock.patch.object(neighbours, "_CELLS", cells):
            self.assertEqual(neighbours.prdc(real, fake), whole)

    def test_line_by_hand(self):
        # k = 1. Balls of 0, 1, 3: radii 1, 1, 2; of 10, 11, 0.5: 1, 1, 9.5.
        real = np.array([[0.0], [1.0], [3.0]])
        fake = np.array([[10.0], [11.0], [0.5]])
        found = neighbours.prdc(real, fake, nearest=1, nearest_dense=1)
        self.assertAllClose(found["precision"], 1 / 3)
        self.assertAllClose(found["recall"], 1.0)
        self.assertAllClose(found["density"], 2 / 3)  # balls of 0 and of 1
        self.assertAllClose(found["coverage"], 2 / 3)

    def test_rim_belongs_to_the_ball(self):
        real = np.array([[0.0], [1.0], [2.0]])
        fake = np.array([[-1.0], [-5.0], [-9.0]])
        found = neighbours.prdc(real, fake, nearest=1, nearest_dense=1)
        self.assertAllClose(found["precision"], 1 / 3)
        self.assertAllClose(found["coverage"], 1 / 3)

    @parameterized.parameters(0.0, 1e3)
    def test_set_beside_its_copy(self, shift):
        rows = cloud(60, 8, 0, shift)
        found = neighbours.prdc(rows, rows[::-1])
        self.assertEqual(found["precision"], 1.0)
        self.assertEqual(found["recall"], 1.0)
        self.assertEqual(found["coverage"], 1.0)
        # Each ball holds its centre, and as many others as k.
        self.assertAllClose(found["density"], 6 / 5)

    def test_sets_far_apart_share_nothing(self):
        found = neighbours.prdc(cloud(20, 4, 0), cloud(20, 4, 1, 99.0))
        self.assertEqual(set(found.values()), {0.0})

    def test_collapse_is_precise_and_recalls_nothing(self):
        real = cloud(50, 4, 0)
        fake = np.tile(real[:1], (30, 1))
        found = neighbours.prdc(real, fake)
        self.assertEqual(found["precision"], 1.0)
        self.assertAllClose(found["recall"], 1 / 50)  # the one itself
        self.assertLess(found["coverage"], 0.5)

    def test_two_samples_of_one_distribution_are_dense_by_one(self):
        found = neighbours.prdc(cloud(600, 6, 0), cloud(600, 6, 1))
        self.assertAllClose(found["density"], 1.0, atol=0.1)
        # Naeem et al. 2020, section 3.3: 1 - 1 / 2^k for equal counts.
        self.assertAllClose(found["coverage"], 1 - 2**-5, atol=0.03)

    def test_laws(self):
        real, fake = cloud(40, 5, 0), cloud(31, 5, 1, 0.4)
        value = neighbours.prdc(real, fake)
        order = np.random.default_rng(2).permutation(31)
        turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 5)))
        for one, two in (
            (real, fake[order]),
            (real[::-1], fake),
            (real @ turn, fake @ turn),
            (9.0 * real, 9.0 * fake),
            (real + 50.0, fake + 50.0),
        ):
            self.assertEqual(neighbours.prdc(one, two), value)
        swapped = neighbours.prdc(fake, real)
        self.assertEqual(swapped["precision"], value["recall"])

    @parameterized.parameters(
        (np.zeros((5, 3)), "6 rows; there are 5 real and 9 fake"),
        (np.zeros((9, 4)), "4 and 3 features wide"),
        (np.full((9, 3), np.nan), "real must be finite; row 0"),
        (np.zeros(3), "shape"),
    )
    def test_bad_features_give_a_sentence(self, real, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            neighbours.prdc(real, cloud(9, 3, 0))

    def test_no_neighbours_give_a_sentence(self):
        rows = cloud(9, 3, 0)
        with self.assertRaisesRegex(ValueError, "one or more"):
            neighbours.prdc(rows, rows, nearest=0, nearest_dense=0)


class NearestTest(parameterized.TestCase, tf.test.TestCase):
    """The rows next to a query are found."""

    @parameterized.parameters(1, 3, 20)
    def test_equals_the_sorted_list(self, k):
        queries, rows = cloud(7, 4, 0, 3.0), cloud(20, 4, 1, 3.0)
        distances, numbers = neighbours.nearest(queries, rows, k)
        for query, far, found in zip(queries, distances, numbers, strict=True):
            every = sorted((math.dist(query, x), i) for i, x in enumerate(rows))
            self.assertAllClose(far, [d for d, _ in every[:k]], rtol=1e-12)
            self.assertAllEqual(found, [i for _, i in every[:k]])

    @parameterized.parameters(1, 45)
    def test_cells_held_at_once_change_nothing(self, cells):
        queries, rows = cloud(7, 4, 0), cloud(20, 4, 1)
        whole = neighbours.nearest(queries, rows, 3)
        with mock.patch.object(neighbours, "_CELLS", cells):
            parts = neighbours.nearest(queries, rows, 3)
        self.assertAllEqual(parts[0], whole[0])
        self.assertAllEqual(parts[1], whole[1])

    def test_copy_is_at_no_distance_and_a_near_one_at_a_small(self):
        rows = np.float32(cloud(50, 16, 0, 100.0))
        queries = rows[[7, 31]].copy()
        queries[1, 0] += 0.25
        distances, numbers = neighbours.nearest(queries, rows)
        self.assertAllEqual(numbers, [[7], [31]])
        self.assertAllEqual(distances, [[0.0], [0.25]])

    def test_equal_rows_come_in_their_order(self):
        rows = np.repeat(cloud(4, 3, 0), 3, axis=0)
        distances, numbers = neighbours.nearest(rows[4:5], rows, 3)
        self.assertAllEqual(distances, np.zeros((1, 3)))
        self.assertAllEqual(numbers, [[3, 4, 5]])

    @parameterized.parameters(
        (np.zeros((2, 3)), 10, "10 nearest were asked for; there are 9 rows"),
        (np.zeros((2, 3)), 0, "The 0 nearest"),
        (np.zeros((2, 4)), 1, "4 and 3 features wide"),
        ([[0.0, 0.0, np.inf]], 1, "queries must be finite; row 0"),
    )
    def test_bad_queries_give_a_sentence(self, queries, k, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            neighbours.nearest(queries, cloud(9, 3, 0), k)


if __name__ == "__main__":
    tf.test.main()
