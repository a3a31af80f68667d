"""The Keras recipe's networks, layer by layer in slow float64."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.networks import wgan_gp
from tests.networks import oracle


def drawn(*shape, seed=0):
    """Draws normal numbers."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=shape).astype("float32")


def masks(network, rows, value=None):
    """Draws what dropout needs, or fills it with a value."""
    draw = np.random.default_rng(3)
    shapes = {
        name: (rows, *place.shape[1:])
        for name, place in network.input.items()
        if name.startswith("dropout_")
    }
    return {
        name: tf.constant(
            draw.uniform(size=shape) if value is None else value,
            tf.float32,
            shape,
        )
        for name, shape in shapes.items()
    }


def forget(x, draws, rate):
    """Forgets features as the draws say."""
    return np.where(np.array(draws) >= rate, x / (1.0 - rate), 0.0)


class WGANGPTest(tf.test.TestCase, parameterized.TestCase):
    """Sizes, order of layers, dropout."""

    def test_recipe_sizes_have_its_parameters(self):
        generator, critic = wgan_gp.generator(), wgan_gp.discriminator()
        self.assertEqual(generator.count_params(), 910_660)
        learned = generator.trainable_variables
        self.assertEqual(sum(int(tf.size(v)) for v in learned), 902_082)
        self.assertEqual(critic.count_params(), 4_305_409)
        self.assertEmpty(critic.non_trainable_variables)

    @parameterized.parameters(1, 96)
    def test_any_number_of_rows_is_drawn_and_scored(self, rows):
        image = wgan_gp.generator()({"noise": drawn(rows, 128)})["image"]
        self.assertEqual(image.shape, (rows, 28, 28, 1))
        critic = wgan_gp.discriminator()
        scored = critic({"image": image, **masks(critic, rows)})
        self.assertEqual(scored["alone"].shape, (rows,))

    def test_dropout_stands_after_the_second_and_third_map_and_the_flat(self):
        inputs = wgan_gp.discriminator().input
        shapes = {
            name: place.shape[1:]
            for name, place in inputs.items()
            if name.startswith("dropout_")
        }
        self.assertEqual(
            shapes,
            {
                "dropout_1": (8, 8, 128),
                "dropout_2": (4, 4, 256),
                "dropout_3": (2048,),
            },
        )

    @parameterized.parameters((6, 8), (8, 8), (20, 32), (28, 32), (33, 64))
    def test_pictures_are_cut_from_the_next_power_of_two(self, size, whole):
        generator = wgan_gp.generator(
            image_size=size, channels=3, width=4, noise_dim=5
        )
        self.assertEqual(generator.output["image"].shape, (None, size, size, 3))
        spare = whole - size
        for network, kind in (
            (generator, keras.layers.Cropping2D),
            (
                wgan_gp.discriminator(image_size=size, channels=3, width=4),
                keras.layers.ZeroPadding2D,
            ),
        ):
            (layer,) = [x for x in network.layers if isinstance(x, kind)]
            found = getattr(layer, "cropping", None) or layer.padding
            self.assertEqual(found, ((spare // 2, spare - spare // 2),) * 2)

    def test_smaller_pictures_are_refused(self):
        for make in (wgan_gp.generator, wgan_gp.discriminator):
            with self.assertRaisesRegex(ValueError, "image_size is 5; allow"):
                make(image_size=5)

    def test_generator_follows_the_recipe(self):
        network = wgan_gp.generator(width=4, noise_dim=5)
        read = oracle.Reader(network)
        noise = drawn(3, 5)
        x = oracle.leaky(read.norm(read.dense(np.float64(noise)), 1e-3))
        x = x.reshape(3, 4, 4, 16)
        for level in range(3):
            x = x.repeat(2, axis=1).repeat(2, axis=2)
            x = read.norm(read.conv(x, 1, 1, "UpConv"), 1e-3)
            x = oracle.leaky(x) if level < 2 else np.tanh(x)
        self.assertTrue(read.is_empty())
        image = network({"noise": noise})["image"]
        self.assertAllClose(image, x[:, 2:-2, 2:-2], atol=1e-4)

    @parameterized.parameters(False, True)
    def test_critic_follows_the_recipe(self, training):
        network = wgan_gp.discriminator(width=4)
        read = oracle.Reader(network)
        image, draws = drawn(2, 28, 28, 1), masks(network, 2)

        def dropped(x, name, rate):
            return forget(x, draws[name], rate) if training else x

        x = np.pad(np.float64(image), ((0, 0), (2, 2), (2, 2), (0, 0)))
        for step in range(4):
            # TensorFlow pads one before and two behind.
            x = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
            x = oracle.leaky(read.conv(x, 2, 0))
            if step in (1, 2):
                x = dropped(x, f"dropout_{step}", 0.3)
        x = dropped(x.reshape(2, -1), "dropout_3", 0.2)
        expected = read.dense(x)[:, 0]
        self.assertTrue(read.is_empty())
        found = network(
            {"image": tf.constant(image), **draws}, training=training
        )["alone"]
        self.assertAllClose(found, expected, rtol=1e-4, atol=1e-4)

    def test_everything_forgotten_leaves_the_bias(self):
        network = wgan_gp.discriminator(width=4)
        network.layers[-2].bias.assign([0.25])
        inputs = {
            "image": tf.constant(drawn(2, 28, 28, 1)),
            **masks(network, 2, 0.0),
        }
        found = network(inputs, training=True)["alone"]
        self.assertAllEqual(found, [0.25, 0.25])

    def test_bfloat16_stays_near_and_answers_in_float32(self):
        def pair():
            keras.utils.set_random_seed(0)
            return (
                wgan_gp.generator(width=4, noise_dim=5),
                wgan_gp.discriminator(width=4),
            )

        plain = pair()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            mixed = pair()
        finally:
            keras.config.set_dtype_policy("float32")
        image = tf.constant(drawn(2, 28, 28, 1))
        inputs = {"noise": drawn(2, 5)}, {"image": image, **masks(plain[1], 2)}
        for ours, theirs, given, key in zip(
            plain, mixed, inputs, ("image", "alone"), strict=True
        ):
            answer = theirs(given, training=True)[key]
            self.assertEqual(answer.dtype, tf.float32)
            self.assertAllClose(
                answer, ours(given, training=True)[key], atol=0.1
            )


if __name__ == "__main__":
    tf.test.main()
