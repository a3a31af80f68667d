"""Examines recipes.pretrain from its flags to its run directory."""

import dataclasses
import json
import pathlib

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.data import prepared, shapes
from recipes import configs, pretraining
from tests.recipes import command, couples, runs

CONFIGS = pathlib.Path(configs.__file__).parent
CAPTIONS = tf.constant(["a red circle", "one square, small and blue"])


def words(workdir, *more, config="damsm_openmoji", scale="smoke"):
    """Lists the flags of a smoke run."""
    path = CONFIGS / f"{config}.py"
    return [f"--config={path}:{scale}", f"--workdir={workdir}", *more]


class PretrainTest(parameterized.TestCase, tf.test.TestCase):
    """One command leaves a pair of readers that can be opened."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.workdir = self.folder / "run"

    def trained(self, *more, **options):
        code, printed, complained = command.run(
            "pretrain", *words(self.workdir, *more, **options)
        )
        self.assertEqual((code, complained), (0, ""))
        return printed

    def test_packaged_network_is_looked_through_and_not_kept(self):
        self.trained("--config.train.moves=2")
        place = self.workdir / "reader"
        self.assertLess((place / "reader.npz").stat().st_size, 50_000)
        pair = pretraining.opened(self.workdir)
        self.assertEqual(pair.card["recipe"]["image"]["encoder"], "lite0")
        self.assertEqual(pair.text(CAPTIONS)["words"].shape[2], 8)

    def test_complete_run_rests(self):
        couples.quickly(self)
        self.trained()
        before = runs.contents(self.workdir)
        printed = self.trained()
        self.assertIn("already has 4 moves; nothing is to do.\n", printed)
        after = runs.contents(self.workdir)
        for path, data in before.items():
            self.assertEqual(data, after[path], path)

    def test_pair_is_opened_by_its_folder(self):
        couples.quickly(self)
        self.trained("--config.train.moves=2", config="damsm_cub")
        pair = weights.readers.load(self.workdir / "reader")
        words = json.loads((self.workdir / "reader/reader.json").read_text())
        self.assertEqual(words["vocabulary"], pair.card["vocabulary"])
        with self.assertRaisesRegex(
            ValueError, "has no word of the vocabulary"
        ):
            pair.text.check(["zwölf Boxkämpfer"])


class MistakesTest(parameterized.TestCase, tf.test.TestCase):
    """Mistakes are one sentence each, before anything slow starts."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)

    def told(self, *more, **options):
        workdir = self.folder / "run"
        code, _, complained = command.run(
            "pretrain", *words(workdir, *more, **options)
        )
        self.assertEqual(code, 2)
        self.assertLen(complained.strip().splitlines(), 1)
        self.assertFalse((workdir / "config.json").exists())
        return complained

    @parameterized.parameters(
        ("image.encoder=inception", "torchvision_inception don't come with th"),
        ("image.encoder=vgg", "'vgg'; known are inception, "),
        ("image.source=nowhere.npz", "nowhere.npz"),
        ("text.encoder=gru", "config.text.encoder is 'gru'; known: "),
        ("text.encoder=hub", "config.text.source"),
        ("data.max_words=0", "max_words is 0"),
        ("data.held_out=400", "held_out is 400; allowed: 0, and 2 to half"),
        ("best.keep=1", "config.data.held_out is 0: say how many"),
        ("train.batch_size=1000", "batch_size is 1000 but set 'shapes/train'"),
        ("train.seed=-1", "train.seed is -1; allowed"),
        ("train.moves=3", "config.train.moves is 3 and moves_per_epoch 2"),
        ("system.contrast=triplet", "contrast is 'triplet'; known are None"),
        ("system.negatives=all", "negatives is 'all'; allowed are"),
        ("system.name=GAN", "config.system.name is 'GAN'; known: DAMSM"),
        ("loss_weights.contrast=1.0", "contrast weighs 1.0, but there is none"),
    )
    def test_bad_value_is_told(self, value, sentence):
        self.assertIn(
            sentence, self.told(f"--config.{value}", config="damsm_cub")
        )

    @parameterized.parameters(
        ("smoke_cl", "which compares two captions of a picture; those of lone"),
        ("smoke_scl", "which compares pictures of one class; no two pictures"),
    )
    def test_sets_without_pairs_are_told(self, scale, sentence):
        whole = shapes.load(16, 16)
        lonely = dataclasses.replace(
            whole,
            captions=whole.captions[:, :1],
            labels=whole.labels * 0 - 1,
        )
        prepared.write(
            self.folder / "lonely", {"train": lonely, "test": lonely}
        )
        flags = (
            "--config.data.name=records",
            f"--config.data.path={self.folder / 'lonely'}",
        )
        self.assertIn(sentence, self.told(*flags, scale=scale))


if __name__ == "__main__":
    tf.test.main()
