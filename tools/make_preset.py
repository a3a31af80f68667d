r"""Turns a judged run into a preset: float16 weights and a card.

    python -m tools.make_preset --workdir=runs/openmoji --name=openmoji_64

The card holds the recipe, the moves, the digests of the data and the scores,
measured anew from the rounded weights.
"""

import pathlib

from absl import flags

from keras_t2i import weights
from keras_t2i.callbacks import journal
from recipes import evaluate, messages, wiring
from tools import results

_WORKDIR = flags.DEFINE_string("workdir", None, "A trained run directory.")
_NAME = flags.DEFINE_string("name", None, "What the preset is called.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Noises each caption is drawn with.")
_FOLDER = flags.DEFINE_string(
    "folder", None, "Where the preset goes; else into the package."
)


def main(_):
    """Makes a preset from the flags."""
    make(_WORKDIR.value, _NAME.value, _SEEDS.value, _FOLDER.value)


def make(workdir, name, seeds, folder=None):
    """Saves a run's generator, judges what was saved, completes the card.

    Args:
        workdir: the run directory.
        name: what the preset is called.
        seeds: noises each test caption is drawn with.
        folder: where it goes; None is the package's own.

    Raises:
        ValueError: if the run can't be read.
    """
    folder = {} if folder is None else {"folder": folder}
    system, config = wiring.restored(workdir)
    section = wiring.given(config.networks.generator)
    card = {
        "name": name,
        "network": section.pop("name"),
        "arguments": {
            **section,
            "image_size": config.data.image_size,
            "text_dim": system.text_encoder.dim,
        },
        "recipe": config.to_dict(),
        "moves": int(system.moves.numpy()),
        "minutes": results.minutes(
            journal.read(pathlib.Path(workdir) / "metrics.jsonl")
        ),
        "data": {
            split: wiring.source(config, split).digest
            for split in ("train", "test")
        },
        "seeds": seeds,
        "scores": [],
    }
    weights.presets.save(name, system.painter.generator, card, **folder)
    generator, _ = weights.presets.load(name, **folder)
    painter = type(system.painter)(generator, system.text_encoder)
    rows = evaluate.judge(
        config, painter, card["moves"], seeds=seeds, untrained=False
    )
    weights.presets.save(
        name, generator, {**card, "scores": list(rows)}, **folder
    )


if __name__ == "__main__":
    messages.run(main)
