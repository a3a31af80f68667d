"""Examines the clock of matching losses."""

import importlib
import json
import pathlib
import stat
import sys
import tempfile
import types
from unittest import mock

import numpy as np
import tensorflow as tf

from tests.recipes import command
from tools.pipelines import our_matching

#: Stands for the other side: it tells a loss, and computes nothing.
_COUNTER = """
import sys, time
print({loss}, flush=True)
for line in sys.stdin:
    time.sleep(0.01 * int(line))
    print("done", flush=True)
"""
_SIZES = {"batch_size": 4, "words": 3, "side": 2, "width": 5}
_TINY = [f"--{name}={size}" for name, size in _SIZES.items()]
_TINY += ["--rounds=2", "--moves=3", "--noxla"]


def settings(**others):
    """Tells our side what the flags say."""
    return {**_SIZES, "chunk": None, "xla": False, **others}


class TimeMatchingTest(tf.test.TestCase):
    """The last line is JSON with all that a comparison needs."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))

    def timed(self, *words):
        code, printed, complained = command.run(
            "time_matching", *_TINY, *words, room="tools"
        )
        self.assertEqual((code, complained), (0, ""))
        return json.loads(printed.splitlines()[-1])

    def refused(self, *words):
        code, _, complained = command.run(
            "time_matching", *_TINY, *words, room="tools"
        )
        self.assertEqual(code, 2)
        return complained

    def script(self, name, text):
        """Writes a program for the shell."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def other_side(self, loss):
        """Makes a Python that has torch, or says so, and computes nothing."""
        counter = self.folder / "counter.py"
        counter.write_text(_COUNTER.format(loss=loss))
        quoted = f'"{counter}"'
        start = f'if [ "$1" = -c ]; then exit 0; fi\nexec {sys.executable} '
        return f"--torch_python={self.script('python', start + quoted)}"

    def test_sides_take_turns_and_medians_are_compared(self):
        loss = float(our_matching.move(settings())()[0])
        others = self.script("others", """echo '{"ms_per_move": 70.5}'""")
        row = self.timed(self.other_side(loss), f"--reference={others}")
        times = row["ms_a_move"]
        self.assertBetween(times["torch"], 10, 100)  # 0.01 s at least
        self.assertEqual(times["reference"], 70.5)
        for name, other in (
            ("ratio", "torch"),
            ("ratio_reference", "reference"),
        ):
            expected = times[other] / times["ours"]
            self.assertAllClose(row[name], expected, rtol=0.02)
        self.assertLessEqual(row["fastest_ms"]["ours"], times["ours"])
        self.assertGreaterEqual(row["cpu_ms_a_move"]["torch"], 0.0)
        self.assertEqual((row["rounds"], row["moves"]), (2, 3))
        self.assertEqual({n: row[n] for n in settings()}, settings())

    def test_other_losses_are_told(self):
        said = self.refused(self.other_side(3.0))
        self.assertIn("The sides find different losses: {'ours': ", said)
        said = self.refused(self.other_side("float('nan')"))
        self.assertIn("The sides find different losses: {'ours': ", said)

    def test_reference_without_a_time_is_told(self):
        loss = float(our_matching.move(settings())()[0])
        for others in ("echo 3", "exit 1"):
            path = self.script("others", others)
            said = self.refused(
                self.other_side(loss), f"--reference={path} steps"
            )
            self.assertIn("no JSON with ms_per_move in its last line", said)

    def test_memory_is_told(self):
        row = self.timed("--memory", "--chunk=2")
        self.assertBetween(row["most_mb"], 100, 4000)
        self.assertEqual(row["chunk"], 2)

    def test_python_without_torch_is_refused(self):
        missing = self.folder / "none"
        said = self.refused(f"--torch_python={missing}")
        self.assertIn(f"{missing} cannot import torch and numpy", said)


class SidesTest(tf.test.TestCase):
    """Both sides get the same features."""

    def setUp(self):
        super().setUp()
        torch = types.ModuleType("torch")
        torch.from_numpy = mock.MagicMock()
        torch.from_numpy.side_effect = lambda array: mock.Mock(
            requires_grad_=lambda: array
        )
        torch.nn = types.ModuleType("torch.nn")
        torch.nn.functional = types.ModuleType("torch.nn.functional")
        modules = {
            "torch": torch,
            "torch.nn": torch.nn,
            "torch.nn.functional": torch.nn.functional,
        }
        with mock.patch.dict(sys.modules, modules):
            self.theirs = importlib.import_module(
                "tools.pipelines.torch_matching"
            )

    def test_features_are_the_same_channels_first(self):
        ours = our_matching.features(settings())
        theirs = self.theirs.features(settings())
        regions, words, codes, sentences = ours
        self.assertEqual(regions.shape, (4, 2, 2, 5))
        flat = regions.reshape(4, 4, 5)
        self.assertAllEqual(theirs[0], np.swapaxes(flat, 1, 2))
        self.assertAllEqual(theirs[1], np.swapaxes(words, 1, 2))
        self.assertAllEqual(theirs[2], codes)
        self.assertAllEqual(theirs[3], sentences)

    def test_chunks_and_compiler_change_no_loss(self):
        loss, slopes = our_matching.move(settings())()
        self.assertLen(slopes, 4)
        for others in ({"chunk": 2}, {"xla": True}):
            other, same = our_matching.move(settings(**others))()
            self.assertAllClose(other, loss)
            for one, two in zip(same, slopes, strict=True):
                self.assertAllClose(one, two, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    tf.test.main()
