r"""Turns a run of recipes.pretrain into a pair that comes with the package.

    python -m tools.make_reader --workdir=runs/damsm --name=openmoji_damsm

Weights are rounded to float16; the scores on the card are measured anew from
the rounded ones. `keras_t2i.weights.readers.load` opens it by its name.
"""

import pathlib

from absl import flags

from keras_t2i import weights
from recipes import agreeing, messages, pretraining, trained, wiring
from recipes.configs import common

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "A finished run of recipes.pretrain.", required=True
)
_NAME = flags.DEFINE_string(
    "name", None, "What the pair is called.", required=True
)
_FOLDER = flags.DEFINE_string(
    "folder", None, "Where pairs lie; else in the package."
)


def main(_):
    """Makes a pair from the flags."""
    card = make(_WORKDIR.value, _NAME.value, _FOLDER.value)
    for name, value in card["scores"].items():
        print(f"  {name}: {value:.4f}")


def make(workdir, name: str, folder=None) -> dict:
    """Rounds a run's pair, measures what was kept, completes the card.

    Args:
        workdir: the run directory.
        name: what the pair is called.
        folder: where pairs lie; None is the package's own.

    Returns:
        The card.

    Raises:
        ValueError: if the run holds no pair.
    """
    place = pathlib.Path(folder or weights.readers.FOLDER) / name
    config = trained.read_config(workdir, common.readers)
    made = pathlib.Path(workdir) / pretraining.READER
    base = wiring.Letters() if config.text.encoder == "letters" else None
    weights.readers.copy(made, place, {"name": name}, half=True)
    pair = weights.readers.load(place, base=base)
    test = wiring.source(config, "test")
    scores = agreeing.scores(pair, config, test)
    weights.readers.copy(place, place, {"scores": scores}, half=True)
    return {**pair.card, "scores": scores}


if __name__ == "__main__":
    messages.run(main)
