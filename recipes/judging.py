"""Judges generators: what recipes.evaluate and the tools share."""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator

import numpy as np
from tqdm import tqdm

from keras_t2i import networks, serving, weights
from keras_t2i.data import catalog, pipeline, source
from keras_t2i.metrics import (
    evaluator,
    features,
    protocols,
    r_precision,
    statistics,
)
from keras_t2i.ops import files, resizing
from recipes import agreeing, asking, streams, trained, wiring

TRAINED = "trained generator"
REAL = {"train": "real test pictures", "test": "real training pictures"}
_SPLITS = ("train", "test")
_CHUNK = 32  # pictures decoded and looked at together
_OFFLINE = protocols.PRESETS["offline"]


@dataclasses.dataclass(frozen=True)
class How:
    """Says how a generator is judged.

    Attributes:
        seeds: noises each caption is drawn with.
        most: the most pictures of each part looked at; None for all.
        reference: "train" or "test", which pictures all are compared with;
            None for the protocol's.
        protocol: the ruler.
        network: the protocol's, as `weights.judges.load` gives it; None for
            the offline one.
        imported: statistics of the real pictures; None measures them.
        fast: this library's moments instead of TF-GAN's functions.
        sampling: intervals from subsamples, and FID without end.
        beside: whether the rows that give a scale are judged too.
        reader: what reads captions for R-precision, as `wiring.text_encoder`
            gives it; None for the generator's own.
        matcher: readers of captions and pictures that learned to agree, as
            `weights.readers.load` gives them, which R-precision asks instead;
            None fits a map to the training part.
        cache: folder that keeps what was drawn and seen, so that a broken
            evaluation goes on; None for none.
    """

    seeds: int = 3
    most: int | None = None
    reference: str | None = None
    protocol: protocols.Protocol = _OFFLINE
    network: Callable | None = None
    imported: statistics.Statistics | None = None
    fast: bool = False
    sampling: bool = False
    beside: bool = True
    reader: Callable | None = None
    matcher: weights.readers.Pair | None = None
    cache: str | None = None

    @property
    def against(self) -> str:
        """The part that all are compared with."""
        return self.reference or self.protocol.reference

    @property
    def compared(self) -> str:
        """What all are compared with, if it is no part: a card's word."""
        if self.imported is not None:
            return "statistics"
        return self.against if self.protocol.compares else "none"

    @functools.cached_property
    def judge(self):
        """The network that looks: `network`, else EfficientNet-Lite0."""
        return self.network or wiring.network()


def judge(found: trained.Trained, how: How | None = None, show=None, **more):
    """Judges a generator beside the rows that give its scores a scale.

    Args:
        found: what was trained.
        how: how.
        show: callable on (`evaluator.Judge`, `asking.Asked`, features of the
            trained generator's pictures of the first noise, dict), called
            once they are measured; or None.
        **more: entries of `How`, in place of `how`.

    Yields:
        Rows of `metrics.evaluator.Judge`.

    Raises:
        ValueError: if the protocol judges floats and a SavedModel, which
            gives bytes, was opened.
    """
    how = how or How(**more)
    _check_gives(found.painter, how.protocol)
    config, reader = found.config, how.reader or found.reader
    both = parts(config, how.most)
    train, test = both
    # Colour truth asks for what OpenMoji's captions name, in its colours.
    is_own = config.data.name == catalog.RECORDS
    _stage("captions, and features of the real pictures")
    asked = _asked(test, reader, how)
    bench = _judge(config, both, reader, how, _taught(found, how))
    print(
        f"Judging {_describe(config)}, after {found.card['moves']:,} moves: "
        f"{how.seeds} x {len(asked.captions):,} pictures against "
        f"{how.compared}."
    )
    tell_lacking(bench, len(asked.captions))
    is_read, own = reader.dim is not None, asked.sentences
    classes = _classes(test, asked, how.protocol)

    def measure(name, painter, moves):
        _stage(name)
        about = _about(config, painter, moves)
        seen = {}
        for seed in range(how.seeds):
            drawn = draw(painter, asked.captions, seed, how.protocol, about)
            drawn = _bar(drawn, len(asked.captions), f"seed {seed}")
            seen[seed] = bench.read(drawn, how.cache)
        yield from bench.figures(
            name, seen, own, classes, may_be_alike=True, **about
        )
        if show is not None and name == TRAINED:
            show(bench, asked, seen[0])
        if not is_read or how.protocol.name != _OFFLINE.name:
            return
        yield from bench.prompts(
            name,
            _generate(painter),
            config.samples.captions,
            truth=not is_own,
            **about,
        )

    if how.beside:
        own_reader = found.reader
        exact = trained.exact(config)
        fresh = wiring.system(exact, own_reader, readers=wiring.NOBODY)
        painter = networks.Painter(fresh.players["generator"], own_reader)
        yield from measure("untrained generator", painter, 0)
        _stage("mean training picture")
        mean = pipeline.mean_picture(train, *_frame(config))
        yield from bench.figures(
            "mean training picture",
            {0: _copies(bench, mean, len(asked.captions))},
            own,
            classes,
            may_be_alike=True,
        )
    yield from measure(TRAINED, found.painter, found.card["moves"])
    if how.beside:
        _stage(REAL[how.against])
        if how.against == "train":  # Rounds would show them again and again.
            _, places = np.unique(asked.rows, return_index=True)
            places = places[: asking.whole(len(places), how.protocol)]
            real = test.subset(asked.rows[places])
        else:
            # The map of R-precision was fitted on the very ones.
            places, own = slice(None), None
            real = asking.first(train, len(asked.captions))
        stream = shown(config, real, how.protocol.batch)
        seen = bench.read(_bar(stream, len(real), "real"), how.cache)
        yield from bench.figures(
            REAL[how.against],
            {0: seen},
            None if own is None else own[places],
            None if classes is None else classes[places],
        )
        if is_read and not is_own and how.protocol.name == _OFFLINE.name:
            yield from _real_colours(bench, train, test, REAL[how.against])


