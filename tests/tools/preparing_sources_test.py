"""Pictures in files that hold several change with these files."""

import pathlib
import tempfile
import types
from unittest import mock

import h5py
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tools.preparing import asked, hdf5, plan, rows, tfds


def digest(picture):
    """Names a set of one picture."""
    item = plan.Item("a", picture, ("a thing",), "train")
    found = plan.Plan("set", "of a test", [item])
    return rows.digest(found, asked.Settings(out="out"))


class SourcesTest(parameterized.TestCase, tf.test.TestCase):
    """A file that holds pictures."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )

    def check(self, picture, file):
        """Checks that a set is another when this file changes."""
        self.assertEqual(picture.source, file)
        first = digest(picture)
        self.assertEqual(digest(picture), first)
        with open(file, "ab") as stream:
            stream.write(b" ")
        longer = digest(picture)
        self.assertNotEqual(longer, first)
        file.unlink()
        self.assertNotIn(digest(picture), (first, longer))

    def test_rows_of_hdf5(self):
        path = self.folder / "birds.hdf5"
        with h5py.File(path, "w") as file:
            row = file.create_group("train/bird_0")
            row["img"] = np.frombuffer(b"bytes", np.uint8)
            row["class"], row["txt"] = b"a class", b"a caption"
        items, _ = hdf5.items(path, False, [])
        self.assertEqual(items[0].picture.read_bytes(), b"bytes")
        self.check(items[0].picture, path)

    def test_rows_of_tfds(self):
        file = self.folder / "dataset_info.json"
        file.write_text("{}")
        found = types.SimpleNamespace(name="x", data_dir=str(self.folder))
        with mock.patch.object(tfds, "_package"):
            pictures = tfds.Pictures(found, "train")
        rows = iter([{"image": b"first"}, {"image": b"second"}])
        with mock.patch.object(tfds, "_read", return_value=rows) as read:
            picture = pictures.picture(7, "seventh")
            self.assertEqual(picture.read_bytes(), b"first")
            self.assertEqual(read.call_args.args[1], "train[7:]")
        self.assertEqual(str(picture), "seventh")
        self.check(picture, file)

    def test_name_that_no_system_takes(self):
        path = pathlib.Path("a\ud800")
        self.assertNotEqual(digest(path), digest(self.folder))


if __name__ == "__main__":
    tf.test.main()
