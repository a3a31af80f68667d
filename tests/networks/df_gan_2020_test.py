"""DF-GAN's first networks: sizes, starts and wiring.

What the authors' code answers is held beside ours in tests/conformance.
"""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.networks import df_gan_2020

GENERATOR = dict(width=2, noise_dim=5, text_dim=6)


def draw(*shape, seed=0):
    """Draws a float32 array."""
    normal = np.random.default_rng(seed).normal(size=shape)
    return normal.astype("float32")


def latent(rows=2):
    """Draws a generator's inputs."""
    return {"noise": draw(rows, 5), "sentence": draw(rows, 6, seed=1)}


class SizesTest(tf.test.TestCase, parameterized.TestCase):
    """As large as published, and any power of two."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    @parameterized.parameters((32, 12.24, 20.17), (64, 31.48, 80.38))
    def test_parameters_at_the_papers_size(self, width, drawing, judging):
        millions = df_gan_2020.generator(width=width).count_params() / 1e6
        self.assertNear(millions, drawing, 0.005)
        unused = 2 * ((16 * width) ** 2 + 16 * width)
        judge = df_gan_2020.discriminator(width=width)
        millions = (judge.count_params() + unused) / 1e6
        self.assertNear(millions, judging, 0.005)

    @parameterized.parameters(8, 16, 64)
    def test_draws_any_power_of_two(self, image_size):
        model = df_gan_2020.generator(image_size=image_size, **GENERATOR)
        drawn = model(latent())["image"]
        self.assertEqual(drawn.shape, (2, image_size, image_size, 3))

    @parameterized.parameters(0, 4, 24)
    def test_other_sizes_are_refused(self, image_size):
        for make in (df_gan_2020.generator, df_gan_2020.discriminator):
            with self.assertRaisesRegex(ValueError, f"is {image_size}; allow"):
                make(image_size=image_size)


class WiringTest(tf.test.TestCase):
    """What reaches what."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    def test_residual_branches_start_silent(self):
        model = df_gan_2020.generator(image_size=16, **GENERATOR)
        gains = [x for x in model.layers if x.name.startswith("gain_")]
        self.assertLen(gains, 3)
        for gain in gains:
            self.assertEqual(float(gain.gamma), 0.0)

    def test_condition_is_the_sentence_alone_read_by_256(self):
        model = df_gan_2020.generator(image_size=8, **GENERATOR)
        affines = [x for x in model.layers if "affine" in x.name]
        self.assertLen(affines, 2 * 4)
        for affine in affines:
            for first, _ in affine.parts.values():
                self.assertEqual(first.kernel.shape, (6, 256))


if __name__ == "__main__":
    tf.test.main()
