"""Examines the two-way LSTM; PyTorch's numbers are in tests/weights."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.encoders import bi_lstm

IDS = np.array([[3, 1, 4, 1, 5], [9, 2, 6, 0, 0], [5, 0, 0, 0, 0]], np.int32)
LENGTHS = (5, 3, 1)
MASK = np.arange(5) < np.array(LENGTHS)[:, None]
INPUTS = {"ids": IDS, "mask": MASK}


def tiny(dropout=0.0, seed=0, **kwargs):
    """A reader of 10 ids, 4 numbers a word, 3 each way."""
    keras.utils.set_random_seed(seed)
    model = bi_lstm.encoder(
        10, embedding=4, width=6, dropout=dropout, max_words=5, **kwargs
    )
    random = np.random.RandomState(seed)
    for variable in model.weights:
        variable.assign(random.randn(*variable.shape))
    return model


def draws(seed=1):
    """Even numbers for dropout."""
    shape = (*IDS.shape, 4)
    return np.random.RandomState(seed).uniform(size=shape).astype(np.float32)


def one_way(layer, vectors):
    """Follows one way of one caption, one gate at a time, in float64."""
    kernel, recurrent, bias = (
        np.float64(v)
        for v in (layer.kernel, layer.recurrent_kernel, layer.bias)
    )
    size = recurrent.shape[0]
    hidden, cell, told = np.zeros(size), np.zeros(size), []
    for vector in vectors:
        summed = vector @ kernel + hidden @ recurrent + bias
        enter, keep, new, show = np.split(summed, 4)
        cell = cell / (1 + np.exp(-keep)) + np.tanh(new) / (1 + np.exp(-enter))
        hidden = np.tanh(cell) / (1 + np.exp(-show))
        told.append(hidden)
    return np.array(told)


def slowly(model, ids, lengths, change=lambda row, vectors: vectors):
    """Words and sentences, one caption at a time."""
    table = np.float64(model.get_layer("embedding").embeddings)
    two_ways = model.get_layer("two_ways")
    words = np.zeros((*ids.shape, 6))
    sentence = np.zeros((len(ids), 6))
    for row, length in enumerate(lengths):
        vectors = change(row, table[ids[row]])[:length]
        ahead = one_way(two_ways.forward_layer.cell, vectors)
        back = one_way(two_ways.backward_layer.cell, vectors[::-1])
        words[row, :length] = np.concatenate([ahead, back[::-1]], axis=1)
        sentence[row] = np.concatenate([ahead[-1], back[-1]])
    return words, sentence


class EncoderTest(tf.test.TestCase, parameterized.TestCase):
    """The graph, its masks and its draws."""

    def test_equals_the_slow_loop(self):
        model = tiny()
        words, sentence = slowly(model, IDS, LENGTHS)
        told = model(INPUTS)
        self.assertAllClose(told["words"], words, 1e-5, 1e-6)
        self.assertAllClose(told["sentence"], sentence, 1e-5, 1e-6)

    def test_dropout_forgets_embedded_numbers_as_the_draws_say(self):
        model, share = tiny(dropout=0.5), draws()

        def change(row, vectors):
            return vectors * np.where(share[row] >= 0.5, 2.0, 0.0)

        words, sentence = slowly(model, IDS, LENGTHS, change)
        told = model({**INPUTS, "dropout_words": share}, training=True)
        self.assertAllClose(told["words"], words, 1e-5, 1e-6)
        self.assertAllClose(told["sentence"], sentence, 1e-5, 1e-6)

    def test_outside_of_training_draws_change_nothing(self):
        model = tiny(dropout=0.5)
        told = model({**INPUTS, "dropout_words": draws()}, training=False)
        self.assertAllClose(told, bi_lstm.plain(model)(INPUTS))

    def test_plain_model_shares_the_weights_and_asks_for_no_draws(self):
        model = tiny(dropout=0.5)
        plain = bi_lstm.plain(model)
        self.assertCountEqual(plain.input, ["ids", "mask"])
        self.assertCountEqual(model.input, ["ids", "mask", "dropout_words"])
        self.assertEqual(
            [id(v) for v in plain.weights], [id(v) for v in model.weights]
        )
        self.assertEqual(model.input["dropout_words"].shape[1:], (5, 4))

    @parameterized.parameters(3, 5, 9)
    def test_padding_changes_nothing(self, longest):
        model = tiny()
        ids = np.zeros((1, longest), np.int32)
        ids[0, :3] = IDS[1, :3]
        ids[0, 3:] = 7  # Whatever stands there, even a word.
        mask = np.arange(longest)[None] < 3
        told = model({"ids": ids, "mask": mask})
        full = model(INPUTS)
        self.assertAllClose(told["words"][0, :3], full["words"][1, :3])
        self.assertAllEqual(told["words"][0, 3:], np.zeros((longest - 3, 6)))
        self.assertAllClose(told["sentence"][0], full["sentence"][1])

    def test_order_of_rows_goes_through(self):
        model = tiny()
        told, full = (
            model({k: v[::-1] for k, v in INPUTS.items()}),
            model(INPUTS),
        )
        for key in told:
            self.assertAllClose(told[key][::-1], full[key])

    def test_row_without_words_is_zero(self):
        model = tiny()
        told = model({"ids": IDS, "mask": np.zeros_like(MASK)})
        self.assertAllEqual(told["words"], np.zeros((3, 5, 6)))
        self.assertAllEqual(told["sentence"], np.zeros((3, 6)))

    def test_every_weight_but_unread_words_learns(self):
        model = tiny()
        with tf.GradientTape() as tape:
            told = model(INPUTS)
            loss = tf.reduce_sum(told["words"] ** 2) + tf.reduce_sum(
                told["sentence"] ** 3
            )
        slopes = tape.gradient(loss, [v.value for v in model.weights])
        for variable, slope in zip(model.weights, slopes, strict=True):
            slope = np.array(tf.convert_to_tensor(slope))
            self.assertGreater(np.abs(slope).max(), 0.0, variable.path)
        table = np.array(tf.convert_to_tensor(slopes[0]))
        self.assertAllEqual(table[[0, 7, 8]], np.zeros((3, 4)))

    def test_xla_tells_the_same(self):
        model = tiny(dropout=0.5)
        inputs = {**INPUTS, "dropout_words": draws()}

        def ask(inputs):
            with tf.GradientTape() as tape:
                told = model(inputs, training=True)
                loss = tf.reduce_sum(told["sentence"] ** 2)
            return told, tape.gradient(loss, model.weights[1].value)

        inputs = {k: tf.constant(v) for k, v in inputs.items()}
        told, slope = tf.function(ask, jit_compile=True)(inputs)
        expected, expected_slope = ask(inputs)
        self.assertAllClose(told, expected)
        self.assertAllClose(slope, expected_slope, 1e-5, 1e-5)

    def test_mixed_precision_tells_float32(self):
        expected = tiny()(INPUTS)
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            model = tiny()
        finally:
            keras.config.set_dtype_policy("float32")
        told = model(INPUTS)
        for key, value in told.items():
            self.assertEqual(value.dtype, tf.float32)
            self.assertAllClose(value, expected[key], 0.05, 0.05)
        self.assertEqual({v.dtype for v in model.weights}, {"float32"})

    def test_starts_are_pytorchs(self):
        keras.utils.set_random_seed(0)
        model = bi_lstm.encoder(2000)
        for variable in model.weights:
            values = np.array(variable)
            bound = 0.1 if "embedding" in variable.path else 128**-0.5
            self.assertLess(np.abs(values).max(), bound)
            self.assertGreater(np.abs(values).max(), 0.98 * bound)
            self.assertNear(values.std(), bound / 3**0.5, 0.05 * bound)

    def test_no_two_weights_start_alike(self):
        keras.utils.set_random_seed(0)
        model = bi_lstm.encoder(200)
        starts = [np.array(v).ravel()[:100] for v in model.weights]
        for i, one in enumerate(starts):
            for other in starts[:i]:
                size = min(len(one), len(other))
                likeness = np.corrcoef(one[:size], other[:size])[0, 1]
                self.assertLess(abs(likeness), 0.5)

    def test_sizes_of_the_published_reader(self):
        # 2,075,320 numbers for birds, with Torch's second pair of biases.
        model = bi_lstm.encoder(5450)
        self.assertEqual(model.count_params(), 2_075_320 - 2 * 512)
        self.assertEqual(model.output["words"].shape, (None, 18, 256))

    def test_odd_width_is_refused(self):
        with self.assertRaisesRegex(ValueError, "width is 7; two ways"):
            bi_lstm.encoder(5, width=7)


if __name__ == "__main__":
    tf.test.main()
