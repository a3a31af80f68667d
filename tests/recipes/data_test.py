"""Examines what a config asks of the data."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import data
from keras_t2i.data import prepared, shapes
from recipes import letters, streams, wiring
from recipes.configs import gan_cls_openmoji
from tests.recipes import runs


class Reader(letters.Letters):
    """Reads words too: each is its place in the caption, four times."""

    max_words = 6

    def __call__(self, captions):
        lengths = tf.strings.split(captions).row_lengths()
        mask = tf.sequence_mask(tf.minimum(lengths, 6), 6)
        words = tf.range(6.0)[:, None] * tf.ones((self.dim,))
        words = tf.where(mask[..., None], words, 0.0)
        return super().__call__(captions) | {"words": words, "mask": mask}


class DataTest(parameterized.TestCase, tf.test.TestCase):
    """Keys of the data section choose what batches hold."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.config = gan_cls_openmoji.get_config("smoke")

    def batch(self, reader=None, **section):
        self.config.data.update(**section)
        pictures = streams.source(self.config, "train")
        reader = reader or wiring.text_encoder(self.config)
        return next(iter(streams.dataset(self.config, pictures, reader)))

    def records(self):
        """Makes a prepared set of shapes, 20 x 20."""
        path = self.folder / "set"
        whole = shapes.load(12, 20)
        prepared.write(path, {"train": whole})
        words = data.vocabulary.Vocabulary.of(whole.captions.ravel().tolist())
        words.save(path / "vocabulary.txt")
        return str(path)

    def test_all_second_branches_and_sizes_at_once(self):
        made = self.batch(
            mismatch="image",
            other_label=True,
            twins=True,
            partners="label",
            base_size=4,
            image_size=16,
            crop=18,
            fit="keep",
            flip=True,
        )
        for key in ("", "wrong_", "partner_"):
            for name, size in (("", 16), ("_8", 8), ("_4", 4)):
                image = made[f"{key}image{name}"]
                self.assertEqual(image.shape, (8, size, size, 3))
        for key in ("twin_text", "partner_text", "partner_sentence"):
            self.assertIn(key, made)
        self.assertAllEqual(made["label"], made["partner_label"])

    def test_words_have_ids_of_the_sets_vocabulary(self):
        path = self.records()
        made = self.batch(name="records", path=path, words="ids", max_words=3)
        self.assertEqual(made["caption"].shape, (8, 3))
        self.assertAllEqual(made["mask"], made["caption"] > 0)
        words = np.array(["", *prepared.vocabulary(path)])
        text = made["text"][0].numpy().decode().lower()
        for word in words[made["caption"][0].numpy()]:
            self.assertIn(word, text)

    def test_words_of_a_set_without_a_vocabulary_are_its_captions(self):
        made = self.batch(words="ids", max_words=9, word_rule="truncate")
        lengths = tf.strings.split(made["text"]).row_lengths()
        self.assertAllEqual(
            tf.reduce_sum(tf.cast(made["mask"], tf.int64), 1), lengths
        )

    @parameterized.product(kind=["float16", "int8"], is_file=[False, True])
    def test_words_have_stored_vectors(self, kind, is_file):
        place = {"name": "records", "path": self.records()} if is_file else {}
        made = self.batch(Reader(4), words=kind, twins=True, **place)
        for key in ("", "twin_", "wrong_"):
            mask = made[f"{key}mask"].numpy()
            lengths = tf.strings.split(made[f"{key}text"]).row_lengths()
            self.assertAllEqual(mask.sum(1), np.minimum(lengths, 6))
            expected = (mask * np.arange(6))[..., None] * np.ones(4)
            self.assertAllClose(made[f"{key}words"], expected, atol=0.01)
            self.assertEqual(made[f"{key}sentence"].shape, (8, 4))

    def test_smoke_runs_have_vectors_of_letters(self):
        made = self.batch(words="float16", max_words=2)
        self.assertEqual(made["words"].shape, (8, 2, 16))
        self.assertAllEqual(made["mask"], tf.ones((8, 2), tf.bool))
        read = letters.Letters(16)(tf.constant(["red red", "red"]))
        self.assertAllEqual(read["mask"].numpy().sum(1), [2, 1])
        self.assertAllEqual(read["words"][0, 1], read["words"][1, 0])
        self.assertAllEqual(read["words"][1, 1:], tf.zeros((63, 16)))

    def test_sentences_of_files_are_those_of_memory_in_half_floats(self):
        path = self.records()
        made = self.batch(name="records", path=path)
        exact = letters.Letters(16)(made["text"])["sentence"]
        self.assertAllClose(made["sentence"], exact, rtol=1e-3)
        self.assertNotAllEqual(made["sentence"], exact)

    @parameterized.parameters(
        (dict(words="bytes"), "config.data.words is 'bytes'; known: float16"),
        (dict(words="ids"), "max_words"),
        (dict(max_words=9), "max_words is 9, but config.data.words is None"),
        (dict(partners="class"), "partners is 'class'"),
        (dict(base_size=7), "base_size is 7"),
        (dict(fit="stretch"), "fit is 'stretch'"),
    )
    def test_wrong_choice_is_refused(self, section, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            self.batch(**section)

    def test_vectors_need_a_reader(self):
        self.config.text.encoder = "none"
        with self.assertRaisesRegex(ValueError, "text.encoder is 'none'"):
            self.batch(words="int8")

    def test_config_of_old_lacks_the_new_keys(self):
        with self.config.unlocked():
            for key in ("fit", "words", "partners", "twins", "base_size"):
                del self.config.data[key]
        self.assertIn("wrong_text", self.batch(mismatch="text"))


if __name__ == "__main__":
    tf.test.main()
