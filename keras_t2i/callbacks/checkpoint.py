"""Keeps a run so that nothing is lost when it is cut off."""

import json
import os
import pathlib

import keras
import tensorflow as tf

from keras_t2i.ops import files

_CARD = "contents.json"


class Checkpoint(keras.callbacks.Callback):
    """Saves everything that the next move depends on, at the end of epochs.

    Networks, averages, optimizers and the count of moves are saved. Draws and
    data order depend on the seed and that count alone, so a run that goes on
    from here equals one that never stopped, bit for bit.

    Args:
        folder: str or path. Where checkpoints are kept.
        keep: int > 0. How many; older ones are removed after the newer one
            is whole.
        every: int > 0. Epochs between two savings; the last is always saved.

    Raises:
        OSError: while saving, if the disk refuses; the checkpoint before
            stays and is named.
    """

    def __init__(
        self, folder: str | os.PathLike, keep: int = 2, every: int = 1
    ):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.keep = keep
        self.every = every
        self._manager = None

    def set_model(self, model):
        super().set_model(model)
        self._manager = _manager(model, self.folder, self.keep)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            self._save()

    def on_train_end(self, logs=None):
        self._save()

    def _save(self):
        move = int(self.model.moves.numpy())
        latest = self._manager.latest_checkpoint
        if latest and latest.endswith(f"-{move}"):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            files.atomic_write(
                self.folder / _CARD,
                json.dumps(_contents(self.model), indent=1).encode(),
            )
            self._manager.save(checkpoint_number=move)
        except (OSError, tf.errors.OpError) as error:
            _sweep(self.folder, move)
            raise OSError(
                f"Saving move {move} in {self.folder} failed "
                f"({_reason(error)}). "
                + (f"{latest} is whole." if latest else "Nothing was saved.")
            ) from error


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
    folder = pathlib.Path(folder)
    latest = _manager(system, folder, 2).latest_checkpoint
    if latest is None:
        return 0
    _check_contents(system, folder, latest)
    try:
        status = tf.train.Checkpoint(system=system).restore(latest)
        status.assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        raise ValueError(
            f"The checkpoint {latest} can't be read ({_reason(error)}). "
            f"Remove it from {folder} to go on from an older one."
        ) from error
    return int(system.moves.numpy())


def _manager(system, folder, keep):
    return tf.train.CheckpointManager(
        tf.train.Checkpoint(system=system),
        os.fspath(folder),
        max_to_keep=keep,
        checkpoint_name="move",
    )


def _contents(system) -> dict:
    variables = {}
    for name, player in system.players.items():
        for variable in player.weights:
            path = f"{name}/{variable.path}"
            variables[path] = [*variable.shape, variable.dtype]
    return {"system": type(system).__name__, "variables": variables}


def _check_contents(system, folder, latest):
    try:
        saved = json.loads((folder / _CARD).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder / _CARD}, the table of what {latest} holds, can't be "
            f"read ({_reason(error)})."
        ) from error
    ours = _contents(system)
    if saved["system"] != ours["system"]:
        raise ValueError(
            f"The checkpoint {latest} holds a {saved['system']}; this run "
            f"builds a {ours['system']}. Take another run directory."
        )
    paths = sorted(set(saved["variables"]) | set(ours["variables"]))
    for path in paths:
        there, here = (x["variables"].get(path) for x in (saved, ours))
        if there != here:
            raise ValueError(
                f"The checkpoint {latest} is of another shape: {path} is "
                f"{there or 'missing'} there and {here or 'missing'} here. "
                "Take another run directory, or the config it was made with."
            )


def _sweep(folder, move):
    for path in folder.glob(f"move-{move}.*"):
        path.unlink(missing_ok=True)


def _reason(error) -> str:
    text = getattr(error, "message", None) or str(error)
    return text.strip().splitlines()[0][:200] if text.strip() else repr(error)
