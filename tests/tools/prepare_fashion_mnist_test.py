"""Fashion-MNIST, from idx files that the test writes to a prepared set."""

import contextlib
import gzip
import io
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.data import fashion_mnist, prepared
from tests.tools import preparing_cases
from tools import prepare_fashion_mnist as tool
from tools.preparing import verb

COUNTS = {"train": 30, "t10k": 10}


def write_idx(path, array):
    """Writes an idx file as the official ones are."""
    head = bytes([0, 0, 8, array.ndim])
    head += struct.pack(f">{array.ndim}I", *array.shape)
    data = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


class FashionTest(parameterized.TestCase, tf.test.TestCase):
    """A folder of the four files for each test."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder, "idx")
        self.folder.mkdir()
        self.out = pathlib.Path(folder, "out")
        random = np.random.default_rng(5)
        self.drawn = {}
        for part, count in COUNTS.items():
            images = random.integers(0, 256, (count, 28, 28))
            labels = np.arange(count) % 10
            self.drawn[part] = images
            write_idx(self.folder / f"{part}-images-idx3-ubyte.gz", images)
            write_idx(self.folder / f"{part}-labels-idx1-ubyte", labels)

    def options(self, **changes):
        usual = dict(source=str(self.folder), out=str(self.out), template="{}")
        return preparing_cases.options(**usual | changes)

    def test_it_is_prepared_from_end_to_end(self):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            verb.prepare(tool.plan, self.options())
        for part, split in (("train", "train"), ("t10k", "test")):
            held = prepared.load(self.out, split)
            rows = np.arange(COUNTS[part])
            self.assertLen(held, COUNTS[part])
            self.assertEqual(held.labels.tolist(), (rows % 10).tolist())
            self.assertEqual(
                np.asarray(held.captions[rows])[:, 0].tolist(),
                [fashion_mnist.CLASSES[row % 10] for row in rows],
            )
            for row, data in enumerate(held.images.read(rows)):
                example = tf.train.Example.FromString(data)
                image = example.features.feature["image"].bytes_list.value[0]
                pixels = np.asarray(Image.open(io.BytesIO(image)).convert("L"))
                self.assertAllEqual(pixels, self.drawn[part][row])
        told = printed.getvalue()
        self.assertIn("40: 30 train, 10 test", told)
        self.assertIn("known       60,000 pictures in train; here 30", told)
        self.assertIn("The set has no captions; they are the names of", told)
        self.assertIn("--config.data.image_size=32", told)
        self.assertEqual(held.class_names, fashion_mnist.CLASSES)

    def test_parts_and_keys_are_those_of_the_catalog(self):
        found = tool.plan(self.options())
        self.assertEqual(
            [item.key for item in found.items],
            fashion_mnist.load(path=self.folder).keys.tolist(),
        )
        self.assertEqual(
            [item.split for item in found.items], ["train"] * 30 + ["test"] * 10
        )
        self.assertEqual(found.known["pictures"], 70_000)
        self.assertEqual(
            {item.picture.source.name for item in found.items},
            {f"{part}-images-idx3-ubyte.gz" for part in COUNTS},
        )

    def test_template_surrounds_the_name(self):
        found = tool.plan(self.options(template="a photo of a {}, grey"))
        self.assertEqual(
            found.items[9].captions, ("a photo of a Ankle boot, grey",)
        )
        self.assertIn("put into 'a photo of a {}, grey'.", found.notes[0])

    @parameterized.parameters("a photo", "{} and {}", "")
    def test_template_needs_one_place_for_the_name(self, template):
        with self.assertRaisesRegex(ValueError, "--template=.* needs {} once"):
            tool.plan(self.options(template=template))

    def test_damaged_files_are_named(self):
        path = self.folder / "train-images-idx3-ubyte.gz"
        path.write_bytes(path.read_bytes()[:99])
        with self.assertRaisesRegex(ValueError, "train-images.*cut off"):
            tool.plan(self.options())
        path.unlink()
        with self.assertRaisesRegex(ValueError, "^--source=.* has no train-im"):
            tool.plan(self.options())

    def test_command_ends_in_a_sentence(self):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tools.prepare_fashion_mnist"),
                *("--source=/no/such", f"--out={self.out}"),
            ],
            cwd=pathlib.Path(tool.__file__).parents[1],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "(?m)^Error: --source=/no/such is no fi")
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    tf.test.main()
