"""OpenMoji: 2,000 drawn icons with five captions each, inside the package.

Names and tags were written by people; the frames of the sentences are ours,
and the colours in them were measured. `tools/prepare_openmoji.py` made it and
makes it again at any size. Pictures and captions are licensed CC BY-SA 4.0;
see openmoji/LICENSE.txt beside this file.
"""

import functools
import json
import os
import pathlib

import numpy as np

from keras_t2i.data import source

SPLITS = ("train", "test")
_PACKAGED = pathlib.Path(__file__).parent / "openmoji" / "openmoji_64.npz"


def load(
    split: str | None = None,
    image_size: int = 64,
    *,
    labels: str = "group",
    path: str | os.PathLike | None = None,
) -> source.Pictures:
    """Opens the set, or its training or test part.

    The parts hold about 90 and 10 of 100 pictures. Variants of one icon (skin,
    gender, direction, near-identical drawings) always lie in the same part.

    Args:
        split: "train", "test", or None for all.
        image_size: pixels a side: the stored size or a whole fraction of it.
        labels: "group" (10 classes) or "subgroup" (113).
        path: a file made by tools/prepare_openmoji.py --npz; the packaged one
            of 64 px when None.

    Returns:
        `Pictures` with five captions each; keys are OpenMoji's hexcodes.

    Raises:
        ValueError: if an argument is none of the allowed.
    """
    data = arrays(path)
    if split not in (None, *SPLITS):
        raise ValueError(
            f"split is {split!r}; allowed are 'train', 'test' and None."
        )
    if labels not in ("group", "subgroup"):
        raise ValueError(
            f"labels is {labels!r}; allowed are 'group' and 'subgroup'."
        )
    rows = np.ones(len(data["images"]), bool)
    if split:
        rows = data["is_test"] == (split == "test")
    short = "labels" if labels == "group" else "sublabels"
    return source.Pictures(
        images=_shrink(data["images"][rows], image_size),
        captions=data["captions"][rows],
        labels=data[short][rows].astype(np.int32),
        keys=data["hexcodes"][rows],
        class_names=tuple(data[f"{labels}_names"].tolist()),
        name="openmoji" if split is None else f"openmoji/{split}",
    )


def arrays(path: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Reads everything that is known about each icon.

    Args:
        path: as in `load`.

    Returns:
        images (N, H, W, 3) uint8; captions (N, 5) str; labels, sublabels (N,)
        int16 into group_names, subgroup_names; hexcodes, names, tags and
        colours (N,) str (the last two joined by "|"); families (N,) str, equal
        for variants of one icon; is_test (N,) bool.
    """
    return dict(_read(os.fspath(path or _PACKAGED))[0])


def card(path: str | os.PathLike | None = None) -> dict:
    """Tells where the set came from: source, licence, attribution, counts.

    Args:
        path: as in `load`.

    Returns:
        A dictionary of plain values.
    """
    return dict(_read(os.fspath(path or _PACKAGED))[1])


@functools.lru_cache(maxsize=2)
def _read(path: str) -> tuple[dict, dict]:
    with np.load(path, allow_pickle=False) as stored:
        data = {name: stored[name] for name in stored.files}
    meta = json.loads(str(data.pop("meta")))
    for array in data.values():
        array.setflags(write=False)
    return data, meta


def _shrink(images: np.ndarray, image_size: int) -> np.ndarray:
    count, stored = images.shape[:2]
    if image_size < 1 or stored % image_size:
        raise ValueError(
            f"image_size is {image_size}; this OpenMoji file has {stored} px "
            "pictures and gives whole fractions of that. For others run "
            "tools/prepare_openmoji.py --size --npz and name its file."
        )
    if stored == image_size:
        return images
    step = stored // image_size
    cells = images.reshape(count, image_size, step, image_size, step, 3)
    return np.rint(cells.mean((2, 4), dtype=np.float32)).astype(np.uint8)
