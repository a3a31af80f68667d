"""Examines the clock of moves."""

import json
import pathlib
import subprocess
import sys
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from recipes import configs, letters
from tests import harness
from tests.recipes import command
from tools import reader_steps

CONFIGS = pathlib.Path(configs.__file__).parent
ROOT = CONFIGS.parents[1]
KEYS = {
    "ms_per_move",
    "pictures_per_s",
    "compile_s",
    "peak_gb",
    "xla",
    "replicas",
    "precision",
}


class TimeStepTest(parameterized.TestCase, tf.test.TestCase):
    """The last line is JSON with all that a comparison needs."""

    def timed(self, config, *more):
        words = [f"--config={CONFIGS / config}.py:smoke", "--moves=2", *more]
        code, printed, complained = command.run(
            "time_step", *words, "--warmup=1", room="tools"
        )
        self.assertEqual((code, complained), (0, ""))
        row = json.loads(printed.splitlines()[-1])
        self.assertContainsSubset(KEYS, row)
        self.assertEqual(row["moves"], 2)
        self.assertGreater(row["ms_min"], 0.0)
        self.assertBetween(row["ms_per_move"], row["ms_min"], row["ms_max"])
        speed = row["batch_size"] / row["ms_per_move"] * 1e3
        self.assertAllClose(row["pictures_per_s"], speed, rtol=0.05)
        self.assertGreater(row["peak_gb"], row["imports_gb"] / 2)
        return row

    def test_flags_change_what_is_timed(self):
        row = self.timed(
            "gan_cls_cub", "--batch_size=6", "--precision=mixed_bfloat16"
        )
        self.assertEqual(row["batch_size"], 6)
        self.assertEqual(row["precision"], "mixed_bfloat16")
        self.assertEqual((row["xla"], row["replicas"]), (False, 1))

    def test_terms_of_readers_are_told_apart(self):
        path = CONFIGS / "ssa_gan_openmoji.py"
        words = f"--config={path}:smoke_recap", "--moves=2", "--warmup=1"
        code, printed, complained = command.run(
            "time_step", "--terms", *words, room="tools"
        )
        self.assertEqual((code, complained), (0, ""))
        rows = json.loads(printed.splitlines()[-1])["ways"]
        names = ["words", "sentence", "recaptioning"]
        self.assertEqual(
            [row["terms"] for row in rows],
            ["none", *names, " + ".join(names)],
        )
        self.assertEqual(rows[0]["times none"], 1.0)
        for row in rows:
            self.assertGreater(row["ms a move"], 0.0)

    def test_config_without_such_terms_is_refused(self):
        path = CONFIGS / "gan_cls_openmoji.py"
        code, _, complained = command.run(
            "time_step", "--terms", f"--config={path}:smoke", room="tools"
        )
        self.assertEqual(code, 2)
        self.assertIn("the config weighs none of it", complained)

    def test_descents_are_told_apart(self):
        row = self.timed("wgan_gp_fashion_mnist", "--parts")
        names = [name.split()[-1] for name in row["parts_ms"]]
        descents = ["discriminator"] * 3 + ["generator"]
        self.assertEqual(names, [*descents, "finish"])
        self.assertNear(sum(row["parts_ms"].values()), row["ms_per_move"], 0.5)

    @parameterized.parameters(("smoke", 1), ("smoke_cl", 2), ("smoke_scl", 2))
    def test_branches_are_played_without_what_compares_them(self, scale, count):
        drawn = []

        def counted(system, batch, imagine=systems.AttnGAN.imagine):
            drawn.append(batch["latent"].shape)
            return imagine(system, batch)

        config = f"--config={CONFIGS / 'attngan_cub.py'}:{scale}"
        with mock.patch.object(systems.AttnGAN, "imagine", counted):
            code, *_ = command.run(
                "time_step", config, "--moves=1", "--warmup=1", room="tools"
            )
        self.assertEqual(code, 0)
        self.assertLen(drawn, count)  # One graph, drawn once a branch.

    def test_staged_players_and_what_their_readers_cost(self):
        reader = letters.pair(16).image
        players = mock.Mock(players={"image": reader.model})
        with mock.patch.object(
            reader_steps, "system", return_value=players
        ) as built:
            row = self.timed("dm_gan_coco", "--readers", "--parts")
        (asked,) = built.call_args.args
        self.assertEqual(asked.text.width, 16)  # as letters are wide
        self.assertEqual(
            list(row["parts_ms"]),
            ["1 discriminator_8+discriminator", "2 generator", "finish"],
        )

    def test_replicas_and_xla_are_played(self):
        done = subprocess.run(
            [
                sys.executable,
                ROOT / "tools" / "time_step.py",
                f"--config={CONFIGS / 'wgan_gp_fashion_mnist.py'}:smoke",
                *("--replicas=2", "--xla", "--moves=1", "--warmup=1"),
            ],
            env=harness.child_environment(),
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        row = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((row["xla"], row["replicas"]), (True, 2))
        self.assertGreater(row["ms_per_move"], 0.0)

    def test_eight_ways_are_timed_each_in_a_process_of_its_own(self):
        asked = []

        def run(words, **kwargs):
            asked.append(words)
            told = json.dumps(dict.fromkeys([*KEYS, "ms_min", "ms_max"], 1.0))
            return mock.Mock(returncode=0, stdout=f"table\n{told}\n")

        with mock.patch.object(subprocess, "run", run):
            code, printed, _ = command.run(
                "time_step",
                f"--config={CONFIGS / 'gan_cls_cub.py'}:smoke",
                *("--ways", "--moves=3"),
                room="tools",
            )
        self.assertEqual(code, 0)
        self.assertLen(json.loads(printed.splitlines()[-1])["ways"], 8)
        ways = {tuple(sorted(words[-3:])) for words in asked}
        self.assertLen(ways, 8)
        for words in asked:
            self.assertIn("--moves=3", words)
            self.assertNotIn("--ways", words)

    def test_unknown_reader_needs_its_length(self):
        code, _, complained = command.run(
            "time_step",
            f"--config={CONFIGS / 'openmoji.py'}:smoke",
            "--config.text.encoder=hub",
            room="tools",
        )
        self.assertEqual(code, 2)
        self.assertIn("config.text.encoder is 'hub'; known: ", complained)


if __name__ == "__main__":
    tf.test.main()
