"""Examines the glossary of batches."""

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import batch


def toy(**changes):
    """A batch of two pictures of 4 px."""
    made = {
        "image": tf.zeros((2, 4, 4, 3)),
        "sentence": tf.zeros((2, 5)),
        "label": tf.zeros((2,), tf.int32),
        "key": tf.constant(["a", "b"]),
        "image_1": tf.zeros((2, 1, 1, 3)),
        "caption": tf.zeros((2, 7), tf.int32),
    }
    return made | changes


class CheckTest(parameterized.TestCase, tf.test.TestCase):
    """A batch follows the glossary or is refused in one sentence."""

    def test_good_batch_passes(self):
        batch.check(toy())

    @parameterized.named_parameters(
        ("unknown", {"picture": tf.zeros(())}, "no key 'picture'"),
        ("type", {"label": tf.zeros((2,))}, "'label' must be int32 .B."),
        ("rank", {"sentence": tf.zeros((2,))}, "'sentence' must be float32"),
        ("bytes", {"image": tf.zeros((2, 4, 4, 3), tf.uint8)}, "it is uint8"),
        ("rows", {"label": tf.zeros((3,), tf.int32)}, "3 along axis B"),
        ("channels", {"image": tf.zeros((2, 4, 4, 2))}, "2 along axis D"),
        ("colours", {"wrong_image": tf.zeros((2, 4, 4, 1))}, "1 along axis D"),
        ("smaller", {"image_2": tf.zeros((2, 4, 4, 3))}, "its name has 2"),
        ("of text", {"text_64": tf.constant(["a", "b"])}, "no key 'text_64'"),
        ("grey", {"partner_image_2": tf.zeros((2, 2, 2, 1))}, "along axis D"),
        ("words", {"mask": tf.zeros((2, 3), tf.bool)}, "3 along axis T"),
        ("width", {"wrong_sentence": tf.zeros((2, 6))}, "6 along axis C"),
    )
    def test_bad_batch_gets_a_sentence(self, changes, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            batch.check(toy(**changes))


class SpecTest(parameterized.TestCase, tf.test.TestCase):
    """The spec lists what the options ask for."""

    def test_plain_batch(self):
        spec = batch.element_spec(batch_size=8, image_size=16)
        self.assertEqual(sorted(spec), ["image", "key", "label", "text"])
        self.assertEqual(spec["image"].shape, (8, 16, 16, 3))

    def test_options_add_keys(self):
        spec = batch.element_spec(
            batch_size=8, image_size=16, text_dim=5, mismatch="text", twins=True
        )
        for key in ("sentence", "wrong_sentence", "twin_sentence"):
            self.assertEqual(spec[key].shape, (8, 5))

    def test_every_key_says_what_it_is(self):
        for key, entry in batch.GLOSSARY.items():
            self.assertIs(batch.entry(key), entry)
            self.assertNotEmpty(entry.meaning)
        smaller = batch.entry("partner_image_64")
        self.assertEqual(smaller.axes, ("B", "64", "64", "D"))
        self.assertEndsWith(smaller.meaning, "64 x 64")
        self.assertIsNone(batch.entry("sentence_64"))


if __name__ == "__main__":
    tf.test.main()
