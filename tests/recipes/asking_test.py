"""Examines what judges ask for and read, wherever pictures lie."""

import dataclasses
import os
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import prepared, shapes, texts
from keras_t2i.encoders import text
from keras_t2i.metrics import protocols
from recipes import asking, letters, streams, wiring
from tests.recipes import runs


class CaptionsTest(parameterized.TestCase, tf.test.TestCase):
    """Sets in files are judged by the vectors that training stored."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.held = shapes.load(12, 16)
        prepared.write(self.folder / "set", {"train": self.held})
        self.filed = prepared.load(self.folder / "set", "train")
        self.reader = letters.Letters()
        self.exact = streams.sentences(self.held, self.reader)

    def cached(self):
        names = os.listdir(wiring.cache_dir())
        return {name for name in names if name.startswith("sentences_")}

    def test_held_sets_have_the_very_vectors_of_memory(self):
        means = asking.mean_sentences(self.held, self.reader)
        self.assertAllEqual(means, self.exact.mean(axis=1))
        firsts = asking.first_sentences(self.held, self.reader)
        self.assertAllEqual(firsts, self.exact[:, 0])
        self.assertLen(self.cached(), 1)  # Of float32; nothing else is kept.

    @parameterized.parameters(1, 5, 1024)
    def test_sets_in_files_have_them_in_half_floats(self, rows):
        with mock.patch.object(asking, "_ROWS", rows):
            means = asking.mean_sentences(self.filed, self.reader)
            firsts = asking.first_sentences(self.filed, self.reader)
        for found, expected in (
            (means, self.exact.mean(axis=1)),
            (firsts, self.exact[:, 0]),
        ):
            self.assertEqual(found.dtype, np.float32)
            self.assertEqual(found.shape, (12, 16))
            self.assertAllClose(found, expected, 1e-3, 2e-3)
            self.assertNotAllEqual(found, expected)

    def test_judge_reads_what_training_stored(self):
        config = runs.smoke()
        streams.dataset(config, self.filed, self.reader)
        before = self.cached()
        asking.mean_sentences(self.filed, self.reader)
        self.assertEqual(self.cached(), before)

    def test_first_captions_are_read_alone(self):
        with mock.patch.object(text, "embed", wraps=text.embed) as embed:
            asking.first_sentences(self.filed, self.reader)
        (call,) = embed.call_args_list
        self.assertEqual(call.args[1].shape, (12, 1))

    def test_captions_in_files_are_never_made_wide(self):
        with mock.patch.object(texts.Texts, "__getitem__", side_effect=OSError):
            firsts = asking.first_captions(self.filed)
            asking.first_sentences(self.filed, self.reader)
            asking.mean_sentences(self.filed, self.reader)
        self.assertEqual(firsts, self.held.captions[:, 0].tolist())
        self.assertEqual(asking.first_captions(self.held), firsts)

    def test_nobody_reads_nothing(self):
        for pictures in (self.held, self.filed):
            for read in (asking.mean_sentences, asking.first_sentences):
                self.assertIsNone(read(pictures, wiring.Nobody()))


class AskedTest(tf.test.TestCase):
    """Protocols choose captions, always the same."""

    def setUp(self):
        super().setUp()
        self.pictures = shapes.load(12, 16)
        self.reader = letters.Letters()

    def asked(self, most=None, **settings):
        settings = {"pictures": 30, "batch": 4} | settings
        protocol = dataclasses.replace(protocols.PRESETS["offline"], **settings)
        return asking.asked(self.pictures, self.reader, protocol, most)

    def test_first_captions_where_no_count_is_told(self):
        found = self.asked(pictures=None, batch=None)
        self.assertAllEqual(found.rows, np.arange(12))
        self.assertEqual(found.captions, self.pictures.captions[:, 0].tolist())
        self.assertEqual(found.sentences.shape, (12, 16))

    def test_rounds_show_each_picture_equally_often_in_other_orders(self):
        found = self.asked()
        self.assertLen(found.captions, 28)  # Whole batches of 4 of 30.
        first, second = found.rows[:12], found.rows[12:24]
        self.assertCountEqual(first.tolist(), range(12))
        self.assertCountEqual(second.tolist(), range(12))
        self.assertNotAllEqual(first, second)
        for row, caption in zip(found.rows, found.captions, strict=True):
            self.assertIn(caption, self.pictures.captions[row])
        again = self.asked()
        self.assertAllEqual(again.rows, found.rows)
        self.assertEqual(again.captions, found.captions)

    def test_vectors_are_those_of_the_captions(self):
        found = self.asked()
        exact = text.embed(self.reader, np.array(found.captions)[:, None], None)
        self.assertAllClose(found.sentences, exact[:, 0], 1e-3, 2e-3)

    def test_most_cuts_and_less_than_a_batch_is_refused(self):
        self.assertLen(self.asked(most=9).captions, 8)
        with self.assertRaisesRegex(ValueError, "batches of 4 pictures; 3 do"):
            self.asked(most=3)

    def test_sets_in_files_are_asked_alike(self):
        folder = runs.folder(self)
        prepared.write(folder / "set", {"train": self.pictures})
        held = self.asked()
        self.pictures = prepared.load(folder / "set", "train")
        self.assertEqual(self.asked().captions, held.captions)


if __name__ == "__main__":
    tf.test.main()
