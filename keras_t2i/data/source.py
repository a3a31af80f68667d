"""Holds a captioned picture set, wherever its pictures lie."""

import dataclasses
import functools
import hashlib
import os
import pathlib
import weakref
from collections.abc import Mapping

import numpy as np

from keras_t2i.data import texts
from keras_t2i.ops import files


@dataclasses.dataclass(frozen=True, eq=False)
class Shards:
    """Finds records in files; they are read when asked for, in any order.

    Attributes:
        paths: the files.
        shard: (N,) int32, in which file each record lies.
        offset: (N,) int64, where its content begins there.
        length: (N,) int64, bytes of its content.
        content: name of the files' content, if it is known already; else the
            files are read whole for a digest.
        told: what the records hold beside their pictures: "captions", "keys"
            and "labels", as `Pictures` has them.
    """

    paths: tuple[str, ...]
    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    content: str | None = None
    told: Mapping | None = dataclasses.field(default=None, repr=False)

    def __len__(self):
        return len(self.offset)

    def __getitem__(self, rows):
        places = [getattr(self, part)[rows] for part in _PLACES]
        told = (self.told or {}).items()
        told = {part: _rows(table, rows) for part, table in told}
        return Shards(self.paths, *places, self.content, told)

    def read(self, rows) -> list[bytes]:
        """Reads records.

        Args:
            rows: (B,) integers.

        Returns:
            Their contents, as `records.write` framed them.

        Raises:
            ValueError: if a file ends before the record does.
            OSError: if a file is gone.
        """
        places = (getattr(self, part)[rows].tolist() for part in _PLACES)
        return [self._record(*place) for place in zip(*places, strict=True)]

    @functools.cached_property
    def digest(self) -> str:
        """Names the content of these records, in this order."""
        content = self.content
        if content is None:
            content = files.digest(*map(file_digest, self.paths))
        places = [getattr(self, part) for part in _PLACES]
        return files.digest(content, *places)

    @functools.cached_property
    def _numbers(self) -> dict:
        """File descriptors by shard, closed when nobody reads any more."""
        numbers = {}
        weakref.finalize(self, _close, numbers)
        return numbers

    def _record(self, shard, offset, length):
        number = self._numbers.get(shard)
        if number is None:
            opened = os.open(self.paths[shard], os.O_RDONLY)
            number = self._numbers.setdefault(shard, opened)
            if number != opened:  # Another thread was first.
                os.close(opened)
        data = os.pread(number, length, offset)
        if len(data) < length:
            raise ValueError(
                f"{self.paths[shard]} has fewer records than when it was "
                f"indexed: it ends in the one at byte {offset}."
            )
        return data


