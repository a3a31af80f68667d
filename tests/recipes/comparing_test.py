"""Examines the table of several runs' scores."""

import json

import tensorflow as tf
from absl.testing import parameterized

from recipes import comparing
from tests.recipes import command, runs


def row(name="fid_lite0", value=2.0, candidate="trained generator", **card):
    """Makes a row as recipes.evaluate writes it."""
    card = {"resize": "bilinear", "counts": {"candidate": 9}, **card}
    return {
        "candidate": candidate,
        "name": name,
        "value": value,
        "values": [value],
        "std": 0.0,
        "protocol": card,
    }


class ComparingTest(parameterized.TestCase, tf.test.TestCase):
    """Only what was measured alike is laid side by side."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)

    def file(self, name, *rows):
        path = self.folder / name / "scores.jsonl"
        path.parent.mkdir()
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    def run_it(self, *words):
        return command.run("compare", *words)

    def test_equal_cards_make_one_table(self):
        one = self.file(
            "one",
            row(moves=5, parameters=1200) | {"std": 0.25},
            row("is_lite0", 3.0),
        )
        sampling = {"low": 1.25, "high": 1.75}
        two = self.file(
            "two",
            row(value=1.5, moves=9, seeds=[0], versions={"x": "1"})
            | {"sampling": sampling},
        )
        code, printed, complained = self.run_it(one, two)
        self.assertEqual((code, complained), (0, ""))
        self.assertEqual(
            printed.splitlines(),
            [
                "|  | parameters | fid_lite0 | is_lite0 |",
                "| --- | --- | --- | --- |",
                "| one/scores.jsonl: trained generator | 1,200 | 2 ± 0.25 "
                "| 3 |",
                "| two/scores.jsonl: trained generator | - | 1.5 [1.25, 1.75] "
                "| - |",
            ],
        )

    def test_one_file_needs_no_names_of_files(self):
        table = comparing.compare([self.file("one", row())])
        self.assertIn("| trained generator | - | 2 |", table)

    @parameterized.parameters(
        (dict(std=0.0), "2 [1.98, 2.02]"),
        (dict(std=4e-18), "2 [1.98, 2.02]"),
        (dict(std=None), "2 [1.98, 2.02]"),
        (dict(std=0.25), "2 ± 0.25"),
        (dict(std=4e-18, interval=None), "2"),
        (dict(sampling={"low": 1, "high": 3}, std=0.25), "2 [1, 3]"),
    )
    def test_spread_is_the_best_that_is_known(self, more, cell):
        row_ = row() | {"interval": [1.98, 2.02]} | more
        table = comparing.compare([self.file("one", row_)])
        self.assertEqual(
            table.splitlines()[-1], f"| trained generator | - | {cell} |"
        )

    def test_figure_that_is_told_twice_is_refused(self):
        path = self.file("one", row(), row(candidate="b"), row(value=3.0))
        code, _, complained = self.run_it(path)
        self.assertEqual(code, 2)
        self.assertIn(
            f"{path}, line 3 tells fid_lite0 of trained generator a second",
            complained,
        )

    @parameterized.parameters("fid_lite0", "kid_clean", "coverage_lite0")
    def test_counts_within_a_file_must_be_equal(self, name):
        few = row(name, candidate="b", counts={"candidate": 8})
        other = row(name, candidate="c", generator="x")
        path = self.file("one", row(name), other, few)
        code, _, complained = self.run_it(path)
        self.assertEqual(code, 2)
        self.assertIn(
            f"alike: {name} of trained generator in scores.jsonl and of b "
            "(counts.candidate is 9 and 8)",
            complained,
        )
        code, printed, _ = self.run_it(path, "--force")
        self.assertEqual(code, 0)
        self.assertIn("| b | - | 2 |", printed)
        self.assertIn(f"Not measured alike: {name} of trained", printed)

    def test_real_pictures_may_be_few_which_is_told(self):
        real = row(candidate="real test pictures", counts={"candidate": 8})
        table = comparing.compare([self.file("one", row(), real)])
        self.assertRegex(
            table,
            r"real test pictures \| - \| 2 \|\n\nNot measured alike: fid_lite0 "
            r"of trained generator in scores.jsonl and of real test pictures "
            r"\(counts.candidate is 9 and 8\).$",
        )

    def test_other_differences_within_a_file_are_meant(self):
        rows = [
            row("colour_truth", counts={"colours": 8}),
            row("colour_truth", candidate="b", counts={"captions": 9}),
            row("r_precision_lite0_x", counts={"candidate": 9}),
            row("r_precision_lite0_x", candidate="b", counts={"candidate": 8}),
            row(split="test", generator="x"),
            row(candidate="b", split="train", counts={"candidate": 9}),
        ]
        del rows[-1]["protocol"]["resize"]
        table = comparing.compare([self.file("one", *rows)])
        self.assertNotIn("Not measured alike", table)

    @parameterized.parameters(
        (dict(resize="bicubic"), "resize is 'bilinear' and 'bicubic'"),
        (dict(counts={"candidate": 8}), "counts.candidate is 9 and 8"),
        (dict(jpeg=75), "jpeg is not told and 75"),
    )
    def test_other_cards_are_refused_unless_forced(self, card, said):
        files = self.file("one", row()), self.file("two", row(**card))
        code, _, complained = self.run_it(*files)
        self.assertEqual(code, 2)
        self.assertIn(said, complained)
        self.assertIn("--force", complained)
        code, printed, _ = self.run_it(*files, "--force")
        self.assertEqual(code, 0)
        self.assertIn("| two/scores.jsonl: trained generator", printed)
        self.assertIn("Not measured alike: fid_lite0 of one/sco", printed)
        self.assertIn(said, printed)

    def test_what_differs_in_several_figures_is_told_once(self):
        names = "fid_lite0", "kid_lite0"
        one = self.file("one", *(row(name) for name in names))
        two = self.file("two", *(row(name, resize="x") for name in names))
        with self.assertRaises(ValueError) as raised:
            comparing.compare([one, two])
        said = str(raised.exception)
        self.assertIn("alike: fid_lite0, kid_lite0 of one/scores", said)
        self.assertEqual(said.count("resize is"), 1)

    def test_candidates_are_held_against_their_own(self):
        real = row(candidate="real", split="train and test")
        files = self.file("one", row(), real), self.file("two", row(), real)
        self.assertIn("two/scores.jsonl: real", comparing.compare(files))
        other = self.file("three", row(candidate="folder", split="test"))
        with self.assertRaisesRegex(ValueError, "split is"):
            comparing.compare([files[0], other])

    def test_nothing_in_common_is_said(self):
        files = self.file("one", row()), self.file("two", row("fid_clean"))
        with self.assertRaisesRegex(ValueError, "has fid_lite0; two/s.*clean"):
            comparing.compare(files)

    @parameterized.parameters(
        ("", "holds no scores"),
        ("{", "line 1"),
        ("3\n", "line 1"),
        ('{"name": "fid"}\n', "has no candidate, value, protocol"),
    )
    def test_other_files_are_refused(self, text, said):
        path = self.folder / "bad.jsonl"
        path.write_text(text)
        with self.assertRaisesRegex(ValueError, said):
            comparing.compare([str(path)])

    def test_mistakes_give_sentences(self):
        code, _, complained = self.run_it(str(self.folder / "none.jsonl"))
        self.assertEqual(code, 2)
        self.assertIn("none.jsonl can't be read", complained)
        code, _, complained = self.run_it()
        self.assertEqual(code, 2)
        self.assertIn("Name files of scores", complained)
        one = self.file("one", row())
        code, _, complained = self.run_it(one, "--workdir=x")
        self.assertIn("not both", complained)
        with self.assertRaisesRegex(ValueError, "named twice"):
            comparing.compare([one, one])


if __name__ == "__main__":
    tf.test.main()
