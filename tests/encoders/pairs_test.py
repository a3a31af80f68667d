"""Examines trained readers: frozen, saved whole, alike everywhere."""

import subprocess
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import vocabulary
from keras_t2i.encoders import bi_lstm, heads, pairs, text, tokenizer
from tests import harness

CAPTIONS = ["a red bird", "a blue, blue heart", "bird"]
WORDS = vocabulary.Vocabulary.of(CAPTIONS)
#: A program that has never heard of this library.
STRANGER = """
import sys
import numpy as np
import tensorflow as tf
read = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
told = read(captions=tf.constant(np.load(sys.argv[2]).tolist()))
np.savez(sys.argv[3], **{k: v.numpy() for k, v in told.items()})
"""


def base():
    """A two-way LSTM with its vocabulary; 6 numbers a word."""
    keras.utils.set_random_seed(0)
    model = bi_lstm.encoder(len(WORDS) + 1, embedding=4, width=6, max_words=5)
    cut = tokenizer.Words(WORDS, max_words=5)
    return text.TextEncoder(cut, bi_lstm.plain(model), "bi_lstm", "base")


def text_reader(width=3):
    """The base with a head of 3 numbers, or without a change."""
    read = base()
    return pairs.TextReader(read, heads.text(6, width), "toy", "digest")