def wanted(found: trained.Trained, how: How) -> dict:
    """Tells what the card of a generator's scores will say.

    Args:
        found: what was trained.
        how: how.

    Returns:
        Entries of the card that change when measuring again would give
        others.
    """
    both = parts(found.config, how.most)
    own = asking.count_of(both[1], how.protocol, how.most)
    count = how.imported and how.imported.count
    if how.compared == how.against:
        count = asking.whole(
            len(both[_SPLITS.index(how.against)]), how.protocol
        )
    return {
        **_about(found.config, found.painter, found.card["moves"]),
        **how.protocol.card(),
        "seeds": list(range(how.seeds)),
        "counts": {"reference": count, "candidate": own},
        **_reference(how),
        **_network(how.network),
        "matcher": _matcher(how.matcher),
        "intervals": how.sampling,
        "data_digest": _digests(both),
        "versions": evaluator.versions(),
    }


def glance(config, system, pictures, reader, most):
    """Readies a quick measurement of a generator while it trains.

    It looks at training pictures and draws their captions, so that what is
    chosen by it may still be judged by test pictures.

    Args:
        config: the run's config.
        system: the system in training.
        pictures: the training pictures.
        reader: what `wiring.text_encoder` gave.
        most: int. How many pictures are looked at.

    Returns:
        callable, no arguments -> dict, name of a figure -> value, of one noise.
    """
    some = asking.first(pictures, most)
    bench = _judge(config, (some, some), reader, How(reference="train"))
    captions = asking.first_captions(some)
    own = asking.first_sentences(some, reader)

    def measure():
        drawn = draw(system.painter, captions, seed=0)
        rows = bench.pictures("in training", {0: drawn}, own, may_be_alike=True)
        return {row["name"]: row["value"] for row in rows}

    return measure


def _real_colours(bench, train, test, name):
    # Names were written by people; the colours in other captions of OpenMoji
    # were measured with the very rule that would judge them here.
    yield from bench.real_colours(
        name,
        np.concatenate([train.images, test.images]),
        np.concatenate([train.captions[:, :1], test.captions[:, :1]]),
        split="train and test",
        captions="names only: each picture's first",
    )


