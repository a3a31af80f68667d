"""AttnGAN's networks: sizes, slow arithmetic, wiring.

What the authors' code answers is held beside ours in tests/tools and
tests/weights.
"""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import SpectralConv, WordAttention
from keras_t2i.networks import attngan
from tests.networks import oracle, staged


def generator(**changes):
    """Makes a toy generator in two stages."""
    model = attngan.generator(**(staged.GENERATOR | changes))
    return staged.shaken(model)


def discriminator(**changes):
    """Makes a toy discriminator."""
    model = attngan.discriminator(**(staged.DISCRIMINATOR | changes))
    return staged.shaken(model)


class SizesTest(tf.test.TestCase, parameterized.TestCase):
    """As large as published, and any power of two."""

    @parameterized.named_parameters(
        ("birds", dict(), 7_084_592),
        ("coco", dict(width=48, residuals=3), 13_811_456),
        ("dcgan", dict(residuals=0, smaller_images=False), 6_638_960),
    )
    def test_parameters_of_the_generator(self, sizes, expected):
        with staged.without_starts():
            model = attngan.generator(**sizes)
        self.assertEqual(oracle.count(model), expected)

    @parameterized.named_parameters(
        ("birds_64", 64, 64, 6_313_730),
        ("birds_128", 128, 64, 19_424_002),
        ("birds_256", 256, 64, 71_858_946),
        ("coco_64", 64, 96, 13_304_450),
        ("coco_128", 128, 96, 42_800_258),
        ("coco_256", 256, 96, 160_774_274),
    )
    def test_parameters_of_the_discriminators(self, size, width, expected):
        with staged.without_starts():
            model = attngan.discriminator(image_size=size, width=width)
        self.assertEqual(oracle.count(model), expected)

    def test_attndcgan_has_no_score_without_the_sentence(self):
        with staged.without_starts():
            model = attngan.discriminator(unconditional=False)
        self.assertEqual(oracle.count(model), 71_850_753)
        self.assertEqual(set(model.output), {"matched", "features"})

    @parameterized.parameters((8, 8), (8, 16), (16, 64), (32, 32))
    def test_stages_are_computed_from_two_sizes(self, base, last):
        model = generator(base_size=base, image_size=last)
        inputs = {name: staged.latent()[name] for name in model.input}
        drawn = model(inputs)
        smaller = [base * 2**i for i in range(8) if base * 2**i < last]
        expected = {"image": last, "mean": None, "log_variance": None}
        expected |= {f"image_{size}": size for size in smaller}
        expected |= {f"attention_{size}": size for size in smaller}
        self.assertEqual(set(drawn), set(expected))
        for name, size in expected.items():
            if name.startswith("image"):
                self.assertEqual(drawn[name].shape, (3, size, size, 3))
            elif name.startswith("attention"):
                self.assertEqual(drawn[name].shape, (3, size, size, 5))
            else:
                self.assertEqual(drawn[name].shape, (3, 3))
            self.assertEqual(drawn[name].dtype, tf.float32)
        self.assertEqual("words" in model.input, base < last)

    def test_last_stage_may_draw_alone(self):
        model, inputs = generator(), staged.latent()
        alone = generator(smaller_images=False)
        self.assertEqual(set(model.output) - set(alone.output), {"image_8"})
        for layer in alone.layers:
            layer.set_weights(model.get_layer(layer.name).get_weights())
        answer, expected = alone(inputs), model(inputs)
        for name, values in answer.items():
            self.assertAllEqual(values, expected[name])

    @parameterized.parameters((8, 4), (16, 8), (64, 32), (128, 32))
    def test_discriminators_end_at_four_by_four(self, size, channels):
        model = discriminator(image_size=size)
        judged = model(staged.pair(2, size))
        self.assertEqual(judged["features"].shape, (2, 4, 4, channels))
        for score in ("matched", "alone"):
            self.assertEqual(judged[score].shape, (2,))
            self.assertEqual(judged[score].dtype, tf.float32)

    @parameterized.parameters(0, 4, 24, 100)
    def test_other_sizes_are_refused(self, size):
        for make in (attngan.generator, attngan.discriminator):
            with self.assertRaisesRegex(ValueError, f"image_size is {size}"):
                make(image_size=size)


