"""Examines our record files, whole and broken."""

import dataclasses
import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import pipeline, records, shapes, source


def example(**changes):
    """One good example."""
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    return {"image": image, "captions": ["a", "b"], "key": "k"} | changes


class RecordsTest(parameterized.TestCase, tf.test.TestCase):
    """What is written is read; what is broken is named."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        self.path = self.folder / "set.tfrecord"

    def test_set_comes_back_as_it_was(self):
        whole = shapes.load(7, 16)
        paths = records.write_shards(self.folder, whole, 1)
        back = records.read(paths)
        self.assertAllEqual(back.captions, whole.captions)
        self.assertAllEqual(back.labels, whole.labels)
        self.assertAllEqual(back.keys, whole.keys)
        self.assertEqual(back.name, "shapes")
        for label in set(whole.labels.tolist()):
            self.assertEqual(back.class_names[label], whole.class_names[label])
        pixels = np.concatenate(list(pipeline.in_order(back, 16)))
        self.assertAllEqual(pixels, whole.images)

    def test_shards_hold_everything_once(self):
        whole = shapes.load(7, 8)
        paths = records.write_shards(self.folder, whole, 3)
        self.assertEqual(
            [os.path.basename(path) for path in paths],
            [f"shapes-0000{i}-of-00003.tfrecord" for i in range(3)],
        )
        back = records.read(paths, stream=True)
        self.assertEqual(back.images.paths, tuple(paths))
        self.assertAllEqual(np.bincount(back.images.shard), [3, 2, 2])
        self.assertCountEqual(back.keys.tolist(), whole.keys.tolist())

    def test_index_of_a_file_finds_each_record(self):
        listed = records.write(
            self.path, [example(key=key * 9) for key in "abc"]
        )
        stored = list(tf.data.TFRecordDataset(str(self.path)))
        found = records.indexed(
            [str(self.path)], listed, class_names=(), name="set"
        )
        self.assertEqual(
            found.images.read(np.array([2, 0])),
            [stored[2].numpy(), stored[0].numpy()],
        )
        self.assertEqual(found.keys[1], "b" * 9)
        again = records.read(self.path, stream=True)
        self.assertAllEqual(again.images.offset, listed.offset)
        self.assertAllEqual(again.images.length, listed.length)

    def test_several_classes_a_picture_come_back(self):
        sets = [[], [2, 0], [1]]
        rows = [example(key=str(i), labels=x) for i, x in enumerate(sets)]
        records.write(self.path, rows)
        back = records.read(self.path).label_sets
        self.assertEqual([back.of(i).tolist() for i in range(3)], sets)
        self.assertAllEqual(back[[2, 1]].values, [1, 2, 0])

    def test_index_keeps_how_many_captions_are_own(self):
        told = example(captions=["a", "b", "a"], own=2)
        listed = records.write(
            self.path, [told, example(key="l") | {"captions": ["a", "b", "c"]}]
        )
        self.assertAllEqual(listed.own, [2, 3])
        back = records.indexed(
            [str(self.path)], listed, class_names=(), name="set"
        )
        self.assertAllEqual(back.own, [2, 3])
        self.assertAllEqual(records.read(self.path).own, [3, 3])
        held = dataclasses.replace(records.read(self.path), own=back.own)
        again = records.write(self.path, records.examples(held))
        self.assertAllEqual(again.own, [2, 3])

    def test_file_that_ends_early_is_named(self):
        records.write(self.path, [example(key=key) for key in "ab"])
        streamed = records.read(self.path, stream=True)
        os.truncate(self.path, 150)
        with self.assertRaisesRegex(ValueError, "set.tfrecord has fewer rec"):
            streamed.images.read(np.array([1]))

    @parameterized.parameters(0, 8)
    def test_wrong_number_of_shards_is_refused(self, shards):
        with self.assertRaisesRegex(ValueError, "allowed are 1 to 7"):
            records.write_shards(self.folder, shapes.load(7, 8), shards)

    def test_pictures_in_files_are_copied_as_they_are(self):
        whole = shapes.load(2, 8)
        names = []
        for row, image in enumerate(whole.images):
            names.append(str(self.folder / f"{row}.png"))
            pathlib.Path(names[-1]).write_bytes(records.png(image))
        in_files = source.Pictures(
            np.array(names),
            whole.captions,
            whole.labels,
            whole.keys,
            whole.class_names,
            "files",
        )
        records.write(self.path, records.examples(in_files))
        back = records.read(self.path)
        self.assertEqual(back.images[1], pathlib.Path(names[1]).read_bytes())

    def test_no_label_means_minus_one(self):
        self.assertLen(records.write(self.path, [example()]), 1)
        back = records.read(self.path)
        self.assertEqual(back.labels.tolist(), [-1])
        self.assertEqual(back.class_names, ())

    @parameterized.named_parameters(
        ("missing", {"captions": []}, "'k' has no caption"),
        ("empty", {"captions": ["a", " "]}, "Caption 1 of picture 'k' is em"),
        ("own", {"own": 3}, "own=3; allowed are 1 to its 2 captions"),
        ("bytes", {"captions": [b"\xff"]}, "is not UTF-8"),
        ("floats", {"image": np.zeros((4, 4, 3))}, "image of example 1 must"),
    )
    def test_bad_example_leaves_the_old_file_intact(self, changes, sentence):
        records.write(self.path, [example()])
        before = self.path.read_bytes()
        with self.assertRaisesRegex(ValueError, sentence):
            records.write(self.path, [example(), example(**changes)])
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(os.listdir(self.folder), [self.path.name])

    @parameterized.parameters("image", "captions", "key")
    def test_missing_part_is_named(self, part):
        lacking = example()
        del lacking[part]
        with self.assertRaisesRegex(ValueError, f"Example 0 has no '{part}'"):
            records.write(self.path, [lacking])

    def test_folder_that_is_a_file_gets_a_sentence(self):
        self.path.write_bytes(b"here")
        with self.assertRaisesRegex(OSError, "Cannot write .*unchanged"):
            records.write(self.path / "set.tfrecord", [example()])
        self.assertEqual(self.path.read_bytes(), b"here")

    @parameterized.named_parameters(
        ("turned byte", lambda data: data[:-9] + b"?" + data[-8:]),
        ("cut off", lambda data: data[:-9]),
        ("wrong length", lambda data: data + b"\x01\x02\x03"),
    )
    def test_corrupt_record_is_named_by_file_and_number(self, spoil):
        keys = ["k0", "k1", "k2"]
        records.write(self.path, [example(key=key) for key in keys])
        data = self.path.read_bytes()
        self.path.write_bytes(spoil(data))
        with self.assertRaisesRegex(
            ValueError, f"^Record [23] of {self.path} is corrupt or cut off"
        ):
            records.read(self.path)

    @parameterized.named_parameters(
        ("no example", b"\xff\xff", "is no tf.train.Example"),
        ("no image", b"", "has no 'image'"),
    )
    def test_foreign_record_is_named(self, content, sentence):
        with tf.io.TFRecordWriter(str(self.path)) as writer:
            writer.write(content)
        with self.assertRaisesRegex(
            ValueError, f"^Record 0 of {self.path} {sentence}"
        ):
            records.read(self.path)

    def test_image_that_is_none_is_named(self):
        records.write(self.path, [example(), example(image=b"GIF?", key="l")])
        with self.assertRaisesRegex(ValueError, "record 1 of .* no PNG or JPE"):
            records.read(self.path)

    def test_caption_that_is_not_utf8_is_named(self):
        records.write(self.path, [example(captions=["sharp"])])
        stored = next(iter(tf.data.TFRecordDataset(str(self.path))))
        spoiled = stored.numpy().replace(b"sharp", b"sh\xffrp")
        with tf.io.TFRecordWriter(str(self.path)) as writer:
            writer.write(spoiled)
        with self.assertRaisesRegex(
            ValueError, "Caption 0 of record 0 .*UTF-8"
        ):
            records.read(self.path)

    def test_key_that_comes_twice_is_named(self):
        records.write(self.path, [example(), example()])
        with self.assertRaisesRegex(ValueError, "Record 1 .*'k' of Record 0"):
            records.read(self.path)

    def test_missing_and_empty_files_are_named(self):
        with self.assertRaisesRegex(ValueError, "no record file .*set.tfrec"):
            records.read(self.path)
        self.path.write_bytes(b"")
        with self.assertRaisesRegex(ValueError, "set.tfrecord holds no record"):
            records.read(self.path)
        with self.assertRaisesRegex(ValueError, "name at least one"):
            records.read([])


if __name__ == "__main__":
    tf.test.main()
