"""Examines captions to vectors: in graphs, saved, and cached."""

import os
import tempfile
import tracemalloc

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.encoders import bert, text, tokenizer

PIECES = "[PAD] [UNK] [CLS] [SEP] a red blue bird heart ##s".split()
CAPTIONS = ["a red bird", "blue hearts", "bird"]
#: Of caches that exist.
NAMES = [
    "sentences_05634f5aee5deb771f05b122.npy",
    "sentences_5c0cfcf8a943eb50fa1553b2.npy",
]


def tiny(digest="tiny", max_words=6):
    """A text encoder of 8 features with fixed weights."""
    keras.utils.set_random_seed(0)
    model = bert.encoder(
        vocabulary_size=len(PIECES),
        width=8,
        layers=1,
        heads=2,
        hidden=12,
        positions=max_words,
    )
    cut = tokenizer.WordPiece(PIECES, max_words=max_words)
    return text.TextEncoder(cut, model, "tiny", digest)


class Simple:
    """Reads the length and a hash of a caption, and counts what it reads."""

    dim = 2

    def __init__(self, digest="simple"):
        self.digest = digest
        self.count = tf.Variable(0)

    def __call__(self, captions):
        self.count.assign_add(tf.size(captions))
        length = tf.strings.length(captions)
        mark = tf.strings.to_hash_bucket_fast(captions, 1000)
        sentence = tf.stack([tf.cast(length, tf.int64), mark], 1)
        return {"sentence": tf.cast(sentence, tf.float32)}

    def check(self, captions):
        tokenizer.check_text(captions)


class Wordy(Simple):
    """Says of each caption one word, too: the sentence."""

    max_words = 3

    def __call__(self, captions):
        sentence = super().__call__(captions)["sentence"]
        mask = tf.ones_like(sentence[:, :1], tf.bool)
        return {"words": sentence[:, None], "mask": mask, "sentence": sentence}


class TextEncoderTest(tf.test.TestCase):
    """The same numbers eagerly, in graphs and from a SavedModel."""

    def setUp(self):
        super().setUp()
        self.encoder = tiny()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def test_outputs(self):
        outputs = self.encoder(tf.constant(CAPTIONS))
        self.assertEqual(outputs["words"].shape, (3, 6, 8))
        self.assertEqual(outputs["sentence"].shape, (3, 8))
        self.assertAllEqual(
            tf.reduce_sum(tf.cast(outputs["mask"], tf.int32), 1), [5, 5, 3]
        )
        self.assertAllEqual(outputs["words"][2, 3:], np.zeros((3, 8)))
        self.assertNotAllClose(outputs["words"][2, 2], np.zeros(8))
        self.assertEqual((self.encoder.dim, self.encoder.max_words), (8, 6))

    def test_a_caption_reads_the_same_in_any_company(self):
        together = self.encoder(tf.constant(CAPTIONS))
        for row, caption in enumerate(CAPTIONS):
            alone = self.encoder(tf.constant([caption]))
            for key, value in alone.items():
                self.assertAllClose(value[0], together[key][row])

    def test_graph_equals_eager_for_any_batch(self):
        graph = tf.function(
            self.encoder, input_signature=[tf.TensorSpec((None,), tf.string)]
        )
        shapes = graph.get_concrete_function().structured_outputs
        self.assertEqual(shapes["words"].shape.as_list(), [None, 6, 8])
        for count in (1, 3):
            captions = tf.constant(CAPTIONS[:count], tf.string)
            self.assertAllClose(graph(captions), self.encoder(captions))

    def test_it_works_in_a_pipeline(self):
        data = tf.data.Dataset.from_tensor_slices(CAPTIONS).batch(2)
        first = next(iter(data.map(self.encoder)))
        self.assertAllClose(
            first["sentence"],
            self.encoder(tf.constant(CAPTIONS[:2]))["sentence"],
        )

    def test_it_is_saved_whole_and_sessions_find_its_variables(self):
        holder = tf.Module()
        holder.encoder = self.encoder
        holder.read = tf.function(
            lambda captions: holder.encoder(captions),
            input_signature=[tf.TensorSpec((None,), tf.string)],
        )
        tf.saved_model.save(
            holder, self.folder, {"serving_default": holder.read}
        )
        expected = self.encoder(tf.constant(CAPTIONS))
        loaded = tf.saved_model.load(self.folder)
        self.assertAllClose(loaded.read(tf.constant(CAPTIONS)), expected)
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            graph = tf.compat.v1.saved_model.load(
                session, ["serve"], self.folder
            )
            signature = graph.signature_def["serving_default"]
            (fed,) = signature.inputs.values()
            sentence = session.run(
                signature.outputs["sentence"].name, {fed.name: CAPTIONS}
            )
        self.assertAllClose(sentence, expected["sentence"])


