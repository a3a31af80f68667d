"""Which rows lie next to which: precision, recall, density, copies."""

from collections.abc import Iterator

import numpy as np

from keras_t2i.metrics import rows as tables

_CELLS = 2**22  # distances held at once
_EQUAL = 1e-12  # of squared lengths: nearer rows are the same
_RIM = 1e-9  # of a squared radius: what rounding may add


def prdc(
    real, fake, *, nearest: int = 3, nearest_dense: int = 5
) -> dict[str, float]:
    """Measures how many pictures are likely and how many kinds are drawn.

    A ball about each row reaches to its k-th nearest neighbour of the same
    set; a set's region is the union of its balls.

    Args:
        real: (N, C) float. Features of the reference pictures.
        fake: (M, C) float. Features of the pictures in question.
        nearest: k of precision and recall.
        nearest_dense: k of density and coverage.

    Returns:
        "precision", share of `fake` in the region of `real`; "recall", share
        of `real` in the region of `fake`; "density", mean number of balls of
        `real` that hold a row of `fake`, over k (about 1 for two samples of
        one distribution, and it may be more); "coverage", share of balls of
        `real` that hold a row of `fake`.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or a set has
            no more rows than k.

    Source:
        Kynkaanniemi et al. 2019, eq. 1 and 2, arXiv:1904.06991; Naeem et al.
        2020, section 3, arXiv:2002.09797.
        Ours differs: all balls are closed, as in the former; the code of the
        latter leaves their rim out, which matters only to copies.
    """
    real, fake = tables.pair(real, fake)
    _check_enough(max(nearest, nearest_dense), len(real), len(fake))
    centre = real.mean(axis=0, dtype=np.float64)
    real, fake = real - centre, fake - centre
    reach = _radii(real, (nearest, nearest_dense))
    reach_of_fake = _radii(fake, (nearest,))[0]
    likely, balls = np.zeros(len(fake), bool), np.zeros(len(fake), np.int64)
    reached, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for part, far in _distances(real, fake):
        likely |= (far <= reach[0][part, None]).any(axis=0)
        reached[part] = (far <= reach_of_fake).any(axis=1)
        inside = far <= reach[1][part, None]
        balls += inside.sum(axis=0)
        covered[part] = inside.any(axis=1)
    return {
        "precision": float(likely.mean()),
        "recall": float(reached.mean()),
        "density": float(balls.mean() / nearest_dense),
        "coverage": float(covered.mean()),
    }


def nearest(queries, rows, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Finds the rows that lie next to each query, for copies to be seen.

    Args:
        queries: (Q, C) float. Features of pictures.
        rows: (N, C) float, N >= k. Those of the pictures to look among.
        k: how many of them are wanted.

    Returns:
        Distances (Q, k) float64, the least first, and row numbers (Q, k).

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or there are
            fewer rows than k.
    """
    queries = tables.checked("queries", queries)
    rows = tables.checked("rows", rows)
    if queries.shape[1] != rows.shape[1]:
        raise ValueError(
            "queries and rows must come from one network; they are "
            f"{queries.shape[1]} and {rows.shape[1]} features wide."
        )
    if not 1 <= k <= len(rows):
        raise ValueError(
            f"The {k} nearest were asked for; there are {len(rows)} rows."
        )
    centre = rows.mean(axis=0, dtype=np.float64)
    queries, rows = queries - centre, rows - centre
    distances = np.empty((len(queries), k))
    numbers = np.empty((len(queries), k), np.int64)
    for part, far in _distances(queries, rows):
        found = np.sort(np.argpartition(far, k - 1, axis=1)[:, :k], axis=1)
        # Once more by differences: products lose the digits of small ones.
        exact = np.stack(
            [
                np.linalg.norm(queries[part] - rows[column], axis=1)
                for column in found.T
            ],
            axis=1,
        )
        order = np.argsort(exact, axis=1, kind="stable")
        distances[part] = np.take_along_axis(exact, order, axis=1)
        numbers[part] = np.take_along_axis(found, order, axis=1)
    return distances, numbers


def _distances(queries, rows) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances of some queries at a time to all rows."""
    step = max(1, _CELLS // len(rows))
    lengths = np.einsum("nc,nc->n", rows, rows)
    for start in range(0, len(queries), step):
        part = slice(start, min(start + step, len(queries)))
        some = queries[part]
        scale = np.einsum("nc,nc->n", some, some)[:, None] + lengths
        far = scale - 2.0 * (some @ rows.T)
        far[far < _EQUAL * scale] = 0.0
        yield part, far


def _radii(rows, each_k) -> list[np.ndarray]:
    """Squared distance of each row to its k-th nearest other, for each k."""
    found = np.empty((len(each_k), len(rows)))
    for part, far in _distances(rows, rows):
        own = np.arange(part.start, part.stop)
        far[own - part.start, own] = np.inf
        places = [k - 1 for k in each_k]
        far.partition(places, axis=1)
        found[:, part] = far[:, places].T
    return list(found * (1.0 + _RIM))


def _check_enough(k, *counts) -> None:
    if k < 1 or min(counts) <= k:
        raise ValueError(
            f"Each row needs {k} neighbours, one or more, in its own set, "
            f"hence {k + 1} rows; there are {counts[0]} real and {counts[1]} "
            "fake."
        )
