"""Examines how the agreement of readers is measured."""

import dataclasses
from unittest import mock

import numpy as np
import tensorflow as tf

from keras_t2i import weights
from keras_t2i.data import shapes, vocabulary
from keras_t2i.encoders import tokenizer
from keras_t2i.metrics import r_precision
from recipes import agreeing, letters, streams
from tests.recipes import couples, runs

PICTURES = shapes.load(40, 16)


class Knower:
    """Reads every caption and picture as the number of its row."""

    dim = 40

    def __init__(self, lost=()):
        rows = enumerate(PICTURES.captions[:, 0].tolist())
        self.rows = {caption: row for row, caption in rows}
        self.lost = {PICTURES.captions[row, 0] for row in lost}

    def check(self, captions):
        for caption in captions:
            if caption in self.lost:
                raise ValueError(f"{caption} has no known word.")

    def __call__(self, captions):
        self.check([text.decode() for text in captions.numpy()])
        rows = [self.rows[text.decode()] for text in captions.numpy()]
        return {"sentence": tf.one_hot(rows, self.dim)}

    def see(self, images):
        """Finds pictures that are captioned alike."""
        own = [
            next(i for i, x in enumerate(PICTURES.images) if np.all(x == image))
            for image in images.numpy()
        ]
        rows = [self.rows[PICTURES.captions[i, 0]] for i in own]
        return {"code": tf.one_hot(rows, self.dim)}


def pair(lost=()):
    """Makes readers that agree on all but the captions that are lost."""
    knower = Knower(lost)
    return weights.readers.Pair(knower, knower.see, {})


class VectorsTest(tf.test.TestCase):
    """Pictures and their first captions, read by a pair."""

    def test_rows_belong_together(self):
        config = couples.config()
        codes, told = agreeing.vectors(pair(), config, PICTURES)
        self.assertEqual(codes.shape, (40, 40))
        self.assertAllEqual(codes, told)

    def test_captions_that_cannot_be_read_are_zeros(self):
        lost = [3, 33]
        captions = PICTURES.captions[:, 0].tolist()
        found = agreeing.sentences(pair(lost), captions)
        words = {captions[row] for row in lost}
        for row, caption in enumerate(captions):
            self.assertEqual(bool(found[row].any()), caption not in words)
        self.assertEqual(found.dtype, np.float32)

    def test_no_caption_may_be_readable(self):
        found = agreeing.sentences(pair(range(40)), PICTURES.captions[:, 0])
        self.assertAllEqual(found, np.zeros((40, 40)))


class ScoresTest(tf.test.TestCase):
    """How often own partners are found."""

    def setUp(self):
        super().setUp()
        runs.folder(self)
        kept = np.unique(PICTURES.captions[:, 0], return_index=True)[1]
        self.pictures = PICTURES.subset(np.sort(kept))

    def test_readers_that_agree_score_one(self):
        found = agreeing.scores(pair(), couples.config(), self.pictures)
        self.assertEqual(found["r_precision"], 1.0)
        for k in (1, 5, 10):
            self.assertEqual(found[f"image_to_text_r{k}"], 1.0)
            self.assertEqual(found[f"text_to_image_r{k}"], 1.0)
        self.assertNotIn("unknown_words", found)

    def test_readers_that_cannot_read_score_as_chance_does(self):
        blind = pair(range(40))
        found = agreeing.scores(blind, couples.config(), self.pictures)
        count = len(self.pictures)
        self.assertAllClose(found["r_precision"], 1 / count, atol=0.02)
        self.assertAllClose(found["text_to_image_r1"], 1 / count)
        self.assertAllClose(found["image_to_text_r5"], 5 / count)

    def test_unknown_words_are_counted_where_words_are_learned(self):
        words = vocabulary.Vocabulary(["a", "red", "circle"])
        reader = mock.Mock(tokenizer=tokenizer.Words(words))
        learned = weights.readers.Pair(reader, None, {})
        captions = ["a red circle", "A green, green circle", "two"]
        share = agreeing.unknown_words(learned, captions)
        self.assertAllClose(share, 3 / 8)
        self.assertEqual(agreeing.unknown_words(learned, []), 0.0)
        self.assertIsNone(agreeing.unknown_words(pair(), captions))

    def test_ridge_map_is_fitted_on_training_pictures_only(self):
        couples.quickly(self)
        config, reader = couples.config(), letters.Letters()
        train, test = shapes.load(60, 16, seed=3), self.pictures
        with mock.patch.object(
            weights.pretrained, "minilm", return_value=reader
        ) as minilm:
            found = agreeing.ridge_scores(config, train, test)
        self.assertEqual(minilm.call_args.kwargs["max_words"], 20)
        seen = couples.toy(
            "lite0", None, size=32, resize="bilinear_antialiased"
        )
        read = [
            np.float64(streams.sentences(part, reader))
            for part in (train, test)
        ]
        bridge = r_precision.ridge(
            seen(train.images)["pooled"].numpy(), read[0].mean(axis=1)
        )
        codes = bridge.pictures(seen(test.images)["pooled"].numpy())
        told = bridge.texts(read[1][:, 0])
        expected = agreeing.retrieval.recall(codes, told)
        for name, value in expected.items():
            self.assertAllClose(found[name], value)
        self.assertEqual(set(found), {*expected, "r_precision"})
        mixed = dataclasses.replace(test, captions=test.captions[::-1])
        with mock.patch.object(
            weights.pretrained, "minilm", return_value=reader
        ):
            self.assertNotEqual(
                agreeing.ridge_scores(config, train, mixed), found
            )


if __name__ == "__main__":
    tf.test.main()
