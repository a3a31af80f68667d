"""Judges generators: what recipes.evaluate and the tools share."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from keras_t2i import networks, weights
from keras_t2i.data import catalog, pipeline, source, texts
from keras_t2i.encoders import text
from keras_t2i.metrics import evaluator, features
from keras_t2i.ops import files, images
from recipes import trained, wiring

_SPLITS = ("train", "test")
_SCORES = "scores.jsonl"
_TRAINED = "trained generator"
_REAL = {"train": "real test pictures", "test": "real training pictures"}
#: Pictures below which FID, KID and IS are of little use, and of some.
_FEW, _ENOUGH = 50, 500
_ROWS = 1024  # of stored vectors held beside their means


def write(rows, out: pathlib.Path):
    """Replaces the scores in a folder and prints them.

    Args:
        rows: the judge's rows.
        out: the folder; made if missing.

    Raises:
        OSError: if it can't be written.
    """
    rows = list(rows)
    lines = [json.dumps(row, allow_nan=False) for row in rows]
    files.atomic_write(out / _SCORES, "\n".join([*lines, ""]).encode())
    files.atomic_write(out / "scores.md", f"{told(rows)}\n".encode())
    print(f"\n{told(rows)}\n\nScores and their protocols lie in {out}")


def kept(
    found: trained.Trained,
    out: pathlib.Path,
    *,
    seeds=3,
    most=None,
    reference="train",
):
    """Reads a folder's scores if `judge` would only measure them again.

    Args:
        found: what was trained.
        out: the folder.
        seeds: as in `judge`.
        most: as in `judge`.
        reference: as in `judge`.

    Returns:
        Rows; none if there are no scores, or those of other weights, data,
        settings or versions.
    """
    try:
        lines = (out / _SCORES).read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        cards = {row["candidate"]: row["protocol"] for row in reversed(rows)}
    except (OSError, ValueError, KeyError, TypeError):
        return []
    parts = _parts(found.config, most)
    counts = dict(zip(_SPLITS, map(len, parts), strict=True))
    wanted = {
        **_about(found.config, found.painter, found.card["moves"]),
        "seeds": list(range(seeds)),
        "counts": {
            "reference": counts[reference],
            "candidate": counts["test"],
        },
        "reference": reference,
        "data_digest": _digests(parts),
        "versions": evaluator.versions(),
    }
    card = cards.get(_TRAINED, {})
    is_same = all(card.get(key) == value for key, value in wanted.items())
    return rows if is_same and _REAL[reference] in cards else []


def told(rows) -> str:
    """Lays rows out for people, with what must be known to read them.

    Args:
        rows: the judge's rows.

    Returns:
        Markdown: the table and a few sentences.
    """
    lines = []
    first = rows[0]["protocol"]
    count, noises = first["counts"]["candidate"], len(first["seeds"])
    if count < _FEW:
        lines.append(f"{count} test pictures: FID, KID and IS say little.")
    elif count < _ENOUGH:
        lines.append(
            f"{count} pictures a row, fewer than {_ENOUGH}: FID, KID and IS "
            "compare rows of this table and nothing else."
        )
    for row in rows:
        if "candidates" in row["protocol"]:
            texts = row["protocol"]["candidates"]
            lines.append(f"R-precision: 1 of {texts}, chance {1 / texts:.2g}.")
            break
    if noises > 1:
        lines.append(f"±: the standard deviation over {noises} noises.")
    return "\n\n".join([evaluator.table(rows), *lines])


def judge(
    found: trained.Trained,
    *,
    seeds=3,
    most=None,
    beside=True,
    reference="train",
):
    """Judges a generator beside the rows that give its scores a scale.

    Args:
        found: what was trained.
        seeds: int. Noises each test caption is drawn with.
        most: int or None. The most training and test pictures looked at.
        beside: bool. Whether the other rows are judged too.
        reference: "train" or "test". Which pictures all are compared with;
            R-precision needs "train".

    Yields:
        Rows of `metrics.evaluator.Judge`.
    """
    config, reader = found.config, found.painter.text_encoder
    train, test = parts = _parts(config, most)
    # Colour truth asks for what OpenMoji's captions name, in its colours.
    is_own = config.data.name == catalog.RECORDS
    print(
        f"Judging {_describe(config)}, after {found.card['moves']:,} moves: "
        f"{seeds} x {len(test):,} pictures against those of {reference}, "
        f"{len(train):,} for training; a few minutes for thousands."
    )
    _stage(f"captions, and features of the {reference} pictures")
    bench = _judge(config, parts, reader, reference)
    captions = _first_captions(test)
    is_read = reader.dim is not None
    own = _first_sentences(test, reader) if reference == "train" else None

    def measure(name, painter, moves):
        _stage(name)
        about = _about(config, painter, moves)
        streams = {seed: draw(painter, captions, seed) for seed in range(seeds)}
        yield from bench.pictures(name, streams, own, **about)
        if not is_read:
            return
        yield from bench.prompts(
            name,
            _generate(painter),
            config.samples.captions,
            truth=not is_own,
            **about,
        )

    def measure_still(name, stream):
        _stage(name)
        yield from bench.pictures(name, {0: stream}, own)

    if beside:
        fresh = wiring.system(trained.exact(config), reader)
        painter = networks.Painter(fresh.players["generator"], reader)
        yield from measure("untrained generator", painter, 0)
        size, fit = config.data.image_size, config.data.get("fit") or "cut"
        mean = pipeline.mean_picture(train, size, fit)
        still = np.broadcast_to(mean, (len(captions), *mean.shape))
        still = features.in_batches(still)
        yield from measure_still("mean training picture", still)
    yield from measure(_TRAINED, found.painter, found.card["moves"])
    if beside:
        real = test if reference == "train" else _first(train, len(test))
        yield from measure_still(_REAL[reference], _shown(config, real))
        if is_read and not is_own:
            yield from _real_colours(bench, train, test, _REAL[reference])


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
    some = _first(pictures, most)
    bench = _judge(config, (some, some), reader, "train")
    captions = _first_captions(some)
    own = _first_sentences(some, reader)

    def measure():
        drawn = draw(system.painter, captions, seed=0)
        rows = bench.pictures("in training", {0: drawn}, own)
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


def confirm(claims, rows) -> bool:
    """Prints each score beside the card's claim.

    Args:
        claims: rows on the card.
        rows: rows measured now.

    Returns:
        True if every claim was measured and holds.
    """
    measured = {row["name"]: row for row in rows}
    passed = True
    for claim in claims:
        row = measured.get(claim["name"])
        good = row is not None and evaluator.holds(claim, row)
        passed = passed and good
        low, high = claim["interval"]
        value = "not measured" if row is None else f"{row['value']:.4f}"
        print(
            f"{'pass' if good else 'FAIL'}  {claim['name']}: {value}, the "
            f"card says {claim['value']:.4f} ({low:.4f} to {high:.4f})"
        )
    return passed


def draw(painter, captions, seed, size=40):
    """Draws one picture a caption, batch by batch.

    Args:
        painter: `networks.Painter`.
        captions: list of strings.
        seed: int. Row i is drawn with noise seed * 100,000 + i.
        size: int. Pictures a batch.

    Yields:
        (B, H, W, 3) uint8.
    """
    generate = _generate(painter)
    for start in range(0, len(captions), size):
        some = captions[start : start + size]
        yield generate(some, seed * 100_000 + start + np.arange(len(some)))


def _generate(painter):
    def generate(captions, seeds):
        return images.to_uint8(painter.generate(list(captions), seeds)).numpy()

    return generate


def _describe(config):
    return f"{config.networks.generator.name}, trained by {config.system.name}"


def _stage(name):
    print(f"  {name} ...", flush=True)


def _about(config, painter, moves):
    """Says on a card what drew."""
    arrays = [np.asarray(weight) for weight in painter.generator.weights]
    return {
        "generator": _describe(config),
        "generator_digest": files.digest(*arrays),
        "moves": moves,
    }


def _parts(config, most):
    """Opens the training and the test pictures that are looked at."""
    return [_first(wiring.source(config, split), most) for split in _SPLITS]


def _digests(parts):
    return {
        split: part.digest for split, part in zip(_SPLITS, parts, strict=True)
    }


def _judge(config, parts, reader, reference):
    train, _ = parts
    read = _mean_sentences(train, reader) if reference == "train" else None
    protocol = {
        "data": config.data.name,
        "data_digest": _digests(parts),
        "image_size": config.data.image_size,
        "reference": reference,
        "split": "test",
        "captions": "none"
        if reader.dim is None
        else "each test picture's first",
    }
    return evaluator.Judge(
        _shown(config, parts[_SPLITS.index(reference)]),
        read,
        weights.pretrained.lite0(),
        reader,
        protocol,
        wiring.cache_dir() / "features",
    )


def _first_captions(pictures) -> list[str]:
    """Lists each picture's first caption."""
    table = pictures.captions
    if not isinstance(table, texts.Texts):
        return table[:, 0].tolist()
    count, each = table.shape
    firsts = table.encoded(np.arange(count) * each)
    return [caption.decode() for caption in firsts]


