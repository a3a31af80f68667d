r"""Turns a run of recipes.pretrain into what comes with the package.

    python -m tools.make_reader --workdir=runs/damsm --name=openmoji_damsm

A pair of readers or a captioner. Weights are rounded to float16; the scores on
the card are measured anew from the rounded ones. By its name it is opened by
`keras_t2i.weights.readers.load`, or `captioners.load`.
"""

import pathlib

from absl import flags

from keras_t2i import weights
from recipes import (
    agreeing,
    letters,
    messages,
    pretraining,
    streams,
    telling,
    trained,
)
from recipes.configs import common

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "A finished run of recipes.pretrain.", required=True
)
_NAME = flags.DEFINE_string(
    "name", None, "What it will be called.", required=True
)
_FOLDER = flags.DEFINE_string(
    "folder", None, "Where it goes; else into the package."
)


def main(_):
    """Makes it from the flags."""
    workdir, name, folder = _WORKDIR.value, _NAME.value, _FOLDER.value
    is_captioner = (pathlib.Path(workdir) / telling.CAPTIONER).is_dir()
    card = (captioner if is_captioner else make)(workdir, name, folder)
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
    base = letters.Letters() if config.text.encoder == "letters" else None
    weights.readers.copy(made, place, {"name": name}, half=True)
    pair = weights.readers.load(place, base=base)
    test = streams.source(config, "test")
    scores = agreeing.scores(pair, config, test)
    weights.readers.copy(place, place, {"scores": scores}, half=True)
    return {**pair.card, "scores": scores}


def captioner(workdir, name: str, folder=None) -> dict:
    """Does with a run's captioner as `make` does with a pair.

    Args:
        workdir: the run directory.
        name: what the captioner is called.
        folder: where captioners lie; None is the package's own.

    Returns:
        The card.

    Raises:
        ValueError: if the run holds no captioner.
    """
    room = weights.captioners
    place = pathlib.Path(folder or room.FOLDER) / name
    config = trained.read_config(workdir, common.captioner)
    made = pathlib.Path(workdir) / telling.CAPTIONER
    room.copy(made, place, {"name": name}, half=True)
    test = streams.source(config, "test")
    scores = telling.scores(room.load(place), config, test)
    return room.copy(place, place, {"scores": scores}, half=True)


if __name__ == "__main__":
    messages.run(main)
