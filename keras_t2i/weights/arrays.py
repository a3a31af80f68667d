"""Files of arrays, told apart by what is in them: npz, safetensors, PyTorch."""

import io
import os
import pathlib
import zipfile
import zlib

import numpy as np
import safetensors

from keras_t2i.weights import torch_file

_SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the arrays of a file by name; nothing in it is executed.

    Args:
        path: .npz, .safetensors, or PyTorch's .pth, .pt, .bin of either
            format. The content decides, not the ending.

    Returns:
        dict of str -> array. Arrays of a nested PyTorch file are named
        "outer/inner". bfloat16 becomes float32.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: if it is damaged, of none of these formats, or holds
            anything but plain containers and arrays.
    """
    return parse(pathlib.Path(path).read_bytes(), os.fspath(path))


def parse(data: bytes, name: str) -> dict[str, np.ndarray]:
    """Reads the arrays of a file whose bytes are at hand, as `read` does.

    Args:
        data: the whole file.
        name: what errors call it.

    Returns:
        dict of str -> array.

    Raises:
        ValueError: as `read`.
    """
    if torch_file.is_one(data):
        return torch_file.parse(data, name)
    if data[:4] == b"PK\x03\x04":
        return _npz(data, name)
    if data[8:9] == b"{":
        return _safetensors(data, name)
    raise ValueError(
        f"{name} is neither an .npz, nor a .safetensors, nor a PyTorch file."
    )


def under(arrays: dict, prefix: str) -> dict:
    """Keeps the arrays whose names begin with a prefix, and cuts it off.

    Args:
        arrays: dict of str -> array.
        prefix: str, such as "module." or "state_dict/".

    Returns:
        dict of str -> array.

    Raises:
        ValueError: if no name begins so.
    """
    found = {
        key[len(prefix) :]: array
        for key, array in arrays.items()
        if key.startswith(prefix)
    }
    if not found:
        raise ValueError(
            f"No array's name begins with {prefix!r}; the first names are "
            f"{', '.join(list(arrays)[:3]) or 'none at all'}."
        )
    return found


def _npz(data, name):
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(f"{name} is not a readable .npz: {error}") from error


def _safetensors(data, name):
    try:
        tensors = safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{name} is not a readable .safetensors: {error}"
        ) from error
    arrays = {}
    for key, tensor in tensors:
        kind = tensor["dtype"]
        if kind not in _SAFETENSORS:
            raise ValueError(
                f"{name} holds {key!r} as {kind}; read are "
                f"{', '.join(_SAFETENSORS)}."
            )
        array = np.frombuffer(tensor["data"], _SAFETENSORS[kind])
        if kind == "BF16":
            array = torch_file.from_bfloat16(array)
        arrays[key] = array.reshape(tensor["shape"])
    return arrays
