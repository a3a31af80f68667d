"""Shows that this library computes what a reference implementation computed.

    python -m tools.parity --golden=FILE.npz --family=dcgan_cls

FILE holds a reference's weights, inputs and outputs. The networks are rebuilt
at the sizes of its arrays and run on its inputs; each recorded output is
printed with the largest difference and what is allowed. Exit code 0: all
outputs hold and every array is accounted for as a weight, an input, a
setting, an output or as not comparable. 1: something does not hold, or an
array is unknown or missing; it is named. 2: the file or the family can't be
used at all. A family's part, as `--family=attngan/damsm`, is proved alone: the
arrays of the other parts are listed as not compared.

A gradient jumps where a unit stands at the bend of a leaky ReLU to within
float32's rounding: which side it falls on is chance, for the reference too.
What misses is therefore tried again with inputs moved by one to eight
roundings (at most 1e-6 of each number), and holds, with a remark, if one such
neighbour gives the recorded numbers.
"""

import dataclasses
import zlib

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from keras_t2i import weights
from keras_t2i.weights import families
from recipes import messages
from tools import parities

_NEIGHBOURS = 16


@dataclasses.dataclass(frozen=True)
class Entry:
    """One output or setting held against the recorded one.

    Args:
        name: the array in the file.
        difference: the largest absolute difference, or None if the two can't
            be compared at all.
        allowed: the largest difference that holds.
        fault: why they can't be compared, or "".
        remark: what else to know, or "".
    """

    name: str
    difference: float | None
    allowed: float
    fault: str = ""
    remark: str = ""

    @property
    def holds(self):
        """Whether the difference is a number and not too large."""
        return self.difference is not None and self.difference <= self.allowed

    def __str__(self):
        word = "ok  " if self.holds else "FAIL"
        if self.difference is None:
            return f"  {word}  {self.name}: {self.fault}"
        numbers = f"{self.difference:9.2e} {self.allowed:9.2e}"
        return f"  {word}  {numbers}  {self.name}{self.remark}"


