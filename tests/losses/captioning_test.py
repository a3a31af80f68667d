"""Examines how told captions are compared with true ones, word by word."""

import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.losses import captioning

IDS = np.array(
    [[1, 4, 2, 3], [3, 0, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0]], "int32"
)
SIZE = 5
SCORES = 2.0 * np.random.default_rng(0).normal(size=(*IDS.shape, SIZE))


def slowly(scores, ids, has_end):
    """Adds up -log of each word's share: sums and counts of captions."""
    sums, counts = [], []
    for told, row in zip(scores, ids, strict=True):
        words = [int(word) for word in row if word]
        if has_end and len(words) < len(row):
            words.append(0)
        losses = [
            math.log(sum(math.exp(x) for x in line)) - line[word]
            for line, word in zip(told, words, strict=False)
        ]
        sums.append(math.fsum(losses))
        counts.append(len(words))
    return sums, counts


class CrossEntropyTest(tf.test.TestCase, parameterized.TestCase):
    """The sum over a caption's words, and how many they are."""

    @parameterized.parameters(
        (False, [4, 1, 2, 0]),  # No word counts in the last.
        (True, [4, 2, 3, 1]),  # The first is full and has no room for an end.
    )
    def test_equals_the_slow_loop(self, has_end, counts):
        expected = slowly(SCORES, IDS, has_end)
        self.assertEqual(expected[1], counts)
        scores = SCORES.astype("float32")
        found = captioning.cross_entropy(scores, IDS, has_end=has_end)
        self.assertAllClose(found, expected, rtol=1e-5)

    def test_ends_are_left_out_unless_asked_for(self):
        plain = captioning.cross_entropy(SCORES, IDS)
        asked = captioning.cross_entropy(SCORES, IDS, has_end=False)
        self.assertAllEqual(plain, asked)

    @parameterized.parameters(False, True)
    def test_padding_does_not_count(self, has_end):
        found = captioning.cross_entropy(SCORES, IDS, has_end=has_end)
        changed, ends = SCORES.copy(), int(has_end)
        for row, ids in enumerate(IDS):
            changed[row, (ids > 0).sum() + ends :] = 100.0 * np.eye(SIZE)[1]
        self.assertNotAllClose(changed, SCORES)
        again = captioning.cross_entropy(changed, IDS, has_end=has_end)
        self.assertAllEqual(again, found)
        wider = np.pad(SCORES, [(0, 0), (0, 3), (0, 0)])
        ids = np.pad(IDS, [(0, 0), (0, 3)])
        rows = slice(1, None) if has_end else slice(None)  # Room for an end.
        again = captioning.cross_entropy(wider, ids, has_end=has_end)
        for ours, theirs in zip(again, found, strict=True):
            self.assertAllClose(ours[rows], theirs[rows])

    @parameterized.parameters(False, True)
    def test_what_is_not_told_pulls_nowhere(self, has_end):
        scores = tf.constant(SCORES)
        with tf.GradientTape() as tape:
            tape.watch(scores)
            sums, _ = captioning.cross_entropy(scores, IDS, has_end=has_end)
        slope = np.abs(tape.gradient(sums, scores)).max(axis=2) > 0.0
        words = (IDS > 0).sum(axis=1)[:, None] + int(has_end)
        self.assertAllEqual(slope, np.arange(IDS.shape[1]) < words)

    @parameterized.parameters(
        ("float64", "float64"),
        ("float32", "float32"),
        ("bfloat16", "float32"),
        ("float16", "float32"),
    )
    def test_answers_are_float32_or_wider(self, given, answered):
        scores = tf.cast(SCORES, given)
        for found in captioning.cross_entropy(scores, IDS):
            self.assertEqual(found.dtype, answered)
        exact = slowly(np.float64(tf.cast(scores, "float64")), IDS, False)
        self.assertAllClose(
            captioning.cross_entropy(scores, IDS), exact, rtol=1e-6
        )

    @parameterized.parameters(2, 5, 1000)
    def test_word_of_equal_scores_costs_the_log_of_their_count(self, size):
        scores = np.full((4, 4, size), 0.3)
        ids = np.minimum(IDS, size - 1)
        sums, counts = captioning.cross_entropy(scores, ids)
        self.assertAllClose(sums, math.log(size) * np.array(counts))
        self.assertAllEqual(counts, [4, 1, 2, 0])

    def test_sure_words_cost_nothing_and_wrong_ones_much(self):
        sure = 1e4 * np.eye(SIZE)[IDS]
        for has_end in (False, True):
            sums, _ = captioning.cross_entropy(sure, IDS, has_end=has_end)
            self.assertAllEqual(sums, np.zeros(4))
            sums, counts = captioning.cross_entropy(-sure, IDS, has_end=has_end)
            rest = np.array(counts) * (1e4 + math.log(SIZE - 1))
            self.assertAllClose(sums, rest)

    def test_graphs_of_any_size_tell_the_same(self):
        ask = tf.function(
            captioning.cross_entropy,
            input_signature=[
                tf.TensorSpec((None, None, SIZE)),
                tf.TensorSpec((None, None), tf.int32),
            ],
        )
        scores = SCORES.astype("float32")
        expected = captioning.cross_entropy(scores, IDS)
        self.assertAllClose(ask(scores, IDS), expected)


if __name__ == "__main__":
    tf.test.main()
