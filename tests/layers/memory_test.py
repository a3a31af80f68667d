"""DM-GAN's memory against slow loops."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import WordMemory
from tests import harness
from tests.layers import reading


def made(legacy_mask=False, **kwargs):
    """Builds a layer with drawn weights."""
    layer = WordMemory(legacy_mask, **kwargs)
    layer.build(reading.MAPS.shape, reading.VECTORS.shape)
    return reading.shaken(layer)


def sigmoid(x):
    """Presses any number between 0 and 1."""
    return 1.0 / (1.0 + np.exp(-x))


def relu(x):
    """Cuts the negative side."""
    return np.maximum(x, 0.0)


def slow(layer, maps, words, mask, legacy_mask):
    """The paper's equations in float64, one slot and one pixel at a time."""

    def linear(name, x):
        kernel, *bias = (np.float64(w) for w in getattr(layer, name).weights)
        return x @ kernel + (bias[0] if bias else 0.0)

    rows, count, _ = words.shape
    channels = maps.shape[-1]
    keys, values = np.zeros((2, rows, count, channels))
    for b, t in np.ndindex(rows, count):
        word = np.float64(words[b, t])
        whole = np.float64(maps[b]).mean((0, 1))
        gate = sigmoid(linear("word_gate", word) + linear("image_gate", whole))
        slot = gate * relu(linear("of_words", word))
        slot += (1.0 - gate) * relu(linear("of_image", whole))
        keys[b, t] = relu(linear("key", slot))
        values[b, t] = relu(linear("value", slot))
    shares = reading.weights(maps, keys, mask, legacy_mask)
    read = reading.mixed(shares, values)
    answer = np.zeros(maps.shape)
    for place in np.ndindex(maps.shape[:3]):
        both = np.concatenate([np.float64(maps[place]), read[place]])
        gate = sigmoid(linear("response", both))
        answer[place] = gate * read[place] + (1.0 - gate) * maps[place]
    return answer, shares


class WordMemoryTest(tf.test.TestCase, parameterized.TestCase):
    """Written, read, mixed in."""

    @parameterized.parameters(False, True)
    def test_equals_the_slow_loop(self, legacy_mask):
        layer = made(legacy_mask)
        given = reading.MAPS, reading.VECTORS, reading.MASK
        expected = slow(layer, *given, legacy_mask)
        for one, other in zip(layer(*given), expected, strict=True):
            self.assertAllClose(one, other, atol=1e-4, rtol=1e-4)

    def test_stands_the_examination_of_masks(self):
        reading.examine_masks(self, made)

    def test_pixels_without_words_keep_a_share_of_themselves(self):
        layer = made()
        renewed, _ = layer(reading.MAPS, reading.VECTORS, reading.MASK & False)
        both = np.concatenate([reading.MAPS, 0.0 * reading.MAPS], -1)
        kept = 1.0 - sigmoid(layer.response(both).numpy())
        self.assertAllClose(renewed, kept * reading.MAPS, atol=1e-5)

    def test_the_mean_of_the_picture_is_a_constant_to_the_gradient(self):
        # Where nothing is read, all that words and means do is lost; where
        # the response is shut, only the pixel itself is left.
        layer = made()
        kernel, bias = layer.response.get_weights()
        shut = [0.0 * kernel, bias - 100.0]
        layer.response.set_weights(shut)
        self.assertAllClose(self._slope(layer), np.ones(reading.MAPS.shape))
        # Where it is open and keys are all alike, a pixel reads the same
        # whatever it is: only the mean could bring a gradient.
        layer.response.set_weights([0.0 * kernel, bias + 100.0])
        layer.key.set_weights([0.0 * w for w in layer.key.get_weights()])
        slope = self._slope(layer)
        self.assertAllClose(slope, np.zeros(reading.MAPS.shape), atol=1e-6)
        given = reading.VECTORS, reading.MASK
        moved = layer(reading.MAPS + 0.5, *given)[0]
        self.assertNotAllClose(moved, layer(reading.MAPS, *given)[0])

    def _slope(self, layer):
        maps = tf.constant(reading.MAPS)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            renewed, _ = layer(maps, reading.VECTORS, reading.MASK)
            loss = tf.reduce_sum(renewed)
        return tape.gradient(loss, maps)

    def test_weights_start_as_pytorchs(self):
        layer = WordMemory()
        layer.build((None, 8, 8, 16), (None, None, 36))
        for name, fan_in, outputs in (
            ("word_gate", 36, 1),
            ("image_gate", 16, 1),
            ("of_words", 36, 32),
            ("of_image", 16, 32),
            ("key", 32, 16),
            ("value", 32, 16),
            ("response", 32, 1),
        ):
            kernel, *bias = getattr(layer, name).get_weights()
            self.assertEqual(kernel.shape, (fan_in, outputs))
            lengths = np.linalg.svd(kernel)[1]
            self.assertAllClose(lengths, np.ones_like(lengths), atol=1e-5)
            if name.endswith("gate"):
                self.assertEmpty(bias)
            else:
                self.assertAllInRange(bias[0], -(fan_in**-0.5), fan_in**-0.5)
                self.assertNotAllClose(bias[0], np.zeros(outputs))

    def test_looks_are_float32_in_bfloat16(self):
        renewed, weights = made(dtype="mixed_bfloat16")(
            reading.MAPS, reading.VECTORS, reading.MASK
        )
        self.assertEqual(renewed.dtype, tf.bfloat16)
        self.assertEqual(weights.dtype, tf.float32)

    @parameterized.parameters(False, True)
    def test_stands_the_examination_of_layers(self, legacy_mask):
        harness.examine_layer(
            self,
            lambda: WordMemory(legacy_mask),
            reading.MAPS,
            reading.VECTORS,
            reading.MASK,
            training=None,
        )


if __name__ == "__main__":
    tf.test.main()
