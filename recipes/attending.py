"""Draws where the words of captions look."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_t2i.data import pipeline
from keras_t2i.losses import matching
from keras_t2i.ops import files, sheets
from recipes import agreeing, asking, wiring

FILE = "attention.png"
_PICTURES, _WORDS, _SIDE = 8, 6, 96


def write(pair, config, workdir: str | os.PathLike) -> pathlib.Path:
    """Draws test pictures and where the words of their captions look.

    A row is a picture and, for each of the first words, the picture again,
    dark where the word does not look.

    Args:
        pair: `weights.readers.Pair`.
        config: made by `recipes.configs.common.readers`.
        workdir: the folder.

    Returns:
        The PNG.

    Raises:
        ValueError: if no caption can be read.
        OSError: if it can't be written.
    """
    pictures = _chosen(pair, wiring.source(config, "test"))
    captions = asking.first_captions(pictures)
    shown = np.concatenate(
        [*pipeline.in_order(pictures, config.data.image_size, config.data.fit)]
    )
    read = pair.text(tf.constant(captions))
    seen = pair.image(tf.constant(shown))
    _, weights = matching.attention(
        seen["regions"], read["words"], read["mask"], config.system.gammas[0]
    )
    tiles, words = [], []
    for row, caption in enumerate(captions):
        pieces = pair.text.pieces(caption)
        places = [i for i, piece in enumerate(pieces) if piece[0] != "["]
        tiles.append(_large(shown[row]))
        words.append(caption)
        for place in places[:_WORDS]:
            tiles.append(_lit(shown[row], weights[row, place].numpy()))
            words.append(pieces[place])
        missing = _WORDS - len(places[:_WORDS])
        tiles += [np.full_like(tiles[0], 255)] * missing
        words += [""] * missing
    path = pathlib.Path(workdir) / FILE
    sheet = sheets.captioned_grid(np.stack(tiles), words, _WORDS + 1)
    files.atomic_write(path, sheet)
    return path


def _chosen(pair, pictures):
    """Pictures at equal distances whose captions can be read."""
    captions = asking.first_captions(pictures)
    rows = [
        row
        for row, one in enumerate(captions)
        if agreeing.is_read(pair.text, one)
    ]
    if not rows:
        raise ValueError(
            f"The pair can read no first caption of {pictures.name}: there "
            "are no words to be shown."
        )
    count = min(_PICTURES, len(rows))
    places = np.linspace(0, len(rows) - 1, count).round().astype(int)
    return pictures.subset(np.array(rows)[places])


def _large(picture):
    times = -(-_SIDE // picture.shape[0])
    picture = picture.repeat(times, 0).repeat(times, 1)
    return np.broadcast_to(picture, (*picture.shape[:2], 3))


def _lit(picture, weights):
    """The picture, lit by how much a word looks at each place."""
    picture = _large(picture)
    light = tf.image.resize(
        weights[..., None], picture.shape[:2], "bicubic"
    ).numpy()
    low, high = weights.min(), weights.max()
    light = np.clip((light - low) / max(high - low, 1e-9), 0.0, 1.0)
    return np.rint(picture * (0.25 + 0.75 * light)).astype(np.uint8)
