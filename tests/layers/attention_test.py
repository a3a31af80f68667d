"""Word attention against slow loops and the reference's numbers."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import WordAttention
from tests import harness
from tests.layers import reading


def made(legacy_mask=False, **kwargs):
    """Builds a layer with drawn weights."""
    layer = WordAttention(legacy_mask, **kwargs)
    layer.build(reading.MAPS.shape, reading.VECTORS.shape)
    return reading.shaken(layer)


def waves(shape, step, start):
    """sin(k step + start) in PyTorch's order of the axes."""
    values = np.sin(np.arange(np.prod(shape)) * step + start)
    return values.reshape(shape).astype("float32")


class WordAttentionTest(tf.test.TestCase, parameterized.TestCase):
    """Pixels look at words."""

    @parameterized.parameters(False, True)
    def test_equals_the_slow_loop(self, legacy_mask):
        layer = made(legacy_mask)
        keys = reading.VECTORS @ layer.project.kernel.numpy()
        shares = reading.weights(reading.MAPS, keys, reading.MASK, legacy_mask)
        context, weights = layer(reading.MAPS, reading.VECTORS, reading.MASK)
        self.assertAllClose(weights, shares, atol=1e-5)
        self.assertAllClose(context, reading.mixed(shares, keys), atol=1e-4)

    @parameterized.parameters((False, 7.3030919277), (True, 6.7224516051))
    def test_numbers_of_the_reference(self, legacy_mask, expected):
        # AttnGAN's GlobalAttentionGeneral in float64 on sines.
        mask = np.arange(5) < np.array([[5], [4], [2]])
        words = waves((3, 4, 5), 0.31, 0.9).transpose(0, 2, 1)
        maps = waves((3, 2, 2, 2), 0.41, 0.7).transpose(0, 2, 3, 1)
        layer = WordAttention(legacy_mask)
        layer.build(maps.shape, words.shape)
        layer.project.kernel.assign(waves((2, 4), 0.6, 0.3).T)
        context, _ = layer(maps, words * mask[..., None], mask)
        self.assertAllClose(np.sum(context), expected, rtol=1e-6)

    def test_stands_the_examination_of_masks(self):
        reading.examine_masks(self, made)

    @parameterized.parameters(False, True)
    def test_captions_without_words_have_slopes(self, legacy_mask):
        layer = made(legacy_mask)
        maps = tf.constant(reading.MAPS)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            context, _ = layer(maps, reading.VECTORS, reading.MASK & False)
            loss = tf.reduce_sum(context)
        slopes = tape.gradient(loss, [maps, layer.project.kernel.value])
        for slope in slopes:
            self.assertAllEqual(slope, tf.zeros_like(slope))

    def test_looks_are_not_rounded_in_bfloat16(self):
        plain, short = made(), made(dtype="mixed_bfloat16")
        short.set_weights(plain.get_weights())
        given = reading.MAPS, 3.0 * reading.VECTORS, reading.MASK
        context, weights = short(*given)
        self.assertEqual(context.dtype, tf.bfloat16)
        self.assertEqual(weights.dtype, tf.float32)
        total = np.sum(weights, -1)
        self.assertAllClose(total, np.ones_like(total), atol=1e-6)
        self.assertAllClose(weights, plain(*given)[1], atol=0.1)

    def test_float16_stands_large_maps(self):
        layer = made(dtype="mixed_float16")
        given = 300.0 * reading.MAPS, 30.0 * reading.VECTORS, reading.MASK
        for answer in layer(*given):
            self.assertTrue(np.all(np.isfinite(answer)))

    @parameterized.parameters(False, True)
    def test_sizes_may_be_unknown(self, legacy_mask):
        given = reading.MAPS, reading.VECTORS, reading.MASK
        shapes = (None, None, 4), (None, 6), (None,)
        types = "float32", "float32", "bool"
        symbols = [
            keras.Input(shape, dtype=each)
            for shape, each in zip(shapes, types, strict=True)
        ]
        layer = made(legacy_mask)
        context, weights = layer(*symbols)
        self.assertEqual(context.shape, (None, None, None, 4))
        self.assertEqual(weights.shape, (None, None, None, None))
        model = keras.Model(symbols, [context, weights])
        for xla in (False, True):
            call = tf.function(model, jit_compile=xla, autograph=False)
            for one, other in zip(call(given), layer(*given), strict=True):
                self.assertAllClose(one, other, atol=1e-5)

    @parameterized.parameters(False, True)
    def test_stands_the_examination_of_layers(self, legacy_mask):
        harness.examine_layer(
            self,
            lambda: WordAttention(legacy_mask),
            reading.MAPS,
            reading.VECTORS,
            reading.MASK,
            training=None,
        )

    def test_words_are_turned_not_stretched_at_the_start(self):
        layer = WordAttention()
        layer.build((None, 8, 8, 4), (None, None, 6))
        kernel = layer.project.kernel.numpy()
        self.assertAllClose(kernel.T @ kernel, np.eye(4), atol=1e-5)


if __name__ == "__main__":
    tf.test.main()
