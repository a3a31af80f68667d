"""Examines recipes.compare: four systems in one picture."""

import json
import os

import tensorflow as tf
from absl import flags
from absl.testing import parameterized
from ml_collections import config_flags

from recipes import wiring
from recipes.configs import gan_cls_openmoji
from tests.recipes import command, runs

NAMES = ["GAN", "GANCLS", "GANINT", "GANINTCLS"]
CONFIG = f"--config={gan_cls_openmoji.__file__}:smoke"


class CompareTest(parameterized.TestCase, tf.test.TestCase):
    """Equal budgets, one set of captions, one sheet."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.workdir = self.folder / "four"

    def compare(self, *words):
        return command.run(
            "compare", CONFIG, f"--workdir={self.workdir}", *words
        )

    def refused(self, *words):
        code, _, complained = self.compare(*words)
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        return complained

    def test_four_variants_are_trained_alike_and_drawn_on_one_sheet(self):
        code, printed, complained = self.compare("--config.train.moves=2")
        self.assertEqual((code, complained), (0, ""))
        self.assertIn(f"The sheet is {self.workdir / 'compare.png'}", printed)
        self.assertCountEqual(os.listdir(self.workdir), [*NAMES, "compare.png"])
        configs = {}
        for name in NAMES:
            text = (self.workdir / name / "config.json").read_text()
            configs[name] = json.loads(text)
            system = configs[name].pop("system")
            self.assertEqual(system["name"], name)
        for name in NAMES:
            self.assertEqual(configs[name], configs["GAN"])
        sheet = tf.io.decode_png((self.workdir / "compare.png").read_bytes())
        # Two captions wide, four systems high, pictures enlarged 8 times.
        self.assertBetween(sheet.shape[1], 2 * 128, 3 * 128)
        self.assertGreater(sheet.shape[0], 4 * 128)
        drawn = set()
        for name in NAMES:
            folder = self.workdir / name / "checkpoints" / "move_00000002"
            reader = tf.train.load_checkpoint(folder / "arrays")
            kernel = reader.get_tensor("generator/0/.ATTRIBUTES/VARIABLE_VALUE")
            drawn.add(kernel.tobytes())
        self.assertLen(drawn, 4)

    @parameterized.parameters(
        ("GAN", (1.0, 0.0, 1.0), (1.0, 0.0)),
        ("GANCLS", (1.0, 0.5, 0.5), (1.0, 0.0)),
        ("GANINT", (1.0, 0.0, 1.0), (2 / 3, 1 / 3)),
        ("GANINTCLS", (1.0, 0.5, 0.5), (2 / 3, 1 / 3)),
    )
    def test_each_variant_has_its_weights(self, name, judging, persuading):
        code, *_ = command.run("compare", "--help_is_no_flag")
        self.assertEqual(code, 2)
        from recipes import compare

        # Whatever the config says of the weights, the variant's count.
        shared = gan_cls_openmoji.get_config("smoke")
        shared.system.mismatch_weight = 0.9
        config = compare.variant(shared, name)
        self.assertEqual(shared.system.name, "GANINTCLS")
        system = wiring.system(config, wiring.text_encoder(config))
        weights = system.loss_weights
        self.assertAllClose(
            [weights[term] for term in ("real", "wrong", "fake")], judging
        )
        self.assertAllClose(
            [weights[term] for term in ("fool", "between")], persuading
        )

    def test_default_config_is_that_of_the_paper(self):
        command.run("compare", "--help_is_no_flag")
        default = config_flags.get_config_filename(flags.FLAGS["config"])
        self.assertEqual(default, "recipes/configs/gan_cls_openmoji.py")

    def test_mistakes_are_told_before_anything_is_trained(self):
        for words, sentence in (
            (["--systems=GAN,GANCSL"], "'GANCSL'.*Did you mean 'GANCLS'"),
            (["--systems="], "Name at least one"),
            (["--config.train.moves=3"], "multiple"),
        ):
            self.assertRegex(self.refused(*words), sentence)
            self.assertFalse(self.workdir.exists())
        config = runs.smoke()
        config.system.update(
            name="GANINT", mismatch_weight=0.0, interpolation_weight=1.0
        )
        runs.make(self.workdir / "GANINT", config)
        self.assertRegex(
            self.refused("--config.train.seed=3"), "GANINT holds a run with"
        )
        self.assertEqual(os.listdir(self.workdir), ["GANINT"])


if __name__ == "__main__":
    tf.test.main()
