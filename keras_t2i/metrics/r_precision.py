"""How often a picture finds its own words among those of other pictures."""

import dataclasses

import numpy as np

from keras_t2i.ops import noise

#: Texts a picture chooses from: its own and 99 others.
CANDIDATES = 100

#: Similarities closer than this are equal: float32 rounding, equal texts.
TIE = 1e-6

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
    image_vectors, text_vectors = _unit(image_vectors), _unit(text_vectors)
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


def _unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(
            "Vectors must be a finite table (N, D); these have shape "
            f"{vectors.shape}."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def _others(rows, count: int, wanted: int, seed: int) -> np.ndarray:
    """Draws for each row `wanted` of the other rows, none twice."""
    key = noise.key(seed, int(rows[0]), "r_precision")
    draws = noise.uniform(key, (len(rows), count - 1)).numpy()
    others = np.argsort(draws, axis=1, kind="stable")[:, :wanted]
    return others + (others >= rows[:, None])