class EmbedTest(tf.test.TestCase):
    """A data set is read once."""

    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.captions = np.array([CAPTIONS, ["bird", "a bird", "red"]])

    def test_vectors_stand_where_their_captions_stood(self):
        encoder = tiny()
        vectors = text.embed(encoder, self.captions, batch_size=2)
        self.assertEqual(vectors.shape, (2, 3, 8))
        self.assertEqual(vectors.dtype, np.float32)
        for row, captions in zip(vectors, self.captions, strict=True):
            expected = encoder(tf.constant(captions.tolist()))["sentence"]
            self.assertAllClose(row, expected)

    def test_each_distinct_caption_is_read_once(self):
        encoder = Simple()
        text.embed(encoder, self.captions)
        self.assertEqual(encoder.count.numpy(), 5)

    def test_packed_captions_are_those_of_the_array_in_vectors_and_cache(self):
        captions = np.array([["Ωmega", "a"], ["𝄞 é", "zz"], ["ﬃ", "é"]])
        expected = text.embed(Simple(), captions, self.folder)
        encoder = Simple()
        for cache in (None, self.folder):
            found = text.embed(encoder, Packed(captions), cache)
            self.assertAllEqual(found, expected)
        self.assertEqual(encoder.count.numpy(), 6)  # Without a cache only.
        self.assertLen(os.listdir(self.folder), 1)

    def test_the_cache_keeps_the_names_of_earlier_versions(self):
        text.embed(Simple(), self.captions, self.folder)
        text.embed(Simple(), np.array("Ωmega 𝄞 a".split()), self.folder)
        self.assertEqual(sorted(os.listdir(self.folder)), NAMES)

    def test_captions_of_like_length_are_read_together_in_their_order(self):
        seen = []

        class Watched(Simple):
            def __call__(self, captions):
                tf.py_function(lambda x: seen.append(x.numpy()), [captions], [])
                return super().__call__(captions)

        captions = np.array("zz é b aaa Ω 𝄞 aaa".split())
        text.embed(Watched(), captions, batch_size=4)
        read = [[caption.decode() for caption in some] for some in seen]
        self.assertEqual(read, [["b", "é", "Ω", "𝄞"], ["zz", "aaa"]])

    def test_a_second_call_reads_the_cache(self):
        encoder = Simple()
        first = text.embed(encoder, self.captions, self.folder)
        second = text.embed(encoder, self.captions, self.folder)
        self.assertAllEqual(first, second)
        self.assertEqual(encoder.count.numpy(), 5)
        self.assertLen(os.listdir(self.folder), 1)

    def test_the_cache_knows_captions_their_places_and_the_encoder(self):
        text.embed(Simple(), self.captions, self.folder)
        text.embed(Simple(), self.captions[::-1], self.folder)
        text.embed(Simple(), self.captions.T, self.folder)
        text.embed(Simple(), self.captions.ravel(), self.folder)
        text.embed(Simple("other"), self.captions, self.folder)
        joined = np.array([["a red"], ["bird"]])
        text.embed(Simple(), joined, self.folder)
        text.embed(Simple(), np.array([["a"], ["red bird"]]), self.folder)
        self.assertLen(os.listdir(self.folder), 7)

    def test_a_damaged_cache_is_written_anew(self):
        first = text.embed(Simple(), self.captions, self.folder)
        (name,) = os.listdir(self.folder)
        path = os.path.join(self.folder, name)
        whole = open(path, "rb").read()
        for damaged in (whole[:-1], b"", b"nonsense" * 9, whole[:20]):
            with open(path, "wb") as file:
                file.write(damaged)
            self.assertAllEqual(
                text.embed(Simple(), self.captions, self.folder), first
            )
            self.assertEqual(open(path, "rb").read(), whole)

    def test_a_caption_that_cannot_be_read_is_named(self):
        self.captions[1, 1] = ""
        with self.assertRaisesRegex(ValueError, "Caption 4 .* is empty"):
            text.embed(Simple(), self.captions, self.folder)
        self.assertEmpty(os.listdir(self.folder))


