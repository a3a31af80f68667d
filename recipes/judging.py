"""Judges generators: what recipes.evaluate and the tools share."""

import json
import pathlib

import numpy as np

from keras_t2i import networks, weights
from keras_t2i.data import pipeline
from keras_t2i.metrics import evaluator, features
from keras_t2i.ops import files, images
from recipes import trained, wiring

_SPLITS = ("train", "test")


def write(rows, out: pathlib.Path):
    """Replaces the scores in a folder and prints the table.

    Args:
        rows: the judge's rows.
        out: the folder; made if missing.

    Raises:
        OSError: if it can't be written.
    """
    rows = list(rows)
    lines = [json.dumps(row, allow_nan=False) for row in rows]
    table = evaluator.table(rows)
    files.atomic_write(out / "scores.jsonl", "\n".join([*lines, ""]).encode())
    files.atomic_write(out / "scores.md", f"{table}\n".encode())
    print(f"{table}\n\nScores and their protocols lie in {out}")


def judge(found: trained.Trained, *, seeds=3, most=None, beside=True):
    """Judges a generator beside the rows that give its scores a scale.

    Args:
        found: what was trained.
        seeds: int. Noises each test caption is drawn with.
        most: int or None. The most training and test pictures looked at.
        beside: bool. Whether the other rows are judged too.

    Yields:
        Rows of `metrics.evaluator.Judge`.
    """
    config, reader = found.config, found.painter.text_encoder
    train, test = (
        _first(wiring.source(config, split), most) for split in _SPLITS
    )
    print(
        f"Judging {_describe(config)}, after {found.card['moves']:,} moves: "
        f"{seeds} x {len(test):,} pictures against {len(train):,} of "
        f"{train.name}; a few minutes for thousands."
    )
    bench = _judge(config, train, test, reader)
    captions = [str(row[0]) for row in test.captions]
    own = wiring.sentences(test, reader)[:, 0]

    def measure(name, painter, moves):
        about = {"generator": _describe(config), "moves": moves}
        streams = {seed: draw(painter, captions, seed) for seed in range(seeds)}
        yield from bench.pictures(name, streams, own, **about)
        yield from bench.prompts(
            name, _generate(painter), config.samples.captions, **about
        )

    def measure_still(name, pictures):
        streams = {0: features.in_batches(pictures)}
        yield from bench.pictures(name, streams, own)

    if beside:
        fresh = wiring.system(trained.exact(config), reader)
        painter = networks.Painter(fresh.players["generator"], reader)
        yield from measure("untrained generator", painter, 0)
        mean = pipeline.mean_picture(train, config.data.image_size)
        still = np.repeat(mean[None], len(captions), 0)
        yield from measure_still("mean training picture", still)
    yield from measure("trained generator", found.painter, found.card["moves"])
    if beside:
        yield from measure_still("real test pictures", test.images)
        yield from _real_colours(bench, train, test)


def _real_colours(bench, train, test):
    # Names were written by people; the colours in other captions of OpenMoji
    # were measured with the very rule that would judge them here.
    yield from bench.real_colours(
        "real test pictures",
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


def _judge(config, train, test, reader):
    protocol = {
        "data": config.data.name,
        "data_digest": {"train": train.digest, "test": test.digest},
        "image_size": config.data.image_size,
        "reference": "train",
        "split": "test",
        "captions": "each test picture's first",
    }
    return evaluator.Judge(
        features.in_batches(train.images),
        wiring.sentences(train, reader).mean(axis=1),
        weights.pretrained.lite0(),
        reader,
        protocol,
        wiring.cache_dir() / "features",
    )


def _first(pictures, most):
    count = len(pictures)
    return pictures.subset(np.arange(min(count, most or count)))
