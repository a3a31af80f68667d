"""How often a picture finds its own words among those of other pictures."""

import dataclasses

import numpy as np

from keras_t2i.ops import noise

#: Texts a picture chooses from: its own and 99 others.
CANDIDATES = 100

#: Similarities closer than this are equal: float32 rounding, equal texts.
TIE = 1e-6

#: Shares of pictures whose spread the reference reports.
FOLDS = 10

_ROWS = 256  # pictures compared at once


@dataclasses.dataclass(frozen=True)
class Bridge:
    """Brings pictures and texts to one place, where they can be compared.

    Both are told as differences from the mean training sentence. Otherwise
    the few texts near that mean would be nearest to most pictures.

    Attributes:
        mean: (C,) float64, the features' mean on training pictures.
        scale: (C,) float64 > 0, their standard deviation there.
        weights: (C, D) float64.
        centre: (D,) float64, the mean sentence vector.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    centre: np.ndarray

    def pictures(self, features) -> np.ndarray:
        """Says where the words of pictures should lie.

        Args:
            features: (N, C) float.

        Returns:
            (N, D) float64.
        """
        features = np.asarray(features, np.float64)
        return (features - self.mean) / self.scale @ self.weights

    def texts(self, sentences) -> np.ndarray:
        """Says where texts lie.

        Args:
            sentences: (N, D) float. Their sentence vectors.

        Returns:
            (N, D) float64.
        """
        return np.asarray(sentences, np.float64) - self.centre


def ridge(features, sentences, penalty: float = 2000.0) -> Bridge:
    """Fits a linear map from features to sentence vectors, in closed form.

    Args:
        features: (N, C) float, N >= 2. One row a training picture; each
            column is standardised here, a constant one only centred.
        sentences: (N, D) float. The mean vector of each picture's captions.
        penalty: float > 0. Weight of the squared length of the map.

    Returns:
        The bridge whose sum |pictures(x) - texts(y)|^2 + penalty |weights|^2
        is least.

    Raises:
        ValueError: if there are not as many features as sentences, or
            `penalty` is not positive.
    """
    x = np.asarray(features, np.float64)
    y = np.asarray(sentences, np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < 2:
        raise ValueError(
            "features and sentences must be tables of equally many rows, two "
            f"or more; they have shapes {x.shape} and {y.shape}."
        )
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0; it is {penalty}.")
    mean, spread, centre = x.mean(0), x.std(0), y.mean(0)
    scale = np.where(spread > 1e-8, spread, 1.0)
    z = (x - mean) / scale
    inner = z.T @ z + penalty * np.eye(z.shape[1])
    weights = np.linalg.solve(inner, z.T @ (y - centre))
    return Bridge(mean, scale, weights, centre)


def r_precision(
    image_vectors, text_vectors, *, candidates: int = CANDIDATES, seed: int = 0
) -> float:
    """Measures how often a picture's own text is the nearest of several.

    Args:
        image_vectors: (N, D) float. Where each picture lies among texts.
        text_vectors: (N, D) float. Row i is the text of picture i.
        candidates: how many texts a picture chooses from, its own and those
            of others drawn without replacement; 2 to N.
        seed: key of the draws.

    Returns:
        Share of pictures, in [0, 1]; chance is 1 / candidates. Where k other
        texts are exactly as near as the own one, the picture counts for
        1 / (1 + k): what a fair draw among them would give.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or there are
            fewer pictures than candidates.

    Source:
        Xu et al. 2018, section 4, arXiv:1711.10485.
        Ours differs: ties do not favour the truth, and the vectors come from
        networks that took no part in the generator's training loss.
    """
    image_vectors = _unit("image_vectors", image_vectors)
    text_vectors = _unit("text_vectors", text_vectors)
    if image_vectors.shape != text_vectors.shape:
        raise ValueError(
            "Each picture needs one text; the vectors have shapes "
            f"{image_vectors.shape} and {text_vectors.shape}."
        )
    count = len(image_vectors)
    if not 2 <= candidates <= count:
        raise ValueError(
            f"R-precision among {candidates} texts needs at least as many "
            f"pictures, and 2 texts; there are {count} pictures."
        )
    total = 0.0
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        near = image_vectors[rows] @ text_vectors.T
        others = _others(rows, count, candidates - 1, seed)
        own = near[np.arange(len(rows)), rows]
        ahead = np.take_along_axis(near, others, axis=1) - own[:, None]
        ties = np.sum(ahead >= -TIE, axis=1)
        total += np.sum((ahead <= TIE).all(axis=1) / (1.0 + ties))
    return float(total / count)


def over_seeds(
    image_vectors, text_vectors, seeds, *, candidates: int = CANDIDATES
) -> tuple[float, float]:
    """Repeats `r_precision` with other draws.

    Args:
        image_vectors: as in `r_precision`.
        text_vectors: as in `r_precision`.
        seeds: one or more keys of draws.
        candidates: as in `r_precision`.

    Returns:
        Mean and standard deviation (of a sample; 0 for one seed).
    """
    values = [
        r_precision(
            image_vectors, text_vectors, candidates=candidates, seed=seed
        )
        for seed in seeds
    ]
    spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return float(np.mean(values)), float(spread)


def hits(image_codes, own, others) -> np.ndarray:
    """Finds the pictures that no other text is nearer to than their own.

    Args:
        image_codes: (N, D) float. Where each picture lies among texts.
        own: (N, D) float. Its own text.
        others: (N, R, D) float. The texts of others that it chooses from.

    Returns:
        (N,) bool. Nearness is the cosine, the product of lengths no less than
        1e-8. Ties, within `TIE`, favour the own text, so that a vector of
        zeros hits.

    Raises:
        ValueError: if shapes do not fit or a value is not finite.

    Source:
        DM-GAN's published evaluation (code/trainer.py, `sampling`).
    """
    images = _table("image_codes", image_codes)
    own = _table("own", own)
    others = np.asarray(others, np.float64)
    fits = others.ndim == 3 and others.shape[::2] == own.shape
    if images.shape != own.shape or not fits:
        raise ValueError(
            "hits compares (N, D) with (N, D) and (N, R, D); the shapes are "
            f"{images.shape}, {own.shape} and {others.shape}."
        )
    if not np.isfinite(others).all():
        raise ValueError("others must be finite; they are not.")
    texts = np.concatenate([own[:, None], others], axis=1)
    lengths = np.linalg.norm(texts, axis=2)
    lengths *= np.linalg.norm(images, axis=1)[:, None]
    near = np.einsum("nd,nrd->nr", images, texts) / np.maximum(lengths, 1e-8)
    return (near <= near[:, :1] + TIE).all(axis=1)


def reference_folds(found, folds: int = FOLDS) -> np.ndarray:
    """Averages hits over consecutive parts, as the reference does.

    Args:
        found: (N,) bool or 0 and 1, from `hits`, in the order that counts.
        folds: how many parts; they must divide N, with 2 pictures each.

    Returns:
        (folds,) float64. The last picture of each part is left out. The
        reference reports their mean and `np.std`, which divides by `folds`.

    Raises:
        ValueError: if the pictures do not part evenly.

    Source:
        DM-GAN's published evaluation (code/trainer.py, `sampling`): slices
        end at (i + 1) * 3000 - 1.
    """
    found = np.asarray(found, np.float64)
    if found.ndim != 1 or len(found) % folds or len(found) < 2 * folds:
        raise ValueError(
            f"The reference parts its pictures into {folds} of equal length, "
            f"2 or more; these hits have shape {found.shape}."
        )
    return found.reshape(folds, -1)[:, :-1].mean(axis=1)


def _table(name: str, vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim != 2:
        raise ValueError(
            f"{name} must be a table (N, D); the shape is {vectors.shape}."
        )
    whole = np.isfinite(vectors).all(axis=1)
    if not whole.all():
        raise ValueError(
            f"{name} must be finite; row {int(np.argmin(whole))} is not."
        )
    return vectors


def _unit(name: str, vectors) -> np.ndarray:
    vectors = _table(name, vectors)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def _others(rows, count: int, wanted: int, seed: int) -> np.ndarray:
    """Draws for each row `wanted` of the other rows, none twice."""
    key = noise.key(seed, int(rows[0]), "r_precision")
    draws = noise.uniform(key, (len(rows), count - 1)).numpy()
    others = np.argsort(draws, axis=1, kind="stable")[:, :wanted]
    return others + (others >= rows[:, None])