class Packed:
    """A table of captions that only tells its UTF-8."""

    def __init__(self, captions):
        self.shape, self.size = captions.shape, captions.size
        self._texts = [caption.encode() for caption in captions.ravel()]

    def encoded(self, places):
        return [self._texts[place] for place in places]


class LargeSetTest(tf.test.TestCase):
    """Vectors of large sets lie in files of few bytes."""

    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.captions = np.array([CAPTIONS, ["bird", "a bird", "red"]])

    def test_sentences_of_half_floats_stay_on_the_disk(self):
        encoder = Simple()
        expected = text.embed(encoder, self.captions)
        for captions in (self.captions, Packed(self.captions)):
            store = text.embed(
                encoder, captions, self.folder, dtype="float16", batch_size=2
            )
            self.assertEqual(store.shape, (2, 3))
            self.assertEqual(store.max_words, 0)
            self.assertAllClose(np.asarray(store), expected)
        self.assertEqual(encoder.count.numpy(), 10)
        self.assertLen(os.listdir(self.folder), 2)  # with a lock

    def test_half_floats_need_a_folder(self):
        with self.assertRaisesRegex(ValueError, "name their cache_dir"):
            text.embed(Simple(), self.captions, dtype="float16")
        with self.assertRaisesRegex(ValueError, "'float32' and 'float16'"):
            text.embed(Simple(), self.captions, dtype="int8")

    def test_words_are_kept_without_padding(self):
        encoder = tiny()
        for captions in (self.captions, Packed(self.captions)):
            store = text.embed_words(encoder, captions, self.folder)
        self.assertLen(os.listdir(self.folder), 2)  # with a lock
        places = np.arange(6)
        made = store.rows(places)
        expected = encoder(tf.constant(self.captions.ravel().tolist()))
        self.assertAllEqual(made["mask"], expected["mask"])
        for key in ("words", "sentence"):
            self.assertAllClose(made[key], expected[key], 2e-3, 2e-3)
        real = np.unique(self.captions).tolist()
        count = int(tf.reduce_sum(tf.cast(encoder(real)["mask"], tf.int32)))
        size = os.path.getsize(store.folder / "vectors-00000.tfrecord")
        self.assertEqual(size, count * 8 * 2 + len(real) * (8 * 2 + 16))

    def test_words_of_a_byte_are_close(self):
        encoder = tiny()
        store = text.embed_words(
            encoder, self.captions, self.folder, dtype="int8", max_words=4
        )
        made = store.rows(np.arange(6))
        expected = encoder(tf.constant(self.captions.ravel().tolist()))
        self.assertEqual(made["words"].shape, (6, 4, 8))
        self.assertAllEqual(made["mask"], expected["mask"][:, :4])
        largest = np.abs(expected["words"]).max()
        self.assertAllClose(
            made["words"], expected["words"][:, :4], 0.0, largest / 254 + 1e-6
        )

    def test_stores_are_named_by_what_is_in_them(self):
        captions, folder = self.captions, self.folder
        text.embed_words(tiny(), captions, folder)
        text.embed_words(tiny(), captions, folder, dtype="int8")
        text.embed_words(tiny(), captions, folder, max_words=3)
        text.embed_words(tiny(), captions[:1], folder)
        text.embed_words(tiny("other"), captions, folder)
        stores = [n for n in os.listdir(folder) if n.startswith("words_")]
        self.assertLen(stores, 5)

    def test_a_caption_that_cannot_be_read_is_named_before_any_is(self):
        self.captions[1, 1] = ""
        encoder = Wordy()
        with self.assertRaisesRegex(ValueError, "Caption .* is empty"):
            text.embed_words(encoder, self.captions, self.folder)
        with self.assertRaisesRegex(ValueError, "Caption .* is empty"):
            text.embed(encoder, self.captions, self.folder, dtype="float16")
        self.assertEqual(encoder.count.numpy(), 0)

    def test_encoder_without_words_is_named(self):
        encoder = Simple()
        encoder.max_words = 3
        sentence = (
            "^Text encoder 'Simple' answers captions without 'words' and "
            "'mask'; needed are 'words', 'mask', 'sentence'.$"
        )
        with self.assertRaisesRegex(ValueError, sentence):
            text.embed_words(encoder, self.captions, self.folder)
        encoder.name = "far"
        with self.assertRaisesRegex(ValueError, "'far'"):
            text.embed_words(encoder, self.captions, self.folder)
        self.assertEqual(encoder.count.numpy(), 0)
        text.embed_words(Wordy(), self.captions, self.folder)

    def test_memory_of_packed_captions_is_not_that_of_the_longest(self):
        captions = np.full((500, 4), "a photo", object)
        captions[-1, -1] = "x" * 20_000
        packed = Packed(captions)
        for cache in (None, self.folder):
            tracemalloc.start()
            vectors = text.embed(Simple(), packed, cache)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(most, 10e6)  # Of 160 MB as wide letters.
            self.assertEqual(vectors.shape, (500, 4, 2))
            self.assertEqual(vectors[-1, -1, 0], 20_000)


