"""Scores of words and places against slow loops, laws and known numbers."""

import math
import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.losses import matching

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "xmc_losses.npz"


def drawn(*shape, seed=0):
    """Draws normal numbers."""
    return np.random.default_rng(seed).normal(size=shape)


def waves(shape, step, start):
    """Makes numbers, channels first, that are easily made elsewhere."""
    made = np.sin(step * np.arange(math.prod(shape)) + start).reshape(shape)
    return np.moveaxis(made, 1, -1)


def real(lengths, words):
    """Marks the first words of each caption."""
    return np.arange(words) < np.array(lengths)[:, None]


LENGTHS = [6, 2, 1, 3]


def example(images=3, captions=4):
    """Draws pictures of 2 x 3 places and captions of six words at most."""
    return (
        drawn(images, 2, 3, 5),
        drawn(captions, 6, 5, seed=1),
        real(LENGTHS[:captions], 6),
    )


def softmax(scores):
    """Divides 1 among scores."""
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def cosine(one, other):
    """Compares two vectors."""
    return np.sum(one * other) / math.sqrt(
        np.sum(one * one) * np.sum(other * other)
    )


def looks(places, words, gamma):
    """Lets words of one caption look at one picture, one by one."""
    shares = [
        softmax([float(np.sum(place * word)) for word in words])
        for place in places
    ]
    return np.array(
        [softmax([gamma * s[t] for s in shares]) for t in range(len(words))]
    )


def looks_alone(places, words, gamma):
    """The same where words don't compete, and only angles count."""
    return np.array(
        [
            softmax([gamma * cosine(place, word) for place in places])
            for word in words
        ]
    )


def slow(regions, words, mask, gammas, look=looks):
    """Scores every caption with every picture, one by one."""
    scores = np.zeros((len(regions), len(words)))
    for row, column in np.ndindex(*scores.shape):
        places = regions[row].reshape(-1, regions.shape[-1])
        said = words[column][mask[column]]
        weights = look(places, said, gammas[0])
        if look is looks_alone:
            places = [place / np.linalg.norm(place) for place in places]
        total = 0.0
        for word, weight in zip(said, weights, strict=True):
            context = sum(w * p for w, p in zip(weight, places, strict=True))
            total += math.exp(gammas[1] * cosine(word, context))
        scores[row, column] = gammas[2] * math.log(total)
    return scores


def xmc(regions, words, mask, gammas):
    """Scores as XMC-GAN: log-sum-exp divided by the second gamma."""
    looked = slow(regions, words, mask, gammas, looks_alone)
    return looked / gammas[1]


def with_gradients(score, upstream):
    """Makes a function of regions, words and mask: scores and slopes."""

    def both(regions, words, mask):
        with tf.GradientTape() as tape:
            tape.watch((regions, words))
            scores = score(regions, words, mask)
        return scores, *tape.gradient(scores, (regions, words), upstream)

    return both


class AttentionTest(tf.test.TestCase):
    """What is seen in a pair's own picture."""

    def test_words_look_one_by_one(self):
        regions, words, mask = example(4)
        contexts, weights = matching.attention(regions, words, mask, 3.0)
        self.assertEqual(contexts.shape, (4, 6, 5))
        self.assertEqual(weights.shape, (4, 6, 2, 3))
        for row, length in enumerate(LENGTHS):
            places = regions[row].reshape(6, 5)
            expected = looks(places, words[row][:length], 3.0)
            found = tf.reshape(weights[row], (6, 6))[:length]
            self.assertAllClose(found, expected)
            self.assertAllClose(contexts[row, :length], expected @ places)

    def test_flat_places_stay_flat(self):
        regions, words, mask = example(4)
        flat = regions.reshape(4, 6, 5)
        contexts, weights = matching.attention(flat, words, mask)
        self.assertEqual(weights.shape, (4, 6, 6))
        again, shaped = matching.attention(regions, words, mask)
        self.assertAllEqual(contexts, again)
        self.assertAllEqual(weights, tf.reshape(shaped, (4, 6, 6)))

    def test_known_numbers(self):
        contexts, weights = matching.attention(
            waves((2, 4, 2, 2), 0.29, 0.5),
            waves((2, 4, 3), 0.37, 0.0),
            np.ones((2, 3), bool),
        )
        self.assertAllClose(
            contexts[0, :, 0], [0.73123591, 0.74543551, 0.80832045]
        )
        self.assertAllClose(tf.reduce_sum(contexts), 4.97330912)
        self.assertAllClose(
            weights[0, 0],
            [[0.31559601, 0.25568543], [0.22256843, 0.20615013]],
        )