def draw(
    painter,
    captions: list[str],
    seed: int,
    protocol: protocols.Protocol = _OFFLINE,
    about: dict | None = None,
    size: int = 40,
) -> Iterator[features.Later]:
    """Draws one picture a caption, batch by batch, each when it is wanted.

    Args:
        painter: `networks.Painter` or `serving.Served`.
        captions: what to draw.
        seed: row i is drawn with noise seed * 100,000 + i.
        protocol: the ruler, which says whether bytes or floats are wanted.
        about: what else the pictures depend on: the generator's digest.
        size: pictures a batch, if the protocol doesn't say it.

    Yields:
        Batches of (B, H, W, 3) pictures.
    """
    size = protocol.batch or size
    rule = protocol.card()
    for start in range(0, len(captions), size):
        some = captions[start : start + size]
        seeds = seed * 100_000 + start + np.arange(len(some))
        key = json.dumps([about, rule, some, seeds.tolist()], sort_keys=True)

        def make(some=some, seeds=seeds):
            drawn = painter.generate(list(some), seeds)
            if protocol.rounding == "round":
                return _bytes(drawn)
            return np.asarray(drawn)

        yield features.Later(len(some), files.digest(key), make)


def draw_some(painter, captions: list[str], places: np.ndarray) -> np.ndarray:
    """Draws a few pictures of the first noise again.

    Args:
        painter: as in `draw`.
        captions: theirs.
        places: which rows of `draw` they are.

    Returns:
        (N, H, W, D) uint8.
    """
    return _generate(painter)(captions, places)


def _generate(painter):
    def generate(captions, seeds):
        return _bytes(painter.generate(list(captions), seeds))

    return generate


def _bytes(drawn):
    """Bytes of pictures; what is not finite is refused, not made black."""
    drawn = np.asarray(drawn)
    if drawn.dtype == np.uint8:
        return drawn
    return resizing.to_bytes((drawn + 1.0) * 127.5)


def _bar(batches, count, name):
    with tqdm(
        total=count, desc=f"  {name}", unit=" pictures", disable=None
    ) as bar:
        for batch in batches:
            yield batch
            is_later = isinstance(batch, features.Later)
            bar.update(batch.count if is_later else len(batch))


def _check_gives(painter, protocol):
    """Refuses bytes where floats are to be judged."""
    if isinstance(painter, serving.Served) and protocol.rounding != "round":
        raise ValueError(
            f"Protocol {protocol.name} judges floats (rounding: "
            f"{protocol.rounding}), but a SavedModel gives rounded bytes; "
            "judge the run directory it was exported from."
        )


def _describe(config):
    return f"{config.networks.generator.name}, trained by {config.system.name}"


def _stage(name, end="\n"):
    print(f"  {name} ...", flush=True)


def _about(config, painter, moves):
    """Says on a card what drew."""
    return {
        "generator": _describe(config),
        **trained.identity(painter),
        "moves": moves,
    }


def parts(config, most: int | None) -> list[source.Pictures]:
    """Opens the training and the test pictures that are looked at.

    Args:
        config: the run's config.
        most: how many of each at most; None for all.

    Returns:
        Both.
    """
    return [
        asking.first(streams.source(config, name), most) for name in _SPLITS
    ]


def _digests(both):
    return {
        split: part.digest for split, part in zip(_SPLITS, both, strict=True)
    }


def _asked(test, reader, how):
    """What is drawn, and the vectors of its captions for R-precision."""
    if how.matcher is None:
        return asking.asked(test, reader, how.protocol, how.most)
    if reader.dim is None:
        raise ValueError(
            "--matcher asks whether pictures fit their captions, but this "
            "model reads none."
        )
    drawn = asking.asked(test, wiring.Nobody(), how.protocol, how.most)
    told = agreeing.sentences(how.matcher, drawn.captions)
    return dataclasses.replace(drawn, sentences=told)


def _taught(trained_one, how):
    """Networks in the generator's training loss, by what they did there."""
    config = trained_one.config
    try:
        pair, teller = wiring.looker(config), wiring.captioner_card(config)
    except ValueError as error:  # Only this needs it, of all that is judged.
        print(
            "Whether a judge was in the generator's training loss is not "
            f"known: {error}"
        )
        return {}
    found = {}
    if pair is not None:
        found["text side of DAMSM"] = pair.text.digest
        found["image side of DAMSM"] = pair.image.digest
        if wiring.is_tuned(config):
            own = trained_one.reader.digest
            found["text side of DAMSM, which learned beside it"] = own
        if _is_below(pair.card, how):
            found["network below DAMSM"] = how.judge.digest
    if teller is not None and _is_below(teller, how):
        found["network below the captioner"] = how.judge.digest
    return found


