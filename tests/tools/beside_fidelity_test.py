"""Examines how figures are held against those of others."""

import json
import pathlib
import stat
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i import weights
from tests.recipes import command

#: Stands for the other side: its figures by plain formulas, times FACTOR.
_OTHERS = """
import json, math, sys
import numpy as np

stored, settings = np.load(sys.argv[1]), json.loads(sys.argv[2])
real, fake, logits = (np.float64(stored[n]) for n in ("real", "fake", "logits"))
random = np.random.RandomState(settings["rng_seed"])
k = settings["neighborhood"]

def fid():
    one, two = np.cov(real.T), np.cov(fake.T)
    roots = np.sqrt(np.linalg.eigvals(one @ two).astype(complex)).real
    gap = real.mean(0) - fake.mean(0)
    return gap @ gap + np.trace(one + two) - 2 * roots.sum()

def kid():
    values = []
    for _ in range(settings["kid_subsets"]):
        size = settings["kid_subset_size"]
        x, y = (
            rows[random.choice(len(rows), size, replace=False)]
            for rows in (fake, real)
        )
        table = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3
        within = sum(table(a, a).sum() - np.trace(table(a, a)) for a in (x, y))
        value = within / (size * (size - 1)) - 2 * table(x, y).mean()
        values.append(value)
    return values

def score():
    order = np.random.RandomState(settings["rng_seed"]).permutation(len(logits))
    p = np.exp(logits[order])
    p /= p.sum(1, keepdims=True)
    count, values = settings["splits"], []
    for i in range(count):
        part = p[i * len(p) // count : (i + 1) * len(p) // count]
        inner = np.sum(part * np.log(part / part.mean(0)), 1)
        values.append(np.exp(inner.mean()))
    return values

def inside(points, centres):
    reach = [sorted(math.dist(c, x) for x in centres)[k] for c in centres]
    found = [
        any(math.dist(p, c) <= r for c, r in zip(centres, reach))
        for p in points
    ]
    return sum(found) / len(found)

draws, scores = kid(), score()
print("words before")
print(json.dumps({"versions": {"torch-fidelity": "none"}, "figures": {
    "frechet_inception_distance": FACTOR * fid(),
    "kernel_inception_distance_mean": np.mean(draws),
    "kernel_inception_distance_std": np.std(draws),
    "inception_score_mean": np.mean(scores),
    "inception_score_std": np.std(scores),
    "precision": inside(fake, real),
    "recall": inside(real, fake),
    "f_score": 0.0,
}}))
"""


class Judge:
    """Answers a few mixtures of pixels."""

    name = "mixtures"

    def __call__(self, pictures):
        rows = np.reshape(pictures, (len(pictures), -1))
        mix = np.random.default_rng(0).normal(size=(rows.shape[1], 9))
        answer = np.float32(rows @ mix / 9.0)
        return {"pooled": answer[:, :5], "logits": answer[:, 5:]}


class BesideFidelityTest(parameterized.TestCase, tf.test.TestCase):
    """Both sides see the same features."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))

    def pictures(self, name, count, spread):
        random = np.random.default_rng(count)
        (self.folder / name).mkdir()
        for number in range(count):
            pixels = random.normal(128.0, spread, (4, 4, 3)).clip(0, 255)
            picture = Image.fromarray(pixels.astype(np.uint8))
            picture.save(self.folder / name / f"{number:02}.png")
        return f"--{name}={self.folder / name}"

    def other_side(self, text):
        """Makes a Python that has torch-fidelity, or says so."""
        stub, python = self.folder / "stub.py", self.folder / "python"
        stub.write_text(text)
        python.write_text(
            '#!/bin/sh\nif [ "$1" = -c ]; then exit 0; fi\n'
            f'exec {sys.executable} "{stub}" "$2" "$3"\n'
        )
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        return f"--torch_python={python}"

    def run_tool(self, *words):
        with mock.patch.object(weights.judges, "load", lambda *_: Judge()):
            return command.run("beside_fidelity", *words, room="tools")

    def test_figures_agree_with_plain_formulas(self):
        words = (
            self.pictures("real", 33, 40.0),
            self.pictures("fake", 24, 50.0),
            self.other_side(_OTHERS.replace("FACTOR", "1.0")),
        )
        code, printed, complained = self.run_tool(*words)
        self.assertEqual((code, complained), (0, ""))
        row = json.loads(printed.splitlines()[-1])
        self.assertLess(row["largest_difference"], 1e-5)
        self.assertEqual(row["counts"], [33, 24])
        self.assertEqual(row["kid_subset_size"], 12)
        self.assertLen(row["figures"], 7)
        for name in ("precision", "recall"):  # which are no trivial ones
            self.assertBetween(row["figures"][name][0], 0.05, 0.95)

    def test_difference_ends_with_code_one(self):
        words = (
            self.pictures("real", 20, 40.0),
            self.pictures("fake", 20, 30.0),
            self.other_side(_OTHERS.replace("FACTOR", "1.01")),
        )
        code, printed, _ = self.run_tool(*words)
        self.assertEqual(code, 1)
        row = json.loads(printed.splitlines()[-1])
        self.assertAllClose(row["largest_difference"], 0.01 / 1.01, rtol=1e-3)
        code, _, _ = self.run_tool(*words, "--within=0.02")
        self.assertEqual(code, 0)

    def test_python_without_torch_fidelity_is_refused(self):
        code, _, complained = self.run_tool("--torch_python=/no/python")
        self.assertEqual(code, 2)
        self.assertRegex(
            complained,
            r"/no/python cannot import torch_fidelity \(No such file.*give",
        )

    def test_other_side_that_fails_is_told(self):
        words = (
            self.pictures("real", 20, 40.0),
            self.pictures("fake", 20, 30.0),
            self.other_side("raise SystemExit(3)"),
        )
        code, _, complained = self.run_tool(*words)
        self.assertEqual(code, 2)
        self.assertIn("torch-fidelity failed", complained)

    def test_folders_that_do_not_do_are_refused(self):
        side = self.other_side("")
        few, enough = self.pictures("real", 19, 9.0), self.folder
        for words, told in (
            ([few], "both of --real and --fake"),
            ([few, f"--fake={enough / 'none'}"], "none is no folder"),
            ([few, f"--fake={enough / 'real'}"], "19"),
        ):
            code, _, complained = self.run_tool(side, *words)
            self.assertEqual(code, 2)
            self.assertIn(told, complained)


if __name__ == "__main__":
    tf.test.main()
