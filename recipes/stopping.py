"""Stops a run when the system asks, with nothing lost."""

import signal

import keras

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping(keras.callbacks.Callback):
    """Ends training after the move at hand on SIGTERM or Ctrl-C.

    Comes last among the callbacks, so that a whole epoch is written down
    before it ends. A second Ctrl-C interrupts at once. It listens while it
    is entered, `with Stopping() as stopper: ...`.

    Attributes:
        signal: the `signal.Signals` that came, or None.
    """

    def __init__(self):
        super().__init__()
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
        if self.signal and not is_last:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if self.signal:
            self.model.stop_training = True

    def _heard(self, number, frame):
        self.signal = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