class Ledger:
    """Keeps account of a file's arrays while a family is proved on them.

    Args:
        arrays: dict of str -> array, the whole file.
        neighbour: int. 0 hands inputs out as recorded, 1 ... 16 each move
            them in their own way, by 1, 2, 4 or 8 roundings at most.
    """

    def __init__(self, arrays, neighbour=0):
        self._arrays = dict(arrays)
        self._neighbour = neighbour
        self._inputs = {}
        self._weights = {}
        self._apart = {}
        self._settings = {}
        self._outputs = {}

    # What a family reads.

    def names(self, prefix=""):
        """Lists the file's arrays whose names begin so."""
        return [name for name in self._arrays if name.startswith(prefix)]

    def shape(self, name):
        """Tells the shape of an array that must be there."""
        return self._find(name).shape

    def input(self, name, shape=None):
        """Takes an array to feed to a network.

        Args:
            name: str.
            shape: tuple it must have, None standing for any size.

        Returns:
            Array of numbers.

        Raises:
            ValueError: if it is missing, of another shape or not numbers.
        """
        array = self._find(name)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name} holds {array.dtype}, not numbers.")
        if shape is not None and not _fits(array.shape, shape):
            wanted = str(shape).replace("None", "any")
            raise ValueError(f"{name} has shape {array.shape}, not {wanted}.")
        self._inputs[name] = f"{list(array.shape)}"
        return self._moved(name, array)

    def setting(self, name):
        """Takes one number that the reference was run with.

        Args:
            name: str.

        Returns:
            float.

        Raises:
            ValueError: if it is missing or not one number.
        """
        number = float(self.input(name, ()))
        self._inputs[name] = f"{number:g}"
        return number

    def size(self, name, ours):
        """Holds a recorded size against the one that the arrays have.

        Args:
            name: str. Nothing happens if the file doesn't have it.
            ours: int.
        """
        if name in self._arrays:
            self._settings[name] = _entry(name, self._find(name), ours, 0, 0)

    def model(self, family, prefix, build):
        """Rebuilds a network from its arrays.

        Args:
            family: str, "family/part", as `weights.load` takes it.
            prefix: str or tuple of str. What the names of its arrays begin
                with.
            build: dict of arrays, without the prefix -> `keras.Model` of
                their sizes.

        Returns:
            `keras.Model` with the recorded weights.

        Raises:
            ValueError: if there are none, one is missing or misshapen.
                Unknown ones are left out here and fail in the end.
        """
        starts = (prefix,) if isinstance(prefix, str) else prefix
        places = {
            name.removeprefix(start): name
            for start in starts
            for name in self.names(start)
        }
        if not places:
            raise ValueError(f"no array's name begins with {prefix}")
        found = {plain: self._arrays[name] for plain, name in places.items()}
        model = build(found)
        for plain in weights.plan(family, model, found).unknown:
            del found[plain]
        report = weights.load(family, model, found)
        for plain in report.loaded:
            self._weights[places[plain]] = family
        for plain in report.ignored:
            self._apart[places[plain]] = "known, not needed"
        return model

    @staticmethod
    def gradients(family, model, gradients):
        """Gives our gradients the names and layouts of the reference.

        Args:
            family: str, "family/part".
            model: our model.
            gradients: list, one for each of its trainable variables.

        Returns:
            dict of str -> array.
        """
        trained = model.trainable_variables
        ours = {id(v): g for v, g in zip(trained, gradients, strict=True)}
        named = {}
        for rule in families.FAMILIES[family](model):
            parts = [ours.get(id(v)) for v in rule.variables]
            if parts and all(part is not None for part in parts):
                arrays = rule.backward(*(np.asarray(part) for part in parts))
                named |= zip(rule.keys, arrays, strict=True)
        return named

    # What a family writes.

    def leave(self, names, why):
        """Says of arrays that they are known and not looked at here.

        Args:
            names: iterable of str.
            why: str. Stands beside each in the report.
        """
        self._apart |= dict.fromkeys(names, why)

    def compare(self, name, ours, *, absolute=None, relative=None, also=None):
        """Holds one of our outputs against the recorded one.

        Args:
            name: str. A missing one fails.
            ours: array in the reference's layout.
            absolute: float. The largest difference allowed.
            relative: float. The same, times the largest recorded size.
                Without either, the default: 2e-5 relative plus 1e-7.
            also: array of the same shape. Where the recorded number is nearer
                to this one, it takes the place of ours.
        """
        if absolute is None and relative is None:
            absolute, relative = 1e-7, 2e-5
        if name not in self._arrays:
            self._outputs[name] = Entry(name, None, 0.0, "missing in the file")
            return
        recorded = self._arrays[name]
        if also is not None and np.shape(recorded) == np.shape(ours):
            ours = _nearer(recorded, np.asarray(ours), np.asarray(also))
        self._outputs[name] = _entry(
            name, recorded, ours, absolute or 0, relative or 0
        )

    # What comes out.

    @property
    def unknown(self):
        """Names of arrays that nobody asked for."""
        known = (
            self._inputs,
            self._weights,
            self._apart,
            self._settings,
            self._outputs,
        )
        return [n for n in self._arrays if not any(n in each for each in known)]

    @property
    def faults(self):
        """Names of all that does not hold, unknown arrays included."""
        entries = [*self._settings.values(), *self._outputs.values()]
        return [e.name for e in entries if not e.holds] + self.unknown

    def __str__(self):
        lines = ["Inputs:"]
        lines += [f"  {name} {text}" for name, text in self._inputs.items()]
        lines += ["Weights:"]
        lines += [f"  {n} -> {family}" for n, family in self._weights.items()]
        lines += ["Not compared:"]
        lines += [f"  {name}: {why}" for name, why in self._apart.items()]
        lines += ["Compared (largest difference, what is allowed, name):"]
        lines += [str(e) for e in self._settings.values()]
        lines += [str(e) for e in self._outputs.values()]
        lines += [f"  FAIL  {name}: unknown array" for name in self.unknown]
        return "\n".join(lines)

    def summary(self):
        """Says in a sentence or two how it went."""
        outputs = self._outputs.values()
        text = (
            f"{len(self._arrays)} arrays: {len(self._weights)} weights, "
            f"{len(self._inputs)} inputs, {len(self._settings)} sizes, "
            f"{len(outputs)} outputs, {len(self._apart)} not compared, "
            f"{len(self.unknown)} unknown. "
        )
        if self.faults:
            return text + f"FAILED: {', '.join(self.faults)}."
        used = max(
            (e.difference / e.allowed for e in outputs if e.allowed), default=0
        )
        return text + f"All hold, with at most {used:.0%} of what is allowed."

    @property
    def missed(self):
        """Names of outputs that could be compared and don't hold."""
        return [
            name
            for name, entry in self._outputs.items()
            if entry.difference is not None and not entry.holds
        ]

    def accept(self, other):
        """Takes over outputs that hold for inputs some roundings away.

        Args:
            other: `Ledger` of the same file.
        """
        for name in self.missed:
            if other._outputs[name].holds:
                self._outputs[name] = dataclasses.replace(
                    other._outputs[name],
                    remark=" (with inputs some roundings away)",
                )

    def _moved(self, name, array):
        if not self._neighbour or array.dtype.kind != "f" or not array.ndim:
            return array
        key = [self._neighbour, zlib.crc32(name.encode())]
        share = np.random.default_rng(key).uniform(-1.0, 1.0, array.shape)
        most = 2 ** ((self._neighbour - 1) // 4) * np.finfo(array.dtype).eps
        return (array * (1.0 + most * share)).astype(array.dtype)

    def _find(self, name):
        if name not in self._arrays:
            raise ValueError(f"there is no array {name}")
        return np.asarray(self._arrays[name])


def prove(path, family):
    """Runs a family's networks on a file and compares.

    Args:
        path: the .npz.
        family: str, one of `parities.FAMILIES`.

    Returns:
        Ledger.

    Raises:
        OSError: if the file can't be opened.
        ValueError: if it is damaged, holds anything but arrays, or is not of
            this family.
    """
    if family not in parities.FAMILIES:
        raise ValueError(
            f"There is no family {family!r}; known are "
            f"{', '.join(parities.FAMILIES)}."
        )
    arrays = weights.arrays.read(path)
    ledger = Ledger(arrays)
    keras.config.set_dtype_policy("float32")
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        parities.FAMILIES[family](ledger)
    except ValueError as error:
        raise ValueError(
            f"{path} can't be taken as {family}: {error}"
        ) from error
    for neighbour in range(1, _NEIGHBOURS + 1):
        if not ledger.missed:
            break
        other = Ledger(arrays, neighbour)
        parities.FAMILIES[family](other)
        ledger.accept(other)
    return ledger


def main(_):
    """Runs the command."""
    ledger = prove(flags.FLAGS.golden, flags.FLAGS.family)
    print(ledger)
    print(ledger.summary())
    return 1 if ledger.faults else 0


def _entry(name, recorded, ours, absolute, relative):
    recorded, ours = np.asarray(recorded), np.asarray(ours)
    if recorded.dtype.kind not in "fiub":
        return Entry(name, None, 0.0, f"holds {recorded.dtype}, not numbers")
    if recorded.shape != ours.shape:
        return Entry(
            name,
            None,
            0.0,
            f"has shape {list(recorded.shape)}, ours {list(ours.shape)}",
        )
    theirs, ours = recorded.astype(np.float64), ours.astype(np.float64)
    allowed = absolute + relative * np.max(np.abs(theirs), initial=0.0)
    if not (np.isfinite(theirs).all() and np.isfinite(ours).all()):
        return Entry(name, None, allowed, "holds numbers that aren't finite")
    difference = np.max(np.abs(theirs - ours), initial=0.0)
    return Entry(name, float(difference), float(allowed))


def _nearer(recorded, ours, also):
    if recorded.dtype.kind not in "fiub":
        return ours
    is_nearer = np.abs(recorded - also) < np.abs(recorded - ours)
    return np.where(is_nearer, also, ours)


def _fits(shape, wanted):
    return len(shape) == len(wanted) and all(
        w is None or w == s for s, w in zip(shape, wanted, strict=True)
    )


if __name__ == "__main__":
    flags.DEFINE_string(
        "golden", None, "The .npz with the reference's arrays.", required=True
    )
    flags.DEFINE_string(
        "family",
        None,
        f"Which reference recorded it: {', '.join(parities.FAMILIES)}.",
        required=True,
    )
    messages.run(main)
