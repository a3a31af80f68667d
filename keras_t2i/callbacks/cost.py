"""Says, after a few moves, what a run will cost."""

import statistics
import time

import keras

from keras_t2i.ops import memory

_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


class Cost(keras.callbacks.Callback):
    """Prints speed, memory and the time to the end after the first moves.

    So that nobody learns on the third day that a run takes two weeks, or
    that the card was half empty. One of it speaks once, in whatever call of
    `fit` the moves are made.

    Args:
        batch_size: int. The config's; the estimate of the largest one is in
            the same unit.
        moves: int. Of the whole run.
        after: int > `skip`. After how many moves of this process it is said.
        skip: int. The first moves, which compile and are not counted.
        tell: callable that takes the sentence.
    """

    def __init__(self, batch_size, moves, *, after=20, skip=3, tell=print):
        super().__init__()
        self.batch_size = batch_size
        self.moves = moves
        self.after = after
        self.skip = skip
        self.tell = tell
        self._before = None
        self._seconds = []
        self._is_told = False

    def on_train_begin(self, logs=None):
        if self._before is None:
            self._before = memory.usage()
        self._seconds = []

    def on_train_batch_begin(self, batch, logs=None):
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if self._is_told:
            return
        self._seconds.append(time.perf_counter() - self._start)
        if len(self._seconds) == self.after:
            self._is_told = True
            self.tell(self._sentence())

    def _sentence(self) -> str:
        pace = statistics.median(self._seconds[self.skip :])
        left = pace * (self.moves - int(self.model.moves.numpy()))
        pictures = self.batch_size * self.model.batches_per_move / pace
        usage = memory.usage()
        sentence = (
            f"\nAfter {self.after} moves: {1e3 * pace:,.0f} ms a move, "
            f"{pictures:,.{_digits(pictures)}f} pictures/s, {_span(left)} to "
            "the end; at most "
            f"{', '.join(map(_gigabytes, usage, usage.values()))} of memory"
        )
        rooms = [memory.room(self._before[n], usage[n]) for n in _tight(usage)]
        if None in rooms:
            return f"{sentence}."
        largest = _round_down(self.batch_size * min(rooms))
        return f"{sentence}: batches of {largest:,} should fit."


def _tight(usage):
    """The devices that hold what grows with a batch."""
    return [name for name in usage if name.startswith("GPU")] or ["processor"]


def _gigabytes(name, usage):
    limit = "" if usage.limit is None else f" of {usage.limit / 1e9:.1f}"
    return f"{usage.peak / 1e9:.2f}{limit} GB ({name})"


def _digits(value):
    """Of a figure that would be rounded to little or nothing."""
    return 0 if value >= 10 else 2


def _span(seconds) -> str:
    for size, unit in _UNITS:
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return "a second"


def _round_down(count) -> int:
    """Keeps two digits, so that an estimate does not look like a count."""
    count = int(count)
    unit = 10 ** max(len(str(count)) - 2, 0)
    return count // unit * unit
