"""Examines painters that come back from a SavedModel."""

import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks, serving
from keras_t2i.ops import images, noise


class Reader:
    """Reads a caption as how often it holds each of a few letters."""

    digest = "letters"

    def __call__(self, captions):
        counts = [
            tf.strings.length(tf.strings.regex_replace(captions, f"[^{x}]", ""))
            for x in "aeiou"
        ]
        return {"sentence": tf.cast(tf.stack(counts, 1), tf.float32)}


def _painter():
    generator = networks.dcgan_cls.generator(
        image_size=16, width=4, noise_dim=6, text_dim=5, projection_dim=4
    )
    draws = np.random.RandomState(0)
    for variable in generator.weights:
        spread = draws.uniform(0.5, 1.5, variable.shape)
        variable.assign(spread if "variance" in variable.path else spread - 1)
    return networks.Painter(generator, Reader())


class WordlessTest(tf.test.TestCase):
    """A generator without text draws from seeds."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        generator = networks.wgan_gp.generator(width=4, noise_dim=6)
        self.painter = networks.Painter(generator)
        self.path = pathlib.Path(folder) / "model"
        serving.export(self.painter, self.path)
        self.served = serving.load(self.path)

    def test_pictures_are_the_painters(self):
        drawn = self.painter.generate(["", ""], [3, 1])
        answer = self.served.generate(["", ""], [3, 1])
        self.assertEqual(answer.shape, (2, 28, 28, 1))
        self.assertAllEqual(answer, images.to_uint8(drawn))

    def test_bounded_noise_and_ways_between_need_no_words(self):
        self.assertEqual(
            (self.served.text_names, self.served.encode([""])), ([], {})
        )
        bounded = self.painter.generate([""], [2], 0.5)
        answer = self.served.generate([""], [2], 0.5)
        gap = np.abs(answer.astype(int) - images.to_uint8(bounded))
        self.assertLessEqual(gap.max(), 1)

    def test_signature_takes_seeds_and_gives_png(self):
        model = tf.saved_model.load(str(self.path))
        seeds = tf.constant([3, 1], tf.int64)
        answer = model.signatures["serving_default"](seed=seeds)
        decoded = tf.io.decode_png(answer["image_bytes"][1])
        self.assertAllEqual(decoded, answer["image"][1])
        self.assertNotIn("encode", model.signatures)


class LoadTest(parameterized.TestCase, tf.test.TestCase):
    """What comes back draws what went out."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.folder = pathlib.Path(folder)
        cls.painter = _painter()
        serving.export(cls.painter, cls.folder / "model", {"recipe": "none"})
        cls.served = serving.load(cls.folder / "model")

    def painted(self, *arguments):
        return images.to_uint8(self.painter.generate(*arguments)).numpy()

    @parameterized.parameters(0, 5, [[3, 1]])
    def test_pictures_are_the_painters(self, seeds):
        captions = ["a red heart", "un café noir"]
        answer = self.served.generate(captions, seeds)
        self.assertDTypeEqual(answer, np.uint8)
        self.assertAllEqual(answer, self.painted(captions, seeds))

    def test_bound_keeps_the_noise_within(self):
        captions = ["a heart", "a car"]
        answer = self.served.generate(captions, 0, 0.5).astype(int)
        painted = self.painted(captions, 0, 0.5).astype(int)
        self.assertAllClose(answer, painted, rtol=0, atol=1)
        free = self.served.generate(captions, 0).astype(int)
        self.assertGreater(np.abs(answer - free).max(), 1)

    def test_reading_and_drawing_make_one_picture(self):
        captions = ["a heart", "a car"]
        latent = noise.rows(4, 2, self.served.noise_dim)
        drawn = self.served.draw(self.served.encode(captions), latent)
        self.assertAllClose(
            drawn.astype(int),
            self.painted(captions, 4).astype(int),
            rtol=0,
            atol=1,
        )

    def test_card_comes_back(self):
        self.assertEqual(self.served.card["recipe"], "none")
        self.assertEqual(self.served.noise_dim, 6)

    @parameterized.parameters(
        (["a", " \n"], 0, "Caption 1 .* is empty"),
        ([b"\xff"], 0, "Caption 0 .* is not UTF-8"),
        (["a", None], 0, "Caption 1 .* is missing"),
        ([], 0, "give at least one"),
        (["a"], [1, 2], "2 seeds came with 1 captions"),
    )
    def test_bad_captions_give_a_sentence(self, captions, seeds, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            self.served.generate(captions, seeds)

    def test_missing_folder_gives_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "nowhere is no SavedModel"):
            serving.load(self.folder / "nowhere")

    def test_foreign_model_gives_a_sentence(self):
        path = self.folder / "foreign"
        tf.saved_model.save(tf.Module(), str(path))
        with self.assertRaisesRegex(ValueError, "foreign can't be loaded as"):
            serving.load(path)

    def test_damaged_model_gives_a_sentence(self):
        path = serving.export(self.painter, self.folder / "damaged")
        os.truncate(path / "saved_model.pb", 1000)
        with self.assertRaisesRegex(ValueError, "damaged can't be loaded as"):
            serving.load(path)


if __name__ == "__main__":
    tf.test.main()
