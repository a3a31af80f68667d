"""Examines BLEU against sums by hand and a slow count of runs of words."""

import collections
import math
import random
import sys
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import bleu

CAT = "the cat is on the mat"
TOLD = ["a red heart on a white ground", "one blue bird sings at night"]


def runs(words, order):
    """Counts runs of so many words."""
    places = range(len(words) - order + 1)
    return collections.Counter(tuple(words[i : i + order]) for i in places)


def slowly(told, captions, most):
    """Multiplies what share of runs is true, and shortens what is short.

    A share of nothing counts as half a run, then a quarter, and so on.
    """
    told = [one.split() for one in told]
    captions = [[one.split() for one in row] for row in captions]
    length = sum(map(len, told))
    wanted = 0
    for one, row in zip(told, captions, strict=True):
        gaps = [(abs(len(true) - len(one)), len(true)) for true in row]
        wanted += min(gaps)[1]
    logs, least = [], 1.0
    for order in range(1, most + 1):
        right = whole = 0
        for one, row in zip(told, captions, strict=True):
            found = runs(one, order)
            allowed = collections.Counter()
            for true in row:
                allowed |= runs(true, order)
            right += sum((found & allowed).values())
            whole += sum(found.values())
        if not right:
            least /= 2.0
            right = least
        logs.append(math.log(right / whole))
    short = min(0.0, 1.0 - wanted / length)
    return 100.0 * math.exp(short + sum(logs) / most)


class BleuTest(tf.test.TestCase, parameterized.TestCase):
    """Words in a row that are true."""

    def assert_scores(self, told, captions, one, four):
        found = bleu.scores(told, captions)
        self.assertEqual(set(found), {"bleu_1", "bleu_4"})
        self.assertIsInstance(found["bleu_1"], float)
        self.assertAllClose(found["bleu_1"], one)
        self.assertAllClose(found["bleu_4"], four)

    def test_true_captions_are_perfect(self):
        self.assert_scores(TOLD, [[one] for one in TOLD], 100.0, 100.0)
        others = [["something else entirely", one] for one in TOLD]
        self.assert_scores(TOLD, others, 100.0, 100.0)

    def test_captions_without_a_true_word_are_worth_nothing(self):
        self.assert_scores(["x y z u v"] * 2, [[CAT], [CAT]], 0.0, 0.0)

    def test_captions_of_nothing_are_worth_nothing(self):
        self.assert_scores(["", ""], [[CAT], [CAT]], 0.0, 0.0)

    def test_words_said_too_often_count_as_often_as_they_are_true(self):
        # Papineni's: two of seven are true; no two in a row are.
        found = bleu.scores(["the the the the the the the"], [[CAT]])
        self.assertAllClose(found["bleu_1"], 100.0 * 2.0 / 7.0)

    def test_short_captions_are_shortened(self):
        # All four runs are true, but six words were to be said.
        short = math.exp(1.0 - 6.0 / 5.0)
        told = "the cat is on the"
        self.assert_scores([told], [[CAT]], 100.0 * short, 100.0 * short)

    def test_long_captions_are_not(self):
        # 6 of 7 words are true, 5 of 6 pairs, 4 of 5, 3 of 4.
        shares = [6 / 7, 5 / 6, 4 / 5, 3 / 4]
        four = 100.0 * math.prod(shares) ** 0.25
        self.assert_scores([f"{CAT} now"], [[CAT]], 600.0 / 7.0, four)

    def test_wrong_word_in_the_middle(self):
        # 5 of 6 words, 3 of 5 pairs, 1 of 4, and of 3 none: half a one.
        shares = [5 / 6, 3 / 5, 1 / 4, 0.5 / 3]
        four = 100.0 * math.prod(shares) ** 0.25
        told = "the cat was on the mat"
        self.assert_scores([told], [[CAT]], 500.0 / 6.0, four)

    def test_set_is_measured_as_a_whole(self):
        told, captions = [CAT, "a b"], [[CAT], ["a c"]]
        one = 100.0 * 7.0 / 8.0
        self.assertAllClose(bleu.scores(told, captions)["bleu_1"], one)

    def test_any_true_caption_may_bear_a_word_out(self):
        told, captions = ["a red bird"], [["a red heart", "one blue bird"]]
        self.assertAllClose(bleu.scores(told, captions)["bleu_1"], 100.0)

    def test_nearest_length_counts(self):
        told = ["a red bird"]
        long = "a red bird that sings"
        alone = bleu.scores(told, [[long]])["bleu_1"]
        self.assertAllClose(alone, 100.0 * math.exp(1.0 - 5.0 / 3.0))
        both = bleu.scores(told, [[long, "one two three"]])["bleu_1"]
        self.assertAllClose(both, 100.0)

    def test_pictures_may_have_unlike_many_captions(self):
        captions = [
            ["a red heart on a white ground", "red heart", "love"],
            ["one blue bird"],
        ]
        one, four = (slowly(TOLD, captions, n) for n in (1, 4))
        self.assert_scores(TOLD, captions, one, four)
        turned = [row[::-1] for row in captions]
        self.assert_scores(TOLD, turned, one, four)
        back = TOLD[::-1], captions[::-1]
        self.assert_scores(*back, one, four)

    @parameterized.parameters(*range(6))
    def test_equals_the_slow_count(self, seed):
        draw = random.Random(seed)

        def caption():
            return " ".join(draw.choices("abcde", k=draw.randint(4, 9)))

        told = [caption() for _ in range(5)]
        captions = [
            [caption() for _ in range(draw.randint(1, 4))] for _ in told
        ]
        one, four = (slowly(told, captions, n) for n in (1, 4))
        self.assertBetween(four, 1.0, 99.0)
        self.assert_scores(told, captions, one, four)

    def test_words_are_compared_as_they_are(self):
        # One of two words is true, and three were to be said.
        one = 100.0 * 0.5 * math.exp(1.0 - 3.0 / 2.0)
        found = bleu.scores(["red, heart"], [["red , heart"]])
        self.assertAllClose(found["bleu_1"], one)
        self.assertEqual(bleu.scores(["Red"], [["red"]])["bleu_1"], 0.0)

    @parameterized.parameters(
        ([], [], "0 captions were said of 0 pictures; allowed: one each"),
        (["a"], [], "1 captions were said of 0 pictures; allowed: one each"),
        (["a"], [["a"], ["b"]], "1 captions were said of 2 pictures; allowed"),
        (["a"], ["a"], "captions holds a string where a list of a picture's"),
        (["a", "b"], [["a"], []], "A picture has no true caption to compare"),
    )
    def test_what_does_not_fit_is_refused(self, told, captions, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            bleu.scores(told, captions)

    def test_others_need_no_sacrebleu(self):
        with (
            mock.patch.dict(sys.modules, {"sacrebleu": None}),
            self.assertRaisesRegex(ImportError, "sacrebleu"),
        ):
            bleu.scores(["a"], [["a"]])


if __name__ == "__main__":
    tf.test.main()
