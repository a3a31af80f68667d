"""DM-GAN's networks: sizes, slow arithmetic, what differs from AttnGAN.

What the authors' code answers is held beside ours in tests/tools and
tests/weights.
"""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import BatchNorm, SpectralConv, TwinConv, WordMemory
from keras_t2i.networks import dm_gan
from tests.networks import oracle, staged


def generator(**changes):
    """Makes a toy generator in two stages."""
    model = dm_gan.generator(**(staged.GENERATOR | changes))
    return staged.shaken(model)


def discriminator(**changes):
    """Makes a toy discriminator."""
    model = dm_gan.discriminator(**(staged.DISCRIMINATOR | changes))
    return staged.shaken(model)


class SizesTest(tf.test.TestCase, parameterized.TestCase):
    """As large as published."""

    @parameterized.named_parameters(
        ("birds", 2, 21_449_042), ("coco", 3, 22_335_314)
    )
    def test_parameters_of_the_generator(self, residuals, expected):
        with staged.without_starts():
            model = dm_gan.generator(residuals=residuals)
        self.assertEqual(oracle.count(model), expected)

    @parameterized.parameters(
        (64, 1_878_242), (128, 5_155_810), (256, 18_264_546)
    )
    def test_parameters_of_the_discriminators(self, size, expected):
        with staged.without_starts():
            model = dm_gan.discriminator(image_size=size)
        self.assertEqual(oracle.count(model), expected)

    @parameterized.parameters(0, 4, 24, 100)
    def test_other_sizes_are_refused(self, size):
        for make in (dm_gan.generator, dm_gan.discriminator):
            with self.assertRaisesRegex(ValueError, f"image_size is {size}"):
                make(image_size=size)


class ArithmeticTest(tf.test.TestCase, parameterized.TestCase):
    """The paper's figures in float64."""

    @parameterized.parameters(0, 1, 2)
    def test_generator_equals_slow_arithmetic(self, residuals):
        model, inputs = generator(residuals=residuals), staged.latent()
        expected = staged.generated(model, inputs, (8, 16), residuals)
        answer = model(inputs)
        for name, values in expected.items():
            self.assertAllClose(answer[name], values, atol=1e-4, msg=name)

    def test_discriminator_equals_slow_arithmetic(self):
        model, inputs = discriminator(), staged.pair()
        downs = ["down_16", "down_8", "down_4"]
        expected = staged.judged(model, inputs, downs, [])
        answer = model(inputs)
        for name, values in expected.items():
            self.assertAllClose(
                answer[name], values, atol=1e-4, rtol=1e-4, msg=name
            )


class WiringTest(tf.test.TestCase, parameterized.TestCase):
    """What reaches what."""

    def test_stages_remember_with_layers_of_their_own(self):
        model = generator(image_size=32)
        memories = [x for x in model.layers if isinstance(x, WordMemory)]
        names = [each.name for each in memories]
        self.assertEqual(names, ["attention_8", "attention_16"])
        twins = [x.name for x in model.layers if isinstance(x, TwinConv)]
        self.assertEqual(twins, ["block_8_1_conv_1", "block_16_1_conv_1"])

    def test_padding_changes_nothing(self):
        model, inputs = generator(), staged.latent()
        hidden = ~inputs["mask"][..., None] * np.float32(9.0)
        other = inputs | {"words": inputs["words"] + hidden}
        for name, values in model(inputs).items():
            self.assertAllClose(values, model(other)[name], atol=1e-5)

    def test_legacy_masks_differ_where_lengths_do(self):
        plain, legacy = generator(), generator(legacy_mask=True)
        legacy.set_weights(plain.get_weights())
        inputs = staged.latent()
        gap = legacy(inputs)["image"] - plain(inputs)["image"]
        self.assertGreater(np.abs(gap).max(), 1e-3)
        alike = inputs | {"mask": np.ones_like(inputs["mask"])}
        self.assertAllClose(
            legacy(alike)["image"], plain(alike)["image"], atol=1e-6
        )

    def test_discriminators_divide_all_kernels_but_the_last(self):
        model = discriminator()
        for part, count in (("trunk", 3), ("head", 1), ("alone", 0)):
            layers = model.get_layer(part).layers
            divided = [x for x in layers if isinstance(x, SpectralConv)]
            self.assertLen(divided, count)
            for layer in divided:
                self.assertEqual(layer.moves, "always")
                self.assertTrue(layer.use_bias)
            self.assertEmpty([x for x in layers if isinstance(x, BatchNorm)])
        self.assertIsInstance(
            model.get_layer("head").get_layer("score"), keras.layers.Conv2D
        )

    def test_discriminators_move_with_every_picture_in_every_mode(self):
        for training in (False, True):
            model = discriminator()
            layer = model.get_layer("trunk").get_layer("down_4")
            joint = model.get_layer("head").get_layer("joint")
            before = [layer.u.numpy(), joint.u.numpy()]
            model.get_layer("trunk")(staged.pair()["image"], training=training)
            self.assertGreater(np.abs(layer.u - before[0]).max(), 1e-4)
            self.assertAllEqual(joint.u, before[1])

    def test_biases_start_as_pytorchs(self):
        keras.utils.set_random_seed(0)
        model = dm_gan.discriminator(image_size=16, width=8, text_dim=6)
        trunk, head = model.get_layer("trunk"), model.get_layer("head")
        for layer, fan_in in (
            (trunk.get_layer("down_8"), 4 * 4 * 3),
            (trunk.get_layer("down_4"), 4 * 4 * 8),
            (head.get_layer("joint"), 3 * 3 * (16 + 6)),
            (head.get_layer("score"), 4 * 4 * 16),
            (model.get_layer("alone").get_layer("score"), 4 * 4 * 16),
        ):
            bias = np.abs(layer.bias)
            self.assertLess(np.max(bias), fan_in**-0.5)
            self.assertGreater(np.min(bias), 0.0)

    def test_copies_and_saved_ones_are_equal(self):
        for model, inputs in (
            (generator(), staged.latent()),
            (discriminator(), staged.pair()),
        ):
            copy = keras.models.clone_model(model)
            copy.set_weights(model.get_weights())
            again = staged.reloaded(model)
            # Spectral norms move: each is asked once.
            expected = model(inputs)
            for other in (copy, again):
                answer = other(inputs)
                for name, values in expected.items():
                    self.assertAllEqual(values, answer[name])

    def test_bfloat16_stays_near_and_answers_in_float32(self):
        for make, inputs in (
            (generator, staged.latent()),
            (discriminator, staged.pair()),
        ):
            plain, short = make(), staged.mixed(make)
            short.set_weights(plain.get_weights())
            expected = plain(inputs)
            for name, values in short(inputs).items():
                if name != "features":
                    self.assertEqual(values.dtype, tf.float32)
                    self.assertAllClose(
                        values, expected[name], atol=0.2, rtol=0.1
                    )

    def test_every_weight_has_a_slope(self):
        for model, inputs in (
            (generator(), staged.latent()),
            (discriminator(), staged.pair()),
        ):
            with tf.GradientTape() as tape:
                answer = model(inputs, training=True)
                loss = sum(
                    tf.reduce_sum(x * oracle.drawn(*x.shape))
                    for x in answer.values()
                )
            variables = model.trainable_variables
            slopes = tape.gradient(loss, [v.value for v in variables])
            for variable, slope in zip(variables, slopes, strict=True):
                self.assertGreater(np.abs(slope).max(), 0.0, variable.path)


if __name__ == "__main__":
    tf.test.main()
