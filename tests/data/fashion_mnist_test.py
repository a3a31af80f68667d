"""Examines Fashion-MNIST on tiny files of its layout."""

import pathlib
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import batch, catalog, fashion_mnist, pipeline
from tests import harness

COUNTS = {"train": 12, "t10k": 5}


class FashionMNISTTest(parameterized.TestCase, tf.test.TestCase):
    """Files become captioned grey pictures."""

    def setUp(self):
        super().setUp()
        here = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(here)

    def write(self, squeeze=True):
        return {
            prefix: harness.write_fashion_mnist(
                self.folder, prefix, count, squeeze
            )
            for prefix, count in COUNTS.items()
        }

    @parameterized.product(
        squeeze=[True, False], part=[("train", "train"), ("test", "t10k")]
    )
    def test_parts_are_read_gzipped_or_plain(self, squeeze, part):
        split, prefix = part
        images, labels = self.write(squeeze)[prefix]
        pictures = fashion_mnist.load(split, path=self.folder)
        self.assertAllEqual(pictures.images[..., 0], images)
        self.assertEqual(pictures.images.shape[1:], (28, 28, 1))
        self.assertAllEqual(pictures.labels, labels)
        self.assertEqual(pictures.name, f"fashion_mnist/{split}")
        for caption, label in zip(pictures.captions, labels, strict=True):
            self.assertEqual(caption.tolist(), [fashion_mnist.CLASSES[label]])

    def test_both_parts_together_have_keys_of_their_own(self):
        self.write()
        whole = catalog.load("fashion_mnist", None, 28, self.folder)
        self.assertLen(whole, 17)
        self.assertLen(set(whole.keys), 17)
        self.assertEqual(
            (whole.keys[0], whole.keys[-1]), ("train/00000", "test/00004")
        )
        self.assertEqual(whole.channels, 1)

    def test_catalog_says_how_many_there_are(self):
        entry = catalog.CATALOG["fashion_mnist"]
        self.assertEqual(entry.counts, {"train": 60_000, "test": 10_000})
        self.assertIn("MIT", entry.licence)

    def test_batches_are_grey_floats(self):
        images, _ = self.write()["train"]
        pictures = fashion_mnist.load("train", path=self.folder)
        stream = pipeline.batches(
            pictures, batch_size=4, image_size=28, seed=0, mismatch="image"
        )
        spec = batch.element_spec(
            batch_size=4, image_size=28, channels=1, mismatch="image"
        )
        made = next(iter(stream))
        self.assertEqual(set(made), set(spec))
        for key, value in made.items():
            self.assertTrue(spec[key].is_compatible_with(value), key)
        batch.check(made)
        row = int(made["key"][0].numpy().decode().split("/")[1])
        self.assertAllClose(
            made["image"][0, :, :, 0], images[row] / 127.5 - 1.0, atol=1e-6
        )

    def test_debians_folder_is_the_default(self):
        self.write()
        with mock.patch.object(fashion_mnist, "DEBIAN", self.folder):
            self.assertLen(fashion_mnist.load("test"), 5)
        missing = self.folder / "nowhere"
        with mock.patch.object(fashion_mnist, "DEBIAN", missing):
            with self.assertRaisesRegex(
                ValueError, "nowhere has no train-images.*dataset-fashion-mnist"
            ):
                fashion_mnist.load("train")

    def test_keras_downloads_when_asked_only(self):
        parts = list(self.write().values())
        with mock.patch.object(
            keras.datasets.fashion_mnist, "load_data", return_value=parts
        ) as asked:
            fashion_mnist.load("test", path=self.folder)
            asked.assert_not_called()
            pictures = fashion_mnist.load("test", path="keras.datasets")
        self.assertAllEqual(pictures.images[..., 0], parts[1][0])

    def test_parts_of_other_files_are_refused(self):
        self.write()
        harness.write_fashion_mnist(
            self.folder, "t10k", 4, labels=np.arange(3, dtype=np.uint8)
        )
        with self.assertRaisesRegex(ValueError, "test part in .* 3 labels and"):
            fashion_mnist.load("test", path=self.folder)
        harness.write_fashion_mnist(
            self.folder, "t10k", 2, labels=np.array([3, 10], np.uint8)
        )
        with self.assertRaisesRegex(ValueError, "has label 10; allowed are 0"):
            fashion_mnist.load("test", path=self.folder)

    @parameterized.parameters(
        ("dev", 28, "split is 'dev'"), (None, 32, "28 px")
    )
    def test_other_parts_and_sizes_are_refused(self, split, size, told):
        with self.assertRaisesRegex(ValueError, told):
            fashion_mnist.load(split, size, self.folder)


if __name__ == "__main__":
    tf.test.main()
