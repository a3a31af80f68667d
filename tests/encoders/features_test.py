"""Examines the way of a picture to a network that judges it."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.encoders import features
from keras_t2i.ops import resizing

WAY = features.Way


def pictures(count=2, height=13, width=9):
    """Noise, uint8."""
    shape = (count, height, width, 3)
    return np.random.RandomState(0).randint(0, 256, shape, np.uint8)


def toy():
    """A network that tells each picture's mean colour, and its first pixel."""
    image = keras.Input((None, None, 3), name="image")
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(image)
    logits = keras.layers.Dense(2, name="logits", dtype="float32")(pooled)
    return keras.Model({"image": image}, {"pooled": pooled, "logits": logits})


class WayTest(tf.test.TestCase, parameterized.TestCase):
    """Ranges, roundings and words."""

    @parameterized.parameters(*resizing.RESIZES)
    def test_bytes_are_resized_as_named(self, name):
        way = WAY(7, name, rounding="round")
        resized = resizing.resize(tf.cast(pictures(), tf.float32), 7, name)
        self.assertAllClose(way(pictures()), resized / 127.5 - 1, 0, 1e-6)

    @parameterized.parameters("round", "truncate")
    def test_floats_of_bytes_are_those_bytes(self, rounding):
        floats = pictures().astype(np.float32) / 127.5 - 1
        for way in (
            WAY(7),
            WAY(7, "pillow_bicubic", rounding=rounding),
            WAY(7, "pillow_bicubic", jpeg=75),  # None is needed: bytes.
            WAY(7, rounding=rounding, jpeg=75),
        ):
            self.assertAllClose(way(floats), way(pictures()), 0, 1e-6)

    def test_what_the_network_is_shown(self):
        grey = np.array([0, 100, 255], np.uint8).reshape(1, 1, 1, 3)
        x = grey.ravel() / 255
        mean = np.array([0.485, 0.456, 0.406])
        std = np.array([0.229, 0.224, 0.225])
        expected = {
            "symmetric": 2 * x - 1,
            "tf_2015": (255 * x - 128) / 128,
            "dm_gan": x * std / 0.5 + (mean - 0.5) / 0.5,
        }
        self.assertEqual(set(expected), set(features.NORMALISATIONS))
        for name, shown in expected.items():
            made = np.ravel(WAY(1, normalise=name)(grey))
            self.assertAllClose(made, shown, 0, 1e-6)
        self.assertAllEqual(np.ravel(WAY(1)(grey))[[0, 2]], [-1, 1])
        self.assertAllClose(  # facts: between about -0.19 and 0.43
            np.ravel(WAY(1, normalise="dm_gan")(grey * 0)),
            [-0.03, -0.088, -0.188],
        )

    def test_rounding_comes_first(self):
        floats = np.full((1, 4, 4, 3), 0.3, np.float32)  # 165.75
        for rounding, byte in (("round", 166), ("truncate", 165)):
            made = WAY(4, rounding=rounding)(floats)
            self.assertAllClose(made, np.full(made.shape, byte / 127.5 - 1))
        made = WAY(4)(floats)
        self.assertAllClose(made, floats)

    def test_jpeg_comes_before_resizing(self):
        way = WAY(5, "pillow_bilinear", rounding="round", jpeg=30)
        lossy = resizing.jpeg(pictures(), 30)
        for made, one in zip(way(pictures()), lossy, strict=True):
            small = Image.fromarray(one).resize((5, 5), 2)
            self.assertAllClose(
                made, np.asarray(small, np.float32) / 127.5 - 1, 0, 1e-6
            )

    def test_pillow_and_jpeg_want_floats_rounded(self):
        floats = np.full((1, 4, 4, 3), 0.3, np.float32)
        for way in (WAY(7, "pillow_bicubic"), WAY(7, jpeg=75)):
            with self.assertRaisesRegex(ValueError, "name a rounding, round"):
                way(floats)

    def test_every_choice_is_in_the_words(self):
        ways = [
            WAY(),
            WAY(224),
            WAY(normalise="tf_2015"),
            WAY(normalise="dm_gan"),
            WAY(rounding="round"),
            WAY(rounding="truncate"),
            WAY(rounding="round", jpeg=75),
            WAY(rounding="round", jpeg=87),
        ]
        ways += [WAY(resize=n, rounding="round") for n in resizing.RESIZES]
        self.assertLen({way.words for way in ways}, len(set(ways)))
        self.assertEqual(WAY().words, "bilinear, to 299 x 299; x / 127.5 - 1")
        self.assertEqual(
            WAY(9, "pillow_bilinear", "tf_2015", "truncate", 75).words,
            "floats truncated to bytes; JPEG 75; "
            "bilinear of Pillow, bytes, to 9 x 9; (x - 128) / 128",
        )

    @parameterized.parameters(
        (dict(resize="nearest"), "'nearest'; known are tf1_bilinear"),
        (dict(normalise="imagenet"), "'imagenet'; known are symmetric"),
        (dict(size=0), "size is 0"),
        (dict(rounding="up"), "'up'; allowed are round"),
        (dict(jpeg=0, rounding="round"), "quality is 0"),
    )
    def test_bad_choices_are_refused(self, choices, words):
        with self.assertRaisesRegex(ValueError, words):
            WAY(**choices)


class FeaturesTest(tf.test.TestCase, parameterized.TestCase):
    """One network asked in one way."""

    def test_a_keras_model(self):
        model = toy()
        read = features.Features(model, WAY(7), "toy", "digest")
        self.assertEqual(
            (read.name, read.size, read.digest, read.resize),
            ("toy", 7, "digest", WAY(7).words),
        )
        shown = WAY(7)(pictures())
        outputs = read(pictures())
        self.assertAllClose(outputs["pooled"], tf.reduce_mean(shown, (1, 2)))
        self.assertEqual(outputs["logits"].shape, (2, 2))

    def test_a_callable(self):
        def ask(images):
            return {"pooled": images[:, 0, 0], "logits": images[:, 1, 1]}

        read = features.Features(ask, WAY(7), "toy", "digest")
        shown = WAY(7)(pictures())
        self.assertAllEqual(read(pictures())["logits"], shown[:, 1, 1])

    def test_batches_do_not_matter(self):
        read = features.Features(
            toy(), WAY(5, jpeg=80, rounding="round"), "a", ""
        )
        whole = read(pictures(5))["pooled"]
        parts = [read(pictures(5)[i : i + 2])["pooled"] for i in (0, 2, 4)]
        self.assertAllClose(whole, np.concatenate(parts))

    def test_other_shapes_are_refused(self):
        read = features.Features(toy(), WAY(7), "toy", "digest")
        for shape in ((2, 9, 9), (2, 9, 9, 1)):
            with self.assertRaisesRegex(ValueError, r"\(B, H, W, 3\) is read"):
                read(np.zeros(shape, np.uint8))

    def test_what_is_not_finite_is_not_hidden(self):
        images = np.zeros((2, 9, 9, 3), np.float32)
        images[1, 3, 3] = np.nan
        answers = features.Features(toy(), WAY(5), "toy", "")(images)
        self.assertTrue(np.isnan(answers["pooled"][1]).any())
        self.assertTrue(np.isfinite(answers["pooled"][0]).all())
        read = features.Features(toy(), WAY(5, rounding="round"), "toy", "")
        with self.assertRaisesRegex(ValueError, "Picture 1 of the batch"):
            read(images)


if __name__ == "__main__":
    tf.test.main()
