"""DF-GAN's networks: sizes, starts and wiring.

What the authors' code answers is held beside ours in tests/tools.
"""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.networks import df_gan

GENERATOR = dict(width=4, noise_dim=5, text_dim=6)
DISCRIMINATOR = dict(width=4, text_dim=6)


def draw(*shape, seed=0):
    """Draws a float32 array."""
    normal = np.random.default_rng(seed).normal(size=shape)
    return normal.astype("float32")


def generator(image_size=16, **changes):
    """Makes a toy generator that no longer ignores its sentences."""
    model = df_gan.generator(image_size=image_size, **(GENERATOR | changes))
    return shaken(model)


def discriminator(image_size=16, **changes):
    """Makes a toy discriminator whose residual branches speak."""
    chosen = DISCRIMINATOR | changes
    return shaken(df_gan.discriminator(image_size=image_size, **chosen))


def shaken(model):
    """Adds a little noise to all weights: some start at zero."""
    weights = model.get_weights()
    model.set_weights(
        [w + 0.1 * draw(*w.shape, seed=i) for i, w in enumerate(weights)]
    )
    return model


def latent(rows=2):
    """Draws a generator's inputs."""
    return {"noise": draw(rows, 5), "sentence": draw(rows, 6, seed=1)}


def pair(rows=2, image_size=16):
    """Draws a discriminator's inputs."""
    picture = np.tanh(draw(rows, image_size, image_size, 3, seed=2))
    return {"image": picture, "sentence": draw(rows, 6, seed=1)}


