"""Examines the clock of FID."""

import importlib.util
import json
import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf

from tests.recipes import command

_TINY = ("--rows=300", "--width=12", "--batch_size=70")


class TimeFIDTest(tf.test.TestCase):
    """The last line is JSON with all that a comparison needs."""

    def timed(self, *words):
        code, printed, complained = command.run(
            "time_fid", *_TINY, *words, room="tools"
        )
        self.assertEqual((code, complained), (0, ""))
        return json.loads(printed.splitlines()[-1])

    def test_sides_take_turns_and_agree(self):
        row = self.timed("--rounds=2")
        seconds = row["seconds"]
        self.assertEqual(set(seconds), {"ours", "scipy"})
        self.assertGreater(row["ratio"], 0.0)
        self.assertLess(row["relative_difference"], 1e-9)
        self.assertAllClose(row["distance"], row["distance_streamed"])
        self.assertGreater(row["distance"], 1e-3)
        self.assertBetween(row["peak_memory_gb"], row["imports_gb"], 4.0)
        self.assertEqual(
            (row["rows"], row["width"], row["rounds"]), (300, 12, 2)
        )
        self.assertEqual(set(row["versions"]), {"numpy", "scipy"})

    def test_memory_is_that_of_measuring_what_lies_in_a_folder(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        rows = np.float32(np.random.default_rng(0).normal(size=(300, 12)))
        rows.tofile(folder / "real")
        (rows + np.float32(2.0)).tofile(folder / "fake")
        row = self.timed(f"--streamed={folder}")
        self.assertAllClose(row["distance"], 48.0, rtol=1e-5)
        self.assertEqual(set(row), {"distance", "peak_memory_gb", "imports_gb"})

    def test_without_scipy_it_says_so(self):
        find = importlib.util.find_spec

        def lame(name, *rest):
            return None if name == "scipy" else find(name, *rest)

        with mock.patch.object(importlib.util, "find_spec", lame):
            code, _, complained = command.run("time_fid", *_TINY, room="tools")
        self.assertEqual(code, 2)
        self.assertIn("not installed: pip install scipy", complained)

    def test_folder_that_is_none_is_refused(self):
        code, _, complained = command.run(
            "time_fid", *_TINY, "--streamed=nowhere", room="tools"
        )
        self.assertEqual(code, 2)
        self.assertIn("--streamed=nowhere is no folder", complained)


if __name__ == "__main__":
    tf.test.main()
