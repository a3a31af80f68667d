"""Examines optimizers, their schedules and their clipping."""

import keras
import tensorflow as tf
from absl.testing import parameterized
from ml_collections import config_dict

from recipes import optimizing
from recipes.configs import common, gan_cls_openmoji


class OptimizerTest(parameterized.TestCase, tf.test.TestCase):
    """Sections become what moves a player."""

    def setUp(self):
        super().setUp()
        self.config = gan_cls_openmoji.get_config("smoke")

    def test_rmsprop_reads_rho_under_beta_2(self):
        section = config_dict.ConfigDict(common.rmsprop(5e-5, rho=0.8))
        found = optimizing.optimizer(section, "generator")
        self.assertIsInstance(found, keras.optimizers.RMSprop)
        self.assertEqual((found.rho, found.epsilon), (0.8, 1e-16))
        self.assertAllClose(float(found.learning_rate), 5e-5)

    def test_rate_is_halved_in_steps(self):
        section = self.config.optimizers.generator
        section.halve_every = 10
        optimizer = optimizing.optimizer(section, "generator")
        rates = []
        for move in (0, 9, 10, 20):
            optimizer.iterations.assign(move)
            rates.append(float(optimizer.learning_rate))
        self.assertAllClose(rates, [2e-4, 2e-4, 1e-4, 5e-5])
        section.halve_every = 0
        plain = optimizing.optimizer(section, "generator")
        self.assertAllClose(plain.learning_rate, 2e-4)
        self.assertEqual((plain.beta_1, plain.beta_2), (0.5, 0.999))

    @parameterized.parameters(
        ("linear", (2e-4, 1e-4, 0.0)), ("cosine", (2e-4, 1e-4, 0.0))
    )
    def test_rate_falls_by_moves_not_by_steps(self, decay, rates):
        section = self.config.optimizers.generator
        section.update(decay=decay, decay_moves=20)
        optimizer = optimizing.optimizer(
            section, "generator", steps=3, moves=20
        )
        for move, rate in zip((0, 10, 20), rates, strict=True):
            optimizer.iterations.assign(3 * move)
            self.assertAllClose(float(optimizer.learning_rate), rate, atol=1e-9)

    @parameterized.parameters(
        (dict(decay="linear", decay_moves=21), "is 21, but the run has 20"),
        (dict(decay="lineer"), "decay is 'lineer'.*mean 'linear'"),
        (dict(decay="linear", halve_every=5), "halve_every and decay; one"),
        (dict(clip_norm=1.0, clip_value=1.0), "clip_norm and clip_value; one"),
        (dict(weight_decay=-0.1), "weight_decay is -0.1; allowed: above 0"),
    )
    def test_schedules_and_clipping_that_cannot_be(self, changes, sentence):
        section = self.config.optimizers.generator
        section.update(changes)
        with self.assertRaisesRegex(ValueError, sentence):
            optimizing.optimizer(section, "generator", moves=20)

    def test_weights_lose_a_share_of_themselves_in_a_step(self):
        section = self.config.optimizers.generator
        section.update(learning_rate=0.1, weight_decay=0.5)
        weight = keras.Variable([2.0, -4.0])
        optimizer = optimizing.optimizer(section, "generator")
        optimizer.apply([tf.zeros(2)], [weight])
        self.assertAllClose(weight, [2.0 * 0.95, -4.0 * 0.95])


if __name__ == "__main__":
    tf.test.main()
