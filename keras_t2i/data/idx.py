"""Reads idx files, in which MNIST and its kin are handed out."""

import gzip
import math
import os
import pathlib
import struct
import zlib

import numpy as np

_BYTES = 8  # the mark of unsigned bytes, the only numbers read here


def read(path: str | os.PathLike, axes: int) -> np.ndarray:
    """Reads a file of bytes, gzipped or plain.

    Args:
        path: the file. That it is gzipped is seen from its content.
        axes: how many axes the table must have: 3 for pictures, 1 for labels.

    Returns:
        uint8 array.

    Raises:
        ValueError: if the file is missing, damaged, of another kind, or
            longer or shorter than it says.

    Source:
        LeCun et al., "The MNIST database": two zeros, the kind of number, the
        number of axes; the length of each axis (big-endian); the numbers.
    """
    data = _content(pathlib.Path(path))
    magic, head = bytes([0, 0, _BYTES, axes]), 4 + 4 * axes
    if data[:4] != magic or len(data) < head:
        raise ValueError(
            f"{path} begins with {data[:4].hex(' ') or 'nothing'}; an idx file "
            f"of bytes with {axes} axes begins with {magic.hex(' ')}."
        )
    shape = struct.unpack(f">{axes}I", data[4:head])
    if len(data) - head != math.prod(shape):
        raise ValueError(
            f"{path} says it holds {' x '.join(map(str, shape))} bytes, but "
            f"{len(data) - head:,} follow."
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _content(path: pathlib.Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}.") from error
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is gzipped but damaged or cut off ({error})."
        ) from error
