"""Holds a table of strings in few bytes, for sets of any size."""

from collections.abc import Sequence

import numpy as np


class Texts:
    """A table of strings that lies in two plain arrays.

    NumPy gives every string of an array the room of the longest, four bytes a
    letter: 50,000 pictures with five captions fill 200 MB. Here they fill the
    15 MB that they have in UTF-8. Indexing answers like an array of strings.

    Args:
        blob: (bytes,) uint8, all strings after each other in UTF-8.
        ends: (n,) int64, where each string ends in it.
        shape: n's axes, such as (N, K).

    Raises:
        ValueError: if the three don't belong together.
    """

    dtype = np.dtype(np.str_)

    def __init__(self, blob, ends, shape):
        count = int(np.prod(shape))
        whole = len(ends) == count and (not count or ends[-1] == len(blob))
        if not whole or np.any(np.diff(ends) < 0):
            raise ValueError(
                f"{len(ends)} strings in {len(blob)} bytes do not fill a table "
                f"of {tuple(shape)}."
            )
        self.blob = np.asarray(blob, np.uint8)
        self.ends = np.asarray(ends, np.int64)
        self.shape = tuple(int(length) for length in shape)

    @classmethod
    def of(cls, rows: Sequence) -> "Texts":
        """Packs strings.

        Args:
            rows: strings, or rows of as many strings each; arrays too.

        Returns:
            `Texts` of (N,) or (N, K).
        """
        rows = list(rows)
        shape = (len(rows),)
        if rows and not isinstance(rows[0], str):
            shape = (len(rows), len(rows[0]))
            rows = [text for row in rows for text in row]
        words = [str(text).encode() for text in rows]
        ends = np.cumsum([len(word) for word in words], dtype=np.int64)
        return cls(np.frombuffer(b"".join(words), np.uint8), ends, shape)

    @property
    def ndim(self) -> int:
        """How many axes the table has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many strings there are."""
        return len(self.ends)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        places = self._places(index)
        found = [text.decode() for text in self.encoded(places)]
        if np.ndim(places) == 0:
            return found[0]
        return np.array(found, np.str_).reshape(np.shape(places))

    def __iter__(self):
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[...], dtype)

    def tolist(self) -> list:
        """Unpacks all strings.

        Returns:
            Lists as deep as the table has axes.
        """
        return self[...].tolist()

    def encoded(self, places) -> list[bytes]:
        """Takes strings by their number in the whole table.

        Args:
            places: integers of any shape; with K strings a row, string k of
                row n is number n * K + k.

        Returns:
            Their UTF-8 bytes, in a flat list.
        """
        places = np.ravel(places)
        ends = self.ends[places]
        starts = np.where(places > 0, self.ends[places - 1], 0)
        return [
            self.blob[start:end].tobytes()
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]

    def rows(self, rows) -> "Texts":
        """Takes some of the rows, packed again.

        Args:
            rows: (M,) integers, or (N,) bool.

        Returns:
            `Texts` of M rows.
        """
        places = np.arange(self.size).reshape(self.shape)[rows]
        words = self.encoded(places)
        ends = np.cumsum([len(word) for word in words], dtype=np.int64)
        blob = np.frombuffer(b"".join(words), np.uint8)
        return Texts(blob, ends, places.shape)

    def _places(self, index):
        """Numbers of the strings in the whole table, as an array of them."""
        parts = index if isinstance(index, tuple) else (index,)
        first, *rest = parts or (Ellipsis,)
        if not isinstance(first, (int, np.integer)) or isinstance(first, bool):
            return np.arange(self.size).reshape(self.shape)[index]
        # Of one row: those of the others are not made.
        row = range(len(self))[first]
        each = self.size // len(self)
        own = np.arange(row * each, (row + 1) * each)
        return own.reshape(self.shape[1:])[tuple(rest)]

    @staticmethod
    def join(parts: Sequence["Texts"]) -> "Texts":
        """Puts tables below each other.

        Args:
            parts: one or more, alike but for the number of rows.

        Returns:
            `Texts`.
        """
        sizes = np.cumsum([0, *(len(part.blob) for part in parts)])
        ends = [
            part.ends + before
            for part, before in zip(parts, sizes[:-1], strict=True)
        ]
        rows = sum(len(part) for part in parts)
        return Texts(
            np.concatenate([part.blob for part in parts]),
            np.concatenate(ends),
            (rows, *parts[0].shape[1:]),
        )
