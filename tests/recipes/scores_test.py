"""Examines scores: written, read again, told, confirmed."""

import contextlib
import io
import json
import math

import tensorflow as tf
from absl.testing import parameterized

from recipes import scores
from tests.recipes import runs

CARD = {"data": "shapes", "seeds": [0], "counts": {"candidate": 600}}


def row(name="fid_lite0", candidate="trained", value=2.0, **card):
    """Makes a row as the judge does."""
    return {
        "candidate": candidate,
        "name": name,
        "value": value,
        "values": [value],
        "std": 0.0,
        "interval": [value - 0.5, value + 0.5],
        "sampling": None,
        "protocol": {**CARD, **card},
    }


def quietly(work, *arguments):
    """Calls what prints; gives its answer and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        answer = work(*arguments)
    return answer, printed.getvalue()


class WriteTest(tf.test.TestCase):
    """Scores are replaced whole or not at all."""

    def setUp(self):
        super().setUp()
        self.out = runs.folder(self) / "deep" / "er"

    def write(self, rows):
        return quietly(scores.write, rows, self.out)

    def test_rows_and_their_table_lie_in_the_folder(self):
        rows = [row(), row("kid_lite0")]
        found, printed = self.write(iter(rows))
        self.assertEqual(found, rows)
        text = (self.out / "scores.jsonl").read_text()
        self.assertEndsWith(text, "}\n")
        self.assertEqual([*map(json.loads, text.splitlines())], rows)
        table = (self.out / "scores.md").read_text()
        self.assertEqual(table, f"{scores.told(rows)}\n")
        self.assertIn(table, printed)
        self.assertIn(str(self.out), printed)

    def test_scores_are_replaced(self):
        for rows in ([row(), row("kid_lite0")], [row()]):
            self.write(rows)
        lines = (self.out / "scores.jsonl").read_text().splitlines()
        self.assertLen(lines, 1)
        self.assertNotIn("kid", (self.out / "scores.md").read_text())

    def test_break_in_the_middle_leaves_what_was_there(self):
        self.write([row()])
        before = runs.contents(self.out)

        def breaking():
            yield row("kid_lite0")
            raise OSError("broken")

        with self.assertRaisesRegex(OSError, "broken"):
            self.write(breaking())
        self.assertEqual(runs.contents(self.out), before)

    def test_figure_that_is_no_number_is_not_written(self):
        with self.assertRaises(ValueError):
            self.write([row(value=math.nan)])
        self.assertFalse(self.out.exists())


class KeptTest(parameterized.TestCase, tf.test.TestCase):
    """Scores are taken again if their card says what is wanted."""

    def setUp(self):
        super().setUp()
        self.out = runs.folder(self)
        self.rows = [
            row(candidate="untrained", moves=0),
            row(moves=4),
            row("colour_truth", seeds=[0, 1], moves=4),
        ]
        quietly(scores.write, self.rows, self.out)

    def kept(self, **wanted):
        return scores.kept(self.out, "trained", wanted)

    def test_card_of_the_candidates_first_row_decides(self):
        self.assertEqual(self.kept(moves=4, seeds=[0]), self.rows)
        self.assertEqual(self.kept(), self.rows)
        for other in ({"moves": 0}, {"seeds": [0, 1]}, {"seed": [0]}):
            self.assertEqual(self.kept(**{"moves": 4, **other}), [])

    def test_scores_of_another_candidate_are_not_taken(self):
        self.assertEqual(scores.kept(self.out, "real", {"moves": 4}), [])

    @parameterized.parameters(
        b"",
        b"{",
        b"[]\n",
        b"7\n",
        b'{"candidate": "trained"}\n',
        b'{"candidate": "trained", "protocol": 7}\n',
        b'{"candidate": "trained", "protocol": "moves"}\n',
        b'{"candidate": [], "protocol": {"moves": 4}}\n',
        b"\xff\xfe\n",
    )
    def test_file_that_holds_no_scores_is_measured_again(self, data):
        (self.out / "scores.jsonl").write_bytes(data)
        self.assertEqual(self.kept(moves=4), [])

    def test_folder_without_scores_is_measured(self):
        (self.out / "scores.jsonl").unlink()
        self.assertEqual(self.kept(moves=4), [])
        self.assertEqual(scores.kept(self.out / "none", "trained", {}), [])


class ToldTest(parameterized.TestCase, tf.test.TestCase):
    """Tables say what must be known to read them."""

    @parameterized.parameters(
        (49, "49 pictures a row: FID, KID and IS say little."),
        (50, "50 pictures a row, fewer than 500: "),
        (499, "499 pictures a row, fewer than 500: "),
    )
    def test_few_pictures_are_told(self, count, sentence):
        told = scores.told([row(counts={"candidate": count})])
        self.assertStartsWith(told.split("\n\n")[1], sentence)

    def test_enough_pictures_of_one_noise_need_no_words(self):
        rows = [row(counts={"candidate": 500})]
        self.assertEqual(scores.told(rows).count("\n\n"), 0)
        self.assertIn("| trained | 2 |", scores.told(rows))

    def test_chance_of_retrievals_is_told_once(self):
        rows = [
            row(),
            row("r_precision_lite0_letters", candidates=100),
            row("r_precision_lite0_letters", "real", candidates=100),
        ]
        told = scores.told(rows).split("\n\n")[1:]
        self.assertEqual(told, ["R-precision: 1 of 100, chance 0.01."])

    def test_noises_and_samples_are_told(self):
        told = scores.told([row(seeds=[0, 1, 2])])
        self.assertEndsWith(told, "the standard deviation over 3 noises.")
        sampled = row() | {"sampling": {"low": 1.5, "high": 2.5, "error": 0.1}}
        told = scores.told([row("is_lite0"), sampled])
        self.assertIn("2 [1.5, 2.5]", told)
        self.assertIn("[a, b]: the 95 % interval of what is expected", told)

    def test_judges_of_the_training_loss_are_told_once(self):
        rows = [row(trained_with=["eye", "x"]), row(trained_with=["eye"])]
        told = scores.told([*rows, row()]).split("\n\n")[1:]
        self.assertLen(told, 1)
        self.assertStartsWith(
            told[0], "In the generator's training loss: eye, x. Figures that"
        )

    def test_card_is_a_line_an_entry(self):
        text = scores.card([row(network={"name": "eye", "size": 9}), row()])
        self.assertEqual(
            text.splitlines(),
            [
                "Protocol card",
                "  data: shapes",
                "  seeds: [0]",
                "  counts: candidate 600",
                "  network: name eye, size 9",
            ],
        )


class ConfirmTest(tf.test.TestCase):
    """Claims hold if they are measured within their interval."""

    def confirm(self, claims, rows):
        return quietly(scores.confirm, claims, rows)

    def test_claims_within_their_intervals_pass(self):
        claims = [row(value=2.0), row("kid_lite0", value=1.0)]
        near = [row(value=2.5), row("kid_lite0", value=0.5)]
        answer, printed = self.confirm(claims, near)
        self.assertTrue(answer)
        self.assertEqual(
            printed.splitlines(),
            [
                "pass  fid_lite0: 2.5000, the card says 2.0000 "
                "(1.5000 to 2.5000)",
                "pass  kid_lite0: 0.5000, the card says 1.0000 "
                "(0.5000 to 1.5000)",
            ],
        )

    def test_one_claim_outside_fails_and_all_are_told(self):
        claims = [row(value=2.0), row("kid_lite0", value=1.0)]
        for value in (1.499, 2.501, math.nan):
            far = [row(value=value), row("kid_lite0", value=1.0)]
            answer, printed = self.confirm(claims, far)
            self.assertFalse(answer)
            self.assertStartsWith(printed, "FAIL  fid_lite0")
            self.assertIn("\npass  kid_lite0", printed)

    def test_claim_that_was_not_measured_fails(self):
        answer, printed = self.confirm([row(), row("is_lite0")], [row()])
        self.assertFalse(answer)
        self.assertIn("FAIL  is_lite0: not measured, the card says", printed)
        self.assertFalse(self.confirm([row("fid_other")], [row()])[0])

    def test_more_than_was_claimed_may_be_measured(self):
        self.assertTrue(self.confirm([row()], [row("is_lite0"), row()])[0])


if __name__ == "__main__":
    tf.test.main()
