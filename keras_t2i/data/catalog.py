"""The sets that come with the library: name, parts, counts, licence."""

import dataclasses
from collections.abc import Callable, Mapping

from keras_t2i.data import openmoji, shapes, source


@dataclasses.dataclass(frozen=True)
class Entry:
    """Tells what a set is and how it is opened.

    Attributes:
        about: one line.
        counts: pictures in each part.
        captions_per_picture: K.
        licence: of pictures and captions.
        load: (split or None, image_size) -> `source.Pictures`.
    """

    about: str
    counts: Mapping[str, int]
    captions_per_picture: int
    licence: str
    load: Callable[[str | None, int], source.Pictures]


def _shapes(split: str | None, image_size: int) -> source.Pictures:
    if split == "test":
        pictures = shapes.load(_SHAPES["test"], image_size, seed=1)
    else:
        pictures = shapes.load(_SHAPES["train"], image_size, seed=0)
    name = "shapes" if split is None else f"shapes/{split}"
    return dataclasses.replace(pictures, name=name)


_SHAPES = {"train": 512, "test": 128}

CATALOG = {
    "openmoji": Entry(
        about="drawn icons, named and tagged by people; inside the package",
        counts={"train": 1837, "test": 186},
        captions_per_picture=5,
        licence="CC BY-SA 4.0, OpenMoji project (https://openmoji.org)",
        load=openmoji.load,
    ),
    "shapes": Entry(
        about="coloured shapes, drawn when asked for; for tests",
        counts=_SHAPES,
        captions_per_picture=5,
        licence="none needed: computed",
        load=_shapes,
    ),
}


def load(
    name: str, split: str | None = None, image_size: int = 64
) -> source.Pictures:
    """Opens a set of the catalog.

    Args:
        name: one of `CATALOG`.
        split: "train", "test", or None for all there is.
        image_size: pixels a side.

    Returns:
        `Pictures`.

    Raises:
        ValueError: if set or part is unknown, or the size cannot be had.
    """
    if name not in CATALOG:
        raise ValueError(
            f"No set is called {name!r}; known are {', '.join(CATALOG)}."
        )
    if split is not None and split not in CATALOG[name].counts:
        raise ValueError(
            f"Set {name!r} has no part {split!r}; it has "
            f"{', '.join(CATALOG[name].counts)}."
        )
    return CATALOG[name].load(split, image_size)
