"""Judges candidates on one scale and says with each figure how it was made."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import version
from keras_t2i.metrics import colours, diversity, features, r_precision, tfgan

#: Draws of other pictures' texts over which R-precision is averaged.
DRAWS = (0, 1, 2)

#: Noises between which diversity is measured.
NOISES = (0, 1, 2, 3)

#: Half the least width of a figure's interval: what rounding on another
#: processor may move. A share of the value, or two pictures in two hundred.
LEAST_SHARE = 0.01
LEAST = {"kid": 0.002, "r_precision": 0.01, "colour_truth": 0.01}


class Judge:
    """Measures candidates against one set of training pictures.

    Each row it yields is a dict fit for JSON: `candidate`, `name` of the
    figure with the networks that made it, `value` (mean of `values`, one a
    seed), their `std`, the `interval` within which a repetition must fall (3
    standard deviations, at least `LEAST` and `LEAST_SHARE`), and the
    `protocol`, the card that says how it was made.

    Args:
        reference: yields (B, H, W, 3) uint8, the training pictures; read once.
        sentences: (N, D) float. Mean sentence vector of each one's captions;
            None if nobody reads them, which leaves R-precision out.
        extractor: network of `features.extract`, which also has the strings
            `name` (Python identifier), `digest` and `resize`.
        text_encoder: what made all sentence vectors; has the strings `name`
            and `digest`. None without.
        protocol: facts that every card repeats: data set, splits, digests.
        cache: folder of `features.extract` for the training pictures.
    """

    def __init__(
        self,
        reference: Iterable,
        sentences: np.ndarray | None,
        extractor: Callable,
        text_encoder,
        protocol: Mapping,
        cache: str | os.PathLike | None = None,
    ):
        self.extractor = extractor
        self.reference = features.extract(reference, extractor, cache)["pooled"]
        self.bridge = None
        if sentences is not None:
            self.bridge = r_precision.ridge(self.reference, sentences)
        self._text_encoder = text_encoder
        self._protocol = {
            **protocol,
            "image_network": {
                "name": extractor.name,
                "digest": extractor.digest,
                "resize": extractor.resize,
            },
            "versions": versions(),
        }

    def pictures(
        self,
        candidate: str,
        streams: Mapping[int, Iterable],
        texts: np.ndarray | None,
        **about,
    ) -> Iterator[dict]:
        """Measures pictures of given texts: FID, KID, IS and R-precision.

        Args:
            candidate: what the pictures are, a row's name in the table.
            streams: seed of the noise -> batches (B, H, W, 3) uint8, N
                pictures in all, read once. One entry for pictures without.
            texts: (N, D) float. Sentence vector of each picture's caption;
                None leaves R-precision out.
            **about: what else the card shall say: generator, moves.

        Yields:
            Four rows, three without texts.

        Raises:
            ValueError: if there are not as many pictures as texts, or not as
                many in each stream.
        """
        vectors = [
            features.extract(batches, self.extractor)
            for batches in streams.values()
        ]
        pooled = [found["pooled"] for found in vectors]
        count = len(pooled[0] if texts is None else texts)
        for found in pooled:
            if len(found) != count:
                raise ValueError(
                    f"{candidate!r} has {len(found)} pictures for {count} "
                    "texts; each needs one."
                )
        card = {
            **about,
            "seeds": list(streams),
            "counts": {
                "reference": len(self.reference),
                "candidate": count,
            },
        }
        network = self.extractor.name
        yield self._row(
            candidate,
            f"fid_{network}",
            [tfgan.fid(self.reference, x) for x in pooled],
            card,
        )
        yield self._row(
            candidate,
            f"kid_{network}",
            [tfgan.kid(self.reference, x) for x in pooled],
            card,
        )
        yield self._row(
            candidate,
            f"is_{network}",
            [tfgan.inception_score(found["logits"]) for found in vectors],
            card,
        )
        if texts is not None:
            yield self._r_precision(candidate, pooled, texts, card)

    def prompts(
        self,
        candidate: str,
        generate: Callable,
        captions: Sequence[str],
        *,
        truth: bool = True,
        **about,
    ) -> Iterator[dict]:
        """Measures a generator by what it draws when asked.

        Args:
            candidate: what draws, a row's name in the table.
            generate: callable on (N captions, N seeds); answers (N, H, W, 3)
                uint8, row i drawn from caption i with the noise of seed i.
            captions: captions whose pictures are compared over noises.
            truth: whether colour truth is measured; it asks for things and
                colours of OpenMoji, which other data may not know.
            **about: what else the card shall say: generator, moves.

        Yields:
            Rows `colour_truth` if asked for, `diversity_pixels` (in grey
            levels) and `diversity_<network>` (in the unit of its features).
        """
        if truth:
            yield self._row(
                candidate,
                "colour_truth",
                list(colours.truth(generate)),
                {**about, "seeds": list(colours.SEEDS), "counts": _PROMPTS},
            )
        card = {
            **about,
            "seeds": list(NOISES),
            "counts": {"captions": len(captions), "noises": len(NOISES)},
        }
        for name, describe in (
            ("pixels", np.asarray),
            (self.extractor.name, self._describe),
        ):
            value = diversity.over_noises(generate, captions, NOISES, describe)
            yield self._row(candidate, f"diversity_{name}", [value], card)

    def real_colours(
        self,
        candidate: str,
        images: np.ndarray,
        captions: np.ndarray,
        /,
        **about,
    ) -> Iterator[dict]:
        """Measures colour truth of real pictures, where captions allow it.

        Args:
            candidate: what the pictures are, a row's name in the table.
            images: (N, H, W, 3) uint8.
            captions: (N, K) strings.
            **about: what else the card shall say.

        Yields:
            One row `colour_truth`; none if no caption names one colour.
        """
        right = colours.truth_of_real(images, captions)
        if len(right):
            card = {**about, "counts": {"captions": len(right)}}
            yield self._row(candidate, "colour_truth", [right.mean()], card)

    def _r_precision(self, candidate, pooled, texts, card) -> dict:
        candidates = min(r_precision.CANDIDATES, len(texts))
        found = [
            r_precision.over_seeds(
                self.bridge.pictures(x),
                self.bridge.texts(texts),
                DRAWS,
                candidates=candidates,
            )
            for x in pooled
        ]
        text = self._text_encoder
        card = {
            **card,
            "text_network": {"name": text.name, "digest": text.digest},
            "candidates": candidates,
            "draws": list(DRAWS),
        }
        return self._row(
            candidate,
            f"r_precision_{self.extractor.name}_{text.name}",
            [mean for mean, _ in found],
            card,
            std=found[0][1] if len(found) == 1 else None,
        )

    def _describe(self, drawn) -> np.ndarray:
        return features.extract([drawn], self.extractor)["pooled"]

    def _row(self, candidate, name, values, card, std=None) -> dict:
        values = [float(value) for value in values]
        value = float(np.mean(values))
        if std is None:
            std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        least = [half for kind, half in LEAST.items() if name.startswith(kind)]
        half = max(3.0 * std, LEAST_SHARE * abs(value), *least)
        return {
            "candidate": candidate,
            "name": name,
            "value": value,
            "values": values,
            "std": std,
            "interval": [value - half, value + half],
            "protocol": {**self._protocol, **card},
        }


_PROMPTS = {
    "colours": len(colours.COLOURS),
    "things": len(colours.NOUNS),
    "noises": len(colours.SEEDS),
}


def holds(claim: Mapping, measured: Mapping) -> bool:
    """Tells whether a repetition confirms a row of a card.

    Args:
        claim: the row on the card.
        measured: the row of the repetition, of the same name and candidate.

    Returns:
        True if the repetition's value lies within the claim's interval.
    """
    low, high = claim["interval"]
    return bool(low <= measured["value"] <= high)


def table(rows: Iterable[Mapping]) -> str:
    """Lays rows out for people: a line a candidate, a column a figure.

    Args:
        rows: rows of a `Judge`, any order.

    Returns:
        Markdown; "-" where a candidate has no such figure, and the standard
        deviation over seeds beside the value of several.
    """
    cells = {(row["candidate"], row["name"]): _cell(row) for row in rows}
    candidates = list(dict.fromkeys(candidate for candidate, _ in cells))
    names = list(dict.fromkeys(name for _, name in cells))
    lines = [["", *names], ["---"] * (len(names) + 1)]
    for candidate in candidates:
        found = [cells.get((candidate, name), "-") for name in names]
        lines.append([candidate, *found])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def versions() -> dict[str, str]:
    """Lists what computes the figures, and its versions."""
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "tensorflow-gan": tfgan.version(),
        "keras_t2i": version.VERSION,
    }


def _cell(row: Mapping) -> str:
    has_spread = row["std"] and len(row["values"]) > 1
    spread = f" ± {row['std']:.2g}" if has_spread else ""
    return f"{row['value']:.4g}{spread}"
