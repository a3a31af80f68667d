"""Examines recipes.export from its flags to the folder."""

import os
from unittest import mock

import tensorflow as tf

from keras_t2i import serving
from keras_t2i.ops import images
from recipes import trained
from tests.recipes import command, runs


class ExportTest(tf.test.TestCase):
    """A run becomes a SavedModel."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.run = self.folder / "run"
        self.system = runs.make(self.run)

    def refused(self, *words):
        code, _, complained = command.run("export", *words)
        self.assertEqual(code, 2)
        self.assertNotIn("Traceback", complained)
        self.assertEqual(complained.count("\n"), 1, complained)
        return complained

    def test_served_picture_equals_the_systems(self):
        code, printed, _ = command.run("export", f"--workdir={self.run}")
        self.assertEqual(code, 0)
        self.assertIn(f"--saved_model={self.run / 'saved_model'}", printed)
        self.assertIn("--caption='a red circle'\n", printed)
        served = serving.load(self.run / "saved_model")
        captions = ["a red circle", "a blue square"]
        self.assertAllEqual(
            served.generate(captions, 3),
            images.to_uint8(self.system.generate(captions, 3)),
        )
        self.assertEqual(served.card["moves"], 4)
        self.assertEqual(served.card["recipe"]["data"]["name"], "shapes")

    def test_preset_goes_where_it_is_told_to(self):
        card = {"moves": 9, "recipe": runs.smoke().to_dict()}
        opened = trained.Trained(self.system.painter, card)
        with mock.patch.object(trained, "preset", return_value=opened):
            complaint = self.refused("--preset=toy")
            out = self.folder / "served" / "1"
            code, *_ = command.run("export", "--preset=toy", f"--out={out}")
        self.assertIn("--out=FOLDER", complaint)
        self.assertEqual(code, 0)
        self.assertEqual(serving.load(out).card["moves"], 9)

    def test_mistakes_give_sentences(self):
        self.assertIn("Give exactly one of", self.refused())
        self.assertIn(
            "Did you mean 'run'?",
            self.refused(f"--workdir={self.folder / 'rnu'}"),
        )
        (self.folder / "blocked").write_bytes(b"here first")
        self.assertRegex(
            self.refused(
                f"--workdir={self.run}", f"--out={self.folder / 'blocked'}"
            ),
            "Cannot write.*blocked",
        )
        self.assertIn(
            "something else than a SavedModel",
            self.refused(f"--workdir={self.run}", f"--out={self.run}"),
        )
        self.assertCountEqual(
            os.listdir(self.run), ["config.json", "checkpoints"]
        )


if __name__ == "__main__":
    tf.test.main()
