"""Examines batches: their order, their draws, and what is refused."""

import dataclasses
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import (
    batch,
    pipeline,
    records,
    shapes,
    source,
    texts,
    vocabulary,
)
from keras_t2i.ops import feature_store, files

COUNT, SIZE = 23, 8
EVERYTHING = dict(
    captions_per_image=3, crop=10, flip=True, twins=True, mismatch="text"
)


def toy(count=COUNT):
    """Shapes whose rows can be told apart by label: label = row."""
    whole = shapes.load(count, SIZE)
    pixels = np.random.RandomState(0).randint(0, 256, whole.images.shape)
    return dataclasses.replace(
        whole,
        images=pixels.astype(np.uint8),
        labels=np.arange(count, dtype=np.int32),
        class_names=tuple(map(str, range(count))),
    )


def vectors(count=COUNT, captions=5):
    """(N, K, 2): each caption's vector is (row, caption)."""
    rows, places = np.mgrid[:count, :captions]
    return np.stack([rows, places], -1).astype(np.float32)


def read(pictures, moves, **arguments):
    """Takes some batches as NumPy arrays."""
    arguments = {
        "batch_size": 4,
        "image_size": SIZE,
        "seed": 7,
        "sentences": vectors(len(pictures)),
    } | arguments
    stream = pipeline.batches(pictures, **arguments).take(moves)
    return list(stream.as_numpy_iterator())


