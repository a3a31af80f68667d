"""Examines how rival readers are trained alike and laid side by side."""

import json
from unittest import mock

import tensorflow as tf

from keras_t2i.data import shapes
from recipes import agreeing, rivals, streams, wiring
from recipes.configs import damsm_openmoji
from tests.recipes import command, runs

SCORES = {"r_precision": 0.25, "image_to_text_r1": 0.5}
LETTERS = {"MiniLM, projected": dict(encoder="letters")}
CONFIG = f"--config={damsm_openmoji.__file__}:smoke"


class PlanTest(tf.test.TestCase):
    """All variants on all text sides, the first with several seeds."""

    def test_first_text_side_has_all_seeds_and_raw_vectors_no_variants(self):
        found = rivals.plan(3)
        self.assertLen(found, 3 * 5 + 5 + 1)
        self.assertLen({run.folder for run in found}, len(found))
        raw = [run for run in found if run.text == "MiniLM, raw"]
        self.assertEqual([run.variant for run in raw], ["DAMSM"])
        seeds = {run.seed for run in found if run.text == "bi-LSTM"}
        self.assertEqual(seeds, {0})

    def test_runs_differ_in_what_they_are_called_after_only(self):
        shared = damsm_openmoji.get_config()
        for run in rivals.plan(2):
            own = rivals.changed(shared, run)
            contrast = rivals.VARIANTS[run.variant]
            self.assertEqual(own.system.contrast, contrast)
            self.assertEqual(own.train.seed, run.seed)
            for key, value in rivals.TEXTS[run.text].items():
                self.assertEqual(own.text[key], value)
                own.text[key] = shared.text[key]
            own.system.contrast = shared.system.contrast
            own.train.seed = shared.train.seed
            self.assertEqual(own, shared)


class TableTest(tf.test.TestCase):
    """Rows become a line a variant and text side."""

    def row(self, variant, seed, value, **more):
        scores = {"r_precision": value, "image_to_text_r1": 0.5, **more}
        names = {"variant": variant, "text": "t", "data": "d"}
        return {**names, "seed": seed, "scores": scores}

    def test_seeds_are_averaged_and_their_spread_is_told(self):
        rows = [self.row("a", 0, 0.1), self.row("a", 1, 0.3)]
        rows.append(self.row("b", 0, 0.2, unknown_words=0.25))
        lines = rivals.table(rows).splitlines()
        self.assertEqual(
            lines[2:],
            [
                "| d | t | a | 2 | 0.200 ± 0.141 | 0.500 ± 0.000 | - | - |",
                "| d | t | b | 1 | 0.200 | 0.500 | - | 0.250 |",
            ],
        )


class CompareTest(tf.test.TestCase):
    """The command trains, measures and goes on."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        kept = {"DAMSM": None, "DAMSM + CL": "nt_xent"}
        runs_made = [
            rivals.Run(variant, "MiniLM, projected", 0) for variant in kept
        ]
        for what, name, value in (
            (rivals, "TEXTS", LETTERS),
            (rivals, "plan", lambda seeds: runs_made),
            (agreeing, "ridge_scores", lambda *args: SCORES),
            (wiring, "cache_dir", lambda: self.folder / "cache"),
        ):
            self.enterContext(mock.patch.object(what, name, value))

    def compare(self, *words):
        return command.run("compare", CONFIG, *words)

    def test_rivals_are_measured_beside_the_map_and_once_only(self):
        workdir = self.folder / "readers"
        words = f"--workdir={workdir}", "--quick"
        code, printed, complained = self.compare(*words)
        self.assertEqual((code, complained), (0, ""))
        lines = (workdir / rivals.FILE).read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        self.assertEqual(
            [row["variant"] for row in rows],
            [rivals.RIDGE, "DAMSM", "DAMSM + CL"],
        )
        for row in rows[1:]:
            self.assertEqual(row["card"]["config"]["data"]["name"], "shapes")
            self.assertIn("r_precision", row["scores"])
            self.assertEqual(row["moves"], 2)  # An epoch.
        told = (workdir / "readers.md").read_text().strip()
        self.assertIn(told, printed)
        self.assertEqual(told, rivals.table(rows))
        with mock.patch.object(
            rivals.pretraining, "train", side_effect=OSError("asked")
        ):
            code, printed, _ = self.compare(*words)
        self.assertEqual(code, 0)
        self.assertIn(told, printed)

    def test_variants_that_a_set_can_not_teach_are_left_out(self):
        one = shapes.load(16, 16)
        one = one.__class__(**{**vars(one), "captions": one.captions[:, :1]})
        with mock.patch.object(streams, "source", lambda *args: one):
            code, printed, _ = self.compare("--quick")
        self.assertEqual(code, 0)
        self.assertIn("DAMSM + CL is left out: config.system.contrast", printed)
        self.assertNotIn("| DAMSM + CL |", printed)

    def test_generators_are_no_readers(self):
        config = damsm_openmoji.__file__.replace("damsm_", "")
        code, _, complained = command.run(
            "compare", f"--config={config}:smoke", "--quick"
        )
        self.assertEqual(code, 2)
        self.assertIn("--quick compares readers", complained)


if __name__ == "__main__":
    tf.test.main()
