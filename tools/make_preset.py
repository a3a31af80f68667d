r"""Turns a run into a preset: float16 weights and a card.

    python -m tools.make_preset --workdir=runs/openmoji --name=openmoji_64

The card holds the recipe, the moves, the digests of the data and the scores,
measured anew from the rounded weights.
"""

import inspect
import pathlib

from absl import flags

from keras_t2i import networks, weights
from keras_t2i.callbacks import journal
from recipes import judging, messages, streams, trained, wiring

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "A trained run directory.", required=True
)
_NAME = flags.DEFINE_string(
    "name", None, "What the preset is called.", required=True
)
_FOLDER = flags.DEFINE_string(
    "folder", None, "Where the preset goes; else into the package."
)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Noises each caption is drawn with.")
_PICTURES = flags.DEFINE_integer(
    "pictures", None, "Judge with so many pictures of each part at most."
)


def main(_):
    """Makes a preset from the flags."""
    judged = dict(seeds=_SEEDS.value, most=_PICTURES.value)
    make(_WORKDIR.value, _NAME.value, _FOLDER.value, **judged)


def make(workdir, name, folder=None, **judged):
    """Saves a run's generator, judges what was saved, completes the card.

    Args:
        workdir: the run directory.
        name: what the preset is called.
        folder: where it goes; None is the package's own.
        **judged: `seeds` and `most` of `recipes.judging.judge`.

    Raises:
        ValueError: if the run can't be read.
    """
    found = trained.run(workdir)
    config, painter = found.config, found.painter
    if wiring.is_tuned(config):
        raise ValueError(
            f"--workdir={workdir} holds a run whose reader of captions learned "
            "beside the generator (config.system.name is "
            f"{config.system.name!r}); a preset holds the generator alone. "
            "Hand it on by recipes.export, which keeps both."
        )
    section = wiring.given(config.networks.generator)
    network = section.pop("name")
    build = getattr(networks, network).generator
    if "base_size" in inspect.signature(build).parameters:
        section["base_size"] = config.data.base_size
    card = {
        "name": name,
        "network": network,
        "arguments": {
            **section,
            "image_size": config.data.image_size,
            "text_dim": painter.text_encoder.dim,
        },
        **found.card,
        "minutes": journal.minutes(
            journal.read(pathlib.Path(workdir) / "metrics.jsonl")
        ),
        "data": {
            split: streams.source(config, split).digest
            for split in ("train", "test")
        },
        "judged": judged,
    }
    weights.presets.save(name, painter.generator, card, folder)
    generator, _ = weights.presets.load(name, folder)
    rounded = networks.Painter(generator, painter.text_encoder)
    rows = judging.judge(trained.Trained(rounded, card), beside=False, **judged)
    card["scores"] = list(rows)
    weights.presets.save(name, generator, card, folder)


if __name__ == "__main__":
    messages.run(main)
