"""Examines how rows of a sheet are laid out in two halves."""

import tensorflow as tf

from recipes import halves
from tests.recipes import sheets


class TableTest(tf.test.TestCase):
    """Equal time first, equal moves second."""

    def test_each_half_has_a_line_a_cell(self):
        told = halves.table([sheets.row("A"), sheets.row("B", fid=50.0)])
        first, second = told.split("**Equal moves**")
        self.assertIn("which decides: 15 minutes a cell.", first)
        self.assertIn(
            "|  | seeds | parameters | ms a move | moves | minutes | fid_eye |",
            first,
        )
        self.assertIn(
            "| A | 1 | 1,234,567 | 750 | 1,200 | 12.0 | 100 [90, 110] |\n"
            "| B | 1 | 1,234,567 | 750 | 1,200 | 12.0 | 50 [90, 110] |",
            first,
        )
        self.assertStartsWith(second, ": 900 each.\n")
        self.assertIn("| A | 1 | 9.0 | 101 [90, 110] |", second)
        self.assertIn("| B | 1 | 9.0 | 51 [90, 110] |", second)
        self.assertIn("186 pictures of 3 noise(s) each, against 1,837", told)
        self.assertNotIn("precision_eye", told)
        self.assertNotIn("--quick", told)
        self.assertNotIn("Not measured like", told)

    def test_several_seeds_are_averaged_and_one_is_not(self):
        rows = [sheets.row("A", 0, 100.0), sheets.row("B", 0, 70.0)]
        rows.append(sheets.row("A", 1, 104.0))
        told = halves.table(rows)
        self.assertIn("| 12.0 | 102 ± 2.8 |", told)
        self.assertIn("| A | 2 |", told)
        self.assertIn("| B | 1 |", told)
        self.assertIn("| 12.0 | 70 [90, 110] |", told)

    def test_seeds_that_agree_but_for_rounding_have_no_deviation(self):
        rows = [sheets.row("A", 0, 0.1 + 0.2), sheets.row("A", 1, 0.3)]
        self.assertIn("| 0.3 ± 0 |", halves.table(rows))

    def test_noises_have_a_deviation_where_there_is_no_interval(self):
        row = sheets.row("A")
        noisy = sheets.score(0.25, [0.2, 0.3], 0.07)
        row["time"]["scores"] = {"colour_truth": noisy}
        told = halves.table([row])
        self.assertIn("| colour_truth |", told)
        self.assertIn("| 0.25 ± 0.07 |", told)

    def test_haste_is_never_taken_for_results(self):
        rows = [sheets.row("A", quick=True)]
        told = halves.table(rows)
        self.assertStartsWith(told, "**For the layout only (--quick)")
        self.assertIn("15 seconds (--quick) a cell", told)

    def test_cell_that_broke_is_told_and_has_no_figures(self):
        fault = {"fault": "After move 7 fool is nan."}
        row = {**sheets.row("B"), **fault}
        del row["time"], row["moves"]
        told = halves.table([sheets.row("A"), row])
        self.assertIn("| B | 0 | 1,234,567 | 750 | 1,200 | - | - |", told)
        self.assertIn("B, seed 0, is out: After move 7 fool is nan.", told)
        alone = halves.table([row])
        self.assertNotIn("Equal moves", alone)

    def test_what_was_not_measured_alike_is_told(self):
        other = sheets.row("B", devices="GPU:0")
        card = other["time"]["protocol"]
        card["counts"] = {"reference": 20, "candidate": 186}
        third = sheets.row("C", devices="GPU:0")
        told = halves.table([sheets.row("A"), other, third])
        self.assertIn("Not measured like A: B, for counts.reference is", told)
        self.assertIn("like A: B, C, for it played on GPU:0.", told)

    def test_judges_that_were_coaches_are_told(self):
        rows = [sheets.row(name) for name in "ABC"]
        for row in rows[1:]:
            row["time"]["protocol"]["trained_with"] = {"lite0": "an eye"}
        told = halves.table(rows)
        self.assertIn("In the training loss of B, C: lite0. Figures", told)
        self.assertNotIn("Not measured like", told)

    def test_rows_of_several_comparisons_are_refused(self):
        for more, sentence in (
            ({"minutes_each": 30.0}, "minutes_each is 15.0 and 30.0"),
            ({"quick": True}, "quick is False and True"),
            ({"moves": {"moves": 600}}, "equally many moves: 600, 900"),
        ):
            with self.assertRaisesRegex(ValueError, sentence):
                halves.table([sheets.row("A"), sheets.row("B", **more)])


if __name__ == "__main__":
    tf.test.main()
