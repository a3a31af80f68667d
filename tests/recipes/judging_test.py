"""Examines what the judge reads of captions, wherever pictures lie."""

import os
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.data import prepared, shapes, texts
from keras_t2i.encoders import text
from keras_t2i.metrics import features
from recipes import judging, wiring
from tests.recipes import runs


class CaptionsTest(parameterized.TestCase, tf.test.TestCase):
    """Sets in files are judged by the vectors that training stored."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.held = shapes.load(12, 16)
        prepared.write(self.folder / "set", {"train": self.held})
        self.filed = prepared.load(self.folder / "set", "train")
        self.reader = wiring.Letters()
        self.exact = wiring.sentences(self.held, self.reader)

    def cached(self):
        names = os.listdir(wiring.cache_dir())
        return {name for name in names if name.startswith("sentences_")}

    def test_held_sets_have_the_very_vectors_of_memory(self):
        means = judging._mean_sentences(self.held, self.reader)
        self.assertAllEqual(means, self.exact.mean(axis=1))
        firsts = judging._first_sentences(self.held, self.reader)
        self.assertAllEqual(firsts, self.exact[:, 0])
        self.assertLen(self.cached(), 1)  # Of float32; nothing else is kept.

    @parameterized.parameters(1, 5, 1024)
    def test_sets_in_files_have_them_in_half_floats(self, rows):
        with mock.patch.object(judging, "_ROWS", rows):
            means = judging._mean_sentences(self.filed, self.reader)
            firsts = judging._first_sentences(self.filed, self.reader)
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
        wiring.dataset(config, self.filed, self.reader)
        before = self.cached()
        judging._mean_sentences(self.filed, self.reader)
        self.assertEqual(self.cached(), before)

    def test_first_captions_are_read_alone(self):
        with mock.patch.object(text, "embed", wraps=text.embed) as embed:
            judging._first_sentences(self.filed, self.reader)
        (call,) = embed.call_args_list
        self.assertEqual(call.args[1].shape, (12, 1))

    def test_captions_in_files_are_never_made_wide(self):
        with mock.patch.object(texts.Texts, "__getitem__", side_effect=OSError):
            firsts = judging._first_captions(self.filed)
            judging._first_sentences(self.filed, self.reader)
            judging._mean_sentences(self.filed, self.reader)
        self.assertEqual(firsts, self.held.captions[:, 0].tolist())
        self.assertEqual(judging._first_captions(self.held), firsts)

    def test_training_is_glanced_at_wherever_pictures_lie(self):
        for pictures in (self.held, self.filed):
            with mock.patch.object(judging.evaluator, "Judge") as bench:
                bench.return_value.pictures.return_value = []
                glance = judging.glance(
                    runs.smoke(), mock.Mock(), pictures, self.reader, 8
                )
                self.assertEqual(glance(), {})
            means = bench.call_args.args[1]
            firsts = bench.return_value.pictures.call_args.args[2]
            self.assertAllClose(means, self.exact[:8].mean(1), 1e-3, 2e-3)
            self.assertAllClose(firsts, self.exact[:8, 0], 1e-3, 2e-3)

    def test_nobody_reads_nothing(self):
        for pictures in (self.held, self.filed):
            for read in (judging._mean_sentences, judging._first_sentences):
                self.assertIsNone(read(pictures, wiring.Nobody()))


class StillTest(tf.test.TestCase):
    """One picture stands for many without their memory."""

    def test_features_of_a_repeated_picture_are_those_of_copies(self):
        folder = runs.folder(self)
        mean = shapes.load(1, 16).images[0]
        still = np.broadcast_to(mean, (40, *mean.shape))
        copies = np.repeat(mean[None], 40, 0)
        network = weights.pretrained.lite0()
        found, expected = (
            features.extract(features.in_batches(table), network, folder)
            for table in (still, copies)
        )
        for key in features.KEPT:
            self.assertAllEqual(found[key], expected[key])
        self.assertLen(list(folder.glob("*.npz")), 2)  # 32 and 8 of them.


if __name__ == "__main__":
    tf.test.main()
