"""Examines the tool that kills runs, and with it that nothing is lost."""

import json
import pathlib
import shutil
import tempfile

import tensorflow as tf
from PIL import Image

from keras_t2i import callbacks
from tests.recipes import command, runs
from tools import check_kills


class CheckKillsTest(tf.test.TestCase):
    """It sees what is broken, and a real run under fire is not."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )

    def made(self, name, change=0.0):
        """Leaves a run directory of four moves."""
        workdir = self.folder / name
        system = runs.make(workdir)
        if change:
            kernel = system.players["generator"].trainable_variables[0]
            kernel.assign(kernel + change)
            system.moves.assign(6)
            runs.keep(system, workdir)
        sheet = Image.new("RGB", (4, 4))
        sheet.save(workdir / "film.gif")
        row = {"move": 4, "terms": {"fool": 1.0 + change}, "seconds": 1.0}
        (workdir / "metrics.jsonl").write_text(json.dumps(row) + "\n")
        return workdir

    def test_run_under_fire_equals_the_straight_one(self):
        code, printed, complained = command.run(
            "check_kills",
            "--kills=2",
            "--moves=600",
            f"--runs={self.folder}",
            room="tools",
        )
        row = json.loads(printed.splitlines()[-1])
        self.assertEqual((code, complained, row["faults"]), (0, "", 0), printed)
        self.assertIn(row["kills"], (1, 2))  # 1 where it ran on too fast
        self.assertEqual(row["moves"], 600)
        self.assertEqual(
            callbacks.newest(self.folder / "killed/checkpoints"), 600
        )

    def test_whole_directory_has_no_faults(self):
        self.assertEqual(check_kills.inspect(self.made("run")), [])

    def test_what_is_half_written_is_named(self):
        workdir = self.made("run")
        (workdir / "half.png").write_bytes(b"\x89PNG")
        (workdir / "half.json").write_text('{"a": ')
        (workdir / "half.jsonl").write_text('{"a": 1}\n{"a": \n')
        (checkpoint,) = (workdir / "checkpoints").iterdir()
        (checkpoint / "arrays.index").unlink()
        faults = "\n".join(check_kills.inspect(workdir))
        for name in ("half.png", "half.json", "half.jsonl", checkpoint.name):
            self.assertIn(f"{name}: ", faults)

    def test_equal_runs_have_no_differences(self):
        pair = self.made("one"), self.made("two")
        self.assertEqual(check_kills.differences(*pair), [])

    def test_differences_are_named(self):
        pair = self.made("one"), self.made("two")
        path = pair[1] / "metrics.jsonl"
        path.write_text(path.read_text().replace("1.0}", "2.0}"))
        (pair[0] / "film.gif").write_bytes(b"other")
        found = check_kills.differences(*pair)
        self.assertIn("film.gif differs", found)
        self.assertIn("the terms of metrics.jsonl differ", found)
        later = self.made("three", change=1.0)
        found = check_kills.differences(pair[0], later)
        self.assertIn("the runs end at 6 and 4", found)

    def test_one_weight_that_differs_is_named(self):
        one, two = self.made("one"), self.made("two")
        (place,) = (two / "checkpoints").iterdir()
        system = runs.make(self.folder / "three")
        kernel = system.players["generator"].trainable_variables[0]
        kernel.assign(kernel + 1e-3)
        shutil.rmtree(place)
        runs.keep(system, two)
        (fault, *_) = check_kills.differences(one, two)
        self.assertRegex(fault, "generator.* differs")

    def test_folder_that_holds_runs_is_left_alone(self):
        self.made("straight")
        code, _, complained = command.run(
            "check_kills", f"--runs={self.folder}", room="tools"
        )
        self.assertEqual(code, 2)
        self.assertIn("holds a run named straight", complained)


if __name__ == "__main__":
    tf.test.main()
