"""Examines what stands beside a picture: its captions, and its partners."""

import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import choose, pipeline, source

SIZE = 4
# Row 5 is alone in its class, rows 8 and 9 have none.
LABELS = np.array([0, 1, 0, 1, 0, 2, 0, 1, -1, -1], np.int32)
# Row 0 has three classes, 4 none; 6 is alone in one; 7 names one twice.
SETS = [[0, 1, 2], [0], [0, 1], [2], [], [1, 2], [3], [1, 1], [4, 0], [2, 4]]
COUNT = len(LABELS)


def sets(rows):
    """Packs lists of classes."""
    return source.LabelSets(
        np.array([label for row in rows for label in row], np.int32),
        np.cumsum([len(row) for row in rows], dtype=np.int64),
    )


def toy(captions=3):
    """Pictures whose every pixel is their row, captions "row caption"."""
    images = np.zeros((COUNT, SIZE, SIZE, 3), np.uint8)
    images += np.arange(COUNT, dtype=np.uint8)[:, None, None, None]
    told = [[f"{n} {k}" for k in range(captions)] for n in range(COUNT)]
    return source.Pictures(
        images=images,
        captions=np.array(told),
        labels=LABELS,
        keys=np.array([f"key {n}" for n in range(COUNT)]),
        class_names=tuple("abcde"),
        name="toy",
        label_sets=sets(SETS),
    )


def read(moves, pictures=None, **arguments):
    """Takes some batches, as rows of all of them together."""
    arguments = {"batch_size": 5, "image_size": SIZE, "seed": 7} | arguments
    stream = pipeline.batches(pictures or toy(), **arguments).take(moves)
    made = list(stream.as_numpy_iterator())
    return {key: np.concatenate([x[key] for x in made]) for key in made[0]}


def rows_of(keys):
    """The rows that keys name."""
    return np.array([int(key.split()[1]) for key in keys])


class Harness(parameterized.TestCase, tf.test.TestCase):
    """Comparison of counts."""

    def assert_drawn_from(self, counts, shares):
        """Compares counts with the distribution they are said to have."""
        counts, shares = np.array(counts, float), np.array(shares)
        self.assertAllEqual(counts[shares == 0], counts[shares == 0] * 0)
        expected = counts.sum() * shares
        spread = np.sqrt(expected * (1 - shares))
        self.assertAllInRange(
            (counts - expected)[shares > 0],
            -5 * spread.max() - 1e-9,
            5 * spread.max() + 1e-9,
        )


class CaptionsTest(Harness):
    """Captions that a picture has more than once count once."""

    OWN = np.array([1, 2, 3, 4, 2, 1, 4, 3, 2, 1], np.int32)

    def repeated(self):
        """Pictures with 1 to 4 captions, repeated in turn."""
        whole = toy(captions=4)
        told = [
            [row[k % own] for k in range(4)]
            for row, own in zip(whole.captions, self.OWN, strict=True)
        ]
        return dataclasses.replace(whole, captions=np.array(told), own=self.OWN)

    def counts(self, made, key):
        """How often each caption of each picture came."""
        counts = np.zeros((COUNT, 4))
        told = [list(map(int, text.split())) for text in made[key]]
        np.add.at(counts, tuple(np.transpose(told)), 1)
        return counts

    @parameterized.parameters(
        ("text", None), ("wrong_text", "text"), ("twin_text", None)
    )
    def test_each_own_caption_comes_equally_often(self, key, mismatch):
        made = read(1500, self.repeated(), mismatch=mismatch, twins=True)
        for row, counts in enumerate(self.counts(made, key)):
            own = np.arange(4) < self.OWN[row]
            self.assert_drawn_from(counts, own / own.sum())

    def test_vectors_are_those_of_own_captions_too(self):
        rows, places = np.mgrid[:COUNT, :4]
        vectors = np.stack([rows, places], -1).astype(np.float32)
        made = read(300, self.repeated(), sentences=vectors)
        row, place = made["sentence"].astype(int).T
        self.assertTrue((place < self.OWN[row]).all())

    def test_twin_is_another_own_caption_where_there_is_one(self):
        made = read(300, self.repeated(), twins=True)
        single = self.OWN[rows_of(made["key"])] == 1
        same = made["text"] == made["twin_text"]
        self.assertAllEqual(same, single)

    def test_partners_tell_own_captions(self):
        made = read(1500, self.repeated(), partners="label")
        rows = rows_of(made["partner_key"])
        own = made["key"] == made["partner_key"]
        same = made["text"] == made["partner_text"]
        self.assertAllEqual(same[own], (self.OWN[rows] == 1)[own])
        for row, counts in enumerate(self.counts(made, "partner_text")):
            mine = np.arange(4) < self.OWN[row]
            self.assert_drawn_from(counts, mine / mine.sum())

    def test_parts_of_a_batch_make_the_batch(self):
        options = dict(
            partners="label", mismatch="text", batch_size=4, twins=True
        )
        whole = read(5, self.repeated(), **options)
        parts = [
            read(5, self.repeated(), shard=(i, 2), **options) for i in (0, 1)
        ]
        for key, value in whole.items():
            halves = [part[key].reshape(5, 2, -1) for part in parts]
            joined = np.concatenate(halves, 1)
            self.assertAllEqual(value.reshape(joined.shape), joined)

    def test_sets_without_repeats_are_drawn_as_ever(self):
        options = dict(partners="label", mismatch="text", twins=True)
        all_own = dataclasses.replace(toy(), own=np.full(COUNT, 3, np.int32))
        plain, told = read(9, **options), read(9, all_own, **options)
        for key in plain:
            self.assertAllEqual(plain[key], told[key])
        self.assertEqual(toy().digest, all_own.digest)

    def test_set_of_single_captions_has_no_twins(self):
        single = dataclasses.replace(toy(), own=np.ones(COUNT, np.int32))
        with self.assertRaisesRegex(ValueError, "twins need two"):
            read(1, single, twins=True)