class WordScoresTest(tf.test.TestCase, parameterized.TestCase):
    """All captions with all pictures, both ways of looking."""

    @parameterized.product(
        pair=[
            (matching.word_scores, slow),
            (matching.word_region_scores, xmc),
        ],
        gammas=[(4.0, 5.0, 10.0), (1.5, 0.7, 2.0)],
    )
    def test_all_pairs_are_scored(self, pair, gammas):
        fast, oracle = pair
        regions, words, mask = example()
        found = fast(regions, words, mask, gammas)
        self.assertEqual(found.shape, (3, 4))
        self.assertAllClose(found, oracle(regions, words, mask, gammas))

    @parameterized.product(
        score=[matching.word_scores, matching.word_region_scores],
        chunk=[1, 2, 3, 4, 9],
    )
    def test_chunks_change_nothing(self, score, chunk):
        regions, words, mask = example()
        inputs = [tf.constant(x) for x in (regions, words, mask)]
        upstream = drawn(3, 4, seed=2)
        expected = with_gradients(score, upstream)(*inputs)

        def chunked(*each):
            return score(*each, chunk=chunk)

        both = with_gradients(chunked, upstream)
        for made in (both, tf.function(both, jit_compile=chunk == 3)):
            for one, other in zip(made(*inputs), expected, strict=True):
                self.assertAllClose(one, other, rtol=1e-10, atol=1e-12)

    @parameterized.parameters(matching.word_scores, matching.word_region_scores)
    def test_compiled_scores_are_the_same(self, score):
        inputs = [tf.constant(x) for x in example()]
        both = with_gradients(score, drawn(3, 4, seed=2))
        expected = both(*inputs)
        found = tf.function(both, jit_compile=True)(*inputs)
        for one, other in zip(found, expected, strict=True):
            self.assertAllClose(one, other, rtol=1e-10, atol=1e-12)

    def test_sizes_may_be_unknown_to_a_graph(self):
        regions, words, mask = example()
        score = tf.function(
            with_gradients(matching.word_scores, np.ones((3, 4))),
            input_signature=[
                tf.TensorSpec((None, None, None, 5), tf.float64),
                tf.TensorSpec((None, None, 5), tf.float64),
                tf.TensorSpec((None, None), tf.bool),
            ],
        )
        found, *slopes = score(regions, words, mask)
        self.assertAllClose(found, slow(regions, words, mask, (4, 5, 10)))
        self.assertEqual([x.shape for x in slopes], [(3, 2, 3, 5), (4, 6, 5)])

    def test_large_batches_go_through_in_even_chunks(self):
        seen = []
        inner = matching._scores

        def counting(regions, words, mask, **kwargs):
            seen.append(words.shape[0])
            return inner(regions, words, mask, **kwargs)

        words, mask = drawn(10, 6, 5), np.ones((10, 6), bool)
        regions = drawn(3, 2, 3, 5)
        with (
            mock.patch.object(matching, "_MOST", 3 * 6 * 6 * 4),
            mock.patch.object(matching, "_scores", counting),
        ):
            found = matching.word_scores(regions, words, mask)
        self.assertEqual(seen, [4, 4, 4])  # of 4, 4 and 2
        self.assertAllClose(found, matching.word_scores(regions, words, mask))

    @parameterized.parameters(matching.word_scores, matching.word_region_scores)
    def test_gradients_are_those_of_differences(self, score):
        regions, words, mask = example()
        upstream = drawn(3, 4, seed=2)
        inputs = [tf.constant(x) for x in (regions, words, mask)]
        _, *slopes = with_gradients(score, upstream)(*inputs)
        for number, place in (
            (0, (1, 0, 2, 3)),
            (1, (0, 5, 1)),
            (1, (2, 0, 4)),
        ):
            values = []
            for step in (1e-5, -1e-5):
                moved = [regions.copy(), words.copy()]
                moved[number][place] += step
                values.append(np.sum(upstream * score(*moved, mask)))
            expected = (values[0] - values[1]) / 2e-5
            self.assertAllClose(
                slopes[number][place], expected, rtol=1e-6, atol=1e-7
            )

    @parameterized.product(
        score=[matching.word_scores, matching.word_region_scores],
        chunk=[None, 3],
    )
    def test_padding_changes_nothing_and_gets_no_gradient(self, score, chunk):
        regions, words, mask = example()

        def chunked(*each):
            return score(*each, chunk=chunk)

        both = with_gradients(chunked, drawn(3, 4, seed=2))
        before, slope, _ = both(*map(tf.constant, (regions, words, mask)))
        for filler in (0.0, 1e3):
            other = np.concatenate([words, np.zeros((4, 2, 5))], axis=1)
            wide = np.concatenate([mask, np.zeros((4, 2), bool)], axis=1)
            other[~wide] = filler
            after, same, of_words = both(
                *map(tf.constant, (regions, other, wide))
            )
            self.assertAllClose(after, before, rtol=1e-10)
            self.assertAllClose(same, slope, rtol=1e-10)
            self.assertAllEqual(of_words[~wide], np.zeros((26 - 6, 5)))

    @parameterized.parameters(matching.word_scores, matching.word_region_scores)
    def test_orders_are_kept(self, score):
        regions, words, mask = example()
        rows, columns = [2, 0, 1], [3, 1, 0, 2]
        before = score(regions, words, mask)
        after = score(regions[rows], words[columns], mask[columns])
        self.assertAllClose(after, before.numpy()[rows][:, columns])
        # Neither places nor real words have an order.
        places = regions.reshape(3, 6, 5)[:, ::-1]
        turned = words.copy()
        turned[0] = turned[0, ::-1]
        self.assertAllClose(score(places, turned, mask), before)

    def test_lengths_matter_only_where_words_compete(self):
        regions, words, mask = example()
        args = 3.0 * regions, 0.2 * words, mask
        self.assertAllClose(
            matching.word_region_scores(*args),
            matching.word_region_scores(regions, words, mask),
        )
        self.assertNotAllClose(
            matching.word_scores(*args),
            matching.word_scores(regions, words, mask),
        )

    @parameterized.product(
        score=[matching.word_scores, matching.word_region_scores],
        dtype=["bfloat16", "float32"],
        chunk=[None, 1],
    )
    def test_degenerate_batches_give_numbers(self, score, dtype, chunk):
        regions, words, mask = example()
        some = words.copy()
        some[:, 0] = 0.0
        none = np.zeros_like(mask)

        def chunked(*each):
            return score(*each, chunk=chunk)

        both = tf.function(with_gradients(chunked, tf.ones((3, 4))))
        for one, other, marks in (
            (0.0 * regions, words, mask),
            (regions, 0.0 * words, mask),
            (0.0 * regions, 0.0 * words, mask),
            (np.ones_like(regions), np.ones_like(words), mask),
            (regions, some, mask),
            (1e3 * regions, 1e3 * words, mask),
            (regions, words, none),
        ):
            found, *slopes = both(
                tf.cast(one, dtype), tf.cast(other, dtype), tf.constant(marks)
            )
            self.assertEqual(found.dtype, tf.float32)
            self.assertAllInRange(found, -1e11, 1e3)
            for slope in slopes:
                self.assertEqual(slope.dtype, dtype)
                self.assertAllInRange(tf.cast(slope, "float32"), -1e4, 1e4)

    @parameterized.parameters(matching.word_scores, matching.word_region_scores)
    def test_half_precision_is_widened_before_it_is_compared(self, score):
        regions, words, mask = example()
        halves = [tf.cast(each, "bfloat16") for each in (regions, words)]
        whole = [tf.cast(each, "float64") for each in halves]
        expected = score(*whole, mask)
        self.assertEqual(expected.dtype, tf.float64)
        self.assertAllClose(score(*halves, mask), expected, rtol=1e-4)

    def test_shapes_that_do_not_fit_are_refused(self):
        regions, words, mask = example()
        for score in (
            matching.word_scores,
            matching.word_region_scores,
            matching.attention,
        ):
            with self.assertRaisesRegex(ValueError, "Places have 5 .* words 4"):
                score(regions, words[..., :4], mask)
            with self.assertRaisesRegex(ValueError, r"mask have shapes \(3, 2"):
                score(regions, words, mask[0])
        with self.assertRaisesRegex(ValueError, "chunk is 0; it takes 1"):
            matching.word_scores(regions, words, mask, chunk=0)


