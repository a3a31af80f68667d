"""Examines how captions are cut into word pieces and words."""

import os
import tempfile

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import vocabulary
from keras_t2i.encoders import tokenizer

PIECES = (
    "[PAD] [UNK] [CLS] [SEP] a red bird heart ##s ##ing sing . - cafe 東 σ"
).split()
PAD, UNK, CLS, SEP = range(4)


def ids_of(*pieces):
    """Places in the vocabulary, between [CLS] and [SEP]."""
    return [CLS, *(PIECES.index(piece) for piece in pieces), SEP]


class WordPieceTest(parameterized.TestCase, tf.test.TestCase):
    """Ids, mask, and sentences about captions that cannot be read."""

    def make(self, max_words=8, **options):
        return tokenizer.WordPiece(PIECES, max_words=max_words, **options)

    @parameterized.parameters(
        ("a red bird", ("a", "red", "bird")),
        ("A RED Birds.", ("a", "red", "bird", "##s", ".")),
        ("singing", ("sing", "##ing")),
        ("red-bird", ("red", "-", "bird")),
        ("  red\t\nbird\u3000", ("red", "bird")),
        ("Café", ("cafe",)),
        ("cafe\u0301", ("cafe",)),
        ("b\u200bird", ("bird",)),
        ("東東", ("東", "東")),
        ("Σ", ("σ",)),
        ("green bird", ("[UNK]", "bird")),
        ("😀", ("[UNK]",)),
    )
    def test_pieces_of_a_caption(self, caption, pieces):
        ids, mask = self.make()(tf.constant([caption]))
        expected = ids_of(*pieces)
        self.assertAllEqual(ids[0, : len(expected)], expected)
        self.assertAllEqual(
            ids[0, len(expected) :], [PAD] * (8 - len(expected))
        )
        self.assertAllEqual(mask[0], [i < len(expected) for i in range(8)])
        self.assertEqual(ids.dtype, tf.int32)
        self.assertEqual(mask.dtype, tf.bool)

    @parameterized.parameters(
        ("Green birds", ["[CLS]", "[UNK]", "bird", "##s", "[SEP]"]),
        (
            "a red bird a red bird a",
            "[CLS] a red bird a red bird [SEP]".split(),
        ),
    )
    def test_pieces_are_told_one_for_each_of_the_mask(self, caption, pieces):
        cut = self.make(truncate=True)
        self.assertEqual(cut.pieces(caption), pieces)
        _, mask = cut(tf.constant([caption]))
        self.assertLen(pieces, int(tf.math.count_nonzero(mask)))

    def test_special_pieces_in_a_caption_are_text(self):
        ids, _ = self.make(16)(tf.constant(["[SEP] bird"]))
        self.assertEqual(list(ids[0].numpy()).count(SEP), 1)

    def test_case_may_be_kept(self):
        ids, _ = self.make(lower_case=False)(tf.constant(["A bird"]))
        self.assertAllEqual(ids[0, :4], [CLS, UNK, PIECES.index("bird"), SEP])

    def test_graph_of_any_batch_equals_eager(self):
        cut = self.make()
        graph = tf.function(
            cut, input_signature=[tf.TensorSpec((None,), tf.string)]
        )
        self.assertEqual(
            graph.get_concrete_function().structured_outputs[0].shape.as_list(),
            [None, 8],
        )
        for captions in ([], ["a bird"], ["a bird", "red hearts", "a"]):
            captions = tf.constant(captions, tf.string)
            for ours, theirs in zip(
                graph(captions), cut(captions), strict=True
            ):
                self.assertAllEqual(ours, theirs)

    def test_it_is_saved_with_its_table(self):
        holder = tf.Module()
        holder.cut = self.make()
        holder.read = tf.function(
            lambda captions: holder.cut(captions),
            input_signature=[tf.TensorSpec((None,), tf.string)],
        )
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "saved")
        tf.saved_model.save(holder, path)
        ids, _ = tf.saved_model.load(path).read(tf.constant(["red birds"]))
        self.assertAllEqual(ids[0, :5], ids_of("red", "bird", "##s"))

    def test_a_caption_of_the_limit_is_read_and_one_more_is_not(self):
        cut = self.make(max_words=5)
        ids, _ = cut(tf.constant(["a red bird"]))
        self.assertAllEqual(ids[0], ids_of("a", "red", "bird"))
        cut.check(["a red bird"])
        with self.assertRaisesRegex(
            ValueError, r"Caption 1 \('a red birds'\) has 4 word pieces; .* 3\."
        ):
            cut.check(["a", "a red birds"])
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "more than 3 word pieces"
        ):
            cut(tf.constant(["a red birds"]))

    def test_a_long_caption_is_cut_when_asked(self):
        cut = self.make(max_words=5, truncate=True)
        cut.check(["a red birds"])
        ids, mask = cut(tf.constant(["a red birds"]))
        self.assertAllEqual(ids[0], ids_of("a", "red", "bird"))
        self.assertAllEqual(mask[0], [True] * 5)

    @parameterized.parameters("", "  \n", "\u200b", b"")
    def test_an_empty_caption_is_refused(self, caption):
        cut = self.make()
        with self.assertRaisesRegex(ValueError, "Caption 1 .* is empty"):
            cut.check(["a", caption])
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "A caption is empty"
        ):
            cut(tf.constant(["a", caption]))

    def test_bytes_that_are_no_text_are_refused(self):
        cut = self.make()
        with self.assertRaisesRegex(ValueError, "not valid UTF-8"):
            cut.check([b"red \xff\xfe"])
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "not valid UTF-8"
        ):
            cut(tf.constant([b"red \xff\xfe"]))

    def test_half_a_character_is_refused(self):
        with self.assertRaisesRegex(ValueError, "not valid UTF-8"):
            self.make().check(["\ud83d"])

    def test_something_else_is_refused(self):
        with self.assertRaisesRegex(ValueError, "of type NoneType"):
            self.make().check([None])

    def test_a_long_caption_is_not_shown_whole(self):
        with self.assertRaises(ValueError) as caught:
            self.make().check(["bird " * 1000])
        self.assertLess(len(str(caught.exception)), 200)

    def test_a_vocabulary_without_a_special_piece_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"\[SEP\]"):
            tokenizer.WordPiece(["[PAD]", "[UNK]", "[CLS]"])

    def test_a_vocabulary_that_repeats_itself_is_refused(self):
        with self.assertRaisesRegex(ValueError, "'red' twice"):
            tokenizer.WordPiece([*PIECES, "red"])

    def test_a_limit_without_room_for_a_word_is_refused(self):
        with self.assertRaisesRegex(ValueError, "max_words is 2"):
            self.make(max_words=2)


