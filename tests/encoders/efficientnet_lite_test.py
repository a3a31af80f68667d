"""Examines the image reader; its numbers are examined with real weights."""

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.encoders import efficientnet_lite


class FeaturesTest(tf.test.TestCase):
    """Sizes, ranges and resizing."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        keras.utils.set_random_seed(0)
        cls.model = efficientnet_lite.lite0(classes=7)
        cls.read = staticmethod(
            efficientnet_lite.Features(cls.model, 64, "toy", "digest")
        )
        cls.images = np.random.RandomState(0).randint(
            0, 256, (2, 64, 64, 3), dtype=np.uint8
        )

    def test_sizes_of_the_published_network(self):
        # Tan and Le's Lite0: 4.65 million numbers, 1000 classes.
        model = efficientnet_lite.lite0()
        self.assertEqual(
            sum(np.prod(v.shape) for v in model.trainable_weights), 4_652_008
        )

    def test_outputs(self):
        outputs = self.read(self.images)
        shapes = {key: tuple(v.shape) for key, v in outputs.items()}
        self.assertEqual(
            shapes,
            {
                "regions": (2, 4, 4, 112),
                "pooled": (2, 1280),
                "logits": (2, 7),
            },
        )

    def test_bytes_equal_floats(self):
        floats = self.images.astype(np.float32) / 127.5 - 1
        self.assertAllClose(self.read(self.images), self.read(floats))

    def test_the_network_sees_the_published_range(self):
        seen = keras.Model(
            self.model.inputs, self.model.get_layer("scale").output
        )
        for byte in (0, 127, 255):
            image = np.full((1, 1, 1, 3), byte / 127.5 - 1, np.float32)
            self.assertAllClose(
                np.ravel(seen([image])), [(byte - 127) / 128] * 3
            )

    def test_an_even_picture_is_the_same_at_any_size(self):
        small = np.full((1, 20, 30, 3), 90, np.uint8)
        large = np.full((1, 64, 64, 3), 90, np.uint8)
        self.assertAllClose(self.read(small), self.read(large), 1e-4, 1e-4)

    def test_shrinking_skips_no_pixel(self):
        # Stripes of one pixel: every resized pixel is their mean.
        stripes = np.zeros((1, 512, 512, 3), np.uint8)
        stripes[:, :, ::2] = 200
        even = np.full((1, 64, 64, 3), 100, np.uint8)
        stripes, even = self.read(stripes), self.read(even)
        self.assertAllClose(stripes["logits"], even["logits"], 1e-2, 1e-2)

    def test_gradient_reaches_the_image(self):
        images = tf.random.stateless_uniform((1, 32, 32, 3), (0, 0), -1, 1)
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = tf.reduce_sum(self.read(images)["regions"] ** 2)
        gradient = tape.gradient(value, images)
        self.assertGreater(tf.reduce_max(tf.abs(gradient)), 0)

    def test_other_shapes_are_refused(self):
        for shape in ((2, 64, 64), (2, 64, 64, 1)):
            with self.assertRaisesRegex(ValueError, r"\(B, H, W, 3\) is read"):
                self.read(np.zeros(shape, np.uint8))


if __name__ == "__main__":
    tf.test.main()
