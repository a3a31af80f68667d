"""Examines stored word vectors: few bytes, the same rows, after any kill."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import feature_store

DIM, LENGTH = 6, 5
TEXTS = ["a red bird", "bird", "a b c d e f g", "", "bird", "two words"]


def read(texts):
    """Each word's vector is made of its letters; a sentence is their sum."""
    longest = max(len(text.split()) for text in texts) or 1
    words = np.full((len(texts), longest, DIM), 7, np.float32)  # not zero
    mask = np.zeros((len(texts), longest), bool)
    sentence = np.zeros((len(texts), DIM), np.float32)
    for row, text in enumerate(texts):
        for place, word in enumerate(text.split()):
            random = np.random.RandomState(sum(word) % 1000)
            words[row, place] = random.randn(DIM)
            mask[row, place] = True
        sentence[row] = (words[row] * mask[row, :, None]).sum(0)
    return words[:, :LENGTH], mask[:, :LENGTH], sentence


def write(folder, texts=TEXTS, reader=read, **options):
    """Writes a store of (N, 2) captions."""
    options = {"dim": DIM, "max_words": LENGTH, "chunk": 2} | options
    texts = [text.encode() for text in texts]
    shape = (len(texts) // 2, 2)
    return feature_store.write(folder, texts, shape, reader, **options)


class Harness(parameterized.TestCase, tf.test.TestCase):
    """A folder, and comparison of what comes back."""

    def setUp(self):
        super().setUp()
        self.home = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.folder = self.home / "words_0"

    def assert_reads(self, store, texts=TEXTS, atol=2e-3):
        places = np.random.RandomState(0).permutation(len(texts))
        made = tf.function(store.rows)(tf.constant(places, tf.int64))
        words, mask, sentence = (
            made[key].numpy() for key in ("words", "mask", "sentence")
        )
        told = [texts[place].encode() for place in places]
        theirs, real, whole = read(told)
        length = theirs.shape[1]
        self.assertEqual(words.shape, (len(texts), LENGTH, DIM))
        self.assertAllEqual(mask[:, :length], real)
        self.assertFalse(mask[:, length:].any())
        self.assertAllClose(words[mask], theirs[real], atol, atol)
        self.assertAllEqual(words[~mask], np.zeros_like(words[~mask]))
        self.assertAllClose(sentence, whole, 2e-3, 2e-3)
        pairs = store.sentences(places.reshape(-1, 2)).numpy()
        self.assertAllEqual(pairs.reshape(-1, DIM), sentence)
        table = np.asarray(store)
        self.assertEqual(table.shape, (*store.shape, DIM))
        self.assertAllEqual(table.reshape(-1, DIM)[places], sentence)


class RowsTest(Harness):
    """What was written is read."""

    @parameterized.parameters(("float16", 2e-3), ("int8", 2e-2))
    def test_rows_come_back_in_any_order(self, dtype, atol):
        store = write(self.folder, dtype=dtype)
        self.assertEqual(store.shape, (3, 2))
        self.assert_reads(store, atol=atol)
        self.assert_reads(feature_store.Store(self.folder), atol=atol)

    def test_bytes_are_those_of_real_words_of_distinct_captions(self):
        count = 3 + 1 + 5 + 0 + 2  # "bird" comes twice, seven words are cut
        for dtype, size in (("float16", 2 * DIM), ("int8", DIM + 4)):
            folder = self.home / dtype
            store = write(folder, dtype=dtype)
            found = (folder / "vectors-00000.tfrecord").stat().st_size
            self.assertEqual(found, count * size + 5 * (2 * DIM + 16))
            self.assertGreater(store.nbytes, found)

    def test_whole_store_is_not_read_again(self):
        write(self.folder)
        store = write(self.folder, reader=None)
        self.assert_reads(store)

    def test_equal_captions_are_read_once_and_like_lengths_together(self):
        seen = []
        write(self.folder, reader=lambda some: seen.append(some) or read(some))
        self.assertEqual(
            seen,
            [
                [b"", b"bird"],
                [b"two words", b"a red bird"],
                [b"a b c d e f g"],
            ],
        )

    def test_store_without_words(self):
        store = write(self.folder, ["", ""])
        made = store.rows([0, 1])
        self.assertFalse(made["mask"].numpy().any())
        self.assertAllEqual(made["words"], np.zeros((2, LENGTH, DIM)))

    def test_large_sets_fill_several_files(self):
        texts = [f"caption number {i} {'x ' * (i % 4)}" for i in range(60)]
        with mock.patch.object(feature_store, "_ROWS", 16):
            store = write(self.folder, texts)
            self.assertLen(list(self.folder.glob("*.tfrecord")), 4)
            self.assert_reads(store, texts)

    def test_other_types_are_refused(self):
        with self.assertRaisesRegex(ValueError, "'float16' or 'int8'"):
            write(self.folder, dtype="float8")


class PackedTest(Harness):
    """Bytes are exact to half a step."""

    def test_error_is_at_most_half_a_step(self):
        vectors = np.random.RandomState(0).randn(500, 64).astype(np.float32)
        vectors[0] = 0
        bytes_, scales = feature_store.packed(vectors, "int8")
        self.assertEqual(bytes_.dtype, np.int8)
        step = np.abs(vectors).max(1, keepdims=True) / 127
        error = np.abs(bytes_ * scales - vectors)
        self.assertAllLessEqual(error - step / 2, 1e-6)
        half, none = feature_store.packed(vectors, "float16")
        self.assertIsNone(none)
        self.assertAllClose(half, vectors, 5e-4, 1e-6)


class KillTest(Harness):
    """A store is whole or goes on where it was."""

    def test_interrupted_store_goes_on_behind_the_last_file(self):
        seen = []

        def stops(some):
            if len(seen) == 3:
                raise KeyboardInterrupt
            seen.append(some)
            return read(some)

        with mock.patch.object(feature_store, "_ROWS", 2):
            with self.assertRaises(KeyboardInterrupt):
                write(self.folder, reader=stops, chunk=1)
            self.assertFalse(self.folder.exists())
            rest = []
            store = write(
                self.folder, reader=lambda some: rest.append(some) or read(some)
            )
            self.assertEqual(
                rest, [[b"two words", b"a red bird"], [b"a b c d e f g"]]
            )
            self.assert_reads(store)
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertLen(names, 6)  # three files, counts, places, the card
        self.assertFalse((self.home / f".{self.folder.name}.part").exists())

    def test_killed_program_leaves_nothing_half(self):
        texts = [f"caption number {i} {'x ' * (i % 4)}" for i in range(60)]
        program = (
            "import sys, time; sys.path.insert(0, sys.argv[1]);"
            "from tests.ops import feature_store_test as t;"
            "texts = [f\"caption number {i} {'x ' * (i % 4)}\""
            " for i in range(60)];\n"
            "t.feature_store._ROWS = 8\n"
            "def slow(some):\n"
            "    print(flush=True); time.sleep(0.01); return t.read(some)\n"
            "t.write(sys.argv[2], texts, slow, dtype='int8')"
        )
        root = pathlib.Path(__file__).resolve().parents[2]
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(root), str(self.folder)],
            stdout=subprocess.PIPE,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        for _ in range(14):  # chunks, four a file
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        self.assertFalse(self.folder.exists())
        seen = []
        with mock.patch.object(feature_store, "_ROWS", 8):
            store = write(
                self.folder,
                texts,
                lambda some: seen.append(some) or read(some),
                dtype="int8",
            )
            self.assertBetween(len(seen), 10, 18)  # of 30
            self.assert_reads(store, texts, 2e-2)

    def test_full_disk_is_told_and_whole_files_stay(self):
        def full(some):
            raise OSError(28, "No space left on device")

        with self.assertRaisesRegex(OSError, "unchanged: No space left on"):
            write(self.folder, reader=full)
        self.assert_reads(write(self.folder))

    @parameterized.parameters(
        "store.json", "vectors-00000.tfrecord", "counts.npy"
    )
    def test_damaged_store_is_named(self, name):
        write(self.folder)
        (self.folder / name).write_bytes(b"?")
        with self.assertRaisesRegex(ValueError, "words_0.*make it again"):
            feature_store.Store(self.folder)

    def test_store_without_its_card_is_written_anew(self):
        write(self.folder)
        (self.folder / "store.json").unlink()
        self.assert_reads(write(self.folder))


if __name__ == "__main__":
    tf.test.main()
