"""Recipes of layers against slow loops and PyTorch's conventions."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import batch_norm, blocks


def drawn(*shape, seed=0):
    """Draws normal numbers."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=shape).astype("float32")


def model(recipe, *shape):
    """Makes a model of one recipe."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, recipe(inputs))


def convolved(image, kernel, stride, padding):
    """Slides a kernel over one picture as torch.nn.Conv2d defines it."""
    image = np.pad(np.float64(image), ((padding,) * 2, (padding,) * 2, (0, 0)))
    size = kernel.shape[0]
    steps = (image.shape[0] - size) // stride + 1
    answer = np.zeros((steps, steps, kernel.shape[-1]))
    for y, x in np.ndindex(steps, steps):
        window = image[y * stride :, x * stride :][:size, :size]
        answer[y, x] = np.tensordot(window, kernel, 3)
    return answer


def spread(image, kernel, stride, padding):
    """Pastes a kernel at each pixel as torch.nn.ConvTranspose2d defines it.

    The kernel is (h, w, out, in), as Keras keeps it.
    """
    height, size = image.shape[0], kernel.shape[0]
    full = (height - 1) * stride + size
    answer = np.zeros((full, full, kernel.shape[2]))
    for y, x in np.ndindex(height, height):
        paste = np.tensordot(kernel, np.float64(image[y, x]), 1)
        answer[y * stride :, x * stride :][:size, :size] += paste
    return answer[padding : full - padding, padding : full - padding]


class ConvolutionTest(tf.test.TestCase, parameterized.TestCase):
    """Padding agrees with PyTorch's."""

    @parameterized.parameters(
        (4, 2, "same", 1),
        (3, 1, "same", 1),
        (1, 1, "same", 0),
        (4, 1, "valid", 0),
    )
    def test_conv_equals_torchs(self, size, stride, padding, border):
        net = model(lambda x: blocks.conv(x, 5, size, stride, padding), 8, 8, 3)
        (kernel,) = net.get_weights()
        kernel = drawn(*kernel.shape)
        net.set_weights([kernel])
        image = drawn(2, 8, 8, 3, seed=1)
        expected = [convolved(x, kernel, stride, border) for x in image]
        self.assertAllClose(net(image), expected, atol=1e-4)

    @parameterized.parameters((4, 2, "same", 1), (4, 1, "valid", 0))
    def test_deconv_equals_torchs(self, size, stride, padding, border):
        net = model(
            lambda x: blocks.deconv(x, 5, size, stride, padding), 4, 4, 3
        )
        (kernel,) = net.get_weights()
        kernel = drawn(*kernel.shape)
        net.set_weights([kernel])
        image = drawn(2, 4, 4, 3, seed=1)
        expected = [spread(x, kernel, stride, border) for x in image]
        self.assertAllClose(net(image), expected, atol=1e-4)

    @parameterized.parameters(blocks.conv, blocks.deconv)
    def test_bias_is_there_when_asked_for_and_starts_at_zero(self, recipe):
        bare = model(lambda x: recipe(x, 5, 3), 8, 8, 3)
        biased = model(lambda x: recipe(x, 5, 3, bias=True), 8, 8, 3)
        self.assertLen(bare.weights, 1)
        self.assertAllEqual(biased.get_weights()[1], np.zeros(5))

    @parameterized.parameters(blocks.conv, blocks.deconv)
    def test_kernels_start_as_dcgans(self, recipe):
        net = model(lambda x: recipe(x, 64, 4), 8, 8, 64)
        self.assertAllClose(net.get_weights()[0].std(), 0.02, rtol=0.03)


