"""Examines recipes.evaluate on a SavedModel beside the run it came from."""

import json
import shutil
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import protocols
from recipes import judging
from tests.recipes import command, eyes, runs

FEW = ["--pictures=12", "--seeds=2", "--nosampling"]


class SavedModelTest(parameterized.TestCase, tf.test.TestCase):
    """An export is judged as its run is, where it gives what is judged."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        cls.system = runs.make(cls.folder / "run")
        assert command.run("export", f"--workdir={cls.folder / 'run'}")[0] == 0
        cls.workdir = f"--workdir={cls.folder / 'run'}"
        cls.saved = f"--saved_model={cls.folder / 'run' / 'saved_model'}"
        cls.out = cls.folder / "out"
        cls.rows = cls.judged(cls.out, cls.saved)

    @staticmethod
    def evaluate(*words, digest="eye 1"):
        """Runs the command with an eye."""
        with eyes.opened(eyes.Eye(digest)):
            return command.run("evaluate", *FEW, *words)

    @classmethod
    def judged(cls, out, *words):
        """Rows by candidate and name."""
        code, _, complained = cls.evaluate(*words, f"--out={out}")
        assert (code, complained) == (0, ""), complained
        lines = (out / "scores.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        return {(row["candidate"], row["name"]): row for row in rows}

    def is_kept(self, out, *words, **more):
        """Whether scores that lie there are taken."""
        with mock.patch.object(judging, "judge", side_effect=OSError("asked")):
            done = self.evaluate(*words, f"--out={out}", **more)
        self.assertIn(done[0], (0, 2))
        if done[0]:
            self.assertEqual(done[2], "Error: asked\n")
        else:
            self.assertIn("judged like this before", done[1])
        return not done[0]

    def refused(self, *words):
        out = self.folder / "refused"
        code, _, complained = self.evaluate(*words, f"--out={out}")
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        self.assertFalse((out / "scores.jsonl").exists())
        return complained

    def test_pictures_figures_and_cards_are_those_of_the_run(self):
        run = self.judged(self.folder / "of_run", self.workdir)
        self.assertEqual(self.rows, run)
        row = self.rows[judging.TRAINED, "fid_eye"]
        self.assertLen(row["values"], 2)
        card = row["protocol"]
        self.assertEqual(card["moves"], 4)
        sizes = [w.shape.num_elements() for w in self.system.average.weights]
        self.assertEqual(card["parameters"], sum(sizes))
        self.assertLen(card["generator_digest"], 64)

    def test_page_is_left_and_no_hidden_folder(self):
        self.assertCountEqual(
            [path.name for path in self.out.iterdir()],
            ["report.html", "scores.jsonl", "scores.md"],
        )

    def test_scores_are_taken_when_nothing_would_change_them(self):
        before = runs.contents(self.out)
        self.assertTrue(self.is_kept(self.out, self.saved))
        self.assertTrue(self.is_kept(self.out, self.workdir))
        self.assertEqual(runs.contents(self.out), before)
        for more in ("--seeds=1", "--pictures=11", "--reference=test"):
            self.assertFalse(self.is_kept(self.out, self.saved, more), more)
        clean = "--protocol=clean"
        self.assertFalse(self.is_kept(self.out, self.saved, clean))

    def test_scores_of_another_network_are_not_taken(self):
        words = self.out, self.saved
        self.assertFalse(self.is_kept(*words, digest="eye 2"))

    def test_scores_against_statistics_are_others(self):
        path = self.folder / "real.npz"
        words = self.saved, "--seeds=1"
        export = f"--export_statistics={path}"
        out = self.folder / "against"
        rows = self.judged(out, *words, export)
        words = *words, f"--statistics={path}"
        self.assertFalse(self.is_kept(out, *words))
        found = self.judged(out, *words)
        self.assertTrue(self.is_kept(out, *words))
        self.assertFalse(self.is_kept(out, self.saved, "--seeds=1"))
        key = judging.TRAINED, "fid_eye"
        self.assertEqual(found[key]["value"], rows[key]["value"])
        self.assertEqual(found[key]["protocol"]["reference"], "statistics")
        # Whose pictures they are of is not known; neighbours are training's.
        page = (out / "report.html").read_text()
        self.assertIn("Samples", page)
        self.assertIn("Nearest training pictures", page)

    def test_statistics_are_exported_though_scores_are_there(self):
        path = self.folder / "late.npz"
        export = f"--export_statistics={path}"
        self.assertFalse(self.is_kept(self.out, self.saved, export))

    @parameterized.parameters("dm_gan", "cub_is", "galip", "xmc")
    def test_protocols_of_floats_want_the_run(self, name):
        words = f"--protocol={name}", "--pictures=70"
        found = self.refused(self.saved, *words)
        rounding = protocols.PRESETS[name].rounding
        self.assertIn(f"Protocol {name} judges floats", found)
        self.assertIn(f"rounding: {rounding}", found)
        self.assertIn("judge the run directory", found)

    def test_whole_batches_are_judged_and_known_again(self):
        words = self.workdir, "--protocol=dm_gan", "--pictures=60"
        out = self.folder / "whole"
        rows = self.judged(out, *words, "--reference=train")
        self.assertEqual(
            rows[judging.TRAINED, "fid_dm_gan"]["protocol"]["counts"],
            {"reference": 50, "candidate": 50},
        )
        self.assertIn((judging.TRAINED, "r_precision_dm_gan_letters"), rows)
        self.assertTrue(self.is_kept(out, *words, "--reference=train"))
        self.assertFalse(self.is_kept(out, *words))

    def test_export_without_a_recipe_is_refused(self):
        for lacking in ("recipe", "moves"):
            folder = self.folder / f"no_{lacking}"
            shutil.copytree(self.folder / "run" / "saved_model", folder)
            path = folder / "assets.extra" / "card.json"
            card = json.loads(path.read_text())
            del card[lacking]
            path.write_text(json.dumps(card))
            found = self.refused(f"--saved_model={folder}")
            self.assertIn(f"no_{lacking} names no recipe", found)
            self.assertIn("Judge pictures in folders instead", found)

    def test_mistakes_give_sentences(self):
        found = self.refused(self.saved, self.workdir)
        self.assertIn("Give exactly one of", found)
        found = self.refused(f"--saved_model={self.folder / 'run'}")
        self.assertIn("is no SavedModel", found)
        found = self.refused(self.saved, "--checkpoint=here")
        self.assertIn("--checkpoint is one of a --workdir", found)
        code, _, complained = self.evaluate(self.saved)
        self.assertEqual(code, 2)
        self.assertIn("--out=FOLDER", complained)


if __name__ == "__main__":
    tf.test.main()