class LossesTest(tf.test.TestCase, parameterized.TestCase):
    """Scores of sentences, and losses of scores."""

    def test_sentences_are_scored_by_angle(self):
        codes, sentences = drawn(3, 5), drawn(4, 5, seed=1)
        found = matching.sentence_scores(codes, sentences, 7.0)
        for row, column in np.ndindex(3, 4):
            expected = 7.0 * cosine(codes[row], sentences[column])
            self.assertAllClose(found[row, column], expected)

    @parameterized.parameters(None, [[0, 0, 1, 0]], [[-1, 2, -1, 2]])
    def test_pictures_find_captions_and_captions_pictures(self, labels=None):
        scores = drawn(4, 4)
        losses = []
        for table in (scores, scores.T):
            total = 0.0
            for row in range(4):
                rest = [
                    math.exp(table[row, column])
                    for column in range(4)
                    if column == row
                    or labels is None
                    or labels[row] == -1
                    or labels[row] != labels[column]
                ]
                total += math.log(sum(rest)) - table[row, row]
            losses.append(total / 4)
        found = matching.matching_losses(scores, labels)
        self.assertAllClose(found, losses)

    def test_known_numbers(self):
        words = matching.word_scores(
            waves((3, 4, 3, 3), 0.53, 0.2),
            waves((3, 4, 5), 0.31, 0.9),
            real([5, 4, 2], 5),
        )
        sentences = matching.sentence_scores(
            waves((3, 4), 0.7, 0.1), waves((3, 4), 0.9, 0.4)
        )
        for scores, labels, expected in (
            (words, [7, 8, 7], [2.2015787919, 0.4473543867]),
            (words, None, [2.2019889853, 0.4527424371]),
            (sentences, [7, 8, 7], [3.1619048632, 3.2469248090]),
            (sentences, None, [3.5995292438, 3.2752690583]),
        ):
            found = matching.matching_losses(scores, labels)
            self.assertAllClose(found, expected, rtol=1e-9)

    def test_both_directions_make_the_recorded_loss_of_xmc_gan(self):
        with np.load(GOLDEN) as recorded:
            length = recorded["embedding"].shape[1]
            scores = matching.word_region_scores(
                recorded["regions"],
                recorded["embedding"],
                np.arange(length) < recorded["max_len"],
            )
            found = sum(matching.matching_losses(scores))
            self.assertAllClose(found, recorded["word_loss"], rtol=2e-6)

    def test_others_of_the_label_get_no_gradient(self):
        scores = tf.constant(drawn(3, 3))
        with tf.GradientTape() as tape:
            tape.watch(scores)
            losses = matching.matching_losses(scores, [4, 5, 4])
        slope = tape.gradient(losses, scores).numpy()
        self.assertAllEqual([slope[0, 2], slope[2, 0]], [0.0, 0.0])
        self.assertNotIn(0.0, slope[[0, 1, 1, 2], [1, 0, 2, 1]])

    def test_one_label_for_all_leaves_nothing_to_learn(self):
        found = matching.matching_losses(drawn(3, 3), [1, 1, 1])
        self.assertAllClose(found, [0.0, 0.0])

    def test_one_row_is_right_whatever_it_scores(self):
        self.assertAllClose(matching.matching_losses([[3.0]]), [0.0, 0.0])

    def test_half_precision_is_widened(self):
        scores = tf.cast(drawn(3, 3), "bfloat16")
        for loss in matching.matching_losses(scores, [0, 1, 0]):
            self.assertEqual(loss.dtype, tf.float32)


if __name__ == "__main__":
    tf.test.main()
