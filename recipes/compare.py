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

With --workdir several systems are trained. The sheet (compare.png in the run
directory) has a row for each system, a column for each caption; same data,
same noise, same count of moves. Every system's own run lies in a folder of its
name; a second call goes on.

With a config of readers (recipes.pretrain) DAMSM and its variants with
contrasts are trained on each text side, the first with --seeds seeds, and
measured on test pictures beside a closed-form map: rows.jsonl and readers.md.
--quick shows the layout in minutes: one seed, one epoch.
"""

import pathlib
import tempfile

import numpy as np
from absl import flags

from keras_t2i.ops import files, images, sheets
from recipes import comparing, messages, rivals, training, wiring
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
_SEEDS = flags.DEFINE_integer(
    "seeds", 3, "Of readers: how often each is trained.", lower_bound=1
)
_QUICK = flags.DEFINE_bool(
    "quick", False, "Of readers: one seed and one epoch, for the layout."
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
    if words[1:] and _WORKDIR.value:
        raise ValueError(
            "Give files of scores or --workdir, not both: one compares, the "
            "other trains."
        )
    if words[1:]:
        print(comparing.compare(words[1:], _FORCE.value))
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
    rows = [
        row(training.train(config, workdir / name), config)
        for name, config in configs.items()
    ]
    captions = list(shared.samples.captions)
    words = [
        f"{name}: {caption}" if not column else caption
        for name in configs
        for column, caption in enumerate(captions)
    ]
    sheet = sheets.captioned_grid(
        np.concatenate(rows),
        words,
        len(captions),
        title=f"{shared.train.moves:,} moves each",
        scale=max(1, 128 // rows[0].shape[1]),
    )
    files.atomic_write(workdir / "compare.png", sheet)
    print(f"The sheet is {workdir / 'compare.png'}")


def _train_readers():
    config = _CONFIG.value
    if not flags.FLAGS["config"].present:
        config = damsm_openmoji.get_config()
    if not _is_of_readers(config):
        raise ValueError(
            f"--quick compares readers; --config plays {config.system.name}."
        )
    with tempfile.TemporaryDirectory() as folder:
        workdir = pathlib.Path(_WORKDIR.value or folder)
        print(rivals.compare(config, workdir, _SEEDS.value, _QUICK.value))


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
    wiring.choose("--systems", name, wiring.systems_by_name())
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