class Harness(parameterized.TestCase, tf.test.TestCase):
    """Kinds of sets, and comparison of streams."""

    def kind(self, name):
        """The toy set, held in one of four ways."""
        whole = toy()
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        if name == "arrays":
            return whole
        if name == "encoded":
            return records.read(records.write_shards(folder, whole, 1))
        if name == "shards":
            paths = records.write_shards(folder, whole, 4)
            return records.read(paths, stream=True)
        paths = []
        for key, image in zip(whole.keys, whole.images, strict=True):
            paths.append(str(folder / f"{key}.png"))
            pathlib.Path(paths[-1]).write_bytes(records.png(image))
        return dataclasses.replace(whole, images=np.array(paths))

    def prepared(self, count):
        """Record files of pictures that have one to three classes each."""
        whole = toy(count)
        rows = [{n, n // 2, n // 4} for n in range(count)]
        sets = source.LabelSets(
            np.array([x for row in rows for x in sorted(row)], np.int32),
            np.cumsum([len(row) for row in rows]),
        )
        folder = tempfile.mkdtemp(dir=self.get_temp_dir())
        paths = records.write_shards(
            folder, dataclasses.replace(whole, label_sets=sets), 3
        )
        streamed = records.read(paths, stream=True)
        return dataclasses.replace(streamed, captions=streamed.captions[...])

    def assert_same(self, first, second):
        self.assertEqual(len(first), len(second))
        for one, two in zip(first, second, strict=True):
            self.assertEqual(sorted(one), sorted(two))
            for key in one:
                np.testing.assert_array_equal(one[key], two[key], key)


KINDS = ("arrays", "encoded", "files", "shards")


class OrderTest(Harness):
    """Order is a pure function of seed, epoch and index."""

    @parameterized.parameters(*KINDS)
    def test_start_move_gives_exactly_the_tail(self, kind):
        # 23 pictures in batches of 4: 5 moves an epoch, so 12 is in the third.
        pictures = self.kind(kind)
        straight = read(pictures, 16, **EVERYTHING)
        for start in (3, 5, 12):
            tail = read(pictures, 16 - start, start_move=start, **EVERYTHING)
            self.assert_same(straight[start:], tail)

    @parameterized.parameters(*KINDS)
    def test_an_epoch_shows_no_picture_twice(self, kind):
        pictures = self.kind(kind)
        made = read(pictures, 15)
        for epoch in range(3):
            some = made[5 * epoch : 5 * epoch + 5]
            keys = np.concatenate([one["key"] for one in some])
            self.assertLen(set(keys.tolist()), 20)

    @parameterized.parameters(*KINDS)
    def test_epochs_and_seeds_have_orders_of_their_own(self, kind):
        pictures = self.kind(kind)
        epochs = [one["key"] for one in read(pictures, 10)]
        other = [one["key"] for one in read(pictures, 5, seed=8)]
        self.assertNotAllEqual(epochs[:5], epochs[5:])
        self.assertNotAllEqual(epochs[:5], other)

    @parameterized.parameters(*KINDS)
    def test_every_picture_comes_in_the_end(self, kind):
        made = read(self.kind(kind), 40)
        keys = np.concatenate([one["key"] for one in made])
        self.assertLen(set(keys.tolist()), COUNT)

    @parameterized.parameters(*KINDS)
    def test_two_readings_are_the_same(self, kind):
        pictures = self.kind(kind)
        self.assert_same(
            read(pictures, 7, **EVERYTHING), read(pictures, 7, **EVERYTHING)
        )

    def test_how_pictures_are_held_changes_nothing(self):
        arrays = read(self.kind("arrays"), 6, mismatch="image", flip=True)
        for kind in ("encoded", "files"):
            held = read(self.kind(kind), 6, mismatch="image", flip=True)
            self.assert_same(arrays, held)

    def test_rows_keep_together(self):
        whole = toy()
        for kind in KINDS:
            pictures = self.kind(kind)
            for one in read(pictures, 6):
                for row, label in enumerate(one["label"]):
                    seen = np.rint((one["image"][row] + 1.0) * 127.5)
                    self.assertAllEqual(seen, whole.images[label])
                    self.assertEqual(
                        one["key"][row].decode(), str(whole.keys[label])
                    )
                    self.assertIn(
                        one["text"][row].decode(),
                        whole.captions[label].tolist(),
                    )

    def test_far_moves_start_at_once_and_decode_nothing_before(self):
        pictures = self.kind("files")
        first = read(pictures, 1, start_move=4_000_000)[0]["label"]
        for row, path in enumerate(pictures.images):
            if row not in first:
                pathlib.Path(path).unlink()
        again = read(pictures, 1, start_move=4_000_000)[0]["label"]
        self.assertAllEqual(first, again)

    def test_streamed_start_reads_no_record_before(self):
        pictures = self.kind("shards")
        start = {"start_move": 4_000_000, "mismatch": "text"}
        first = read(pictures, 1, **start)[0]
        wrong = first["wrong_sentence"][:, 0].astype(int)
        used = {pictures.keys[row].encode() for row in wrong}
        used |= set(first["key"].tolist())
        places = pictures.images
        for row, key in enumerate(pictures.keys.tolist()):
            if key.encode() not in used:  # Others are damaged.
                with open(places.paths[places.shard[row]], "r+b") as file:
                    file.seek(places.offset[row])
                    file.write(bytes(places.length[row]))
        stream = pipeline.batches(
            pictures,
            batch_size=4,
            image_size=SIZE,
            seed=7,
            sentences=vectors(),
            moves=1,
            **start,
        )
        self.assert_same([first], list(stream.as_numpy_iterator()))

    def test_streamed_pictures_come_in_the_order_of_held_ones(self):
        streamed = self.kind("shards")
        held = records.read(streamed.images.paths)
        for mismatch in ("text", "image"):
            options = EVERYTHING | {"mismatch": mismatch, "other_label": True}
            self.assert_same(
                read(held, 7, **options), read(streamed, 7, **options)
            )

    @parameterized.parameters(False, True)
    def test_replaced_captions_and_keys_of_records_are_told(self, pack):
        streamed = self.kind("shards")
        words = [[f"new {n} {k}" for k in range(5)] for n in range(COUNT)]
        names = [f"name {n}" for n in range(COUNT)]
        packed = texts.Texts.of if pack else np.array
        pictures = dataclasses.replace(
            streamed, captions=packed(words), keys=packed(names)
        )
        self.assertNotEqual(pictures.digest, streamed.digest)
        subset = pictures.subset(slice(3, None))
        for some, rows in ((pictures, 0), (subset, 3)):
            made = read(some, 3, mismatch="text", partners="label", twins=True)
            for one, old in zip(made, read(some, 3), strict=True):
                self.assertAllEqual(one["image"], old["image"])
                row = one["sentence"][:, 0].astype(int) + rows
                for n, text, key in zip(
                    row, one["text"], one["key"], strict=True
                ):
                    self.assertIn(text.decode(), words[n])
                    self.assertEqual(key.decode(), names[n])
                for prefix in ("wrong_", "twin_", "partner_"):
                    for text in one[f"{prefix}text"]:
                        self.assertStartsWith(text.decode(), "new ")

    def test_shortened_shard_is_named(self):
        pictures = self.kind("shards")
        path = pictures.images.paths[0]
        stream = pipeline.batches(pictures, batch_size=4, image_size=8, seed=0)
        records.write(path, records.examples(toy(1)))
        with self.assertRaisesRegex(ValueError, f"{path} has .* bytes; it had"):
            read(pictures, 5)
        with self.assertRaises(tf.errors.OpError) as caught:  # in mid-stream
            list(stream.take(5))
        self.assertEqual(
            files.reason(caught.exception),
            f"{path} has changed since it was indexed.",
        )

    def test_vanished_shard_is_named(self):
        pictures = self.kind("shards")
        path = pictures.images.paths[0]
        stream = pipeline.batches(pictures, batch_size=4, image_size=8, seed=0)
        pathlib.Path(path).unlink()
        with self.assertRaisesRegex(ValueError, f"no record file {path}"):
            read(pictures, 5)
        with self.assertRaises(tf.errors.OpError) as caught:
            list(stream.take(5))
        self.assertEqual(
            files.reason(caught.exception), f"{path}; No such file or directory"
        )

    def test_moves_bounds_the_stream(self):
        stream = pipeline.batches(
            toy(), batch_size=4, image_size=SIZE, seed=0, moves=7
        )
        self.assertEqual(int(stream.cardinality()), 7)
        self.assertLen(list(stream), 7)

    def test_endless_stream_says_so(self):
        stream = pipeline.batches(toy(), batch_size=4, image_size=SIZE, seed=0)
        self.assertEqual(
            int(stream.cardinality()), tf.data.INFINITE_CARDINALITY
        )

    def test_remainder_is_dropped(self):
        self.assertEqual(pipeline.moves_per_epoch(toy(), 4), 5)
        made = read(toy(), 2, batch_size=12)
        self.assertNotAllEqual(made[0]["key"], made[1]["key"])


class ShareTest(Harness):
    """Replicas share one global stream."""

    @parameterized.product(
        kind=["arrays", "shards"], mismatch=["text", "image"]
    )
    def test_parts_of_a_batch_make_the_batch(self, kind, mismatch):
        pictures = self.kind(kind)
        options = EVERYTHING | {"mismatch": mismatch}
        whole = read(pictures, 6, **options)
        parts = [read(pictures, 6, shard=(i, 2), **options) for i in (0, 1)]
        joined = [
            {key: np.concatenate([a[key], b[key]]) for key in a}
            for a, b in zip(*parts, strict=True)
        ]
        self.assert_same(whole, joined)

    @parameterized.parameters("text", "image")
    def test_workers_see_each_example_once_with_all_that_is_beside(
        self, mismatch
    ):
        pictures = self.prepared(24)
        options = EVERYTHING | {
            "sentences": None,
            "image_size": 8,
            "base_size": 2,
            "fit": "keep",
            "partners": "labels",
            "mismatch": mismatch,
            "vocabulary": vocabulary.Vocabulary.of(pictures.captions.ravel()),
            "max_words": 3,
        }
        pictures = dataclasses.replace(
            pictures, captions=pictures.images.told["captions"]
        )
        whole = read(pictures, 12, **options)
        parts = [read(pictures, 12, shard=(i, 2), **options) for i in (0, 1)]
        joined = [
            {key: np.concatenate([a[key], b[key]]) for key in a}
            for a, b in zip(*parts, strict=True)
        ]
        self.assert_same(whole, joined)
        every = sorted(key.encode() for key in pictures.keys.tolist())
        for epoch in (joined[:6], joined[6:]):
            keys = [key for one in epoch for key in one["key"].tolist()]
            self.assertEqual(sorted(keys), every)

    @parameterized.parameters(((0, 3),), ((2, 2),), ((-1, 2),))
    def test_uneven_or_unknown_part_is_refused(self, shard):
        with self.assertRaisesRegex(ValueError, "batch of 4 has no part"):
            read(toy(), 1, shard=shard)


class CaptionTest(Harness):
    """Captions are drawn evenly and averaged."""

    def test_one_caption_is_text_and_vector(self):
        whole = toy()
        for one in read(whole, 8):
            for row in range(4):
                picture, place = one["sentence"][row].astype(int)
                self.assertEqual(picture, one["label"][row])
                self.assertEqual(
                    one["text"][row].decode(),
                    str(whole.captions[picture, place]),
                )

    def test_each_caption_comes_equally_often(self):
        made = read(toy(), 250)
        places = np.concatenate([one["sentence"][:, 1] for one in made])
        counts = np.bincount(places.astype(int), minlength=5)
        # 1000 draws of 5: 200 each, standard deviation 12.6.
        self.assertAllInRange(counts, 145, 255)

    def test_several_captions_are_averaged_with_replacement(self):
        made = read(toy(), 250, captions_per_image=4)
        sums = 4 * np.concatenate([one["sentence"][:, 1] for one in made])
        self.assertAllClose(sums, np.rint(sums))
        # Drawn with replacement from 0 ... 4: mean 2, variance 2 / 4; drawn
        # without it the variance would be 2 / 4 * (5 - 4) / (5 - 1).
        self.assertAllClose(sums.mean() / 4, 2.0, atol=0.1)
        self.assertAllClose((sums / 4).var(), 0.5, atol=0.1)
        for one in made[:5]:
            self.assertAllEqual(one["sentence"][:, 0], one["label"])

    def test_twins_tell_the_same_picture_in_other_words(self):
        for one in read(toy(), 20, twins=True):
            self.assertAllEqual(one["twin_sentence"][:, 0], one["label"])
            same = one["twin_sentence"][:, 1] == one["sentence"][:, 1]
            self.assertFalse(same.any())
            self.assertFalse((one["twin_text"] == one["text"]).any())

    def test_no_vectors_no_sentences(self):
        one = read(toy(), 1, sentences=None, mismatch="text")[0]
        self.assertNotIn("sentence", one)
        self.assertIn("wrong_text", one)

    def test_vectors_of_half_precision_come_as_float32(self):
        half = vectors().astype(np.float16)
        one = read(toy(), 1, sentences=half)[0]
        self.assertEqual(one["sentence"].dtype, np.float32)


class MismatchTest(Harness):
    """A mismatch is never the picture itself."""

    def test_wrong_text_belongs_to_another_picture(self):
        wrong = []
        for one in read(toy(), 150, mismatch="text", captions_per_image=2):
            self.assertFalse(
                (one["wrong_sentence"][:, 0] == one["label"]).any()
            )
            wrong.append(one["wrong_sentence"][:, 0])
        counts = np.bincount(np.concatenate(wrong).astype(int))
        self.assertLen(counts, COUNT)
        # 600 draws of 23: 26 each, standard deviation 5.
        self.assertAllInRange(counts, 6, 50)

    @parameterized.parameters(*KINDS)
    def test_wrong_picture_is_another_one(self, kind):
        whole = toy()
        known = {image.tobytes(): row for row, image in enumerate(whole.images)}
        for one in read(self.kind(kind), 30, mismatch="image"):
            seen = np.rint((one["wrong_image"] + 1.0) * 127.5).astype(np.uint8)
            rows = np.array([known[image.tobytes()] for image in seen])
            self.assertFalse((rows == one["label"]).any())

    @parameterized.parameters("text", "image")
    def test_other_label_takes_another_class_evenly(self, mismatch):
        whole = toy()
        classes = np.array([0] * 15 + [1] * 2 + [2] * 6)[
            np.random.RandomState(1).permutation(COUNT)
        ]
        labelled = dataclasses.replace(whole, labels=classes.astype(np.int32))
        known = {image.tobytes(): row for row, image in enumerate(whole.images)}
        keys = {key: row for row, key in enumerate(whole.keys.tolist())}
        counts = np.zeros((3, COUNT))
        for one in read(labelled, 300, mismatch=mismatch, other_label=True):
            if mismatch == "text":
                wrong = one["wrong_sentence"][:, 0].astype(int)
            else:
                seen = np.rint((one["wrong_image"] + 1.0) * 127.5)
                wrong = [known[i.tobytes()] for i in seen.astype(np.uint8)]
            right = [classes[keys[key.decode()]] for key in one["key"]]
            np.add.at(counts, (right, wrong), 1)
        for label in range(3):
            allowed = classes != label
            self.assertAllEqual(
                counts[label, ~allowed], 0 * counts[label, ~allowed]
            )
            mean = counts[label].sum() / allowed.sum()
            self.assertAllInRange(
                counts[label, allowed],
                mean - 5 * mean**0.5,
                mean + 5 * mean**0.5,
            )

    def test_pictures_without_a_class_are_each_of_another(self):
        classes = np.array([-1] * 4 + [0] * 10 + [1] * 9, np.int32)
        labelled = dataclasses.replace(toy(), labels=classes)
        keys = {key: row for row, key in enumerate(labelled.keys.tolist())}
        counts = np.zeros((COUNT, COUNT))
        options = {"mismatch": "text", "other_label": True}
        for one in read(labelled, 1500, **options):
            right = [keys[key.decode()] for key in one["key"]]
            wrong = one["wrong_sentence"][:, 0].astype(int)
            np.add.at(counts, (right, wrong), 1)
        for row, label in enumerate(classes):
            allowed = (classes != label) | (label < 0)
            allowed[row] = False
            self.assertAllEqual(counts[row, ~allowed].sum(), 0)
            mean = counts[row].sum() / allowed.sum()
            self.assertAllInRange(
                counts[row, allowed],
                mean - 5 * mean**0.5,
                mean + 5 * mean**0.5,
            )

    def test_wrong_texts_do_not_change_the_order(self):
        plain, wrong = read(toy(), 6), read(toy(), 6, mismatch="text")
        for key in ("key", "text", "image", "sentence"):
            for one, two in zip(plain, wrong, strict=True):
                self.assertAllEqual(one[key], two[key])


class PixelTest(Harness):
    """Pictures are cut, mirrored and scaled as told."""

    def test_untouched_pictures_keep_their_values(self):
        one = read(toy(), 1)[0]
        expected = toy().images[one["label"]] / 127.5 - 1.0
        self.assertAllClose(one["image"], expected)
        self.assertEqual(one["image"].dtype, np.float32)

    def test_half_of_the_pictures_are_mirrored(self):
        whole, mirrored, total = toy(), 0, 0
        for one in read(whole, 100, flip=True):
            for row, label in enumerate(one["label"]):
                seen = np.rint((one["image"][row] + 1.0) * 127.5)
                turned = np.array_equal(seen, whole.images[label][:, ::-1])
                if not turned:
                    self.assertAllEqual(seen, whole.images[label])
                mirrored += turned
                total += 1
        self.assertBetween(mirrored / total, 0.4, 0.6)

    def test_crops_come_from_everywhere_and_nowhere_else(self):
        # Pictures of 8 px are cut to 6 without scaling: 9 places.
        whole, seen = toy(), set()
        for one in read(whole, 60, image_size=6, crop=8):
            for row, label in enumerate(one["label"]):
                cut = np.rint((one["image"][row] + 1.0) * 127.5)
                places = [
                    (top, left)
                    for top in range(3)
                    for left in range(3)
                    if np.array_equal(
                        cut,
                        whole.images[label, top : top + 6, left : left + 6],
                    )
                ]
                self.assertLen(places, 1)
                seen.add(places[0])
        self.assertLen(seen, 9)

    def test_scaling_down_averages(self):
        flat = np.zeros((COUNT, SIZE, SIZE, 3), np.uint8)
        flat[:, :, ::2] = 200  # stripes of one pixel
        striped = dataclasses.replace(toy(), images=flat)
        one = read(striped, 1, image_size=2)[0]
        self.assertAllClose(
            (one["image"] + 1) * 127.5, np.full((4, 2, 2, 3), 100.0), atol=10.0
        )

    @parameterized.product(fit=["cut", "squash"], encoded=[False, True])
    def test_oblong_pictures_become_square(self, fit, encoded):
        wide = np.zeros((COUNT, SIZE, 2 * SIZE, 3), np.uint8)
        wide[:, :, SIZE // 2 : -SIZE // 2] = 255  # the middle is white
        held = wide
        if encoded:
            held = np.empty(COUNT, object)
            held[:] = [records.png(image) for image in wide]
        oblong = dataclasses.replace(toy(), images=held)
        one = read(oblong, 1, fit=fit)[0]
        white = (one["image"] > 0).mean()
        self.assertEqual(one["image"].shape, (4, SIZE, SIZE, 3))
        self.assertAllClose(white, 1.0 if fit == "cut" else 0.5)

    def test_mean_picture_is_the_mean(self):
        whole = toy()
        expected = np.rint(whole.images.astype(float).mean(0))
        for kind in ("arrays", "encoded", "files"):
            mean = pipeline.mean_picture(self.kind(kind), SIZE)
            self.assertAllEqual(mean, expected)

    def test_in_order_keeps_the_order(self):
        for kind in KINDS:
            pictures = self.kind(kind)
            row = {key: i for i, key in enumerate(toy().keys.tolist())}
            rows = [row[key] for key in pictures.keys.tolist()]
            read_back = np.concatenate(list(pipeline.in_order(pictures, SIZE)))
            self.assertAllEqual(read_back, toy().images[rows])


class SpecTest(Harness):
    """Batches are what the glossary says."""

    @parameterized.product(
        kind=["arrays", "shards"],
        mismatch=[None, "text", "image"],
        twins=[False, True],
    )
    def test_element_spec_is_kept(self, kind, mismatch, twins):
        stream = pipeline.batches(
            self.kind(kind),
            batch_size=4,
            image_size=SIZE,
            seed=0,
            sentences=vectors(),
            mismatch=mismatch,
            twins=twins,
        )
        expected = batch.element_spec(
            batch_size=4,
            image_size=SIZE,
            text_dim=2,
            mismatch=mismatch,
            twins=twins,
        )
        self.assertEqual(stream.element_spec, expected)
        batch.check(next(iter(stream)))

    @parameterized.product(
        streamed=[False, True],
        mismatch=["text", "image"],
        partners=[None, "label", "labels"],
        words=["ids", "vectors"],
    )
    def test_every_key_is_in_the_glossary(
        self, streamed, mismatch, partners, words
    ):
        pictures = self.prepared(12)
        options, dim = {}, None
        if words == "ids":
            known = vocabulary.Vocabulary.of(pictures.captions.ravel())
            options = {"vocabulary": known, "max_words": 6}
        else:
            options, dim = {"words": self.store(pictures)}, 2
        if not streamed:
            held = records.read(pictures.images.paths)
            pictures = dataclasses.replace(pictures, images=held.images)
        stream = pipeline.batches(
            pictures,
            batch_size=4,
            image_size=SIZE,
            base_size=SIZE // 4,
            seed=0,
            mismatch=mismatch,
            twins=True,
            partners=partners,
            **options,
        )
        expected = batch.element_spec(
            batch_size=4,
            image_size=SIZE,
            sizes=(SIZE // 4, SIZE // 2),
            text_dim=dim,
            mismatch=mismatch,
            twins=True,
            partners=partners,
            max_words=6,
            words=words,
            classes=12,
        )
        self.assertEqual(stream.element_spec, expected)
        batch.check(next(iter(stream)))

    def store(self, pictures):
        """Vectors of two numbers for each word."""
        flat = [text.encode() for text in pictures.captions.ravel().tolist()]

        def read_them(some):
            counts = np.array([min(len(text.split()), 6) for text in some])
            mask = np.arange(6) < counts[:, None]
            return np.ones((len(some), 6, 2)), mask, np.ones((len(some), 2))

        return feature_store.write(
            pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir())) / "words",
            flat,
            pictures.captions.shape,
            read_them,
            dim=2,
            max_words=6,
        )


class BadArgumentTest(Harness):
    """What does not fit is refused in one sentence."""

    @parameterized.named_parameters(
        ("batch", {"batch_size": 24}, "batch_size is 24 .* has 23 pictures"),
        ("no batch", {"batch_size": 0}, "allowed are 1 to 23"),
        ("size", {"image_size": 16}, "image_size is 16 .* have 8 x 8 px"),
        ("no size", {"image_size": 0}, "image_size is 0; allowed are 1 and"),
        ("crop", {"crop": 7}, "crop is 7; crop must be at least image_size."),
        ("start", {"start_move": -1}, "start_move is -1"),
        ("captions", {"captions_per_image": 0}, "captions_per_image is 0"),
        ("mismatch", {"mismatch": "label"}, "'text' and 'image'"),
        ("fit", {"fit": "pad"}, "'cut', 'squash', 'keep'"),
        ("vectors", {"sentences": vectors(22)}, r"needs \(23, 5, 'C'\)"),
    )
    def test_bad_argument_gets_a_sentence(self, arguments, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            read(toy(), 1, **arguments)

    def test_one_picture_has_no_mismatch(self):
        with self.assertRaisesRegex(ValueError, "needs two pictures"):
            read(toy(1), 1, batch_size=1, mismatch="text")

    def test_one_caption_has_no_twin(self):
        whole = toy()
        single = dataclasses.replace(whole, captions=whole.captions[:, :1])
        with self.assertRaisesRegex(ValueError, "twins need two"):
            read(single, 1, twins=True, sentences=None)

    def test_other_label_without_mismatch_is_refused(self):
        with self.assertRaisesRegex(ValueError, "but mismatch is None"):
            read(toy(), 1, other_label=True)

    @parameterized.parameters(0, -1)
    def test_other_label_needs_labels(self, label):
        labels = np.full(COUNT, label, np.int32)
        with self.assertRaisesRegex(ValueError, f"two classes; .* are {label}"):
            read(
                dataclasses.replace(toy(), labels=labels),
                1,
                mismatch="text",
                other_label=True,
            )

    def test_unlike_parts_are_refused(self):
        with self.assertRaisesRegex(ValueError, "but 3 labels"):
            source.Pictures(
                toy().images,
                toy().captions,
                np.zeros(3, np.int32),
                toy().keys,
                (),
                "toy",
            )


if __name__ == "__main__":
    tf.test.main()
