"""The glossary: what a batch holds under each key, said once and in code.

Axes: B batch, H W pixels, D colours (3, or 1 for grey), T words, K captions,
C features, L classes, Z noise.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Entry:
    """Says what stands under one key.

    Attributes:
        axes: a letter each.
        dtype: TensorFlow type.
        meaning: one line for readers.
    """

    axes: tuple[str, ...]
    dtype: tf.DType
    meaning: str


_PICTURE = ("B", "H", "W", "D")

# What captions give, and whose they are.
_TOLD = {
    "sentence": Entry(("B", "C"), tf.float32, "mean vector of"),
    "words": Entry(("B", "T", "C"), tf.float32, "vectors of the words of"),
    "mask": Entry(("B", "T"), tf.bool, "True at a real word of"),
    "caption": Entry(
        ("B", "T"), tf.int32, "ids, 0 is padding, of the words of"
    ),
    "text": Entry(("B",), tf.string, "UTF-8 of"),
}
_WHOSE = {
    "": "the chosen captions",
    "twin_": "other captions of the picture",
    "wrong_": "another picture's captions, which may be true by chance",
    "partner_": "the partner's captions",
}

GLOSSARY = {
    "image": Entry(_PICTURE, tf.float32, "the picture, in [-1, 1]"),
    "wrong_image": Entry(
        _PICTURE,
        tf.float32,
        "another picture, which the captions may tell by chance only",
    ),
    "partner_image": Entry(
        _PICTURE, tf.float32, "another picture of the same class"
    ),
    **{
        f"{prefix}{key}": dataclasses.replace(
            entry, meaning=f"{entry.meaning} {whose}"
        )
        for prefix, whose in _WHOSE.items()
        for key, entry in _TOLD.items()
    },
    "noise": Entry(("B", "Z"), tf.float32, "standard normal"),
    "label": Entry(("B",), tf.int32, "(main) class, or -1"),
    "partner_label": Entry(("B",), tf.int32, "(main) class of the partner"),
    "labels": Entry(
        ("B", "L"), tf.float32, "1 at each class of the picture, else 0"
    ),
    "partner_labels": Entry(
        ("B", "L"), tf.float32, "1 at each class of the partner, else 0"
    ),
    "shared_label": Entry(
        ("B",), tf.int32, "the class that the partner was chosen by, or -1"
    ),
    "key": Entry(("B",), tf.string, "the picture's name"),
    "partner_key": Entry(("B",), tf.string, "the partner's name"),
}

_SMALLER = re.compile(r"((?:wrong_|partner_)?image)_(\d+)")


def entry(key: str) -> Entry | None:
    """Looks a key up; `image_64` is `image` scaled down to 64 x 64.

    Args:
        key: of a batch.

    Returns:
        `Entry`, or None for an unknown key.
    """
    smaller = _SMALLER.fullmatch(key)
    if smaller is None:
        return GLOSSARY.get(key)
    whole, size = GLOSSARY[smaller[1]], smaller[2]
    return Entry(
        ("B", size, size, "D"),
        whole.dtype,
        f"{whole.meaning}, {size} x {size}",
    )


def element_spec(
    *,
    batch_size: int,
    image_size: int,
    channels: int = 3,
    text_dim: int | None = None,
    mismatch: str | None = None,
    twins: bool = False,
    partners: str | None = None,
    sizes: Sequence[int] = (),
    max_words: int | None = None,
    words: str = "ids",
    classes: int | None = None,
) -> dict[str, tf.TensorSpec]:
    """Describes the batches that `pipeline.batches` yields.

    Args:
        batch_size: B.
        image_size: H and W.
        channels: D.
        text_dim: C, or None where no caption vectors are given.
        mismatch: None, "text" or "image".
        twins: whether a second choice of captions is asked for.
        partners: None, "label" or "labels".
        sizes: what pictures are also scaled down to.
        max_words: T, or None where words are not told one by one.
        words: how they are told: "ids" or "vectors".
        classes: L, in sets with several classes a picture; else None.

    Returns:
        `tf.TensorSpec` by key.
    """
    partner = ["partner_"] * (partners is not None)
    told = ["text"]
    if text_dim is not None:
        told.append("sentence")
    if max_words is not None:
        told += ["mask", "caption" if words == "ids" else "words"]
    shown = ["", *partner, *["wrong_"] * (mismatch == "image")]
    images = ["image", *(f"image_{size}" for size in sizes)]
    named = ["label", "key", *["labels"] * (classes is not None)]
    telling = ["", *partner, *["twin_"] * twins]
    telling += ["wrong_"] * (mismatch == "text")
    keys = [before + key for before in shown for key in images]
    keys += [before + key for before in ["", *partner] for key in named]
    keys += [before + key for before in telling for key in told]
    keys += ["shared_label"] * (partners == "labels")
    lengths = {
        "B": batch_size,
        "H": image_size,
        "W": image_size,
        "D": channels,
        "C": text_dim,
        "T": max_words,
        "L": classes,
    }
    return {key: _spec(entry(key), lengths) for key in sorted(keys)}


def check(batch: Mapping[str, tf.Tensor]) -> None:
    """Refuses a batch that does not follow the glossary.

    Args:
        batch: tensors by key.

    Raises:
        ValueError: if a key is unknown, a tensor has another type or rank
            than the glossary says, or lengths of one axis differ.
    """
    lengths = {}
    for key, value in batch.items():
        told = entry(key)
        if told is None:
            raise ValueError(
                f"A batch has no key {key!r}; known are {', '.join(GLOSSARY)}."
            )
        if value.dtype != told.dtype or len(value.shape) != len(told.axes):
            raise ValueError(
                f"Batch key {key!r} must be {_worded(told)}; it is "
                f"{tf.as_dtype(value.dtype).name} of shape "
                f"{tuple(value.shape)}."
            )
        for axis, length in zip(told.axes, value.shape, strict=True):
            if axis == "D" and length not in (1, 3, None):
                raise ValueError(
                    f"Batch key {key!r} has {length} along axis D; pictures "
                    "have 3 colours, or 1 for grey."
                )
            given = (int(axis), "its name") if axis.isdigit() else None
            known, whose = given or lengths.setdefault(
                axis, (length, repr(key))
            )
            if None not in (length, known) and length != known:
                raise ValueError(
                    f"Batch key {key!r} has {length} along axis {axis}; "
                    f"{whose} has {known}."
                )


def _spec(told: Entry, lengths: Mapping) -> tf.TensorSpec:
    shape = [
        int(axis) if axis.isdigit() else lengths[axis] for axis in told.axes
    ]
    return tf.TensorSpec(shape, told.dtype)


def _worded(told: Entry) -> str:
    return f"{told.dtype.name} ({', '.join(told.axes)})"
