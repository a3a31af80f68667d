"""Examines prepared sets: written, opened, damaged."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import catalog, pipeline, prepared, shapes


class PreparedTest(parameterized.TestCase, tf.test.TestCase):
    """A folder tells what it holds, and what of it is gone."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        self.parts = {
            "train": shapes.load(5, 8, seed=0),
            "test": shapes.load(3, 8, seed=1),
        }
        prepared.write(self.folder, self.parts, "toys")

    @parameterized.parameters("train", "test")
    def test_part_comes_back(self, split):
        whole = self.parts[split]
        back = catalog.load("records", split, path=self.folder)
        self.assertEqual(back.name, f"toys/{split}")
        self.assertEqual(back.class_names, whole.class_names)
        self.assertAllEqual(back.captions[...], whole.captions)
        self.assertAllEqual(back.keys[...], whole.keys)
        self.assertAllEqual(back.labels, whole.labels)
        pixels = np.concatenate(list(pipeline.in_order(back, 8)))
        self.assertAllEqual(pixels, whole.images)

    def test_all_parts_come_after_each_other(self):
        back = prepared.load(self.folder)
        images = np.concatenate([x.images for x in self.parts.values()])
        pixels = np.concatenate(list(pipeline.in_order(back, 8)))
        self.assertAllEqual(pixels, images)
        self.assertEqual(back.name, "toys")

    def test_digest_is_of_the_content(self):
        digests = {prepared.load(self.folder, x).digest for x in self.parts}
        self.assertLen(digests, 2)
        again = self.folder / "again"
        prepared.write(again, self.parts, "other name")
        self.assertIn(prepared.load(again, "train").digest, digests)

    def test_missing_part_is_named(self):
        with self.assertRaisesRegex(ValueError, "no part 'val'; it has train"):
            prepared.load(self.folder, "val")
        with self.assertRaisesRegex(ValueError, "called 'dev'; allowed: tra"):
            prepared.write(self.folder, {"dev": self.parts["test"]})

    def test_other_folder_is_refused(self):
        with self.assertRaisesRegex(ValueError, "is no prepared set: it has"):
            prepared.load(self.folder / "nowhere", "train")
        with self.assertRaisesRegex(ValueError, "'records' needs a path"):
            catalog.load("records", "train")

    @parameterized.named_parameters(
        ("no json", "{", "is damaged"),
        ("a list", "[]", "is damaged"),
        ("less", '{"format": 1}', "is damaged"),
        (
            "later",
            '{"format": 2, "splits": {}, "class_names": []}',
            "is of format 2; this version reads 1",
        ),
    )
    def test_bad_manifest_is_refused(self, text, sentence):
        (self.folder / "manifest.json").write_text(text)
        with self.assertRaisesRegex(ValueError, sentence):
            prepared.load(self.folder, "train")

    def test_files_that_are_missing_or_changed_are_named(self):
        self.assertEmpty(prepared.verify(self.folder))
        path = self.folder / "train.tfrecord"
        data = path.read_bytes()
        path.write_bytes(data[:-1] + b"?")
        (self.folder / "test.index.npz").unlink()
        self.assertEqual(
            prepared.verify(self.folder),
            [
                f"{path} has changed since it was made.",
                f"{self.folder}/test.index.npz is missing.",
            ],
        )
        with self.assertRaisesRegex(ValueError, "There is no index"):
            prepared.load(self.folder, "test")
        path.write_bytes(data[:-1])
        with self.assertRaisesRegex(ValueError, "was made with [0-9,]+. Prep"):
            prepared.load(self.folder, "train")
        path.unlink()
        with self.assertRaisesRegex(ValueError, "train.tfrecord is missing"):
            prepared.load(self.folder, "train")

    def test_words_come_back_in_their_order(self):
        with self.assertRaisesRegex(ValueError, "no .*vocabulary.txt"):
            prepared.vocabulary(self.folder)
        (self.folder / "vocabulary.txt").write_text("red\na\n")
        self.assertEqual(prepared.vocabulary(self.folder), ["red", "a"])


if __name__ == "__main__":
    tf.test.main()