@dataclasses.dataclass(frozen=True, eq=False)
class LabelSets:
    """Holds all classes of each of N pictures, for sets with several.

    Attributes:
        values: (C,) int32, those of all pictures after each other.
        ends: (N,) int64, where each picture's end.
    """

    values: np.ndarray
    ends: np.ndarray

    def __len__(self):
        return len(self.ends)

    def __getitem__(self, rows) -> "LabelSets":
        rows = np.arange(len(self))[rows]
        taken = [self.of(row) for row in rows]
        ends = np.cumsum([len(each) for each in taken], dtype=np.int64)
        return LabelSets(np.concatenate([self.values[:0], *taken]), ends)

    def of(self, row: int) -> np.ndarray:
        """Tells the classes of one picture.

        Args:
            row: its number.

        Returns:
            (c,) int32, c may be 0.
        """
        start = self.ends[row - 1] if row else 0
        return self.values[start : self.ends[row]]


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """Holds N pictures with K captions each.

    Any part may be replaced (`dataclasses.replace`): captions and keys of
    pictures in records are held then, not read with the pictures.

    Attributes:
        images: one of: (N, H, W, 3) uint8, or (N, H, W, 1) for grey; (N,)
            object array of encoded pictures (PNG, JPEG, GIF, BMP bytes); (N,)
            str array of their file names; or `Shards`.
        captions: (N, K) str, an array or packed.
        labels: (N,) int32: (main) class, or -1.
        keys: (N,) str, an array or packed: the pictures' names, all different.
        class_names: names of the classes, by label.
        name: what the set is called in reports.
        label_sets: all classes of each picture, where a set has several.
        own: (N,) int32, how many of the K captions are a picture's own, where
            pictures with fewer repeat them in turn; None where all are.
    """

    images: np.ndarray | Shards
    captions: np.ndarray | texts.Texts
    labels: np.ndarray
    keys: np.ndarray | texts.Texts
    class_names: tuple[str, ...]
    name: str
    label_sets: LabelSets | None = None
    own: np.ndarray | None = None

    def __post_init__(self):
        self._check_images()
        count = len(self)
        for part in ("captions", "labels", "keys"):
            if len(getattr(self, part)) != count:
                raise ValueError(
                    f"Set {self.name!r} has {count} pictures but "
                    f"{len(getattr(self, part))} {part}; they must be as many."
                )
        if self.captions.ndim != 2 or self.captions.dtype.kind != "U":
            raise ValueError(
                f"Captions of set {self.name!r} must be (N, K) str; they are "
                f"{self.captions.dtype} of shape {self.captions.shape}."
            )
        if count and (self.labels.max() >= len(self.class_names)):
            raise ValueError(
                f"Set {self.name!r} has label {self.labels.max()} but only "
                f"{len(self.class_names)} class names."
            )
        self._check_own()

    def _check_images(self):
        if isinstance(self.images, Shards):
            return
        shape, kind = self.images.shape, self.images.dtype.kind
        held = self.images.dtype == np.uint8 and shape[3:] in ((1,), (3,))
        if not held and not (len(shape) == 1 and kind in "OU"):
            raise ValueError(
                f"Pictures of set {self.name!r} must be (N, H, W, 3) uint8, or "
                "(N, H, W, 1), (N,) encoded bytes or (N,) file names; they are "
                f"{self.images.dtype} of shape {shape}."
            )

    def _check_own(self):
        if self.own is None:
            return
        shape, most = np.shape(self.own), self.captions.shape[1]
        if shape != (len(self),) or np.any((self.own < 1) | (self.own > most)):
            raise ValueError(
                f"own of set {self.name!r} must be ({len(self)},) integers in "
                f"1 ... {most}, captions of each picture that are its own."
            )

    def __len__(self):
        return len(self.images)

    @property
    def own_counts(self) -> np.ndarray:
        """Tells how many captions are each picture's own: (N,) int32."""
        count, most = self.captions.shape
        return np.full(count, most, np.int32) if self.own is None else self.own

    @property
    def repeats(self) -> bool:
        """Whether there are captions that a picture has more than once."""
        return bool(np.any(self.own_counts < self.captions.shape[1]))

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width when every picture is held as pixels, or None."""
        if isinstance(self.images, Shards) or self.images.ndim == 1:
            return None
        return self.images.shape[1:3]

    @property
    def channels(self) -> int:
        """Colours of each picture: 3, or 1 for grey."""
        return 3 if self.size is None else self.images.shape[3]

    @functools.cached_property
    def digest(self) -> str:
        """Names the content: pictures, captions, labels and keys."""
        told = [getattr(self, part) for part in _TOLD if not self.is_told(part)]
        told.insert(0, self._images_digest())
        if self.repeats:
            told.append(self.own)
        return told[0] if len(told) == 1 else files.digest(*told)

    def is_told(self, part: str) -> bool:
        """Whether the records of pictures in files tell a part as it is here.

        Args:
            part: "captions", "keys" or "labels".

        Returns:
            False if it was replaced, or if pictures are not in records.
        """
        told = getattr(self.images, "told", None) or {}
        return told.get(part) is getattr(self, part)

    def subset(self, indices) -> "Pictures":
        """Takes some of the pictures.

        Args:
            indices: (M,) integers, or (N,) bool.

        Returns:
            `Pictures` of those rows, in that order.
        """
        rows = {
            part: getattr(self, part)[indices]
            for part in ("images", "label_sets", "own")
            if getattr(self, part) is not None
        }
        for part in _TOLD:
            if self.is_told(part):  # Which it is of the subset too.
                rows[part] = rows["images"].told[part]
            else:
                rows[part] = _rows(getattr(self, part), indices)
        return dataclasses.replace(self, **rows)

    def _images_digest(self) -> str:
        if isinstance(self.images, Shards):
            return self.images.digest
        if self.images.dtype.kind == "U":
            return files.digest(*map(file_digest, self.images))
        if self.images.dtype.kind == "O":
            return files.digest(*self.images)
        return files.digest(self.images)


_PLACES = ("shard", "offset", "length")
_TOLD = ("captions", "labels", "keys")


def _rows(table, rows):
    """Takes rows of an array or of packed texts."""
    return table.rows(rows) if isinstance(table, texts.Texts) else table[rows]


def _close(numbers):
    for number in numbers.values():
        os.close(number)


def file_digest(path: str | os.PathLike) -> bytes:
    """Names a file's content, read in pieces.

    Args:
        path: the file.

    Returns:
        32 bytes, SHA-256.

    Raises:
        OSError: if it can't be read.
    """
    with pathlib.Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
