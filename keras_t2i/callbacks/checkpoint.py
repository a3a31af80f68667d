"""Keeps a run so that nothing is lost when it is cut off."""

import itertools
import json
import math
import os
import pathlib
import re
import shutil
from collections.abc import Collection

import keras
import tensorflow as tf

from keras_t2i.callbacks import health
from keras_t2i.ops import files

_CARD, _ARRAYS, _SCORES = "contents.json", "arrays", "scores.jsonl"


class Checkpoint(keras.callbacks.Callback):
    """Saves everything that the next move depends on, at the end of epochs.

    Players, average, optimizers and the count of moves are saved; draws and
    data order depend on the seed and that count alone. So a run that goes on
    from here equals one that never stopped, bit for bit. Frozen encoders are
    not saved, nor are learning rates: those are the config's to say.

    Each checkpoint is a folder, move_00000100, written beside and renamed:
    what stands there under that name is whole. Remove one to go on from the
    one before.

    Args:
        folder: str or path. Where checkpoints are kept.
        keep: int > 0. How many; older ones are removed after the newer one
            is whole.
        every: int > 0. Epochs between two savings; the last is always saved.
        spared: moves whose checkpoints are never removed. One at which an
            epoch ends is saved whatever `every` says.

    Raises:
        ValueError: if `keep` or `every` is below 1.
        OSError: while saving, if the disk refuses; the checkpoint before
            stays and is named.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        keep: int = 2,
        every: int = 1,
        spared: Collection[int] = (),
    ):
        super().__init__()
        _check_counts(keep, every)
        self.folder = pathlib.Path(folder)
        self.keep = keep
        self.every = every
        self.spared = {_named(move) for move in spared}

    def on_epoch_end(self, epoch, logs=None):
        is_spared = _named(int(self.model.moves.numpy())) in self.spared
        if (epoch + 1) % self.every == 0 or is_spared:
            self._save()

    def on_train_end(self, logs=None):
        self._save()

    def _save(self):
        target = self.folder / _named(int(self.model.moves.numpy()))
        if target.exists():
            return
        _write(self.model, target)
        others = [x for x in _kept(self.folder) if x.name not in self.spared]
        _remove(self.folder, others[: -self.keep])


class Best(keras.callbacks.Callback):
    """Measures a run as it goes, and keeps the checkpoints that score best.

    GANs don't get better and better: the best generator of a run is seldom
    its last. Whenever the count of moves reaches a multiple of `every`, or
    passes one in a batch of several moves, all scores become one line of
    `folder`/scores.jsonl and of the run's journal ("move" and "scores"), and
    TensorBoard scalars. Checkpoints lie beside scores.jsonl, as `Checkpoint`
    writes them, and `restore` takes the folder of one.

    When it measures depends on the count of moves alone, so a run that was
    resumed measures where one that never stopped does. It comes before
    `Checkpoint`: what was saved has been measured.

    Args:
        folder: str or path.
        measure: callable, no arguments -> dict, name -> float.
        by: str. The name that decides.
        every: int > 0. Moves between two measurements.
        is_lower_better: bool. Whether a low score is a good one.
        keep: int >= 0. How many checkpoints; with 0 it measures only, and
            leaves those that are there.
        lines: str or path of the journal that gets the scores too, or None.
        writer: `tf.summary` writer that gets them too, or None.

    Raises:
        ValueError: if `keep` is below 0 or `every` below 1; while training,
            if `measure` gives no score `by`.
        ArithmeticError: while training, if weights or scores are not finite.
        OSError: while saving, as for `Checkpoint`.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        measure,
        by: str,
        *,
        every: int,
        is_lower_better: bool,
        keep: int = 3,
        lines: str | os.PathLike | None = None,
        writer=None,
    ):
        super().__init__()
        _check_counts(keep, every, least=0)
        self.folder = pathlib.Path(folder)
        self.measure = measure
        self.by = by
        self.every = every
        self.is_lower_better = is_lower_better
        self.keep = keep
        self.lines = lines
        self.writer = writer
        self._last = 0  # move that this run has seen
        self._start = 0  # move that this run began at
        self._past = 0  # lines that were there then

    def on_train_begin(self, logs=None):
        self._last = self._start = int(self.model.moves.numpy())
        self._past = len(self._rows())

    def on_train_batch_end(self, batch, logs=None):
        move = int(self.model.moves.numpy())
        is_due = move // self.every > self._last // self.every
        self._last = move
        if is_due:
            self._write(move, self._measured(move))
            if self.keep:
                self._keep_best(move)

    def on_train_end(self, logs=None):
        if self.writer:
            self.writer.flush()

    def _measured(self, move) -> dict:
        health.check_weights(self.model)
        scores = {name: float(x) for name, x in self.measure().items()}
        if self.keep and self.by not in scores:
            raise ValueError(
                f"Checkpoints are to be kept by {self.by!r}; measured are "
                f"{', '.join(scores)}."
            )
        for name, value in scores.items():
            if not math.isfinite(value):
                raise ArithmeticError(
                    f"After move {move:,} the score {name} is {value}."
                )
        return scores

    def _write(self, move, scores):
        row = json.dumps({"move": move, **scores})
        files.append_line(self.folder / _SCORES, row)
        if self.lines:
            row = json.dumps({"move": move, "scores": scores})
            files.append_line(self.lines, row)
        if self.writer:
            with self.writer.as_default(move):
                for name, value in scores.items():
                    tf.summary.scalar(f"scores/{name}", value)

    def _keep_best(self, move):
        names = [_named(best) for best in self.ranking()[: self.keep]]
        target = self.folder / _named(move)
        if target.name in names:
            if target.exists():  # of a run that went back
                _remove(self.folder, [target])
            # The means of an epoch are sums over workers, who are not here.
            _write(self.model, target, has_trackers=False)
        kept = _kept(self.folder)
        _remove(self.folder, [old for old in kept if old.name not in names])

    def ranking(self) -> list[int]:
        """Lists the measured moves up to the present one, best first.

        Of a run that went back, what it had measured ahead does not count.
        """
        now = int(self.model.moves.numpy())
        rows = self._rows()
        past = [r for r in rows[: self._past] if r["move"] <= self._start]
        scores = {
            row["move"]: row[self.by]
            for row in past + rows[self._past :]
            if self.by in row and row["move"] <= now
        }
        sign = 1.0 if self.is_lower_better else -1.0
        return sorted(scores, key=lambda move: (sign * scores[move], move))

    def _rows(self) -> list[dict]:
        rows = files.read_lines(self.folder / _SCORES)
        return [row for row in rows if "move" in row]


