"""The glossary: what a batch holds under each key, said once and in code.

Axes: B batch, H W pixels, D colours (3, or 1 for grey), T words, K captions,
C features, Z noise.
"""

import dataclasses
from collections.abc import Mapping

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

GLOSSARY = {
    "image": Entry(_PICTURE, tf.float32, "the picture, in [-1, 1]"),
    "wrong_image": Entry(
        _PICTURE, tf.float32, "another picture, which the captions don't tell"
    ),
    "sentence": Entry(
        ("B", "C"), tf.float32, "mean vector of the chosen captions"
    ),
    "wrong_sentence": Entry(
        ("B", "C"), tf.float32, "mean vector of another picture's captions"
    ),
    "twin_sentence": Entry(
        ("B", "C"), tf.float32, "mean vector of other captions of the picture"
    ),
    "words": Entry(("B", "T", "C"), tf.float32, "vectors of the words"),
    "mask": Entry(("B", "T"), tf.bool, "True at a real word"),
    "caption": Entry(("B", "T"), tf.int32, "token ids, 0 is padding"),
    "text": Entry(("B",), tf.string, "the first chosen caption, UTF-8"),
    "wrong_text": Entry(
        ("B",), tf.string, "the first caption behind wrong_sentence"
    ),
    "twin_text": Entry(
        ("B",), tf.string, "the first caption behind twin_sentence"
    ),
    "noise": Entry(("B", "Z"), tf.float32, "standard normal"),
    "label": Entry(("B",), tf.int32, "class, or -1"),
    "key": Entry(("B",), tf.string, "the picture's name"),
}


def element_spec(
    *,
    batch_size: int,
    image_size: int,
    channels: int = 3,
    text_dim: int | None = None,
    mismatch: str | None = None,
    twins: bool = False,
) -> dict[str, tf.TensorSpec]:
    """Describes the batches that `pipeline.batches` yields.

    Args:
        batch_size: B.
        image_size: H and W.
        channels: D.
        text_dim: C, or None where no caption vectors are given.
        mismatch: None, "text" or "image".
        twins: whether a second choice of captions is asked for.

    Returns:
        `tf.TensorSpec` by key.
    """
    keys = ["image", "text", "label", "key"]
    keys += ["wrong_image"] * (mismatch == "image")
    keys += ["wrong_text"] * (mismatch == "text")
    keys += ["twin_text"] * twins
    if text_dim is not None:
        keys += ["sentence"]
        keys += ["wrong_sentence"] * (mismatch == "text")
        keys += ["twin_sentence"] * twins
    lengths = {
        "B": batch_size,
        "H": image_size,
        "W": image_size,
        "D": channels,
        "C": text_dim,
    }
    return {
        key: tf.TensorSpec(
            [lengths.get(axis, axis) for axis in GLOSSARY[key].axes],
            GLOSSARY[key].dtype,
        )
        for key in sorted(keys)
    }


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
        if key not in GLOSSARY:
            raise ValueError(
                f"A batch has no key {key!r}; known are {', '.join(GLOSSARY)}."
            )
        entry = GLOSSARY[key]
        if value.dtype != entry.dtype or len(value.shape) != len(entry.axes):
            raise ValueError(
                f"Batch key {key!r} must be {_told(entry)}; it is "
                f"{tf.as_dtype(value.dtype).name} of shape "
                f"{tuple(value.shape)}."
            )
        for axis, length in zip(entry.axes, value.shape, strict=True):
            if axis == "D" and length not in (1, 3, None):
                raise ValueError(
                    f"Batch key {key!r} has {length} along axis D; pictures "
                    "have 3 colours, or 1 for grey."
                )
            known, whose = lengths.setdefault(axis, (length, repr(key)))
            if None not in (length, known) and length != known:
                raise ValueError(
                    f"Batch key {key!r} has {length} along axis {axis}; "
                    f"{whose} has {known}."
                )


def _told(entry: Entry) -> str:
    return f"{entry.dtype.name} ({', '.join(map(str, entry.axes))})"
