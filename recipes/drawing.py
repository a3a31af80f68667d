"""Draws with a painter, whether it lives in Python or in a SavedModel."""

import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_t2i.ops import files, images, noise, sheets

_AT_ONCE = 64


def paint(
    painter,
    captions: Sequence[str],
    seeds: Sequence[int],
    bound: float | None = None,
) -> np.ndarray:
    """Draws a picture for each caption, a few at a time.

    Args:
        painter: `networks.Painter` or `serving.Served`.
        captions: N strings.
        seeds: N ints.
        bound: keeps the noise within so many deviations.

    Returns:
        (N, H, W, 3) uint8 array.
    """
    parts = []
    for start in range(0, len(captions), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        drawn = painter.generate(captions[part], seeds[part], bound)
        parts.append(_bytes(drawn))
    return np.concatenate(parts)


def between_captions(
    painter,
    captions: Sequence[str],
    steps: int,
    seed: int,
    bound: float | None = None,
) -> np.ndarray:
    """Draws the way from one caption to another, with one noise.

    Args:
        painter: `networks.Painter` or `serving.Served`.
        captions: the first and the last.
        steps: pictures, both ends included.
        seed: the noise.
        bound: keeps the noise within so many deviations.

    Returns:
        (steps, H, W, 3) uint8 array.

    Source:
        Reed et al. 2016, section 5.3: straight between embeddings.
    """
    shares = tf.linspace(0.0, 1.0, steps)[:, None]
    text = {
        name: (1.0 - shares) * both[:1] + shares * both[1:]
        for name, both in painter.encode(captions).items()
    }
    latent = noise.rows([seed] * steps, steps, painter.noise_dim, bound)
    return _bytes(painter.draw(text, latent))


def between_noises(
    painter, caption: str, steps: int, seed: int, bound: float | None = None
) -> np.ndarray:
    """Draws the way from one noise to the next, with one caption.

    Args:
        painter: `networks.Painter` or `serving.Served`.
        caption: the caption.
        steps: pictures, both ends included.
        seed: the first noise; the last is that of seed + 1.
        bound: keeps both ends within so many deviations.

    Returns:
        (steps, H, W, 3) uint8 array.
    """
    text = painter.encode([caption] * steps)
    ends = noise.rows(seed, 2, painter.noise_dim, bound)
    return _bytes(painter.draw(text, arc(ends[0], ends[1], steps)))


def arc(first, last, steps: int):
    """Walks from one noise to another on the arc between them.

    Straight half-way points are shorter than any noise a generator has seen;
    those on the arc are not.

    Args:
        first: (Z,) float32, not parallel to `last`.
        last: (Z,) float32.
        steps: rows, both ends included.

    Returns:
        (steps, Z) float32 tensor.

    Source:
        White 2016, section 2.1, arXiv:1609.04468; Shoemake 1985 for the arc.
    """
    cosine = tf.reduce_sum(first * last) / (tf.norm(first) * tf.norm(last))
    angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
    shares = tf.linspace(0.0, 1.0, steps)[:, None]
    both = tf.sin((1.0 - shares) * angle) * first
    both += tf.sin(shares * angle) * last
    return both / tf.sin(angle)


def write_sheet(
    path: str | os.PathLike, drawn, captions: Sequence[str], columns: int
) -> None:
    """Writes one PNG with all pictures, each above its caption.

    Args:
        path: the file.
        drawn: (N, H, W, 3) uint8.
        captions: N strings.
        columns: pictures a row.

    Raises:
        OSError: if it can't be written; what was there is unchanged.
    """
    scale = max(1, 128 // drawn.shape[1])
    sheet = sheets.captioned_grid(drawn, captions, columns, scale=scale)
    files.atomic_write(path, sheet)


def write_rows(
    path: str | os.PathLike,
    rows: Mapping[str, np.ndarray],
    captions: Sequence[str],
    title: str,
) -> None:
    """Writes one PNG with a row for each of several generators.

    Args:
        path: the file.
        rows: what a row is called -> (N, H, W, D) uint8, all of one shape.
        captions: N strings, what the columns show.
        title: a line above the sheet.

    Raises:
        OSError: if it can't be written; what was there is unchanged.
    """
    drawn = np.concatenate(list(rows.values()))
    words = [
        f"{name}: {caption}" if not column else caption
        for name in rows
        for column, caption in enumerate(captions)
    ]
    scale = max(1, 128 // drawn.shape[1])
    sheet = sheets.captioned_grid(
        drawn, words, len(captions), title=title, scale=scale
    )
    files.atomic_write(path, sheet)


def write_film(
    path: str | os.PathLike, rows: Mapping[str, Sequence], count: int = 12
) -> None:
    """Binds a film of several runs' sheets, each at equal shares of its moves.

    Args:
        path: the file, a GIF.
        rows: what a row is called -> PNG files of one size, first to last.
        count: frames.

    Raises:
        OSError: if a sheet can't be read or the film not be written.
    """
    frames = []
    for share in np.linspace(0.0, 1.0, count):
        shown = [row[round(share * (len(row) - 1))] for row in rows.values()]
        tiles = np.stack([_shrunk(each) for each in shown])
        title = f"after {share:.0%} of each one's moves"
        sheet = sheets.captioned_grid(tiles, list(rows), 1, title=title)
        frames.append(tf.io.decode_png(sheet).numpy())
    files.atomic_write(path, sheets.film(frames, milliseconds=400))


def _shrunk(path, width=420):
    """A sheet, at most so wide."""
    whole = tf.io.decode_png(pathlib.Path(path).read_bytes(), 3)
    times = -(-whole.shape[1] // width)
    size = [side // times for side in whole.shape[:2]]
    small = tf.image.resize(whole, size, "area")
    return np.rint(small.numpy()).astype(np.uint8)


def write_each(
    folder: str | os.PathLike, drawn, captions: Sequence[str]
) -> None:
    """Writes each picture to a PNG named by its number and caption.

    Args:
        folder: made if it is missing.
        drawn: (N, H, W, 3) uint8.
        captions: N strings.

    Raises:
        OSError: if one can't be written.
    """
    for place, (picture, text) in enumerate(zip(drawn, captions, strict=True)):
        words = re.sub(r"\W+", "_", text)[:40].strip("_")
        path = pathlib.Path(folder, f"{place:03d}_{words}.png")
        files.atomic_write(path, tf.io.encode_png(picture).numpy())


def _bytes(drawn):
    if drawn.dtype == np.uint8:
        return np.asarray(drawn)
    return images.to_uint8(drawn).numpy()
