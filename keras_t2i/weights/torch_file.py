"""PyTorch's files, read without PyTorch and without running what is in them.

A PyTorch file holds a pickle: a program for a small stack machine that may
call anything that can be imported. The machine here knows the instructions
that plain containers need. A name such as `torch._utils._rebuild_tensor_v2`
is only a name to it; a fixed few mean "a tensor" or "a dict", nothing is ever
imported or called, and any other name ends the reading.
"""

import dataclasses
import io
import os
import pathlib
import pickletools
import re
import zipfile

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DEEPEST = 50  # Containers in containers.
_MOST = 1_000_000  # Containers.

_STORAGES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch BFloat16Storage": "<u2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "i1",
    "torch ByteStorage": "u1",
    "torch BoolStorage": "u1",
}
_DICT = "collections OrderedDict"
_SIZE = "torch Size"
_PARAMETER = "torch._utils _rebuild_parameter"
_TENSORS = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor")
_NAMES = {_DICT, _SIZE, _PARAMETER, *_TENSORS, *_STORAGES}


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the tensors of a PyTorch file by name.

    Args:
        path: a file written by `torch.save`, of the zip or the older format.

    Returns:
        dict of str -> array; those of nested containers are named
        "outer/inner", a lone one "tensor". Numbers and text beside them are
        left out. Arrays share memory where the tensors did: copy before
        writing. bfloat16 becomes float32.

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
        return _tensors(*load(data))
    except _Refused as error:
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
    """Says whether bytes begin as a PyTorch file of either format does."""
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as file:
                return any(n.endswith("/data.pkl") for n in file.namelist())
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return False
    return data[:1] == b"\x80"


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Turns bfloat16 numbers, given as uint16, into the equal float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _short(error):
    """The error's words; names in it may be as long as the file likes."""
    text = str(error)
    return text if len(text) < 400 else f"{text[:400]}..."


class _Refused(ValueError):
    """A sentence that goes on after "FILE was not read: "."""


@dataclasses.dataclass(frozen=True)
class _Name:
    """What the pickle asks to import. It is never imported."""

    text: str


@dataclasses.dataclass(frozen=True)
class _Storage:
    kind: str
    key: str
    count: int
    start: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class _Tensor:
    storage: _Storage
    offset: int
    size: tuple
    stride: tuple


class _Dict(dict):
    """An OrderedDict of the file, which may carry attributes: dropped."""


_MARK = object()