class WordsTest(parameterized.TestCase, tf.test.TestCase):
    """Ids of whole words, and sentences about what cannot be read."""

    def make(self, max_words=4, **options):
        known = vocabulary.Vocabulary(["a", "red", "bird", "heart"])
        return tokenizer.Words(known, max_words=max_words, **options)

    @parameterized.parameters(
        ("a red bird", (1, 2, 3)),
        ("A RED-Bird!", (1, 2, 3)),
        ("a green bird", (1, 3)),
        ("redbird heart", (4,)),
        ("a a a a", (1, 1, 1, 1)),
        ("heart\u3000b\u00e9ird", (4, 3)),
    )
    def test_ids_of_a_caption(self, caption, expected):
        ids, mask = self.make()(tf.constant([caption]))
        rest = 4 - len(expected)
        self.assertAllEqual(ids[0], [*expected, *[0] * rest])
        self.assertAllEqual(mask[0], [True] * len(expected) + [False] * rest)
        self.assertEqual((ids.dtype, mask.dtype), (tf.int32, tf.bool))

    def test_pieces_are_the_known_words(self):
        words = vocabulary.Vocabulary(["bird", "a", "red"])
        cut = tokenizer.Words(words, max_words=3, truncate=True)
        for caption, pieces in (
            ("A red-green bird", ["a", "red", "bird"]),
            ("red, red, a bird", ["red", "red", "a"]),
        ):
            self.assertEqual(cut.pieces(caption), pieces)
            _, mask = cut(tf.constant([caption]))
            self.assertLen(pieces, int(tf.math.count_nonzero(mask)))

    def test_unknown_words_do_not_count_to_the_limit(self):
        caption = "a very very very red bird"
        self.make().check([caption])
        ids, _ = self.make()(tf.constant([caption]))
        self.assertAllEqual(ids, [[1, 2, 3, 0]])

    def test_a_long_caption_is_refused_or_cut(self):
        caption = "a red red red bird"
        sentence = r"has 5 known words; this encoder reads at most 4\."
        with self.assertRaisesRegex(ValueError, f"Caption 1 .*{sentence}"):
            self.make().check(["a bird", caption])
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "more than 4 known words"
        ):
            self.make()(tf.constant([caption]))
        cut = self.make(truncate=True)
        cut.check([caption])
        self.assertAllEqual(cut(tf.constant([caption]))[0], [[1, 2, 2, 2]])

    def test_captions_of_unknown_words_only_are_refused(self):
        cut = self.make(truncate=True)
        with self.assertRaisesRegex(
            ValueError, "Caption 1 .*green frog.* has no word of the vocabulary"
        ):
            cut.check(["a frog", "green frog"])
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "no word that this encoder knows"
        ):
            cut(tf.constant(["a frog", "green frog"]))

    def test_what_is_no_text_is_refused(self):
        with self.assertRaisesRegex(ValueError, "Caption 0 .* is empty"):
            self.make().check([" "])
        with self.assertRaisesRegex(ValueError, "not valid UTF-8"):
            self.make().check([b"bird \xff"])
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "not valid UTF-8"
        ):
            self.make()(tf.constant([b"bird \xff"]))

    def test_nothing_is_refused_of_nothing(self):
        self.make().check([])
        ids, mask = self.make()(tf.constant([], tf.string))
        self.assertEqual((ids.shape, mask.shape), ((0, 4), (0, 4)))

    def test_graph_equals_eager_and_knows_its_shape(self):
        cut = self.make()
        graph = tf.function(
            cut, input_signature=[tf.TensorSpec((None,), tf.string)]
        )
        told = graph.get_concrete_function().structured_outputs
        self.assertEqual([x.shape.as_list() for x in told], [[None, 4]] * 2)
        captions = tf.constant(["a bird", "red heart red"])
        for ours, theirs in zip(graph(captions), cut(captions), strict=True):
            self.assertAllEqual(ours, theirs)

    def test_a_limit_without_room_for_a_word_is_refused(self):
        with self.assertRaisesRegex(ValueError, "max_words is 0"):
            self.make(max_words=0)


if __name__ == "__main__":
    tf.test.main()
