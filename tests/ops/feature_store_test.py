"""Examines stored word vectors: few bytes, the same rows, after any kill."""

import contextlib
import fcntl
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
WHOLE = ["counts.npy", "places.npy", "store.json", "vectors-00000.tfrecord"]
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


@contextlib.contextmanager
def dies_at(name):
    """Kills where a path of that name would be put in place."""
    real = os.replace

    def replace(source, to):
        if pathlib.Path(to).name == name:
            raise KeyboardInterrupt
        real(source, to)

    with mock.patch.object(os, "replace", replace):
        yield


def names(folder):
    """Lists a folder."""
    return {path.name for path in folder.iterdir()}


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

    @parameterized.parameters("words_0", "store.json")
    def test_store_is_finished_after_a_kill_at_its_last_renames(self, name):
        with dies_at(name), self.assertRaises(KeyboardInterrupt):
            write(self.folder)
        self.assertFalse(self.folder.exists())
        store = write(self.folder, reader=None)  # Nothing is read again.
        self.assert_reads(store)
        self.assertEqual(sorted(names(self.folder)), WHOLE)
        self.assertEqual(names(self.home), {"words_0", ".words_0.lock"})

    def test_complete_part_is_not_even_checked(self):
        with dies_at("words_0"), self.assertRaises(KeyboardInterrupt):
            write(self.folder)
        self.assert_reads(write(self.folder, reader=None, check=None))

    def test_kill_while_a_damaged_store_is_replaced_loses_nothing(self):
        write(self.folder)
        (self.folder / "store.json").unlink()
        with dies_at("words_0"), self.assertRaises(KeyboardInterrupt):
            write(self.folder)
        self.assert_reads(write(self.folder, reader=None))

    @parameterized.product(
        damage=["gone", "empty", "cut", "changed", "of others"],
        dtype=["float16", "int8"],
    )
    def test_unreadable_file_is_written_again(self, damage, dtype):
        with mock.patch.object(feature_store, "_ROWS", 2):
            with dies_at("words_0"), self.assertRaises(KeyboardInterrupt):
                write(self.folder, dtype=dtype)
            part = self.home / ".words_0.part"
            (part / "store.json").unlink()
            path = part / "vectors-00001.tfrecord"
            whole = path.read_bytes()
            if damage == "gone":
                path.unlink()
            elif damage == "of others":
                path.write_bytes((part / "vectors-00002.tfrecord").read_bytes())
            else:
                changed = whole[:20] + bytes([whole[20] ^ 1]) + whole[21:]
                data = {"empty": b"", "cut": whole[:-1], "changed": changed}
                path.write_bytes(data[damage])
            (part / "vectors-00001.npy").write_bytes(b"of an earlier version")
            (part / "vectors-00002.writing").write_bytes(b"half")
            seen = []
            store = write(
                self.folder,
                reader=lambda some: seen.append(some) or read(some),
                dtype=dtype,
            )
            self.assert_reads(store, atol=2e-2)
        self.assertEqual(seen, [[b"two words", b"a red bird"]])
        self.assertEqual((self.folder / path.name).read_bytes(), whole)
        self.assertLen(names(self.folder), 6)

    @parameterized.parameters("counts.npy", "places.npy", "store.json")
    def test_full_disk_at_the_end_is_told_with_the_file(self, name):
        real = os.replace

        def full(source, to):
            if str(to).endswith(name):
                raise OSError(28, "No space left on device")
            real(source, to)

        with mock.patch.object(os, "replace", full):
            with self.assertRaisesRegex(OSError, f"Cannot write.*{name}"):
                write(self.folder)
        self.assert_reads(write(self.folder, reader=None))

    def test_place_that_cannot_be_written_is_told(self):
        (self.home / "file").write_bytes(b"")
        with self.assertRaisesRegex(OSError, "Cannot write .*file/words_0"):
            write(self.home / "file" / "words_0")

    @parameterized.parameters(
        ("store.json", b"?"),
        ("store.json", b""),
        ("store.json", b"[]"),
        ("store.json", b"{}"),
        ("store.json", b'{"shape": [3, 2], "dtype": "int8", "max_words": 5}'),
        ("vectors-00000.tfrecord", b"?"),
        ("counts.npy", b"?"),
        ("places.npy", None),
    )
    def test_damaged_store_is_named_and_written_again(self, name, data):
        write(self.folder)
        if data is None:
            (self.folder / name).unlink()
        else:
            (self.folder / name).write_bytes(data)
        with self.assertRaisesRegex(ValueError, "words_0.*make it again"):
            feature_store.Store(self.folder)
        self.assert_reads(write(self.folder))

    @parameterized.parameters(
        ("places.npy", np.zeros(5)), ("counts.npy", np.zeros(2, np.int32))
    )
    def test_tables_of_another_store_are_damage(self, name, table):
        write(self.folder)
        np.save(self.folder / name, table)
        with self.assertRaisesRegex(ValueError, "words_0.*make it again"):
            feature_store.Store(self.folder)

    def test_store_without_its_card_is_written_anew(self):
        write(self.folder)
        (self.folder / "store.json").unlink()
        self.assert_reads(write(self.folder))


class SharedTest(Harness):
    """Several programs use one folder."""

    def test_whole_store_is_opened_where_nothing_can_be_written(self):
        write(self.folder)
        (self.home / ".words_0.lock").unlink()
        self.assert_reads(write(self.folder, reader=None))
        self.assertEqual(names(self.home), {"words_0"})

    def test_program_that_waits_says_so_once(self):
        with open(self.home / ".words_0.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            freed = mock.Mock(
                side_effect=lambda *text, **_: fcntl.flock(lock, fcntl.LOCK_UN)
            )
            with mock.patch("builtins.print", freed):
                store = write(self.folder)
        freed.assert_called_once_with(
            "Another program reads these captions; waiting for it.", flush=True
        )
        self.assert_reads(store)

    def test_program_that_waited_takes_what_the_other_made(self):
        with open(self.home / ".words_0.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

            def ends(*text, **_):
                write(self.home / "other").folder.rename(self.folder)
                fcntl.flock(lock, fcntl.LOCK_UN)

            with mock.patch("builtins.print", ends):
                self.assert_reads(write(self.folder, reader=None))

    def test_program_alone_says_nothing(self):
        with mock.patch("builtins.print") as said:
            write(self.folder)
        said.assert_not_called()


if __name__ == "__main__":
    tf.test.main()