class LabelTest(Harness):
    """Partners by the main class."""

    def test_every_other_of_the_class_comes_equally_often(self):
        made = read(2000, partners="label")
        counts = np.zeros((COUNT, COUNT))
        np.add.at(
            counts, (rows_of(made["key"]), rows_of(made["partner_key"])), 1
        )
        for row, label in enumerate(LABELS):
            alike = (LABELS == label) & (np.arange(COUNT) != row)
            if label < 0 or not alike.any():
                alike = np.arange(COUNT) == row
            self.assert_drawn_from(counts[row], alike / alike.sum())

    def test_all_that_is_told_is_the_partners_own(self):
        made = read(40, partners="label", flip=True, crop=6)
        rows = rows_of(made["partner_key"])
        self.assertAllEqual(made["partner_label"], LABELS[rows])
        self.assertAllEqual(made["partner_labels"][0].shape, (5,))
        shown = np.rint((made["partner_image"] + 1) * 127.5)
        self.assertAllEqual(shown[:, 0, 0, 0], rows)
        told = [int(text.split()[0]) for text in made["partner_text"]]
        self.assertAllEqual(told, rows)

    def test_its_own_partner_has_another_caption_and_other_chances(self):
        whole = toy()
        noise = np.random.RandomState(0).randint(0, 256, whole.images.shape)
        whole = dataclasses.replace(whole, images=noise.astype(np.uint8))
        made = read(60, whole, partners="label", crop=9)
        own = made["key"] == made["partner_key"]
        self.assertTrue(own.any())
        self.assertFalse((made["text"] == made["partner_text"])[own].any())
        same = (made["image"] == made["partner_image"]).all((1, 2, 3))
        self.assertLess(same[own].mean(), 0.2)
        # Captions of other partners are free.
        last = [text.split()[1] for text in made["text"][~own]]
        other = [text.split()[1] for text in made["partner_text"][~own]]
        self.assertBetween(np.mean(np.equal(last, other)), 0.2, 0.5)

    def test_a_single_caption_serves_both(self):
        made = read(4, toy(captions=1), partners="label")
        own = made["key"] == made["partner_key"]
        self.assertAllEqual(
            made["text"][own].tolist(), made["partner_text"][own].tolist()
        )

    def test_partners_change_nothing_else(self):
        plain, more = read(6), read(6, partners="label")
        for key in plain:
            self.assertAllEqual(plain[key], more[key])

    def test_set_without_classes_is_refused(self):
        none = dataclasses.replace(toy(), labels=np.full(COUNT, -1, np.int32))
        with self.assertRaisesRegex(ValueError, "No picture .* has a class"):
            read(1, none, partners="label")


class LabelsTest(Harness):
    """Partners by one of several classes."""

    def test_class_then_partner_are_drawn_evenly(self):
        made = read(6000, partners="labels")
        rows = rows_of(made["key"])
        partners, shared = rows_of(made["partner_key"]), made["shared_label"]
        for row, mine in enumerate(map(set, SETS)):
            at = rows == row
            counts = np.zeros((len(SETS) + 1, COUNT))
            np.add.at(counts, (shared[at], partners[at]), 1)
            expected = np.zeros_like(counts)
            for label in mine or {-1}:
                have = [
                    n
                    for n, theirs in enumerate(SETS)
                    if n != row and label in theirs
                ]
                for n in have or [row]:
                    expected[label, n] = 1 / len(mine or {-1})
                    expected[label, n] /= len(have or [row])
            self.assert_drawn_from(counts.ravel(), expected.ravel())

    def test_labels_mark_every_class(self):
        made = read(2, partners="labels")
        for prefix in ("", "partner_"):
            for key, hot in zip(
                made[f"{prefix}key"], made[f"{prefix}labels"], strict=True
            ):
                (row,) = rows_of([key])
                self.assertEqual(
                    np.flatnonzero(hot).tolist(), sorted(set(SETS[row]))
                )
                self.assertAllInSet(hot, (0.0, 1.0))

    def test_sets_tell_their_labels_without_partners(self):
        self.assertEqual(read(1)["labels"].shape, (5, 5))
        plain = dataclasses.replace(toy(), label_sets=None)
        self.assertNotIn("labels", read(1, plain))

    def test_classes_without_a_name_are_counted(self):
        table = choose.LabelTable(sets(SETS), 2)
        self.assertEqual(table.hot(tf.constant([8], tf.int64)).shape, (1, 5))

    def test_parts_of_a_batch_make_the_batch(self):
        options = dict(partners="labels", mismatch="image", batch_size=4)
        whole = read(5, **options)
        parts = [read(5, shard=(i, 2), **options) for i in (0, 1)]
        for key, value in whole.items():
            halves = [part[key].reshape(5, 2, -1) for part in parts]
            joined = np.concatenate(halves, 1)
            self.assertAllEqual(value.reshape(joined.shape), joined)

    def test_set_with_one_class_a_picture_is_refused(self):
        plain = dataclasses.replace(toy(), label_sets=None)
        with self.assertRaisesRegex(ValueError, "use partners='label'"):
            read(1, plain, partners="labels")
        empty = dataclasses.replace(plain, label_sets=sets([[]] * COUNT))
        with self.assertRaisesRegex(ValueError, "no sets of them"):
            read(1, empty, partners="labels")

    def test_other_rules_are_refused(self):
        with self.assertRaisesRegex(ValueError, "None, 'label' and 'labels'"):
            read(1, partners="class")


if __name__ == "__main__":
    tf.test.main()
