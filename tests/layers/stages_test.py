"""The bricks of drawing in stages, against float64 arithmetic."""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import BatchNorm, TwinConv, UpConv, stages
from tests import harness
from tests.layers import reading

SENTENCES = reading.drawn(3, 6)
NOISE = reading.drawn(3, 5 + 4, seed=1)


def sigmoid(x):
    """Presses any number between 0 and 1."""
    return 1.0 / (1.0 + np.exp(-np.float64(x)))


def told(layer, sentences):
    """What a sentence says of its condition: mean and log-variance."""
    kernel, bias = (np.float64(w) for w in layer.project.get_weights())
    passed, gate = np.split(np.float64(sentences) @ kernel + bias, 2, -1)
    return np.split(passed * sigmoid(gate), 2, -1)


def condition(is_sampled=True, **kwargs):
    """Builds a layer with drawn weights."""
    layer = stages.Condition(4, is_sampled, **kwargs)
    layer.build(SENTENCES.shape, NOISE.shape)
    return reading.shaken(layer)


def model(recipe, *shape):
    """Makes a model of one recipe."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, recipe(inputs))


class ConditionTest(tf.test.TestCase, parameterized.TestCase):
    """Draws near what a sentence says."""

    def test_the_last_numbers_of_the_noise_choose_within_the_spread(self):
        layer = condition()
        latent, mean, log_variance = layer(SENTENCES, NOISE)
        expected = told(layer, SENTENCES)
        self.assertAllClose(mean, expected[0], atol=1e-5)
        self.assertAllClose(log_variance, expected[1], atol=1e-5)
        chosen = expected[0] + np.exp(expected[1] / 2) * NOISE[:, 5:]
        self.assertAllClose(latent[:, :4], chosen, atol=1e-5)
        self.assertAllEqual(latent[:, 4:], NOISE[:, :5])

    def test_without_a_draw_it_is_the_mean(self):
        layer = condition(is_sampled=False)
        latent, mean, _ = layer(SENTENCES, NOISE[:, :5])
        self.assertAllEqual(latent, np.concatenate([mean, NOISE[:, :5]], -1))
        quiet = np.concatenate([NOISE[:, :5], np.zeros((3, 4))], -1)
        self.assertAllEqual(latent, condition()(SENTENCES, quiet)[0])

    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_spreads_stay_float32(self, policy):
        layer = condition(dtype=policy)
        latent, mean, log_variance = layer(SENTENCES, NOISE)
        self.assertEqual(latent.dtype, layer.compute_dtype)
        self.assertEqual(mean.dtype, tf.float32)
        self.assertEqual(log_variance.dtype, tf.float32)
        self.assertAllClose(latent, condition()(SENTENCES, NOISE)[0], atol=0.1)

    @parameterized.parameters(False, True)
    def test_stands_the_examination_of_layers(self, is_sampled):
        harness.examine_layer(
            self,
            lambda: stages.Condition(4, is_sampled),
            SENTENCES,
            NOISE,
            training=None,
        )


class RecipesTest(tf.test.TestCase, parameterized.TestCase):
    """Small networks with names that tell where they stand."""

    def named(self, network):
        """Lists the names of the layers that learn."""
        return [each.name for each in network.layers if each.weights]

    def test_start_halves_channels_as_it_doubles_the_map(self):
        network = model(lambda x: stages.start(x, 16, 3), 7)
        self.assertEqual(network.output.shape, (None, 16, 16, 3))
        ups = ["up_8", "up_8_norm", "up_16", "up_16_norm"]
        self.assertEqual(self.named(network), ["start", "start_norm", *ups])
        self.assertEqual(
            network.get_layer("start").kernel.shape, (7, 2 * 4 * 4 * 12)
        )
        self.assertEqual(network.get_layer("up_8").kernel.shape[2:], (12, 12))
        self.assertEqual(network.get_layer("up_16").kernel.shape[2:], (6, 6))

    def test_start_gates_before_it_lays_the_map_out(self):
        network = model(lambda x: stages.start(x, 8, 3), 7)
        latent = reading.drawn(2, 7)
        kernel = np.float64(network.get_layer("start").kernel)
        flat = latent @ kernel / np.sqrt(1.0 + 1e-5)
        flat = flat * network.get_layer("start_norm").gamma.numpy()
        half = 4 * 4 * 6
        expected = flat[:, :half] * sigmoid(flat[:, half:])
        inner = keras.Model(
            network.input, network.get_layer("start_map").output
        )
        self.assertAllClose(
            inner(latent), expected.reshape(2, 4, 4, 6), atol=1e-5
        )

    def test_up_is_a_doubled_convolution_a_norm_and_a_gate(self):
        network = model(lambda x: stages.up(x, 5, "up_6"), 3, 3, 4)
        inputs = reading.drawn(2, 3, 3, 4)
        conv, norm = network.get_layer("up_6"), network.get_layer("up_6_norm")
        self.assertIsInstance(conv, UpConv)
        self.assertFalse(conv.use_bias)
        expected = norm(conv(inputs), training=True)
        self.assertAllEqual(network(inputs, training=True), expected)
        self.assertIs(norm.activation, keras.activations.glu)
        self.assertEqual(network.output.shape, (None, 6, 6, 5))

    def test_residual_adds_and_leaves_the_sum_as_it_is(self):
        network = model(lambda x: stages.residual(x, "block"), 3, 3, 4)
        inputs = reading.drawn(2, 3, 3, 4)
        layer = network.get_layer
        y = layer("block_norm_1")(layer("block_conv_1")(inputs), training=True)
        self.assertIs(layer("block_norm_1").activation, keras.activations.glu)
        self.assertEqual(y.shape, (2, 3, 3, 4))
        y = layer("block_conv_2")(y)
        y = layer("block_norm_2")(y, training=True)
        found = network(inputs, training=True)
        self.assertAllClose(found, inputs + y, atol=1e-6)
        self.assertLess(np.min(found), -0.1)

    def test_residual_of_a_twin_equals_that_of_the_joined_map(self):
        def joined(x, is_told):
            both = keras.layers.Concatenate()([x, x])
            return stages.residual(both, "block", x if is_told else None)

        inputs = reading.drawn(2, 3, 3, 4)
        plain, twin = (
            model(lambda x, t=t: joined(x, t), 3, 3, 4) for t in (False, True)
        )
        twin.set_weights(plain.get_weights())
        self.assertIsInstance(twin.get_layer("block_conv_1"), TwinConv)
        for training in (False, True):
            self.assertAllClose(
                twin(inputs, training=training),
                plain(inputs, training=training),
                atol=1e-4,
            )

    def test_image_is_bounded_float32(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            network = model(lambda x: stages.image(x, 4), 4, 4, 5)
        finally:
            keras.config.set_dtype_policy("float32")
        self.assertEqual(self.named(network), ["colours_4"])
        drawn = network(100.0 * reading.drawn(2, 4, 4, 5))
        self.assertEqual(drawn.dtype, tf.float32)
        self.assertAllInRange(drawn, -1.0, 1.0)
        self.assertGreater(np.abs(drawn).max(), 0.99)

    def test_weights_start_as_rotations_and_norms_near_one(self):
        keras.utils.set_random_seed(0)
        network = model(lambda x: stages.up(x, 40, "up_6"), 3, 3, 8)
        kernel = network.get_layer("up_6").kernel.numpy().reshape(-1, 80)
        lengths = np.linalg.svd(kernel)[1]
        self.assertAllClose(lengths, np.ones_like(lengths), atol=1e-5)
        norm = network.get_layer("up_6_norm")
        self.assertIsInstance(norm, BatchNorm)
        self.assertNear(np.mean(norm.gamma), 1.0, 0.01)
        self.assertNear(np.std(norm.gamma), 0.02, 0.006)


class WholeTest(tf.test.TestCase, parameterized.TestCase):
    """Networks of stages with any way to read words."""

    def generator(self, refine, **changes):
        """Builds a toy generator."""
        sizes = dict(image_size=16, base_size=8, width=4, noise_dim=5)
        sizes |= dict(condition_dim=4, text_dim=6, residuals=1)
        sizes |= dict(is_sampled=True, smaller_images=True)
        return stages.generator(refine, **(sizes | changes))

    def test_a_stage_reads_words_as_it_is_told(self):
        seen = []

        def refine(x, words, mask, name):
            seen.append((x.shape[1:], words.shape[1:], mask.dtype, name))
            attend = keras.layers.Dot((3, 2), name=name)
            padded = keras.layers.Dense(x.shape[-1])(words)
            return (x, keras.layers.ReLU()(x)), attend([x, padded])

        network = self.generator(refine, image_size=32)
        self.assertEqual(
            seen,
            [
                ((8, 8, 4), (None, 6), "bool", "attention_8"),
                ((16, 16, 4), (None, 6), "bool", "attention_16"),
            ],
        )
        self.assertEqual(
            list(network.output),
            ["image", "image_8", "image_16", "mean", "log_variance"]
            + ["attention_8", "attention_16"],
        )

    def test_the_last_stage_may_draw_alone(self):
        def refine(x, words, mask, name):
            return (x, x), keras.layers.Identity(name=name)(mask)

        network = self.generator(refine, smaller_images=False)
        self.assertEqual(
            list(network.output),
            ["image", "mean", "log_variance"] + ["attention_8"],
        )

    @parameterized.parameters(
        (dict(base_size=4), "base_size is 4; allowed are 4 times"),
        (dict(base_size=12, image_size=24), "base_size is 12; allowed"),
        (dict(image_size=24), "image_size is 24 and base_size 8; allowed"),
        (dict(image_size=4), "image_size is 4 and base_size 8; allowed"),
        (dict(image_size=0), "image_size is 0 and base_size 8; allowed"),
    )
    def test_sizes_that_cannot_be_drawn_are_refused(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            self.generator(None, **changes)

    @parameterized.parameters(
        (64, 16, [16, 32, 64]), (8, 8, [8]), (256, 64, [64, 128, 256])
    )
    def test_sizes_double_from_the_first_stage_on(self, last, base, expected):
        self.assertEqual(stages.sizes(last, base), expected)

    @parameterized.parameters(False, True)
    def test_discriminators_are_saved_with_all_they_keep(self, spectral):
        network = stages.discriminator(
            image_size=16,
            width=4,
            text_dim=6,
            unconditional=True,
            spectral=spectral,
        )
        given = {
            "image": np.tanh(reading.drawn(3, 16, 16, 3)),
            "sentence": SENTENCES,
        }
        network(given, training=True)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "network.keras")
            network.save(path)
            again = keras.models.load_model(path)
        for one, other in zip(network.weights, again.weights, strict=True):
            self.assertAllEqual(one, other)
        tf.nest.map_structure(
            self.assertAllEqual, dict(network(given)), dict(again(given))
        )


if __name__ == "__main__":
    tf.test.main()