class SizesTest(tf.test.TestCase, parameterized.TestCase):
    """As large as published, and any power of two."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    def test_parameters_at_the_papers_size(self):
        self.assertEqual(df_gan.generator().count_params(), 9_744_131)
        # The released netD and netC count 6,619,206 + 295,936. Three blocks
        # of 256 to 256 channels have a shortcut there that nothing uses:
        # 3 * (256 * 256 + 256) = 197,376.
        published = 6_619_206 + 295_936 - 3 * (256 * 256 + 256)
        self.assertEqual(df_gan.discriminator().count_params(), published)
        self.assertEqual(published, 6_717_766)

    def test_channels_at_the_papers_size(self):
        # Output channels of the blocks, from figure 2 and the code.
        trunk = df_gan.discriminator().get_layer("trunk")
        seen = [
            conv.kernel.shape[3]
            for conv in trunk.layers
            if getattr(conv, "kernel_size", None) == (4, 4)
        ]
        self.assertEqual(seen, [64, 128, 256, 256, 256, 256])
        drawn = [
            conv.kernel.shape[3]
            for conv in df_gan.generator().layers
            if getattr(conv, "kernel_size", None) == (3, 3)
        ]
        self.assertEqual(drawn[1::2], [256, 256, 256, 128, 64, 32])

    @parameterized.parameters(8, 16, 32, 64, 128)
    def test_draws_and_judges_any_power_of_two(self, image_size):
        drawn = generator(image_size)(latent())["image"]
        self.assertEqual(drawn.shape, (2, image_size, image_size, 3))
        judged = discriminator(image_size)(pair(2, image_size))
        self.assertEqual(judged["matched"].shape, (2,))
        widest = 4 * min(8, image_size // 4)
        self.assertEqual(judged["features"].shape, (2, 4, 4, widest))

    @parameterized.parameters(0, 4, 24, 100)
    def test_other_sizes_are_refused(self, image_size):
        for make in (df_gan.generator, df_gan.discriminator):
            with self.assertRaisesRegex(ValueError, f"is {image_size}; allow"):
                make(image_size=image_size)


class WiringTest(tf.test.TestCase, parameterized.TestCase):
    """What reaches what."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)

    def test_pictures_lie_within_one(self):
        model = generator()
        model.set_weights([20.0 * w for w in model.get_weights()])
        drawn = model(latent(8))["image"]
        self.assertAllInRange(drawn, -1.0, 1.0)
        self.assertGreater(np.abs(drawn).max(), 0.99)

    def test_at_the_start_the_sentence_is_not_heard_yet(self):
        model = df_gan.generator(image_size=16, **GENERATOR)
        inputs = latent()
        other = inputs | {"sentence": inputs["sentence"] + 1.0}
        self.assertAllEqual(model(inputs)["image"], model(other)["image"])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(inputs)["image"] ** 2)
        last = [v for v in model.trainable_variables if "last" in v.path]
        self.assertLen(last, 2 * 2 * 4 * 2)  # blocks, parts, affines, w and b
        slopes = tape.gradient(loss, [v.value for v in last])
        for slope in slopes:
            self.assertGreater(np.abs(slope).max(), 0.0)

    def test_the_condition_is_noise_then_sentence(self):
        model = generator()
        affine = next(x for x in model.layers if hasattr(x, "parts"))
        kernel = affine.parts["gamma"][0].kernel
        self.assertEqual(kernel.shape[0], 5 + 6)
        inputs = latent()
        before = model(inputs)["image"]
        for each in model.layers:
            for first, _ in getattr(each, "parts", {}).values():
                deaf = np.array(first.kernel)
                deaf[5:] = 0.0
                first.kernel.assign(deaf)
        other = inputs | {"sentence": inputs["sentence"] + 1.0}
        self.assertAllEqual(model(inputs)["image"], model(other)["image"])
        self.assertNotAllClose(model(inputs)["image"], before)

    def test_the_discriminator_reads_the_sentence_in_its_head_only(self):
        model, inputs = discriminator(), pair()
        other = inputs | {"sentence": inputs["sentence"] + 1.0}
        first, second = model(inputs), model(other)
        self.assertAllEqual(first["features"], second["features"])
        gap = np.abs(first["matched"] - second["matched"])
        self.assertGreater(gap.min(), 1e-3)

    def test_halves_make_the_whole(self):
        model, inputs = discriminator(), pair()
        features = model.get_layer("trunk")(inputs["image"])
        sentence = tf.constant(inputs["sentence"])
        scores = model.get_layer("head")([features, sentence])
        whole = model(inputs)
        self.assertAllEqual(whole["features"], features)
        self.assertAllEqual(whole["matched"], scores)

    def test_rows_do_not_know_each_other(self):
        for model, inputs, key in (
            (generator(), latent(3), "image"),
            (discriminator(), pair(3), "matched"),
        ):
            whole = model(inputs)[key]
            lone = model({k: v[1:2] for k, v in inputs.items()})[key]
            self.assertAllClose(whole[1:2], lone, atol=1e-5)

    def test_saved_networks_come_back_equal(self):
        for model, inputs in (
            (generator(), latent()),
            (discriminator(), pair()),
        ):
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, f"{model.name}.keras")
                model.save(path)
                again = keras.models.load_model(path)
            tf.nest.map_structure(
                self.assertAllEqual, model(inputs), again(inputs)
            )

    def test_bfloat16_stays_near_and_answers_in_float32(self):
        plain = generator(), discriminator()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            mixed = generator(), discriminator()
        finally:
            keras.config.set_dtype_policy("float32")
        doors = (latent(), "image"), (pair(), "matched")
        for ours, theirs, (inputs, key) in zip(
            plain, mixed, doors, strict=True
        ):
            theirs.set_weights(ours.get_weights())
            answer = theirs(inputs)[key]
            self.assertEqual(answer.dtype, tf.float32)
            self.assertAllClose(answer, ours(inputs)[key], atol=0.1, rtol=0.1)


class StartsTest(tf.test.TestCase):
    """Where the weights begin, as Torch's do."""

    def test_convolutions_start_within_one_over_root_of_inputs(self):
        keras.utils.set_random_seed(0)
        model = df_gan.discriminator(image_size=64, width=16, text_dim=6)
        for layer in model.get_layer("trunk").layers:
            if not hasattr(layer, "kernel"):
                continue
            bound = np.prod(layer.kernel.shape[:3]) ** -0.5
            for values in layer.weights:
                self.assertAllInRange(values, -bound, bound)
            spread = np.std(layer.kernel) * 3**0.5 / bound
            self.assertNear(spread, 1.0, 0.1)

    def test_residual_branches_of_the_discriminator_start_silent(self):
        model = df_gan.discriminator(image_size=64, width=4, text_dim=6)
        gains = [v for v in model.trainable_variables if "gamma" in v.path]
        self.assertLen(gains, 4)
        for gain in gains:
            self.assertEqual(float(gain), 0.0)


if __name__ == "__main__":
    tf.test.main()
