"""The convolution that takes the faster of two ways."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.layers import Conv
from tests import harness

RNG = np.random.default_rng(0)
SMALL = RNG.normal(size=(2, 4, 4, 256)).astype("float32")
LARGE = RNG.normal(size=(2, 9, 8, 3)).astype("float32")


class ConvTest(tf.test.TestCase, parameterized.TestCase):
    """Equals Keras's layer."""

    @parameterized.product(
        inputs=(SMALL, LARGE),
        sizes=((3, 1), (4, 2)),
        padding=("same", "valid"),
        use_bias=(False, True),
    )
    def test_equals_keras(self, inputs, sizes, padding, use_bias):
        options = dict(padding=padding, use_bias=use_bias, activation="tanh")
        layer, plain = (
            kind(64, *sizes, **options) for kind in (Conv, keras.layers.Conv2D)
        )
        for each in (layer, plain):
            each.build(inputs.shape)
        draw = np.random.default_rng(1)
        layer.set_weights(
            [0.05 * draw.normal(size=w.shape) for w in layer.weights]
        )
        plain.set_weights(layer.get_weights())
        # Sums of 4,096 products, added up in two orders.
        self.assertAllClose(layer(inputs), plain(inputs), atol=1e-4)
        self.assertEqual(
            [w.name for w in layer.weights], [w.name for w in plain.weights]
        )

    @parameterized.parameters(
        (dict(dilation_rate=2), "dilation_rate;"),
        (dict(groups=2), "groups;"),
        (dict(data_format="channels_first"), "data_format;"),
        (dict(strides=(1, 2)), "strides that differ;"),
    )
    def test_what_it_cannot_do_is_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, f"Conv came with {message}"):
            Conv(4, 3, **options)

    @parameterized.parameters(False, True)
    def test_stands_the_examination_of_layers(self, is_small):
        inputs = 0.1 * SMALL if is_small else LARGE
        harness.examine_layer(
            self, lambda: Conv(64, 3, padding="same"), inputs, training=None
        )


if __name__ == "__main__":
    tf.test.main()
