"""Kernel distance between two clouds of features, without bias."""

import os
from collections.abc import Iterator

import numpy as np

from keras_t2i.metrics import rows, tfgan
from keras_t2i.ops import noise

_ROWS = 2048  # of either side, multiplied at once


def distance(real, fake, *, biased: bool = False) -> float:
    """Measures how far two clouds of features lie apart, over all pairs.

    With features of an Inception network this is called KID; papers often
    give it times 1,000. Pairs are added tile by tile: a table of all of them
    is never made.

    Args:
        real: (N, C) float, N >= 2. Features of the reference pictures.
        fake: (M, C) float, M >= 2. Features of the pictures in question.
        biased: whether a row is paired with itself too, which makes the
            answer too large, the more so the fewer rows; to meet figures that
            were made like that.

    Returns:
        The squared maximum mean discrepancy with kernel (x.y / C + 1)^3, in
        float64; about 0, and now and then below, for two samples of one
        distribution.

    Raises:
        ValueError: if shapes do not fit, there are fewer than two rows, or a
            value is not finite.

    Source:
        Binkowski et al. 2018, section 4, arXiv:1801.01401; Gretton et al.
        2012, JMLR 13, eq. 3 (unbiased) and 5 (biased).
    """
    return _distance(*rows.pair(real, fake), biased)


def over_subsets(
    real,
    fake,
    *,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 0,
    drawn=None,
) -> tuple[float, float]:
    """Averages `distance` over small draws, as published figures are made.

    Args:
        real: (N, C) float. Features of the reference pictures.
        fake: (M, C) float. Features of the pictures in question.
        subsets: how many draws.
        size: rows of either side in a draw, none twice.
        seed: key of the draws.
        drawn: two (S, K) tables of row numbers, of `real` and of `fake`, in
            place of our draws.

    Returns:
        Mean and standard deviation (divided by the number of draws). The
        latter is that of one draw, not of the mean.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or there are
            fewer rows than `size`.

    Source:
        Binkowski et al. 2018, section 4, arXiv:1801.01401, and its code.
        Ours differs: a set smaller than a draw is refused, where other
        code takes smaller draws without a word.
    """
    real, fake = rows.pair(real, fake)
    if drawn is None:
        _check_size(size, len(real), len(fake))
        drawn = [
            [_order(len(side), seed, salt, i)[:size] for i in range(subsets)]
            for salt, side in (("subset of real", real), ("of fake", fake))
        ]
    values = [
        _distance(real[one], fake[two]) for one, two in zip(*drawn, strict=True)
    ]
    return float(np.mean(values)), float(np.std(values))


def over_blocks(
    real, fake, *, seed: int = 0, block: int = tfgan.BLOCK
) -> float:
    """Averages `distance` over blocks of rows: nearly as sure, far less to do.

    Args:
        real: (N, C) float, N >= 2. Features of the reference pictures.
        fake: (M, C) float, M >= 2. Features of the pictures in question.
        seed: key of the order in which rows are dealt into blocks.
        block: the most rows of a block.

    Returns:
        What `tfgan.kid` answers, which deals in the same order.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or a block
            would have fewer than two rows of either side.

    Source:
        Zaremba et al. 2013, arXiv:1307.1954, as TF-GAN's
        `kernel_classifier_distance_from_activations` does it.
    """
    real, fake = rows.pair(real, fake)
    ends = rows.blocks(block, len(real), len(fake))
    dealt = [
        np.split(_order(end[-1], seed, salt), end[1:-1])
        for salt, end in zip(("kid real", "kid fake"), ends, strict=True)
    ]
    values = [
        _distance(real[one], fake[two]) for one, two in zip(*dealt, strict=True)
    ]
    return float(np.mean(values))


def stored(path: str | os.PathLike) -> np.ndarray:
    """Reads the features that clean-fid keeps of a set for this distance.

    Args:
        path: an .npz with `feats`.

    Returns:
        (N, C) float.

    Raises:
        OSError: if the file can't be opened.
        ValueError: if it holds no `feats`, or they are no finite table.
    """
    found = rows.stored(path)
    if "feats" not in found:
        raise ValueError(
            f"{path} holds no feats; mean and covariance alone give no kernel "
            "distance."
        )
    return rows.checked(f"feats of {path}", found["feats"], least=2)


def _distance(real, fake, biased: bool = False) -> float:
    between = sum(
        _cubes(one, two).sum() for one in _parts(real) for two in _parts(fake)
    )
    within = _within(real, biased) + _within(fake, biased)
    return float(within - 2.0 * between / (len(real) * len(fake)))


def _within(side, biased: bool) -> float:
    """Mean over the pairs of a cloud's rows."""
    total = 0.0
    for start in range(0, len(side), _ROWS):
        part = np.float64(side[start : start + _ROWS])
        own = _cubes(part, part)
        total += own.sum() if biased else own.sum() - np.trace(own)
        for later in _parts(side[start + _ROWS :]):
            total += 2.0 * _cubes(part, later).sum()
    count = len(side)
    return total / (count * (count if biased else count - 1))


def _cubes(one, two) -> np.ndarray:
    inner = one @ two.T / one.shape[1] + 1.0
    return inner * inner * inner


def _parts(side) -> Iterator[np.ndarray]:
    for start in range(0, len(side), _ROWS):
        yield np.float64(side[start : start + _ROWS])


def _order(count, seed, salt, number=0) -> np.ndarray:
    return noise.permutation(noise.key(seed, number, salt), count).numpy()


def _check_size(size, *counts) -> None:
    if not 2 <= size <= min(counts):
        raise ValueError(
            f"Draws of {size:,} rows need two rows or more each and as many "
            f"in either set; there are {counts[0]:,} and {counts[1]:,}."
        )
