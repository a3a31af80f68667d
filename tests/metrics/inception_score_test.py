"""Examines the score in parts against the definition, one row at a time."""

import math
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import inception_score, tfgan


def slow_score(logits):
    """Salimans et al. 2016: exp(mean KL(p(y|x) || p(y)))."""
    answers = []
    for row in logits:
        largest = max(row)
        weights = [math.exp(x - largest) for x in row]
        answers.append([x / sum(weights) for x in weights])
    average = [
        sum(column) / len(answers) for column in zip(*answers, strict=True)
    ]
    total = 0.0
    for answer in answers:
        pairs = zip(answer, average, strict=True)
        total += sum(p * math.log(p / q) for p, q in pairs if p > 0.0)
    return math.exp(total / len(answers))


def answers(rows, classes, seed=0):
    """Draws logits of a classifier that is fairly sure."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, 3.0, (rows, classes))


class InceptionScoreTest(parameterized.TestCase, tf.test.TestCase):
    """Each part's score is what its equation says."""

    @parameterized.parameters((40, 1), (40, 10), (43, 10), (7, 7), (1, 1))
    def test_equals_the_slow_formula_and_tfgan(self, rows, splits):
        logits = answers(rows, 6)
        found = inception_score.of_logits(logits, splits)
        expected = [
            slow_score(logits[i * rows // splits : (i + 1) * rows // splits])
            for i in range(splits)
        ]
        self.assertAllClose(found, expected, rtol=1e-12)
        theirs = tfgan.inception_scores(logits, splits)
        self.assertAllClose(found, theirs, rtol=1e-10)
        self.assertEqual(theirs.shape, (splits,))

    @parameterized.parameters(1, 3, 64)
    def test_rows_turned_at_once_change_nothing(self, rows):
        logits = answers(50, 4)
        whole = inception_score.of_logits(logits, 3)
        with mock.patch.object(inception_score, "_ROWS", rows):
            parts = inception_score.of_logits(logits, 3)
        self.assertAllClose(parts, whole, rtol=1e-13)

    def test_float32_is_measured_in_float64(self):
        logits = np.float32(answers(50, 4))
        found = inception_score.of_logits(logits)
        wide = inception_score.of_logits(np.float64(logits))
        self.assertAllEqual(found, wide)

    def test_laws(self):
        logits = answers(60, 5)
        value = inception_score.of_logits(logits)
        order = np.random.default_rng(1).permutation(60)
        classes = np.random.default_rng(2).permutation(5)
        shifts = np.random.default_rng(3).normal(size=(60, 1))
        for other in (logits[order], logits[:, classes], logits + shifts):
            found = inception_score.of_logits(other)
            self.assertAllClose(found, value, rtol=1e-12)

    def test_bounds(self):
        alike = inception_score.of_logits(np.ones((9, 5)), 3)
        self.assertAllClose(alike, np.ones(3), rtol=1e-12)
        sure = np.tile(1000.0 * np.eye(5), (3, 1))
        self.assertAllClose(inception_score.of_logits(sure), [5.0])

    def test_class_that_nobody_sees_counts_for_nothing(self):
        sure = np.full((4, 3), -1000.0)
        sure[[0, 1], 0] = sure[[2, 3], 2] = 0.0
        self.assertAllClose(inception_score.of_logits(sure), [2.0])

    def test_parts_end_where_the_reference_ends_them(self):
        ends = inception_score.bounds(503, 10)
        self.assertAllEqual(ends, [i * 503 // 10 for i in range(11)])

    @parameterized.parameters(
        (np.zeros((9, 3)), 10, "10 parts need a picture each; there are 9"),
        (np.zeros((9, 3)), 0, "0 parts"),
        (np.zeros(9), 1, "shape"),
        (np.zeros((0, 3)), 1, "at least 1 rows"),
        ([[0.0, 1.0], [0.0, np.nan]], 1, "row 1 is not"),
    )
    def test_bad_answers_give_a_sentence(self, logits, splits, sentence):
        for measure in (
            inception_score.of_logits,
            tfgan.inception_scores,
        ):
            with self.assertRaisesRegex(ValueError, sentence):
                measure(logits, splits)


if __name__ == "__main__":
    tf.test.main()
