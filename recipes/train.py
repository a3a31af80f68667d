r"""Trains a system and leaves everything in one run directory.

    python -m recipes.train --workdir=runs/openmoji \
        --config=recipes/configs/openmoji.py:small

A second call with the same --workdir goes on where the first one stopped.
Change anything with --config.SECTION.KEY=VALUE.
"""

import json
import pathlib

import tensorflow as tf
from absl import flags
from ml_collections import config_flags

from keras_t2i import callbacks
from keras_t2i.ops import files
from recipes import messages, wiring

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    "recipes/configs/openmoji.py",
    "The config file, with its scale after a colon: FILE:small.",
    lock_config=True,
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "The run directory; made if missing.", required=True
)


def main(_):
    """Trains from the flags."""
    train(_CONFIG.value, _WORKDIR.value)


def train(config, workdir):
    """Trains, or goes on training, until the config's count of moves.

    Args:
        config: the run's config.
        workdir: the run directory.

    Returns:
        The trained system.

    Raises:
        ValueError: if the directory holds a run of another config.
        OSError: if it can't be written.
    """
    workdir = pathlib.Path(workdir)
    open_run(config, workdir)
    pictures = wiring.source(config, "train")
    encoder = wiring.text_encoder(config)
    system = wiring.system(config, encoder)
    start = callbacks.restore(system, workdir / "checkpoints")
    announce(config, workdir, system, pictures, start)
    if start < config.train.moves:
        batches = wiring.dataset(config, pictures, encoder, start)
        play(system, batches, config, workdir, start)
    print(f"{int(system.moves.numpy()):,} moves made; all lies in {workdir}")
    return system


def play(system, batches, config, workdir, start):
    """Runs `fit` from where the run stands.

    Args:
        system: the compiled system.
        batches: endless dataset that begins at move `start`.
        config: the run's config.
        workdir: the run directory.
        start: moves already made.
    """
    length = config.train.moves_per_epoch
    writer = tf.summary.create_file_writer(str(workdir / "tensorboard"))
    around = [
        callbacks.SampleGrid(
            workdir / "samples",
            workdir / "film.gif",
            config.samples.captions,
            noises=config.samples.noises,
            every=config.samples.every,
            writer=writer,
        ),
        callbacks.Checkpoint(workdir / "checkpoints"),
        callbacks.Journal(
            workdir / "metrics.jsonl", workdir / "curves.png", writer=writer
        ),
    ]
    system.fit(
        batches,
        initial_epoch=start // length,
        epochs=-(-config.train.moves // length),
        steps_per_epoch=length,
        callbacks=around,
        shuffle=False,
    )


def open_run(config, workdir: pathlib.Path):
    """Makes the run directory and writes the config before the first move.

    Args:
        config: the run's config.
        workdir: the run directory.

    Raises:
        ValueError: if the directory holds a run of another config, naming
            the first key that differs, or the moves don't fill epochs.
        OSError: if it can't be written.
    """
    if config.train.moves % config.train.moves_per_epoch:
        raise ValueError(
            f"config.train.moves is {config.train.moves}; allowed: "
            f"multiples of moves_per_epoch, {config.train.moves_per_epoch}."
        )
    path = workdir / "config.json"
    if path.exists():
        _check_same(config, wiring.read_config(workdir), workdir)
    text = json.dumps(json.loads(config.to_json()), indent=1, sort_keys=True)
    files.atomic_write(path, text.encode())


def announce(config, workdir, system, pictures, start):
    """Prints what will run.

    Args:
        config: the run's config.
        workdir: the run directory.
        system: the compiled system.
        pictures: the training pictures.
        start: moves already made.
    """
    sizes = ", ".join(
        f"{name} {player.count_params():,} parameters"
        for name, player in system.players.items()
    )
    print(
        f"{config.system.name} ({sizes}) on {len(pictures.images):,} pictures "
        f"of {config.data.name} at {config.data.image_size} px; "
        f"{config.train.moves:,} moves of {config.train.batch_size} in "
        f"{config.train.precision}; run directory {workdir}"
    )
    if start:
        print(f"Going on from move {start:,}.")


def _check_same(config, kept, workdir):
    ours, theirs = _flat(config.to_dict()), _flat(kept.to_dict())
    free = {"train.moves"}
    for key in sorted((set(ours) | set(theirs)) - free):
        here, there = (
            json.loads(json.dumps(table.get(key))) for table in (ours, theirs)
        )
        if here != there:
            raise ValueError(
                f"{workdir} holds a run with {key} = {there}; now it is "
                f"{here}. Take another --workdir, or the old value."
            )


def _flat(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


if __name__ == "__main__":
    messages.run(main)
