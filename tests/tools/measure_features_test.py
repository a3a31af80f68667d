"""Examines the tool that measures stored vectors."""

import contextlib
import io
import json
import tempfile
import types
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.data import prepared, shapes
from keras_t2i.encoders import bert, text, tokenizer
from keras_t2i.weights import pretrained
from tools import measure_features as tool

PIECES = "[PAD] [UNK] [CLS] [SEP] a red blue green circle square on".split()


def tiny():
    """A reader of 16 numbers."""
    keras.utils.set_random_seed(0)
    model = bert.encoder(
        vocabulary_size=len(PIECES),
        width=16,
        layers=1,
        heads=2,
        hidden=8,
        positions=24,
    )
    cut = tokenizer.WordPiece(PIECES, max_words=24)
    return text.TextEncoder(cut, model, "tiny", "tiny")


class MeasureFeaturesTest(tf.test.TestCase):
    """Bytes and errors are those of the stored vectors."""

    def test_bytes_are_small_and_halves_are_closer_than_bytes(self):
        captions = sorted(set(shapes.load(40, 8).captions.ravel().tolist()))
        encoder = tiny()
        half, byte = (
            tool.measured(encoder, captions, dtype)
            for dtype in ("float16", "int8")
        )
        self.assertLess(half["largest_error"], 2e-3)
        self.assertLess(half["mean_error"], byte["mean_error"])
        self.assertLess(byte["bytes"], half["bytes"])
        self.assertGreater(byte["least_cosine"], 0.999)
        mask = encoder(tf.constant(captions))["mask"].numpy()
        words = mask.sum(1).mean()
        for dtype, made in (("float16", half), ("int8", byte)):
            # The rest is a few hundred bytes of heads of files.
            expected = tool.bytes_of(words, 16, dtype)
            self.assertBetween(made["bytes"] - expected, 0, 20)

    def test_a_prepared_set_is_measured(self):
        folder = tempfile.mkdtemp(dir=self.get_temp_dir())
        prepared.write(folder, {"train": shapes.load(30, 8)})
        options = types.SimpleNamespace(
            data=folder, split="train", source=None, captions=20, max_words=24
        )
        printed = io.StringIO()
        with (
            mock.patch.object(pretrained, "minilm", lambda *_, **__: tiny()),
            contextlib.redirect_stdout(printed),
        ):
            tool.run(options)
        made = json.loads(printed.getvalue().splitlines()[-1])
        self.assertBetween(made["captions"], 2, 20)
        size = made["float16"]["coco_768_gigabytes"]
        expected = tool.bytes_of(made["words"], 768, "float16")
        self.assertAllClose(size, 414_113 * expected / 1e9)
        self.assertTrue(np.isfinite(list(made["int8"].values())).all())


if __name__ == "__main__":
    tf.test.main()
