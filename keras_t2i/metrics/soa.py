"""How often a detector finds in pictures the things that their captions name.

Semantic object accuracy. The detector is the caller's: a callable on pictures
(B, H, W, 3) uint8 that answers, for each picture, the names of the COCO labels
it finds there. The paper's is YOLOv3 with Darknet's weights, pictures of 256
pixels, confidence 0.5, overlap 0.4; figures of another are not comparable.
"""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from keras_t2i.metrics import soa_phrases
from keras_t2i.ops import noise

#: The 80 labels of COCO's objects, in COCO's order.
LABELS = tuple(soa_phrases.PUBLISHED)

#: Pictures of each caption, and captions, once each, of the first label.
PICTURES, PERSONS = 3, 30_000


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Tells how often the labels were found.

    Attributes:
        by_label: label -> share of its pictures in which it was found.
        counts: label -> how many pictures it has; none has 0.
        missing: labels without pictures; they count nowhere.
        classes: SOA-C, the mean of `by_label`.
        images: SOA-I, the share over all pictures of all labels.
        top, bottom: mean of `by_label` over the half of the labels with the
            most pictures and over the other half (the 40 most frequent and 40
            rarest where all are present). Of an odd number, the larger half
            is the upper one. None for a single label.
    """

    by_label: dict[str, float]
    counts: dict[str, int]
    missing: tuple[str, ...]
    classes: float
    images: float
    top: float | None
    bottom: float | None


def captions_by_label(
    captions: Sequence[str],
    phrases: Mapping[str, tuple] = soa_phrases.PUBLISHED,
) -> dict[str, np.ndarray]:
    """Finds the captions that name each label.

    Args:
        captions: N strings.
        phrases: label -> (phrases of which a caption holds one, phrases of
            which it holds none), all in lower case, spaces included.

    Returns:
        Label -> rows of its captions, ascending. A label that no caption
        names is left out; a caption may be of several labels, or of none.

    Raises:
        ValueError: if no caption names any label, or one is unknown.

    Source:
        Hinz et al. 2020, section 4, arXiv:1910.13321; the phrases of
        `soa_phrases` repeat the authors' published choice, slips included.
    """
    texts = [caption.lower() for caption in captions]
    found = {}
    for label, (chosen, ruled_out) in phrases.items():
        rows = [
            row
            for row, text in enumerate(texts)
            if any(phrase in text for phrase in chosen)
            and not any(phrase in text for phrase in ruled_out)
        ]
        if rows:
            found[_known(label)] = np.array(rows)
    if not found:
        raise ValueError(
            f"None of {len(texts):,} captions names one of the "
            f"{len(phrases)} labels; there is nothing to look for."
        )
    return found


def accuracy(found: Mapping[str, Sequence[bool]]) -> Accuracy:
    """Averages what was found.

    Args:
        found: label -> (n,) whether it was found in each of its pictures; a
            label with n = 0, or left out, is missing.

    Returns:
        The averages over the labels that are present.

    Raises:
        ValueError: if a label is unknown, or none has pictures.

    Source:
        Hinz et al. 2020, section 4.2, arXiv:1910.13321; the authors' code
        (SOA/calculate_soa.py).
        Ours differs: that code averages over the folders it finds and counts
        an empty one as 0; its halves are the first 40 and the rest, each
        divided by half the folders, which skews both where some are missing.
        Equal where all 80 labels have pictures.
    """
    found = {_known(label): seen for label, seen in found.items()}
    shares, counts = {}, {}
    for label in LABELS:
        seen = np.asarray(found.get(label, ()), bool)
        if seen.size:
            shares[label] = float(seen.mean())
            counts[label] = seen.size
    if not shares:
        raise ValueError("SOA needs pictures of one label or more; got none.")
    values = np.array(list(shares.values()))
    weights = np.array(list(counts.values()))
    order = np.argsort(weights, kind="stable")
    half = len(values) // 2
    return Accuracy(
        by_label=shares,
        counts=counts,
        missing=tuple(label for label in LABELS if label not in shares),
        classes=float(values.mean()),
        images=float(values @ weights / weights.sum()),
        top=float(values[order[half:]].mean()) if half else None,
        bottom=float(values[order[:half]].mean()) if half else None,
    )


def measure(
    generate: Callable,
    captions: Sequence[str],
    detector: Callable,
    **others,
) -> Accuracy:
    """Draws the protocol's pictures and measures them.

    Args:
        generate: as in `found_by_label`.
        captions: as in `found_by_label`; the paper's are all of COCO's
            validation part of 2014.
        detector: as in `found_by_label`.
        **others: as in `found_by_label`.

    Returns:
        The averages.
    """
    return accuracy(
        dict(found_by_label(generate, captions, detector, **others))
    )


def found_by_label(
    generate: Callable,
    captions: Sequence[str],
    detector: Callable,
    *,
    seed: int = 0,
    labels: Sequence[str] = LABELS,
    pictures: int = PICTURES,
    persons: int = PERSONS,
    batch_size: int = 32,
    phrases: Mapping[str, tuple] = soa_phrases.PUBLISHED,
) -> Iterator[tuple[str, np.ndarray]]:
    """Draws the pictures of one label after the other and looks at them.

    Args:
        generate: callable on (B captions, B seeds); answers (B, H, W, 3)
            uint8, row i drawn from caption i with the noise of seed i.
        captions: N strings, of which each label's are chosen.
        detector: callable on (B, H, W, 3) uint8; answers for each picture the
            labels in it, a collection of names.
        seed: key of the choice of persons' captions; picture i of the whole
            protocol has the noise of seed + i.
        labels: those to draw; a broken run goes on with the rest, as their
            noises depend on no other label.
        pictures: how many of each caption, persons' excepted.
        persons: how many captions name a person; one picture of each, drawn
            without replacement, or all if there are fewer.
        batch_size: pictures drawn at once.
        phrases: as in `captions_by_label`.

    Yields:
        A label and (n,) bool, whether it was found in each of its pictures.

    Raises:
        ValueError: if no caption names a label, if `generate` or `detector`
            does not answer as told, or a name is none of the 80 labels.
    """
    labels = {_known(label) for label in labels}
    start = seed
    chosen = captions_by_label(captions, phrases)
    for label, rows in chosen.items():
        if label == LABELS[0]:
            key = noise.key(seed, salt="captions of persons")
            order = noise.permutation(key, len(rows)).numpy()
            rows = rows[order[:persons]]
        else:
            rows = np.repeat(rows, pictures)
        seeds = np.arange(start, start + len(rows))
        start += len(rows)
        if label in labels:
            texts = [captions[row] for row in rows]
            batches = _drawn(generate, texts, seeds, batch_size)
            found = [label in names for names in _names(detector, batches)]
            yield label, np.array(found)


def approximate(
    captions: Sequence[str],
    batches: Iterable,
    detector: Callable,
    phrases: Mapping[str, tuple] = soa_phrases.PUBLISHED,
) -> Accuracy:
    """Measures pictures that are there already, one of each caption.

    Args:
        captions: N strings, for instance the 30,000 of an FID.
        batches: yields (B, H, W, 3) uint8, one picture for each caption, in
            order; read once. Those whose caption names no label are only
            counted.
        detector: as in `found_by_label`.
        phrases: as in `captions_by_label`.

    Returns:
        The averages; a picture counts for each label that its caption names.
        Not comparable with `measure`: other weights, fewer pictures of rare
        labels.

    Raises:
        ValueError: if there are not as many pictures as captions, or as in
            `found_by_label`.

    Source:
        Zhang et al. 2021 (XMC-GAN), arXiv:2101.04702, who take 30,000 random
        samples for LN-COCO and for ablations.
        Ours differs: they do not say how samples are shared among labels.
    """
    chosen = captions_by_label(captions, phrases)
    labels = [set() for _ in captions]
    for label, rows in chosen.items():
        for row in rows:
            labels[row].add(label)
    found = {label: [] for label in chosen}
    seen = 0
    for batch in batches:
        batch = np.asarray(batch)
        wanted = labels[seen : seen + len(batch)]
        seen += len(batch)
        if seen > len(labels):
            break
        some = [row for row, names in enumerate(wanted) if names]
        for row, names in zip(
            some, _names(detector, [batch[some]] if some else []), strict=True
        ):
            for label in wanted[row]:
                found[label].append(label in names)
    if seen != len(labels):
        came = "more" if seen > len(labels) else f"only {seen:,}"
        raise ValueError(
            f"Each of {len(labels):,} captions needs one picture; {came} came."
        )
    return accuracy(found)


def _drawn(generate, texts, seeds, size) -> Iterator[np.ndarray]:
    for start in range(0, len(texts), size):
        words = texts[start : start + size]
        drawn = np.asarray(generate(words, seeds[start : start + size]))
        if len(drawn) != len(words):
            raise ValueError(
                f"generate answered {len(drawn)} pictures for {len(words)} "
                "captions; each needs one."
            )
        yield drawn


def _names(detector, batches) -> Iterator[set[str]]:
    """Asks the detector, and checks what it says."""
    for batch in batches:
        if batch.dtype != np.uint8 or batch.ndim != 4:
            raise ValueError(
                "A detector is shown (B, H, W, 3) uint8; these pictures are "
                f"{batch.shape} {batch.dtype}."
            )
        answers = list(detector(batch))
        if len(answers) != len(batch):
            raise ValueError(
                f"The detector answered {len(answers)} times for "
                f"{len(batch)} pictures; each needs one answer."
            )
        for answer in answers:
            if isinstance(answer, str):
                raise ValueError(
                    "The detector must answer a collection of names for each "
                    f"picture; it answered the string {answer!r}."
                )
            yield {_known(name) for name in answer}


def _known(name: str) -> str:
    """Finds a label, under Darknet's name too."""
    label = soa_phrases.OTHER_NAMES.get(name, name)
    if label not in soa_phrases.PUBLISHED:
        near = difflib.get_close_matches(str(name), LABELS, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{name!r} is none of COCO's {len(LABELS)} labels.{hint}"
        )
    return label