def _is_below(card, how):
    """Whether the judge's network is the one that a coach stands upon."""
    below = weights.readers.trunk_of(card)
    if below is None:
        return False
    # Its name may tell another size; weights are the same.
    name = how.judge.name
    return name.startswith(below) and not name.endswith("_random")


def _matcher(pair):
    """Says on a card who was asked by R-precision instead of a map."""
    if pair is None:
        return None
    return {"image": pair.image.digest, "text": pair.text.digest}


def _judge(config, both, reader, how, taught=None):
    def pictures(split):
        part = both[_SPLITS.index(split)]
        some = shown(config, part, how.protocol.batch)
        return _bar(some, len(part), f"{split} pictures")

    read, matcher = None, None
    if how.matcher is not None:
        matcher = r_precision.Readers(how.matcher.image)
        reader = how.matcher.text
    else:
        read = asking.mean_sentences(both[0], reader)
    if read is not None:
        read = read[: asking.whole(len(read), how.protocol)]
    protocol = {
        "data": config.data.name,
        "data_digest": _digests(both),
        "image_size": config.data.image_size,
        **_reference(how),
        "split": "test",
        "captions": "none" if reader.dim is None else how.protocol.captions,
    }
    is_part = how.compared == how.against
    real = pictures(how.against) if is_part else how.imported
    return evaluator.Judge(
        real,
        read,
        how.judge,
        reader,
        protocol,
        wiring.cache_dir() / "features",
        ruler=how.protocol,
        training=None if how.compared == "train" else pictures("train"),
        matcher=matcher,
        trained_with=taught,
        fast=how.fast,
        sampling=how.sampling,
    )


def tell_lacking(bench: evaluator.Judge, count: int) -> None:
    """Says which figures of a protocol will be missing.

    Args:
        bench: the judge.
        count: how many pictures there are.
    """
    for name, why in bench.lacking(count).items():
        print(f"{name} is left out: {why}.")


def _reference(how):
    """Says on a card what all are compared with."""
    if how.compared != "statistics":
        return {"reference": how.compared}
    return {"reference": "statistics", "reference_digest": how.imported.digest}


def _network(network):
    """Says on a card who looks, if that was told."""
    if network is None:
        return {}
    kept = ("name", "digest", "resize")
    return {"image_network": {key: getattr(network, key) for key in kept}}


def shown(
    config, pictures: source.Pictures, size: int | None = None
) -> Iterator[np.ndarray | features.Later]:
    """Shows pictures as the generator should draw them.

    Args:
        config: the run's config.
        pictures: which.
        size: pictures a batch, where the protocol says it.

    Yields:
        (B, H, W, D) uint8, or `features.Later` of such: what lies in files is
        only decoded if nobody has seen it before.
    """
    if pictures.size is not None:
        yield from features.in_batches(pictures.images)
        return
    size = size or _CHUNK
    for start in range(0, len(pictures), size):
        rows = np.arange(start, min(start + size, len(pictures)))

        def make(rows=rows):
            return decoded(config, pictures.subset(rows))

        key = files.digest("shown", pictures.digest, rows, *_frame(config))
        yield features.Later(len(rows), key, make)


def decoded(config, pictures: source.Pictures) -> np.ndarray:
    """Decodes a few pictures as the generator should draw them.

    Args:
        config: the run's config.
        pictures: N of them.

    Returns:
        (N, H, W, D) uint8.
    """
    if pictures.size is not None:
        return pictures.images
    return np.concatenate([*pipeline.in_order(pictures, *_frame(config))])


def _frame(config):
    return config.data.image_size, config.data.get("fit") or "cut"


def _classes(test, asked, protocol):
    """Classes between which R-precision's wrong texts are drawn.

    Published protocols take them from other classes of the set, or from other
    pictures where it has none or several a picture.
    """
    if protocol.name.startswith(_OFFLINE.name):
        return None
    labels = test.labels[asked.rows]
    is_single = test.label_sets is None and (labels >= 0).all()
    if is_single and len(np.unique(labels)) > 1:
        return labels
    return asked.rows


def _copies(bench, picture, count):
    """Features of many copies of a picture, which is looked at once."""
    few = np.broadcast_to(picture, (bench.ruler.batch or 1, *picture.shape))
    seen = bench.read([few])
    return {key: np.repeat(rows[:1], count, 0) for key, rows in seen.items()}
