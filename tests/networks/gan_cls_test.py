"""The authors' networks, layer by layer in slow float64."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.networks import gan_cls
from tests.networks import oracle

SIZES = dict(text_dim=6, projection_dim=4)


class GANCLSTest(tf.test.TestCase, parameterized.TestCase):
    """Sizes and order of layers."""

    def test_paper_sizes_have_the_references_parameters(self):
        self.assertEqual(oracle.count(gan_cls.generator()), 18_909_699)
        self.assertEqual(oracle.count(gan_cls.discriminator()), 4_032_321)

    @parameterized.parameters(16, 32, 64, 128)
    def test_pictures_come_in_every_size(self, size):
        sizes = dict(image_size=size, width=4, **SIZES)
        image = gan_cls.generator(noise_dim=5, **sizes).output["image"]
        self.assertEqual(image.shape, (None, size, size, 3))
        network = gan_cls.discriminator(**sizes)
        self.assertEqual(network.output["features"].shape[1:3], (4, 4))

    def test_generator_follows_the_released_layers(self):
        network = gan_cls.generator(
            image_size=32, width=4, noise_dim=5, **SIZES
        )
        read = oracle.Reader(network)
        noise, sentence = oracle.drawn(2, 5), oracle.drawn(2, 6, seed=1)
        text = oracle.leaky(read.dense(np.float64(sentence)))
        x = np.concatenate([noise, text], 1)[:, None, None]
        x = _residual(read, read.norm(read.deconv(x, 1, 0)), oracle.relu)
        x = _residual(read, read.norm(read.deconv(x, 2, 1)), oracle.relu)
        x = oracle.relu(read.norm(read.deconv(x, 2, 1)))
        x = np.tanh(read.deconv(x, 2, 1))
        self.assertTrue(read.is_empty())
        answer = network({"noise": noise, "sentence": sentence})
        self.assertAllClose(answer["image"], x, atol=1e-4)

    def test_discriminator_follows_the_released_layers(self):
        network = gan_cls.discriminator(image_size=64, width=4, **SIZES)
        trunk, head = network.get_layer("trunk"), network.get_layer("head")
        image, sentence = oracle.drawn(2, 64, 64, 3), oracle.drawn(2, 6, seed=1)
        read = oracle.Reader(trunk)
        x = oracle.leaky(read.conv(np.float64(image), 2, 1))
        x = oracle.leaky(read.norm(read.conv(x, 2, 1)))
        x = read.norm(read.conv(x, 2, 1))
        x = read.norm(read.conv(x, 2, 1))
        x = _residual(read, x, oracle.leaky)
        self.assertTrue(read.is_empty())
        answer = network({"image": image, "sentence": sentence})
        self.assertAllClose(answer["features"], x, rtol=1e-3, atol=1e-3)

        features = np.float64(oracle.drawn(2, 4, 4, 32, seed=2))
        read = oracle.Reader(head)
        text = oracle.leaky(read.norm(read.dense(np.float64(sentence))))
        x = np.concatenate([features, oracle.tiled(text)], -1)
        x = oracle.leaky(read.norm(read.conv(x, 1, 0)))
        x = read.conv(x, 1, 0)[:, 0, 0, 0]
        self.assertTrue(read.is_empty())
        answer = head([np.float32(features), sentence])
        self.assertAllClose(answer, x, rtol=1e-3, atol=1e-3)


def _residual(read, x, activation):
    y = activation(read.norm(read.conv(x, 1, 0)))
    y = activation(read.norm(read.conv(y, 1, 1)))
    return activation(x + read.norm(read.conv(y, 1, 1)))


if __name__ == "__main__":
    tf.test.main()
