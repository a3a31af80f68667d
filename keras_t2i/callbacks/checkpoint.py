"""Keeps a run so that nothing is lost when it is cut off."""

import itertools
import json
import os
import pathlib
import re
import shutil

import keras
import tensorflow as tf

from keras_t2i.ops import files

_CARD, _ARRAYS = "contents.json", "arrays"


class Checkpoint(keras.callbacks.Callback):
    """Saves everything that the next move depends on, at the end of epochs.

    Players, average, optimizers and the count of moves are saved; draws and
    data order depend on the seed and that count alone. So a run that goes on
    from here equals one that never stopped, bit for bit. Frozen encoders are
    not saved.

    Each checkpoint is a folder, move_00000100, written beside and renamed:
    what stands there under that name is whole. Remove one to go on from the
    one before.

    Args:
        folder: str or path. Where checkpoints are kept.
        keep: int > 0. How many; older ones are removed after the newer one
            is whole.
        every: int > 0. Epochs between two savings; the last is always saved.

    Raises:
        ValueError: if `keep` or `every` is below 1.
        OSError: while saving, if the disk refuses; the checkpoint before
            stays and is named.
    """

    def __init__(
        self, folder: str | os.PathLike, keep: int = 2, every: int = 1
    ):
        super().__init__()
        if keep < 1 or every < 1:
            raise ValueError(
                f"keep is {keep} and every is {every}; allowed: 1 and more."
            )
        self.folder = pathlib.Path(folder)
        self.keep = keep
        self.every = every

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            self._save()

    def on_train_end(self, logs=None):
        self._save()

    def _save(self):
        move = int(self.model.moves.numpy())
        target = self.folder / f"move_{move:08d}"
        if target.exists():
            return
        try:
            _write(self.model, target)
        except (OSError, tf.errors.OpError) as error:
            kept = _kept(self.folder)
            raise OSError(
                f"Saving move {move} in {self.folder} failed "
                f"({files.reason(error)}). "
                + (f"{kept[-1]} is whole." if kept else "Nothing was saved.")
            ) from error
        for old in _kept(self.folder)[: -self.keep]:
            shutil.rmtree(old)


def restore(system, folder: str | os.PathLike) -> int:
    """Brings a system to where the newest checkpoint left it.

    Args:
        system: `systems.System`, built as the saved one was, compiled.
        folder: where `Checkpoint` kept it.

    Returns:
        The count of moves made; 0 if there is no checkpoint.

    Raises:
        ValueError: if the checkpoint is of another system or shape, naming
            the first difference, or can't be read. The system is then as
            it was.
    """
    kept = _kept(pathlib.Path(folder))
    if not kept:
        return 0
    latest = kept[-1]
    _check_card(system, latest)
    books = _books(system)
    before = [(v, v.numpy()) for book in books.values() for v in book]
    try:
        status = tf.train.Checkpoint(**books).read(os.fspath(latest / _ARRAYS))
        status.assert_consumed()
    except Exception as error:  # A damaged file may raise anything at all.
        for variable, value in before:
            variable.assign(value)
        raise _unreadable(latest, error) from error
    return int(system.moves.numpy())


def _kept(folder):
    """Finds the whole checkpoints, oldest first."""
    return sorted(folder.glob("move_????????"))


def _write(system, target):
    beside = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        card = json.dumps(_contents(system), indent=1)
        files.atomic_write(beside / _CARD, card.encode())
        arrays = tf.train.Checkpoint(**_books(system))
        arrays.write(os.fspath(beside / _ARRAYS))
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _books(system) -> dict:
    """Lists the variables that a move depends on: owner -> variables."""
    owners = {name: p.weights for name, p in system.players.items()}
    for name, optimizer in getattr(system, "optimizers", {}).items():
        owners[f"{name}_optimizer"] = optimizer.variables
    if system.average is not None:
        owners["average"] = system.average.weights
    owners["moves"] = [system.moves]
    # The means of an epoch that is cut off are made of both its parts.
    owners["trackers"] = [
        v for tracker in system.trackers.values() for v in tracker.variables
    ]
    return {name: [v.value for v in own] for name, own in owners.items()}


def _contents(system) -> dict:
    variables = {
        owner: [_describe(variable) for variable in book]
        for owner, book in _books(system).items()
    }
    return {"system": type(system).__name__, "variables": variables}


def _describe(variable) -> str:
    # Keras counts the layers of a process: conv2d_7 here is conv2d_2 there.
    name = re.sub(r"_\d+(?=[_/]|$)", "", variable.name.split(":")[0])
    return f"{name} {tuple(variable.shape)} {variable.dtype.name}"


def _check_card(system, latest):
    try:
        saved = json.loads((latest / _CARD).read_text())
        kind, books = saved["system"], dict(saved["variables"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(latest, error) from error
    ours = _contents(system)
    if kind != ours["system"]:
        raise ValueError(
            f"The checkpoint {latest} holds a {kind}; this run builds a "
            f"{ours['system']}. Take another run directory."
        )
    own = ours["variables"]
    for owner in [*own, *(set(books) - set(own))]:
        pairs = itertools.zip_longest(books.get(owner, ()), own.get(owner, ()))
        for place, (there, here) in enumerate(pairs):
            if there != here:
                raise ValueError(
                    f"The checkpoint {latest} is of another shape: variable "
                    f"{place} of the {owner} is {there or 'missing'} there "
                    f"and {here or 'missing'} here. Take another run "
                    "directory, or the config it was made with."
                )


def _unreadable(latest, error):
    return ValueError(
        f"The checkpoint {latest} can't be read ({files.reason(error)}). "
        "Remove it to go on from the one before, if there is one."
    )
