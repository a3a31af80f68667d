"""Trained generators that come with the package, each with its card."""

import io
import json
import os
import pathlib

import keras
import numpy as np

from keras_t2i import networks
from keras_t2i.ops import files

_FOLDER = pathlib.Path(__file__).parent / "data"


def names() -> list[str]:
    """Lists the presets that can be loaded."""
    return sorted(
        path.name.removesuffix("_preset.json")
        for path in _FOLDER.glob("*_preset.json")
    )


def load(name: str, folder: str | os.PathLike = _FOLDER):
    """Builds a trained generator.

    Args:
        name: the preset, for instance "openmoji_64".
        folder: where it lies; the package's own by default.

    Returns:
        (`keras.Model` generator in float32, card). The card is a dict:
        "network" (its file in `networks`), "arguments" (of its builder),
        "text" (the reader it was trained with), "recipe", "scores" ...

    Raises:
        ValueError: if there is no such preset, or its files don't fit.
    """
    card_path, weights_path = _paths(name, folder)
    if not card_path.exists():
        raise ValueError(
            f"There is no preset {name!r} in {folder}; known: "
            f"{', '.join(names()) or 'none'}."
        )
    card = json.loads(card_path.read_text())
    generator = build(card)
    with np.load(weights_path, allow_pickle=False) as kept:
        arrays = {key: kept[key].astype(np.float32) for key in kept.files}
    own = {v.path: v for v in generator.weights}
    wrong = [
        path
        for path in sorted(set(own) | set(arrays))
        if path not in own
        or path not in arrays
        or tuple(own[path].shape) != arrays[path].shape
    ]
    if wrong:
        raise ValueError(
            f"{weights_path} does not fit its card: {wrong[0]} is missing "
            "or of another shape."
        )
    for path, variable in own.items():
        variable.assign(arrays[path])
    return generator, card


def build(card: dict):
    """Builds the network that a card describes, with fresh weights.

    Args:
        card: dict with "network" and "arguments".

    Returns:
        `keras.Model` generator, float32; its variables are named alike in
        every process.
    """
    keras.backend.clear_session()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        room = getattr(networks, card["network"])
        return room.generator(**card["arguments"])
    finally:
        keras.config.set_dtype_policy(before)


def save(name: str, generator, card: dict, folder: str | os.PathLike = _FOLDER):
    """Keeps a generator as a preset: float16 weights and a card.

    Args:
        name: what it is called.
        generator: `keras.Model` whose builder and arguments the card names.
        card: dict; "network" and "arguments" are needed to load it.
        folder: where to keep it.

    Raises:
        OSError: if it can't be written.
    """
    card_path, weights_path = _paths(name, folder)
    twin = build(card)
    arrays = {
        mine.path: theirs.numpy().astype(np.float16)
        for mine, theirs in zip(twin.weights, generator.weights, strict=True)
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    files.atomic_write(weights_path, stream.getvalue())
    files.atomic_write(card_path, json.dumps(card, indent=1).encode())


def _paths(name, folder):
    folder = pathlib.Path(folder)
    return folder / f"{name}_preset.json", folder / f"{name}_preset.npz"
