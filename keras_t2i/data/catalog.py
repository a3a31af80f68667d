"""The sets that come with the library, and the way to your own."""

import dataclasses
import os
from collections.abc import Callable, Mapping

from keras_t2i.data import fashion_mnist, openmoji, prepared, shapes, source


@dataclasses.dataclass(frozen=True)
class Entry:
    """Tells what a set is and how it is opened.

    Attributes:
        about: one line.
        counts: pictures in each part.
        captions_per_picture: K.
        licence: of pictures and captions.
        load: (split or None, image_size) -> `source.Pictures`; with `path`,
            too, if `takes_path`.
        takes_path: whether its files lie where the user says.
        labels: kinds of classes that may be asked for, the usual one first.
    """

    about: str
    counts: Mapping[str, int]
    captions_per_picture: int
    licence: str
    load: Callable[..., source.Pictures]
    takes_path: bool = False
    labels: tuple[str, ...] = ()


def _shapes(split: str | None, image_size: int) -> source.Pictures:
    if split == "test":
        pictures = shapes.load(_SHAPES["test"], image_size, seed=1)
    else:
        pictures = shapes.load(_SHAPES["train"], image_size, seed=0)
    name = "shapes" if split is None else f"shapes/{split}"
    return dataclasses.replace(pictures, name=name)


_SHAPES = {"train": 512, "test": 128}

CATALOG = {
    "fashion_mnist": Entry(
        about="grey pictures of clothes, 28 px; in files of Debian's package",
        counts={"train": 60_000, "test": 10_000},
        captions_per_picture=1,
        licence="MIT, Zalando SE",
        load=fashion_mnist.load,
        takes_path=True,
    ),
    "openmoji": Entry(
        about="drawn icons, named and tagged by people; inside the package",
        counts={"train": 1837, "test": 186},
        captions_per_picture=5,
        licence="CC BY-SA 4.0, OpenMoji project (https://openmoji.org)",
        load=openmoji.load,
        labels=("group", "subgroup"),
    ),
    "shapes": Entry(
        about="coloured shapes, drawn when asked for; for tests",
        counts=_SHAPES,
        captions_per_picture=5,
        licence="none needed: computed",
        load=_shapes,
    ),
}

RECORDS = "records"  # the name of sets that lie in files
NAMES = (*CATALOG, RECORDS)


def load(
    name: str,
    split: str | None = None,
    image_size: int = 64,
    path: str | os.PathLike | None = None,
    labels: str | None = None,
) -> source.Pictures:
    """Opens a set of the catalog, or one that lies in files.

    Args:
        name: one of `NAMES`.
        split: "train", "test", or None for all there is.
        image_size: pixels a side.
        path: for "records", a folder that one of tools/prepare_*.py made,
            whose parts are those that it has; for "fashion_mnist", as in
            `fashion_mnist.load`.
        labels: which kind of classes, where a set has several; None for the
            usual one.

    Returns:
        `Pictures`.

    Raises:
        ValueError: if set, part or kind of classes is unknown, the size
            cannot be had, or the path is missing, of no use or not usable.
    """
    if name not in NAMES:
        raise ValueError(
            f"No set is called {name!r}; known are {', '.join(NAMES)}."
        )
    known = CATALOG[name].labels if name != RECORDS else ()
    if labels is not None and labels not in known:
        raise ValueError(
            f"Set {name!r} has no classes of kind {labels!r}; it has "
            f"{', '.join(known) or 'one kind only: leave labels empty'}."
        )
    if name == RECORDS:
        if path is None:
            raise ValueError(
                f"Set {RECORDS!r} needs a path: the folder that one of "
                "tools/prepare_*.py made."
            )
        return prepared.load(path, split)
    entry = CATALOG[name]
    if path is not None and not entry.takes_path:
        raise ValueError(
            f"Set {name!r} takes no path, and {path} came; sets in files are "
            f"called {RECORDS!r}."
        )
    if split is not None and split not in entry.counts:
        raise ValueError(
            f"Set {name!r} has no part {split!r}; it has "
            f"{', '.join(entry.counts)}."
        )
    if entry.takes_path:
        return entry.load(split, image_size, path)
    if labels is not None:
        return entry.load(split, image_size, labels=labels)
    return entry.load(split, image_size)
