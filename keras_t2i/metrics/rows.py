"""Checks tables of features before anything is measured on them."""

import os

import numpy as np

_KEPT = ("mu", "sigma", "n", "feats")


def checked(name: str, values, least: int = 1, first: int = 0) -> np.ndarray:
    """Refuses what is no table of finite numbers.

    Args:
        name: what the table is called in a complaint.
        values: (N, C) numbers.
        least: how many rows there must be.
        first: what the first row is called, of a table that came in parts.

    Returns:
        The table, in its own type if that is one of floats, else float64.

    Raises:
        ValueError: if the shape does not fit, there are fewer rows, or a
            value is not finite; the first such row is named.
    """
    values = np.asarray(values)
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    if values.ndim != 2 or len(values) < least:
        raise ValueError(
            f"{name} must have shape (rows, features) with at least {least} "
            f"rows; this has shape {values.shape}."
        )
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        row = first + int(np.argmin(finite))
        raise ValueError(f"{name} must be finite; row {row} is not.")
    return values


def pair(real, fake, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Refuses two tables that can't be compared.

    Args:
        real: (N, C) numbers. Features of the reference pictures.
        fake: (M, C) numbers. Features of the pictures in question.
        least: how many rows each must have.

    Returns:
        Both, as `checked` gives them.

    Raises:
        ValueError: if one of them is refused, or they differ in width.
    """
    real = checked("real", real, least)
    fake = checked("fake", fake, least)
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            "real and fake must come from one network; they are "
            f"{real.shape[1]} and {fake.shape[1]} features wide."
        )
    return real, fake


def blocks(most: int, *counts: int) -> list[np.ndarray]:
    """Finds where blocks of rows end when all tables are cut into equally many.

    Args:
        most: rows of a block.
        *counts: rows of each table.

    Returns:
        For each table, (B + 1,) int64, the bounds of its blocks from 0 on. No
        block has more than `most` rows; where rows don't part evenly, the
        later blocks have one more.

    Raises:
        ValueError: if a block would have fewer than two rows.

    Source:
        TF-GAN's `kernel_classifier_distance_and_std_from_activations`.
    """
    number = -(-max(counts) // most)
    if min(counts) < 2 * number:
        raise ValueError(
            f"{max(counts):,} rows make {number} blocks of {most:,} at most, "
            f"which need two rows each of either side; one has {min(counts):,}."
        )
    bounds = []
    for count in counts:
        sizes = np.full(number, count // number)
        sizes[number - count % number :] += 1
        bounds.append(np.concatenate([[0], np.cumsum(sizes)]))
    return bounds


def stored(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads what is kept of features in a file, of this library or of others.

    Args:
        path: an .npz.

    Returns:
        Those of `mu`, `sigma`, `n` and `feats` that it holds.

    Raises:
        OSError: if it can't be opened.
        ValueError: if it is damaged, or one of them holds no numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in _KEPT if name in file.files}
    except OSError:
        raise
    except Exception as error:  # a damaged archive may raise anything at all
        raise ValueError(
            f"{path} is not an .npz of plain arrays, or it is damaged."
        ) from error
    for name, array in found.items():
        if array.dtype.kind not in "fiu" or (name == "n" and array.ndim):
            raise ValueError(
                f"{name} of {path} is of another kind than looked for: it has "
                f"shape {array.shape} and type {array.dtype}."
            )
    return found
