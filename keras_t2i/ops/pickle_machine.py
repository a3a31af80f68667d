"""Runs the instructions of strangers' pickles, and imports nothing.

A pickle is a program for a small stack machine that may call anything that
can be imported. The machine here knows the instructions that plain containers
need. A name such as `collections.OrderedDict` is only a name to it; a fixed
few mean "a dict" or "an array", nothing is ever imported or called, and any
other name ends the reading.
"""

import codecs
import dataclasses
import pickletools

ORDERED = "collections OrderedDict"
_SPARE = 1_000_000  # Items that the smallest file may make.
_AXES = 32
_MARK = object()
_OPCODES = {code.code.encode("latin-1"): code for code in pickletools.opcodes}


class Refused(ValueError):
    """Says in a sentence why; it goes on after "FILE was not read: "."""


@dataclasses.dataclass(frozen=True)
class Name:
    """What the pickle asks to import. It is never imported."""

    text: str


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


class Machine:
    """Runs one pickle of plain containers, numbers and text.

    Machines of more add to `NAMES` and `INSTRUCTIONS` and to what `_make` and
    `_build` know; `PLAIN` is what they call it all.

    Args:
        budget: `Budget` of the file, for all its pickles together.
        encoding: str. Of Python 2's text; what does not fit is Latin-1.
    """

    NAMES = frozenset({ORDERED})
    PLAIN = "plain containers"
    KEYS = (str, int, float, bool, type(None))
    INSTRUCTIONS = {}  # Filled in below: name -> function(machine, argument).

    def __init__(self, budget, encoding="utf-8"):
        self._budget = budget
        self._encoding = encoding

    def run(self, stream):
        """Reads the pickle at the stream's place, and no further.

        Args:
            stream: binary file.

        Returns:
            Plain containers, numbers and text, and what `_make` makes.

        Raises:
            Refused: if it asks for anything else.
            ValueError: if it is damaged.
        """
        self._stack, self._memo = [], {}
        while True:
            byte = stream.read(1)
            code = _OPCODES.get(byte)
            if code is None:
                what = (
                    f"the byte {byte!r} is no instruction"
                    if byte
                    else ("it ends in mid-pickle")
                )
                raise ValueError(f"{what}.")
            if code.name == "STOP":
                return self._pop()
            action = self.INSTRUCTIONS.get(code.name)
            if action is None:
                raise Refused(
                    f"its pickle uses the instruction {code.name}, which "
                    f"{self.PLAIN} do not need."
                )
            action(self, _argument(code, stream))

    def _make(self, name, arguments):
        """Makes what the pickle would get by calling one of `NAMES`."""
        if name != ORDERED:
            raise Refused(f"its pickle calls {shown(name)}.")
        made = self._new_ordered()
        if arguments:
            self._fill(made, self._pairs(*exactly(1, arguments)))
        return made

    def _new_ordered(self):
        """Makes what stands for an empty OrderedDict."""
        return {}

    def _build(self, value, state):
        """Gives what was made its attributes, if it takes any."""
        raise Refused("its pickle adds to something that cannot be added to.")

    def _refuse_name(self, name):
        raise Refused(f"it asks for {shown(name)}; only {self.PLAIN} are read.")

    def _push(self, value):
        self._stack.append(value)

    def _push_old_text(self, data):
        """Pushes text of Python 2, which is bytes of any encoding."""
        try:
            self._push(data.decode(self._encoding))
        except UnicodeError:
            self._push(data.decode("latin-1"))

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

    def _push_name(self, name):
        if name not in self.NAMES:
            self._refuse_name(name)
        self._push(Name(name))

    def _stack_name(self, _):
        module, name = self._take(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise Refused("its pickle asks for a name that is no text.")
        self._push_name(f"{module} {name}")

    def _mark(self, _):
        self._push(_MARK)

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
        self._push(value)
        self._memo[len(self._memo) if place is None else place] = value

    def _recall(self, place):
        if place not in self._memo:
            raise Refused("its pickle recalls a value it never stored.")
        self._push(self._memo[place])

    def _push_tuple(self, count):
        self._push(self._take(count))

    def _tuple(self, _):
        self._push(tuple(self._pop_mark()))

    def _list(self, _):
        self._push(self._pop_mark())

    def _dict(self, _):
        values = self._pop_mark()
        self._push({})
        self._fill(self._top(dict), values)

    def _append(self, _):
        value = self._pop()
        self._top(list).append(value)

    def _extend(self, _):
        values = self._pop_mark()
        self._top(list).extend(values)

    def _set_item(self, _):
        values = self._take(2)
        self._fill(self._top(dict), values)

    def _set_items(self, _):
        values = self._pop_mark()
        self._fill(self._top(dict), values)

    def _fill(self, target, values):
        if len(values) % 2:
            raise Refused("its pickle holds a key without a value.")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Deep tuples would overflow the stack of hash().
            if not isinstance(key, self.KEYS):
                raise Refused("it holds a dict whose keys are no names.")
            target[key] = value

    def _call(self, _):
        name, arguments = self._take(2)
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise Refused("its pickle calls something that is no name.")
        self._push(self._make(name.text, arguments))

    def _pairs(self, rows):
        """The argument of OrderedDict, [(key, value), ...], in one row."""
        values = []
        for row in rows if isinstance(rows, (list, tuple)) else [None]:
            if not isinstance(row, (list, tuple)) or len(row) != 2:
                raise Refused("it holds a dict that is not made of pairs.")
            self._budget.spend(1)
            values += row
        return values

    def _set_state(self, _):
        state = self._pop()
        self._build(self._top(object), state)


Machine.INSTRUCTIONS = dict.fromkeys(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE "
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8".split(),
    Machine._push,
) | {
    "STRING": Machine._push_old_text,
    "BINSTRING": Machine._push_old_text,
    "SHORT_BINSTRING": Machine._push_old_text,
    "NONE": lambda machine, _: machine._push(None),
    "NEWTRUE": lambda machine, _: machine._push(True),
    "NEWFALSE": lambda machine, _: machine._push(False),
    "EMPTY_TUPLE": lambda machine, _: machine._push(()),
    "EMPTY_LIST": lambda machine, _: machine._push([]),
    "EMPTY_DICT": lambda machine, _: machine._push({}),
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
    "BUILD": Machine._set_state,
}


def exactly(count, arguments):
    """Checks how many values a call hands over.

    Args:
        count: int.
        arguments: tuple.

    Returns:
        The arguments.

    Raises:
        Refused: if they are more or fewer.
    """
    if len(arguments) != count:
        raise Refused(
            f"its pickle hands over {len(arguments)} values for {count}."
        )
    return arguments


def is_count(value):
    """Says whether a value of a pickle may count things in memory.

    Args:
        value: anything.

    Returns:
        True if it is an int from 0 to 2**63 - 1.
    """
    return type(value) is int and 0 <= value < 2**63


def counts(value, owner="an array"):
    """Checks a shape.

    Args:
        value: anything.
        owner: str. What has the shape.

    Returns:
        tuple of ints.

    Raises:
        Refused: if it isn't one.
    """
    if isinstance(value, (tuple, list)) and len(value) > _AXES:
        raise Refused(f"it holds a shape of more than {_AXES} axes.")
    if not isinstance(value, (tuple, list)) or not all(map(is_count, value)):
        raise Refused(f"it holds {owner} whose shape is not made of counts.")
    return tuple(value)


def shown(name):
    """Writes a name as people do.

    Args:
        name: str, "module attribute".

    Returns:
        str, 'module.attribute' in quotes; long ones are cut.
    """
    return repr(name.replace(" ", ".", 1)[:100])


def _argument(code, stream):
    if code.arg is None:
        return None
    if code.name == "STRING":
        line = pickletools.read_stringnl(stream, decode=False)
        return codecs.escape_decode(line)[0]
    value = code.arg.reader(stream)
    if code.name in ("BINSTRING", "SHORT_BINSTRING"):
        return value.encode("latin-1")
    return value
