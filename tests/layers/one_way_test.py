"""What DF-GAN and its heirs are built from."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import one_way


def drawn(*shape, seed=0):
    """Draws a float32 array."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=shape).astype("float32")


class DiscriminatorTest(tf.test.TestCase, parameterized.TestCase):
    """One score, of any size."""

    def built(self, **changes):
        keras.utils.set_random_seed(0)
        sizes = dict(image_size=32, width=2, text_dim=3, most=16)
        return one_way.discriminator(**sizes | changes)

    @parameterized.parameters(2, 8, 16)
    def test_channels_double_up_to_the_most(self, most):
        trunk = self.built(image_size=256, most=most).get_layer("trunk")
        widths = [
            trunk.get_layer(f"look_{size}_2").kernel.shape[-1]
            for size in (128, 64, 32, 16, 8, 4)
        ]
        expected = [2 * min(2**step, most) for step in range(1, 7)]
        self.assertEqual(widths, expected)

    def test_shortcut_is_made_where_channels_change(self):
        trunk = self.built(image_size=64, most=4).get_layer("trunk")
        names = [x.name for x in trunk.layers if x.name.startswith("fit_")]
        self.assertEqual(names, ["fit_32", "fit_16"])

    def test_at_the_start_it_sees_pooled_pictures_only(self):
        # Residual branches begin at 0.
        trunk = self.built(image_size=8, most=1).get_layer("trunk")
        picture = drawn(2, 8, 8, 3)
        start = trunk.get_layer("start")(picture)
        pooled = np.reshape(start, (2, 4, 2, 4, 2, 2)).mean((2, 4))
        self.assertAllClose(trunk(picture), pooled, atol=1e-6)
        trunk.get_layer("gain_4").gamma.assign(1.0)
        self.assertNotAllClose(trunk(picture), pooled, atol=1e-3)

    def test_head_reads_the_sentence_and_trunk_does_not(self):
        judge = self.built()
        inputs = {"image": drawn(2, 32, 32, 3), "sentence": drawn(2, 3)}
        other = inputs | {"sentence": drawn(2, 3, seed=1)}
        first, second = judge(inputs), judge(other)
        self.assertAllEqual(first["features"], second["features"])
        self.assertNotAllClose(first["matched"], second["matched"])

    @parameterized.parameters(4, 24, 0)
    def test_other_sizes_are_refused(self, image_size):
        with self.assertRaisesRegex(ValueError, f"is {image_size}; allowed"):
            self.built(image_size=image_size)


class PartsTest(tf.test.TestCase, parameterized.TestCase):
    """Bricks of generators."""

    def test_widths_halve_from_the_eighth(self):
        found = one_way.widths(256, 3)
        expected = {4: 24, 8: 24, 16: 24, 32: 24, 64: 12, 128: 6, 256: 3}
        self.assertEqual(found, expected)
        self.assertEqual(one_way.widths(8, 5), {4: 10, 8: 5})

    def test_first_map_is_the_noise_times_a_matrix(self):
        noise = keras.Input((6,))
        model = keras.Model(noise, one_way.start(noise, 5))
        x, layer = drawn(2, 6), model.get_layer("start")
        expected = x @ np.array(layer.kernel) + np.array(layer.bias)
        self.assertAllClose(model(x), expected.reshape(2, 4, 4, 5), atol=1e-5)

    def test_map_of_its_channels_stays(self):
        x = keras.Input((4, 4, 5))
        self.assertIs(one_way.fit(x, 5, "fit"), x)
        self.assertEqual(one_way.fit(x, 3, "fit").shape, (None, 4, 4, 3))

    def test_doubling_is_nearest_then_a_convolution(self):
        x = keras.Input((4, 4, 3))
        model = keras.Model(x, one_way.up_conv(x, 2, "up"))
        conv = keras.layers.Conv2D(2, 3, padding="same")
        plain = keras.Sequential([keras.layers.UpSampling2D(), conv])
        maps = drawn(2, 4, 4, 3)
        plain(maps)
        conv.set_weights(model.get_weights())
        self.assertAllClose(model(maps), plain(maps), atol=1e-5)

    def test_kernels_start_as_torchs(self):
        x = keras.Input((8, 8, 16))
        model = keras.Model(x, one_way.conv(x, 64, 3, name="conv"))
        bound = (9 * 16) ** -0.5
        for values in model.get_weights():
            self.assertAllInRange(values, -bound, bound)
            self.assertNear(np.std(values) * 3**0.5 / bound, 1.0, 0.2)


if __name__ == "__main__":
    tf.test.main()
