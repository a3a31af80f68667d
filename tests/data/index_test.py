"""Examines the index of a set's records."""

import dataclasses
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import index, prepared, shapes


class IndexTest(parameterized.TestCase, tf.test.TestCase):
    """Damage is noticed when an index is opened."""

    def setUp(self):
        super().setUp()
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        prepared.write(folder, {"train": shapes.load(5, 8)})
        self.path = folder / "train.index.npz"

    def test_file_comes_back_and_is_always_the_same(self):
        listed, before = index.load(self.path), self.path.read_bytes()
        listed.save(self.path)
        self.assertEqual(self.path.read_bytes(), before)

    @parameterized.parameters(0.0, 0.3, 0.9)
    def test_file_that_is_cut_off_is_refused(self, share):
        data = self.path.read_bytes()
        self.path.write_bytes(data[: int(share * len(data))])
        with self.assertRaisesRegex(ValueError, "is damaged or none"):
            index.load(self.path)

    def test_parts_that_do_not_fit_are_refused(self):
        with np.load(self.path) as stored:
            parts = dict(stored)
        parts["label"] = parts["label"][:-1]
        np.savez(self.path, **parts)
        with self.assertRaisesRegex(ValueError, "does not fit together"):
            index.load(self.path)

    def test_own_captions_are_counted(self):
        listed = index.load(self.path)
        self.assertAllEqual(listed.own, [5] * 5)
        own = np.array([5, 1, 2, 3, 5], np.int32)
        dataclasses.replace(listed, own=own).save(self.path)
        listed = index.load(self.path)
        self.assertAllEqual(listed.own, own)
        self.assertAllEqual(index.join([listed] * 2).own, [*own, *own])

    def test_early_index_takes_all_captions_for_own(self):
        with np.load(self.path) as stored:
            parts = dict(stored)
        del parts["own"]
        np.savez(self.path, **parts)
        self.assertAllEqual(index.load(self.path).own, [5] * 5)

    @parameterized.parameters(0, 6)
    def test_more_own_captions_than_there_are_are_refused(self, count):
        own = np.full(5, count, np.int32)
        dataclasses.replace(index.load(self.path), own=own).save(self.path)
        with self.assertRaisesRegex(ValueError, "does not fit together"):
            index.load(self.path)

    def test_objects_in_it_are_refused(self):
        np.savez(self.path, shard=np.array([{}], object))
        with self.assertRaisesRegex(ValueError, "is damaged or none"):
            index.load(self.path)

    def test_files_of_several_indices_are_counted_on(self):
        folder = self.path.parent
        prepared.write(folder, {"test": shapes.load(3, 8)})
        parts = [index.load(self.path), index.load(folder / "test.index.npz")]
        both = index.join([*parts, index.join(parts)])
        self.assertAllEqual(np.bincount(both.shard), [5, 3, 5, 3])
        self.assertAllEqual(both.offset[:5], both.offset[8:13])


if __name__ == "__main__":
    tf.test.main()
