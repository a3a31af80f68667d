"""Runs the pickles of PyTorch's files, and nothing that is in them.

The machine of `ops.pickles` learns here what a tensor and its storage are:
descriptions of numbers that lie elsewhere in the file.
"""

import dataclasses
import re

from keras_t2i.ops import pickles

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


class Machine(pickles.Machine):
    """Runs one pickle.

    `storages` collects, by key, what the pickle's tensors lie in.

    Args:
        budget: `pickles.Budget` of the file, for all its pickles together.
    """

    NAMES = pickles.Machine.NAMES | {_SIZE, _PARAMETER, *_TENSORS, *STORAGES}
    PLAIN = "plain containers and tensors"

    def __init__(self, budget):
        super().__init__(budget)
        self.storages = {}

    def _make(self, name, arguments):
        if name == _SIZE:
            sizes = pickles.exactly(1, arguments)[0]
            return pickles.counts(sizes, "a tensor")
        if name in _TENSORS:
            return _tensor(arguments)
        if name == _PARAMETER:
            value = pickles.exactly(3, arguments)[0]
            if not isinstance(value, Tensor):
                raise pickles.Refused("it holds a parameter that is no tensor.")
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
        except pickles.Refused as error:
            raise pickles.Refused(
                f"{error} Save a state_dict() of tensors instead."
            ) from None

    def _storage(self, _):
        storage = _storage(self._pop())
        known = self.storages.setdefault(storage.key, storage)
        if (known.kind, known.count) != (storage.kind, storage.count):
            raise pickles.Refused(
                f"it declares the storage {storage.key!r} twice."
            )
        self._push(storage)


Machine.INSTRUCTIONS = pickles.Machine.INSTRUCTIONS | {
    "BINPERSID": Machine._storage,
}


def _tensor(arguments):
    if not 4 <= len(arguments) <= 7 or not isinstance(arguments[0], Storage):
        raise pickles.Refused("it holds a tensor without a storage.")
    storage, offset, size, stride = arguments[:4]
    size, stride = (pickles.counts(x, "a tensor") for x in (size, stride))
    if not pickles.is_count(offset) or len(size) != len(stride):
        raise pickles.Refused("it holds a tensor of an impossible shape.")
    return Tensor(storage, offset, size, stride)


def _storage(identity):
    """Reads ("storage", type, key, device, count[, (view, start, count)])."""
    if not isinstance(identity, tuple) or identity[:1] != ("storage",):
        raise pickles.Refused(
            "it holds something stored aside that is no storage, such as the "
            "source of a class. Save its state_dict()."
        )
    if len(identity) not in (5, 6):
        raise pickles.Refused("it declares a storage wrongly.")
    _, kind, key, _, count = identity[:5]
    fits = (
        isinstance(kind, pickles.Name)
        and kind.text in STORAGES
        and isinstance(key, str)
        and re.fullmatch(r"\w+", key)
        and pickles.is_count(count)
    )
    if not fits:
        raise pickles.Refused("it declares a storage wrongly.")
    view = identity[5] if len(identity) == 6 else None
    if view is None:
        return Storage(kind.text, key, count)
    if (
        not isinstance(view, tuple)
        or len(view) != 3
        or not pickles.is_count(view[1])
    ):
        raise pickles.Refused("it declares a part of a storage wrongly.")
    return Storage(kind.text, key, count, view[1])
