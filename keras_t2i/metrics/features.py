"""Runs pictures through a frozen network once and keeps what it says."""

import dataclasses
import io
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from keras_t2i.ops import files, images

#: What is kept of a network's answer, unless said: one vector a picture,
#: never maps.
KEPT = ("pooled", "logits")


@dataclasses.dataclass(frozen=True)
class Later:
    """A batch that is only made if its vectors are not kept already.

    Attributes:
        count: how many pictures it has.
        key: names all that its pictures depend on.
        make: callable, no arguments -> (count, H, W, 3) pictures.
    """

    count: int
    key: str
    make: Callable


def extract(
    batches: Iterable,
    extractor: Callable,
    cache: str | os.PathLike | None = None,
    kept: Sequence[str] = KEPT,
) -> dict[str, np.ndarray]:
    """Streams pictures through a network and gathers its vectors.

    One batch of pictures is held at a time. With a cache, each batch's
    vectors are kept in a file named after its pixels and the network, so a
    second run asks the network nothing and a broken one continues.

    Args:
        batches: yields (B, H, W, 3) uint8 or float32 in [-1, 1], or
            (B, H, W, 1) for grey, which is shown in three equal colours; or
            `Later`, which with a cache is known by its key. Read once.
        extractor: callable on (B, H, W, 3) float32 in [-1, 1]; answers a dict
            that holds the names in `kept`, each (B, C). For a cache it
            must have an attribute `digest`, a string that names its weights.
        cache: folder of the vectors; None keeps none. A damaged file in it is
            made anew.
        kept: names of what is gathered.

    Returns:
        name -> (N, C) float32, rows in the order of the pictures.

    Raises:
        ValueError: if there are no pictures, if they are of another kind, if
            an answer is not finite, or if a cache is asked for and the
            extractor has no `digest`.
        KeyError: if the extractor's answer lacks a name in `kept`.
    """
    if cache is not None and not getattr(extractor, "digest", None):
        raise ValueError(
            "Features can be cached only for an extractor with a `digest` "
            "that names its weights; this one has none."
        )
    parts, seen = [], 0
    for batch in batches:
        parts.append(_one_batch(batch, extractor, cache, kept))
        _check_finite(parts[-1], seen)
        seen += len(parts[-1][kept[0]])
    if not parts:
        raise ValueError("Features of no pictures were asked for.")
    return {
        name: np.concatenate([part[name] for part in parts]) for name in kept
    }


def in_batches(pictures: np.ndarray, size: int = 32) -> Iterator[np.ndarray]:
    """Cuts a table of pictures into batches; the last may be smaller.

    Args:
        pictures: (N, H, W, 3) uint8.
        size: int > 0. Pictures a batch.

    Yields:
        (B, H, W, 3) uint8 with B at most `size`.
    """
    for start in range(0, len(pictures), size):
        yield pictures[start : start + size]


def _one_batch(batch, extractor, cache, kept) -> dict[str, np.ndarray]:
    is_later = isinstance(batch, Later)
    count = batch.count if is_later else len(batch)
    if not is_later:
        batch = _checked(batch)
    if cache is None:
        return _ask(_made(batch), extractor, kept)
    name = files.digest(extractor.digest, batch.key if is_later else batch)
    path = pathlib.Path(cache) / f"features_{name}.npz"
    found = _read(path, count, kept)
    if found is None:
        found = _ask(_made(batch), extractor, kept)
        content = io.BytesIO()
        np.savez(content, **found)
        files.atomic_write(path, content.getvalue())
    return found


def _made(batch):
    return _checked(batch.make()) if isinstance(batch, Later) else batch


def _checked(batch):
    batch = np.asarray(batch)
    if (
        batch.dtype not in (np.uint8, np.float32)
        or batch.ndim != 4
        or batch.shape[-1] not in (1, 3)
    ):
        raise ValueError(
            "Pictures must be (B, H, W, 3) or (B, H, W, 1), uint8 or float32; "
            f"these are {batch.shape} {batch.dtype}."
        )
    if batch.dtype == np.float32 and np.abs(batch).max(initial=0.0) > 1.001:
        raise ValueError(
            "Pictures of floats must lie in [-1, 1]; these go from "
            f"{batch.min():g} to {batch.max():g}."
        )
    return batch


def _check_finite(found, seen):
    for name, table in found.items():
        fine = np.isfinite(table).all(axis=1)
        if not fine.all():
            raise ValueError(
                f"The network's {name} of picture {seen + int(fine.argmin())} "
                "are not finite; no figure can be made of them."
            )


def _ask(batch, extractor, kept) -> dict[str, np.ndarray]:
    shown = images.in_colour(batch)
    if shown.dtype == np.uint8:
        shown = images.to_float(shown)
    answer = extractor(shown)
    lacking = sorted(set(kept) - set(answer))
    if lacking:
        raise KeyError(
            f"The extractor's answer lacks {', '.join(lacking)}; it holds "
            f"{', '.join(sorted(answer))}."
        )
    return {name: np.asarray(answer[name], np.float32) for name in kept}


def _read(path: pathlib.Path, count: int, kept) -> dict | None:
    """Reads kept vectors; None if there are none or they are damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in kept}
    except Exception:  # a damaged archive may raise anything at all
        return None
    fits = all(
        table.dtype == np.float32 and table.ndim == 2 and len(table) == count
        for table in found.values()
    )
    return found if fits else None
