"""Keeps vectors of captions and their words in few bytes on the disk.

    store.json                 what it is
    places.npy                 (N x K,) int32: the row of each caption; equal
                               ones share it
    counts.npy                 (n,) int32: words of each row
    vectors-00000.tfrecord ... 4096 rows each: a record's bytes are words
                               (count, C), scales (count,) float32 with int8
                               only, sentence (C,) float16

A float16 word takes 2 C bytes, an int8 word C + 4; a sentence 2 C. Rows are
read from the disk when they are used: memory holds where they are.
"""

import contextlib
import fcntl
import io
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_t2i.ops import files, record_files

DTYPES = ("float16", "int8")
_CARD, _PLACES, _COUNTS = "store.json", "places.npy", "counts.npy"
_ROWS = 4096  # of a file; more are lost to a kill by less than so many


class Store:
    """Reads stored vectors, as if they were those of an (N, K) table.

    NumPy takes it for its sentences: (N, K, C) float32.

    Args:
        folder: where `write` put them.

    Attributes:
        folder: the same.
        shape: (N, K), that of the captions.
        dim: C.
        max_words: T of the answers; 0 where only sentences are kept.
        dtype: "float16" or "int8".

    Raises:
        ValueError: if the folder holds no whole store.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        try:
            card = json.loads((self.folder / _CARD).read_text())
            places = np.load(self.folder / _PLACES)
            counts = np.load(self.folder / _COUNTS)
            self.shape = tuple(map(int, card["shape"]))
            self.dim, self.max_words = int(card["dim"]), int(card["max_words"])
            self.dtype = DTYPES[DTYPES.index(card["dtype"])]
            is_whole = len(places) == np.prod(self.shape)
            is_whole = is_whole and places.max(initial=-1) < len(counts)
        except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
            raise ValueError(self._damaged()) from error
        if not is_whole:
            raise ValueError(self._damaged())
        sizes = _sizes(counts, self.dim, self.dtype)
        lengths, numbers = sum(sizes), np.arange(len(counts)) // _ROWS
        offsets = _offsets(lengths)
        paths = [
            os.fspath(_path(self.folder, number))
            for number in range(numbers.max(initial=-1) + 1)
        ]
        try:
            record_files.check(paths, numbers, offsets, lengths)
        except ValueError as error:
            raise ValueError(f"{error} {self._damaged()}") from error
        # As tensors, that graphs may share them.
        self._paths = tf.constant(paths, tf.string)
        self._lengths, self._offsets = map(tf.constant, (lengths, offsets))
        self._counts, self._places = map(tf.constant, (counts, places))

    @property
    def nbytes(self) -> int:
        """What its files take on the disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def rows(self, places) -> dict[str, tf.Tensor]:
        """Reads captions; in graphs too.

        Args:
            places: (B,) int64: caption k of picture n is number n * K + k.

        Returns:
            "words", (B, T, C) float32, 0 where there is no word; "mask",
            (B, T) bool; "sentence", (B, C) float32.
        """
        counts, lengths, data = self._read(places)
        size = counts * (np.dtype(self.dtype).itemsize * self.dim)
        words = _numbers(data, tf.zeros_like(size), size, self.dtype)
        words = tf.cast(tf.reshape(words, [-1, self.dim]), tf.float32)
        if self.dtype == "int8":
            words *= _numbers(data, size, counts * 4, "float32")[:, None]
        ragged = tf.RaggedTensor.from_row_lengths(words, counts, validate=False)
        shape = [data.shape[0], self.max_words, self.dim]
        return {
            "words": tf.ensure_shape(ragged.to_tensor(shape=shape), shape),
            "mask": tf.sequence_mask(counts, self.max_words),
            "sentence": self._sentences(lengths, data),
        }

    def sentences(self, places) -> tf.Tensor:
        """Reads sentences only; in graphs too.

        Args:
            places: int64 of any shape, as in `rows`.

        Returns:
            float32 of that shape with one more axis: C.
        """
        places = tf.convert_to_tensor(places)
        _, lengths, data = self._read(tf.reshape(places, [-1]))
        found = self._sentences(lengths, data)
        return tf.reshape(found, [*places.shape, self.dim])

    def __array__(self, dtype=None, copy=None):
        size = 2 * self.dim
        stored = tf.data.TFRecordDataset(self._paths)
        ends = stored.map(lambda data: tf.strings.substr(data, -size, size))
        flat = b"".join(ends.as_numpy_iterator())
        table = np.frombuffer(flat, np.float16).reshape(-1, self.dim)
        table = table[self._places.numpy()].reshape(*self.shape, self.dim)
        return table.astype(np.float32 if dtype is None else dtype)

    def _sentences(self, lengths, data):
        size = tf.zeros_like(lengths) + 2 * self.dim
        found = _numbers(data, lengths - size, size, "float16")
        found = tf.reshape(found, [*data.shape, self.dim])
        return tf.cast(found, tf.float32)

    def _read(self, places):
        """Words, bytes and content of (b,) records."""
        row = tf.gather(self._places, places)
        lengths = tf.gather(self._lengths, row)
        data = tf.map_fn(
            lambda part: record_files.read(*part),
            (
                tf.gather(self._paths, row // _ROWS),
                tf.gather(self._offsets, row),
                lengths,
            ),
            fn_output_signature=tf.string,
        )
        data = tf.ensure_shape(data, row.shape)
        return tf.gather(self._counts, row), tf.cast(lengths, tf.int32), data

    def _damaged(self):
        return (
            f"{self.folder} is no whole store of word vectors; delete it and "
            "make it again."
        )


def write(
    folder: str | os.PathLike,
    captions: Sequence[bytes],
    shape: tuple[int, int],
    read: Callable,
    *,
    dim: int,
    max_words: int,
    dtype: str = "float16",
    chunk: int = 256,
    check: Callable = lambda captions: None,
    told: Callable = lambda count: None,
) -> Store:
    """Reads every caption once and keeps what is read.

    Files are on the disk when the next one begins: after a kill the same call
    goes on behind the last. Of several programs that ask for one store, one
    writes and the others wait, which they say.

    Args:
        folder: where it goes, named by the content; one that is whole is
            opened and nothing is read or written, a damaged one is made
            again.
        captions: N x K, UTF-8.
        shape: (N, K).
        read: function from a list of at most `chunk` captions to words
            (b, t, C), mask (b, t), sentence (b, C) arrays; True comes before
            False in a row of the mask.
        dim: C.
        max_words: T; t is no more.
        dtype: "float16", or "int8" with one scale a word.
        chunk: captions read at a time.
        check: called with the list of distinct captions before any is read.
        told: called with the number of captions read, after each chunk.

    Returns:
        `Store`.

    Raises:
        ValueError: if `dtype` is another one, or `check` refuses a caption.
        OSError: if it cannot be written; what is there is kept.
    """
    folder = pathlib.Path(folder)
    if dtype not in DTYPES:
        raise ValueError(
            f"dtype is {dtype!r}; word vectors are kept as "
            f"{' or '.join(map(repr, DTYPES))}."
        )
    whole = _whole(folder)  # Nothing is written: others' need not be writable.
    if whole is not None:
        return whole
    with _alone(folder):
        whole = _whole(folder)  # Another program may have made it.
        if whole is not None:
            return whole
        part = folder.with_name(f".{folder.name}.part")
        if _whole(part) is None:
            distinct, places = _distinct(captions)
            check(distinct)
            card = {
                "shape": [int(length) for length in shape],
                "dim": int(dim),
                "max_words": int(max_words),
                "dtype": dtype,
            }
            counts = _fill(part, distinct, read, chunk, card, told)
            _finish(part, card, counts, places)
        with _telling(folder):
            _tidy(part)
            shutil.rmtree(folder, ignore_errors=True)  # a damaged one
            os.replace(part, folder)
    return Store(folder)


def packed(vectors: np.ndarray, dtype: str):
    """Rounds vectors to few bytes.

    Args:
        vectors: (n, C) floats.
        dtype: "float16" or "int8".

    Returns:
        (n, C) of that type, and (n, 1) float32 to multiply them by, None for
        float16.
    """
    if dtype == "float16":
        return vectors.astype(np.float16), None
    largest = np.abs(vectors).max(1, keepdims=True, initial=0.0)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(vectors / scales).astype(np.int8), scales


def _distinct(captions):
    """Equal captions once, those of like length together: little padding."""
    first = {}
    numbers = [first.setdefault(text, len(first)) for text in captions]
    texts = list(first)
    order = np.argsort([len(text) for text in texts], kind="stable")
    row = np.empty(len(texts), np.int64)
    row[order] = np.arange(len(texts))
    return [texts[i] for i in order], row[np.array(numbers, np.int64)]


def _numbers(data, starts, sizes, dtype):
    """The numbers that lie in each of (b,) strings, after each other."""
    parts = tf.strings.substr(data, starts, sizes)
    return tf.io.decode_raw(tf.strings.reduce_join(parts), dtype)


def _whole(folder):
    """Opens a store; None if there is none that is whole."""
    try:
        return Store(folder)
    except ValueError:
        return None


def _fill(part, captions, read, chunk, card, told):
    """Writes the files that are not there; tells the words of all rows."""
    with _telling(part):
        part.mkdir(exist_ok=True)
        (part / _CARD).unlink(missing_ok=True)  # It comes last.
    counts = [np.zeros(0, np.int32)]
    for number, start in enumerate(range(0, len(captions), _ROWS)):
        some = captions[start : start + _ROWS]
        path = _path(part, number)
        found = _counts(path, card)
        if found is not None and len(found) == len(some):
            told(len(some))
        else:
            found = _write_file(path, some, read, chunk, card["dtype"], told)
        counts.append(found)
    return np.concatenate(counts)


def _finish(part, card, counts, places):
    """Writes what tells of the rows; the card says that all is there."""
    for name, table in ((_COUNTS, counts), (_PLACES, places)):
        stream = io.BytesIO()
        np.save(stream, table.astype(np.int32))
        files.atomic_write(part / name, stream.getvalue())
    files.atomic_write(part / _CARD, json.dumps(card).encode())


def _tidy(part):
    """Leaves out what kills and earlier versions left."""
    for path in part.iterdir():
        is_ours = path.name in (_CARD, _COUNTS, _PLACES)
        if not is_ours and path.suffix != ".tfrecord":
            path.unlink()


def _counts(path, card):
    """Words of each row of a file; None if the file is not whole."""
    records = tf.data.TFRecordDataset(os.fspath(path))
    lengths = records.map(tf.strings.length).batch(_ROWS)
    try:
        (lengths,) = lengths.as_numpy_iterator()
    except (tf.errors.OpError, ValueError):
        return None
    none, one = sum(_sizes(np.arange(2), card["dim"], card["dtype"]))
    counts, rest = np.divmod(lengths - none, one - none)
    if rest.any() or counts.min() < 0 or counts.max() > card["max_words"]:
        return None
    return counts.astype(np.int32)


def _write_file(path, captions, read, chunk, dtype, told):
    """Writes one file, whole or not at all; tells the words of its rows."""
    beside = path.with_suffix(".writing")
    counts = []
    with _telling(path):
        try:
            with tf.io.TFRecordWriter(os.fspath(beside)) as writer:
                for start in range(0, len(captions), chunk):
                    some = captions[start : start + chunk]
                    made = read(some)
                    for words, mask, sentence in zip(*made, strict=True):
                        counts.append(int(mask.sum()))
                        writer.write(_content(words[mask], sentence, dtype))
                    told(len(some))
            files.sync(beside)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    return np.array(counts, np.int32)


def _content(words, sentence, dtype) -> bytes:
    words, scales = packed(words, dtype)
    scale_bytes = b"" if scales is None else scales.tobytes()
    return words.tobytes() + scale_bytes + sentence.astype(np.float16).tobytes()


def _sizes(counts, dim, dtype):
    """Bytes of words, scales and sentence in each record."""
    counts = counts.astype(np.int64)
    scales = 4 * counts if dtype == "int8" else 0 * counts
    return counts * dim * np.dtype(dtype).itemsize, scales, 2 * dim


def _offsets(lengths):
    """Where each record's content begins in its file."""
    framed = lengths + record_files.HEAD + record_files.TAIL
    ends = np.cumsum(framed)
    starts = ends - framed
    first = starts[np.arange(len(starts)) // _ROWS * _ROWS]
    return starts - first + record_files.HEAD


def _path(folder, number):
    return folder / f"vectors-{number:05d}.tfrecord"


@contextlib.contextmanager
def _telling(path) -> Iterator[None]:
    """Says of what can't be written that it can't."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            f"Cannot write {path}, what was there is unchanged: "
            f"{files.reason(error)}"
        ) from error


@contextlib.contextmanager
def _alone(folder) -> Iterator[None]:
    """Waits until no other program is inside; a dead one isn't."""
    with _telling(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = open(folder.with_name(f".{folder.name}.lock"), "a")
    with lock:
        with _telling(folder):
            _wait_for(lock)
        yield


def _wait_for(lock):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(
            "Another program reads these captions; waiting for it.", flush=True
        )
        fcntl.flock(lock, fcntl.LOCK_EX)
