"""Draws where words look and what looks at them, and where masks are open."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_t2i.data import pipeline
from keras_t2i.losses import matching
from keras_t2i.ops import files, images, sheets
from recipes import agreeing, asking, streams

FILE, MASKS_FILE = "attention.png", "masks.png"
_ATTENTION, _MASK = "attention_", "mask_"
#: The most words of a caption that `stages` shows.
MOST = 18
_PICTURES, _WORDS, _SIDE = 8, 6, 96
_AT_ONCE = 8  # pictures whose attention is held together


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
    pictures = _chosen(pair, streams.source(config, "test"))
    captions = asking.first_captions(pictures)
    shown = np.concatenate(
        [*pipeline.in_order(pictures, config.data.image_size, config.data.fit)]
    )
    read = pair.text(tf.constant(captions))
    seen = pair.image(tf.constant(shown))
    _, weights = matching.attention(
        seen["regions"], read["words"], read["mask"], config.system.gammas[0]
    )
    side = _side(shown)
    rows = [
        [(_large(picture, side), caption)]
        + _looks(
            picture, side, looks.numpy(), _words(pair.text, caption, _WORDS)
        )
        for picture, caption, looks in zip(
            shown, captions, weights, strict=True
        )
    ]
    path = pathlib.Path(workdir) / FILE
    tiles, words = _filled(rows, _WORDS + 1)
    sheet = sheets.captioned_grid(tiles, words, _WORDS + 1)
    files.atomic_write(path, sheet)
    return path


def stages(
    painter,
    captions: Sequence[str],
    seeds: Sequence[int],
    bound: float | None = None,
) -> tuple[np.ndarray, list[str], int]:
    """Draws captions, and where each stage looks at their words.

    A row shows one step from a stage to the next: the smaller picture, the
    larger one and, for each of the first `MOST` words, the larger one again,
    dark where no place looked at that word, on the word's own scale.

    Args:
        painter: `networks.Painter` of a generator that attends to words.
        captions: N strings.
        seeds: N ints.
        bound: keeps the noise within so many deviations.

    Returns:
        Tiles (M, S, S, 3) uint8, what each is called, and tiles a row.

    Raises:
        ValueError: if the generator attends to no words.
    """
    sizes = _sizes(painter, _ATTENTION)
    if not sizes:
        raise ValueError(
            "This model's generator attends to no words; AttnGAN's and "
            "DM-GAN's do, if they have more than one stage."
        )
    rows = []
    for start in range(0, len(captions), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        looked = painter.look(captions[part], seeds[part], bound)
        pictures = {
            picture.shape[1]: images.to_uint8(picture).numpy()
            for name, picture in looked.items()
            if name.partition("_")[0] == "image"
        }
        for row, caption in enumerate(captions[part]):
            words = _words(painter.text_encoder, caption, MOST)
            for size in sizes:
                looks = looked[f"{_ATTENTION}{size}"][row].numpy()
                rows.append(_step(pictures, row, size, looks, words))
            # The first of a caption's rows says it.
            tile, name = rows[-len(sizes)][0]
            rows[-len(sizes)][0] = tile, f"{caption}, {name}"
    columns = max(map(len, rows))
    return *_filled(rows, columns), columns


def masks(
    painter,
    captions: Sequence[str],
    seeds: Sequence[int],
    bound: float | None = None,
) -> tuple[np.ndarray, list[str], int]:
    """Draws captions, and the masks that say where they were heard.

    A row is a picture and its masks, small to large, white where the sentence
    steered the map and black where it didn't.

    Args:
        painter: `networks.Painter` of a generator with masks.
        captions: N strings.
        seeds: N ints.
        bound: keeps the noise within so many deviations.

    Returns:
        Tiles (M, S, S, 3) uint8, what each is called, and tiles a row.

    Raises:
        ValueError: if the generator has no masks.
    """
    sizes = _sizes(painter, _MASK)
    if not sizes:
        raise ValueError("This model's generator has no masks; SSA-GAN's does.")
    tiles, names = [], []
    for start in range(0, len(captions), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        looked = painter.look(captions[part], seeds[part], bound)
        pictures = images.to_uint8(looked["image"]).numpy()
        side = _side(pictures)
        for row, caption in enumerate(captions[part]):
            tiles.append(_large(pictures[row], side))
            names.append(caption)
            for size in sizes:
                mask = np.rint(255.0 * looked[f"{_MASK}{size}"][row].numpy())
                mask = tf.image.resize(mask, (side, side), "nearest").numpy()
                tiles.append(np.repeat(mask.astype(np.uint8), 3, axis=-1))
                names.append(f"mask of {size} px")
    return np.stack(tiles), names, len(sizes) + 1


def _sizes(painter, start):
    """At which sizes a generator gives what is called so."""
    return sorted(
        int(name.removeprefix(start))
        for name in painter.generator.output
        if name.startswith(start)
    )


def _step(pictures, row, size, looks, words):
    """From one stage to the next: tiles with their names."""
    larger = min(other for other in pictures if other > size)
    side = _side(pictures[max(pictures)])
    before, after = (pictures[each][row] for each in (size, larger))
    return [
        (_large(before, side), f"{size} px"),
        (_large(after, side), f"{larger} px"),
        *_looks(after, side, looks.transpose(2, 0, 1), words),
    ]


def _words(reader, caption, most):
    """The first words of a caption and their places among what is read."""
    pieces = reader.pieces(caption)
    return [x for x in enumerate(pieces) if x[1][0] != "["][:most]


def _looks(picture, side, looks, words):
    """The picture for each word, lit; `looks` (T, h, w)."""
    large = _large(picture, side)
    return [(_lit(large, looks[place]), word) for place, word in words]


def _filled(rows, columns):
    """Tiles and their names, each row filled up with paper."""
    paper = np.full_like(rows[0][0][0], 255), ""
    cells = [
        cell for row in rows for cell in row + [paper] * (columns - len(row))
    ]
    tiles, words = zip(*cells, strict=True)
    return np.stack(tiles), list(words)


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


def _side(shown):
    """How large pictures are shown: (N, H, W, D)."""
    size = shown.shape[1]
    return size * -(-_SIDE // size)


def _large(picture, side):
    times = side // picture.shape[0]
    picture = picture.repeat(times, 0).repeat(times, 1)
    return np.broadcast_to(picture, (*picture.shape[:2], 3))


def _lit(picture, weights):
    """The picture, lit by how much a word and each place have to do."""
    # Before resizing, whose rounding would else be all that a flat map shows.
    light = (weights - weights.min()) / max(np.ptp(weights), 1e-6)
    light = tf.image.resize(light[..., None], picture.shape[:2], "bicubic")
    light = np.clip(light, 0.0, 1.0)
    return np.rint(picture * (0.25 + 0.75 * light)).astype(np.uint8)
