"""Runs the pickles of PyTorch's files, and nothing that is in them.

The machine of `ops.pickle_machine` learns here what a tensor and its storage
are: descriptions of numbers that lie elsewhere in the file.
"""

import dataclasses
import re

from keras_t2i.ops import pickle_machine

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
_SIZE = "torch Size"
_PARAMETER = "torch._utils _rebuild_parameter"
_TENSORS = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor")


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


class _Dict(dict):
    """An OrderedDict of the file, which may carry attributes: dropped."""


class Machine(pickle_machine.Machine):
    """Runs one pickle.

    `storages` collects, by key, what the pickle's tensors lie in.

    Args:
        budget: `Budget` of the file (`ops.pickle_machine`), for all its
            pickles.
    """

    NAMES = pickle_machine.Machine.NAMES | {
        _SIZE,
        _PARAMETER,
        *_TENSORS,
        *STORAGES,
    }
    PLAIN = "plain containers and tensors"

    def __init__(self, budget):
        super().__init__(budget)
        self.storages = {}

    def _make(self, name, arguments):
        if name == _SIZE:
            sizes = pickle_machine.exactly(1, arguments)[0]
            return pickle_machine.counts(sizes, "a tensor")
        if name in _TENSORS:
            return _tensor(arguments)
        if name == _PARAMETER:
            value = pickle_machine.exactly(3, arguments)[0]
            if not isinstance(value, Tensor):
                raise pickle_machine.Refused(
                    "it holds a parameter that is no tensor."
                )
            return value
        return super()._make(name, arguments)

    def _new_ordered(self):
        return _Dict()

    def _build(self, value, state):
        """Drops attributes, such as a state dict's _metadata."""
        if not isinstance(value, _Dict):
            super()._build(value, state)

    def _refuse_name(self, name):
        try:
            super()._refuse_name(name)
        except pickle_machine.Refused as error:
            raise pickle_machine.Refused(
                f"{error} Save a state_dict() of tensors instead."
            ) from None

    def _storage(self, _):
        storage = _storage(self._pop())
        known = self.storages.setdefault(storage.key, storage)
        if (known.kind, known.count) != (storage.kind, storage.count):
            raise pickle_machine.Refused(
                f"it declares the storage {storage.key!r} twice."
            )
        self._push(storage)


Machine.INSTRUCTIONS = pickle_machine.Machine.INSTRUCTIONS | {
    "BINPERSID": Machine._storage,
}


def _tensor(arguments):
    if not 4 <= len(arguments) <= 7 or not isinstance(arguments[0], Storage):
        raise pickle_machine.Refused("it holds a tensor without a storage.")
    storage, offset, size, stride = arguments[:4]
    size, stride = (
        pickle_machine.counts(x, "a tensor") for x in (size, stride)
    )
    if not pickle_machine.is_count(offset) or len(size) != len(stride):
        raise pickle_machine.Refused(
            "it holds a tensor of an impossible shape."
        )
    return Tensor(storage, offset, size, stride)


def _storage(identity):
    """Reads ("storage", type, key, device, count[, (view, start, count)])."""
    if not isinstance(identity, tuple) or identity[:1] != ("storage",):
        raise pickle_machine.Refused(
            "it holds something stored aside that is no storage, such as the "
            "source of a class. Save its state_dict()."
        )
    if len(identity) not in (5, 6):
        raise pickle_machine.Refused("it declares a storage wrongly.")
    _, kind, key, _, count = identity[:5]
    fits = (
        isinstance(kind, pickle_machine.Name)
        and kind.text in STORAGES
        and isinstance(key, str)
        and re.fullmatch(r"\w+", key)
        and pickle_machine.is_count(count)
    )
    if not fits:
        raise pickle_machine.Refused("it declares a storage wrongly.")
    view = identity[5] if len(identity) == 6 else None
    if view is None:
        return Storage(kind.text, key, count)
    if (
        not isinstance(view, tuple)
        or len(view) != 3
        or not pickle_machine.is_count(view[1])
    ):
        raise pickle_machine.Refused("it declares a part of a storage wrongly.")
    return Storage(kind.text, key, count, view[1])
