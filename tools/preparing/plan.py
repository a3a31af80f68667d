"""What a tool found in somebody's download, before a picture is opened."""

import dataclasses
import os
from collections.abc import Callable

SPLITS = ("train", "val", "test")


class Refused(ValueError):
    """One file is left out; `str(error)` says why in a short phrase.

    Args:
        reason: such as "a JPEG that is cut off".
        file: the file, where the caller would not know it.
    """

    def __init__(self, reason: str, file: object = None):
        super().__init__(reason)
        self.file = file


@dataclasses.dataclass(frozen=True)
class Bytes:
    """A picture that lies in no file of its own, but in an archive or array.

    Attributes:
        name: how reports name it.
        read: gives its encoded bytes; called from several threads.
        source: the file that it comes from, if it is one: when its size or
            time changes, the set is another.
    """

    name: str
    read: Callable[[], bytes]
    source: os.PathLike | None = None

    def read_bytes(self) -> bytes:
        """Reads the picture.

        Returns:
            Its encoded bytes.
        """
        return self.read()

    def __str__(self) -> str:
        return self.name


@dataclasses.dataclass(frozen=True)
class Item:
    """One picture of a set, with what is known of it.

    Attributes:
        key: unique in the set, such as the path without its ending.
        picture: anything with `read_bytes()` and a `str()` that names it: a
            `pathlib.Path`, or `Bytes`.
        captions: as in the source, any number of them.
        split: "train", "val" or "test".
        label: its (main) class, or -1.
        labels: all its classes; only in multi-label sets.
        box: left, top, right, bottom in pixels of the upright source, to be
            cut out; or None.
    """

    key: str
    picture: object
    captions: tuple[str, ...]
    split: str
    label: int = -1
    labels: tuple[int, ...] = ()
    box: tuple[int, int, int, int] | None = None


@dataclasses.dataclass
class Plan:
    """A whole set.

    Attributes:
        name: of the set, such as "cub".
        about: one line: what it is, whose, under which licence.
        items: its pictures.
        class_names: by label.
        refused: (file, reason) of what was left out while planning.
        known: counts that the set is known to have, by pictures, captions,
            classes, train, val, test, captions_per_picture; compared with
            what is found.
        notes: sentences for the summary.
        vocabulary: words in an order that the source gives.
        captions_per_picture: K of the source; None is the most of any.
        multi_label: whether pictures have `labels`.
        config: further flags of the printed recipes.train command.
    """

    name: str
    about: str
    items: list[Item]
    class_names: tuple[str, ...] = ()
    refused: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    known: dict[str, int] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    vocabulary: list[str] | None = None
    captions_per_picture: int | None = None
    multi_label: bool = False
    config: tuple[str, ...] = ()