class SmallRecipesTest(tf.test.TestCase):
    """Normalising, leaking, tiling, joining."""

    def test_norm_is_torchs_law_started_near_one(self):
        net = model(blocks.norm, 6, 6, 200)
        layer = net.layers[-1]
        self.assertIsInstance(layer, batch_norm.BatchNorm)
        gamma, beta, *_ = net.get_weights()
        self.assertAllClose(gamma.mean(), 1.0, atol=0.01)
        self.assertAllClose(gamma.std(), 0.02, rtol=0.3)
        self.assertAllEqual(beta, np.zeros(200))

    def test_leaky_lets_a_fifth_through(self):
        net = model(blocks.leaky, 4)
        self.assertAllClose(
            net(np.float32([[-5, -1, 0, 2]])), [[-1, -0.2, 0, 2]]
        )

    def test_tile_repeats_the_vector_everywhere(self):
        net = model(lambda x: blocks.tile(x, 3), 5)
        vectors = drawn(2, 5)
        tiled = net(vectors)
        self.assertEqual(tiled.shape, (2, 3, 3, 5))
        for y, x in np.ndindex(3, 3):
            self.assertAllEqual(tiled[:, y, x], vectors)

    def test_picture_is_bounded_float32_by_the_inputs_names(self):
        x = keras.Input((2, 2, 3), name="a", dtype="float16")
        model = blocks.picture(x, a=x)
        self.assertEqual((model.name, set(model.input)), ("generator", {"a"}))
        value = tf.constant([-100.0, 0.5, 100.0], tf.float16)
        drawn = model({"a": value * tf.ones((1, 2, 2, 3), tf.float16)})
        self.assertEqual(drawn["image"].dtype, tf.float32)
        self.assertAllClose(drawn["image"][0, 1, 1], [-1.0, np.tanh(0.5), 1.0])

    def test_joined_halves_are_the_whole_and_share_weights(self):
        image = keras.Input((4, 4, 3))
        features = keras.layers.Conv2D(2, 3, padding="same")(image)
        trunk = keras.Model(image, features, name="trunk")
        features, sentence = keras.Input((4, 4, 2)), keras.Input((5,))
        both = [keras.layers.Flatten()(features), sentence]
        x = keras.layers.Dense(1)(keras.layers.Concatenate()(both))
        score = keras.layers.Reshape(())(x)
        head = keras.Model([features, sentence], score, name="head")
        whole = blocks.join(trunk, head)
        self.assertIs(whole.get_layer("trunk"), trunk)
        self.assertIs(whole.get_layer("head"), head)
        given = {"image": drawn(2, 4, 4, 3), "sentence": drawn(2, 5)}
        answer = whole(given)
        seen = trunk(given["image"])
        self.assertAllEqual(answer["features"], seen)
        self.assertAllEqual(
            answer["matched"], head([seen, tf.constant(given["sentence"])])
        )
        self.assertLen(whole.weights, 4)
        self.assertNotIn("alone", answer)

    def test_a_third_part_scores_the_picture_alone(self):
        image = keras.Input((4, 4, 3))
        features = keras.layers.Conv2D(2, 3, padding="same")(image)
        trunk = keras.Model(image, features, name="trunk")

        def scored(features, *more):
            x = keras.layers.Flatten()(features)
            x = keras.layers.Concatenate()([x, *more]) if more else x
            return keras.layers.Reshape(())(keras.layers.Dense(1)(x))

        features, sentence = keras.Input((4, 4, 2)), keras.Input((5,))
        both = [features, sentence]
        head = keras.Model(both, scored(*both), name="head")
        features = keras.Input((4, 4, 2))
        alone = keras.Model(features, scored(features), name="alone")
        whole = blocks.join(trunk, head, alone)
        self.assertIs(whole.get_layer("alone"), alone)
        given = {"image": drawn(2, 4, 4, 3), "sentence": drawn(2, 5)}
        answer = whole(given)
        self.assertEqual(set(answer), {"matched", "alone", "features"})
        self.assertAllEqual(answer["alone"], alone(answer["features"]))
        self.assertLen(whole.weights, 6)


if __name__ == "__main__":
    tf.test.main()
