"""Examines the watch over a game."""

import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import callbacks


class Game(keras.Model):
    """Stands for a system of one player, whose weights are given."""

    def __init__(self, poison=None):
        super().__init__()
        x = keras.Input((2,))
        y = keras.layers.Dense(2, name="first")(x)
        y = keras.layers.Dense(1, name="second")(y)
        player = keras.Model(x, y)
        self.players = {"learner": player}
        self.optimizers = {"learner": keras.optimizers.SGD()}
        self.moves = tf.Variable(7, dtype=tf.int64)
        self.norms = {"learner": tf.Variable(tf.ones((2, 4)))}
        self.built = True

    def owner(self, term):
        return "learner"

    def owners(self, term):
        return (self.owner(term),)

    def generate(self, captions, seeds):
        grey = tf.reshape(tf.cast(seeds, tf.float32), (-1, 1, 1, 1)) / 255.0
        return tf.tile(2.0 * grey - 1.0, (1, 4, 4, 3))


class HealthTest(tf.test.TestCase, parameterized.TestCase):
    """What is not finite stops the run and is named."""

    def watch(self, game, **kwargs):
        watch = callbacks.Health(**kwargs)
        watch.set_model(game)
        return watch

    def test_finite_terms_pass(self):
        self.watch(Game()).on_train_batch_end(0, {"far": 1e30, "near": -3.0})

    @parameterized.parameters(float("nan"), float("inf"), float("-inf"))
    def test_term_player_layer_and_move_are_named(self, value):
        game = Game()
        norms = np.ones((2, 4), "float32")
        norms[0] = np.nan  # one bad weight spoils all gradients
        norms[1, 2] = np.nan
        game.norms["learner"].assign(norms)
        with self.assertRaisesRegex(
            ArithmeticError,
            r"In move 7 the term far of the learner is (nan|inf|-inf)\. "
            "Not finite are, first of all, the weights of second/kernel",
        ):
            self.watch(game).on_train_batch_end(0, {"near": 1.0, "far": value})

    def test_bad_gradient_of_good_weights_is_named(self):
        game = Game()
        norms = np.ones((2, 4), "float32")
        norms[0, 1:] = np.inf
        game.norms["learner"].assign(norms)
        with self.assertRaisesRegex(
            ArithmeticError, "first of all, the gradient of first/bias"
        ):
            self.watch(game).on_train_batch_end(0, {"far": np.nan})

    def test_weights_that_are_not_finite_are_named_before_they_are_kept(self):
        game = Game()
        kernel = game.players["learner"].get_layer("second").kernel
        kernel.assign(np.full((2, 1), np.nan))
        with self.assertRaisesRegex(
            ArithmeticError, "After move 7 the weights second/kernel of the"
        ):
            self.watch(game).on_epoch_end(0)

    def scaled(self):
        """Makes a game whose player has a loss scale."""
        game = Game()
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
        scaled.build(game.players["learner"].trainable_variables)
        game.optimizers = {"learner": scaled}
        return game

    def play(self, game, watch, moves, slope):
        """Takes steps with gradients of one value."""
        variables = game.players["learner"].trainable_variables
        for move in range(moves):
            slopes = [tf.fill(v.shape, slope) for v in variables]
            game.optimizers["learner"].apply(slopes, variables)
            watch.on_train_batch_end(move, {"far": slope})

    def test_players_with_a_loss_scale_may_skip_moves(self):
        game = self.scaled()
        watch = self.watch(game, patience=5)
        for _ in range(3):
            self.play(game, watch, 4, float("nan"))
            self.play(game, watch, 1, 0.0)

    def test_player_that_takes_no_step_any_more_stops_the_run(self):
        game = self.scaled()
        norms = np.ones((2, 4), "float32")
        norms[0, 1:] = np.inf
        game.norms["learner"].assign(norms)
        watch = self.watch(game, patience=5)
        self.play(game, watch, 2, 0.0)
        with self.assertRaisesRegex(
            ArithmeticError,
            r"the learner took no step in 5 moves: .*\(terms: far nan\). Not "
            "finite are, first of all, the gradient of first/bias",
        ):
            self.play(game, watch, 6, float("nan"))

    def test_lengths_are_those_of_all_variables_together(self):
        game = Game()
        game.norms["learner"].assign([[1.0, 2.0, 2.0, 4.0], [0, 3.0, 0, 4.0]])
        lengths = self.watch(game).lengths()["learner"]
        self.assertAllClose(lengths, (5.0, 5.0))

    def test_diversity_is_in_grey_levels(self):
        # Greys 0, 1, 2, 3: pairs differ by 1, 1, 1, 2, 2, 3, mean 10 / 6.
        watch = self.watch(Game(), captions=["a", "b"], noises=4)
        self.assertAllClose(watch.diversity(), 10.0 / 6.0)

    def test_pulse_goes_to_tensorboard(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        writer = tf.summary.create_file_writer(folder)
        watch = self.watch(Game(), writer=writer, captions=["a"], noises=2)
        watch.on_epoch_end(0)
        writer.flush()
        (path,) = tf.io.gfile.glob(f"{folder}/*")
        found = {}
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                found[value.tag] = float(tf.make_ndarray(value.tensor))
                self.assertEqual(event.step, 7)
        self.assertEqual(
            found,
            {
                "health/learner_gradient_length": 2.0,
                "health/learner_weights_length": 2.0,
                "health/diversity": 1.0,
            },
        )


class PulseTest(tf.test.TestCase):
    """What is measured of a game of two."""

    def watch(self, ahead, behind):
        game = Game()
        game.norms = {
            "discriminator": tf.constant([[ahead, 0.0], [1.0, 1.0]]),
            "generator": tf.constant([[0.0, behind], [2.0, 0.0]]),
        }
        game.norms = {k: tf.Variable(v) for k, v in game.norms.items()}
        game.loss_weights = {"penalty": 10.0, "fake": 3.0}
        watch = callbacks.Health()
        watch.set_model(game)
        return watch

    def test_balance_is_the_ratio_of_both_gradients(self):
        pulse = self.watch(6.0, 2.0).pulse({"fake": 1.0})
        self.assertEqual(pulse["balance"], 3.0)
        self.assertNotIn("fake_weighed", pulse)

    def test_generator_that_stands_still_is_infinitely_behind(self):
        self.assertEqual(self.watch(6.0, 0.0).pulse({})["balance"], np.inf)

    def test_penalties_are_as_large_as_they_weigh(self):
        pulse = self.watch(1.0, 1.0).pulse({"penalty": 0.25})
        self.assertEqual(pulse["penalty_weighed"], 2.5)


if __name__ == "__main__":
    tf.test.main()
