"""Examines the holder of picture sets."""

import dataclasses
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import records, shapes


class PicturesTest(parameterized.TestCase, tf.test.TestCase):
    """A set is consistent, has a name for its content, and has subsets."""

    def test_subset_takes_rows_of_every_part(self):
        whole = shapes.load(10, 8)
        part = whole.subset([7, 2])
        self.assertLen(part, 2)
        self.assertAllEqual(part.images, whole.images[[7, 2]])
        self.assertAllEqual(part.captions, whole.captions[[7, 2]])
        self.assertAllEqual(part.keys, whole.keys[[7, 2]])
        self.assertAllEqual(part.labels, whole.labels[[7, 2]])

    def test_subset_takes_counts_of_own_captions(self):
        own = np.array([5, 1, 4, 5], np.int32)
        whole = dataclasses.replace(shapes.load(4, 8), own=own)
        self.assertAllEqual(whole.subset([2, 1]).own, [4, 1])
        self.assertTrue(whole.repeats)
        self.assertFalse(whole.subset([3, 0]).repeats)
        self.assertNotEqual(whole.digest, shapes.load(4, 8).digest)

    def test_digest_names_the_content_and_not_the_set(self):
        whole = shapes.load(4, 8)
        renamed = dataclasses.replace(whole, name="other")
        self.assertEqual(whole.digest, renamed.digest)
        self.assertEqual(whole.digest, shapes.load(4, 8).digest)

    @parameterized.parameters("images", "captions", "labels", "keys")
    def test_digest_sees_every_part(self, part):
        whole = shapes.load(4, 8)
        turned = dataclasses.replace(
            whole, **{part: getattr(whole, part)[::-1]}
        )
        self.assertNotEqual(whole.digest, turned.digest)

    @parameterized.named_parameters(
        ("floats", {"images": np.zeros((4, 8, 8, 3))}, "float64 of shape"),
        ("two", {"images": np.zeros((4, 8, 8, 2), np.uint8)}, "uint8 of"),
        ("short", {"labels": np.zeros(3, np.int32)}, "4 pictures but 3 labels"),
        ("flat", {"captions": np.array(list("abcd"))}, r"\(N, K\) str"),
        ("own", {"own": np.zeros(4, np.int32)}, "integers in 1 ... 5"),
        ("rows", {"own": np.ones(3, np.int32)}, r"must be \(4,\) integers"),
        ("class", {"class_names": ("one",)}, "only 1 class names"),
    )
    def test_inconsistent_set_is_refused(self, changes, sentence):
        whole = shapes.load(4, 8)
        with self.assertRaisesRegex(ValueError, sentence):
            dataclasses.replace(whole, **changes)

    def test_pictures_may_be_grey(self):
        whole = shapes.load(4, 8)
        self.assertEqual(whole.channels, 3)
        grey = dataclasses.replace(whole, images=whole.images[..., :1])
        self.assertEqual((grey.channels, grey.size), (1, (8, 8)))

    def test_streamed_set_has_subsets(self):
        whole = shapes.load(5, 8)
        folder = tempfile.mkdtemp(dir=self.get_temp_dir())
        paths = records.write_shards(folder, whole, 2)
        streamed = records.read(paths, stream=True)
        some = streamed.subset(np.array([3, 0]))
        self.assertAllEqual(some.keys[...], streamed.keys[[3, 0]])
        self.assertAllEqual(some.captions[...], streamed.captions[[3, 0]])
        self.assertEqual(
            some.images.read(np.arange(2)),
            streamed.images.read(np.array([3, 0])),
        )
        self.assertNotEqual(some.digest, streamed.digest)
        again = streamed.subset(np.array([3, 0]))
        self.assertEqual(some.digest, again.digest)
        self.assertTrue(some.is_told("captions"))

    @parameterized.parameters("captions", "labels", "keys")
    def test_replaced_part_of_a_streamed_set_is_its_own(self, part):
        folder = tempfile.mkdtemp(dir=self.get_temp_dir())
        paths = records.write_shards(folder, shapes.load(5, 8), 2)
        streamed = records.read(paths, stream=True)
        turned = getattr(streamed, part)[::-1]
        other = dataclasses.replace(streamed, **{part: turned})
        self.assertTrue(streamed.is_told(part))
        self.assertFalse(other.is_told(part))
        self.assertNotEqual(streamed.digest, other.digest)
        self.assertAllEqual(getattr(other.subset([1]), part)[0], turned[1])


if __name__ == "__main__":
    tf.test.main()
