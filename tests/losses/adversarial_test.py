"""The games' wishes about scores against arithmetic one score at a time."""

import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.losses import adversarial
from tests import harness

SCORES = [-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.5]

# For each wish, what one score costs.
COSTS = {
    "bce": (
        adversarial.bce(),
        lambda s: harness.cross_entropy(s, 1.0),
        lambda s: harness.cross_entropy(s, 0.0),
        lambda s: harness.cross_entropy(s, 1.0),
    ),
    "smoothed": (
        adversarial.bce(real_target=0.9),
        lambda s: harness.cross_entropy(s, 0.9),
        lambda s: harness.cross_entropy(s, 0.0),
        lambda s: harness.cross_entropy(s, 1.0),
    ),
    "saturating": (
        adversarial.bce(saturating=True),
        lambda s: harness.cross_entropy(s, 1.0),
        lambda s: harness.cross_entropy(s, 0.0),
        lambda s: math.log(1.0 - 1.0 / (1.0 + math.exp(-s))),
    ),
    "hinge": (
        adversarial.hinge(),
        lambda s: max(0.0, 1.0 - s),
        lambda s: max(0.0, 1.0 + s),
        lambda s: -s,
    ),
    "wasserstein": (
        adversarial.wasserstein(),
        lambda s: -s,
        lambda s: s,
        lambda s: -s,
    ),
}
GAMES = [(name, *row) for name, row in COSTS.items()]


class GameTest(tf.test.TestCase, parameterized.TestCase):
    """Every game."""

    @parameterized.named_parameters(GAMES)
    def test_losses_are_means_of_single_costs(self, game, real, fake, fool):
        scores = tf.constant(SCORES)
        for wish, cost in zip(game, (real, fake, fool), strict=True):
            expected = harness.mean(cost(score) for score in SCORES)
            found = wish(scores)
            self.assertEqual(found.shape, ())
            self.assertAllClose(found, expected, rtol=1e-6, atol=1e-7)

    @parameterized.named_parameters(GAMES)
    def test_extreme_scores_stay_finite(self, game, *_):
        scores = tf.constant([-1e4, 1e4])
        for wish in game:
            with tf.GradientTape() as tape:
                tape.watch(scores)
                loss = wish(scores)
            self.assertTrue(np.isfinite(loss))
            self.assertTrue(np.isfinite(tape.gradient(loss, scores)).all())

    @parameterized.named_parameters(GAMES)
    def test_half_precision_is_widened_before_the_mean(self, game, *_):
        scores = tf.constant(SCORES)
        for wish in game:
            halves = wish(tf.cast(scores, tf.bfloat16))
            self.assertEqual(halves.dtype, tf.float32)
            self.assertAllClose(halves, wish(scores))  # the scores are exact

    @parameterized.named_parameters(GAMES)
    def test_players_want_opposite_things(self, game, *_):
        # Real scores want up, fake ones down, the generator's fakes up.
        scores = tf.zeros(3)
        for wish, sign in zip(game, (-1, 1, -1), strict=True):
            with tf.GradientTape() as tape:
                tape.watch(scores)
                loss = wish(scores)
            slope = tape.gradient(loss, scores)
            self.assertAllEqual(np.sign(slope), [sign] * 3)

    def test_saturating_game_is_zero_sum(self):
        game = adversarial.bce(saturating=True)
        scores = tf.constant(SCORES)
        self.assertAllClose(game.fool(scores), -game.fake(scores))

    def test_sure_discriminator_silences_only_the_saturating_generator(self):
        scores = tf.constant([-12.0])
        slopes = []
        for saturating in (False, True):
            with tf.GradientTape() as tape:
                tape.watch(scores)
                loss = adversarial.bce(saturating=saturating).fool(scores)
            slopes.append(abs(float(tape.gradient(loss, scores)[0])))
        self.assertGreater(slopes[0], 0.99)
        self.assertLess(slopes[1], 1e-4)

    @parameterized.parameters(0.0, -0.5, 1.01)
    def test_targets_that_are_no_probability_are_refused(self, target):
        with self.assertRaisesRegex(ValueError, r"real_target is .*\(0, 1\]"):
            adversarial.bce(real_target=target)


class CrossEntropyTest(tf.test.TestCase, parameterized.TestCase):
    """The measure beneath the first game."""

    @parameterized.parameters(0.0, 0.1, 0.5, 0.9, 1.0)
    def test_least_where_the_probability_is_the_target(self, target):
        def value(logit):
            return adversarial.binary_cross_entropy(
                tf.constant([logit]), target
            )

        for logit in SCORES:
            expected = harness.cross_entropy(logit, target)
            self.assertAllClose(value(logit), expected, rtol=1e-6)
        if 0.0 < target < 1.0:
            best = math.log(target / (1.0 - target))
            self.assertLess(value(best), value(best + 0.1))
            self.assertLess(value(best), value(best - 0.1))


if __name__ == "__main__":
    tf.test.main()
