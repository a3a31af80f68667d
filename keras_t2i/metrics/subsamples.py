"""How sure a figure is, and what it would be for endlessly many pictures."""

import dataclasses
import statistics
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_t2i.metrics import moments, rows
from keras_t2i.ops import noise

#: Draws of which an interval is made.
DRAWS = 20

#: Counts of pictures at which a distance is measured to find its limit.
POINTS = 15

_LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """How sure a figure is, given the pictures it happened to be made of.

    Attributes:
        value: measured on all rows.
        low: lower end of the 95 % interval of what is expected of as many
            pictures; the figure of one other set varies as much again.
        high: its upper end.
        error: estimate of the standard deviation of `value`.
        values: (draws,) float64, measured on a share of the rows each. For
            measures that depend on the number of pictures, such as FID, they
            lie elsewhere than `value`.
    """

    value: float
    low: float
    high: float
    error: float
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Limit:
    """A measure's limit for endlessly many pictures.

    Attributes:
        value: the line's height at 1 / count = 0.
        slope: how much the measure has too much, times the count.
        counts: (points,) int64, how many pictures were measured.
        values: (points,) float64, what was measured on them.
    """

    value: float
    slope: float
    counts: np.ndarray
    values: np.ndarray


def interval(
    measure: Callable,
    *counts: int,
    draws: int = DRAWS,
    share: float = 0.5,
    seed: int = 0,
) -> Interval:
    """Finds how much a figure owes to the pictures it happened to be made of.

    Each draw takes a share of the rows without replacement: copies of one
    picture, as the bootstrap draws them, would look like collapse to a
    distance. Draws of m out of N rows spread by s. The whole spreads less
    since it has more rows, and the draws spread less than other pictures
    would since they share rows; together, its standard deviation is
    s (m / (N - m))^(1/2), which is s for halves.

    Args:
        measure: callable on one array of row numbers, sorted, for each of
            `counts`; answers a number.
        *counts: rows of each table that is drawn from, N >= 4.
        draws: how many, 2 or more.
        share: m / N, in (0, 1).
        seed: key of the draws.

    Returns:
        The figure, its interval of 95 % (Student's t with draws - 1 degrees of
        freedom about the figure of all rows) and the draws' values.

    Raises:
        ValueError: if `counts`, `draws` or `share` are not as above, or a
            measure is not finite.

    Source:
        Shao and Wu 1989, A general theory for jackknife variance estimation:
        the delete-d jackknife.
        Ours differs: some random draws stand for all there are.
    """
    _check_draws(counts, draws, share)
    value = _measured(measure, [np.arange(count) for count in counts])
    sizes = [min(max(round(share * n), 2), n - 2) for n in counts]
    values = np.array(
        [
            _measured(measure, _draw(counts, sizes, seed, number))
            for number in range(draws)
        ]
    )
    kept = statistics.fmean(m / n for m, n in zip(sizes, counts, strict=True))
    error = float(np.std(values, ddof=1) * np.sqrt(kept / (1.0 - kept)))
    reach = _student(draws - 1) * error
    return Interval(value, value - reach, value + reach, error, values)


def limit(
    measure: Callable,
    count: int,
    *,
    points: int = POINTS,
    least: int | None = None,
    seed: int = 0,
) -> Limit:
    """Finds what a measure would be for endlessly many pictures.

    Its bias is taken to fall as 1 / count, so that it lies on a line over
    1 / count, whose height at 0 is the limit.

    Args:
        measure: callable on one array of row numbers, sorted; answers a
            number.
        count: how many rows there are.
        points: counts at which it is measured, evenly spread from `least` to
            `count`, each on a draw of its own without replacement.
        least: the smallest count; None takes a tenth of the rows, as the paper
            does with 5,000 of 50,000. The line holds only where a covariance
            has full rank: take no fewer than features are wide.
        seed: key of the draws.

    Returns:
        The limit with its line.

    Raises:
        ValueError: if there are too few rows for so many counts, or a measure
            is not finite.

    Source:
        Chong and Forsyth 2020, arXiv:1911.07023.
        Ours differs: pictures are drawn from those there are, not from a
        Sobol sequence of noises.
    """
    least = count // 10 if least is None else least
    if points < 2 or least < 2 or count - least < points - 1:
        raise ValueError(
            f"A limit from {points} counts needs two or more of them, all "
            f"different, of 2 rows or more; there are {count:,} rows and the "
            f"smallest count is {least:,}."
        )
    counts = np.linspace(least, count, points).astype(np.int64)
    values = np.array(
        [
            _measured(measure, _draw([count], [size], seed, number))
            for number, size in enumerate(counts)
        ]
    )
    slope, value = np.polyfit(1.0 / counts, values, 1)
    return Limit(float(value), float(slope), counts, values)


def fid_infinity(
    real: moments.Moments,
    fake,
    *,
    points: int = POINTS,
    least: int | None = None,
    seed: int = 0,
) -> Limit:
    """Finds the Frechet distance for endlessly many generated pictures.

    Args:
        real: moments of the reference pictures; what they lack in number
            stays.
        fake: (N, C) float. Features of the pictures in question.
        points: as in `limit`.
        least: as in `limit`.
        seed: as in `limit`.

    Returns:
        The limit; `slope` / N is what the distance of all N rows has too much.

    Raises:
        ValueError: if `fake` is no finite table as wide as `real`, or there
            are too few rows.

    Source:
        Chong and Forsyth 2020, arXiv:1911.07023.
    """
    fake = rows.checked("fake", fake)

    def measure(drawn):
        return moments.frechet_distance(real, moments.Moments.of(fake[drawn]))

    return limit(measure, len(fake), points=points, least=least, seed=seed)


def _draw(counts, sizes, seed, number) -> list[np.ndarray]:
    drawn = []
    for table, (count, size) in enumerate(zip(counts, sizes, strict=True)):
        key = noise.key(seed, number, f"subsample of table {table}")
        drawn.append(np.sort(noise.permutation(key, count).numpy()[:size]))
    return drawn


def _measured(measure, drawn) -> float:
    value = float(measure(*drawn))
    if not np.isfinite(value):
        sizes = " and ".join(str(len(each)) for each in drawn)
        raise ValueError(
            f"The measure of a draw of {sizes} rows is {value}; it must be a "
            "finite number."
        )
    return value


def _check_draws(counts, draws, share) -> None:
    if not counts or min(counts) < 4 or draws < 2 or not 0.0 < share < 1.0:
        raise ValueError(
            "An interval needs 4 rows or more, 2 draws or more and a share "
            f"between 0 and 1; there are {' and '.join(map(str, counts))} "
            f"rows, {draws} draws and a share of {share}."
        )


def _student(freedom: int) -> float:
    """Finds how far Student's t reaches, to either side, at `_LEVEL`."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2.0
        share = freedom / (freedom + middle**2)
        beyond = tf.math.betainc(
            *(tf.constant(x, tf.float64) for x in (freedom / 2, 0.5, share))
        )
        low, high = (low, middle) if beyond < 1.0 - _LEVEL else (middle, high)
    return middle
