"""Weights of networks beside a card that says what they are."""

import io
import json
import os
import pathlib
import zipfile
from collections.abc import Mapping

import numpy as np

from keras_t2i.ops import files


def names(folder: str | os.PathLike, card_name: str) -> list[str]:
    """Lists what can be opened by name.

    Args:
        folder: where they lie, a folder each.
        card_name: the file name of cards.

    Returns:
        Their names, sorted.
    """
    found = pathlib.Path(folder).glob(f"*/{card_name}")
    return sorted(path.parent.name for path in found)


def place(
    source: str | os.PathLike,
    folder: str | os.PathLike,
    card_name: str,
    what: str,
) -> pathlib.Path:
    """Finds what was kept, by name or path.

    Args:
        source: a name of `names`, or a folder.
        folder: where names are looked up.
        card_name: the file name of cards.
        what: what is looked for, for the complaint.

    Returns:
        The folder with the card.

    Raises:
        ValueError: if there is none.
    """
    root = pathlib.Path(folder)
    for found in (root / str(source), pathlib.Path(source)):
        if (found / card_name).is_file():
            return found
    raise ValueError(
        f"{str(source)!r} is neither {what} by name (known: "
        f"{', '.join(names(root, card_name)) or 'none'}) nor a folder with "
        f"{card_name}."
    )


def card(path: pathlib.Path) -> dict:
    """Reads a card.

    Args:
        path: the JSON.

    Returns:
        dict.

    Raises:
        ValueError: if it can't be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read: {error}.") from error


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
