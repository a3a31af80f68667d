"""Examines recipes.pretrain on every config and variant, at `smoke`."""

import os
import pathlib

import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.callbacks import journal
from recipes import configs, pretraining
from tests.recipes import command, couples, runs

CONFIGS = pathlib.Path(configs.__file__).parent
CAPTIONS = tf.constant(["a red circle", "one square, small and blue"])
MATCHING = {
    "words_of_image",
    "image_of_words",
    "sentence_of_image",
    "image_of_sentence",
}


class VariantsTest(parameterized.TestCase, tf.test.TestCase):
    """One command leaves a pair of readers that can be opened."""

    def setUp(self):
        super().setUp()
        couples.quickly(self)
        self.workdir = runs.folder(self) / "run"

    def trained(self, config, scale):
        """Makes one move; answers what was printed."""
        code, printed, complained = command.run(
            "pretrain",
            f"--config={CONFIGS / config}.py:{scale}",
            f"--workdir={self.workdir}",
            "--config.train.moves=1",
            "--config.train.moves_per_epoch=1",
        )
        self.assertEqual((code, complained), (0, ""))
        return printed

    @parameterized.parameters(
        ("damsm_coco", "smoke"),
        ("damsm_folder", "smoke_cl"),
        *(("damsm_cub", scale) for scale in couples.VARIANTS),
        *(("damsm_openmoji", scale) for scale in couples.VARIANTS),
    )
    def test_every_variant_leaves_a_pair(self, config, scale):
        printed = self.trained(config, scale)
        self.assertIn("1 moves made", printed)
        pair = pretraining.opened(self.workdir)
        for name, value in pair.card["scores"].items():
            self.assertIn(f"  {name}: {value:.4f}\n", printed)
            self.assertBetween(value, 0.0, 1.0)
        self.assertIn(f"The pair lies in {self.workdir}/reader; ", printed)
        self.assertEqual(pair.text(CAPTIONS)["sentence"].shape, (2, 8))
        rows = journal.read(self.workdir / "metrics.jsonl")
        variant = {"contrast"} if couples.VARIANTS[scale] else set()
        self.assertLen(rows, 1)
        self.assertEqual(set(rows[0]["terms"]), MATCHING | variant)
        self.assertCountEqual(
            os.listdir(self.workdir),
            [
                "attention.png",
                "checkpoints",
                "config.json",
                "curves.png",
                "data.json",
                "metrics.jsonl",
                "reader",
                "tensorboard",
            ],
        )
        with Image.open(self.workdir / "attention.png") as sheet:
            sheet.load()
            # Eight rows of seven tiles, each of 96 px at least.
            self.assertGreaterEqual(sheet.width, 7 * 96)
            self.assertGreaterEqual(sheet.height, 8 * 96)


if __name__ == "__main__":
    tf.test.main()
