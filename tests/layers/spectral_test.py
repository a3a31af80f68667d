"""Spectral convolutions against slow loops and the reference's numbers."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import SpectralConv, spectral
from tests import harness

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(2, 6, 6, 3)).astype("float32")


def made(filters=5, size=3, **kwargs):
    """Builds a layer with drawn weights, u and v of length 1."""
    layer = SpectralConv(filters, size, **kwargs)
    layer.build(INPUTS.shape)
    for weight in layer.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    return layer


def unit(vector):
    """Scales to length 1."""
    return vector / np.sqrt(np.sum(vector**2))


def stepped(kernel, u):
    """One power iteration by hand: u, v and the norm they find."""
    matrix = np.float64(kernel).reshape(-1, kernel.shape[-1])
    v = unit(matrix @ np.float64(u))
    u = unit(matrix.T @ v)
    return u, v, v @ matrix @ u


def waves(shape, step, start):
    """sin(k step + start) in PyTorch's order of the axes."""
    count = np.prod(shape)
    return np.sin(np.arange(count) * step + start).reshape(shape)


class SpectralConvTest(parameterized.TestCase, tf.test.TestCase):
    """Divides by what the power iteration finds."""

    @parameterized.parameters(
        (3, 1, "same"), (4, 2, "same"), (3, 2, "valid"), (6, 1, "valid")
    )
    def test_equals_a_convolution_with_the_divided_kernel(
        self, size, strides, padding
    ):
        layer = made(size=size, strides=strides, padding=padding)
        kernel, bias = [w.numpy() for w in layer.trainable_weights]
        _, _, norm = stepped(kernel, layer.u.numpy())
        plain = keras.layers.Conv2D(5, size, strides, padding)
        plain.build(INPUTS.shape)
        plain.set_weights([kernel / norm, bias])
        found = layer(INPUTS)
        self.assertAllClose(found, plain(INPUTS), atol=1e-5)
        self.assertEqual(layer.compute_output_shape(INPUTS.shape), found.shape)
        symbol = SpectralConv(5, size, strides, padding)(
            keras.Input((None, None, 3))
        )
        self.assertEqual(symbol.shape, (None, None, None, 5))

    def test_deep_layers_are_divided_too(self):
        inputs = RNG.normal(size=(2, 4, 4, 256)).astype("float32")
        layer = SpectralConv(64, 3, use_bias=False)
        layer.build(inputs.shape)
        kernel = layer.kernel.numpy()
        _, _, norm = stepped(kernel, layer.u.numpy())
        expected = tf.nn.conv2d(inputs, kernel / norm, 1, "SAME")
        self.assertAllClose(layer(inputs), expected, atol=1e-5)

    def test_u_and_v_move_once_a_call_and_find_the_norm(self):
        layer = made()
        kernel, u = layer.kernel.numpy(), layer.u.numpy()
        for _ in range(3):
            layer(INPUTS, training=True)
            u, v, _ = stepped(kernel, u)
            self.assertAllClose(layer.u, u, atol=1e-6)
            self.assertAllClose(layer.v, v, atol=1e-6)
        for _ in range(200):
            u, v, norm = stepped(kernel, u)
        self.assertAllClose(
            norm, np.linalg.svd(kernel.reshape(-1, 5))[1][0], rtol=1e-6
        )
        self.assertAllEqual(layer.kernel, kernel)

    def test_numbers_of_the_reference(self):
        # DM-GAN's SpectralNorm in float64 on weights of sines.
        layer = SpectralConv(3, 3, moves="always")
        layer.build((1, 4, 4, 2))
        kernel = waves((3, 2, 3, 3), 0.37, 0.2).transpose(2, 3, 1, 0)
        layer.kernel.assign(kernel)
        layer.bias.assign(waves((3,), 1.0, 0.0))
        layer.u.assign(unit(waves((3,), 0.9, 0.4)))
        inputs = waves((1, 2, 4, 4), 0.23, 0.6).transpose(0, 2, 3, 1)
        inputs = np.float32(inputs)
        norms, u = [], layer.u.numpy()
        for _ in range(2):
            u, _, norm = stepped(kernel, u)
            norms.append(norm)
        self.assertAllClose(norms, [4.8900848992, 4.9005422350], atol=1e-6)
        self.assertAllClose(
            layer(inputs)[0, 0, :, 0],
            [0.64785842, 1.25020602, 1.32412707, 1.01445931],
            atol=1e-6,
        )
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(inputs))
        slope = tape.gradient(total, layer.kernel.value)
        self.assertAllClose(
            np.transpose(slope, (3, 2, 0, 1)).ravel()[:4],
            [0.72358563, 0.80912258, 0.19838976, 0.00447461],
            atol=1e-5,
        )

    def test_moves_in_training_only_unless_told_otherwise(self):
        for moves, expected in (("training", False), ("always", True)):
            layer = made(moves=moves)
            before = layer.u.numpy(), layer.v.numpy()
            first = layer(INPUTS, training=False)
            for old, now in zip(before, (layer.u, layer.v), strict=True):
                moved = np.abs(old - now).max() > 1e-3
                self.assertEqual(moved, expected)
            second = layer(INPUTS, training=False)
            self.assertEqual(np.any(first != second), expected)
            layer(INPUTS, training=True)
            self.assertGreater(np.abs(layer.u - before[0]).max(), 1e-3)

    def test_slopes_of_both_orders_know_of_the_division(self):
        layer = made(moves="training")
        kernel, bias = [tf.Variable(w) for w in layer.trainable_weights]
        u, v, _ = stepped(kernel.numpy(), layer.u.numpy())
        u, v = tf.constant(u, tf.float32), tf.constant(v, tf.float32)

        def plain(inputs):
            matrix = tf.reshape(kernel, (-1, 5))
            norm = tf.einsum("i,io,o->", v, matrix, u)
            return tf.nn.conv2d(inputs, kernel / norm, 1, "SAME") + bias

        found = []
        for call, weights in (
            (layer, [w.value for w in layer.trainable_weights]),
            (plain, [kernel, bias]),
        ):
            inputs = tf.constant(INPUTS)
            with tf.GradientTape() as outer:
                outer.watch(inputs)
                with tf.GradientTape() as inner:
                    inner.watch(inputs)
                    loss = tf.reduce_sum(tf.tanh(call(inputs)) ** 2)
                slopes = inner.gradient(loss, [inputs, *weights])
                steep = sum(tf.reduce_sum(x**2) for x in slopes)
            found.append([*slopes, *outer.gradient(steep, [inputs, *weights])])
        for one, other in zip(*found, strict=True):
            scale = np.abs(other).max()
            self.assertAllClose(one / scale, other / scale, atol=1e-5)

    @parameterized.parameters(False, True)
    def test_graphs_and_xla_move_as_eager_calls_do(self, xla):
        layer, other = made(), made()
        other.set_weights(layer.get_weights())
        call = tf.function(
            lambda x: other(x, training=True), jit_compile=xla, autograph=False
        )
        for _ in range(3):
            self.assertAllClose(
                layer(INPUTS, training=True), call(INPUTS), atol=1e-5
            )
        self.assertAllClose(layer.u, other.u, atol=1e-6)
        self.assertAllClose(layer.v, other.v, atol=1e-6)

    def test_replicas_agree(self):
        strategy, lone = harness.strategy(2), made()
        with strategy.scope():
            layer = made()
            layer.set_weights(lone.get_weights())

        @tf.function
        def move():
            return strategy.run(lambda: layer(INPUTS, training=True))

        for _ in range(2):
            expected = lone(INPUTS, training=True)
            for answer in strategy.experimental_local_results(move()):
                self.assertAllClose(answer, expected, atol=1e-6)
        for variable in (layer.u, layer.v):
            values = strategy.experimental_local_results(variable.value)
            self.assertLen(values, 2)
            self.assertAllEqual(values[0], values[1])

    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_divides_in_float32_whatever_it_computes_in(self, policy):
        plain = made()
        short = SpectralConv(5, 3, dtype=policy)
        short.build(INPUTS.shape)
        short.set_weights(plain.get_weights())
        answer = short(INPUTS, training=True)
        self.assertAllClose(answer, plain(INPUTS, training=True), atol=0.05)
        self.assertEqual(answer.dtype, short.compute_dtype)
        self.assertAllEqual(short.u, plain.u)
        self.assertAllEqual(short.v, plain.v)
        for weight in short.weights:
            self.assertEqual(weight.dtype, "float32")

    def test_starts_with_drawn_vectors_of_length_one(self):
        keras.utils.set_random_seed(0)
        one, other = (SpectralConv(64, 3) for _ in range(2))
        for layer in (one, other):
            layer.build(INPUTS.shape)
            for vector in (layer.u, layer.v):
                self.assertAllClose(np.sum(vector.numpy() ** 2), 1.0)
                self.assertFalse(vector.trainable)
        self.assertNotAllClose(one.u, other.u)
        self.assertNear(np.std(one.u), 64**-0.5, 0.03)

    def test_iterate_treats_any_matrix(self):
        matrix = RNG.normal(size=(7, 4)).astype("float32")
        u = unit(RNG.normal(size=4)).astype("float32")
        for found, expected in zip(
            spectral.iterate(tf.constant(matrix), tf.constant(u)),
            stepped(matrix, u),
            strict=True,
        ):
            self.assertAllClose(found, expected, atol=1e-6)

    def test_other_ways_to_move_are_refused(self):
        with self.assertRaisesRegex(ValueError, "moves is 'never'; allowed"):
            SpectralConv(5, 3, moves="never")

    @parameterized.parameters(False, True)
    def test_stands_the_examination_of_layers(self, use_bias):
        def make():
            return SpectralConv(4, 3, 2, "valid", use_bias, moves="always")

        harness.examine_layer(self, make, INPUTS)


if __name__ == "__main__":
    tf.test.main()