def restore(system, folder: str | os.PathLike) -> int:
    """Brings a system to where the newest checkpoint left it.

    Args:
        system: `systems.System`, built as the saved one was, compiled.
        folder: where `Checkpoint` kept it, or the folder of one checkpoint.

    Returns:
        The count of moves made; 0 if there is no checkpoint.

    Raises:
        ValueError: if the checkpoint is of another system or shape, naming
            the first difference, or can't be read. The system is then as
            it was.
    """
    folder = pathlib.Path(folder)
    kept = [folder] if (folder / _CARD).exists() else _kept(folder)
    if not kept:
        return 0
    latest = kept[-1]
    has_trackers = _check_card(system, latest)
    books = _books(system, has_trackers)
    before = [(v, v.numpy()) for book in books.values() for v in book]
    try:
        status = tf.train.Checkpoint(**books).read(os.fspath(latest / _ARRAYS))
        status.assert_consumed()
    except Exception as error:  # A damaged file may raise anything at all.
        for variable, value in before:
            variable.assign(value)
        raise _unreadable(latest, error) from error
    return int(system.moves.numpy())


def newest(folder: str | os.PathLike) -> int:
    """Tells which move a run would go on from, without reading more.

    Args:
        folder: where `Checkpoint` keeps them.

    Returns:
        The newest checkpoint's move; 0 without one.
    """
    kept = _kept(pathlib.Path(folder))
    return int(kept[-1].name.removeprefix("move_")) if kept else 0


def _named(move) -> str:
    return f"move_{move:08d}"


def _kept(folder):
    """Finds the whole checkpoints, oldest first."""
    return sorted(folder.glob("move_????????"))


def _check_counts(keep, every, least=1):
    if keep < least or every < 1:
        raise ValueError(
            f"keep is {keep} and every is {every}; allowed: {least} and more, "
            "and 1 and more."
        )


def _write(system, target, has_trackers=True):
    try:
        _write_beside(system, target, has_trackers)
    except (OSError, tf.errors.OpError) as error:
        kept = _kept(target.parent)
        raise OSError(
            f"Saving move {int(system.moves.numpy())} in {target.parent} "
            f"failed ({files.reason(error)}). "
            + (f"{kept[-1]} is whole." if kept else "Nothing was saved.")
        ) from error


def _remove(folder, unwanted):
    """Removes checkpoints, and what a killed process left half removed."""
    for old in unwanted:
        old.rename(old.with_name(f".{old.name}.old"))
    for left in folder.glob(".move_????????.*"):
        shutil.rmtree(left)


def _write_beside(system, target, has_trackers):
    beside = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        card = json.dumps(_contents(system, has_trackers), indent=1)
        files.atomic_write(beside / _CARD, card.encode())
        arrays = tf.train.Checkpoint(**_books(system, has_trackers))
        arrays.write(os.fspath(beside / _ARRAYS))
        for path in (*beside.iterdir(), beside):
            files.sync(path)
        beside.rename(target)
        files.sync(target.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _books(system, has_trackers) -> dict:
    """Lists the variables that a move depends on: owner -> variables."""
    owners = {name: p.weights for name, p in system.players.items()}
    for name, optimizer in getattr(system, "optimizers", {}).items():
        owners[f"{name}_optimizer"] = [
            v for v in optimizer.variables if v.name != "learning_rate"
        ]
    if system.average is not None:
        owners["average"] = system.average.weights
    owners["moves"] = [system.moves]
    if has_trackers:
        # The means of an epoch that is cut off are made of both its parts.
        owners["trackers"] = [
            v for tracker in system.trackers.values() for v in tracker.variables
        ]
    return {name: [v.value for v in own] for name, own in owners.items()}


def _contents(system, has_trackers) -> dict:
    variables = {
        owner: [_describe(variable) for variable in book]
        for owner, book in _books(system, has_trackers).items()
    }
    return {"system": type(system).__name__, "variables": variables}


def _describe(variable) -> str:
    # Keras counts the layers of a process: conv2d_7 here is conv2d_2 there.
    name = re.sub(r"_\d+(?=[_/]|$)", "", variable.name.split(":")[0])
    return f"{name} {tuple(variable.shape)} {variable.dtype.name}"


def _check_card(system, latest) -> bool:
    """Compares the table of contents; answers whether trackers are there."""
    try:
        saved = json.loads((latest / _CARD).read_text())
        kind, books = saved["system"], dict(saved["variables"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(latest, error) from error
    has_trackers = "trackers" in books
    ours = _contents(system, has_trackers)
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
    return has_trackers


def _unreadable(latest, error):
    return ValueError(
        f"The checkpoint {latest} can't be read ({files.reason(error)}). "
        "Remove it to go on from the one before, if there is one."
    )
