"""How surely and how variedly a classifier recognises pictures."""

import numpy as np

from keras_t2i.metrics import rows

_ROWS = 1024  # turned into probabilities at once


def of_logits(logits, splits: int = 1) -> np.ndarray:
    """Measures the score of each of several equal parts.

    Args:
        logits: (N, K) float, N >= splits. A classifier's answers to the
            pictures, in the order in which they are parted. Published figures
            are means over 10 parts of shuffled pictures.
        splits: how many parts.

    Returns:
        (splits,) float64, each exp of the mean divergence of the answers from
        their average: 1 when all are alike, K when sure and evenly spread.

    Raises:
        ValueError: if the shape does not fit, there are fewer pictures than
            parts, or a value is not finite.

    Source:
        Salimans et al. 2016, section 4, arXiv:1606.03498.
        Ours differs: the mean divergence is taken apart into mean entropies,
        so that only some rows are held as float64.
    """
    logits = rows.checked("logits", logits)
    ends = bounds(len(logits), splits)
    return np.array([_score(part) for part in np.split(logits, ends[1:-1])])


def bounds(count: int, splits: int) -> np.ndarray:
    """Finds where the parts of pictures begin and end.

    Args:
        count: how many pictures.
        splits: how many parts.

    Returns:
        (splits + 1,) int64: part i is rows [i] to [i + 1] - 1, with
        [i] = i * count // splits.

    Raises:
        ValueError: if there are fewer pictures than parts.
    """
    if not 1 <= splits <= count:
        raise ValueError(
            f"{splits} parts need a picture each; there are {count}."
        )
    return np.arange(splits + 1) * count // splits


def _score(logits) -> float:
    """exp of (mean of sum p log p) - (sum q log q), q the mean of p."""
    average, order = np.zeros(logits.shape[1]), 0.0
    for start in range(0, len(logits), _ROWS):
        part = np.float64(logits[start : start + _ROWS])
        part -= part.max(axis=1, keepdims=True)
        part -= np.log(np.exp(part).sum(axis=1, keepdims=True))
        shares = np.exp(part)
        average += shares.sum(axis=0)
        order += np.sum(shares * part)
    average /= len(logits)
    seen = average[average > 0]
    return float(np.exp(order / len(logits) - np.sum(seen * np.log(seen))))
