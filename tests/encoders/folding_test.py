"""Norms that are multiplied into kernels change no answer."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.encoders import efficientnet_lite, folding, heads, inception
from keras_t2i.layers import BatchNorm

NORM = keras.layers.BatchNormalization


def shaken(model):
    """Draws all that norms know, and returns the model."""
    draw = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, NORM | BatchNorm):
            for variable in layer.weights:
                variable.assign(draw.uniform(0.5, 1.5, variable.shape))
    return model


def norms(model):
    """Counts the norms in a model and in models inside."""
    return sum(isinstance(x, NORM) for x in model._flatten_layers())


def pictures(size):
    """Draws three pictures."""
    draw = np.random.default_rng(1)
    return tf.constant(draw.uniform(-1, 1, (3, size, size, 3)), tf.float32)


def small(recipe):
    """Makes a model of one recipe."""
    image = keras.Input((8, 8, 3))
    return shaken(keras.Model(image, recipe(image)))


class FoldedTest(tf.test.TestCase, parameterized.TestCase):
    """A folded network beside the one it was made of."""

    def assert_alike(self, model, inputs, near=5e-3):
        """Compares answers and the gradient that reaches the pictures."""
        twin, found = folding.folded(model), []
        for each in (model, twin):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                named = isinstance(each.input, dict)
                given = {"image": inputs} if named else inputs
                told = tf.nest.flatten(each(given, training=False))
                whole = sum(tf.reduce_mean(x**2) for x in told)
            found.append([*told, tape.gradient(whole, inputs)])
        for one, other in zip(*found, strict=True):
            scale = np.linalg.norm(one)
            self.assertGreater(scale, 0.0)
            # Rounding may take a number over an edge of ReLU: few do.
            self.assertLess(np.linalg.norm(one - other) / scale, near)
        self.assertEmpty(twin.trainable_variables)
        return twin

    @parameterized.parameters(32, 45)
    def test_lite0_answers_the_same_without_any_norm(self, size):
        model = shaken(efficientnet_lite.lite0(classes=7))
        twin = self.assert_alike(model, pictures(size))
        self.assertGreater(norms(model), 40)
        self.assertEqual(norms(twin), 0)
        held = [[x.name for x in each.layers[1:]] for each in (model, twin)]
        self.assertEqual(*held)

    def test_models_inside_are_folded_too(self):
        trunk = shaken(efficientnet_lite.lite0())
        told = (trunk.output[name].shape[-1] for name in ("regions", "pooled"))
        model = heads.over(trunk, heads.image(*told, 5), size=32)
        twin = self.assert_alike(model, pictures(16))
        self.assertEqual(norms(twin), 0)
        inner = twin.get_layer("efficientnet_lite0").output
        self.assertEqual(set(inner), {"regions", "pooled"})

    def test_inception_answers_the_same(self):
        model = shaken(inception.inception_v3(width=1 / 16))
        self.assert_alike(model, pictures(299), near=2e-2)

    def test_the_first_stays_as_it_was(self):
        model = shaken(efficientnet_lite.lite0(classes=2))
        before = model.get_weights()
        is_trainable = model.trainable
        folding.folded(model)
        for ours, theirs in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(ours, theirs)
        self.assertEqual(model.trainable, is_trainable)

    @parameterized.named_parameters(
        ("has_a_bias", dict(use_bias=True), lambda x, y: NORM()(y)),
        ("is_looked_at_twice", {}, lambda x, y: NORM()(y) + y),
        ("told_outside", {}, lambda x, y: [NORM()(y), y]),
        ("gated", dict(activation="relu"), lambda x, y: NORM()(y)),
        ("no_convolution", {}, lambda x, y: NORM()(x) + 0.0 * y[..., :3]),
    )
    def test_norm_stays_where_its_convolution(self, options, recipe):
        options = dict(use_bias=False) | options

        def cooked(x):
            conv = keras.layers.Conv2D(4, 3, padding="same", **options)
            return recipe(x, conv(x))

        twin = self.assert_alike(small(cooked), pictures(8))
        self.assertEqual(norms(twin), 1)

    @parameterized.product(center=(True, False), scale=(True, False))
    def test_norms_without_factor_or_shift(self, center, scale):
        def cooked(x):
            conv = keras.layers.DepthwiseConv2D(
                3, depth_multiplier=2, use_bias=False
            )
            return NORM(center=center, scale=scale)(conv(x))

        twin = self.assert_alike(small(cooked), pictures(8))
        self.assertEqual(norms(twin), 0)


if __name__ == "__main__":
    tf.test.main()
