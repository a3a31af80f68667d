"""Examines what batches tell of captions: words as ids, stored vectors."""

import dataclasses
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import pipeline, shapes, source, texts, vocabulary
from keras_t2i.ops import feature_store

COUNT, SIZE = 12, 8
PREFIXES = ("", "twin_", "wrong_", "partner_")
ALL_TEXTS = dict(twins=True, mismatch="text", partners="label")


def toy():
    """Captions of 1 to 9 words; three classes."""
    whole = shapes.load(COUNT, SIZE)
    told = [
        [
            f"row{n} caption{k}, " + " ".join(f"w{i}" for i in range(n * k % 8))
            for k in range(3)
        ]
        for n in range(COUNT)
    ]
    return dataclasses.replace(
        whole,
        captions=np.array(told),
        labels=(np.arange(COUNT) % 3).astype(np.int32),
        class_names=("a", "b", "c"),
    )


def words_of(pictures):
    """The vocabulary of a set."""
    return vocabulary.Vocabulary.of(np.ravel(pictures.captions).tolist())


def packed(pictures):
    """The same set with its texts packed."""
    return dataclasses.replace(
        pictures,
        captions=texts.Texts.of(pictures.captions.tolist()),
        keys=texts.Texts.of(pictures.keys.tolist()),
    )


def read(pictures, moves, **arguments):
    """Takes some batches as NumPy arrays."""
    arguments = {"batch_size": 4, "image_size": SIZE, "seed": 7} | arguments
    stream = pipeline.batches(pictures, **arguments).take(moves)
    return list(stream.as_numpy_iterator())


