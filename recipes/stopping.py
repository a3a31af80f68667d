"""Stops a run when the system asks, with nothing lost."""

import signal

import keras

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping(keras.callbacks.Callback):
    """Ends training after the move at hand on SIGTERM or Ctrl-C.

    Comes last among the callbacks, so that a whole epoch is written down
    before it ends. A second Ctrl-C interrupts at once. It listens while it
    is entered, `with Stopping() as stopper: ...`.

    Args:
        ask: callable, bool -> bool: whether any of the workers that share the
            run says True. They call it together after every move, so that
            all of them stop after the same one. None asks nobody.

    Attributes:
        signal: the `signal.Signals` that came here, or elsewhere (then it
            counts as SIGTERM), or None.
    """

    def __init__(self, ask=None):
        super().__init__()
        self.ask = ask
        self.signal = None
        self._before = {}

    def __enter__(self):
        self._before = {s: signal.signal(s, self._heard) for s in _SIGNALS}
        return self

    def __exit__(self, *error):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_train_batch_end(self, batch, logs=None):
        is_last = batch + 1 == self.params["steps"]
        if self._is_wanted() and not is_last:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if self._is_wanted():
            self.model.stop_training = True

    def _is_wanted(self):
        if self.ask is None:
            return self.signal is not None
        is_wanted = self.ask(self.signal is not None)
        if is_wanted and self.signal is None:
            self.signal = signal.SIGTERM
        return is_wanted

    def _heard(self, number, frame):
        self.signal = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
