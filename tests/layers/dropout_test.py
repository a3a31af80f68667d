"""Dropout by the caller's draws."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import Dropout
from tests import harness

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(5, 4, 3)).astype("float32")
DRAWS = RNG.uniform(size=(5, 4, 3)).astype("float32")


class DropoutTest(tf.test.TestCase, parameterized.TestCase):
    """Forgets what the draws say, and hides nothing."""

    @parameterized.parameters(0.0, 0.3, 0.75)
    def test_equals_the_slow_loop(self, rate):
        found = Dropout(rate)(INPUTS, DRAWS, training=True)
        for place in np.ndindex(INPUTS.shape):
            keep = DRAWS[place] >= rate
            expected = float(INPUTS[place]) / (1.0 - rate) if keep else 0.0
            self.assertNear(float(found[place]), expected, 1e-6)

    def test_stands_the_examination_of_layers(self):
        for training in (False, True):
            harness.examine_layer(
                self, lambda: Dropout(0.3), INPUTS, DRAWS, training=training
            )

    def test_draw_at_the_rate_is_kept(self):
        draws = np.full_like(DRAWS, 0.5)
        kept = Dropout(0.5)(INPUTS, draws, training=True)
        self.assertAllEqual(kept, 2.0 * INPUTS)

    @parameterized.parameters(0.2, 0.5)
    def test_forgets_its_share_and_keeps_the_mean(self, rate):
        draws = RNG.uniform(size=(200, 500)).astype("float32")
        ones = np.ones((200, 500), "float32")
        found = np.array(Dropout(rate)(ones, draws, training=True))
        self.assertNear((found == 0.0).mean(), rate, 0.01)
        self.assertNear(found.mean(), 1.0, 0.01)

    def test_outside_of_training_everything_passes(self):
        self.assertAllEqual(Dropout(0.9)(INPUTS, DRAWS), INPUTS)

    def test_keeps_no_state(self):
        layer = Dropout(0.5)
        first = layer(INPUTS, DRAWS, training=True)
        self.assertAllEqual(layer(INPUTS, DRAWS, training=True), first)
        self.assertEmpty(layer.variables)

    def test_forgotten_features_have_no_slope(self):
        inputs = tf.constant(INPUTS)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(Dropout(0.5)(inputs, DRAWS, training=True))
        expected = np.where(DRAWS >= 0.5, 2.0, 0.0)
        self.assertAllEqual(tape.gradient(loss, inputs), expected)

    def test_draws_stay_float32_under_bfloat16(self):
        # In bfloat16 this draw would be rounded up to the rate.
        draws = np.full_like(DRAWS, 0.4999)
        layer = Dropout(0.5, dtype="mixed_bfloat16")
        found = layer(tf.cast(INPUTS, tf.bfloat16), draws, training=True)
        self.assertEqual(found.dtype, tf.bfloat16)
        self.assertAllEqual(found, tf.zeros_like(found))

    @parameterized.parameters(1.0, -0.1, 2.0)
    def test_rates_out_of_range_are_refused(self, rate):
        with self.assertRaisesRegex(ValueError, rf"rate is {rate}; allowed"):
            Dropout(rate)


if __name__ == "__main__":
    tf.test.main()
