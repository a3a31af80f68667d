"""Runs the pickles of PyTorch's files, and nothing that is in them.

A pickle is a program for a small stack machine that may call anything that
can be imported. The machine here knows the instructions that plain containers
need. A name such as `torch._utils._rebuild_tensor_v2` is only a name to it; a
fixed few mean "a tensor" or "a dict", nothing is ever imported or called, and
any other name ends the reading.
"""

import dataclasses
import pickletools
import re

STORAGES = {
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
_SPARE = 1_000_000  # Items that the smallest file may make.
_AXES = 32
_NAMES = {_DICT, _SIZE, _PARAMETER, *_TENSORS, *STORAGES}


class Refused(ValueError):
    """Says in a sentence why; it goes on after "FILE was not read: "."""


@dataclasses.dataclass(frozen=True)
class _Name:
    """What the pickle asks to import. It is never imported."""

    text: str


@dataclasses.dataclass(frozen=True)
class Storage:
    """Describes a row of numbers of the file; `kind` is one of `STORAGES`."""

    kind: str
    key: str
    count: int
    start: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """Describes a view of a storage; sizes and strides count numbers."""

    storage: Storage
    offset: int
    size: tuple
    stride: tuple


class Budget:
    """Bounds what a file may make by repeating itself.

    An honest file of n bytes makes fewer than n items, or not many.

    Args:
        size: int. Bytes of the file.
    """

    def __init__(self, size):
        self._left = size + _SPARE

    def spend(self, count):
        """Takes off the items that are about to be made.

        Args:
            count: int.

        Raises:
            Refused: if they are more than are left.
        """
        self._left -= count
        if self._left < 0:
            raise Refused(
                "it repeats its containers until they hold too many items "
                "for a file of its size."
            )


class _Dict(dict):
    """An OrderedDict of the file, which may carry attributes: dropped."""


_MARK = object()


class Machine:
    """Runs one pickle.

    `storages` collects, by key, what the pickle's tensors lie in.

    Args:
        budget: `Budget` of the file, for all its pickles together.
    """

    def __init__(self, budget):
        self.storages = {}
        self._budget = budget

    def run(self, stream):
        """Reads the pickle at the stream's place, and no further.

        Args:
            stream: binary file.

        Returns:
            Plain containers, numbers and text, and `Tensor`s.

        Raises:
            Refused: if it asks for anything else.
            ValueError: if it is damaged.
        """
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
                raise Refused(
                    f"its pickle uses the instruction {code.name}, which "
                    "plain containers and tensors do not need."
                )
        raise Refused("its pickle has no end.")

    def _pop(self):
        if not self._stack or self._stack[-1] is _MARK:
            raise Refused("its pickle takes a value where there is none.")
        return self._stack.pop()

    def _top(self, kind):
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise Refused(
                "its pickle adds to something that cannot be added to."
            )
        return self._stack[-1]

    def _pop_mark(self):
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                values = self._stack[place + 1 :]
                del self._stack[place:]
                return values
        raise Refused("its pickle lacks a mark.")

    def _take(self, count):
        return tuple(reversed([self._pop() for _ in range(count)]))

    def _push_name(self, text):
        if text not in _NAMES:
            shown = text.replace(" ", ".", 1)[:100]
            raise Refused(
                f"it asks for {shown!r}; only plain containers and tensors "
                "are read. Save a state_dict() of tensors instead."
            )
        self._stack.append(_Name(text))

    def _stack_name(self, _):
        module, name = self._take(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise Refused("its pickle asks for a name that is no text.")
        self._push_name(f"{module} {name}")

    def _mark(self, _):
        self._stack.append(_MARK)

    def _drop(self, _):
        if not self._stack:
            raise Refused("its pickle takes a value where there is none.")
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
            raise Refused("its pickle recalls a value it never stored.")
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
            raise Refused("its pickle holds a key without a value.")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Deep tuples would overflow the stack of hash().
            if not isinstance(key, (str, int, float, bool, type(None))):
                raise Refused("it holds a dict whose keys are no names.")
            target[key] = value

    def _call(self, _):
        name, arguments = self._take(2)
        if not isinstance(name, _Name) or not isinstance(arguments, tuple):
            raise Refused("its pickle calls something that is no name.")
        if name.text == _DICT:
            self._stack.append(_Dict())
            if arguments:
                self._fill(self._pairs(*_exactly(1, arguments)))
        elif name.text == _SIZE:
            self._stack.append(_counts(*_exactly(1, arguments)))
        elif name.text in _TENSORS:
            self._stack.append(_tensor(arguments))
        elif name.text == _PARAMETER:
            value = _exactly(3, arguments)[0]
            if not isinstance(value, Tensor):
                raise Refused("it holds a parameter that is no tensor.")
            self._stack.append(value)
        else:
            raise Refused(f"its pickle calls {name.text!r}, a storage.")

    def _pairs(self, rows):
        """The argument of OrderedDict, [(key, value), ...], in one row."""
        values = []
        for row in rows if isinstance(rows, (list, tuple)) else [None]:
            if not isinstance(row, (list, tuple)) or len(row) != 2:
                raise Refused("it holds a dict that is not made of pairs.")
            self._budget.spend(1)
            values += row
        return values

    def _build(self, _):
        self._pop()  # Attributes, such as a state dict's _metadata.
        self._top(_Dict)

    def _storage(self, _):
        storage = _storage(self._pop())
        known = self.storages.setdefault(storage.key, storage)
        if (known.kind, known.count) != (storage.kind, storage.count):
            raise Refused(f"it declares the storage {storage.key!r} twice.")
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
    "GLOBAL": Machine._push_name,
    "STACK_GLOBAL": Machine._stack_name,
    "MARK": Machine._mark,
    "POP": Machine._drop,
    "POP_MARK": Machine._drop_mark,
    "DUP": Machine._double,
    "PUT": Machine._remember,
    "BINPUT": Machine._remember,
    "LONG_BINPUT": Machine._remember,
    "MEMOIZE": Machine._remember,
    "GET": Machine._recall,
    "BINGET": Machine._recall,
    "LONG_BINGET": Machine._recall,
    "TUPLE": Machine._tuple,
    "TUPLE1": lambda machine, _: machine._push_tuple(1),
    "TUPLE2": lambda machine, _: machine._push_tuple(2),
    "TUPLE3": lambda machine, _: machine._push_tuple(3),
    "LIST": Machine._list,
    "DICT": Machine._dict,
    "APPEND": Machine._append,
    "APPENDS": Machine._extend,
    "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items,
    "REDUCE": Machine._call,
    "BUILD": Machine._build,
    "BINPERSID": Machine._storage,
}


def _exactly(count, arguments):
    if len(arguments) != count:
        raise Refused(
            f"its pickle hands over {len(arguments)} values for {count}."
        )
    return arguments


def _is_count(value):
    return type(value) is int and 0 <= value < 2**63


def _counts(value):
    if isinstance(value, (tuple, list)) and len(value) > _AXES:
        raise Refused(f"it holds a shape of more than {_AXES} axes.")
    if not isinstance(value, (tuple, list)) or not all(map(_is_count, value)):
        raise Refused("it holds a tensor whose shape is not made of counts.")
    return tuple(value)


def _tensor(arguments):
    if not 4 <= len(arguments) <= 7 or not isinstance(arguments[0], Storage):
        raise Refused("it holds a tensor without a storage.")
    storage, offset, size, stride = arguments[:4]
    size, stride = _counts(size), _counts(stride)
    if not _is_count(offset) or len(size) != len(stride):
        raise Refused("it holds a tensor of an impossible shape.")
    return Tensor(storage, offset, size, stride)


def _storage(identity):
    """Reads ("storage", type, key, device, count[, (view, start, count)])."""
    if not isinstance(identity, tuple) or identity[:1] != ("storage",):
        raise Refused(
            "it holds something stored aside that is no storage, such as the "
            "source of a class. Save its state_dict()."
        )
    if len(identity) not in (5, 6):
        raise Refused("it declares a storage wrongly.")
    _, kind, key, _, count = identity[:5]
    fits = (
        isinstance(kind, _Name)
        and kind.text in STORAGES
        and isinstance(key, str)
        and re.fullmatch(r"\w+", key)
        and _is_count(count)
    )
    if not fits:
        raise Refused("it declares a storage wrongly.")
    view = identity[5] if len(identity) == 6 else None
    if view is None:
        return Storage(kind.text, key, count)
    if not isinstance(view, tuple) or len(view) != 3 or not _is_count(view[1]):
        raise Refused("it declares a part of a storage wrongly.")
    return Storage(kind.text, key, count, view[1])
