"""Weights of networks beside a card that says what they are."""

import io
import json
import os
import pathlib
import zipfile
from collections.abc import Mapping

import numpy as np

from keras_t2i.ops import files


def named(network, prefix: str = "") -> dict:
    """Names a network's variables by their places.

    Keras's own names of layers count those built before in the process.

    Args:
        network: `keras.Model`.
        prefix: stands before each name.

    Returns:
        name -> variable.
    """
    return {
        f"{prefix}{place:03d} {variable.name}": variable
        for place, variable in enumerate(network.weights)
    }


def write(
    weights: str | os.PathLike,
    card_path: str | os.PathLike,
    arrays: Mapping,
    card: Mapping,
    half: bool,
) -> None:
    """Writes weights and their card, each whole or not at all.

    Args:
        weights: the .npz.
        card_path: the JSON; its "weights" becomes the digest of the .npz.
        arrays: name -> array or variable.
        card: the rest of the card.
        half: as float16; else as float32.

    Raises:
        OSError: if they can't be written.
    """
    dtype = np.float16 if half else np.float32
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        **{key: np.asarray(x).astype(dtype) for key, x in arrays.items()},
    )
    data = stream.getvalue()
    card = {**card, "weights": files.digest(data)}
    files.atomic_write(weights, data)
    files.atomic_write(card_path, json.dumps(card, indent=1).encode())


def read(path: pathlib.Path, digest: str | None) -> dict:
    """Reads weights that a card tells of.

    Args:
        path: the .npz.
        digest: the card's "weights".

    Returns:
        name -> array.

    Raises:
        ValueError: if it can't be read or is another file.
    """
    try:
        data = path.read_bytes()
        if files.digest(data) == digest:
            with np.load(io.BytesIO(data), allow_pickle=False) as kept:
                return {key: kept[key] for key in kept.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} can't be read: {error}.") from error
    raise ValueError(f"{path} is not the file that its card was made for.")


def fill(variables: Mapping, arrays: Mapping, path, what: str) -> None:
    """Puts arrays into variables of their names, all or none.

    Args:
        variables: name -> variable.
        arrays: name -> array.
        path: where they come from, for the complaint.
        what: whose variables they are, for the complaint.

    Raises:
        ValueError: naming the first that is missing or misshapen.
    """
    for key in sorted(set(variables) | set(arrays)):
        there = arrays[key].shape if key in arrays else "missing"
        here = tuple(variables[key].shape) if key in variables else "missing"
        if there != here:
            raise ValueError(
                f"{path} does not fit its card: {key!r} is {there} there and "
                f"{here} in the {what}."
            )
    for key, variable in variables.items():
        variable.assign(arrays[key].astype(np.float32))