class _Machine:
    """Runs one pickle; `storages` collects what its tensors lie in."""

    def __init__(self):
        self.storages = {}

    def run(self, stream):
        """Returns the plain value of the pickle at the stream's place."""
        self._stack, self._memo = [], {}
        for code, argument, _ in pickletools.genops(stream):
            if code.name == "STOP":
                return self._pop()
            if code.name in _PUSHED:
                self._stack.append(argument)
            elif code.name in _MADE:
                self._stack.append(_MADE[code.name]())
            elif code.name in _DONE:
                _DONE[code.name](self, argument)
            else:
                raise _Refused(
                    f"its pickle uses the instruction {code.name}, which "
                    "plain containers and tensors do not need."
                )
        raise _Refused("its pickle has no end.")

    def _pop(self):
        if not self._stack or self._stack[-1] is _MARK:
            raise _Refused("its pickle takes a value where there is none.")
        return self._stack.pop()

    def _top(self, kind):
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise _Refused(
                "its pickle adds to something that cannot be added to."
            )
        return self._stack[-1]

    def _pop_mark(self):
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                values = self._stack[place + 1 :]
                del self._stack[place:]
                return values
        raise _Refused("its pickle lacks a mark.")

    def _take(self, count):
        return tuple(reversed([self._pop() for _ in range(count)]))

    def _push_name(self, text):
        if text not in _NAMES:
            shown = text.replace(" ", ".", 1)[:100]
            raise _Refused(
                f"it asks for {shown!r}; only plain containers and tensors "
                "are read. Save a state_dict() of tensors instead."
            )
        self._stack.append(_Name(text))

    def _stack_name(self, _):
        module, name = self._take(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise _Refused("its pickle asks for a name that is no text.")
        self._push_name(f"{module} {name}")

    def _mark(self, _):
        self._stack.append(_MARK)

    def _drop(self, _):
        if not self._stack:
            raise _Refused("its pickle takes a value where there is none.")
        self._stack.pop()

    def _drop_mark(self, _):
        self._pop_mark()

    def _double(self, _):
        value = self._pop()
        self._stack += [value, value]

    def _remember(self, place):
        value = self._pop()
        self._stack.append(value)
        self._memo[len(self._memo) if place is None else place] = value

    def _recall(self, place):
        if place not in self._memo:
            raise _Refused("its pickle recalls a value it never stored.")
        self._stack.append(self._memo[place])

    def _push_tuple(self, count):
        self._stack.append(self._take(count))

    def _tuple(self, _):
        self._stack.append(tuple(self._pop_mark()))

    def _list(self, _):
        self._stack.append(self._pop_mark())

    def _dict(self, _):
        values = self._pop_mark()
        self._stack.append({})
        self._fill(values)

    def _append(self, _):
        value = self._pop()
        self._top(list).append(value)

    def _extend(self, _):
        values = self._pop_mark()
        self._top(list).extend(values)

    def _set_item(self, _):
        self._fill(self._take(2))

    def _set_items(self, _):
        self._fill(self._pop_mark())

    def _fill(self, values):
        target = self._top(dict)
        if len(values) % 2:
            raise _Refused("its pickle holds a key without a value.")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Deep tuples would overflow the stack of hash().
            if not isinstance(key, (str, int, float, bool, type(None))):
                raise _Refused("it holds a dict whose keys are no names.")
            target[key] = value

    def _call(self, _):
        name, arguments = self._take(2)
        if not isinstance(name, _Name) or not isinstance(arguments, tuple):
            raise _Refused("its pickle calls something that is no name.")
        if name.text == _DICT:
            self._stack.append(_Dict())
            if arguments:
                self._fill(_pairs(*_exactly(1, arguments)))
        elif name.text == _SIZE:
            self._stack.append(_counts(*_exactly(1, arguments)))
        elif name.text in _TENSORS:
            self._stack.append(_tensor(arguments))
        elif name.text == _PARAMETER:
            value = _exactly(3, arguments)[0]
            if not isinstance(value, _Tensor):
                raise _Refused("it holds a parameter that is no tensor.")
            self._stack.append(value)
        else:
            raise _Refused(f"its pickle calls {name.text!r}, a storage.")

    def _build(self, _):
        self._pop()  # Attributes, such as a state dict's _metadata.
        self._top(_Dict)

    def _storage(self, _):
        storage = _storage(self._pop())
        known = self.storages.setdefault(storage.key, storage)
        if (known.kind, known.count) != (storage.kind, storage.count):
            raise _Refused(f"it declares the storage {storage.key!r} twice.")
        self._stack.append(storage)


_PUSHED = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT "
    "BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8".split()
)
_MADE = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_DONE = {
    "PROTO": lambda machine, version: None,
    "FRAME": lambda machine, length: None,
    "GLOBAL": _Machine._push_name,
    "STACK_GLOBAL": _Machine._stack_name,
    "MARK": _Machine._mark,
    "POP": _Machine._drop,
    "POP_MARK": _Machine._drop_mark,
    "DUP": _Machine._double,
    "PUT": _Machine._remember,
    "BINPUT": _Machine._remember,
    "LONG_BINPUT": _Machine._remember,
    "MEMOIZE": _Machine._remember,
    "GET": _Machine._recall,
    "BINGET": _Machine._recall,
    "LONG_BINGET": _Machine._recall,
    "TUPLE": _Machine._tuple,
    "TUPLE1": lambda machine, _: machine._push_tuple(1),
    "TUPLE2": lambda machine, _: machine._push_tuple(2),
    "TUPLE3": lambda machine, _: machine._push_tuple(3),
    "LIST": _Machine._list,
    "DICT": _Machine._dict,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._extend,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "REDUCE": _Machine._call,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._storage,
}


def _exactly(count, arguments):
    if len(arguments) != count:
        raise _Refused(
            f"its pickle hands over {len(arguments)} values for {count}."
        )
    return arguments


def _pairs(rows):
    """The argument of OrderedDict, [(key, value), ...], in one row."""
    values = []
    for row in rows if isinstance(rows, (list, tuple)) else [None]:
        if not isinstance(row, (list, tuple)) or len(row) != 2:
            raise _Refused("it holds a dict that is not made of pairs.")
        values += row
    return values


def _is_count(value):
    return type(value) is int and value >= 0


def _counts(value):
    if not isinstance(value, (tuple, list)) or not all(map(_is_count, value)):
        raise _Refused("it holds a tensor whose shape is not made of counts.")
    return tuple(value)


def _tensor(arguments):
    if not 4 <= len(arguments) <= 7 or not isinstance(arguments[0], _Storage):
        raise _Refused("it holds a tensor without a storage.")
    storage, offset, size, stride = arguments[:4]
    size, stride = _counts(size), _counts(stride)
    if not _is_count(offset) or len(size) != len(stride) or len(size) > 32:
        raise _Refused("it holds a tensor of an impossible shape.")
    return _Tensor(storage, offset, size, stride)


