"""Examines the BERT encoder; its numbers are examined with real weights."""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.encoders import bert

TINY = dict(
    vocabulary_size=11, width=8, layers=2, heads=2, hidden=12, positions=9
)


def batch(rows):
    """Ids without 0, and a mask of their lengths."""
    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), np.int32)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
    return {"ids": ids, "mask": ids != 0}


class EncoderTest(tf.test.TestCase):
    """Laws that hold whatever the weights are."""

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)
        self.model = bert.encoder(**TINY)
        for v in self.model.weights:  # No zeros and ones that hide a mistake.
            v.assign(v + np.random.normal(size=v.shape) * 0.3)

    def test_shapes(self):
        outputs = self.model(batch([[1, 2, 3], [4]]))
        self.assertEqual(outputs["words"].shape, (2, 3, 8))
        self.assertEqual(outputs["sentence"].shape, (2, 8))

    def test_sentence_is_the_mean_of_its_words_at_length_one(self):
        outputs = self.model(batch([[1, 2, 3], [4, 5]]))
        words = np.array(outputs["words"], np.float64)
        for row, count in enumerate((3, 2)):
            mean = words[row, :count].mean(0)
            self.assertAllClose(
                outputs["sentence"][row], mean / np.linalg.norm(mean), 1e-5
            )

    def test_padding_words_change_nothing(self):
        alone = self.model(batch([[4, 5]]))
        padded = batch([[1, 2, 3, 6, 7], [4, 5]])
        padded["ids"][1, 2:] = 9  # Not even what they are.
        together = self.model(padded)
        self.assertAllClose(together["words"][1, :2], alone["words"][0], 1e-5)
        self.assertAllClose(together["sentence"][1], alone["sentence"][0], 1e-5)

    def test_order_of_words_matters(self):
        outputs = self.model(batch([[1, 2, 3], [3, 2, 1]]))
        self.assertNotAllClose(outputs["sentence"][0], outputs["sentence"][1])

    def test_float32_under_any_policy(self):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            model = bert.encoder(**TINY)
        finally:
            keras.config.set_dtype_policy(before)
        model.set_weights(self.model.get_weights())
        inputs = batch([[1, 2, 3]])
        self.assertAllClose(
            model(inputs)["words"], self.model(inputs)["words"], 1e-6
        )

    def test_it_is_saved_whole(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "bert.keras")
        self.model.save(path)
        inputs = batch([[1, 2, 3], [4, 5]])
        self.assertAllClose(
            keras.models.load_model(path)(inputs), self.model(inputs)
        )

    def test_heads_that_do_not_divide_are_refused(self):
        with self.assertRaisesRegex(ValueError, "width 8 .* 3 heads"):
            bert.encoder(**TINY | {"heads": 3})


if __name__ == "__main__":
    tf.test.main()
