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
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_t2i.ops import files, record_files

DTYPES = ("float16", "int8")
_CARD = "store.json"
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
            places = np.load(self.folder / "places.npy")
            counts = np.load(self.folder / "counts.npy")
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(self._damaged()) from error
        self.shape = tuple(card["shape"])
        self.dim, self.max_words = card["dim"], card["max_words"]
        self.dtype = card["dtype"]
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
    writes and the others wait.

    Args:
        folder: where it goes, named by the content; one that is whole is
            opened and nothing is read.
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
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f".{folder.name}.lock")):
        if (folder / _CARD).is_file():
            return Store(folder)
        distinct, places = _distinct(captions)
        check(distinct)
        part = folder.with_name(f".{folder.name}.part")
        part.mkdir(exist_ok=True)
        counts = []
        for number, start in enumerate(range(0, len(distinct), _ROWS)):
            some = distinct[start : start + _ROWS]
            path = _path(part, number)
            if path.exists():
                told(len(some))
            else:
                _write_file(path, some, read, chunk, dtype, told)
            counts.append(np.load(path.with_suffix(".npy")))
        np.save(part / "counts.npy", np.concatenate(counts))
        np.save(part / "places.npy", places.astype(np.int32))
        card = {
            "shape": [int(length) for length in shape],
            "dim": int(dim),
            "max_words": int(max_words),
            "dtype": dtype,
        }
        files.atomic_write(part / _CARD, json.dumps(card).encode())
        for number in range(len(counts)):
            _path(part, number).with_suffix(".npy").unlink()
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


def _write_file(path, captions, read, chunk, dtype, told):
    """Writes one file, whole or not at all, and its counts before it."""
    beside = path.with_suffix(".writing")
    counts = []
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
        np.save(path.with_suffix(".npy"), np.array(counts, np.int32))
        os.replace(beside, path)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            f"Cannot write {path}, what was there is unchanged: "
            f"{files.reason(error)}"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


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
def _alone(path) -> Iterator[None]:
    """Waits until no other program is inside; a dead one isn't."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
