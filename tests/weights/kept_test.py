"""Examines how weights are kept beside the card that tells of them."""

import contextlib
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


class PlacesTest(parameterized.TestCase, tf.test.TestCase):
    """What is kept is found by name or folder, and its card read."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder)
        for name in ("second", "first"):
            (self.folder / name).mkdir()
            (self.folder / name / "card.json").write_text('{"a": 1}')
        (self.folder / "empty").mkdir()
        (self.folder / "other").mkdir()
        (self.folder / "other" / "reader.json").write_text("{}")
        (self.folder / "card.json").write_text("{}")

    def placed(self, source):
        return kept.place(source, self.folder, "card.json", "a thing")

    def test_names_are_those_of_folders_with_such_a_card(self):
        names = kept.names(self.folder, "card.json")
        self.assertEqual(names, ["first", "second"])
        self.assertEqual(kept.names(str(self.folder), "reader.json"), ["other"])
        self.assertEqual(kept.names(self.folder / "empty", "card.json"), [])
        self.assertEqual(kept.names(self.folder / "nowhere", "card.json"), [])

    def test_place_is_found_by_name_or_path(self):
        place = self.folder / "first"
        for source in ("first", place, str(place), pathlib.Path("first")):
            self.assertEqual(self.placed(source), place)
        inside = kept.place(place, self.folder / "empty", "card.json", "thing")
        self.assertEqual(inside, place)

    def test_name_comes_before_a_folder_where_one_stands(self):
        here = self.folder / "empty" / "first"
        here.mkdir()
        (here / "card.json").write_text("{}")
        with contextlib.chdir(here.parent):
            self.assertEqual(self.placed("first"), self.folder / "first")
            found = kept.place("first", self.folder / "x", "card.json", "thing")
        self.assertEqual(found, pathlib.Path("first"))

    @parameterized.parameters("third", "empty", "other", "first/card.json")
    def test_what_is_not_there_is_told_the_known(self, source):
        with self.assertRaisesRegex(
            ValueError,
            rf"'{source}' is neither a thing by name \(known: first, second\) "
            r"nor a folder with card\.json",
        ):
            self.placed(source)

    def test_nothing_known_is_told_so(self):
        with self.assertRaisesRegex(ValueError, r"\(known: none\) nor a fold"):
            kept.place("x", self.folder / "empty", "card.json", "a thing")

    def test_cards_are_read(self):
        path = self.folder / "card.json"
        path.write_text('{"word": "\u00fcber", "numbers": [1, null]}', "utf-8")
        card = kept.card(path)
        self.assertEqual(card, {"word": "\u00fcber", "numbers": [1, None]})

    @parameterized.parameters(
        (b"{", "card.json can't be read: Expecting"),
        (b"", "card.json can't be read: Expecting"),
        (b"\xff\xfe", "card.json can't be read: 'utf-8' codec"),
        (None, "card.json can't be read: .*No such file"),
    )
    def test_damaged_cards_are_refused(self, data, sentence):
        path = self.folder / "card.json"
        path.unlink() if data is None else path.write_bytes(data)
        with self.assertRaisesRegex(ValueError, sentence):
            kept.card(path)


if __name__ == "__main__":
    tf.test.main()
