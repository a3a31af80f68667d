"""Trained generators that come with the package, each with its card."""

import json
import os
import pathlib

import keras

from keras_t2i import networks
from keras_t2i.weights import kept

_FOLDER = pathlib.Path(__file__).parent / "data"
_CARD, _WEIGHTS = "_preset.json", "_preset.npz"


def names(folder: str | os.PathLike | None = None) -> list[str]:
    """Lists the presets that can be loaded.

    Args:
        folder: where they lie; the package's own by default.

    Returns:
        Their names, sorted.
    """
    found = pathlib.Path(folder or _FOLDER).glob(f"*{_CARD}")
    return sorted(path.name.removesuffix(_CARD) for path in found)


def load(name: str, folder: str | os.PathLike | None = None):
    """Builds a trained generator.

    Args:
        name: the preset, for instance "openmoji_64".
        folder: where it lies; the package's own by default.

    Returns:
        (`keras.Model` generator in float32, card). The card is a dict:
        "network" (its file in `networks`), "arguments" (of its builder),
        "weights" (the digest of its file), "recipe", "moves", "scores" ...

    Raises:
        ValueError: if there is no such preset, or its files can't be read or
            don't fit each other.
    """
    card_path, weights_path = _paths(name, folder)
    if not card_path.exists():
        raise ValueError(
            f"There is no preset {name!r} in {card_path.parent}; known: "
            f"{', '.join(names(folder)) or 'none'}."
        )
    try:
        card = json.loads(card_path.read_text())
        generator = build(card)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{card_path} describes no network of this version: {error!r}."
        ) from error
    arrays = kept.read(weights_path, card.get("weights"))
    kept.fill(kept.named(generator), arrays, weights_path, "network")
    return generator, card


def build(card: dict):
    """Builds the network that a card describes, with fresh weights.

    Args:
        card: dict with "network" and "arguments".

    Returns:
        `keras.Model` generator, float32.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        room = getattr(networks, card["network"])
        return room.generator(**card["arguments"])
    finally:
        keras.config.set_dtype_policy(before)


def save(
    name: str, generator, card: dict, folder: str | os.PathLike | None = None
):
    """Keeps a generator as a preset: float16 weights and a card.

    Args:
        name: what it is called.
        generator: `keras.Model` whose builder and arguments the card names.
        card: dict; "network" and "arguments" are needed to load it.
        folder: where to keep it; the package's own by default.

    Raises:
        OSError: if it can't be written.
    """
    card_path, weights_path = _paths(name, folder)
    kept.write(weights_path, card_path, kept.named(generator), card, half=True)


def _paths(name, folder):
    folder = pathlib.Path(folder or _FOLDER)
    return folder / f"{name}{_CARD}", folder / f"{name}{_WEIGHTS}"
