"""PyTorch's files, read without PyTorch and without running what is in them.

The pickle inside is read by `machine`, which makes plain containers and
descriptions of tensors; here the tensors get their numbers.
"""

import io
import os
import pathlib
import zipfile

import numpy as np

from keras_t2i.ops import pickle_machine
from keras_t2i.weights import machine

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DEEPEST = 50  # Containers in containers.
_LONGEST = 1_000  # Letters of a tensor's name.
_GROWTH = 64  # Bytes of tensors that share or repeat numbers, to the file's.
_SPARE = 64_000_000  # Bytes that the smallest file's may have besides.


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the tensors of a PyTorch file by name.

    Args:
        path: a file written by `torch.save`, of the zip or the older format.

    Returns:
        dict of str -> array; those of nested containers are named
        "outer/inner", a lone one "tensor". Numbers and text beside them are
        left out. Arrays share memory where the tensors did, and expanded
        ones repeat it: copy before writing. bfloat16 becomes float32.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: if it is damaged, or holds anything but plain containers
            and tensors.
    """
    return parse(pathlib.Path(path).read_bytes(), os.fspath(path))


def parse(data: bytes, name: str) -> dict[str, np.ndarray]:
    """Reads a PyTorch file whose bytes are at hand, as `read` does.

    Args:
        data: the whole file.
        name: what errors call it.

    Returns:
        dict of str -> array.

    Raises:
        ValueError: as `read`.
    """
    try:
        load = _load_zip if data[:2] == b"PK" else _load_legacy
        budget = pickle_machine.Budget(len(data))
        content, numbers = load(data, budget)
        room = _SPARE + _GROWTH * len(data)
        return _tensors(content, numbers, budget, room)
    except pickle_machine.Refused as error:
        raise ValueError(f"{name} was not read: {_short(error)}") from None
    except (
        ValueError,  # Of the instruction reader, and of undecodable text.
        IndexError,
        KeyError,
        EOFError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(
            f"{name} is damaged or not a PyTorch file: {_short(error)}"
        ) from error


def is_one(data: bytes) -> bool:
    """Says whether bytes begin as a PyTorch file of either format does.

    Args:
        data: a file's content.

    Returns:
        True if `read` may be tried on it.
    """
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as file:
                return any(n.endswith("/data.pkl") for n in file.namelist())
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return False
    return data[:1] == b"\x80"


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Turns bfloat16 numbers into the equal float32.

    Args:
        bits: array of any shape, uint16: the numbers' bits.

    Returns:
        float32 array of the same shape.
    """
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _short(error):
    """The error's words; names in it may be as long as the file likes."""
    text = str(error)
    return text if len(text) < 400 else f"{text[:400]}..."


def _load_zip(data, budget):
    """Returns the plain value and the numbers of each storage."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        names = file.namelist()
        found = [name for name in names if name.endswith("/data.pkl")]
        if len(found) != 1:
            raise pickle_machine.Refused(
                f"it holds {len(found)} files data.pkl, not one."
            )
        root = found[0].removesuffix("data.pkl")
        members = _Members(file, len(data))
        if f"{root}byteorder" in names:
            _check_order(members.read(f"{root}byteorder") == b"little")
        engine = machine.Machine(budget)
        content = engine.run(io.BytesIO(members.read(found[0])))
        numbers = {
            key: _numbers(members.read(f"{root}data/{key}"), 0, storage)
            for key, storage in engine.storages.items()
        }
    return content, numbers


class _Members:
    """Reads an archive's members, together never more than the archive."""

    def __init__(self, file, limit):
        self._file, self._left = file, limit

    def read(self, name):
        info = self._file.getinfo(name)
        self._left -= info.file_size
        if info.compress_type != zipfile.ZIP_STORED or self._left < 0:
            raise pickle_machine.Refused(
                f"its member {name!r} is compressed or larger than the file; "
                "PyTorch stores them plainly."
            )
        return self._file.read(info)


