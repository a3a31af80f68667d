"""Examines that the README's tables are the committed rows."""

import json
import pathlib
import tempfile
from unittest import mock

import tensorflow as tf

from keras_t2i import weights
from keras_t2i.metrics import evaluator
from keras_t2i.ops import files
from recipes import halves
from tests.recipes import sheets
from tools import results


def committed(name):
    """Reads the committed rows of that name."""
    path = results.ROOT / "recipes" / "results" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


class ResultsTest(tf.test.TestCase):
    """One source for each figure."""

    def test_tables_of_the_readme_are_rendered(self):
        text = (results.ROOT / "README.md").read_text()
        self.assertIn("<!-- table demo -->", text)
        self.assertEqual(results.rendered(text), text)

    def test_rows_of_a_preset_are_its_cards(self):
        rows = committed("openmoji_64")
        _, card = weights.presets.load("openmoji_64")
        drawn = [
            {key: value for key, value in row.items() if key != "run"}
            for row in rows
            if row["candidate"] == "trained generator"
        ]
        self.assertEqual(drawn, card["scores"])

    def test_scores_of_a_card_take_the_place_of_its_runs(self):
        rows = [
            {"candidate": c, "name": "fid", "value": 1, "run": {"command": "a"}}
            for c in ("untrained", "trained")
        ]
        score = {"candidate": "trained", "name": "fid", "value": 2}
        self.assertEqual(
            results.with_card(rows, {"scores": [score]}, "b"),
            [rows[0], {**score, "run": {"command": "b"}}],
        )

    def test_each_row_says_what_made_it(self):
        text = results.rendered("<!-- table openmoji_64 -->\n<!-- end -->")
        self.assertIn(evaluator.table(committed("openmoji_64")), text)
        self.assertRegex(
            text,
            r"The row of the trained generator: `python -m tools.make_preset ",
        )


