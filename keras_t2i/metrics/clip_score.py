"""How near pictures lie to their texts where one network reads both.

Any pair of readers will do whose vectors lie in one space; the figure means
little unless it is told with their names, the resize and the prompt. Where
the same network was in the generator's loss, the figure flatters: see
`r_precision.warn_if_trained`. The share of pictures that find their own text
by the same vectors, CLIP-R-precision, is `r_precision.r_precision`, or its
`reference` (Park et al. 2021, NeurIPS datasets and benchmarks).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

#: What the paper multiplies cosines with, so that they spread over [0, 1].
WEIGHT = 2.5

#: What the paper's code puts before each text.
PROMPT = "A photo depicts "


def cosines(image_vectors, text_vectors) -> np.ndarray:
    """Measures the angle of each picture and its text.

    Args:
        image_vectors: (N, D) float, N >= 1, any length but zero.
        text_vectors: (N, D) float. Row i is the text of picture i.

    Returns:
        (N,) float64 in [-1, 1]. Their mean is what GALIP reports as "CLIP
        score", without weight and clipping.

    Raises:
        ValueError: if shapes do not fit, or a row is zero or not finite.
    """
    images = _unit("image_vectors", image_vectors)
    texts = _unit("text_vectors", text_vectors)
    if images.shape != texts.shape:
        raise ValueError(
            "Each picture needs one text; the vectors have shapes "
            f"{images.shape} and {texts.shape}."
        )
    return np.clip(np.einsum("nd,nd->n", images, texts), -1.0, 1.0)


def scores(
    image_vectors, text_vectors, *, weight: float = WEIGHT
) -> np.ndarray:
    """Measures how well each picture fits its text.

    Args:
        image_vectors: as in `cosines`.
        text_vectors: as in `cosines`.
        weight: float > 0.

    Returns:
        (N,) float64 in [0, weight]: weight * max(cosine, 0).

    Raises:
        ValueError: as in `cosines`, or if `weight` is not positive.

    Source:
        Hessel et al. 2021, section 3, arXiv:2104.08718.
        Ours differs: the readers, and the `PROMPT` before texts, are the
        caller's; the paper has CLIP ViT-B/32.
    """
    if not 0 < weight < np.inf:
        raise ValueError(f"weight must be above 0 and finite; it is {weight}.")
    return weight * np.maximum(cosines(image_vectors, text_vectors), 0.0)


def score(image_vectors, text_vectors, *, weight: float = WEIGHT) -> float:
    """Averages `scores` over all pictures.

    Args:
        image_vectors: as in `cosines`.
        text_vectors: as in `cosines`.
        weight: as in `scores`.

    Returns:
        The CLIP score, in [0, weight]. Some print it times 100.
    """
    return float(scores(image_vectors, text_vectors, weight=weight).mean())


def of_pairs(
    images: Iterable,
    texts: Sequence[str],
    image_reader: Callable,
    text_reader: Callable,
    *,
    prompt: str = "",
) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures and their texts, a batch of each at a time.

    Args:
        images: yields (B, H, W, 3), N pictures in all; read once, one batch
            is held at a time.
        texts: N strings, in the order of the pictures.
        image_reader: callable on a batch; answers (B, D).
        text_reader: callable on a list of B strings; answers (B, D).
        prompt: what is put before each text, its space included.

    Returns:
        The vectors of the pictures and those of the texts, (N, D) float64.

    Raises:
        ValueError: if there are not as many pictures as texts, none, or a
            reader does not answer one finite vector for each.
    """
    read_images, read_texts, texts = [], [], list(texts)
    for rows, batch in _with_rows(images, len(texts)):
        words = [prompt + text for text in texts[rows]]
        read_images.append(_read("image_reader", image_reader, batch, rows))
        read_texts.append(_read("text_reader", text_reader, words, rows))
    return np.concatenate(read_images), np.concatenate(read_texts)


def _with_rows(batches, count: int) -> Iterator[tuple[slice, object]]:
    """Tells with each batch which rows it is, and that all rows came."""
    seen = 0
    for batch in batches:
        rows = slice(seen, seen + len(batch))
        seen = rows.stop
        if seen > count:
            raise ValueError(_uneven(f"more than {count:,}", count))
        yield rows, batch
    if seen < count or not count:
        raise ValueError(_uneven(f"{seen:,}", count))


def _uneven(pictures: str, texts: int) -> str:
    return (
        f"Each picture needs one text; {pictures} pictures came for "
        f"{texts:,} texts."
    )


def _read(name: str, reader: Callable, batch, rows: slice) -> np.ndarray:
    answer = np.asarray(reader(batch), np.float64)
    if answer.ndim != 2 or len(answer) != len(batch):
        raise ValueError(
            f"{name} must answer ({len(batch)}, D) for {len(batch)} rows; it "
            f"answered {answer.shape}."
        )
    _check_finite(name, answer, rows.start)
    return answer


def _unit(name: str, vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(
            f"{name} must be a table (N, D) with rows; the shape is "
            f"{vectors.shape}."
        )
    _check_finite(name, vectors, 0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(
            f"{name} must not be zero, which has no direction; row "
            f"{int(np.argmin(lengths))} is."
        )
    return vectors / lengths


def _check_finite(name: str, vectors, start: int) -> None:
    whole = np.isfinite(vectors).all(axis=1)
    if not whole.all():
        raise ValueError(
            f"{name} must be finite; row {start + int(np.argmin(whole))} is "
            "not."
        )
