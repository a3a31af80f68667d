"""How often a picture finds its own words among those of other pictures."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping

import numpy as np

from keras_t2i.ops import noise

#: Texts a picture chooses from: its own and 99 others.
CANDIDATES = 100

#: Similarities closer than this are equal: float32 rounding, equal texts.
TIE = 1e-6

#: Shares of pictures whose spread the reference reports.
FOLDS = 10

#: Pictures that the reference judges.
SLOTS = 30_000

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


@dataclasses.dataclass(frozen=True)
class Readers:
    """Compares pictures and texts by networks that learned to agree.

    Takes the place of a `Bridge`; it looks at pictures itself.

    Attributes:
        network: callable on (B, H, W, 3) float32 in [-1, 1] -> {"code":
            (B, D)} and more; has the strings `name` and `digest`.
    """

    network: Callable

    def pictures(self, codes) -> np.ndarray:
        """Says where pictures lie.

        Args:
            codes: (N, D) float, the network's.

        Returns:
            (N, D) float64.
        """
        return np.asarray(codes, np.float64)

    def texts(self, sentences) -> np.ndarray:
        """Says where texts lie.

        Args:
            sentences: (N, D) float, of the text side that learned with it.

        Returns:
            (N, D) float64.
        """
        return np.asarray(sentences, np.float64)


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
    image_vectors,
    text_vectors,
    *,
    candidates: int = CANDIDATES,
    seed: int = 0,
    classes=None,
) -> float:
    """Measures how often a picture's own text is the nearest of several.

    Args:
        image_vectors: (N, D) float. Where each picture lies among texts. A
            row of zeros is as near to one text as to any other.
        text_vectors: (N, D) float. Row i is the text of picture i.
        candidates: how many texts a picture chooses from, its own and those
            of others drawn without replacement; 2 to N.
        seed: key of the draws.
        classes: (N,) ints or strings; a picture then chooses only among its
            own text and those of other classes. None makes each a class.

    Returns:
        Share of pictures, in [0, 1]; chance is 1 / candidates. Where k other
        texts are exactly as near as the own one, the picture counts for
        1 / (1 + k): what a fair draw among them would give.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or there are
            fewer texts to choose from than candidates.

    Source:
        Xu et al. 2018, section 4, arXiv:1711.10485.
        Ours differs: ties do not favour the truth, no text is drawn twice,
        every picture counts, and the vectors come from networks that took no
        part in the generator's training loss. `reference` is the published
        code's way.
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
    classes = None if classes is None else _numbered(classes, count)
    _check_enough(classes, count, candidates)
    total = 0.0
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        near = image_vectors[rows] @ text_vectors.T
        others = _others(rows, count, candidates - 1, seed, classes)
        own = near[np.arange(len(rows)), rows]
        ahead = np.take_along_axis(near, others, axis=1) - own[:, None]
        ties = np.sum(ahead >= -TIE, axis=1)
        total += np.sum((ahead <= TIE).all(axis=1) / (1.0 + ties))
    return float(total / count)


def over_seeds(
    image_vectors,
    text_vectors,
    seeds,
    *,
    candidates: int = CANDIDATES,
    classes=None,
) -> tuple[float, float]:
    """Repeats `r_precision` with other draws.

    Args:
        image_vectors: as in `r_precision`.
        text_vectors: as in `r_precision`.
        seeds: one or more keys of draws.
        candidates: as in `r_precision`.
        classes: as in `r_precision`.

    Returns:
        Mean and standard deviation (of a sample; 0 for one seed).
    """
    values = [
        r_precision(
            image_vectors,
            text_vectors,
            candidates=candidates,
            seed=seed,
            classes=classes,
        )
        for seed in seeds
    ]
    spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return float(np.mean(values)), float(spread)