class TablesTest(tf.test.TestCase):
    """How runs went, and what moves cost."""

    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        self.enterContext(mock.patch.object(results, "ROOT", self.root))
        self.enterContext(
            mock.patch.object(results, "_commit", return_value="abc1234")
        )
        self.rows = self.root / "recipes" / "results" / "some.jsonl"

    def run_directory(self):
        """A run of three epochs whose balance went from 0.5 to 120."""
        run = self.root / "run"
        writer = tf.summary.create_file_writer(str(run / "tensorboard"))
        with writer.as_default():
            for epoch, value in enumerate((0.5, 120.0, 3.0)):
                tf.summary.scalar("health/balance", value, epoch)
                tf.summary.scalar("health/unheard", value, epoch)
        writer.close()
        config = {
            "data": {"path": "/somewhere/birds"},
            "train": {"seed": 3, "moves": 6000},
            "system": {"name": "WGANGP"},
        }
        (run / "config.json").write_text(json.dumps(config))
        (run / "metrics.jsonl").write_text("")
        return run

    def test_health_is_the_least_and_the_most_of_all_epochs(self):
        run = self.run_directory()
        results.keep_health(run, "some", "typed")
        results.keep_health(run, "some", "typed again")
        kept = [json.loads(x) for x in self.rows.read_text().splitlines()]
        self.assertEqual(kept[0]["health"], {"health/balance": [0.5, 120.0]})
        self.assertEqual(kept[0]["run"]["config"]["data"]["path"], "birds")
        text = results.rendered("<!-- table some -->\n<!-- end -->")
        line = "| WGANGP, 6,000 moves | - | - | - | - | 0.5 to 120 | - | - |"
        self.assertEqual(text.count(line), 2)
        self.assertIn("`typed again` (commit", text)

    def test_run_without_events_is_refused(self):
        run = self.run_directory()
        for path in (run / "tensorboard").iterdir():
            path.unlink()
        with self.assertRaisesRegex(OSError, "tensorboard holds no events"):
            results.keep_health(run, "some", "typed")
        self.assertFalse(self.rows.exists())

    def test_times_of_all_ways_become_lines(self):
        way = {
            "config": "recipes/configs/openmoji.py:small",
            "precision": "float32",
            "xla": True,
            "replicas": 2,
            "batch_size": 16,
            "ms_per_move": 1365.7,
            "pictures_per_s": 46.86,
            "compile_s": 5.94,
            "peak_gb": 1.077,
        }
        times = self.root / "times.json"
        times.write_text(json.dumps({"ways": [way, {**way, "xla": False}]}))
        results.keep_times(times, "some", "typed")
        text = results.rendered("<!-- table some -->\n<!-- end -->")
        head = "| openmoji | float32 |"
        tail = "| 2 | 16 | 1,366 | 46.9 | 5.94 | 1.08 |"
        self.assertIn(f"{head} on {tail}\n{head} off {tail}", text)

    def test_figures_of_one_run_are_lines_and_of_several_columns(self):
        told = self.root / "told.json"
        told.write_text('{"ratio": 1.872, "a_b": {"ours": 706.6, "s": "x"}}')
        results.keep_times(told, "some", "typed")
        asked = "<!-- table some -->\n<!-- end -->"
        self.assertIn(
            "| figure |  |\n| --- | --- |\n| ratio | 1.872 |\n"
            "| a b, ours | 707 |\n| a b, s | x |\n\n`typed` (commit abc1234)",
            results.rendered(asked),
        )
        results.keep_times(told, "some", "typed")
        self.assertIn(
            "| ratio | a b, ours | a b, s |\n| --- | --- | --- |\n"
            "| 1.872 | 707 | x |\n| 1.872 | 707 | x |",
            results.rendered(asked),
        )

    def test_rivals_become_a_line_a_variant(self):
        row = {"variant": "DAMSM", "text": "t", "data": "d", "key": "k"}
        row |= {"seed": 0, "scores": {"r_precision": 0.25}, "minutes": 1.0}
        workdir = self.root / "readers"
        workdir.mkdir()
        with self.assertRaisesRegex(ValueError, "holds no rows.jsonl"):
            results.keep_rivals(workdir, "some", "typed")
        (workdir / "rows.jsonl").write_text(json.dumps(row))
        results.keep_rivals(workdir, "some", "typed")
        told = self.root / "recipes" / "results" / "some.jsonl"
        (kept,) = [json.loads(line) for line in told.read_text().splitlines()]
        self.assertNotIn("key", kept)
        self.assertEqual(kept["run"]["command"], "typed")
        table = results.rendered("<!-- table some -->\n<!-- end -->")
        self.assertIn("| d | t | DAMSM | 1 | 0.250 | - | - | - |", table)
        self.assertIn("`typed` (commit", table)

    def test_sheet_becomes_two_halves(self):
        workdir = self.root / "sheet"
        with self.assertRaisesRegex(ValueError, "holds no rows.jsonl"):
            results.keep_sheet(workdir, "some", "typed")
        rows = [sheets.row("A", fid=90.0), sheets.row("A"), sheets.row("B")]
        rows[1]["config"]["text"] = {"source": "/mnt/me/runs/reader"}
        rows[2]["commit"] = None
        for row in rows:
            files.append_line(workdir / "rows.jsonl", json.dumps(row))
        results.keep_sheet(workdir, "some", "typed again")
        kept = [json.loads(x) for x in self.rows.read_text().splitlines()]
        self.assertEqual([row["cell"] for row in kept], ["A", "B"])
        self.assertEqual(kept[0]["config"]["text"], {"source": "reader"})
        self.assertNotIn("key", kept[0])
        self.assertEqual(
            [row["run"] for row in kept],
            [{"command": "typed again", "commit": "abc1234"}] * 2,
        )
        table = results.rendered("<!-- table some -->\n<!-- end -->")
        self.assertIn(halves.table(rows[1:]), table)
        self.assertIn("`typed again` (commit abc1234)", table)

    def test_haste_is_no_result(self):
        workdir = self.root / "sheet"
        row = json.dumps(sheets.row("A", quick=True))
        files.append_line(workdir / "rows.jsonl", row)
        with self.assertRaisesRegex(ValueError, "made with --quick"):
            results.keep_sheet(workdir, "some", "typed")
        self.assertFalse(self.rows.exists())

    def test_what_else_a_tool_printed_is_refused(self):
        told = self.root / "told.txt"
        told.write_text('{"ratio": 1.0}\nnone  894.7 ms\n')
        with self.assertRaisesRegex(ValueError, r"'none  894\.7 ms' is no JSO"):
            results.keep_times(told, "some", "typed")
        self.assertFalse(self.rows.exists())

    def test_rows_without_a_name_are_refused(self):
        with self.assertRaisesRegex(ValueError, "need a --name and the --com"):
            results.keep_times(self.root / "times.json", None, "typed")


class KeepTest(tf.test.TestCase):
    """What of a run goes into the results."""

    def test_where_the_data_lay_stays_at_home(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        config = {
            "data": {"path": "/mnt/mine/cats"},
            "text": {"source": "/mnt/mine/reader", "encoder": "a/b"},
            "train": {"seed": 3},
        }
        (folder / "config.json").write_text(json.dumps(config))
        score = {"candidate": "c", "name": "fid", "value": 1.0}
        (folder / "scores.jsonl").write_text(json.dumps(score))
        root = folder / "root"
        commit = mock.patch.object(results, "_commit", return_value="abc")
        with mock.patch.object(results, "ROOT", root), commit:
            results.keep(folder, "cats", "train it")
        kept = (root / "recipes" / "results" / "cats.jsonl").read_text()
        run = json.loads(kept)["run"]
        self.assertEqual(run["config"]["data"]["path"], "cats")
        text = {"source": "reader", "encoder": "a/b"}
        self.assertEqual(run["config"]["text"], text)
        self.assertEqual((run["seed"], run["commit"]), (3, "abc"))
        self.assertNotIn("/mnt", kept)


if __name__ == "__main__":
    tf.test.main()
