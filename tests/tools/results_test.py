"""Examines that the README's tables are the committed rows."""

import json
import pathlib
import tempfile
from unittest import mock

import tensorflow as tf

from keras_t2i import weights
from keras_t2i.metrics import evaluator
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


class KeepTest(tf.test.TestCase):
    """What of a run goes into the results."""

    def test_where_the_data_lay_stays_at_home(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        config = {"data": {"path": "/mnt/mine/cats"}, "train": {"seed": 3}}
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
        self.assertEqual((run["seed"], run["commit"]), (3, "abc"))
        self.assertNotIn("/mnt", kept)


if __name__ == "__main__":
    tf.test.main()
