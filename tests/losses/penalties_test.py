"""Penalties on slopes, against slow loops and by their laws."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.losses import penalties


def oracle(slopes, power):
    """Raises each row's length to a power, one number at a time."""
    answers = []
    for row in range(len(slopes[0])):
        squares = 0.0
        for slope in slopes:
            for number in np.float64(slope[row]).ravel():
                squares += number * number
        answers.append(np.sqrt(squares) ** power)
    return sum(answers) / len(answers)


def slopes(size=0.3, dtype="float32"):
    """Draws the slopes of five scores by pictures and by sentences."""
    draw = np.random.default_rng(0)
    shapes = (5, 4, 4, 3), (5, 7)
    return [tf.constant(size * draw.normal(size=s), dtype) for s in shapes]


class TwoSidedTest(tf.test.TestCase, parameterized.TestCase):
    """Mean over the batch of the squared distance from length 1."""

    @parameterized.parameters(0.01, 0.3, 2.0)
    def test_equals_the_slow_loop(self, size):
        pictures, _ = slopes(size)
        answers = [
            (oracle([np.array(pictures[row : row + 1])], 1.0) - 1.0) ** 2
            for row in range(5)
        ]
        answer = penalties.two_sided(pictures)
        self.assertEqual(answer.shape, ())
        self.assertAllClose(answer, sum(answers) / 5, rtol=1e-5)

    def test_equals_numbers_worked_by_hand(self):
        # Lengths 5 and 1: (16 + 0) / 2.
        pictures = tf.constant([[[[3.0], [4.0]]], [[[0.0], [-1.0]]]])
        self.assertAllClose(penalties.two_sided(pictures), 8.0)

    def test_no_slope_costs_one_and_has_a_finite_slope_itself(self):
        flat = tf.zeros((3, 4, 4, 1))
        with tf.GradientTape() as tape:
            tape.watch(flat)
            answer = penalties.two_sided(flat)
        self.assertAllClose(answer, 1.0, atol=1e-5)
        self.assertAllEqual(tape.gradient(answer, flat), flat)

    def test_slope_is_the_finite_difference(self):
        given, _ = slopes()
        with tf.GradientTape() as tape:
            tape.watch(given)
            answer = penalties.two_sided(given)
        found = tape.gradient(answer, given)[1, 2, 3, 0]

        def cost(nudge):
            row = np.float64(given[1])
            row[2, 3, 0] += nudge
            return (np.sqrt((row**2).sum()) - 1.0) ** 2 / 5

        expected = (cost(1e-6) - cost(-1e-6)) / 2e-6
        self.assertAllClose(found, expected, rtol=1e-3)

    def test_float16_is_summed_in_float32(self):
        pictures = tf.fill((2, 300), tf.constant(200.0, tf.float16))
        answer = penalties.two_sided(pictures)
        self.assertEqual(answer.dtype, tf.float32)
        self.assertAllClose(answer, (200.0 * 300**0.5 - 1.0) ** 2, rtol=1e-5)


class MatchingAwareTest(tf.test.TestCase, parameterized.TestCase):
    """Mean over the batch of the joint gradient's length to the sixth."""

    @parameterized.parameters(6.0, 2.0, 3.0)
    def test_equals_the_slow_loop(self, power):
        answer = penalties.matching_aware(slopes(), power)
        expected = oracle([np.array(s) for s in slopes()], power)
        self.assertEqual(answer.shape, ())
        self.assertAllClose(answer, expected, rtol=1e-5)

    def test_six_is_the_papers_power(self):
        self.assertAllEqual(
            penalties.matching_aware(slopes()),
            penalties.matching_aware(slopes(), 6.0),
        )

    def test_equals_numbers_worked_by_hand(self):
        # Lengths 5 (3 beside 4) and 1; mean of 5^6 = 15625 and 1.
        pictures = tf.constant([[[[3.0]]], [[[0.0]]]])
        sentences = tf.constant([[4.0, 0.0], [0.0, -1.0]])
        answer = penalties.matching_aware([pictures, sentences])
        self.assertAllClose(answer, 7813.0)

    @parameterized.parameters(2.0, 4.0, 6.0)
    def test_grows_by_the_power_of_the_slopes(self, power):
        small = penalties.matching_aware(slopes(0.1), power)
        large = penalties.matching_aware(slopes(0.2), power)
        self.assertAllClose(large / small, 2.0**power, rtol=1e-5)

    def test_no_slope_costs_nothing_and_has_no_slope_itself(self):
        flat = [tf.zeros_like(slope) for slope in slopes()]
        with tf.GradientTape() as tape:
            tape.watch(flat)
            answer = penalties.matching_aware(flat)
        self.assertEqual(float(answer), 0.0)
        for slope in tape.gradient(answer, flat):
            self.assertAllEqual(slope, tf.zeros_like(slope))

    def test_slope_is_the_finite_difference(self):
        given = slopes()
        with tf.GradientTape() as tape:
            tape.watch(given)
            answer = penalties.matching_aware(given)
        found = tape.gradient(answer, given)
        for part, step in ((0, (1, 2, 3, 0)), (1, (4, 6))):
            nudged = [np.float64(s) for s in given]
            nudged[part][step] += 1e-6
            higher = oracle(nudged, 6.0)
            nudged[part][step] -= 2e-6
            lower = oracle(nudged, 6.0)
            expected = (higher - lower) / 2e-6
            self.assertAllClose(found[part][step], expected, rtol=1e-3)

    def test_bfloat16_is_summed_in_float32(self):
        answer = penalties.matching_aware(slopes(dtype="bfloat16"))
        rounded = [
            np.array(tf.cast(s, tf.float32)) for s in slopes(dtype="bfloat16")
        ]
        self.assertEqual(answer.dtype, tf.float32)
        self.assertAllClose(answer, oracle(rounded, 6.0), rtol=1e-5)

    def test_order_of_rows_changes_nothing(self):
        turned = [slope[::-1] for slope in slopes()]
        self.assertAllClose(
            penalties.matching_aware(turned),
            penalties.matching_aware(slopes()),
            rtol=1e-6,
        )


if __name__ == "__main__":
    tf.test.main()
