r"""Judges a generator and writes a table that says how it was measured.

    python -m recipes.evaluate --workdir=runs/openmoji
    python -m recipes.evaluate --preset=openmoji_64

Rows: an untrained generator of the same shape, the mean training picture, the
trained generator and the real test pictures, all against the training
pictures and in equal numbers. Each figure becomes one line of scores.jsonl,
with the card of its protocol; scores.md is the table.
"""

import pathlib

import numpy as np
from absl import flags

from keras_t2i import networks, weights
from keras_t2i.metrics import evaluator, features
from keras_t2i.ops import files, images
from recipes import messages, wiring

_WORKDIR = flags.DEFINE_string("workdir", None, "The run directory to judge.")
_PRESET = flags.DEFINE_string("preset", None, "The preset to judge.")
_OUT = flags.DEFINE_string(
    "out", None, "Where scores.jsonl and scores.md go; else the run directory."
)
_SEEDS = flags.DEFINE_integer(
    "seeds", 3, "Noises each test caption is drawn with.", lower_bound=1
)
_PICTURES = flags.DEFINE_integer(
    "pictures", None, "Judge with so many pictures, for a quick look."
)


def main(_):
    """Judges from the flags and prints the table."""
    if (_WORKDIR.value is None) == (_PRESET.value is None):
        raise ValueError("Give either --workdir or --preset.")
    out = _OUT.value or _WORKDIR.value
    if out is None:
        raise ValueError("Say with --out where the scores of a preset go.")
    if _WORKDIR.value:
        system, config = wiring.restored(_WORKDIR.value)
        painter = system.painter
        moves = int(system.moves.numpy())
    else:
        painter, card = wiring.preset_with_card(_PRESET.value)
        config, moves = wiring.preset_config(card), card["moves"]
    rows = judge(
        config, painter, moves, seeds=_SEEDS.value, most=_PICTURES.value
    )
    write(rows, pathlib.Path(out))


def write(rows, out: pathlib.Path):
    """Replaces the scores in a folder and prints the table.

    Args:
        rows: the judge's rows.
        out: the folder.
    """
    lines = out / "scores.jsonl"
    lines.unlink(missing_ok=True)
    rows = list(rows)
    evaluator.write(lines, rows)
    table = evaluator.table(rows)
    files.atomic_write(out / "scores.md", (table + "\n").encode())
    print(table)


def judge(config, painter, moves, *, seeds=3, most=None, untrained=True):
    """Judges a painter beside the three rows that give its scores a scale.

    Args:
        config: what it was trained with.
        painter: `networks.Painter`.
        moves: how many moves it was trained.
        seeds: int. Noises each test caption is drawn with.
        most: int or None. The most training and test pictures looked at.
        untrained: bool. Whether the other rows are judged too.

    Yields:
        Rows of `metrics.evaluator.Judge`.
    """
    train, test = (
        _first(wiring.source(config, split), most) for split in _SPLITS
    )
    texts = wiring.sentences(test, painter.text_encoder)
    bench = _judge(config, train, test, painter.text_encoder)
    captions = [str(row[0]) for row in test.captions]
    own = texts[:, 0]

    def measure(name, judged, about):
        streams = {seed: draw(judged, captions, seed) for seed in range(seeds)}
        yield from bench.pictures(name, streams, own, **about)
        yield from bench.prompts(
            name, _generate(judged), config.samples.captions, **about
        )

    about = {"generator": f"{config.networks.name} {config.system.name}"}
    if untrained:
        fresh = networks.Painter(
            wiring.system(config, painter.text_encoder).players["generator"],
            painter.text_encoder,
        )
        yield from measure("untrained generator", fresh, {**about, "moves": 0})
        mean = evaluator.mean_picture(features.in_batches(train.images))
        still = np.repeat(mean[None], len(captions), 0)
        yield from bench.pictures(
            "mean training picture", {0: features.in_batches(still)}, own
        )
    yield from measure("trained generator", painter, {**about, "moves": moves})
    if untrained:
        name = "real test pictures"
        real = {0: features.in_batches(test.images)}
        yield from bench.pictures(name, real, own)
        yield from bench.real_colours(name, test.images, test.captions)


_SPLITS = ("train", "test")


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
    for start in range(0, len(captions), size):
        some = captions[start : start + size]
        seeds = seed * 100_000 + start + np.arange(len(some))
        yield images.to_uint8(painter.generate(some, seeds)).numpy()


def _generate(painter):
    def generate(captions, seeds):
        return images.to_uint8(painter.generate(list(captions), seeds)).numpy()

    return generate


def _judge(config, train, test, text_encoder):
    vectors = wiring.sentences(train, text_encoder)
    mean = vectors.mean(axis=1)
    protocol = {
        "data": config.data.name,
        "image_size": config.data.image_size,
        "reference": "train",
        "candidates": "one for each test picture's first caption",
        "data_digest": {"train": train.digest, "test": test.digest},
    }
    return evaluator.Judge(
        features.in_batches(train.images),
        mean,
        weights.pretrained.lite0(),
        text_encoder,
        protocol,
        wiring.cache_dir() / "features",
    )


def _first(pictures, most):
    count = len(pictures.images)
    return pictures.subset(np.arange(min(count, most or count)))


if __name__ == "__main__":
    messages.run(main)
