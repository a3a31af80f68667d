"""Begins epochs as DAMSM's code does: lower rates, fresh optimizers."""

import keras
import tensorflow as tf


class FreshEpochs(keras.callbacks.Callback):
    """Lowers the learning rates epoch by epoch and forgets the moments.

    Epoch e has the rate r * decay^e, until it is no longer above `floor` * r.
    With `is_fresh` each epoch begins with new optimizers: moments of 0, no
    step made. All follows from the count of moves, so that a run resumed in
    the middle of an epoch goes on as if it had never stopped.

    Args:
        moves: int > 0. Moves of an epoch.
        decay: float in (0, 1]. What the rate is multiplied by.
        floor: float in [0, 1]. Share of the first rate at which it stays.
        is_fresh: bool. Whether optimizers forget.

    Raises:
        ValueError: if an argument is out of range; when training begins, if
            an optimizer has a schedule of its own.

    Source:
        `pretrain_DAMSM.py` of Xu et al. 2018, arXiv:1711.10485, which makes
        its Adam anew for every epoch: decay 0.98, floor 0.1.
    """

    def __init__(self, moves, decay=0.98, floor=0.1, is_fresh=True):
        super().__init__()
        if moves < 1 or not 0.0 < decay <= 1.0 or not 0.0 <= floor <= 1.0:
            raise ValueError(
                f"moves is {moves}, decay {decay} and floor {floor}; allowed: "
                "1 and more, (0, 1] and [0, 1]."
            )
        self.moves = moves
        self.decay = decay
        self.floor = floor
        self.is_fresh = is_fresh
        self._rates = {}

    def on_train_begin(self, logs=None):
        for name, optimizer in self.model.optimizers.items():
            schedules = keras.optimizers.schedules.LearningRateSchedule
            inner = _inner(optimizer)
            if isinstance(inner._learning_rate, schedules):
                raise ValueError(
                    f"The optimizer of the {name} has a schedule; its epochs "
                    "are to have rates of their own. Choose one of both."
                )
            # A second `fit` must not take a lowered rate for the first one.
            first = float(tf.convert_to_tensor(inner.learning_rate))
            self._rates.setdefault(name, first)

    def on_epoch_begin(self, epoch, logs=None):
        made = int(self.model.moves.numpy())
        factor = self.factor(made // self.moves)
        for name, optimizer in self.model.optimizers.items():
            inner = _inner(optimizer)
            inner.learning_rate = self._rates[name] * factor
            if self.is_fresh and made % self.moves == 0:
                _forget(inner)

    def factor(self, epoch: int) -> float:
        """Tells how much lower the rate is.

        Args:
            epoch: int >= 0.

        Returns:
            float in (0, 1].
        """
        factor = 1.0
        for _ in range(epoch):
            if factor <= self.floor or self.decay == 1.0:
                break
            factor *= self.decay
        return factor


def _inner(optimizer):
    return getattr(optimizer, "inner_optimizer", optimizer)


def _forget(optimizer):
    for variable in optimizer.variables:
        if variable is not optimizer._learning_rate:
            variable.assign(tf.zeros(variable.shape, variable.dtype))
