"""Says where each record of a set lies, and what it tells but its picture."""

import dataclasses
import io
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_t2i.data import texts
from keras_t2i.ops import files


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """Lists N records of one or several files.

    With it any record is read by itself, so that a set of any size is put in
    one order over all its records and opened in a moment.

    Attributes:
        shard: (N,) int32, the number of the file.
        offset: (N,) int64, where the record's content begins in it.
        length: (N,) int64, bytes of the content.
        label: (N,) int32, main class, or -1.
        captions: `texts.Texts` of (N, K).
        own: (N,) int32, how many of the K captions are a picture's own; those
            after them are the same once more, in turn.
        keys: `texts.Texts` of (N,).
        classes: (C,) int32, all classes of all records after each other in
            sets with several classes a picture; empty in others.
        class_ends: (N,) int64, where each record's end in `classes`.
    """

    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    label: np.ndarray
    captions: texts.Texts
    own: np.ndarray
    keys: texts.Texts
    classes: np.ndarray
    class_ends: np.ndarray

    def __len__(self):
        return len(self.offset)

    def save(self, path: str | os.PathLike) -> None:
        """Writes it into one file, whole or not at all.

        Args:
            path: the file, .npz.

        Raises:
            OSError: if it cannot be written.
        """
        content = io.BytesIO()
        plain = {part: getattr(self, part) for part in _ARRAYS}
        for part in _TEXTS:
            table = getattr(self, part)
            plain[f"{part}_blob"] = table.blob
            plain[f"{part}_ends"] = table.ends
            plain[f"{part}_shape"] = np.array(table.shape, np.int64)
        np.savez(content, **plain)
        files.atomic_write(path, content.getvalue())


_ARRAYS = ("shard", "offset", "length", "label", "classes", "class_ends", "own")
_TEXTS = ("captions", "keys")


def load(path: str | os.PathLike) -> Index:
    """Reads an index.

    Args:
        path: the file that `Index.save` wrote.

    Returns:
        `Index`. Where it is not said how many captions are a picture's own,
        all are.

    Raises:
        ValueError: if it is missing, damaged or of another kind.
    """
    if not pathlib.Path(path).is_file():
        raise ValueError(f"There is no index {path}; prepare the set again.")
    try:
        with np.load(path, allow_pickle=False) as stored:
            plain = {part: stored[part] for part in _ARRAYS if part in stored}
            tables = {
                part: texts.Texts(
                    stored[f"{part}_blob"],
                    stored[f"{part}_ends"],
                    stored[f"{part}_shape"],
                )
                for part in _TEXTS
            }
            most = tables["captions"].shape[1]
            if "own" not in plain:
                plain["own"] = np.full(len(plain["label"]), most, np.int32)
            listed = Index(**plain, **tables)
    except Exception as error:  # NumPy meets bad bytes with errors of any kind.
        raise ValueError(
            f"The index {path} is damaged or none; prepare the set again."
        ) from error
    count, own = len(plain["offset"]), plain["own"]
    lengths = [len(plain[part]) for part in _ARRAYS if part != "classes"]
    lengths += [len(table) for table in tables.values()]
    if set(lengths) != {count} or np.any((own < 1) | (own > most)):
        raise ValueError(
            f"The index {path} does not fit together; prepare the set again."
        )
    return listed


def join(parts: Sequence[Index]) -> Index:
    """Puts the indices of several files after each other.

    Args:
        parts: indices of one or several files each, one or more.

    Returns:
        `Index`; the files of each part are counted after those before it.
    """
    return Index(
        shard=np.concatenate(
            _after([part.shard for part in parts], lambda x: x.max() + 1)
        ),
        class_ends=np.concatenate(
            _after([part.class_ends for part in parts], lambda x: x[-1])
        ),
        **{
            part: np.concatenate([getattr(each, part) for each in parts])
            for part in ("offset", "length", "label", "classes", "own")
        },
        **{
            part: texts.Texts.join([getattr(each, part) for each in parts])
            for part in _TEXTS
        },
    )


def _after(parts, length):
    """Moves each part's numbers behind those of the part before."""
    before, moved = 0, []
    for part in parts:
        moved.append((part + before).astype(part.dtype))
        before += length(part) if len(part) else 0
    return moved