def reference(
    image_codes,
    text_codes,
    classes=None,
    *,
    seed: int,
    candidates: int = CANDIDATES,
    folds: int = FOLDS,
    slots: int = SLOTS,
    pool=None,
    pool_classes=None,
) -> tuple[float, float]:
    """Measures R-precision as DM-GAN's published code does, quirks included.

    There are 30,000 slots; those filled are shuffled and parted into 10 folds,
    each of which leaves out its last. A picture chooses among its own text and
    99 drawn evenly from pictures with another class id, the same ones perhaps
    twice. Ties favour the truth.

    Args:
        image_codes: (N, D) float, no row all zeros, N >= slots; the first
            `slots` rows count.
        text_codes: (N, D) float. Row i is the text that picture i was drawn
            from.
        classes: (N,) ints or strings, a picture's class id; a text of the
            same one is never drawn. None makes each row a class, which is
            COCO's case as long as no picture comes twice.
        seed: key of the draws and of the order.
        candidates: how many texts a picture chooses from.
        folds: how many parts.
        slots: how many pictures; any other number than the reference's makes
            a figure that can't be laid beside published ones.
        pool: (M, D) float. All texts that others are drawn from, equally many
            a picture; None takes `text_codes`. The reference draws a picture
            of the data set, then one of its captions.
        pool_classes: (M,) the class ids of `pool`.

    Returns:
        Mean and standard deviation (divided by `folds`) of the parts' shares,
        in [0, 1]; the tables of papers give them in percent.

    Raises:
        ValueError: if shapes do not fit, there are fewer pictures than slots,
            a value is not finite, a row is all zeros (which would be a hit),
            or all texts are of one class.

    Source:
        Xu et al. 2018, section 4, arXiv:1711.10485; DM-GAN's published code
        (code/trainer.py, `sampling`; code/datasets.py, `get_mis_caption`).
        That code draws by `random.randint(0, count)`, whose upper end would
        lie one past the last picture if `random` were Python's own. There it
        is NumPy's, which leaves the end out; so do we.
        Ours differs: draws are keyed; the batch need not divide the slots;
        equal is what differs by no more than `TIE`.
    """
    images = _table("image_codes", image_codes)
    texts = _table("text_codes", text_codes)
    _check_places(images, texts, slots, candidates)
    count = len(images)
    owned = np.arange(count) if classes is None else classes
    if pool is None:
        pool, pool_classes = texts, owned
    pool = _table("pool", pool)
    if pool_classes is None or pool.shape[1] != texts.shape[1]:
        raise ValueError(
            "pool needs pool_classes and texts as wide as the pictures' own; "
            f"they are {pool.shape[1]} and {texts.shape[1]} wide."
        )
    others = _from_other_classes(
        _checked("classes", owned, count)[:slots],
        _checked("pool_classes", pool_classes, len(pool)),
        candidates - 1,
        seed,
    )
    found = [
        hits(images[rows], texts[rows], pool[others[rows]])
        for rows in np.array_split(np.arange(slots), -(-slots // _ROWS))
    ]
    order = noise.permutation(noise.key(seed, salt="shuffle of hits"), slots)
    parts = reference_folds(np.concatenate(found)[order.numpy()], folds)
    return float(parts.mean()), float(parts.std())


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
    near = cosines(image_codes, own, others)
    return (near <= near[:, :1] + TIE).all(axis=1)


def cosines(image_codes, own, others) -> np.ndarray:
    """Measures how near each picture's texts are to it.

    Args:
        image_codes: (N, D) float. Where each picture lies among texts.
        own: (N, D) float. Its own text.
        others: (N, R, D) float. The texts of others that it chooses from.

    Returns:
        (N, 1 + R) float64, that of the own text first.

    Raises:
        ValueError: if shapes do not fit or a value is not finite.

    Source:
        DM-GAN's published evaluation: the product of lengths is 1e-8 or more.
    """
    images = _table("image_codes", image_codes)
    own = _table("own", own)
    others = np.asarray(others, np.float64)
    fits = others.ndim == 3 and others.shape[::2] == own.shape
    if images.shape != own.shape or not fits:
        raise ValueError(
            "Pictures (N, D) are compared with texts (N, D) and (N, R, D); the "
            f"shapes are {images.shape}, {own.shape} and {others.shape}."
        )
    if not np.isfinite(others).all():
        raise ValueError("others must be finite; they are not.")
    texts = np.concatenate([own[:, None], others], axis=1)
    lengths = np.linalg.norm(texts, axis=2)
    lengths *= np.linalg.norm(images, axis=1)[:, None]
    return np.einsum("nd,nrd->nr", images, texts) / np.maximum(lengths, 1e-8)


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


def warn_if_trained(
    judges: Mapping[str, str], trained: Mapping[str, str]
) -> list[str]:
    """Warns of judges that the generator was trained to please.

    Args:
        judges: name -> digest of the networks that judge.
        trained: name -> digest of those in the generator's training loss.

    Returns:
        The judges that are among those trained with, by name.
    """
    taught = {digest: name for name, digest in trained.items() if digest}
    found = [name for name, digest in judges.items() if digest in taught]
    for name in found:
        warnings.warn(
            f"The judge {name!r} was in the generator's training loss (as "
            f"{taught[judges[name]]!r}): its figures say how well the loss "
            "was pleased and can exceed those of real pictures. Judge by a "
            "network that took no part.",
            stacklevel=2,
        )
    return found


def _check_places(images, texts, slots, candidates) -> None:
    if images.shape != texts.shape:
        raise ValueError(
            "Each picture needs one text; the codes have shapes "
            f"{images.shape} and {texts.shape}."
        )
    if candidates < 2:
        raise ValueError(
            f"R-precision needs 2 texts to choose from or more; got "
            f"{candidates}."
        )
    if len(images) < slots:
        raise ValueError(
            f"The reference judges {slots:,} pictures; there are "
            f"{len(images):,}. Figures of fewer, by `slots`, can't be laid "
            "beside published ones."
        )
    for name, rows in (("image_codes", images), ("text_codes", texts)):
        empty = ~rows[:slots].any(axis=1)
        if empty.any():
            raise ValueError(
                f"{name} must not be zero, which would be as near to one text "
                f"as to any other; row {int(np.argmax(empty))} is."
            )


def _checked(name: str, classes, count: int) -> np.ndarray:
    classes = np.asarray(classes)
    if classes.shape != (count,):
        raise ValueError(
            f"{name} must hold one class a row, {count}; the shape is "
            f"{classes.shape}."
        )
    return classes


def _numbered(classes, count: int) -> np.ndarray:
    """Numbers classes from 0, so that they can be counted."""
    classes = _checked("classes", classes, count)
    return np.unique(classes, return_inverse=True)[1]


def _check_enough(classes, count: int, candidates: int) -> None:
    """Checks that each class leaves enough texts of others to draw."""
    if classes is None:
        return
    largest = int(np.bincount(classes).max())
    if count - largest < candidates - 1:
        raise ValueError(
            f"R-precision among {candidates} texts needs {candidates - 1} of "
            f"other classes; the largest class has {largest} of {count} "
            f"pictures, which leaves {count - largest}."
        )


def _from_other_classes(classes, pool_classes, wanted, seed) -> np.ndarray:
    """Draws rows of a pool, with replacement, each class's own left out.

    Sorted by class, those of one class lie together: a draw among the rest is
    one among fewer places that steps over them.
    """
    order = np.argsort(pool_classes, kind="stable")
    ranked = pool_classes[order]
    start = np.searchsorted(ranked, classes, "left")[:, None]
    own = np.searchsorted(ranked, classes, "right")[:, None] - start
    rest = len(ranked) - own
    if not rest.all():
        name = classes[int(np.argmin(rest))]
        raise ValueError(
            f"R-precision needs texts of other classes than {str(name)!r}; "
            f"all {len(ranked)} are of that one."
        )
    key = noise.key(seed, salt="mismatching texts")
    draws = noise.uniform(key, (len(classes), wanted), dtype="float64").numpy()
    places = (draws * rest).astype(np.int64)
    return order[places + own * (places >= start)]


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


def _others(rows, count: int, wanted: int, seed: int, classes) -> np.ndarray:
    """Draws for each row `wanted` of the other rows, none twice."""
    key = noise.key(seed, int(rows[0]), "r_precision")
    draws = noise.uniform(key, (len(rows), count - 1)).numpy()
    every = np.arange(count - 1)
    # Draws are multiples of 2^-23; of equal ones the first is the lesser.
    places = (draws * 2.0**23).astype(np.int64) * count + every
    if classes is not None:
        other = every + (every >= rows[:, None])
        places[classes[other] == classes[rows, None]] = 2**62
    others = np.argpartition(places, wanted - 1, axis=1)[:, :wanted]
    return others + (others >= rows[:, None])
