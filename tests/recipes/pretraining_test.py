"""Examines how pairs of readers are trained, gone on with and kept."""

import contextlib
import io
import json
import os
import pathlib
import signal
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import callbacks, weights
from keras_t2i.callbacks import journal
from recipes import agreeing, pretraining, reading, streams, training
from tests.recipes import couples, runs

CAPTIONS = tf.constant(["a red circle", "one square, small and blue"])


def trained(config, workdir, **more):
    """Trains without a word; answers the system."""
    with contextlib.redirect_stdout(io.StringIO()):
        return pretraining.train(config, workdir, **more)


def finished(config, workdir, system):
    """Keeps the pair without a word."""
    with contextlib.redirect_stdout(io.StringIO()):
        return pretraining.finish(config, workdir, system)


class FollowTest(tf.test.TestCase):
    """Whoever isn't the chief learns by the same rules."""

    def test_epochs_begin_anew_for_all_workers(self):
        config, folder = couples.config(), runs.folder(self)
        couples.quickly(self)
        with mock.patch.object(training, "play", return_value=None) as play:
            with mock.patch.object(
                training.cluster, "is_chief", return_value=False
            ):
                trained(config, folder / "run")
        kinds = [type(each) for each in play.call_args.args[4]]
        self.assertIn(callbacks.FreshEpochs, kinds)
        self.assertNotIn(callbacks.Journal, kinds)
        self.assertFalse((folder / "run").exists())


