"""Reads strangers' pickles, and runs nothing that is in them.

`ops.pickle_machine` runs them; what it learns here are sets, bytes and
numpy's arrays, numbers and text.
"""

import codecs
import contextlib
import io
import os
import pathlib
import re

import numpy as np

from keras_t2i.ops import pickle_machine

_DEEPEST = 50  # Containers in containers.


def read(source: str | os.PathLike | bytes, encoding: str = "utf-8"):
    """Reads a pickle of plain values, of any protocol and of Python 2's.

    Args:
        source: a file, or the bytes of one.
        encoding: of Python 2's text, one that knows ASCII; what does not fit
            is read as Latin-1.

    Returns:
        list, tuple, dict, set, frozenset, str, bytes, int, float, bool, None,
        numpy arrays and numpy's numbers and text. An OrderedDict or
        defaultdict becomes a dict, a bytearray becomes bytes.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: if it is damaged, or asks for anything else.
    """
    codecs.lookup(encoding)
    if isinstance(source, bytes):
        data, name = source, "The pickle"
    else:
        data, name = pathlib.Path(source).read_bytes(), os.fspath(source)
    try:
        budget = pickle_machine.Budget(len(data))
        value = _Plain(budget, encoding).run(io.BytesIO(data))
        _check(value, budget, 0)
        return value
    except pickle_machine.Refused as error:
        raise ValueError(f"{name} was not read: {_short(error)}") from None
    except (  # Of the arguments' readers, of codecs, of numpy.
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        EOFError,
        OverflowError,
        MemoryError,
    ) as error:
        raise ValueError(
            f"{name} is damaged or no pickle: {_short(error)}"
        ) from error


def _short(error):
    """The error's words; names in it may be as long as the file likes."""
    text = str(error)
    return text if len(text) < 400 else f"{text[:400]}..."


_SETS = {"set": set, "frozenset": frozenset}
_BUILTINS = ("__builtin__", "builtins")
_FACTORIES = "int float str bool list dict tuple".split()  # Of defaultdicts.
_NUMPY = ("numpy.core", "numpy._core")
_ARRAY = "numpy ndarray"
_DTYPE = "numpy dtype"
_DEFAULT = "collections defaultdict"
_ENCODE = "_codecs encode"
_UNFIT = "it holds an array with too few or too many items."


class _Dtype:
    """A dtype of the file, until its byte order is known."""

    def __init__(self, kind):
        self.kind = kind


class _Plain(pickle_machine.Machine):
    """The machine of `read`: also sets, bytes and numpy's arrays."""

    NAMES = (
        pickle_machine.Machine.NAMES
        | {_ARRAY, _DTYPE, _DEFAULT, _ENCODE}
        | {
            f"{module} {name}"
            for module in _BUILTINS
            for name in [*_SETS, *_FACTORIES, "bytes", "bytearray"]
        }
        | {
            f"{room}.{name}"
            for room in _NUMPY
            for name in [
                "multiarray _reconstruct",
                "multiarray scalar",
                "numeric _frombuffer",
            ]
        }
    )
    PLAIN = "plain containers, text, numbers and numpy arrays"
    KEYS = (*pickle_machine.Machine.KEYS, bytes, np.generic)

    def _make(self, name, arguments):
        """Makes what the pickle would get by calling a name."""
        last = name.rpartition(" ")[2]
        if last in _SETS:
            return _SETS[last](self._members(*arguments[:1]))
        if name == _DEFAULT:
            return {}
        if name == _ENCODE:
            return self._bytes(*pickle_machine.exactly(2, arguments))
        if last in ("bytes", "bytearray"):
            return self._bytes(*(arguments or (b"",)))
        if name == _DTYPE:
            return _Dtype(_dtype(arguments[:1]))
        if last == "_reconstruct":
            return np.zeros(0, np.int8)
        if last == "_frombuffer":
            data, kind, shape, order = pickle_machine.exactly(4, arguments)
            array = np.zeros(0, np.int8)
            self._set(array, shape, kind, order == "F", data)
            return array
        if last == "scalar":
            kind, data = pickle_machine.exactly(2, arguments)
            array = np.zeros(0, np.int8)
            self._set(array, (), kind, False, data)
            if array.dtype.kind == "O":
                raise pickle_machine.Refused(
                    "it holds a numpy scalar that is no number."
                )
            return array[()]
        return super()._make(name, arguments)

    def _build(self, value, state):
        """Gives an array its numbers, or a dtype its byte order."""
        if isinstance(value, np.ndarray) and isinstance(state, tuple):
            _, shape, kind, is_fortran, data = pickle_machine.exactly(5, state)
            self._set(value, shape, kind, bool(is_fortran), data)
        elif isinstance(value, _Dtype) and isinstance(state, tuple):
            value.kind = _ordered(value.kind, state)
        else:
            super()._build(value, state)

    def _members(self, values=()):
        if not isinstance(values, (list, tuple)):
            raise pickle_machine.Refused(
                "it holds a set that is not made of a list."
            )
        if not all(isinstance(value, self.KEYS) for value in values):
            raise pickle_machine.Refused(
                "it holds a set of more than text and numbers."
            )
        self._budget.spend(len(values))
        return values

    def _bytes(self, value, encoding="latin-1"):
        """Bytes as they are, or as text, which older protocols write."""
        if isinstance(value, str) and encoding in ("latin1", "latin-1"):
            value = value.encode("latin-1")
        if not isinstance(value, (bytes, bytearray)):
            raise pickle_machine.Refused(
                "it holds bytes that are not written as text."
            )
        self._budget.spend(len(value))
        return bytes(value)

    def _set(self, array, shape, kind, is_fortran, data):
        """Fills an array in place, for the pickle may know it already."""
        if not isinstance(kind, _Dtype):
            raise pickle_machine.Refused("it holds an array without a dtype.")
        kind, shape = kind.kind, pickle_machine.counts(shape)
        count = 1
        for size in shape:
            count *= size
        # Items of no bytes, and axes without items, are looped over too.
        self._budget.spend(max(count * max(kind.itemsize, 1), *shape, 0))
        if kind.kind != "O":
            data = self._raw(data, count * kind.itemsize)
        elif not isinstance(data, list) or len(data) != count:
            raise pickle_machine.Refused(_UNFIT)
        if kind.kind == "U" and data:
            letters = np.frombuffer(data, kind.byteorder + "u4")
            if letters.max() > 0x10FFFF:
                raise pickle_machine.Refused(
                    "it holds an array of text that is no Unicode."
                )
        array.__setstate__((1, shape, kind, is_fortran, data))

    def _raw(self, data, length):
        """An array's bytes; Python 2 wrote them as if they were text.

        That text was decoded in one of two ways. Where they differ in bytes,
        they differ in length.
        """
        if not isinstance(data, (bytes, bytearray, str)):
            raise pickle_machine.Refused(
                "it holds an array whose numbers are no bytes."
            )
        if isinstance(data, str):
            ways = [raw for raw in self._ways(data) if len(raw) == length]
            data = ways[0] if ways else b""
        if len(data) != length:
            raise pickle_machine.Refused(_UNFIT)
        return bytes(data)

    def _ways(self, text):
        for encoding in (self._encoding, "latin-1"):
            with contextlib.suppress(UnicodeError):
                yield text.encode(encoding)

    def _new_set(self, _):
        self._push(set())

    def _add(self, _):
        values = self._pop_mark()
        self._top(set).update(self._members(values))

    def _frozen(self, _):
        self._push(frozenset(self._members(self._pop_mark())))

    def _push_bytes(self, value):
        self._push(bytes(value))


