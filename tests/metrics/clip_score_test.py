"""Examines CLIP scores by angles that are known."""

import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import clip_score, r_precision


def cloud(rows, width, seed=0):
    """Draws vectors."""
    return np.random.default_rng(seed).normal(size=(rows, width))


def slow_cosine(one, other):
    """Computes a cosine, number by number."""
    inner = sum(a * b for a, b in zip(one, other, strict=True))
    return inner / (math.hypot(*one) * math.hypot(*other))


class ScoreTest(parameterized.TestCase, tf.test.TestCase):
    """The formula and its laws."""

    def test_angles_by_hand(self):
        # 0, 60, 90 and 180 degrees.
        texts = [[1.0, 0.0]] * 4
        images = [[2.0, 0.0], [1.0, math.sqrt(3.0)], [0.0, 5.0], [-1.0, 0.0]]
        self.assertAllClose(
            clip_score.cosines(images, texts), [1.0, 0.5, 0.0, -1.0]
        )
        self.assertAllClose(
            clip_score.scores(images, texts), [2.5, 1.25, 0.0, 0.0]
        )
        self.assertAllClose(clip_score.score(images, texts), 3.75 / 4)

    def test_equals_one_pair_at_a_time(self):
        images, texts = cloud(30, 7), cloud(30, 7, 1)
        expected = [
            1.7 * max(slow_cosine(image, text), 0.0)
            for image, text in zip(images, texts, strict=True)
        ]
        found = clip_score.scores(images, texts, weight=1.7)
        self.assertAllClose(found, expected, atol=1e-12)

    def test_own_text_gives_the_weight(self):
        texts = cloud(20, 5)
        self.assertAllClose(clip_score.score(texts * 3.0, texts), 2.5)
        self.assertLessEqual(clip_score.cosines(texts, texts).max(), 1.0)

    def test_order_of_pairs_and_length_do_not_count(self):
        images, texts = cloud(20, 5), cloud(20, 5, 1)
        order = np.random.default_rng(2).permutation(20)
        value = clip_score.score(images, texts)
        self.assertAllClose(
            clip_score.score(images[order], texts[order]), value
        )
        longer = images * np.arange(1, 21)[:, None]
        self.assertAllClose(clip_score.score(longer, texts / 7.0), value)

    def test_half_precision_is_summed_in_double(self):
        images = np.full((1, 4000), 200.0, np.float16)
        self.assertAllClose(clip_score.score(images, images), 2.5)

    def test_retrieval_goes_by_the_same_vectors(self):
        images, texts = cloud(40, 16) + cloud(40, 16, 1), cloud(40, 16)
        value = r_precision.r_precision(images, texts, candidates=40)
        best = [
            max(range(40), key=lambda j: slow_cosine(image, texts[j]))
            for image in images
        ]
        self.assertAllClose(value, np.mean(np.array(best) == np.arange(40)))

    @parameterized.parameters(0.0, -1.0, math.nan, math.inf)
    def test_bad_weight_gives_a_sentence(self, weight):
        with self.assertRaisesRegex(ValueError, "above 0"):
            clip_score.score(cloud(2, 3), cloud(2, 3), weight=weight)

    def test_bad_vectors_give_a_sentence(self):
        good = cloud(6, 3)
        with self.assertRaisesRegex(ValueError, "one text"):
            clip_score.cosines(good, good[:5])
        with self.assertRaisesRegex(ValueError, "with rows"):
            clip_score.cosines(good[:0], good[:0])
        for bad, sentence in ((np.nan, "finite; row 4"), (0.0, "row 4 is")):
            rows = good.copy()
            rows[4] = bad
            with self.assertRaisesRegex(ValueError, f"image_.*{sentence}"):
                clip_score.cosines(rows, good)
            with self.assertRaisesRegex(ValueError, f"text_.*{sentence}"):
                clip_score.cosines(good, rows)


def mean_colour(batch):
    """Reads pictures as their mean colour."""
    return np.asarray(batch, np.float64).mean(axis=(1, 2))


def letters(texts):
    """Reads texts as counts of three letters."""
    return [[text.count(letter) for letter in "rgb"] for text in texts]


class PairsTest(parameterized.TestCase, tf.test.TestCase):
    """Readers are asked batch by batch."""

    @parameterized.parameters(1, 4, 7, 50)
    def test_batches_change_nothing(self, size):
        pictures = np.random.default_rng(0).integers(1, 255, (7, 2, 2, 3))
        texts = ["r" * i + "gb" for i in range(7)]
        batches = (pictures[i : i + size] for i in range(0, 7, size))
        found = clip_score.of_pairs(batches, texts, mean_colour, letters)
        self.assertAllClose(found[0], mean_colour(pictures))
        self.assertAllClose(found[1], letters(texts))

    def test_prompt_stands_before_each_text(self):
        heard = []

        def listen(texts):
            heard.extend(texts)
            return letters(texts)

        clip_score.of_pairs(
            [np.ones((2, 1, 1, 3))],
            ["a bird", "a cat"],
            mean_colour,
            listen,
            prompt=clip_score.PROMPT,
        )
        self.assertEqual(
            heard, ["A photo depicts a bird", "A photo depicts a cat"]
        )

    @parameterized.parameters(
        (4, 5, "4 pictures came for 5 texts"),
        (5, 4, "more than 4 pictures came for 4"),
        (0, 0, "0 pictures came for 0"),
    )
    def test_pictures_without_texts_give_a_sentence(self, count, told, words):
        batches = (np.ones((1, 2, 2, 3)) for _ in range(count))
        with self.assertRaisesRegex(ValueError, words):
            clip_score.of_pairs(batches, ["r"] * told, mean_colour, letters)

    def test_bad_answers_give_a_sentence(self):
        batches = [np.ones((3, 2, 2, 3)), np.ones((3, 2, 2, 3))]
        with self.assertRaisesRegex(ValueError, r"image_reader.*\(3, 2, 2, 3"):
            clip_score.of_pairs(batches, ["r"] * 6, np.array, letters)

        def broken(texts):
            return [[math.nan if "x" in text else 1.0] for text in texts]

        with self.assertRaisesRegex(ValueError, "text_reader.*row 4"):
            clip_score.of_pairs(batches, [*"rrrrxr"], mean_colour, broken)


if __name__ == "__main__":
    tf.test.main()
