"""Watches a game and stops it when a number is no number any more."""

import math
import re

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.metrics import diversity
from keras_t2i.ops import images


class Health(keras.callbacks.Callback):
    """Stops at the first value that is not finite, and draws the pulse.

    After each move the terms are looked at. Into TensorBoard's `health/` go,
    at the end of each epoch,

    - for every player the lengths of its gradient and of its weights (as
      before the last step),
    - `balance`, the length of the discriminator's gradient over that of the
      generator's: its way tells more than its size. Where the discriminator
      has won, with cross-entropy or hinge, it falls towards 0,
    - penalties as they weigh in the loss,
    - `diversity`, how much pictures of the same captions differ by their
      noise: a generator that forgets its noise shows there first.

    Needs `compile(..., is_watched=True)`.

    Players with a loss scale (float16) skip steps whose gradient is not
    finite, which is no fault in itself. The game is stopped when one of them
    has taken no step in `patience` moves.

    Args:
        writer: `tf.summary` writer, or None.
        captions: list of strings for the diversity; None or empty leaves it
            out.
        noises: int > 1. Pictures of each caption.
        patience: int > 0. Moves without a step that a loss scale may need.

    Raises:
        ArithmeticError: while training, naming term, player, layer and move.
    """

    def __init__(self, *, writer=None, captions=None, noises=4, patience=20):
        super().__init__()
        self.writer = writer
        self.captions = list(captions or ())
        self.noises = noises
        self.patience = patience
        self._steps = {}  # player -> (steps so far, moves since the last)

    def on_train_batch_end(self, batch, logs=None):
        scaled = self._scaled()
        if scaled:
            self._check_steps(scaled, logs or {})
            return
        for term, value in (logs or {}).items():
            if not math.isfinite(value):
                raise ArithmeticError(self._fault(term, float(value)))

    def on_epoch_end(self, epoch, logs=None):
        check_weights(self.model)
        if self.writer is None:
            return
        with self.writer.as_default(int(self.model.moves.numpy())):
            for name, value in self.pulse(logs or {}).items():
                tf.summary.scalar(f"health/{name}", value)

    def pulse(self, logs) -> dict:
        """Measures what goes into TensorBoard.

        Args:
            logs: dict, term -> float.

        Returns:
            dict, name -> float.
        """
        lengths = self.lengths()
        found = {}
        for name, (gradient, weights) in lengths.items():
            found[f"{name}_gradient_length"] = gradient
            found[f"{name}_weights_length"] = weights
        if {"discriminator", "generator"} <= set(lengths):
            ahead, behind = lengths["discriminator"][0], lengths["generator"][0]
            found["balance"] = ahead / behind if behind else math.inf
        for term, value in logs.items():
            if term.endswith("penalty"):
                weight = self.model.loss_weights[term]
                found[f"{term}_weighed"] = weight * float(value)
        if self.captions:
            found["diversity"] = self.diversity()
        return found

    def lengths(self) -> dict:
        """Measures players by the numbers of the last step.

        Returns:
            dict, player -> (length of its gradient, of its weights).
        """
        return {
            name: tuple(np.sqrt(np.square(norms.numpy()).sum(1)).tolist())
            for name, norms in self.model.norms.items()
        }

    def diversity(self) -> float:
        """Measures how pictures of one caption differ by their noise.

        Returns:
            Grey levels: mean over pairs of the root mean squared difference.
        """

        def generate(captions, seeds):
            return images.to_uint8(self.model.generate(captions, seeds)).numpy()

        seeds = range(self.noises)
        return diversity.over_noises(generate, self.captions, seeds)

    def _scaled(self):
        return {
            name: optimizer
            for name, optimizer in self.model.optimizers.items()
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        }

    def _check_steps(self, optimizers, logs):
        for name, optimizer in optimizers.items():
            steps = int(optimizer.iterations.numpy())
            before, still = self._steps.get(name, (0, 0))
            still = still + 1 if steps == before else 0
            self._steps[name] = steps, still
            if still >= self.patience:
                terms = ", ".join(f"{k} {float(v):g}" for k, v in logs.items())
                raise ArithmeticError(
                    f"Up to move {int(self.model.moves.numpy()):,} the {name} "
                    f"took no step in {still} moves: its gradient was not "
                    f"finite, however small the loss scale (terms: {terms})."
                    f"{self._culprit(name)}"
                )

    def _fault(self, term, value):
        sentence = (
            f"In move {int(self.model.moves.numpy()):,} the term {term} of "
            f"the {self.model.owner(term)} is {value}"
        )
        faults = map(self._culprit, self.model.owners(term))
        found = next(filter(None, faults), " Weights and gradients are finite.")
        return f"{sentence}.{found}"

    def _culprit(self, player) -> str:
        """Names the first variable that is not finite."""
        # A bad weight spoils every gradient: weights tell more.
        variables = self.model.players[player].trainable_variables
        gradient, weights = self.model.norms[player].numpy()
        for what, norms in (("weights", weights), ("gradient", gradient)):
            bad = np.flatnonzero(~np.isfinite(norms))
            if bad.size:
                name = _name(variables[bad[0]])
                return f" Not finite are, first of all, the {what} of {name}."
        return ""


def check_weights(system) -> None:
    """Refuses a system whose weights are not all finite.

    Args:
        system: `systems.System`.

    Raises:
        ArithmeticError: naming player, layer and move.
    """
    for name, player in system.players.items():
        for variable in player.weights:
            if not np.isfinite(variable.numpy()).all():
                raise ArithmeticError(
                    f"After move {int(system.moves.numpy()):,} the weights "
                    f"{_name(variable)} of the {name} are not finite."
                )


def _name(variable):
    # Keras counts the layers of a process: conv2d_7 here is conv2d_2 there.
    return re.sub(r":\d+$", "", variable.path)
