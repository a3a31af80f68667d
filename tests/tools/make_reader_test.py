"""Examines how a run's pair of readers comes to lie in the package."""

import json
from unittest import mock

import numpy as np
import tensorflow as tf

from keras_t2i import weights
from recipes import letters, streams, telling, wiring
from recipes.configs import captioner_openmoji, damsm_openmoji
from tests.recipes import command, couples, runs

CONFIG = f"--config={damsm_openmoji.__file__}:smoke_ce"
CAPTIONER = f"--config={captioner_openmoji.__file__}:smoke"


class MakeReaderTest(tf.test.TestCase):
    """What is kept is rounded, and scored as it is kept."""

    def test_kept_pair_is_the_runs_rounded_and_has_its_own_scores(self):
        folder = runs.folder(self)
        cache = folder / "cache"
        with mock.patch.object(wiring, "cache_dir", lambda: cache):
            code, _, complained = command.run(
                "pretrain", CONFIG, f"--workdir={folder / 'run'}"
            )
            self.assertEqual((code, complained), (0, ""))
            words = f"--workdir={folder / 'run'}", f"--folder={folder}/pairs"
            code, printed, complained = command.run(
                "make_reader", "--name=mine", *words, room="tools"
            )
        self.assertEqual((code, complained), (0, ""))
        self.assertEqual(weights.readers.names(folder / "pairs"), ["mine"])
        base = letters.Letters()
        kept = weights.readers.load("mine", folder / "pairs", base)
        made = weights.readers.load(folder / "run" / "reader", base=base)
        for name, value in kept.card["scores"].items():
            self.assertIn(f"  {name}: {value:.4f}\n", printed)
        self.assertEqual(kept.card["recipe"], made.card["recipe"])
        captions = tf.constant(["a red circle"])
        ours, theirs = (x.text(captions)["sentence"] for x in (kept, made))
        self.assertAllClose(ours, theirs, 1e-2, 1e-2)
        ours, theirs = (x.classes.weights for x in (kept, made))
        for one, other in zip(ours, theirs, strict=True):
            self.assertAllClose(one, other, 1e-2, 1e-2)
        with np.load(folder / "pairs" / "mine" / "reader.npz") as arrays:
            self.assertEqual(
                {arrays[x].dtype.name for x in arrays}, {"float16"}
            )
        told = json.loads((folder / "pairs/mine/reader.json").read_text())
        self.assertEqual(told["name"], "mine")

    def test_kept_captioner_is_the_runs_rounded_and_has_its_own_scores(self):
        couples.quickly(self)
        folder = runs.folder(self)
        code, _, complained = command.run(
            "pretrain", CAPTIONER, f"--workdir={folder / 'run'}"
        )
        self.assertEqual((code, complained), (0, ""))
        words = f"--workdir={folder / 'run'}", f"--folder={folder}/kept"
        code, printed, complained = command.run(
            "make_reader", "--name=mine", *words, room="tools"
        )
        self.assertEqual((code, complained), (0, ""))
        self.assertEqual(weights.captioners.names(folder / "kept"), ["mine"])
        kept = weights.captioners.load("mine", folder / "kept")
        made = telling.reader(folder / "run")
        cards = [
            json.loads((place / "captioner.json").read_text())
            for place in (folder / "kept/mine", folder / "run/captioner")
        ]
        own = ("name", "weights", "scores")
        ours, theirs = (
            {key: x for key, x in card.items() if key not in own}
            for card in cards
        )
        self.assertEqual(ours, theirs)
        self.assertEqual(cards[0]["name"], "mine")
        for name, value in cards[0]["scores"].items():
            self.assertIn(f"  {name}: {value:.4f}\n", printed)
        config = captioner_openmoji.get_config("smoke")
        test = streams.source(config, "test")
        scores = telling.scores(kept, config, test)
        # Of dicts, near numbers would be equal.
        written, unrounded = (list(card["scores"].items()) for card in cards)
        self.assertEqual(written, list(scores.items()))
        self.assertNotEqual(written, unrounded)
        ids = made.ids(tf.constant(["a red circle"]))
        ours, theirs = (x(test.images[:1], ids) for x in (kept, made))
        self.assertAllClose(ours, theirs, 1e-2, 1e-2)
        with np.load(folder / "kept" / "mine" / "captioner.npz") as arrays:
            self.assertEqual(
                {arrays[x].dtype.name for x in arrays}, {"float16"}
            )

    def test_run_without_a_pair_is_refused(self):
        words = f"--workdir={runs.folder(self)}", "--name=mine"
        code, _, complained = command.run("make_reader", *words, room="tools")
        self.assertEqual(code, 2)
        self.assertIn("has no config.json", complained)


if __name__ == "__main__":
    tf.test.main()