_Plain.INSTRUCTIONS = pickle_machine.Machine.INSTRUCTIONS | {
    "BINBYTES": _Plain._push_bytes,
    "SHORT_BINBYTES": _Plain._push_bytes,
    "BINBYTES8": _Plain._push_bytes,
    "BYTEARRAY8": _Plain._push_bytes,
    "EMPTY_SET": _Plain._new_set,
    "ADDITEMS": _Plain._add,
    "FROZENSET": _Plain._frozen,
}


def _dtype(arguments):
    """Reads the kinds that are numbers, text or plain objects."""
    text = arguments[0] if arguments else None
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if not isinstance(text, str) or not re.fullmatch(
        r"[biufc][0-9]{1,2}|[SU][0-9]{1,9}|O[48]?", text
    ):
        raise pickle_machine.Refused(
            f"it holds an array of {str(text)[:40]!r}; only numbers and text "
            "are read."
        )
    try:
        return np.dtype("O" if text[0] == "O" else text)
    except TypeError:
        raise pickle_machine.Refused(
            f"it holds an array of the unknown {text!r}."
        ) from None


def _ordered(kind, state):
    """Reads (version, order, None, None, None, size, alignment, flags)."""
    if len(state) not in (8, 9) or state[2:5] != (None, None, None):
        raise pickle_machine.Refused(
            "it holds an array of records; only plain ones are read."
        )
    order = state[1]
    if isinstance(order, bytes):
        order = order.decode("latin-1")
    if order not in ("<", ">", "|", "="):
        raise pickle_machine.Refused(
            "it holds an array of an unknown byte order."
        )
    return kind.newbyteorder(order)


_CONTAINERS = (list, tuple, dict, set, frozenset)
_LEAVES = (str, int, float, bool, bytes, type(None), np.generic)


def _check(value, budget, depth):
    """Counts what all containers hold, each as often as it stands there."""
    if isinstance(value, _LEAVES):
        return
    if depth > _DEEPEST:
        raise pickle_machine.Refused(
            f"its containers are nested more than {_DEEPEST} deep, or hold "
            "themselves."
        )
    if isinstance(value, np.ndarray):
        items = value.ravel().tolist() if value.dtype.kind == "O" else ()
    elif isinstance(value, dict):
        items = value.values()
    elif isinstance(value, _CONTAINERS):
        items = value
    else:
        raise pickle_machine.Refused(
            "it holds a name or a dtype, not only their use."
        )
    budget.spend(len(items))
    for each in items:
        if not isinstance(each, _LEAVES):
            _check(each, budget, depth + 1)