class IdsTest(parameterized.TestCase, tf.test.TestCase):
    """Words come as ids."""

    @parameterized.parameters("subset", "truncate")
    def test_ids_are_those_of_the_text(self, rule):
        pictures, length = toy(), 6
        known = words_of(pictures)
        shortened = 0
        for one in read(
            pictures,
            12,
            vocabulary=known,
            max_words=length,
            word_rule=rule,
            **ALL_TEXTS,
        ):
            for prefix in PREFIXES:
                for text, caption, mask in zip(
                    one[f"{prefix}text"],
                    one[f"{prefix}caption"],
                    one[f"{prefix}mask"],
                    strict=True,
                ):
                    tokens = vocabulary.tokens(text.decode())
                    kept = [known.words[i - 1] for i in caption[mask]]
                    count = min(len(tokens), length)
                    self.assertAllEqual(mask, np.arange(length) < count)
                    self.assertFalse(caption[~mask].any())
                    if rule == "truncate":
                        self.assertEqual(kept, tokens[:length])
                    places = [tokens.index(word) for word in kept]
                    self.assertEqual(places, sorted(places))
                    shortened += kept != tokens[:length]
        self.assertEqual(shortened > 0, rule == "subset")

    def test_every_word_of_a_long_caption_stays_equally_often(self):
        pictures = toy()
        told = [["a b c d e f"]] * (COUNT - 1) + [["a " * 40]]
        pictures = dataclasses.replace(pictures, captions=np.array(told))
        known = vocabulary.Vocabulary(list("abcdef"))
        counts = np.zeros(7)
        for one in read(pictures, 200, vocabulary=known, max_words=3):
            for text, caption in zip(one["text"], one["caption"], strict=True):
                if len(text) < 20:
                    np.add.at(counts, caption, 1)
        self.assertEqual(counts[0], 0)
        share = counts[1:] / counts.sum()
        self.assertAllInRange(share, 1 / 6 - 0.02, 1 / 6 + 0.02)

    def test_words_kept_depend_on_seed_move_and_row_alone(self):
        pictures = toy()
        options = dict(vocabulary=words_of(pictures), max_words=3, **ALL_TEXTS)
        whole = read(pictures, 9, **options)
        tail = read(pictures, 4, start_move=5, **options)
        # The longest caption of a part is not that of the batch.
        parts = [read(pictures, 9, shard=(i, 4), **options) for i in range(4)]
        for prefix in PREFIXES:
            key = f"{prefix}caption"
            for move in range(9):
                joined = np.concatenate([part[move][key] for part in parts])
                self.assertAllEqual(joined, whole[move][key])
            for move in range(4):
                self.assertAllEqual(tail[move][key], whole[5 + move][key])
        other = read(pictures, 9, **options | {"seed": 8})
        self.assertNotAllEqual(whole[0]["caption"], other[0]["caption"])

    @parameterized.product(pack=[False, True], row=[0, 7])
    def test_first_caption_of_unknown_words_is_named(self, pack, row):
        pictures = toy()
        told = pictures.captions.astype(object)
        told[row:, 2] = "кошка, Caption"
        pictures = dataclasses.replace(pictures, captions=told.astype(str))
        known = vocabulary.Vocabulary(["caption0", "caption1", "caption2"])
        key = pictures.keys[row]
        with self.assertRaises(ValueError) as caught:
            given = packed(pictures) if pack else pictures
            read(given, 1, vocabulary=known, max_words=4)
        self.assertEqual(
            str(caught.exception),
            f"Caption 2 of picture '{key}' in set 'shapes' ('кошка, Caption') "
            "has no word of the vocabulary, which knows 3.",
        )

    @parameterized.named_parameters(
        ("length", dict(), "max_words is None"),
        ("none", dict(max_words=0), "max_words is 0"),
        ("rule", dict(max_words=4, word_rule="cut"), "'subset', 'truncate'"),
    )
    def test_what_does_not_fit_gets_a_sentence(self, options, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            read(toy(), 1, vocabulary=words_of(toy()), **options)


class PackedTest(parameterized.TestCase, tf.test.TestCase):
    """Packed texts are told like held ones."""

    def test_packed_and_held_texts_give_the_same_batches(self):
        pictures = toy()
        options = dict(vocabulary=words_of(pictures), max_words=4, **ALL_TEXTS)
        held = read(pictures, 7, **options)
        other = read(packed(pictures), 7, **options)
        for one, two in zip(held, other, strict=True):
            self.assertEqual(sorted(one), sorted(two))
            for key in one:
                self.assertAllEqual(one[key], two[key])


class StoredTest(parameterized.TestCase, tf.test.TestCase):
    """Stored vectors come with their captions."""

    def store(self, pictures, **options):
        """Each word's vector is (row, caption, place)."""
        numbers = {
            text.encode(): divmod(i, 3)
            for i, text in enumerate(np.ravel(pictures.captions).tolist())
        }

        def read(some):
            counts = [len(text.split()) for text in some]
            words = np.zeros((len(some), max(counts), 3), np.float32)
            words += np.arange(max(counts))[None, :, None]
            sentence = np.zeros((len(some), 3), np.float32)
            for i, text in enumerate(some):
                words[i, :, :2] = sentence[i, :2] = numbers[text]
            mask = np.arange(max(counts)) < np.array(counts)[:, None]
            return words, mask, sentence

        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        return feature_store.write(
            folder / "words",
            [t.encode() for t in np.ravel(pictures.captions).tolist()],
            pictures.captions.shape,
            read,
            dim=3,
            max_words=10,
            **options,
        )

    @parameterized.product(count=[1, 4], pack=[False, True])
    def test_vectors_are_those_of_the_captions(self, count, pack):
        pictures = toy()
        captions = pictures.captions.tolist()
        store = self.store(pictures)
        given = packed(pictures) if pack else pictures
        for one in read(
            given, 6, words=store, captions_per_image=count, **ALL_TEXTS
        ):
            for prefix in PREFIXES:
                for text, words, mask, sentence in zip(
                    *(
                        one[f"{prefix}{key}"]
                        for key in ("text", "words", "mask", "sentence")
                    ),
                    strict=True,
                ):
                    row, caption = words[0, :2].astype(int)
                    self.assertEqual(captions[row][caption], text.decode())
                    self.assertEqual(mask.sum(), len(text.split()))
                    self.assertAllEqual(words[mask, 2], np.arange(mask.sum()))
                    self.assertFalse(words[~mask].any())
                    self.assertEqual(sentence[0], row)
                    if count == 1:
                        self.assertEqual(sentence[1], caption)

    def test_store_of_other_captions_is_refused(self):
        store = self.store(toy())
        with self.assertRaisesRegex(ValueError, r"captions of \(12, 3\)"):
            read(toy().subset(slice(6)), 1, words=store)

    def test_two_sources_of_one_thing_are_refused(self):
        store = self.store(toy())
        with self.assertRaisesRegex(ValueError, "give one of the two"):
            read(toy(), 1, words=store, sentences=np.zeros((COUNT, 3, 2)))
        with self.assertRaisesRegex(ValueError, "give one of the two"):
            read(toy(), 1, words=store, vocabulary=words_of(toy()), max_words=3)


class SentencesTest(tf.test.TestCase):
    """Sentences of large sets stay on the disk."""

    def test_stored_vectors_come_like_held_ones(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        pictures = toy()
        flat = [t.encode() for t in np.ravel(pictures.captions).tolist()]
        held = np.random.RandomState(0).randn(COUNT, 3, 5).astype(np.float16)
        by_text = dict(zip(flat, held.reshape(-1, 5), strict=True))
        nothing = np.zeros((1, 0, 5))
        store = feature_store.write(
            folder / "sentences",
            flat,
            pictures.captions.shape,
            lambda some: (
                nothing.repeat(len(some), 0),
                nothing[..., 0].repeat(len(some), 0).astype(bool),
                np.stack([by_text[text] for text in some]),
            ),
            dim=5,
            max_words=0,
        )
        options = dict(captions_per_image=2, twins=True, mismatch="text")
        ours = read(pictures, 6, sentences=held, **options)
        theirs = read(pictures, 6, sentences=store, **options)
        for one, two in zip(ours, theirs, strict=True):
            self.assertEqual(sorted(one), sorted(two))
            for key in one:
                self.assertAllEqual(one[key], two[key])
        with self.assertRaisesRegex(ValueError, "holds no words"):
            read(pictures, 1, words=store)


class SourceTest(tf.test.TestCase):
    """Sets with several classes a picture."""

    def test_label_sets_follow_their_pictures(self):
        sets = source.LabelSets(
            np.array([0, 1, 2], np.int32), np.array([2, 2, 3] + [3] * 9)
        )
        pictures = dataclasses.replace(toy(), label_sets=sets)
        keys = pictures.keys.tolist()
        for one in read(pictures, 3):
            for key, hot in zip(one["key"], one["labels"], strict=True):
                row = keys.index(key.decode())
                self.assertEqual(
                    np.flatnonzero(hot).tolist(), sets.of(row).tolist()
                )


if __name__ == "__main__":
    tf.test.main()
