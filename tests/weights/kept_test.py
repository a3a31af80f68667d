"""Examines how weights are kept beside the card that tells of them."""

import json
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.weights import kept


def network():
    """Makes a network of two layers."""
    x = keras.Input((3,))
    return keras.Model(x, keras.layers.Dense(2)(keras.layers.Dense(4)(x)))


class KeptTest(parameterized.TestCase, tf.test.TestCase):
    """What comes back is what was written, or a sentence."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder, "weights.npz")
        self.card = pathlib.Path(folder, "card.json")

    def written(self, model, half=False):
        arrays = kept.named(model, "a/")
        kept.write(self.path, self.card, arrays, {"name": "x"}, half)
        return json.loads(self.card.read_text())

    @parameterized.parameters((False, 0.0), (True, 1e-3))
    def test_weights_come_back(self, half, rounding):
        ours, theirs = network(), network()
        card = self.written(ours, half)
        self.assertEqual(card["name"], "x")
        arrays = kept.read(self.path, card["weights"])
        kinds = {array.dtype.name for array in arrays.values()}
        self.assertEqual(kinds, {"float16" if half else "float32"})
        kept.fill(kept.named(theirs, "a/"), arrays, self.path, "network")
        for one, two in zip(ours.weights, theirs.weights, strict=True):
            self.assertAllClose(one, two, rounding, rounding)

    def test_names_are_those_of_places_not_of_a_process(self):
        self.assertEqual(
            list(kept.named(network())), list(kept.named(network()))
        )
        names = kept.named(network(), "a/")
        self.assertEqual(next(iter(names)), "a/000 kernel")
        self.assertLen(names, 4)

    def test_another_file_is_refused(self):
        card = self.written(network())
        data = self.path.read_bytes()
        self.path.write_bytes(data[:-1])
        with self.assertRaisesRegex(
            ValueError, "is not the file that its card"
        ):
            kept.read(self.path, card["weights"])
        self.path.unlink()
        with self.assertRaisesRegex(ValueError, "weights.npz can't be read"):
            kept.read(self.path, card["weights"])

    def test_nothing_is_filled_unless_all_fits(self):
        model = network()
        before = [np.array(v) for v in model.weights]
        own = kept.named(model)
        arrays = {key: np.zeros(v.shape) for key, v in own.items()}
        last = list(own)[-1]
        arrays[last] = np.zeros(7)
        with self.assertRaisesRegex(
            ValueError, r"\(7,\) there and \(2,\) in the n"
        ):
            kept.fill(own, arrays, self.path, "network")
        del arrays[last]
        with self.assertRaisesRegex(ValueError, "is missing there"):
            kept.fill(own, arrays, self.path, "network")
        for was, now in zip(before, model.weights, strict=True):
            self.assertAllEqual(was, now)


if __name__ == "__main__":
    tf.test.main()
