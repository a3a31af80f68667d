"""Norm, steering and kink in one layer, beside the three apart."""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import BatchNorm, MaskedNorm, fusion


def draw(*shape, seed=0):
    """Draws a float32 array."""
    normal = np.random.default_rng(seed).normal(size=shape)
    return normal.astype("float32")


def inputs():
    """Draws a map, a condition and an area."""
    area = np.random.default_rng(8).uniform(size=(3, 4, 4, 1))
    drawn = draw(3, 4, 4, 2) + 0.5, draw(3, 5, seed=9), np.float32(area)
    return [tf.constant(x) for x in drawn]


def built(**options):
    """Makes one with random numbers everywhere."""
    layer = MaskedNorm(**options)
    layer(*inputs())
    layer.set_weights(
        [
            np.abs(draw(*w.shape, seed=i)) + 0.1
            if "variance" in w.name
            else draw(*w.shape, seed=i)
            for i, w in enumerate(layer.weights)
        ]
    )
    return layer


class MaskedNormTest(tf.test.TestCase, parameterized.TestCase):
    """Liao et al. 2022, eq. 3 to 5."""

    def expected(self, layer, x, condition, area, training):
        """The three layers apart, in float64; the batch's mean, variance."""
        x = np.float64(x)
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        if not training:
            mean, variance = (
                np.float64(v)
                for v in (layer.moving_mean, layer.moving_variance)
            )
        normal = (x - mean) / np.sqrt(variance + 1e-5)
        gamma, beta = (
            np.float64(each)[:, None, None]
            for each in layer.affine.read(condition)
        )
        area = np.float64(area)
        steered = (area * gamma + 1.0) * normal + area * beta
        return np.maximum(steered, 0.0), mean, variance

    @parameterized.product(training=(False, True), hidden=(None, 7))
    def test_equals_the_equations(self, training, hidden):
        layer, drawn = built(hidden=hidden), inputs()
        before = [
            np.array(x) for x in (layer.moving_mean, layer.moving_variance)
        ]
        expected, mean, variance = self.expected(layer, *drawn, training)
        found = layer(*drawn, training=training)
        self.assertAllClose(found, expected, rtol=1e-4, atol=1e-4)
        if training:
            rows = 3 * 4 * 4
            mean = 0.9 * before[0] + 0.1 * mean
            variance = 0.9 * before[1] + 0.1 * variance * rows / (rows - 1)
            self.assertAllClose(layer.moving_mean, mean, atol=1e-5)
            self.assertAllClose(layer.moving_variance, variance, atol=1e-5)

    @parameterized.parameters(False, True)
    def test_slopes_are_those_of_the_layers_apart(self, xla):
        layer, drawn = built(), inputs()
        norm = BatchNorm(center=False, scale=False)
        norm(drawn[0])
        along = draw(3, 4, 4, 2, seed=5)

        def apart(x, condition, area, training):
            return tf.nn.relu(
                layer.affine(norm(x, training=training), condition, area)
            )

        def slopes(way):
            @tf.function(jit_compile=xla)
            def play(drawn):
                with tf.GradientTape() as tape:
                    tape.watch(drawn)
                    found = way(*drawn, training=True)
                    loss = tf.reduce_sum(tf.sin(found) * along)
                weights = [v.value for v in layer.affine.trainable_variables]
                return tape.gradient(loss, [*drawn, *weights])

            return play(drawn)

        pairs = zip(slopes(layer), slopes(apart), strict=True)
        for ours, theirs in pairs:
            self.assertAllClose(ours, theirs, rtol=1e-4, atol=1e-4)

    def test_begins_as_a_norm_and_its_activation(self):
        x, condition, area = inputs()
        found = MaskedNorm(7)(x, condition, area, training=True)
        plain = BatchNorm(center=False, scale=False)(x, training=True)
        self.assertAllClose(found, tf.nn.relu(plain), atol=1e-6)

    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_16_bits_stay_near(self, policy):
        layer, drawn = built(), inputs()
        mixed = built(dtype=policy)
        for training in (False, True):
            found = mixed(*drawn, training=training)
            self.assertEqual(found.dtype.name, policy.removeprefix("mixed_"))
            expected = layer(*drawn, training=training)
            self.assertAllClose(
                tf.cast(found, tf.float32), expected, atol=0.05, rtol=0.01
            )

    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_slopes_of_16_bits_stay_near(self, policy):
        drawn, along = inputs(), draw(3, 4, 4, 2, seed=5)

        def slopes(layer):
            with tf.GradientTape() as tape:
                tape.watch(drawn)
                found = layer(*drawn, training=True)
                loss = tf.reduce_sum(tf.cast(found, tf.float32) * along)
            weights = [v.value for v in layer.trainable_variables]
            return tape.gradient(loss, [*drawn, *weights])

        pairs = zip(slopes(built(dtype=policy)), slopes(built()), strict=True)
        for ours, exact in pairs:
            gap = tf.norm(tf.cast(ours, tf.float32) - exact)
            self.assertLess(float(gap), 0.1 * float(tf.norm(exact)))

    def test_saved_layer_comes_back_equal(self):
        symbols = [keras.Input(x.shape[1:]) for x in inputs()]
        layer = MaskedNorm(3, activation="tanh")
        model = keras.Model(symbols, layer(*symbols))
        model.set_weights([draw(*w.shape) ** 2 for w in model.get_weights()])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.keras")
            model.save(path)
            again = keras.models.load_model(path)
        self.assertAllEqual(model(inputs()), again(inputs()))
        self.assertIsInstance(layer.affine, fusion.MaskedAffine)


if __name__ == "__main__":
    tf.test.main()
