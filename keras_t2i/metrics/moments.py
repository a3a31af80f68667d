"""Mean and covariance of features, and the distance between two of them."""

import contextlib
import importlib.util
import io
import os
from typing import NamedTuple

import numpy as np

from keras_t2i.metrics import rows as tables
from keras_t2i.ops import files

_BLOCK = 4096  # rows multiplied at once
_EPSILON = np.finfo(np.float64).eps
_ROUGH = 1e-5  # what float32 may have done to a covariance, by its largest
_NEAR = 1e-7  # error of a distance, by the traces, that is near enough


class _Sums(NamedTuple):
    """What is known of rows; no array in it is ever changed.

    Attributes:
        number: how many they are; None: nobody knows.
        origin: (C,) float64, what is taken off each row.
        total: (C,) float64, sum of x - origin.
        products: (C, C) float64, sum of (x - origin) (x - origin)^T; where
            the number is unknown, the covariance.
    """

    number: int | None
    origin: np.ndarray
    total: np.ndarray
    products: np.ndarray


class Moments:
    """Learns the mean and the covariance of features from batches.

    All is summed in float64, in blocks of 4,096 rows whatever batches they
    came in, so that batches of another size give the same bits. The first row
    is taken off each one before anything is multiplied: features far away
    from 0 lose no digits. Two tables of C x C numbers are held at most, and
    one block.

    Source:
        Chan, Golub and LeVeque 1979, Updating formulae and a pairwise
        algorithm for computing sample variances: shifted data, and eq. 2.1
        to merge.
    """

    def __init__(self):
        self._sums = None
        self._waiting = None
        self._filled = 0
        self._factored = None

    @classmethod
    def of(cls, rows) -> "Moments":
        """Learns from one table.

        Args:
            rows: (N, C) float.

        Returns:
            Its moments.
        """
        found = cls()
        found.add(rows)
        if 2 <= found.count <= found.width:
            # A few rows are a factor themselves, found for nothing.
            centred = np.float64(rows) - found.mean
            found._factored = centred.T / np.sqrt(found.count - 1)
        return found

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Moments":
        """Reads moments, of this library or of others.

        Args:
            path: an .npz with `mu` and `sigma`, as pytorch-fid, clean-fid and
                the authors' own code keep them, and perhaps our `n`; or with
                `feats`, the features that clean-fid keeps for its kernel
                distance.

        Returns:
            The moments. Without `n` the number of rows is unknown: they can
            be compared, but nothing can be added.

        Raises:
            OSError: if the file can't be opened.
            ValueError: if it is none of these, or holds what can't be a mean
                and a covariance.
        """
        stored = tables.stored(path)
        if {"mu", "sigma"} <= set(stored):
            return cls._from(path, stored)
        if "feats" in stored:
            return cls.of(stored["feats"])
        raise ValueError(f"{path} holds neither mu and sigma nor feats.")

    @classmethod
    def _from(cls, path, stored):
        mean, covariance = (np.float64(stored[n]) for n in ("mu", "sigma"))
        number = int(stored["n"]) if "n" in stored else None
        _check_stored(path, mean, covariance, number)
        scatter = (covariance + covariance.T) / 2.0
        if number is not None:
            scatter *= number - 1
        found = cls()
        found._sums = _Sums(number, mean, np.zeros_like(mean), scatter)
        return found

    @property
    def count(self) -> int | None:
        """How many rows were seen; None if a file did not say."""
        if self._sums is None:
            return 0
        number = self._sums.number
        return None if number is None else number + self._filled

    @property
    def width(self) -> int:
        """How many features a row has; 0 before the first."""
        return 0 if self._sums is None else len(self._sums.origin)

    @property
    def mean(self) -> np.ndarray:
        """The rows' mean, (C,) float64."""
        return self._known(1)[0]

    @property
    def covariance(self) -> np.ndarray:
        """The rows' covariance, (C, C) float64, divided by their number - 1."""
        return self._known(2)[1]

    def add(self, rows) -> None:
        """Takes in some more rows.

        Args:
            rows: (n, C) float; n may be 0.

        Raises:
            ValueError: if it is no table, a value is not finite (the row is
                named, counted from the very first), the width is another than
                before, or the number of rows so far is unknown.
        """
        if self.count is None:
            raise ValueError(
                "These moments come from a file that does not say of how many "
                "rows; nothing can be added to them."
            )
        rows = tables.checked("rows", rows, least=0, first=self.count)
        if self.width not in (0, rows.shape[1]):
            raise ValueError(
                f"rows are {rows.shape[1]} features wide; those before were "
                f"{self.width}."
            )
        self._factored = None
        if self._sums is None and len(rows):
            self._sums = _none(np.float64(rows[0]))
        if self._waiting is None:
            self._waiting = np.empty((_BLOCK, rows.shape[1]))
        while len(rows):
            taken = rows[: _BLOCK - self._filled]
            place = self._waiting[self._filled : self._filled + len(taken)]
            np.subtract(taken, self._sums.origin, out=place)
            self._filled += len(taken)
            rows = rows[len(taken) :]
            if self._filled == _BLOCK:
                self._sums, self._filled = self._summed(), 0

    def _factor(self) -> np.ndarray:
        """F with F F^T = S, kept for the next distance."""
        if self._factored is None:
            self._factored = _factor(self.covariance)
        return self._factored

    def merged(self, other: "Moments") -> "Moments":
        """Puts the moments of two tables together.

        Args:
            other: moments of other rows, of the same width.

        Returns:
            The moments of all rows.

        Raises:
            ValueError: if the widths differ or a number of rows is unknown.
        """
        if None in (self.count, other.count):
            raise ValueError(
                "Moments can be merged if it is known of how many rows they "
                "are; a file did not say."
            )
        parts = [each for each in (self, other) if each.count]
        found = Moments()
        if len(parts) == 2:
            _check_widths(self, other)
            found._sums = _joined(self._found(), other._found())
        elif parts:
            found._sums = parts[0]._found()
        return found

    def save(self, path: str | os.PathLike) -> None:
        """Writes `mu`, `sigma` and `n`, which pytorch-fid reads too.

        Args:
            path: the .npz.

        Raises:
            OSError: if it can't be written.
            ValueError: if there are fewer than two rows.
        """
        mean, covariance = self._known(2)
        held = {"mu": mean, "sigma": covariance}
        if self.count is not None:
            held["n"] = np.int64(self.count)
        content = io.BytesIO()
        np.savez(content, **held)
        files.atomic_write(path, content.getvalue())

    def _known(self, least: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance, if there are so many rows."""
        if self.count is not None and self.count < least:
            raise ValueError(
                "A mean needs one row or more and a covariance two; got "
                f"{self.count}."
            )
        number, mean, _, scatter = self._found()
        divisor = 1 if number is None else max(number - 1, 1)
        return mean.copy(), scatter / divisor

    def _summed(self) -> _Sums:
        """Sums of all rows, those that wait included."""
        if not self._filled:
            return self._sums
        number, origin, total, products = self._sums
        block = self._waiting[: self._filled]
        squares = block.T @ block
        squares += products
        return _Sums(
            number + len(block), origin, total + block.sum(axis=0), squares
        )

    def _found(self) -> _Sums:
        """The same about the rows' own mean, where their total is 0."""
        number, origin, total, products = self._summed()
        if number is None or not total.any():
            return _Sums(number, origin, total, products)
        scatter = products - np.outer(total, total / number)
        return _Sums(number, origin + total / number, 0.0 * total, scatter)


def frechet_distance(real: Moments, fake: Moments) -> float:
    """Measures how far two clouds of features lie apart, as normal clouds.

    With features of an Inception network this is called FID. The fewer rows,
    the larger the answer: compare only equal counts.

    Args:
        real: of the reference pictures, two or more.
        fake: of the pictures in question, two or more.

    Returns:
        |m - m'|^2 + Tr(S + S' - 2 (S S')^(1/2)) in float64, whether or not
        the covariances have full rank. What rounding makes negative is 0.

    Raises:
        ValueError: if there are fewer than two rows, the widths differ, or a
            stored covariance can't be one.

    Source:
        Heusel et al. 2017, eq. 6, arXiv:1706.08500.
        Ours differs: with S = F F^T and S' = G G^T, the trace of the root is
        the sum of the singular values of F^T G. No root of a matrix that is
        not symmetric is taken, no imaginary part cut off and nothing added to
        the diagonal. `tfgan.fid` takes no root of eigenvalues below 1e-10,
        and answers more than this for features of tiny spread.
    """
    if real.width and fake.width:
        _check_widths(real, fake)
    gap = real.mean - fake.mean
    factors = real._factor(), fake._factor()
    traces = float(sum(np.sum(each * each) for each in factors))
    root = _sum_of_singular(factors[0].T @ factors[1], traces)
    return max(0.0, float(gap @ gap) + traces - 2.0 * root)


def _none(origin) -> _Sums:
    width = len(origin)
    return _Sums(0, origin, np.zeros(width), np.zeros((width, width)))


def _joined(one: _Sums, two: _Sums) -> _Sums:
    """Sums of two tables' rows from those about their own means."""
    number = one.number + two.number
    gap = two.origin - one.origin
    scatter = np.outer(gap, gap) * (one.number * two.number / number)
    scatter += one.products
    scatter += two.products
    mean = one.origin + gap * (two.number / number)
    return _Sums(number, mean, 0.0 * gap, scatter)


def _factor(covariance) -> np.ndarray:
    """Finds F with F F^T = S; narrower than S where its rank is lower."""
    with _one_thread():
        try:
            return np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(covariance)
    if values[0] < -_ROUGH * values[-1]:
        raise ValueError(
            f"A covariance has no negative eigenvalue; this one has "
            f"{values[0]:g} and {values[-1]:g} as its largest."
        )
    kept = values > len(values) * _EPSILON * values[-1]
    return vectors[:, kept] * np.sqrt(values[kept])


def _sum_of_singular(product, traces: float) -> float:
    """Adds the singular values of a product of two factors.

    As roots of the eigenvalues of the product with itself they are found
    several times faster, but half the digits of the least ones are lost;
    where that could matter they are found directly.
    """
    if not product.any():
        return 0.0
    if product.shape[0] > product.shape[1]:
        product = product.T
    square = product @ product.T
    with _one_thread():
        squares = np.linalg.eigvalsh(square)
    doubt = 4.0 * _EPSILON * squares[-1]  # error of each
    lost = doubt / np.sqrt(np.maximum(squares, doubt))
    if np.sum(lost) <= _NEAR * traces:
        return float(np.sqrt(np.maximum(squares, 0.0)).sum())
    with _one_thread():
        return float(np.linalg.svd(product, compute_uv=False).sum())


def _one_thread():
    """Keeps NumPy to one thread, if threadpoolctl is installed.

    Threads that take a matrix apart wait for each other thousands of times:
    two are hardly faster than one, and twenty times slower where another
    program keeps one of the processors busy.
    """
    if importlib.util.find_spec("threadpoolctl") is None:
        return contextlib.nullcontext()
    import threadpoolctl

    return threadpoolctl.threadpool_limits(1, user_api="blas")


def _check_widths(one: Moments, two: Moments) -> None:
    if one.width != two.width:
        raise ValueError(
            "Both moments must come from one network; they are "
            f"{one.width} and {two.width} features wide."
        )


def _check_stored(path, mean, covariance, number) -> None:
    width = len(mean) if mean.ndim == 1 else 0
    if not width or covariance.shape != (width, width):
        raise ValueError(
            f"{path} must hold mu (C,) and sigma (C, C); they have shapes "
            f"{mean.shape} and {covariance.shape}."
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError(f"{path} holds numbers that are not finite.")
    largest = np.abs(covariance).max()
    if np.abs(covariance - covariance.T).max() > _ROUGH * largest:
        raise ValueError(f"sigma of {path} is not symmetric.")
    if (np.diagonal(covariance) < 0).any():
        raise ValueError(f"sigma of {path} has a negative variance.")
    if number is not None and number < 2:
        raise ValueError(f"{path} says n={number}; a covariance needs two.")
