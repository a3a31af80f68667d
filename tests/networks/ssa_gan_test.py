"""SSA-GAN's networks: sizes, starts and wiring.

What the authors' code answers is held beside ours in tests/tools and
tests/conformance.
"""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.networks import ssa_gan

GENERATOR = dict(width=2, noise_dim=5, text_dim=6)


def draw(*shape, seed=0):
    """Draws a float32 array."""
    normal = np.random.default_rng(seed).normal(size=shape)
    return normal.astype("float32")


def generator(image_size=16, **changes):
    """Makes a toy generator that no longer ignores its sentences."""
    model = ssa_gan.generator(image_size=image_size, **(GENERATOR | changes))
    weights = model.get_weights()
    model.set_weights(
        [w + 0.1 * draw(*w.shape, seed=i) ** 2 for i, w in enumerate(weights)]
    )
    return model


def latent(rows=3):
    """Draws a generator's inputs."""
    return {"noise": draw(rows, 5), "sentence": draw(rows, 6, seed=1)}


def trainable(model):
    """Counts learned numbers."""
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


class SizesTest(tf.test.TestCase, parameterized.TestCase):
    """As large as published, and any power of two."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    @parameterized.parameters(
        (64, 29_494_273, 80_379_526), (32, 10_327_425, 20_170_566)
    )
    def test_parameters_at_the_papers_size(self, width, drawing, judging):
        self.assertEqual(trainable(ssa_gan.generator(width=width)), drawing)
        # Two blocks have a shortcut there that nothing uses.
        unused = 2 * ((16 * width) ** 2 + 16 * width)
        judge = ssa_gan.discriminator(width=width)
        self.assertEqual(trainable(judge), judging - unused)

    def test_channels_at_the_papers_size(self):
        model = ssa_gan.generator(width=64)
        sizes = (4, 8, 16, 32, 64, 128, 256)
        seen = [
            model.get_layer(f"draw_{size}_2").kernel.shape[-1] for size in sizes
        ]
        self.assertEqual(seen, [512, 512, 512, 512, 256, 128, 64])
        looks = [
            model.get_layer(f"mask_{size}_look").kernel.shape[2:]
            for size in sizes
        ]
        fed = [512, 512, 512, 512, 512, 256, 128]
        self.assertEqual([tuple(s) for s in looks], [(n, 100) for n in fed])

    @parameterized.parameters(8, 16, 32, 64, 512)
    def test_channels_double_to_eight_times_the_width(self, image_size):
        model = ssa_gan.generator(image_size=image_size, width=2)
        size = 4
        while size <= image_size:
            expected = 2 * min(image_size // size, 8)
            kernel = model.get_layer(f"draw_{size}_2").kernel
            self.assertEqual(kernel.shape[-1], expected)
            size *= 2

    @parameterized.parameters(8, 16, 32, 64)
    def test_draws_any_power_of_two_with_a_mask_a_size(self, image_size):
        drawn = generator(image_size)(latent())
        self.assertEqual(drawn["image"].shape, (3, image_size, image_size, 3))
        sizes = [4 << k for k in range(10) if 4 << k <= image_size]
        self.assertEqual(
            set(drawn), {"image", *(f"mask_{size}" for size in sizes)}
        )
        for size in sizes:
            mask = drawn[f"mask_{size}"]
            self.assertEqual(mask.shape, (3, size, size, 1))
            self.assertEqual(mask.dtype, tf.float32)
            self.assertAllInRange(mask, 0.0, 1.0)

    @parameterized.parameters(0, 4, 24, 100)
    def test_other_sizes_are_refused(self, image_size):
        for make in (ssa_gan.generator, ssa_gan.discriminator):
            with self.assertRaisesRegex(ValueError, f"is {image_size}; allow"):
                make(image_size=image_size)


class WiringTest(tf.test.TestCase, parameterized.TestCase):
    """What reaches what."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    def test_at_the_start_neither_sentence_nor_mask_is_heard(self):
        model = ssa_gan.generator(image_size=16, **GENERATOR)
        for layer in model.layers:
            if layer.name.startswith("gain_"):
                layer.gamma.assign(1.0)
        inputs = latent()
        other = inputs | {"sentence": inputs["sentence"] + 1.0}
        self.assertAllEqual(model(inputs)["image"], model(other)["image"])

    def test_mask_is_enlarged_before_the_sigmoid_from_corner_to_corner(self):
        model = generator(8)
        told = keras.Model(model.input, model.get_layer("mask_8_tell").output)
        logits = np.float64(told(latent())[..., 0])
        way = np.zeros((8, 4))
        for i in range(8):
            place = i * 3 / 7
            low = min(int(place), 2)
            way[i, low], way[i, low + 1] = 1 - place + low, place - low
        logits = np.einsum("ih,jw,bhw->bij", way, way, logits)
        expected = 1.0 / (1.0 + np.exp(-logits))
        mask = model(latent())["mask_8"][..., 0]
        self.assertAllClose(mask, expected, atol=1e-5)

    def test_mask_is_told_from_the_map_before_it_is_doubled(self):
        model = generator(8)
        shapes = {
            size: model.get_layer(f"mask_{size}_look").input.shape[1]
            for size in (4, 8)
        }
        self.assertEqual(shapes, {4: 4, 8: 4})
        inner = keras.Model(
            model.input,
            [
                model.get_layer("mask_8_look").input,
                model.get_layer("draw_8_norm_1").input[0],
            ],
        )
        small, doubled = inner(latent())
        self.assertAllEqual(np.repeat(np.repeat(small, 2, 1), 2, 2), doubled)

    def test_sentence_is_heard_where_the_mask_is(self):
        model = generator(8)
        closed = model.get_layer("mask_8_tell")
        closed.kernel.assign(tf.zeros_like(closed.kernel))
        layer = model.get_layer("draw_8_norm_1")
        inner = keras.Model(model.input, [layer.input[0], layer.output])
        inputs = latent()
        other = inputs | {"sentence": inputs["sentence"] + 1.0}
        closed.bias.assign([-200.0])
        x, drawn = inner(inputs)
        mean, variance = layer.moving_mean, layer.moving_variance
        plain = (x - mean) / tf.sqrt(variance + 1e-5)
        self.assertAllClose(drawn, tf.nn.relu(plain), atol=1e-5)
        closed.bias.assign([0.0])
        # Earlier blocks hear the sentence, too; their masks are shut here.
        for size in (4, 8):
            shut = model.get_layer(f"mask_{size}_tell")
            shut.kernel.assign(tf.zeros_like(shut.kernel))
            shut.bias.assign([0.0 if size == 8 else -200.0])
        (x, first), (same, second) = inner(inputs), inner(other)
        self.assertAllEqual(x, same)
        self.assertNotAllClose(first, second)

    def test_norms_of_maps_have_no_factors_of_their_own(self):
        names = [x.name for x in generator().layers if "_norm_" in x.name]
        self.assertLen(names, 6)
        for name in names:
            layer = generator().get_layer(name)
            self.assertFalse(layer.scale or layer.center)
            self.assertLen(layer.non_trainable_variables, 2)
            self.assertLen(layer.affine.trainable_variables, 8)
            self.assertLen(layer.trainable_variables, 8)

    def test_replicas_share_statistics_if_asked(self):
        for is_shared in (False, True):
            model = ssa_gan.generator(
                image_size=8, synchronized=is_shared, **GENERATOR
            )
            found = {
                layer.synchronized
                for layer in model.layers
                if hasattr(layer, "synchronized")
            }
            self.assertEqual(found, {is_shared})

    def test_saved_network_comes_back_equal(self):
        model = generator()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "generator.keras")
            model.save(path)
            again = keras.models.load_model(path)
        tf.nest.map_structure(
            self.assertAllEqual, model(latent()), again(latent())
        )

    def test_bfloat16_stays_near_and_answers_in_float32(self):
        plain = generator()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            mixed = generator()
        finally:
            keras.config.set_dtype_policy("float32")
        mixed.set_weights(plain.get_weights())
        ours, theirs = plain(latent()), mixed(latent())
        for name, x in theirs.items():
            self.assertEqual(x.dtype, tf.float32)
            self.assertLess(np.abs(x - ours[name]).mean(), 0.02)


if __name__ == "__main__":
    tf.test.main()
