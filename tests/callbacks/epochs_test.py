"""Examines how epochs begin."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import callbacks

MOVES = 3  # of an epoch


class Toy:
    """Stands for a system: two optimizers, and slopes that a move decides."""

    def __init__(self, make=keras.optimizers.Adam, rates=(0.002, 0.1)):
        self.moves = keras.Variable(0, dtype="int64", trainable=False)
        names = ("text", "image")
        self.weights = {name: keras.Variable([1.0, -2.0]) for name in names}
        self.optimizers = {
            name: make(rate) for name, rate in zip(names, rates, strict=True)
        }
        for name, optimizer in self.optimizers.items():
            optimizer.build([self.weights[name]])

    def move(self):
        """Takes a step of each."""
        now = float(self.moves.numpy())
        for name, optimizer in self.optimizers.items():
            slope = tf.constant([np.sin(now + 1.0), np.cos(3.0 * now)])
            slope = optimizer.scale_loss(tf.cast(slope, tf.float32))
            optimizer.apply([slope], [self.weights[name]])
        self.moves.assign_add(1)

    def inner(self, name):
        """The optimizer that moves, whatever scales its losses."""
        optimizer = self.optimizers[name]
        return getattr(optimizer, "inner_optimizer", optimizer)

    def rates(self):
        return [
            float(self.inner(n).learning_rate.numpy()) for n in self.weights
        ]

    def books(self):
        """All that a checkpoint keeps: rates are not among it."""
        kept = [self.moves, *self.weights.values()]
        for optimizer in self.optimizers.values():
            kept += [v for v in optimizer.variables if v.name != _RATE]
        return kept


_RATE = "learning_rate"


def scaled(rate):
    """An Adam as players in float16 have it."""
    return keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(rate), initial_scale=4.0
    )


def play(toy, moves, **options):
    """Plays as `training.play` does: first the rest of an epoch.

    Args:
        toy: Toy.
        moves: int. Up to which.
        **options: as for `FreshEpochs`.

    Returns:
        The rates at each move.
    """
    fresh = callbacks.FreshEpochs(MOVES, **options)
    fresh.set_model(toy)
    rates = []
    while int(toy.moves.numpy()) < moves:
        made = int(toy.moves.numpy())
        fresh.on_train_begin()
        fresh.on_epoch_begin(made // MOVES)
        for _ in range(min(MOVES - made % MOVES, moves - made)):
            rates.append(toy.rates())
            toy.move()
        fresh.on_epoch_end(made // MOVES)
        fresh.on_train_end()
    return rates


class FreshEpochsTest(parameterized.TestCase, tf.test.TestCase):
    """Rates and moments follow from the count of moves."""

    def test_rates_are_those_of_the_papers_code(self):
        toy = Toy()
        fresh = callbacks.FreshEpochs(MOVES, 0.98, 0.1)
        fresh.set_model(toy)
        fresh.on_train_begin()
        rate, falls = 0.002, 0
        for epoch in range(130):
            toy.moves.assign(epoch * MOVES)
            fresh.on_epoch_begin(epoch)
            expected = [rate, rate / 0.002 * 0.1]
            self.assertAllClose(toy.rates(), expected, rtol=1e-6)
            if rate > 0.002 / 10.0:  # after each epoch
                rate, falls = rate * 0.98, falls + 1
        self.assertEqual(falls, 114)
        self.assertAllClose(toy.rates()[0], 1.999e-4, atol=5e-8)

    def test_rates_stay_in_an_epoch(self):
        rates = [pair[0] for pair in play(Toy(), 7)]
        factors = [0.98 ** (move // MOVES) for move in range(7)]
        self.assertAllClose(rates, [0.002 * x for x in factors], rtol=1e-6)

    @parameterized.parameters((1.0, 0.1, 1.0), (0.5, 0.0, 0.5**40), (0.5, 1, 1))
    def test_floor_and_decay_may_be_others(self, decay, floor, factor):
        fresh = callbacks.FreshEpochs(1, decay, floor)
        self.assertAllClose(fresh.factor(40), factor)
        self.assertEqual(fresh.factor(0), 1.0)

    @parameterized.parameters(keras.optimizers.Adam, scaled)
    def test_each_epoch_is_that_of_new_optimizers(self, make):
        ours, theirs = Toy(make), Toy(make)
        play(ours, 3 * MOVES)
        for epoch in range(3):
            if epoch:
                new = Toy(make, [r * 0.98**epoch for r in (0.002, 0.1)])
                new.moves.assign(theirs.moves)
                for name, weight in theirs.weights.items():
                    new.weights[name].assign(weight)
                theirs = new
            for _ in range(MOVES):
                theirs.move()
        for name in ours.weights:
            self.assertAllEqual(ours.weights[name], theirs.weights[name])
            self.assertEqual(int(ours.inner(name).iterations.numpy()), MOVES)
        kept = Toy(make)
        play(kept, 3 * MOVES, is_fresh=False)
        self.assertNotAllClose(kept.weights["image"], ours.weights["image"])
        count = int(kept.inner("image").iterations.numpy())
        self.assertEqual(count, 3 * MOVES)

    def test_scale_of_losses_is_not_forgotten(self):
        toy = Toy(scaled)
        play(toy, MOVES)
        toy.optimizers["text"].dynamic_scale.assign(2.0)
        play(toy, 2 * MOVES)
        self.assertEqual(float(toy.optimizers["text"].dynamic_scale.numpy()), 2)

    @parameterized.product(
        make=[keras.optimizers.Adam, scaled, keras.optimizers.RMSprop],
        stop=[1, 3, 5],
        is_fresh=[True, False],
    )
    def test_resumed_run_equals_the_straight_one(self, make, stop, is_fresh):
        straight, cut, again = Toy(make), Toy(make), Toy(make)
        rates = play(straight, 8, is_fresh=is_fresh)
        play(cut, stop, is_fresh=is_fresh)
        for there, here in zip(cut.books(), again.books(), strict=True):
            here.assign(there)
        rest = play(again, 8, is_fresh=is_fresh)
        self.assertAllEqual(rest, rates[stop:])
        for ours, theirs in zip(again.books(), straight.books(), strict=True):
            self.assertAllEqual(ours, theirs)

    def test_second_fit_does_not_lower_what_is_low(self):
        toy = Toy()
        fresh = callbacks.FreshEpochs(MOVES)
        fresh.set_model(toy)
        toy.moves.assign(2 * MOVES)
        for _ in range(2):
            fresh.on_train_begin()
            fresh.on_epoch_begin(2)
            self.assertAllClose(toy.rates()[0], 0.002 * 0.98**2, rtol=1e-6)

    @parameterized.parameters(keras.optimizers.Adam, scaled)
    def test_schedules_are_refused(self, make):
        decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
        toy = Toy(make, (0.1, decay))
        with self.assertRaisesRegex(
            ValueError, "optimizer of the image has a schedule; .* Choose one"
        ):
            play(toy, 1)

    @parameterized.parameters(
        (0, 0.98, 0.1), (1, 0.0, 0.1), (1, 1.1, 0.1), (1, 0.98, -0.1), (1, 1, 2)
    )
    def test_what_is_out_of_range_is_refused(self, moves, decay, floor):
        with self.assertRaisesRegex(
            ValueError, f"moves is {moves}, decay {decay} and floor {floor};"
        ):
            callbacks.FreshEpochs(moves, decay, floor)


if __name__ == "__main__":
    tf.test.main()