class TrainTest(parameterized.TestCase, tf.test.TestCase):
    """A run can be cut off anywhere and is the same in the end."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cache = runs.folder(cls)
        couples.quickly(cls)

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )

    def assert_same_run(self, ours, theirs):
        self.assertEqual(couples.arrays(ours, 4), couples.arrays(theirs, 4))
        rows = [
            [row["terms"] for row in journal.read(run / "metrics.jsonl")]
            for run in (ours, theirs)
        ]
        self.assertLen(rows[0], 2)
        self.assertEqual(*rows)

    @parameterized.parameters(
        ("damsm_cub", "smoke", "float32", 3),
        ("damsm_openmoji", "smoke_scl", "mixed_bfloat16", 1),
    )
    def test_resumed_run_equals_the_straight_one(self, name, scale, kind, stop):
        config = couples.config(name, scale)
        config.train.precision = kind
        straight = self.folder / "straight"
        trained(config, straight)
        workdir = self.folder / "stopped"

        def ask(callback, batch, logs=None):
            if int(callback.model.moves.numpy()) == stop - 1:
                os.kill(os.getpid(), signal.SIGTERM)

        with (
            mock.patch.object(
                callbacks.Checkpoint, "on_train_batch_begin", ask
            ),
            self.assertRaises(SystemExit),
        ):
            trained(config, workdir)
        self.assertEqual(callbacks.newest(workdir / "checkpoints"), stop)
        trained(config, workdir)
        self.assert_same_run(straight, workdir)

    def test_longer_run_equals_the_straight_one(self):
        config = couples.config("damsm_openmoji")
        straight, workdir = self.folder / "straight", self.folder / "longer"
        trained(config, straight)
        config.train.moves = 2
        trained(config, workdir)
        config.train.moves = 4
        trained(config, workdir)
        self.assert_same_run(straight, workdir)

    def test_epochs_begin_as_the_papers_do(self):
        config = couples.config("damsm_openmoji")
        system = trained(config, self.folder / "run")
        for optimizer in system.optimizers.values():
            rate = float(optimizer.learning_rate.numpy())
            self.assertAllClose(rate, 0.002 * 0.98, rtol=1e-6)
            self.assertEqual(int(optimizer.iterations.numpy()), 2)
        config.epochs.update(is_fresh=False, decay=1.0)
        system = trained(config, self.folder / "plain")
        for optimizer in system.optimizers.values():
            self.assertAllClose(float(optimizer.learning_rate.numpy()), 0.002)
            self.assertEqual(int(optimizer.iterations.numpy()), 4)

    def test_schedules_beside_epochs_are_refused(self):
        config = couples.config("damsm_openmoji")
        config.optimizers.text.halve_every = 2
        with self.assertRaisesRegex(ValueError, "of the text has a schedule"):
            trained(config, self.folder / "run")
        config.optimizers.text.halve_every = 0
        trained(config, self.folder / "run")  # Nothing stands in its way.

    def test_norms_move_while_all_else_of_the_network_stands_still(self):
        config = couples.config("damsm_cub")
        system = trained(config, self.folder / "run")
        trunk = system.players["image"].get_layer("toy_trunk")
        fresh = couples.toy("lite0", None, size=32, resize="bilinear").model
        for ours, theirs in zip(trunk.weights, fresh.weights, strict=False):
            self.assertEqual(ours.name, theirs.name)
            gap = np.abs(ours.numpy() - theirs.numpy()).max()
            self.assertEqual(gap > 0.0, ours.name.startswith("moving"))

    def test_best_are_chosen_by_pictures_held_out(self):
        config = couples.config("damsm_openmoji", "smoke_scl")
        config.data.held_out = 40
        config.best.update(keep=1, moves=2)
        whole = streams.source(config, "train")
        _, held = reading.parted(len(whole), config)
        seen, vectors = [], agreeing.vectors

        def watched(pair, config, pictures):
            seen.append(pictures.keys)
            return vectors(pair, config, pictures)

        with mock.patch.object(agreeing, "vectors", watched):
            trained(config, self.folder / "run")
        self.assertLen(seen, 2)
        for keys in seen:
            self.assertAllEqual(keys, whole.keys[held])
        rows = (self.folder / "run" / "best" / "scores.jsonl").read_text()
        rows = [json.loads(line) for line in rows.splitlines()]
        self.assertEqual([row["move"] for row in rows], [2, 4])
        best = max(rows, key=lambda row: row["image_to_text_r1"])
        (kept,) = (self.folder / "run" / "best").glob("move_*")
        self.assertEqual(kept.name, f"move_{best['move']:08d}")

    def test_choosing_does_not_change_the_run(self):
        config = couples.config("damsm_openmoji")
        config.data.held_out = 40
        trained(config, self.folder / "plain")
        config.best.update(moves=1)
        trained(config, self.folder / "watched")
        arrays = [
            couples.arrays(self.folder / name, 4)
            for name in ("plain", "watched")
        ]
        self.assertEqual(*arrays)

    @parameterized.parameters(
        (dict(keep=1), 0, "config.data.held_out is 0: say how many"),
        (dict(moves=2), 0, "config.data.held_out is 0: say how many"),
        (dict(keep=-1), 40, "keep -1, moves None and every 1; allowed"),
        (dict(keep=1, every=0), 40, "every 0; allowed: 0, 1 and 1"),
        (dict(moves=0), 40, "moves 0 and every 1; allowed"),
        (dict(keep=1, by="fid_lite0"), 40, "best.by is 'fid_lite0'; known: im"),
        (dict(keep=1, by="image_to_text_r5"), 4, "known: image_to_text_r1, te"),
    )
    def test_bad_choice_is_refused_before_training(self, best, held, sentence):
        config = couples.config()
        config.data.held_out = held
        config.best.update(best)
        with self.assertRaisesRegex(ValueError, sentence):
            trained(config, self.folder / "run")
        self.assertFalse((self.folder / "run").exists())

    def test_run_of_another_config_or_set_is_refused(self):
        config = couples.config("damsm_openmoji")
        trained(config, self.folder / "run")
        config.system.contrast = "nt_xent"
        with self.assertRaisesRegex(ValueError, "system.contrast = None; now"):
            trained(config, self.folder / "run")
        config.system.contrast = None
        other = couples.toy("lite0", "x", size=32, resize="bilinear")
        with (
            mock.patch.object(weights.readers, "trunk", return_value=other),
            self.assertRaisesRegex(ValueError, "digest of the reader"),
        ):
            trained(config, self.folder / "run")


class FinishTest(parameterized.TestCase, tf.test.TestCase):
    """What a run leaves can be opened again, with its scores."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        couples.quickly(self)

    @parameterized.parameters(
        ("damsm_cub", "smoke", "mixed_bfloat16"),
        ("damsm_openmoji", "smoke_ce", "float32"),
        ("damsm_openmoji", "smoke_ce", "mixed_bfloat16"),
    )
    def test_opened_pair_is_the_trained_one(self, name, scale, precision):
        config = couples.config(name, scale)
        config.train.precision = precision
        system = trained(config, self.folder)
        before = finished(config, self.folder, system)
        after = pretraining.opened(self.folder)
        test = streams.source(config, "test")
        for ours, theirs in zip(
            agreeing.vectors(before, config, test),
            agreeing.vectors(after, config, test),
            strict=True,
        ):
            self.assertAllEqual(ours, theirs)
        self.assertEqual(before.text.digest, after.text.digest)
        self.assertEqual(before.image.digest, after.image.digest)
        self.assertEqual(after.classes is None, scale != "smoke_ce")
        if after.classes:
            names = streams.source(config, "train").class_names
            self.assertEqual(after.card["classes"], list(names))
            learned = system.players["classes"].weights
            for ours, theirs in zip(
                after.classes.weights, learned, strict=True
            ):
                self.assertAllEqual(ours, theirs)
        card, scores = after.card, agreeing.scores(after, config, test)
        self.assertEqual(card["scores"], scores)
        self.assertEqual("unknown_words" in scores, name == "damsm_cub")
        self.assertEqual(card["moves"], 4)
        self.assertEqual(card["recipe"]["system"]["contrast"], system.contrast)
        train = streams.source(config, "train").subset(np.arange(512))
        self.assertEqual(
            card["data"], {"train": train.digest, "test": test.digest}
        )
        self.assertIsInstance(card["minutes"], float)
        self.assertEqual(card["vocabulary"] is None, name != "damsm_cub")
        told = after.text(CAPTIONS)
        self.assertEqual(told["sentence"].dtype, tf.float32)
        self.assertEqual(told["words"].shape[2], after.image.dim)

    def test_pair_shares_what_is_trained(self):
        config = couples.config("damsm_cub")
        pictures, readers = reading.opened(config)
        system = reading.system(config, pictures, readers)
        pair = pretraining.pair(config, system, pictures, readers)
        before = pair.text(CAPTIONS)["sentence"].numpy()
        for variable in system.players["text"].weights:
            variable.assign(0.5 * variable)
        self.assertNotAllClose(pair.text(CAPTIONS)["sentence"], before)

    def test_run_without_a_pair_is_told(self):
        config = couples.config("damsm_openmoji")
        trained(config, self.folder)
        with self.assertRaisesRegex(ValueError, "reader' is neither a pair of"):
            pretraining.opened(self.folder)

    def test_run_of_a_generator_holds_no_pair(self):
        runs.make(self.folder)
        with self.assertRaisesRegex(ValueError, "config.json can't be read"):
            pretraining.opened(self.folder)


if __name__ == "__main__":
    tf.test.main()
