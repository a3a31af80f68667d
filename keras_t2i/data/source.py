"""Holds a captioned picture set, wherever its pictures lie."""

import dataclasses
import functools
import hashlib
import pathlib

import numpy as np

from keras_t2i.ops import files


@dataclasses.dataclass(frozen=True)
class Shards:
    """Names record files whose pictures are streamed, never held in memory.

    Attributes:
        paths: the files, in the order of the set's rows.
        counts: records in each file.
    """

    paths: tuple[str, ...]
    counts: tuple[int, ...]

    def __len__(self):
        return sum(self.counts)


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """Holds N pictures with K captions each.

    Attributes:
        images: one of: (N, H, W, 3) uint8, or (N, H, W, 1) for grey; (N,)
            object array of encoded pictures (PNG, JPEG, GIF, BMP bytes); (N,)
            str array of their file names; or `Shards`.
        captions: (N, K) str.
        labels: (N,) int32: class, or -1.
        keys: (N,) str: the pictures' names, all different.
        class_names: names of the classes, by label.
        name: what the set is called in reports.
    """

    images: np.ndarray | Shards
    captions: np.ndarray
    labels: np.ndarray
    keys: np.ndarray
    class_names: tuple[str, ...]
    name: str

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

    def __len__(self):
        return len(self.images)

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
        return files.digest(
            self._images_digest(), self.captions, self.labels, self.keys
        )

    def subset(self, indices) -> "Pictures":
        """Takes some of the pictures.

        Args:
            indices: (M,) integers, or (N,) bool.

        Returns:
            `Pictures` of those rows, in that order.

        Raises:
            ValueError: if the pictures are streamed from shards.
        """
        if isinstance(self.images, Shards):
            raise ValueError(
                f"Set {self.name!r} is streamed from shards, which have no "
                "subsets; read it without stream, or write a split of its own."
            )
        rows = {
            part: getattr(self, part)[indices]
            for part in ("images", "captions", "labels", "keys")
        }
        return dataclasses.replace(self, **rows)

    def _images_digest(self) -> str:
        if isinstance(self.images, Shards):
            return files.digest(*map(_file_digest, self.images.paths))
        if self.images.dtype.kind == "U":
            return files.digest(*map(_file_digest, self.images))
        if self.images.dtype.kind == "O":
            return files.digest(*self.images)
        return files.digest(self.images)


def _file_digest(path: str) -> bytes:
    with pathlib.Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
