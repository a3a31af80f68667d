"""How well pictures find their captions, and captions their pictures."""

import numpy as np

from keras_t2i.metrics import r_precision
from keras_t2i.metrics import rows as tables

_ROWS = 512  # compared with all others at once


def recall(images, texts, owners=None, ks=(1, 5, 10)) -> dict[str, float]:
    """Measures how often the own partner is among the nearest.

    With it an epoch of a pair of readers is chosen without training a
    generator on each.

    Args:
        images: (N, D) float. Vectors of pictures.
        texts: (M, D) float. Vectors of captions, in the same space.
        owners: (M,) int. Which picture each caption belongs to; None where
            caption i belongs to picture i.
        ks: how many of the nearest are looked at; those above the number of
            rows to choose from are left out.

    Returns:
        "image_to_text_r<k>", share of pictures with a caption of their own
        among the k nearest ones; "text_to_image_r<k>", share of captions
        whose picture is among the k nearest. In [0, 1]; by cosine. Of equally
        near rows each is as likely to come first.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or a picture
            has no caption.

    Source:
        Karpathy and Fei-Fei 2015, section 4.1, arXiv:1412.2306. Ours differs:
        ties are shared instead of going to whoever stands first.
    """
    images, texts = tables.pair(images, texts, least=1)
    owners = _owners(owners, len(images), len(texts))
    images, texts = _unit(images), _unit(texts)
    told = [np.flatnonzero(owners == row) for row in range(len(images))]
    found = {}
    for name, queries, among, own in (
        ("image_to_text", images, texts, told),
        ("text_to_image", texts, images, owners[:, None]),
    ):
        sizes = [k for k in ks if k <= len(among)]
        hits = _hits(queries, among, own, sizes)
        found |= {
            f"{name}_r{k}": hit for k, hit in zip(sizes, hits, strict=True)
        }
    return found


def _hits(queries, among, own, ks) -> list[float]:
    """Mean chance, for each k, that an own row is among the k nearest."""
    total = np.zeros(len(ks))
    for start in range(0, len(queries), _ROWS):
        near = queries[start : start + _ROWS] @ among.T
        for line, mine in zip(near, own[start : start + _ROWS], strict=True):
            best = line[mine].max()
            ahead = int((line > best + r_precision.TIE).sum())
            level = int((line >= best - r_precision.TIE).sum()) - ahead
            good = int((line[mine] >= best - r_precision.TIE).sum())
            total += [_chance(k - ahead, good, level) for k in ks]
    return [float(x) for x in total / len(queries)]


def _chance(seats, good, level) -> float:
    """Chance that one of `good` of `level` equal rows gets a seat."""
    if seats <= 0:
        return 0.0
    bad, missed = level - good, 1.0
    for taken in range(min(seats, level)):
        missed *= max(bad - taken, 0) / (level - taken)
    return 1.0 - missed


def _unit(vectors) -> np.ndarray:
    vectors = np.float64(vectors)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def _owners(owners, images, texts) -> np.ndarray:
    if owners is None:
        if images != texts:
            raise ValueError(
                f"There are {images} pictures and {texts} captions; say with "
                "owners which belong together."
            )
        return np.arange(images)
    owners = np.asarray(owners)
    if owners.shape != (texts,) or owners.dtype.kind not in "iu":
        raise ValueError(
            f"owners have shape {owners.shape} and type {owners.dtype}; "
            f"allowed: {texts} whole numbers."
        )
    missing = np.setdiff1d(np.arange(images), owners)
    strange = np.setdiff1d(owners, np.arange(images))
    if len(missing) or len(strange):
        raise ValueError(
            f"Picture {missing[0]} has no caption."
            if len(missing)
            else f"owners name picture {strange[0]} of {images}."
        )
    return owners
