"""A painter draws from words what its generator draws from vectors."""

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import layers
from keras_t2i.networks import painter
from keras_t2i.ops import noise
from tests import harness

CAPTIONS = ["a red heart", "a blue car", "a red heart"]


def staged():
    """Puts a smaller stage and what was seen beside a toy's picture."""
    toy = harness.toy_players()["generator"]
    image = toy.output["image"]
    sentence = toy.input["sentence"]
    more = {
        "image_8": keras.ops.average_pool(image, 2),
        "seen": keras.ops.cast(sentence, "bfloat16"),
        "count": keras.ops.cast(sentence > 0.0, "int32"),
    }
    return keras.Model(toy.input, toy.output | more)


class PainterTest(tf.test.TestCase):
    """Words, seeds, bounds."""

    def setUp(self):
        super().setUp()
        self.generator = harness.toy_players()["generator"]
        self.painter = painter.Painter(self.generator, harness.toy_reader)

    def test_words_go_through_encoder_and_generator(self):
        inputs = {
            "noise": noise.rows([4, 5, 6], 3, harness.NOISE),
            "sentence": harness.toy_reader(tf.constant(CAPTIONS))["sentence"],
        }
        expected = self.generator(inputs, training=False)["image"]
        self.assertAllEqual(self.painter.generate(CAPTIONS, 4), expected)

    def test_picture_depends_on_its_caption_and_seed_alone(self):
        pictures = self.painter.generate(CAPTIONS, [7, 7, 8])
        alone = self.painter.generate(CAPTIONS[:1], [7])
        self.assertAllClose(pictures[:1], alone, atol=1e-6)
        for other in (1, 2):
            gap = np.abs(pictures[other] - pictures[0]).max()
            self.assertGreater(gap, 1e-3)

    def test_pictures_are_floats_within_one(self):
        pictures = self.painter.generate(CAPTIONS)
        self.assertEqual(pictures.shape, (3, 16, 16, 3))
        self.assertEqual(pictures.dtype, tf.float32)
        self.assertAllInRange(pictures, -1.0, 1.0)

    def test_bound_tames_the_noise(self):
        inputs = self.painter.encode(CAPTIONS)
        latent = noise.rows(0, 3, harness.NOISE, bound=0.1)
        expected = self.painter.draw(inputs, latent)
        found = self.painter.generate(CAPTIONS, 0, bound=0.1)
        self.assertAllEqual(found, expected)
        self.assertNotAllEqual(found, self.painter.generate(CAPTIONS, 0))

    def test_words_are_drawn_in_graphs_of_any_size(self):
        spec = tf.TensorSpec([None], tf.string)
        graph = tf.function(self.painter.generate, input_signature=[spec])
        self.assertAllClose(
            graph(tf.constant(CAPTIONS)), self.painter.generate(CAPTIONS)
        )

    def test_doors_are_read_off_the_generator(self):
        self.assertEqual(self.painter.noise_dim, harness.NOISE)
        self.assertEqual(self.painter.text_names, ["sentence"])

    def test_running_statistics_are_used(self):
        players = harness.toy_players(norm=layers.BatchNorm)
        found = painter.Painter(players["generator"], harness.toy_reader)
        before = harness.snapshot(players["generator"].variables)
        pictures = found.generate(CAPTIONS)
        alone = found.generate(CAPTIONS[:1])
        self.assertAllClose(pictures[:1], alone, atol=1e-6)
        after = harness.snapshot(players["generator"].variables)
        self.assertEqual(harness.distance(before, after), 0.0)

    def test_look_tells_all_that_the_generator_gives(self):
        found = painter.Painter(staged(), harness.toy_reader)
        looked = found.look(CAPTIONS, [4, 7, 4], bound=1.0)
        self.assertEqual(set(looked), {"image", "image_8", "seen", "count"})
        latent = noise.rows([4, 7, 4], 3, harness.NOISE, bound=1.0)
        inputs = found.encode(CAPTIONS) | {"noise": latent}
        expected = found.generator(inputs, training=False)
        for name, value in looked.items():
            self.assertAllClose(value, expected[name], atol=1e-6)
        pictures = found.generate(CAPTIONS, [4, 7, 4], bound=1.0)
        self.assertAllClose(looked["image"], pictures, atol=1e-6)
        self.assertEqual(looked["seen"].dtype, tf.float32)
        self.assertEqual(looked["count"].dtype, tf.int32)

    def test_look_checks_what_generate_checks(self):
        with self.assertRaisesRegex(ValueError, "2 seeds came with 3 captions"):
            self.painter.look(CAPTIONS, [1, 2])
        silent = painter.Painter(self.generator)
        with self.assertRaisesRegex(ValueError, "needs a text_encoder"):
            silent.look(CAPTIONS)

    def test_encoder_that_does_not_tell_what_is_taken(self):
        def mute(captions):
            return {"words": tf.zeros((tf.size(captions), 2, harness.TEXT))}

        with self.assertRaisesRegex(
            ValueError,
            "takes sentence, and the text_encoder tells no sentence",
        ):
            painter.Painter(self.generator, mute).generate(["a red heart"])

    def test_words_without_an_encoder_get_a_sentence(self):
        silent = painter.Painter(self.generator)
        with self.assertRaisesRegex(ValueError, "needs a text_encoder"):
            silent.generate(CAPTIONS)


if __name__ == "__main__":
    tf.test.main()
