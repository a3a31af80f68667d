"""Examines how runs and presets are opened."""

import json
import shutil
from unittest import mock

import tensorflow as tf

from keras_t2i import weights
from recipes import trained
from tests.recipes import runs


class TrainedTest(tf.test.TestCase):
    """What was trained is opened as it was left."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)

    def test_run_draws_its_average_in_float32(self):
        system = runs.make(self.folder)
        for variable in system.average.weights:
            variable.assign(variable + 0.1)
        shutil.rmtree(self.folder / "checkpoints")
        runs.keep(system, self.folder)
        found = trained.run(self.folder)
        self.assertEqual(found.card["moves"], 4)
        self.assertEqual(found.config.train.precision, "mixed_bfloat16")
        layers = found.painter.generator.layers
        self.assertEqual({x.compute_dtype for x in layers}, {"float32"})
        captions = ["a red circle", "a blue square"]
        self.assertAllEqual(
            found.painter.generate(captions), system.generate(captions)
        )

    def test_config_is_locked(self):
        runs.make(self.folder)
        config = trained.read_config(self.folder)
        with self.assertRaises(AttributeError):
            config.train.sed = 3
        self.assertEqual(config.to_dict().keys(), runs.smoke().to_dict().keys())

    def test_broken_config_is_named(self):
        for text in ("", "[]", "7", "{"):
            (self.folder / "config.json").write_text(text)
            with self.assertRaisesRegex(
                ValueError, "config.json can't be read"
            ):
                trained.read_config(self.folder)

    def test_config_of_other_kinds_is_named(self):
        whole = json.loads(runs.smoke().to_json())
        for section, value, told in (
            ("train", 3, "train is 3, no section"),
            ("train", {**whole["train"], "seed": "x"}, "train.seed is 'x', no"),
            ("networks", {"generator": 3}, "networks.discriminator is missing"),
            ("text", "minilm", "text is 'minilm', no section"),
            ("samples", {"captions": 3}, "samples.captions is 3, no tuple"),
        ):
            text = json.dumps({**whole, section: value})
            (self.folder / "config.json").write_text(text)
            with self.assertRaisesRegex(
                ValueError, rf"config.json can't be read \({told}"
            ):
                trained.read_config(self.folder)
        (self.folder / "config.json").write_text('{"train": 3}')
        with self.assertRaisesRegex(ValueError, "config.json can't be read"):
            trained.read_config(self.folder)

    def test_config_of_an_old_run_is_read(self):
        kept = json.loads(runs.smoke().to_json())
        del kept["text"]["source"], kept["data"]["path"], kept["image"]
        (self.folder / "config.json").write_text(json.dumps(kept))
        found = trained.read_config(self.folder)
        self.assertEqual(found.to_dict(), kept)

    def test_run_without_checkpoint_is_told_how_to_train(self):
        runs.make(self.folder)
        shutil.rmtree(self.folder / "checkpoints")
        with self.assertRaisesRegex(
            ValueError, "holds no checkpoint; train first: python -m recipes.tr"
        ):
            trained.run(self.folder)

    def test_preset_draws_what_its_run_draws(self):
        system = runs.make(self.folder / "run")
        recipe = runs.smoke().to_dict()
        section = dict(recipe["networks"]["generator"])
        card = {
            "network": section.pop("name"),
            "arguments": {
                "image_size": 16,
                "text_dim": 16,
                "width": section["width"],
                "noise_dim": section["noise_dim"],
            },
            "recipe": recipe,
            "moves": 4,
        }
        weights.presets.save("toy", system.average, card, self.folder)
        found = trained.preset("toy", self.folder)
        self.assertEqual(found.config.data.name, "shapes")
        self.assertEqual(found.painter.text_encoder.name, "letters")
        captions = ["a red circle", "a blue square"]
        self.assertAllClose(
            found.painter.generate(captions),
            system.generate(captions),
            atol=5e-2,
        )

    def test_unknown_preset_is_told_its_neighbour(self):
        with mock.patch.object(
            weights.presets, "names", return_value=["openmoji_64"]
        ):
            with self.assertRaisesRegex(ValueError, "mean 'openmoji_64'"):
                trained.preset("openmoji")


if __name__ == "__main__":
    tf.test.main()
