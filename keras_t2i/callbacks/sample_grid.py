"""Draws the same captions with the same noise again and again: a film."""

import io
import os
import pathlib
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.ops import files, images, sheets


class SampleGrid(keras.callbacks.Callback):
    """Draws a sheet of samples before the first move and after epochs.

    Each sheet is `folder/move_00000000.png`; at the end all of them are bound
    into a film. Captions down the sheet's columns, noises down its rows;
    without captions, all noises in rows of eight.

    Args:
        folder: str or path for the sheets.
        film: str or path of the film (GIF).
        captions: list of strings, one a column; none for a generator that
            reads no text.
        noises: int > 0. Rows: how many noises for each caption.
        every: int > 0. Epochs between sheets; the last is always drawn.
        writer: `tf.summary` writer that gets the sheets too, or None.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        film: str | os.PathLike,
        captions: Sequence[str],
        *,
        noises: int = 2,
        every: int = 1,
        writer=None,
    ):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.film = pathlib.Path(film)
        self.captions = list(captions)
        self.noises = noises
        self.every = every
        self.writer = writer

    def on_train_begin(self, logs=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        if int(self.model.moves.numpy()) == 0:
            self._draw()

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0 and not self.model.stop_training:
            self._draw()

    def on_train_end(self, logs=None):
        is_cut_off = self.model.stop_training  # in the middle of an epoch
        if not self._path().exists() and not is_cut_off:
            self._draw()
        files.atomic_write(self.film, sheets.film(self._frames()))

    def _path(self):
        return self.folder / f"move_{int(self.model.moves.numpy()):08d}.png"

    def _draw(self):
        asked = self.captions or [""]
        count = len(asked)
        seeds = np.repeat(np.arange(self.noises), count)
        pictures = images.to_uint8(
            self.model.generate(asked * self.noises, seeds)
        ).numpy()
        words = [""] * (count * (self.noises - 1)) + asked
        sheet = sheets.captioned_grid(
            pictures,
            words,
            count if self.captions else min(self.noises, 8),
            title=f"move {int(self.model.moves.numpy()):,}",
            scale=max(1, 128 // pictures.shape[1]),
        )
        files.atomic_write(self._path(), sheet)
        if self.writer:
            with self.writer.as_default(int(self.model.moves.numpy())):
                tf.summary.image("samples", tf.io.decode_png(sheet)[None])

    def _frames(self, most=60):
        from PIL import Image

        now = self._path()
        paths = sorted(p for p in self.folder.glob("move_*.png") if p <= now)
        chosen = np.unique(np.linspace(0, len(paths) - 1, most).round())
        return [
            np.asarray(Image.open(io.BytesIO(paths[int(i)].read_bytes())))
            for i in chosen
        ]
