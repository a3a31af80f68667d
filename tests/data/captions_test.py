"""Examines cleaning of captions and the sentences about bad ones."""

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import captions


class CleanTest(parameterized.TestCase, tf.test.TestCase):
    """A clean caption is one plain line."""

    @parameterized.parameters(
        ("  a red\n\t bird ", "a red bird"),
        ("a\u00a0bird\u2003sings", "a bird sings"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\x00 \x07bird", "a bird"),
        ("Ein Vogel \U0001f426", "Ein Vogel \U0001f426"),
        ("Übung".encode(), "Übung"),
    )
    def test_brings_text_into_one_line(self, text, expected):
        self.assertEqual(captions.clean(text), expected)

    def test_cleaning_twice_changes_nothing(self):
        once = captions.clean(" A  e\u0301 b\r\n")
        self.assertEqual(captions.clean(once), once)

    @parameterized.parameters(
        (None, "is missing"),
        ("", "is empty"),
        (" \n\x00 ", "is empty"),
        (b"a \xff bird", "not UTF-8 .byte 2 is 0xff"),
        ("a \ud800 bird", "lone surrogate"),
        (7, "must be text; this is int"),
    )
    def test_bad_caption_gets_a_sentence(self, text, sentence):
        with self.assertRaisesRegex(ValueError, f"^Prompt 3 .*{sentence}"):
            captions.check(text, "Prompt 3")


class TableTest(tf.test.TestCase):
    """A set's captions form a table."""

    def test_rows_are_cleaned(self):
        table = captions.table([["a  b", b"c"], ["d", "e"]], ["k", "l"])
        self.assertEqual(table.tolist(), [["a b", "c"], ["d", "e"]])

    def test_bad_caption_is_named_by_picture(self):
        with self.assertRaisesRegex(ValueError, "Caption 1 of picture 'l' is"):
            captions.table([["a", "b"], ["c", " "]], ["k", "l"])

    def test_picture_without_caption_is_refused(self):
        with self.assertRaisesRegex(ValueError, "'k' has no caption"):
            captions.table([[]], ["k"])

    def test_uneven_rows_are_refused(self):
        with self.assertRaisesRegex(ValueError, "'l' has 1 .*'k' has 2"):
            captions.table([["a", "b"], ["c"]], ["k", "l"])


if __name__ == "__main__":
    tf.test.main()
