"""Reads sets that TensorFlow Datasets (TFDS) has prepared on this machine."""

import collections
import os
import pathlib
import threading
from collections.abc import Callable, Iterator

from tools.preparing import plan

PREFIX = "tfds:"
_CURSORS = 2 * (os.cpu_count() or 1)
_PASSED = 1024  # pictures read on the way and not asked for yet


def builder(source: str):
    """Opens a set by its name.

    Args:
        source: such as "tfds:coco_captions" or "tfds:name/config:1.1.0".

    Returns:
        TFDS's builder, whose files lie here already.

    Raises:
        ValueError: if the package is missing, or the set is unknown or not
            prepared.
    """
    name = source.removeprefix(PREFIX)
    tfds = _package(source)
    try:
        found = tfds.builder(name)
    except Exception as error:  # TFDS has a class of its own for each cause.
        first = str(error).strip().splitlines()[:1]
        raise ValueError(
            f"--source={source} is no set that this tensorflow-datasets "
            f"opens: {type(error).__name__}: {' '.join(first)}"
        ) from error
    if not os.path.isdir(found.data_dir):
        raise ValueError(
            f"TFDS has not prepared {name} ({found.data_dir} is missing); do "
            f"that first: tfds build {name}"
        )
    return found


def rows(found, split: str, features: dict) -> Iterator[dict]:
    """Reads a split without its pictures.

    Args:
        found: from `builder`.
        split: one of the source's.
        features: what to read, as TFDS's PartialDecoding wants it.

    Yields:
        NumPy values by feature, in the order of the source's files.
    """
    tfds = _package(found.name)
    return _read(found, split, tfds.decode.PartialDecoding(features))


class Pictures:
    """Reads encoded pictures of a split by their row, in any order.

    Rows that are asked for about in order are read on from where the last
    was found; others are looked for from the start of their file.

    Args:
        found: from `builder`.
        split: one of the source's.
        feature: the picture's name.
    """

    def __init__(self, found, split: str, feature: str = "image"):
        decode = _package(found.name).decode
        parts = decode.PartialDecoding(
            {feature: True}, decoders={feature: decode.SkipDecoding()}
        )

        def opened(row: int) -> Iterator[bytes]:
            read = _read(found, f"{split}[{row}:]", parts)
            return (bytes(each[feature]) for each in read)

        self._rows = Cursors(opened)
        # Written anew, and last, when TFDS prepares the set again.
        self._told = pathlib.Path(found.data_dir) / "dataset_info.json"

    def picture(self, row: int, name: str) -> plan.Bytes:
        """Describes one picture, which is read later.

        Args:
            row: in the order of `rows`.
            name: how reports name it.

        Returns:
            `plan.Bytes`; changed when TFDS has prepared the set again.
        """
        return plan.Bytes(name, lambda: self.read(row), self._told)

    def read(self, row: int) -> bytes:
        """Reads one picture; safe to call from several threads.

        Args:
            row: in the order of `rows`.

        Returns:
            Its bytes as the source's.
        """
        return self._rows.read(row)


class Cursors:
    """Gives entries of a stream by row, where only reading on is cheap.

    Args:
        opened: gives the entries from a row on.
    """

    def __init__(self, opened: Callable[[int], Iterator]):
        self._opened = opened
        self._cursors = collections.OrderedDict()  # by the row that is next
        self._passed = collections.OrderedDict()
        self._lock = threading.Lock()

    def read(self, row: int):
        """Reads an entry.

        Args:
            row: its place.

        Returns:
            The entry.
        """
        with self._lock:
            if row in self._passed:
                return self._passed.pop(row)
            behind = [r for r in self._cursors if r <= row < r + _PASSED // 4]
            start = max(behind, default=row)
            cursor = self._cursors.pop(start, None) or self._opened(start)
            for passed in range(start, row):
                self._passed[passed] = next(cursor)
            answer = next(cursor)
            self._cursors[row + 1] = cursor
            for full, size in (
                (self._cursors, _CURSORS),
                (self._passed, _PASSED),
            ):
                while len(full) > size:
                    full.popitem(last=False)
            return answer


def _package(source: str):
    try:
        import tensorflow_datasets
    except ImportError:
        raise ValueError(
            f"{source} needs the package tensorflow-datasets, which is not "
            "installed; install it (pip install tensorflow-datasets), or "
            "give the folder of the unpacked downloads as --source."
        ) from None
    return tensorflow_datasets


def _read(found, split: str, decoders) -> Iterator[dict]:
    tfds = _package(found.name)
    config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    read = found.as_dataset(
        split=split,
        decoders=decoders,
        read_config=config,
        shuffle_files=False,
    )
    return iter(tfds.as_numpy(read))