def _first_sentences(pictures, reader):
    """Reads each picture's first caption: (N, C) float32, None if unread."""
    if reader.dim is None:
        return None
    if not _in_files(pictures):
        return wiring.sentences(pictures, reader)[:, 0]
    firsts = [[caption] for caption in _first_captions(pictures)]
    return _means(texts.Texts.of(firsts), reader)


def _mean_sentences(pictures, reader):
    """Reads all captions of each picture: (N, C) float32, None if unread."""
    if reader.dim is None:
        return None
    if not _in_files(pictures):
        return wiring.sentences(pictures, reader).mean(axis=1)
    return _means(pictures.captions, reader)


def _in_files(pictures) -> bool:
    return isinstance(pictures.images, source.Shards)


def _means(captions, reader):
    """Means of rows, from vectors that stay in files, as in training."""
    stored = text.embed(
        reader, captions, wiring.cache_dir(), progress=True, dtype="float16"
    )
    places = np.arange(np.prod(stored.shape)).reshape(stored.shape)
    rows = tf.data.Dataset.from_tensor_slices(places).map(
        lambda row: tf.reduce_mean(stored.sentences(row), axis=0),
        tf.data.AUTOTUNE,
    )
    return np.concatenate([*rows.batch(_ROWS).as_numpy_iterator()])


def _shown(config, pictures):
    """Yields the pictures as the generator should draw them."""
    if pictures.size is not None:
        return features.in_batches(pictures.images)
    size, fit = config.data.image_size, config.data.get("fit") or "cut"
    return pipeline.in_order(pictures, size, fit)


def _first(pictures, most):
    if not most or most >= len(pictures):
        return pictures
    return pictures.subset(np.arange(most))