class HubEncoderTest(tf.test.TestCase):
    """What a foreign model may answer."""

    def read(self, answer, preprocess=None):
        return text.HubEncoder(lambda _: answer, preprocess, "far", "d")

    def test_a_lone_vector_is_the_sentence_and_its_one_word(self):
        vector = tf.constant([[1.0, 2.0]])
        encoder = self.read(vector)
        self.assertEqual((encoder.dim, encoder.max_words), (2, 1))
        outputs = encoder(tf.constant(["a"]))
        self.assertAllEqual(outputs["sentence"], vector)
        self.assertAllEqual(outputs["words"], [[[1.0, 2.0]]])
        self.assertAllEqual(outputs["mask"], [[True]])

    def test_words_and_their_mask(self):
        answer = {
            "pooled_output": tf.ones((1, 2)),
            "default": tf.zeros((1, 2)),
            "sequence_output": tf.ones((1, 3, 2)),
        }
        mask = tf.constant([[1, 1, 0]])
        for encoder in (
            self.read(answer | {"input_mask": mask}),
            self.read(answer, lambda _: {"input_mask": mask}),
        ):
            outputs = encoder(tf.constant(["a"]))
            self.assertAllEqual(outputs["sentence"], [[1, 1]])
            self.assertAllEqual(outputs["words"][0], [[1, 1], [1, 1], [0, 0]])
            self.assertAllEqual(outputs["mask"], [[True, True, False]])
            self.assertEqual(encoder.pieces("a"), ["1", "2"])

    def test_other_answers_are_refused(self):
        with self.assertRaisesRegex(ValueError, "answers {'logits'"):
            self.read({"logits": tf.ones((1, 2))})
        with self.assertRaisesRegex(ValueError, "wanted is"):
            self.read(tf.ones((2,)))
        with self.assertRaisesRegex(ValueError, "without an 'input_mask'"):
            self.read(
                {
                    "default": tf.ones((1, 2)),
                    "sequence_output": tf.ones((1, 3, 2)),
                }
            )

    def test_empty_captions_are_refused(self):
        with self.assertRaisesRegex(ValueError, "is empty"):
            self.read(tf.ones((1, 2))).check(["a", " "])


if __name__ == "__main__":
    tf.test.main()
