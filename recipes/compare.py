r"""Lays scores of runs side by side, or trains systems alike.

    python -m recipes.compare runs/one/scores.jsonl runs/two/scores.jsonl
    python -m recipes.compare --workdir=runs/four \
        --config=recipes/configs/gan_cls_openmoji.py:small \
        --config.train.moves=1000

Files of scores, which recipes.evaluate writes, become one table with
parameters and intervals. Figures that were not measured alike (another
network, resize, count, split ...) are refused; --force shows them with what
differs.

    python -m recipes.compare --quick
    python -m recipes.compare --workdir=runs/readers \
        --config=recipes/configs/damsm_openmoji.py:small

With --workdir several systems are trained. The picture (compare.png in the run
directory) has a row for each system, a column for each caption; same data,
same noise, same count of moves. Every system's own run lies in a folder of its
name; a second call goes on.

With a config of readers (recipes.pretrain) DAMSM and its variants with
contrasts are trained on each text side, the first with --seeds seeds, and
measured on test pictures beside a closed-form map: rows.jsonl and readers.md.
--quick shows the layout in minutes: one seed, one epoch.

    python -m recipes.compare --workdir=runs/contrastive \
        --sheet=recipes/sheets/contrastive_openmoji.py

With --sheet every cell, a generator with its config, plays equally long: so
many moves as fit into --minutes at its speed, which was measured before, alone,
in turns (speed.json). Each is judged by the offline protocol with intervals at
its end, and where all had made equally many moves: rows.jsonl and sheet.md,
with a picture and a film of all (compare.png, compare.gif) and a film in each
cell's folder. Configs of cells are changed in the sheet's file, or a copy of
it; --config is refused.
A second call goes on, cell by cell and inside a cell; --seeds=3 then adds two
runs of each. --quick shows the layout in minutes; its figures mean nothing.
"""

import contextlib
import pathlib
import sys
import tempfile

import numpy as np
from absl import flags

from keras_t2i.ops import images
from recipes import (
    cells,
    comparing,
    drawing,
    messages,
    rivals,
    sheet,
    training,
    wiring,
)
from recipes.configs import damsm_openmoji

_CONFIG = messages.config(
    "recipes/configs/gan_cls_openmoji.py",
    "What all systems share, with its scale after a colon; the name of the "
    "system and the weights of the four variants are replaced.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "The directory of all runs, which are trained."
)
_FORCE = flags.DEFINE_bool(
    "force", False, "Show figures that were not measured alike, too."
)
_SYSTEMS = flags.DEFINE_list(
    "systems",
    ["GAN", "GANCLS", "GANINT", "GANINTCLS"],
    "The systems, by name.",
)
_SHEET = flags.DEFINE_string(
    "sheet", None, "A file of generators that are trained side by side."
)
_MINUTES = flags.DEFINE_float(
    "minutes",
    None,
    "Of a sheet: how long each cell plays; else 15. With --quick they are "
    "seconds; else 2.",
    lower_bound=0.01,
)
_SEEDS = flags.DEFINE_integer(
    "seeds",
    None,
    "How often each is trained; else readers 3 times, cells of a sheet once.",
    lower_bound=1,
)
_QUICK = flags.DEFINE_bool(
    "quick",
    False,
    "For the layout alone: of readers, one seed and one epoch; of a sheet, "
    "seconds for minutes and few pictures.",
)

#: What each variant weighs, whatever the config says.
VARIANTS = {
    "GAN": dict(mismatch_weight=0.0, interpolation_weight=0.0),
    "GANCLS": dict(mismatch_weight=0.5, interpolation_weight=0.0),
    "GANINT": dict(mismatch_weight=0.0, interpolation_weight=1.0),
    "GANINTCLS": dict(mismatch_weight=0.5, interpolation_weight=1.0),
}


@messages.takes_words
def main(words):
    """Compares from the flags and files."""
    if words[1:] and (_WORKDIR.value or _SHEET.value):
        raise ValueError(
            "Give files of scores, or --workdir or --sheet, not both: one "
            "compares, the others train."
        )
    if words[1:]:
        print(comparing.compare(words[1:], _FORCE.value))
    elif _SHEET.value:
        _play_sheet()
    elif _QUICK.value or _WORKDIR.value and _is_of_readers(_CONFIG.value):
        _train_readers()
    elif _WORKDIR.value:
        _train()
    else:
        raise ValueError(
            "Name files of scores to compare, or with --workdir where systems "
            "are to be trained."
        )


def _train():
    names, shared = _SYSTEMS.value, _CONFIG.value
    workdir = pathlib.Path(_WORKDIR.value)
    configs = {name: variant(shared, name) for name in names}
    if not shared.samples.captions:
        raise ValueError(
            "The sheet has a column a caption, and config.samples has none."
        )
    if not configs:
        raise ValueError("Name at least one system with --systems.")
    for name, config in configs.items():
        training.check(config, workdir / name)
    rows = {
        name: row(training.train(config, workdir / name), config)
        for name, config in configs.items()
    }
    path = workdir / "compare.png"
    title = f"{shared.train.moves:,} moves each"
    drawing.write_rows(path, rows, list(shared.samples.captions), title)
    print(f"The sheet is {path}")


def _train_readers():
    config = _CONFIG.value
    if not flags.FLAGS["config"].present:
        config = damsm_openmoji.get_config()
    if not _is_of_readers(config):
        raise ValueError(
            f"--quick compares readers; --config plays {config.system.name}."
        )
    with _workdir() as workdir:
        print(rivals.compare(config, workdir, _SEEDS.value or 3, _QUICK.value))


def _play_sheet():
    strange = ("config", "systems", "force")
    given = [
        name
        for name in flags.FLAGS
        if name.split(".")[0] in strange and flags.FLAGS[name].present
    ]
    if given:
        raise ValueError(
            f"--{given[0]} came with --sheet, whose cells have configs of "
            "their own: change them in the file."
        )
    if not (_WORKDIR.value or _QUICK.value):
        raise ValueError(
            "Say with --workdir where the cells of --sheet are to be trained."
        )
    found = cells.load(_SHEET.value)
    with _workdir() as workdir:
        told = sheet.compare(
            found,
            workdir,
            _MINUTES.value or (2.0 if _QUICK.value else 15.0),
            _SEEDS.value or 1,
            _QUICK.value,
            command=" ".join(["python -m recipes.compare", *sys.argv[1:]]),
        )
    print(f"\n{told}")


def _workdir():
    """Gives --workdir, or, for a quick look, a folder that goes away."""
    if _WORKDIR.value:
        return contextlib.nullcontext(pathlib.Path(_WORKDIR.value))
    return _passing()


@contextlib.contextmanager
def _passing():
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder)


def _is_of_readers(config):
    return config.system.name == "DAMSM"


def variant(shared, name):
    """Makes the config of one of the systems.

    Args:
        shared: what all share.
        name: the system.

    Returns:
        The config.

    Raises:
        ValueError: if the system is unknown.
    """
    messages.choose("--systems", name, wiring.systems_by_name())
    config = shared.copy_and_resolve_references()
    config.system.name = name
    config.system.update(VARIANTS.get(name, {}))
    return config


def row(system, config):
    """Draws a system's row of the sheet.

    Args:
        system: the trained system.
        config: its config.

    Returns:
        (captions, H, W, 3) uint8.
    """
    captions = list(config.samples.captions)
    drawn = system.generate(captions, np.zeros(len(captions), int))
    return images.to_uint8(drawn).numpy()


if __name__ == "__main__":
    messages.run(main)
