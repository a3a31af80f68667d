"""Judges candidates on one scale and says with each figure how it was made."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import version
from keras_t2i.metrics import (
    colours,
    diversity,
    features,
    inception_score,
    kernel,
    moments,
    neighbours,
    protocols,
    r_precision,
    statistics,
    subsamples,
    tfgan,
)
from keras_t2i.ops import files, noise

#: Draws of other pictures' texts over which R-precision is averaged.
DRAWS = (0, 1, 2)

#: Noises between which diversity is measured.
NOISES = (0, 1, 2, 3)

#: Half the least width of a figure's interval: what rounding on another
#: processor may move. A share of the value, or two pictures in two hundred.
LEAST_SHARE = 0.01
LEAST = {
    "kid": 0.002,
    "precision": 0.01,
    "recall": 0.01,
    "density": 0.02,
    "coverage": 0.01,
    "r_precision": 0.01,
    "colour_truth": 0.01,
}

#: Figures of neighbours, and how many of them a set must exceed.
NEIGHBOURS = ("precision", "recall", "density", "coverage")
NEAREST = 5
_MANY = 10_000  # pictures above which TF-GAN's functions need gigabytes
_LEAST_SAMPLED = 20  # pictures, of which halves are measured
_ENOUGH = 1000  # pictures of which FID for endlessly many may be told


class Judge:
    """Measures candidates against one set of real pictures.

    Each row it yields is a dict fit for JSON: `candidate`, `name` of the
    figure with the protocol or network that made it, `value` (mean of
    `values`, one a seed), their `std` (of one seed: over the parts of the
    inception score, over R-precision's draws), the `interval` within which a
    repetition must fall (3 standard deviations, at least `LEAST` and
    `LEAST_SHARE`), `sampling` (the 95 % interval of what would be expected of
    as many other pictures, from 20 subsamples of the first seed; None where
    nobody asked) and the `protocol`, the card that says how it was made.

    Args:
        reference: yields (B, H, W, 3) uint8, the real pictures, read once; or
            their `statistics.Statistics`; or None for a protocol whose figures
            compare with nothing.
        sentences: (N, D) float. Mean sentence vector of the captions of each
            training picture; None if nobody reads them, which leaves
            R-precision out.
        extractor: network of `features.extract`, which also has the strings
            `name` (Python identifier), `digest` and `resize`.
        text_encoder: what made all sentence vectors; has the strings `name`
            and `digest`. None without.
        protocol: facts that every card repeats: data set, splits, digests.
        cache: folder of `features.extract`.
        ruler: the protocol that is followed.
        training: yields the N pictures that `sentences` belong to, on which a
            map from one to the other is fitted; None if they are the
            reference.
        matcher: brings features and sentence vectors to one place, as
            `r_precision.Bridge` does with `pictures` and `texts`, or looks at
            pictures itself, as `r_precision.Readers`, whose text side is then
            the text_encoder; None fits one to training pictures and
            sentences.
        fast: use this library's own streaming moments instead of TF-GAN's
            functions: the same to 1e-6, several times faster. Above 10,000
            pictures they always are.
        sampling: whether intervals are measured.
        trained_with: name -> digest of the networks in the generator's
            training loss. A judge among them is warned of, and its rows'
            cards say so.

    Attributes:
        statistics: of the real pictures; None without.
        training: (N, C) float32 features of the training pictures, or None.
        bridge: the matcher; None where nobody reads. Ask it by `vectors`.

    Raises:
        ValueError: if the protocol compares with real pictures and there are
            none, if all are alike, or if statistics are of another network.
    """

    def __init__(
        self,
        reference: Iterable | statistics.Statistics | None,
        sentences: np.ndarray | None,
        extractor: Callable,
        text_encoder,
        protocol: Mapping,
        cache: str | os.PathLike | None = None,
        *,
        ruler: protocols.Protocol = protocols.PRESETS["offline"],
        training: Iterable | None = None,
        matcher=None,
        fast: bool = False,
        sampling: bool = False,
        trained_with: Mapping[str, str] | None = None,
    ):
        self.extractor, self.ruler = extractor, ruler
        self._reader = getattr(matcher, "network", None)
        self._text_encoder = text_encoder
        self._fast, self._sampling = fast, sampling
        self._protocol = {
            **protocol,
            **ruler.card(),
            "image_network": {
                "name": extractor.name,
                "digest": extractor.digest,
                "resize": extractor.resize,
            },
            "kernel_block": tfgan.BLOCK,
            "neighbours": [3, NEAREST],
            "intervals": sampling,
            "versions": versions(),
        }
        if self._reader:
            both = {"image": self._reader, "text": text_encoder}
            self._protocol["matcher"] = {k: x.digest for k, x in both.items()}
        networks = filter(None, (extractor, text_encoder, self._reader))
        judges = {network.name: network.digest for network in networks}
        taught = r_precision.warn_if_trained(judges, trained_with or {})
        if taught:
            self._protocol["trained_with"] = taught
        self.statistics = self._statistics(reference, cache)
        self.training = self.reference
        if training is not None:
            self.training = self._looked(training, cache)
        self.bridge = matcher
        if matcher is None and sentences is not None:
            self.bridge = r_precision.ridge(self.training, sentences)

    def _statistics(self, reference, cache):
        if isinstance(reference, statistics.Statistics):
            self._check_card(reference)
            return reference
        if reference is None:
            if self.ruler.compares:
                raise ValueError(
                    f"Protocol {self.ruler.name} compares with real pictures, "
                    "or their statistics; there are none."
                )
            return None
        found = self._looked(reference, cache)
        if _are_alike(found):
            raise ValueError(_COPIES.format("The real pictures"))
        return statistics.Statistics.of(found, self._protocol)

    def _check_card(self, imported):
        """Refuses statistics by another network; names those of nobody."""
        theirs = imported.card.get("image_network")
        if not imported.card:
            self._protocol["statistics"] = imported.digest
        elif theirs != self._protocol["image_network"]:
            raise ValueError(
                f"The statistics were made by {theirs}; this protocol's "
                f"network is {self._protocol['image_network']}."
            )

    @property
    def reference(self) -> np.ndarray | None:
        """(N, C) float32 features of the real pictures, where they are kept."""
        return self.statistics and self.statistics.features

    @property
    def _real(self) -> int | None:
        """How many real pictures; None without, or if nobody knows."""
        return self.statistics and self.statistics.count

    def read(self, batches: Iterable, cache=None) -> dict[str, np.ndarray]:
        """Shows pictures to the network, as the protocol wants it.

        Args:
            batches: yields (B, H, W, 3) pictures or `features.Later`.
            cache: folder of `features.extract`, or None.

        Returns:
            name -> (N, C) float32; "code" is what a matcher says that looks
            at pictures itself.
        """
        shown = self.ruler.shown(batches)
        if self._reader is None:
            return features.extract(shown, self.extractor, cache)
        both, kept = _Both(self.extractor, self._reader), features.KEPT
        return features.extract(shown, both, cache, (*kept, "code"))

    def _looked(self, batches, cache=None) -> np.ndarray:
        """What the protocol's network alone says of pictures."""
        shown = self.ruler.shown(batches)
        return features.extract(shown, self.extractor, cache)["pooled"]

    def vectors(
        self, found: Mapping[str, np.ndarray], texts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Brings pictures and texts to one place.

        Args:
            found: what `read` gave for N pictures.
            texts: (N, D) float. Sentence vectors.

        Returns:
            (N, E) float64 each; nearer ones fit better.
        """
        seen = found["pooled" if self._reader is None else "code"]
        return self.bridge.pictures(seen), self.bridge.texts(texts)

    def pictures(
        self,
        candidate: str,
        streams: Mapping[int, Iterable],
        texts: np.ndarray | None,
        **about,
    ) -> Iterator[dict]:
        """Measures pictures of given texts.

        Args:
            candidate: what the pictures are, a row's name in the table.
            streams: seed of the noise -> batches (B, H, W, 3) uint8, N
                pictures in all, read once. One entry for pictures without.
            texts: (N, D) float. Sentence vector of each picture's caption;
                None leaves R-precision out.
            **about: what else the card shall say: generator, moves.

        Yields:
            The rows of `figures`.

        Raises:
            ValueError: as `figures`.
        """
        found = {seed: self.read(stream) for seed, stream in streams.items()}
        yield from self.figures(candidate, found, texts, **about)

    def figures(
        self,
        candidate: str,
        found: Mapping[int, Mapping[str, np.ndarray]],
        texts: np.ndarray | None,
        classes: np.ndarray | None = None,
        *,
        may_be_alike: bool = False,
        **about,
    ) -> Iterator[dict]:
        """Measures pictures that were read before.

        Args:
            candidate: what the pictures are, a row's name in the table.
            found: seed of the noise -> what `read` gave.
            texts: (N, D) float. Sentence vector of each picture's caption;
                None leaves R-precision out.
            classes: (N,) class of each picture; R-precision's wrong texts are
                then of other classes.
            may_be_alike: whether copies of one picture, as a collapsed
                generator draws them, are measured; their card says so.
            **about: what else the card shall say: generator, moves.

        Yields:
            A row a figure of the protocol; those that `lacking` names are left
            out.

        Raises:
            ValueError: if there are not as many pictures as texts, not as
                many for each seed, or if all are alike.
        """
        pooled = [one["pooled"] for one in found.values()]
        alike = any(map(_are_alike, pooled))
        if alike and not may_be_alike:
            raise ValueError(_COPIES.format(f"The pictures of {candidate!r}"))
        count = len(pooled[0] if texts is None else texts)
        for rows in pooled:
            if len(rows) != count:
                raise ValueError(
                    f"{candidate!r} has {len(rows)} pictures for {count} "
                    "texts; each needs one."
                )
        card = {
            **about,
            **({"alike": True} if alike else {}),
            "seeds": list(found),
            "counts": {
                "reference": self._real,
                "candidate": count,
            },
        }
        logits = [one["logits"] for one in found.values()]
        for name, values, more in self._measured(pooled, logits):
            name = f"{name}_{self._label}"
            row = self._row(candidate, name, values, card, more.get("std"))
            yield row | {"sampling": more.get("sampling")}
        is_asked = texts is not None and "r_precision" in self.ruler.figures
        if is_asked and _texts(count, classes) > 1:
            some = list(found.values())
            yield self._r_precision(candidate, some, texts, classes, card)

    @property
    def _label(self):
        """The protocol's; that of no network's weights says so."""
        if self.ruler.name == "offline":
            return self.extractor.name
        is_random = self.extractor.name.endswith("_random")
        return f"{self.ruler.label}{'_random' if is_random else ''}"

    def lacking(self, count: int) -> dict[str, str]:
        """Lists figures of the protocol that can't be made, and why.

        Args:
            count: how many pictures there are to judge.

        Returns:
            Name of a figure that `figures` leaves out -> a phrase.
        """
        real, kept = self._real or 0, self.reference is not None
        blocks = -(-max(real, count) // tfgan.BLOCK)
        least = {
            "kid": 2 * blocks,
            "is": 2 * self.ruler.splits,
            **dict.fromkeys(NEIGHBOURS, NEAREST + 1),
        }
        found = {}
        for name in self.ruler.figures:
            need = least.get(name, 0)
            compares = name in ("kid", *NEIGHBOURS)
            if compares and not kept:
                found[name] = "the statistics hold no features"
            elif compares and real < need:
                found[name] = f"it needs {need:,} real pictures, not {real:,}"
            elif count < need:
                found[name] = f"it needs {need:,} pictures, not {count:,}"
        if self.bridge is None and "r_precision" in self.ruler.figures:
            found["r_precision"] = "there are no captions of real pictures"
        return found

    def _measured(self, pooled, logits):
        """Yields name, values, std and sampling of figures without texts."""
        lacking = self.lacking(len(pooled[0]))
        asked = [name for name in self.ruler.figures if name not in lacking]
        for name, measure, tables in self._measures(asked, pooled, logits):
            found = [measure(rows, self._fast) for rows in tables]
            values = [float(np.mean(parts)) for parts in found]
            more = {"sampling": self._sampled(measure, tables[0], values)}
            if len(found) == 1 and np.size(found[0]) > 1:
                more["std"] = float(np.std(found[0]))
            yield name, values, more
        asked = [name for name in NEIGHBOURS if name in asked]
        if asked:
            found = [neighbours.prdc(self.reference, rows) for rows in pooled]
            for name in asked:
                yield name, [one[name] for one in found], {}
        width = pooled[0].shape[1]
        is_enough = len(pooled[0]) >= max(_ENOUGH, 2 * width)
        if self._sampling and "fid" in self.ruler.figures and is_enough:
            # Below as many rows as features the way to the limit is no line.
            least = max(len(pooled[0]) // 6, width)
            yield "fid_infinity", [self._limit(x, least) for x in pooled], {}

    def _limit(self, rows, least):
        real = self.statistics.moments
        return subsamples.fid_infinity(real, rows, least=least).value

    def _measures(self, asked, pooled, logits):
        """Yields name, function of rows and the rows for each noise."""
        if "fid" in asked:
            yield "fid", self._fid, pooled
        if "kid" in asked:
            yield "kid", self._kid, pooled
        if "is" in asked:
            yield "is", self._inception_score, logits

    def _fid(self, rows, fast):
        if fast or self.reference is None or len(rows) > _MANY:
            found = moments.Moments.of(rows)
            return moments.frechet_distance(self.statistics.moments, found)
        return tfgan.fid(self.reference, rows)

    def _kid(self, rows, fast):
        is_fast = fast or len(rows) > _MANY
        measure = kernel.over_blocks if is_fast else tfgan.kid
        return measure(self.reference, rows)

    def _inception_score(self, logits, fast):
        """Scores of the parts, whose rows are dealt by chance."""
        logits, splits = logits[:, self.ruler.skipped :], self.ruler.splits
        if splits > 1:
            key = noise.key(0, salt="inception score")
            logits = logits[noise.permutation(key, len(logits)).numpy()]
        parts = inception_score.of_logits if fast else tfgan.inception_scores
        return parts(logits, splits)

    def _sampled(self, measure, rows, values) -> dict | None:
        """How sure the mean of the values is; always fast."""
        # Half of them must fill the blocks of the kernel distance, by twos.
        blocks = -(-(self._real or 1) // tfgan.BLOCK)
        if not self._sampling or len(rows) < max(_LEAST_SAMPLED, 5 * blocks):
            return None
        found = subsamples.interval(
            lambda some: np.mean(measure(rows[some], True)), len(rows)
        )
        reach, value = (found.high - found.low) / 2.0, float(np.mean(values))
        low, high = value - reach, value + reach
        return {"low": low, "high": high, "error": found.error}

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

    def _r_precision(self, candidate, seen, texts, classes, card) -> dict:
        candidates = min(r_precision.CANDIDATES, _texts(len(texts), classes))
        is_reference = self.ruler.retrieval == "reference"
        measure = _by_reference if is_reference else _by_draws
        found = [
            measure(*self.vectors(one, texts), classes, candidates)
            for one in seen
        ]
        reader, label = self._text_encoder, self._label
        if self._reader:
            looked = {"name": self._reader.name, "digest": self._reader.digest}
            card = {**card, "image_network": looked}
            if self.ruler.name == "offline":
                label = self._reader.name
        card = {
            **card,
            "text_network": {"name": reader.name, "digest": reader.digest},
            "candidates": candidates,
            "wrong_texts": "any" if classes is None else "of other classes",
            "draws": [0] if is_reference else list(DRAWS),
        }
        return self._row(
            candidate,
            f"r_precision_{label}_{reader.name}",
            [mean for mean, _ in found],
            card,
            std=found[0][1] if len(found) == 1 else None,
        )

    def _describe(self, drawn) -> np.ndarray:
        return self._looked([drawn])

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


class _Both:
    """Shows pictures to the protocol's network and to a matcher's."""

    def __init__(self, extractor, reader):
        self.digest = files.digest("both", extractor.digest, reader.digest)
        self._networks = extractor, reader

    def __call__(self, images):
        extractor, reader = self._networks
        return {**extractor(images), "code": reader(images)["code"]}


_COPIES = "{} are all alike; no figure is made of copies of one picture."


def _are_alike(rows) -> bool:
    """Whether features are those of copies of one picture."""
    return bool(np.ptp(rows, axis=0).max() <= 1e-6 * np.abs(rows).max())


def _texts(count, classes):
    """How many texts every picture has to choose from, its own included."""
    if classes is None:
        return count
    return count - int(np.unique(classes, return_counts=True)[1].max()) + 1


def _by_draws(images, texts, classes, candidates):
    return r_precision.over_seeds(
        images, texts, DRAWS, candidates=candidates, classes=classes
    )


def _by_reference(images, texts, classes, candidates):
    return r_precision.reference(
        images,
        texts,
        classes,
        seed=0,
        candidates=candidates,
        slots=len(texts),
    )


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
    sampling = row.get("sampling")
    if sampling:
        spread += f" [{sampling['low']:.4g}, {sampling['high']:.4g}]"
    return f"{row['value']:.4g}{spread}"
