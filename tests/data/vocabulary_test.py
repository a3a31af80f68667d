"""Examines words and their ids: Python and graph agree on all of Unicode."""

import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import vocabulary

NASTY = (
    "A red, RED bird!",
    "it's the dog\u2019s 2nd_toy",
    "caf\u00e9s na\u00efve \u00e9 \u4e2d\u6587 e\u0301te",
    "\u0130stanbul 300\u212a K\u212aK",
    "\ufffd\ufffdhalf\ufffd\ufffdgone\ufffdone",
    "\u00bd cup x\u00b2 \u2167 \u0661\u0662",
    "\u1e9eo\u03a3 \U0001d49c\U0001f600b \ud7a3z",
    "tab\tnew\nline\u00a0hard\u2003wide\u200bzero",
    "...",
    "",
    "\u00e9",
    "a\x00b",
)


class TokenTest(parameterized.TestCase, tf.test.TestCase):
    """Captions become words as AttnGAN's code cuts them."""

    @parameterized.parameters(
        ("A red, RED bird!", "a red red bird"),
        ("it's the 2nd_toy", "it s the 2nd_toy"),
        ("caf\u00e9s \u4e2d\u6587 b\u4e2db", "cafs bb"),
        ("half\ufffd\ufffdgone", "half gone"),
        ("e\u0301te", "e te"),  # the accent stands alone
    )
    def test_words_are_ascii_runs_in_lower_case(self, text, expected):
        self.assertEqual(vocabulary.tokens(text), expected.split())

    def graph(self, texts):
        known = set().union(*map(vocabulary.tokens, texts)) | {"x"}
        made = vocabulary.Vocabulary(sorted(known))
        ids = tf.function(made)(tf.constant(texts)).to_list()
        return [[made.words[i - 1] for i in row] for row in ids]

    def test_graph_and_python_cut_alike(self):
        self.assertEqual(
            self.graph(NASTY), [vocabulary.tokens(text) for text in NASTY]
        )

    def test_graph_and_python_agree_on_every_letter(self):
        codes = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
        # Between two words, a letter joins them or parts them.
        texts = [
            " ".join(f"q{chr(code)}w" for code in codes[start : start + 500])
            for start in range(0, len(codes), 500)
        ]
        self.assertEqual(
            self.graph(texts), [vocabulary.tokens(text) for text in texts]
        )

    def test_bytes_that_are_no_text_part_words(self):
        made = vocabulary.Vocabulary(["a", "b"])
        self.assertEqual(made([b"a\xffb \xf0\x9f"]).to_list(), [[1, 2]])


class VocabularyTest(tf.test.TestCase):
    """Ids count from 1 in an order that anybody gets again."""

    CAPTIONS = ("a red bird", "A blue bird", "the bird: red?")

    def test_order_is_by_count_then_alphabet(self):
        made = vocabulary.Vocabulary.of(self.CAPTIONS)
        expected = ("bird", "a", "red", "blue", "the")
        self.assertEqual(made.words, expected)
        again = vocabulary.Vocabulary.of(reversed(self.CAPTIONS))
        self.assertEqual(again.words, expected)
        self.assertEqual(again.digest, made.digest)
        self.assertLen(made, 5)

    def test_unknown_words_are_left_out(self):
        made = vocabulary.Vocabulary(["red", "bird"])
        ids = made(tf.constant(["a red, old BIRD", "nothing", "bird bird"]))
        self.assertEqual(ids.to_list(), [[1, 2], [], [2, 2]])
        self.assertEqual(ids.dtype, tf.int32)

    def test_padding_is_zero_and_masked(self):
        made = vocabulary.Vocabulary(["red", "bird"])
        ids = made(tf.constant(["red bird red", "bird", "none"]))
        caption, mask = vocabulary.padded(ids, 2)
        self.assertAllEqual(caption, [[1, 2], [2, 0], [0, 0]])
        self.assertAllEqual(mask, [[True, True], [True, False], [False, False]])

    def test_file_is_one_word_a_line(self):
        path = os.path.join(tempfile.mkdtemp(), "vocabulary.txt")
        made = vocabulary.Vocabulary(["red", "bird"])
        made.save(path)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"red\nbird\n")
        loaded = vocabulary.Vocabulary.load(path)
        self.assertEqual(loaded.words, made.words)
        self.assertEqual(loaded.digest, made.digest)

    def test_digest_knows_the_order(self):
        first = vocabulary.Vocabulary(["red", "bird"])
        other = vocabulary.Vocabulary(["bird", "red"])
        self.assertNotEqual(first.digest, other.digest)

    def test_saved_model_holds_the_table(self):
        module = tf.Module()
        module.vocabulary = vocabulary.Vocabulary.of(NASTY)
        module.ids = tf.function(
            lambda texts: vocabulary.padded(module.vocabulary(texts), 7)[0],
            input_signature=[tf.TensorSpec([None], tf.string)],
        )
        expected = module.ids(tf.constant(NASTY))
        path = tempfile.mkdtemp()
        tf.saved_model.save(module, path)
        loaded = tf.saved_model.load(path)
        self.assertAllEqual(loaded.ids(tf.constant(NASTY)), expected)

    def test_bad_words_are_refused(self):
        for words, sentence in (
            ([], "at least one word"),
            (["red", "red"], "'red' comes 2 times"),
            (["Red"], "'Red' is no word"),
            (["<end>"], "'<end>' is no word"),
            ([""], "'' is no word"),
        ):
            with self.assertRaisesRegex(ValueError, sentence):
                vocabulary.Vocabulary(words)

    def test_bad_file_is_named(self):
        with self.assertRaisesRegex(ValueError, "no vocabulary nowhere"):
            vocabulary.Vocabulary.load("nowhere")
        path = os.path.join(tempfile.mkdtemp(), "words.txt")
        with open(path, "w") as file:
            file.write("red\ntwo words\n")
        with self.assertRaisesRegex(ValueError, "words.txt is no vocabulary"):
            vocabulary.Vocabulary.load(path)

    def test_caption_without_a_known_word_is_named(self):
        made = vocabulary.Vocabulary(["red"])
        made.check(["red", "a red one"])
        with self.assertRaisesRegex(ValueError, r"Caption 1 \('blue'\)"):
            made.check(["red", "blue", "green"])


class SubsetTest(tf.test.TestCase):
    """Long captions lose words evenly and keep their order."""

    def test_chosen_words_keep_their_order(self):
        ids = tf.ragged.constant([[1, 2, 3, 4], [5, 6], []])
        shares = tf.constant([[0.9, 0.1, 0.5, 0.2], [0.9, 0.8, 0.1, 0.1]])
        shares = tf.concat([shares, shares[:1]], 0)
        kept = vocabulary.subset(ids, 2, shares).to_list()
        self.assertEqual(kept, [[2, 4], [5, 6], []])

    def test_every_word_stays_equally_often(self):
        rows = 20_000
        ids = tf.RaggedTensor.from_tensor(tf.tile([[1, 2, 3, 4, 5]], [rows, 1]))
        shares = np.random.RandomState(0).rand(rows, 5).astype(np.float32)
        kept = vocabulary.subset(ids, 3, shares)
        self.assertAllEqual(kept.row_lengths(), np.full(rows, 3))
        # Of 10 subsets each comes 2000 times, standard deviation 42.
        sets, counts = np.unique(
            kept.to_tensor().numpy(), axis=0, return_counts=True
        )
        self.assertLen(sets, 10)
        self.assertAllInRange(counts, 1800, 2200)


if __name__ == "__main__":
    tf.test.main()
