"""Reads the HDF5 files of CUB and of the flowers that aelnouby's code takes.

    train/NAME_0/{name, img, embeddings, class, txt} and so on in valid/, test/

The rows NAME_0, NAME_1, ... are captions of one picture, drawn with
repetition; a caption that comes again is dropped. No link of the file is
followed: what it shows lies in the file itself.
"""

import os
import pathlib
import re

from tools.preparing import places, plan

ENDINGS = (".hdf5", ".h5")
#: Groups of the file and their splits.
GROUPS = {"train": "train", "valid": "val", "val": "val", "test": "test"}


def items(
    path: pathlib.Path, keeps_val: bool, refused: list[tuple[str, str]]
) -> tuple[list[plan.Item], tuple[str, ...]]:
    """Lists the pictures of a file; their bytes are read later.

    Args:
        path: the file.
        keeps_val: whether the pictures of "valid" are a split of their own;
            else they belong to train.
        refused: takes (row, reason) of unusable ones.

    Returns:
        The items, and the names of the classes by their number.

    Raises:
        ValueError: if it is no such file.
    """
    file = _File(path)
    found = []
    for group, split in GROUPS.items():
        split = "train" if split == "val" and not keeps_val else split
        for name, rows in file.pictures(group, refused).items():
            found.append((split, name, rows))
    if not found:
        raise ValueError(
            f"{path} has no rows in the groups train, valid or test."
        )
    kept = []
    for split, name, rows in found:
        try:
            kept.append((split, name, *file.told(rows), rows[0]))
        except plan.Refused as error:
            refused.append((f"{path.name}:{rows[0]}", str(error)))
    classes = sorted({row[2] for row in kept})
    numbers = {name: number for number, name in enumerate(classes)}
    return [
        plan.Item(
            key=f"{owner}/{name}",
            picture=file.picture(row),
            captions=captions,
            split=split,
            label=numbers[owner],
        )
        for split, name, owner, captions, row in kept
    ], tuple(classes)


class _File:
    """An open file, which stays open as long as its pictures are wanted."""

    def __init__(self, path):
        import h5py

        self._h5py, self._path = h5py, path
        try:
            self._file = h5py.File(path, "r")
            self._size = os.path.getsize(path)
        except OSError as error:
            raise ValueError(
                f"{path} can't be read as HDF5: {str(error)[:200]}."
            ) from None

    def pictures(self, group, refused):
        """Groups the rows NAME_k of a split by NAME."""
        if group not in self._file:
            return {}
        try:
            rows = list(self._own(self._file, group, self._h5py.Group))
        except plan.Refused as error:
            refused.append((f"{self._path.name}:{group}", str(error)))
            return {}
        found = {}
        for row in rows:
            match = re.fullmatch(r"(.+)_([0-9]{1,9})", row, re.DOTALL)
            if not match:
                place = f"{self._path.name}:{group}/{row}"
                refused.append((place, "a row that is not named NAME_0"))
                continue
            rank = int(match[2]), row
            found.setdefault(match[1], []).append((rank, f"{group}/{row}"))
        return {
            name: [row for _, row in sorted(ranked)]
            for name, ranked in found.items()
        }

    def told(self, rows):
        """Reads a picture's class and its captions."""
        owner, captions = None, []
        for row in rows:
            group = self._row(row)
            captions.append(self._text(group, "txt").strip())
            if owner is None:
                owner = self._text(group, "class").strip()
                self._image(group)
        return owner, tuple(dict.fromkeys(captions))

    def picture(self, row):
        """Describes a picture without reading it."""

        def read():
            data = self._image(self._row(row))[()]
            return data.tobytes()

        return plan.Bytes(f"{self._path.name}:{row}", read, self._path)

    def _row(self, row):
        group, _, name = row.partition("/")
        parent = self._own(self._file, group, self._h5py.Group)
        return self._own(parent, name, self._h5py.Group)

    def _own(self, group, name, kind):
        """Opens what lies in a group itself, not elsewhere."""
        link = group.get(name, getlink=True)
        if link is None:
            raise plan.Refused(f"a row without {name!r}")
        if not isinstance(link, self._h5py.HardLink):
            raise plan.Refused(f"{name!r} is a link, which is not followed")
        found = group[name]
        if not isinstance(found, kind):
            raise plan.Refused(f"{name!r} is of another kind")
        return found

    def _values(self, group, name):
        found = self._own(group, name, self._h5py.Dataset)
        if found.is_virtual or found.external:
            raise plan.Refused(
                f"{name!r} lies in another file, which is not followed"
            )
        if found.size is None or found.nbytes > self._size:
            raise plan.Refused(f"{name!r} is larger than the file, or empty")
        return found

    def _text(self, group, name):
        found = self._values(group, name)
        if found.shape != () or found.dtype.kind not in "OS":
            raise plan.Refused(f"{name!r} is no text")
        value = found[()]
        if isinstance(value, str):
            return value
        if not isinstance(value, bytes):
            raise plan.Refused(f"{name!r} is no text")
        return places.decoded(value)

    def _image(self, group):
        found = self._values(group, "img")
        is_row = len(found.shape) == 1 and found.dtype == "uint8"
        if not is_row and (found.shape != () or found.dtype.kind != "V"):
            raise plan.Refused("'img' is not a file's bytes")
        return found