def _storage(identity):
    """Reads ("storage", type, key, device, count[, (view, start, count)])."""
    if not isinstance(identity, tuple) or identity[:1] != ("storage",):
        raise _Refused(
            "it holds something stored aside that is no storage, such as the "
            "source of a class. Save its state_dict()."
        )
    if len(identity) not in (5, 6):
        raise _Refused("it declares a storage wrongly.")
    _, kind, key, _, count = identity[:5]
    fits = (
        isinstance(kind, _Name)
        and kind.text in _STORAGES
        and isinstance(key, str)
        and re.fullmatch(r"\w+", key)
        and _is_count(count)
    )
    if not fits:
        raise _Refused("it declares a storage wrongly.")
    view = identity[5] if len(identity) == 6 else None
    if view is None:
        return _Storage(kind.text, key, count)
    if not isinstance(view, tuple) or len(view) != 3 or not _is_count(view[1]):
        raise _Refused("it declares a part of a storage wrongly.")
    return _Storage(kind.text, key, count, view[1])


def _load_zip(data):
    """Returns the plain value and the numbers of each storage."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        names = file.namelist()
        pickles = [name for name in names if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise _Refused(f"it holds {len(pickles)} files data.pkl, not one.")
        root = pickles[0].removesuffix("data.pkl")
        members = _Members(file, len(data))
        if f"{root}byteorder" in names:
            _check_order(members.read(f"{root}byteorder") == b"little")
        machine = _Machine()
        content = machine.run(io.BytesIO(members.read(pickles[0])))
        numbers = {
            key: _numbers(members.read(f"{root}data/{key}"), 0, storage)
            for key, storage in machine.storages.items()
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
            raise _Refused(
                f"its member {name!r} is compressed or larger than the file; "
                "PyTorch stores them plainly."
            )
        return self._file.read(info)


def _load_legacy(data):
    """Returns the plain value and the numbers of each storage."""
    stream = io.BytesIO(data)
    if _Machine().run(stream) != _MAGIC or _Machine().run(stream) != _PROTOCOL:
        raise _Refused("it is a pickle, but not one that PyTorch wrote.")
    system = _Machine().run(stream)
    if not isinstance(system, dict):
        raise _Refused("it is a pickle, but not one that PyTorch wrote.")
    _check_order(system.get("little_endian") is True)
    machine = _Machine()
    content = machine.run(stream)
    keys = _Machine().run(stream)
    if not isinstance(keys, list) or any(type(k) is not str for k in keys):
        raise _Refused("its list of storages is no list of names.")
    if sorted(keys) != sorted(machine.storages):
        raise _Refused("its list of storages is not the one its tensors use.")
    numbers, place = {}, stream.tell()
    for key in keys:
        storage = machine.storages[key]
        numbers[key] = _numbers(data, place + 8, storage)
        if data[place : place + 8] != storage.count.to_bytes(8, "little"):
            raise _Refused(f"its storage {key!r} is not as long as declared.")
        place += 8 + numbers[key].nbytes
    return content, numbers


def _check_order(is_little):
    if not is_little:
        raise _Refused("its numbers are big-endian.")


def _numbers(data, start, storage):
    """Views a storage's numbers in the bytes, and no further than they go."""
    kind = np.dtype(_STORAGES[storage.kind])
    if storage.count * kind.itemsize > len(data) - start:
        raise _Refused(
            f"its storage {storage.key!r} holds fewer numbers than declared."
        )
    return np.frombuffer(data, kind, storage.count, start)


def _tensors(content, numbers):
    """Names every tensor of nested containers, without recursion."""
    arrays, widened, visits = {}, {}, 0
    waiting = [("", content, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, _Tensor):
            name = name or "tensor"
            if name in arrays:
                raise _Refused(f"it holds two tensors called {name!r}.")
            key = value.storage.key
            if key not in widened:
                widened[key] = _widened(numbers[key], value.storage.kind)
            arrays[name] = _view(value, widened[key], name)
        elif isinstance(value, (dict, list, tuple)):
            visits += 1
            if depth > _DEEPEST or visits > _MOST:
                raise _Refused(
                    f"its containers are nested more than {_DEEPEST} deep, "
                    "hold themselves, or are too many."
                )
            items = (
                value.items() if isinstance(value, dict) else enumerate(value)
            )
            inner = [
                (f"{name}/{key}" if name else str(key), each, depth + 1)
                for key, each in items
                if isinstance(each, (_Tensor, dict, list, tuple))
            ]
            waiting += reversed(inner)
    return arrays


def _widened(numbers, kind):
    if kind == "torch BFloat16Storage":
        return from_bfloat16(numbers)
    if kind == "torch BoolStorage":
        return numbers != 0
    return numbers


def _view(tensor, numbers, name):
    """Makes the array of a tensor; checks that it lies inside its storage."""
    start = tensor.storage.start + tensor.offset
    count, last = 1, start
    for size, stride in zip(tensor.size, tensor.stride, strict=True):
        count *= size
        last += (size - 1) * stride
    if count > numbers.size or (count and last >= numbers.size):
        raise _Refused(f"its tensor {name!r} reaches beyond its storage.")
    if not count:
        return np.zeros(tensor.size, numbers.dtype)
    width = numbers.itemsize
    strides = [stride * width for stride in tensor.stride]
    return np.ndarray(
        tensor.size, numbers.dtype, numbers, start * width, strides
    )