def _load_legacy(data, budget):
    """Returns the plain value and the numbers of each storage."""
    stream = io.BytesIO(data)
    if (
        machine.Machine(budget).run(stream) != _MAGIC
        or machine.Machine(budget).run(stream) != _PROTOCOL
    ):
        raise pickle_machine.Refused(
            "it is a pickle, but not one that PyTorch wrote."
        )
    system = machine.Machine(budget).run(stream)
    if not isinstance(system, dict):
        raise pickle_machine.Refused(
            "it is a pickle, but not one that PyTorch wrote."
        )
    _check_order(system.get("little_endian") is True)
    engine = machine.Machine(budget)
    content = engine.run(stream)
    keys = machine.Machine(budget).run(stream)
    if not isinstance(keys, list) or any(type(k) is not str for k in keys):
        raise pickle_machine.Refused(
            "its list of storages is no list of names."
        )
    if sorted(keys) != sorted(engine.storages):
        raise pickle_machine.Refused(
            "its list of storages is not the one its tensors use."
        )
    numbers, place = {}, stream.tell()
    for key in keys:
        storage = engine.storages[key]
        numbers[key] = _numbers(data, place + 8, storage)
        if data[place : place + 8] != storage.count.to_bytes(8, "little"):
            raise pickle_machine.Refused(
                f"its storage {key!r} is not as long as declared."
            )
        place += 8 + numbers[key].nbytes
    return content, numbers


def _check_order(is_little):
    if not is_little:
        raise pickle_machine.Refused("its numbers are big-endian.")


def _numbers(data, start, storage):
    """Views a storage's numbers in the bytes, and no further than they go."""
    kind = np.dtype(machine.STORAGES[storage.kind])
    if storage.count * kind.itemsize > len(data) - start:
        raise pickle_machine.Refused(
            f"its storage {storage.key!r} holds fewer numbers than declared."
        )
    return np.frombuffer(data, kind, storage.count, start)


def _tensors(content, numbers, budget, room):
    """Names every tensor of nested containers."""
    arrays, widened = {}, {}
    for name, value in _walk("", {"": content}, 0, budget):
        name = name or "tensor"
        if name in arrays:
            raise pickle_machine.Refused(
                f"it holds two tensors called {name!r}."
            )
        key = value.storage.key
        if key not in widened:
            widened[key] = _widened(numbers[key], value.storage.kind)
        arrays[name] = _view(value, widened[key], name, room)
        room -= arrays[name].nbytes
    return arrays


def _walk(name, value, depth, budget):
    """Yields each (name, tensor); no name is made before its turn."""
    if isinstance(value, machine.Tensor):
        yield name, value
        return
    if depth > _DEEPEST:
        raise pickle_machine.Refused(
            f"its containers are nested more than {_DEEPEST} deep, or hold "
            "themselves."
        )
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        budget.spend(1)
        if isinstance(each, (machine.Tensor, dict, list, tuple)):
            inner = _joined(name, key)
            budget.spend(len(inner))
            yield from _walk(inner, each, depth + 1, budget)


def _joined(name, key):
    key = str(key)
    if len(name) + len(key) > _LONGEST:
        raise pickle_machine.Refused(
            f"a tensor's name in it is longer than {_LONGEST} letters."
        )
    return f"{name}/{key}" if name else key


def _widened(numbers, kind):
    if kind == "torch BFloat16Storage":
        return from_bfloat16(numbers)
    if kind == "torch BoolStorage":
        return numbers != 0
    return numbers


def _view(tensor, numbers, name, room):
    """Makes the array of a tensor; checks that it lies inside its storage."""
    start = tensor.storage.start + tensor.offset
    count, last = 1, start
    for size, stride in zip(tensor.size, tensor.stride, strict=True):
        count *= size
        last += (size - 1) * stride
    if count and last >= numbers.size:
        raise pickle_machine.Refused(
            f"its tensor {name!r} reaches beyond its storage."
        )
    width = numbers.itemsize
    if count * width > room:
        raise pickle_machine.Refused(
            f"its tensors up to {name!r} repeat the file's bytes more than "
            f"{_GROWTH} times. Save clone()s of them instead."
        )
    if not count:
        return np.zeros(tensor.size, numbers.dtype)
    strides = [stride * width for stride in tensor.stride]
    return np.ndarray(
        tensor.size, numbers.dtype, numbers, start * width, strides
    )