class ArithmeticTest(tf.test.TestCase, parameterized.TestCase):
    """The papers' figures in float64."""

    @parameterized.parameters(0, 1, 2)
    def test_generator_equals_slow_arithmetic(self, residuals):
        model, inputs = generator(residuals=residuals), staged.latent()
        expected = staged.generated(model, inputs, (8, 16), residuals)
        answer = model(inputs)
        for name, values in expected.items():
            self.assertAllClose(answer[name], values, atol=1e-4, msg=name)

    @parameterized.parameters(
        (16, ["down_8", "down_4"], []),
        (64, ["down_32", "down_16", "down_8", "down_4"], []),
        (
            128,
            ["down_64", "down_32", "down_16", "down_8", "down_4"],
            ["narrow_8"],
        ),
    )
    def test_discriminator_equals_slow_arithmetic(self, size, downs, narrows):
        for spectral in (False, True):
            model = discriminator(image_size=size, spectral=spectral)
            inputs = staged.pair(2, size)
            expected = staged.judged(model, inputs, downs, narrows)
            answer = model(inputs)
            for name, values in expected.items():
                self.assertAllClose(
                    answer[name], values, atol=1e-4, rtol=1e-4, msg=name
                )

    def test_channels_of_the_largest_discriminator(self):
        with staged.without_starts():
            trunk = attngan.discriminator(width=2).get_layer("trunk")
        seen = [
            x.kernel.shape[2:]
            for x in trunk.layers
            if x.weights[:1] and hasattr(x, "kernel")
        ]
        self.assertEqual(
            seen,
            [(3, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 64)]
            + [(64, 32), (32, 16)],
        )


class WiringTest(tf.test.TestCase, parameterized.TestCase):
    """What reaches what."""

    def test_stages_read_words_with_layers_of_their_own(self):
        model = generator(image_size=32)
        readers = [x for x in model.layers if isinstance(x, WordAttention)]
        names = [each.name for each in readers]
        self.assertEqual(names, ["attention_8", "attention_16"])
        self.assertLen({id(x.project.kernel) for x in readers}, 2)

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
        first = {name: values[:1] for name, values in inputs.items()}
        alike = inputs | {"mask": np.ones_like(inputs["mask"])}
        for given in (first, alike):
            self.assertAllClose(
                legacy(given)["image"], plain(given)["image"], atol=1e-6
            )

    def test_without_a_draw_only_the_noise_is_left(self):
        model = generator(is_sampled=False)
        drawn = generator()
        drawn.set_weights(model.get_weights())
        inputs = staged.latent(noise_dim=5)
        quiet = np.concatenate([inputs["noise"], np.zeros((3, 3))], -1)
        one, other = model(inputs), drawn(inputs | {"noise": quiet})
        self.assertAllClose(one["image"], other["image"], atol=1e-6)
        loud = inputs | {"noise": quiet + 1.0}
        self.assertNotAllClose(one["image"], drawn(loud)["image"])

    def test_parts_make_the_whole(self):
        model, inputs = discriminator(), staged.pair()
        features = model.get_layer("trunk")(inputs["image"])
        sentence = tf.constant(inputs["sentence"])
        whole = model(inputs)
        self.assertAllEqual(whole["features"], features)
        self.assertAllEqual(
            whole["matched"], model.get_layer("head")([features, sentence])
        )
        self.assertAllEqual(whole["alone"], model.get_layer("alone")(features))

    def test_batches_are_normalised_where_kernels_are_not(self):
        for spectral in (False, True):
            trunk = discriminator(spectral=spectral).get_layer("trunk")
            normed = [x.name for x in trunk.layers if x.name.endswith("_norm")]
            divided = [x for x in trunk.layers if isinstance(x, SpectralConv)]
            expected = [] if spectral else ["down_8_norm", "down_4_norm"]
            self.assertEqual(normed, expected)
            self.assertLen(divided, 3 if spectral else 0)

    def test_rows_do_not_know_each_other(self):
        for model, inputs in (
            (generator(), staged.latent()),
            (discriminator(), staged.pair()),
        ):
            whole = model(inputs)
            lone = model({k: v[1:2] for k, v in inputs.items()})
            for name, values in whole.items():
                self.assertAllClose(values[1:2], lone[name], atol=1e-5)

    def test_copies_and_saved_ones_are_equal(self):
        for model, inputs in (
            (generator(), staged.latent()),
            (discriminator(), staged.pair()),
        ):
            copy = keras.models.clone_model(model)
            copy.set_weights(model.get_weights())
            for other in (copy, staged.reloaded(model)):
                for name, values in model(inputs).items():
                    self.assertAllEqual(values, other(inputs)[name])

    def test_bfloat16_stays_near_and_answers_in_float32(self):
        for make, inputs in (
            (generator, staged.latent()),
            (discriminator, staged.pair()),
        ):
            plain, short = make(), staged.mixed(make)
            short.set_weights(plain.get_weights())
            for name, values in short(inputs).items():
                if name != "features":
                    self.assertEqual(values.dtype, tf.float32)
                    self.assertAllClose(
                        values, plain(inputs)[name], atol=0.2, rtol=0.1
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