def image_reader(norms="batch"):
    """A convolution with a norm that has seen other pictures, at 12 px."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(4, 3, 2)(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x * x)
    trunk = keras.Model(
        {"image": image}, {"regions": x, "pooled": pooled}, name="trunk"
    )
    norm = trunk.get_layer("norm")
    norm.moving_mean.assign([0.5, -0.5, 0.1, 0.0])
    norm.moving_variance.assign([2.0, 0.5, 1.0, 3.0])
    model = heads.over(trunk, heads.image(4, 4, 5), size=12, norms=norms)
    return pairs.ImageReader(model, "toy", "digest")


def pictures(size=16):
    """Bytes."""
    shape = (2, size, size, 3)
    return np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)


class PiecesTest(tf.test.TestCase):
    """What words looked like, for people."""

    def test_pieces_are_the_bases(self):
        for reader in (base(), text_reader()):
            for caption in CAPTIONS:
                pieces = reader.pieces(caption)
                self.assertEqual(pieces, caption.replace(",", "").split())
                mask = reader(tf.constant([caption]))["mask"]
                self.assertLen(pieces, int(tf.math.count_nonzero(mask)))


class SavedTest(tf.test.TestCase, parameterized.TestCase):
    """Strings in, vectors out, by one SavedModel with its vocabulary."""

    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    @parameterized.named_parameters(
        ("bi_lstm", base), ("with a head", text_reader)
    )
    def test_readers_of_captions(self, make):
        holder = tf.Module()
        holder.reader = reader = make()
        holder.read = tf.function(
            lambda captions: holder.reader(captions),
            input_signature=[tf.TensorSpec((None,), tf.string, "captions")],
        )
        tf.saved_model.save(
            holder, self.folder, {"serving_default": holder.read}
        )
        expected = reader(tf.constant(CAPTIONS))
        loaded = tf.saved_model.load(self.folder)
        self.assertAllClose(loaded.read(tf.constant(CAPTIONS)), expected)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "no word that this encoder knows"
        ):
            loaded.read(tf.constant(["quark"]))
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            graph = tf.compat.v1.saved_model.load(
                session, ["serve"], self.folder
            )
            signature = graph.signature_def["serving_default"]
            (fed,) = signature.inputs.values()
            names = {k: v.name for k, v in signature.outputs.items()}
            told = session.run(names, {fed.name: CAPTIONS})
        self.assertAllClose(told, expected)

    def test_programs_without_this_library_read_the_same(self):
        holder = tf.Module()
        holder.reader = reader = text_reader()
        holder.read = tf.function(
            lambda captions: holder.reader(captions),
            input_signature=[tf.TensorSpec((None,), tf.string, "captions")],
        )
        saved, asked, told = (
            f"{self.folder}/{name}" for name in ("saved", "in.npy", "out.npz")
        )
        tf.saved_model.save(holder, saved, {"serving_default": holder.read})
        np.save(asked, CAPTIONS)
        subprocess.run(
            [sys.executable, "-c", STRANGER, saved, asked, told],
            env=harness.child_environment(),
            check=True,
        )
        with np.load(told) as found:
            self.assertAllClose(dict(found), reader(tf.constant(CAPTIONS)))

    def test_reader_of_pictures(self):
        holder = tf.Module()
        holder.reader = reader = image_reader()
        holder.read = tf.function(
            lambda image: holder.reader(image),
            input_signature=[tf.TensorSpec((None, 16, 16, 3), tf.uint8)],
        )
        tf.saved_model.save(
            holder, self.folder, {"serving_default": holder.read}
        )
        expected = reader(pictures())
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            graph = tf.compat.v1.saved_model.load(
                session, ["serve"], self.folder
            )
            signature = graph.signature_def["serving_default"]
            (fed,) = signature.inputs.values()
            names = {k: v.name for k, v in signature.outputs.items()}
            told = session.run(names, {fed.name: pictures()})
        self.assertAllClose(told, expected)


class TextReaderTest(tf.test.TestCase):
    """A reader and the head upon it."""

    def test_the_head_is_applied(self):
        reader = text_reader()
        told = reader(tf.constant(CAPTIONS))
        read = reader.base(tf.constant(CAPTIONS))
        expected = reader.head(
            {k: read[k] for k in ("words", "mask", "sentence")}
        )
        self.assertAllClose(told["words"], expected["words"])
        self.assertAllClose(told["sentence"], expected["sentence"])
        self.assertAllEqual(told["mask"], read["mask"])
        self.assertEqual(told["words"].shape, (3, 5, 3))
        self.assertAllEqual(told["words"][2, 1:], np.zeros((4, 3)))
        self.assertEqual((reader.dim, reader.max_words), (3, 5))
        self.assertEqual((reader.name, reader.digest), ("toy", "digest"))

    def test_a_head_that_changes_nothing_changes_nothing(self):
        reader = text_reader(width=None)
        told, read = (f(tf.constant(CAPTIONS)) for f in (reader, reader.base))
        self.assertAllEqual(told["sentence"], read["sentence"])
        self.assertAllEqual(told["words"], read["words"])
        self.assertEqual(reader.dim, 6)

    def test_whole_sets_are_read(self):
        reader = text_reader()
        table = np.array([CAPTIONS, CAPTIONS[::-1]])
        vectors = text.embed(reader, table)
        expected = reader(tf.constant(CAPTIONS))["sentence"]
        self.assertAllClose(vectors[0], expected)
        self.assertAllClose(vectors[1], expected[::-1])
        folder = self.enterContext(tempfile.TemporaryDirectory())
        store = text.embed_words(reader, table, folder)
        self.assertEqual(store.shape, (2, 3))

    def test_what_the_base_refuses_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no word of the vocabulary"):
            text_reader().check(["a bird", "quark"])


class ImageReaderTest(tf.test.TestCase):
    """Pictures of any size and either range."""

    def test_bytes_equal_floats_in_any_graph(self):
        reader = image_reader()
        floats = pictures().astype(np.float32) / 127.5 - 1.0
        expected = reader(pictures())
        self.assertEqual(expected["regions"].shape, (2, 5, 5, 5))
        self.assertEqual(expected["code"].shape, (2, 5))
        self.assertEqual(reader.dim, 5)
        self.assertAllClose(reader(floats), expected)
        self.assertAllClose(tf.function(reader)(tf.constant(floats)), expected)
        compiled = tf.function(reader, jit_compile=True)
        self.assertAllClose(compiled(tf.constant(floats)), expected, 1e-5, 1e-5)

    def test_sizes_may_change_from_call_to_call(self):
        reader = image_reader()
        for size in (12, 9, 30):
            self.assertEqual(reader(pictures(size))["code"].shape, (2, 5))

    def test_running_statistics_are_used_and_stand_still(self):
        for norms in heads.NORMS:
            reader = image_reader(norms)
            before = reader.model.get_weights()
            whole = reader(pictures())
            one = reader(pictures()[:1])
            self.assertAllClose(one["code"][0], whole["code"][0])
            after = reader.model.get_weights()
            for ours, theirs in zip(before, after, strict=True):
                self.assertAllEqual(ours, theirs)

    def test_gradients_reach_the_picture(self):
        reader = image_reader()
        images = tf.constant(pictures().astype(np.float32) / 127.5 - 1.0)

        def slope(images):
            with tf.GradientTape() as tape:
                tape.watch(images)
                told = reader(images)
                loss = tf.reduce_sum(told["code"] ** 2)
                loss += tf.reduce_sum(told["regions"] ** 2)
            return tape.gradient(loss, images)

        eager, graph = slope(images), tf.function(slope)(images)
        self.assertAllClose(eager, graph, 1e-4, 1e-5)
        self.assertGreater(np.count_nonzero(eager), tf.size(images) // 2)

    def test_other_shapes_are_refused(self):
        for shape in ((2, 12, 12), (2, 12, 12, 1)):
            with self.assertRaisesRegex(ValueError, r"\(B, H, W, 3\) is read"):
                image_reader()(np.zeros(shape, np.uint8))


if __name__ == "__main__":
    tf.test.main()
