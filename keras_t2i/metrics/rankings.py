"""What people said who put pictures of several systems in order."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_t2i.ops import noise

#: Draws of captions from which intervals are read.
DRAWS = 1000

#: Captions below which there are no intervals: draws of so few are too alike.
LEAST = 5

_TAIL = 2.5  # percent of the draws beyond each end of an interval


@dataclasses.dataclass(frozen=True)
class Summary:
    """Tells how S systems were ranked.

    An interval holds the middle 95 percent of what draws of captions give.
    Below `LEAST` captions there are none.

    Attributes:
        mean_rank: (S,) float64 in [1, S]; 1 is best.
        first: (S,) float64, share of answers that rank it first; a tie is
            shared.
        wins: (S, S) float64, share of answers that rank the row's system
            ahead of the column's; a tie counts half, as does the diagonal.
        mean_rank_interval, first_interval: (S, 2) float64, or None.
        wins_interval: (S, S, 2) float64, or None.
        answers: how many there are.
        captions: of how many captions.
    """

    mean_rank: np.ndarray
    first: np.ndarray
    wins: np.ndarray
    mean_rank_interval: np.ndarray | None
    first_interval: np.ndarray | None
    wins_interval: np.ndarray | None
    answers: int
    captions: int


def summary(
    ranks, captions: Sequence, *, draws: int = DRAWS, seed: int = 0
) -> Summary:
    """Averages rankings and tells how sure the averages are.

    Args:
        ranks: (A, S) numbers, one row an answer: the rank that it gives to
            each system, 1 the best; equal numbers are ties.
        captions: (A,) ints or strings, which caption each answer is about.
        draws: how often as many captions are drawn with replacement, each
            with all of its answers, for answers about one caption are alike.
        seed: key of the draws.

    Returns:
        Averages over answers, with intervals if there are `LEAST` captions.

    Raises:
        ValueError: if shapes do not fit, a rank is not finite, or there are
            fewer than two systems.

    Source:
        Zhang et al. 2021 (XMC-GAN), section 5, arXiv:2101.04702, who report
        the share ranked first. Intervals: Efron and Tibshirani 1993, "An
        introduction to the bootstrap", chapter 13.
    """
    ranks = _ranks(ranks)
    captions = _labels("captions", captions, len(ranks))
    names, rows = np.unique(captions, return_inverse=True)
    ahead = ranks[:, :, None] - ranks[:, None, :]
    wins = (ahead < 0) + 0.5 * (ahead == 0)
    is_best = (ahead <= 0).all(axis=2)
    first = is_best / is_best.sum(axis=1, keepdims=True)
    # A column a figure, summed over the answers of each caption.
    middle = np.stack([_mean_ranks(row) for row in ranks])
    flat = np.hstack([middle, first, wins.reshape(len(ranks), -1)])
    size = ranks.shape[1]
    ends = (None, None, None)
    if len(names) >= LEAST:
        sums = np.zeros((len(names), flat.shape[1]))
        np.add.at(sums, rows, flat)
        times = _times_drawn(len(names), draws, seed)
        spread = (times @ sums) / (times @ np.bincount(rows))[:, None]
        found = np.percentile(spread, [_TAIL, 100 - _TAIL], axis=0).T
        ends = _parted(found, size)
    mean_rank, first, wins = _parted(flat.mean(axis=0), size)
    return Summary(
        mean_rank, first, wins, *ends, answers=len(ranks), captions=len(names)
    )


def agreement(ranks, captions: Sequence, raters: Sequence) -> float | None:
    """Measures how far raters agree beyond chance.

    Args:
        ranks: as in `summary`.
        captions: as in `summary`.
        raters: (A,) ints or strings, who gave each answer.

    Returns:
        `alpha` over the systems of each caption; None where it is undefined.

    Raises:
        ValueError: as in `summary`, or if somebody answered twice about a
            caption.
    """
    ranks = _ranks(ranks)
    captions = _labels("captions", captions, len(ranks))
    raters = _labels("raters", raters, len(ranks))
    _, columns = np.unique(captions, return_inverse=True)
    names, rows = np.unique(raters, return_inverse=True)
    table = np.full((len(names), columns.max() + 1, ranks.shape[1]), np.nan)
    for row, column, values in zip(rows, columns, ranks, strict=True):
        if not np.isnan(table[row, column, 0]):
            raise ValueError(
                f"Rater {names[row]} answered twice about caption "
                f"{captions[columns.tolist().index(column)]}."
            )
        table[row, column] = values
    return alpha(table.reshape(len(names), -1))


def alpha(values) -> float | None:
    """Computes Krippendorff's alpha for values that have an order.

    It allows for any number of raters, for ties and for missing answers, and
    for what chance alone would agree on.

    Args:
        values: (R, U) float, what each rater said of each unit; NaN where
            nothing. Only the order of values counts, not their distance.

    Returns:
        1 if all agree, 0 if they agree as often as by chance, less if they
        contradict each other. None where no unit has two values, or all
        values are equal.

    Raises:
        ValueError: if `values` is no table, or a value is infinite.

    Source:
        Krippendorff 2011, "Computing Krippendorff's alpha-reliability",
        section D; ordinal differences.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise ValueError(
            "alpha needs a table (raters, units), NaN where nothing was said; "
            f"the shape is {values.shape}."
        )
    known = np.unique(values[~np.isnan(values)])
    said = (values[:, :, None] == known).sum(axis=0).astype(np.float64)
    pairable = said[said.sum(axis=1) > 1]
    if not len(pairable):
        return None
    partners = pairable.sum(axis=1, keepdims=True) - 1.0
    met = (pairable / partners).T @ pairable
    met -= np.diag((pairable / partners).sum(axis=0))
    total = met.sum(axis=0)
    # Between two values lie all that are between, and half of the two.
    middle = np.cumsum(total) - total / 2.0
    apart = (middle[:, None] - middle) ** 2
    expected = total @ apart @ total
    if not expected:
        return None
    return float(1.0 - (total.sum() - 1.0) * np.sum(met * apart) / expected)


def _parted(flat, size):
    """Parts columns into mean ranks, firsts and wins."""
    wins = flat[2 * size :].reshape(size, size, *flat.shape[1:])
    return flat[:size], flat[size : 2 * size], wins


def _mean_ranks(row) -> np.ndarray:
    """Ranks from 1 on, those of a tie averaged."""
    ahead = (row[:, None] > row).sum(axis=1)
    return ahead + ((row[:, None] == row).sum(axis=1) + 1) / 2.0


def _times_drawn(count: int, draws: int, seed: int) -> np.ndarray:
    """Counts how often each of `count` things is drawn, in each draw."""
    key = noise.key(seed, salt="captions of the bootstrap")
    drawn = noise.uniform(key, (draws, count), 0, count, "int32").numpy()
    return np.stack([np.bincount(row, minlength=count) for row in drawn])


def _ranks(ranks) -> np.ndarray:
    ranks = np.asarray(ranks, np.float64)
    if ranks.ndim != 2 or ranks.shape[1] < 2 or not len(ranks):
        raise ValueError(
            "Ranks must be a table (answers, systems) with two systems or "
            f"more; the shape is {ranks.shape}."
        )
    whole = np.isfinite(ranks).all(axis=1)
    if not whole.all():
        raise ValueError(
            f"Ranks must be finite; those of answer {int(np.argmin(whole))} "
            "are not."
        )
    return ranks


def _labels(name: str, labels, count: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (count,):
        raise ValueError(
            f"{name} must name one for each of {count} answers; the shape is "
            f"{labels.shape}."
        )
    return labels
