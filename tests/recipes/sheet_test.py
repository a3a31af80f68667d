"""Examines recipes.compare --sheet: equal time, equal moves, and going on."""

import dataclasses
import json
import shutil
from unittest import mock

import tensorflow as tf
from PIL import Image

from recipes import cells, halves, judging, pace, sheet, training
from tests.recipes import command, eyes, runs, sheets

SPEEDS = {"Slow": 1000.0, "Fast & slim": 400.0}
#: Ten seconds at those speeds, in epochs of five moves.
MOVES = {"slow_0": 10, "fast_slim_0": 25}
WORDS = "--quick", "--minutes=10"


def measured(configs, path, way, keep=None, **terms):
    """Stands for `pace.measure`."""
    return {
        name: {
            "ms_per_move": SPEEDS[name],
            "rounds": [SPEEDS[name]],
            "parameters": {"generator": 10},
            "config": pace.digest(config),
            "devices": "2 CPU cores",
        }
        for name, config in configs.items()
    }


class SheetTest(tf.test.TestCase):
    """Cells are trained, judged in both halves and never twice."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.file = sheets.write(self.folder)
        self.workdir = self.folder / "sheet"
        how = dataclasses.replace(sheet._QUICK_HOW, network=eyes.Eye())
        for what, name, value in (
            (sheet, "_QUICK_HOW", how),
            (pace, "measure", measured),
        ):
            self.enterContext(mock.patch.object(what, name, value))

    def compare(self, *words):
        return command.run(
            "compare",
            f"--sheet={self.file}",
            f"--workdir={self.workdir}",
            *WORDS,
            *words,
        )

    def rows(self):
        return sheet.read(self.workdir)

    def journal(self, name):
        lines = (self.workdir / name / "metrics.jsonl").read_text()
        return [json.loads(line) for line in lines.splitlines()]

    def test_cells_play_equally_long_and_go_on(self):
        code, printed, complained = self.compare()
        self.assertEqual((code, complained), (0, ""))
        slow, fast = rows = self.rows()
        for row in rows:
            self.assertEqual(row["moves"]["moves"], 10)
            self.assertEqual(row["seed"], 0)
            self.assertIn(f"--sheet={self.file}", row["command"])
            name = cells.folder(row["cell"], 0)
            moves = MOVES[name]
            self.assertEqual(row["time"]["moves"], moves)
            self.assertEqual(row["config"]["train"]["moves"], moves)
            for half in ("time", "moves"):
                self.assertIn("fid_eye", row[half]["scores"])
                self.assertIn("colour_truth", row[half]["scores"])
                card = row[half]["protocol"]
                self.assertEqual(card["moves"], row[half]["moves"])
            score = row["time"]["scores"]["fid_eye"]
            self.assertLess(score["sampling"]["low"], score["value"])
            path = self.workdir / name / "film.gif"
            self.assertTrue(path.exists())
            # Learning rates fall over the cell's own moves.
            journal = self.journal(name)
            self.assertEqual(journal[-1]["move"], moves)
            self.assertFalse((path.parent / ".features").exists())
        self.assertEqual(slow["time"], slow["moves"])
        self.assertNotEqual(
            fast["time"]["protocol"]["generator_digest"],
            fast["moves"]["protocol"]["generator_digest"],
        )
        told = (self.workdir / sheet.TABLE).read_text().strip()
        self.assertEqual(told, halves.table(rows))
        self.assertIn(told, printed)
        # Two captions wide, two cells high, pictures enlarged 8 times.
        picture = (self.workdir / sheet.PICTURE).read_bytes()
        shape = tf.io.decode_png(picture).shape
        self.assertBetween(shape[1], 2 * 128, 3 * 128)
        self.assertBetween(shape[0], 2 * 128, 3 * 128)
        with Image.open(self.workdir / sheet.FILM) as film:
            self.assertEqual(film.n_frames, 12)
            # A cell's sheet above the other's, each with its name.
            self.assertGreater(film.size[1], film.size[0])
        self.examine_second_call(told, rows)
        self.examine_second_seed(rows)
        self.examine_missing_checkpoint()

    def examine_second_call(self, told, rows):
        """Neither trains nor judges, but lays out anew."""
        (self.workdir / sheet.PICTURE).unlink()
        fail = mock.Mock(side_effect=OSError("asked"))
        with (
            mock.patch.object(training, "train", fail),
            mock.patch.object(judging, "judge", fail),
        ):
            code, printed, _ = self.compare()
        self.assertEqual(code, 0)
        self.assertIn(told, printed)
        self.assertEqual(self.rows(), rows)
        self.assertTrue((self.workdir / sheet.PICTURE).exists())

    def examine_second_seed(self, rows):
        """Adds runs, and leaves the first ones."""
        with mock.patch.object(sheet, "_played") as played:
            played.return_value = {"fault": "no time"}
            code, printed, _ = self.compare("--seeds=2")
        self.assertEqual(code, 0)
        self.assertEqual(self.rows()[:2], rows)
        asked = [call.args[0] for call in played.call_args_list]
        self.assertEqual([run.config.train.seed for run in asked], [1, 1])
        self.assertEqual([run.seed for run in asked], [1, 1])
        self.assertIn("Slow, seed 1, is out: no time", printed)

    def examine_missing_checkpoint(self):
        """Says what to do if nothing is there to be judged at equal moves."""
        place = self.workdir / "fast_slim_0" / "checkpoints"
        kept = {path.name for path in place.iterdir()}
        self.assertEqual(
            kept, {"move_00000010", "move_00000020", "move_00000025"}
        )
        shutil.rmtree(place / "move_00000010")
        slow, _ = (self.workdir / sheet.FILE).read_text().splitlines()[:2]
        (self.workdir / sheet.FILE).write_text(slow)
        code, _, complained = self.compare()
        self.assertEqual(code, 2)
        self.assertIn("kept no checkpoint of move 10, where cells", complained)

    def test_cell_that_was_cut_off_goes_on_and_is_judged(self):
        hasty = cells.quick(cells.load(self.file))
        config = cells.planned(hasty.cells["Slow"], 0, MOVES["slow_0"])
        # As if it was killed after its first epoch.
        config.train.moves = 5
        training.train(config, self.workdir / "slow_0")
        config.train.moves = MOVES["slow_0"]
        # The second was judged when the light went out.
        lit = sheet._QUICK_HOW.network
        lit.most = 50
        code, _, complained = self.compare()
        self.assertEqual(code, 2)
        self.assertIn("the light went out", complained)
        starts = [row["start"] for row in self.journal("slow_0")]
        self.assertEqual(starts, [0, 5])
        before = self.rows(), self.journal("slow_0")
        lit.most = float("inf")
        code, _, complained = self.compare()
        self.assertEqual((code, complained), (0, ""))
        self.assertEqual(self.rows()[: len(before[0])], before[0])
        self.assertEqual(self.journal("slow_0"), before[1])
        self.assertLen(self.rows(), 2)

    def test_cell_that_breaks_leaves_the_others(self):
        def breaks(config, workdir, **kwargs):
            if config.train.moves == MOVES["slow_0"]:
                raise ArithmeticError("After move 3 fool is nan.")

        made = sheets.row("Fast & slim")
        judged = {half: made[half] for half in ("time", "moves")}
        with (
            mock.patch.object(training, "train", breaks),
            mock.patch.object(sheet, "_judged", return_value=judged),
        ):
            code, printed, _ = self.compare()
        self.assertEqual(code, 0)
        slow, fast = self.rows()
        self.assertEqual(slow["fault"], "After move 3 fool is nan.")
        self.assertIn("fid_eye", fast["time"]["scores"])
        self.assertIn("Slow, seed 0, is out: After move 3", printed)


class RefusedTest(tf.test.TestCase):
    """What can't be compared is told before anything is trained."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.file = sheets.write(self.folder)

    def refused(self, *words):
        code, _, complained = command.run("compare", *words)
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        return complained

    def test_flags_that_do_not_go_together_are_told(self):
        asked = f"--sheet={self.file}"
        for words, sentence in (
            ([asked], "Say with --workdir where the cells"),
            ([asked, "one.jsonl"], "not both"),
            ([asked, "--config.train.moves=4"], "--config.train.moves came"),
            ([asked, "--config=recipes/configs/openmoji.py"], "--config came"),
            ([asked, "--minutes=0"], "minutes"),
            (["--sheet=recipes/sheets/none.py", "--quick"], "is no file"),
        ):
            self.assertRegex(self.refused(*words), sentence)

    def test_budget_of_less_than_an_epoch_is_told(self):
        workdir = self.folder / "sheet"
        with mock.patch.object(pace, "measure", measured):
            told = self.refused(
                f"--sheet={self.file}", f"--workdir={workdir}", "--minutes=0.01"
            )
        self.assertIn("An epoch of Slow, 2 moves of 1,000 ms", told)
        self.assertFalse(workdir.exists())

    def test_folder_of_another_run_is_told(self):
        workdir = self.folder / "sheet"
        runs.make(workdir / "slow_0")
        with mock.patch.object(pace, "measure", measured):
            told = self.refused(
                f"--sheet={self.file}", f"--workdir={workdir}", *WORDS
            )
        self.assertIn("slow_0 holds a run with config.", told)


if __name__ == "__main__":
    tf.test.main()
