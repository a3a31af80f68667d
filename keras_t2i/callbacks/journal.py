"""Writes down how the game goes: lines, curves and TensorBoard scalars."""

import json
import os
import pathlib
import time

import keras
import tensorflow as tf

from keras_t2i.ops import files, sheets


class Journal(keras.callbacks.Callback):
    """Appends each epoch's mean terms to a file and draws their curves.

    Args:
        lines: str or path: a JSONL file, one line an epoch: "move",
            "start" (the move where this call of `fit` began), "seconds"
            (since then), "terms" (unweighted means), "losses" (the weighted
            sum of each player's terms, which it minimises). `Best` may add
            lines of "move" and "scores".
        curves: str or path of the loss-curve PNG.
        writer: `tf.summary` writer that gets the scalars too, or None.
    """

    def __init__(
        self,
        lines: str | os.PathLike,
        curves: str | os.PathLike,
        *,
        writer=None,
    ):
        super().__init__()
        self.lines = pathlib.Path(lines)
        self.curves = pathlib.Path(curves)
        self.writer = writer
        self._start = self._began = None

    def on_train_begin(self, logs=None):
        self._start = int(self.model.moves.numpy())
        self._began = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return  # The epoch was cut off; its mean is written when it ends.
        move = int(self.model.moves.numpy())
        terms = {name: float(value) for name, value in (logs or {}).items()}
        row = {
            "move": move,
            "start": self._start,
            "seconds": round(time.monotonic() - self._began, 1),
            "terms": terms,
            "losses": self.model.losses_of(terms),
        }
        files.append_line(self.lines, json.dumps(row))
        if self.writer:
            with self.writer.as_default(move):
                for name, value in terms.items():
                    tf.summary.scalar(name, value)
                for player, value in row["losses"].items():
                    tf.summary.scalar(f"losses/{player}", value)

    def on_train_end(self, logs=None):
        if self.writer:
            self.writer.flush()
        rows = read(self.lines)
        if rows:
            files.atomic_write(self.curves, _draw(rows))


def read(path: str | os.PathLike) -> list[dict]:
    """Reads a journal in order of moves.

    A run that was cut off and resumed may have written a move twice; the
    later line counts. A line that was cut off in mid-word is left out.

    Args:
        path: the JSONL file; it may be missing.

    Returns:
        List of rows with "move" and "terms"; lines of scores are left out.
    """
    rows = {
        row["move"]: row
        for row in files.read_lines(path)
        if {"move", "terms"} <= set(row)
    }
    return [rows[move] for move in sorted(rows)]


def minutes(rows) -> float:
    """Adds up the time of a run that may have been cut off and resumed.

    Args:
        rows: the run's journal; "seconds" begins anew at each resumption,
            which another "start" shows, or, in journals of old, fewer
            seconds than before.

    Returns:
        Minutes, one decimal.
    """
    total, last, start = 0.0, 0.0, None
    for row in rows:
        if row.get("start") != start or row["seconds"] < last:
            total += last
        last, start = row["seconds"], row.get("start")
    return round((total + last) / 60, 1)


def _draw(rows):
    def series(kind, label="{}"):
        lines = [row.get(kind, {}) for row in rows]  # Runs of old lack some.
        return {
            label.format(name): (
                [row["move"] for row in rows],
                [line.get(name, float("nan")) for line in lines],
            )
            for name in lines[-1]
        }

    return sheets.curves(
        series("terms"),
        title="The losses while training: each player's, and their terms "
        "before weights",
        y_label="mean of an epoch",
        totals=series("losses", "all of the {}"),
    )
