"""Keeps vectors of captions and their words in few bytes on the disk.

    store.json     what it is
    places.npy     (N x K,) int32: the row of each caption; equal ones share it
    ends.npy       (n,) int64: where each row's words end among all words
    words.bin      (words, C) float16 or int8, no padding between rows
    scales.bin     (words,) float32, only with int8: what to multiply by
    sentences.bin  (n, C) float16

The files are mapped, not read: memory holds the rows that are used. A float16
word takes 2 C bytes, an int8 word C + 4; a sentence 2 C.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from keras_t2i.ops import files

DTYPES = ("float16", "int8")
_CARD = "store.json"
_DONE = "done.jsonl"  # what each chunk of an unfinished store has added
_PARTS = ("words", "scales", "lengths", "sentences")


class Store:
    """Reads stored vectors, as if they were those of an (N, K) table.

    Args:
        folder: where `write` put them.

    Attributes:
        shape: (N, K), that of the captions.
        dim: C.
        max_words: T of the answers.
        dtype: "float16" or "int8".

    Raises:
        ValueError: if the folder holds no whole store.
    """

    def __init__(self, folder: str | os.PathLike):
        folder = pathlib.Path(folder)
        try:
            card = json.loads((folder / _CARD).read_text())
            self._places = np.load(folder / "places.npy")
            self._ends = np.load(folder / "ends.npy")
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{folder} is no whole store of word vectors; delete it and "
                "make it again."
            ) from error
        self.folder = folder
        self.shape = tuple(card["shape"])
        self.dim, self.max_words = card["dim"], card["max_words"]
        self.dtype = card["dtype"]
        total = int(self._ends[-1]) if len(self._ends) else 0
        self._words = _mapped(folder / "words.bin", self.dtype, total, self.dim)
        self._sentences = _mapped(
            folder / "sentences.bin", "float16", len(self._ends), self.dim
        )
        self._scales = None
        if self.dtype == "int8":
            self._scales = _mapped(folder / "scales.bin", "float32", total, 1)

    @property
    def nbytes(self) -> int:
        """What its files take on the disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def rows(self, places) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reads captions.

        Args:
            places: (B,) integers: caption k of picture n is number n * K + k.

        Returns:
            words (B, T, C) float32, 0 where there is no word; mask (B, T)
            bool; sentence (B, C) float32.
        """
        rows = self._places[np.asarray(places)]
        ends = self._ends[rows]
        starts = np.where(rows > 0, self._ends[rows - 1], 0)
        mask = np.arange(self.max_words) < (ends - starts)[:, None]
        found = (starts[:, None] + np.arange(self.max_words))[mask]
        values = self._words[found].astype(np.float32)
        if self._scales is not None:
            values *= self._scales[found]
        words = np.zeros((*mask.shape, self.dim), np.float32)
        words[mask] = values
        return words, mask, self._sentences[rows].astype(np.float32)

    def sentences(self, places) -> np.ndarray:
        """Reads sentences only.

        Args:
            places: integers of any shape, as in `rows`.

        Returns:
            float32 of that shape with one more axis: C.
        """
        rows = self._places[np.asarray(places)]
        return self._sentences[rows].astype(np.float32)


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

    Chunks are on the disk when the next one begins: after a kill the same
    call goes on behind the last. Of several programs that ask for one store,
    one writes and the others wait.

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
        done = _resumed(part)
        told(done)
        for start in range(done, len(distinct), chunk):
            some = distinct[start : start + chunk]
            _append(part, *read(some), dtype)
            told(len(some))
        lengths = np.fromfile(part / "lengths.bin", np.int32)
        np.save(part / "ends.npy", np.cumsum(lengths, dtype=np.int64))
        np.save(part / "places.npy", places.astype(np.int32))
        card = {
            "shape": [int(length) for length in shape],
            "dim": int(dim),
            "max_words": int(max_words),
            "dtype": dtype,
        }
        files.atomic_write(part / _CARD, json.dumps(card).encode())
        for name in (_DONE, "lengths.bin"):
            (part / name).unlink(missing_ok=True)
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


def _append(part, words, mask, sentence, dtype):
    """Adds a chunk to the files, then says so."""
    words, scales = packed(words[mask], dtype)
    added = {
        "words": words,
        "scales": scales,
        "lengths": mask.sum(1).astype(np.int32),
        "sentences": sentence.astype(np.float16),
    }
    sizes = {"rows": len(mask)}
    for name, values in added.items():
        if values is None:
            continue
        with open(part / f"{name}.bin", "ab") as file:
            file.write(np.ascontiguousarray(values))
            file.flush()
            os.fsync(file.fileno())
            sizes[name] = file.tell()
    files.append_line(part / _DONE, json.dumps(sizes))


def _resumed(part) -> int:
    """Cuts off what an interrupted chunk has left; tells the rows done."""
    done = files.read_lines(part / _DONE)
    ends = done[-1] if done else {}
    for name in _PARTS:
        path = part / f"{name}.bin"
        if path.exists():
            os.truncate(path, ends.get(name, 0))
    return sum(chunk["rows"] for chunk in done)


@contextlib.contextmanager
def _alone(path) -> Iterator[None]:
    """Waits until no other program is inside; a dead one isn't."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _mapped(path, dtype, rows, columns):
    size = rows * columns * np.dtype(dtype).itemsize
    found = path.stat().st_size if path.exists() else 0
    if found != size:
        raise ValueError(
            f"{path} has {found:,} bytes instead of {size:,}; delete its "
            "folder and make it again."
        )
    if not size:
        return np.empty((rows, columns), dtype)
    return np.memmap(path, dtype, "r", shape=(rows, columns))
