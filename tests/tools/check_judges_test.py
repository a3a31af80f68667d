"""Examines the check of judges by what a person can put in order."""

import dataclasses
import json
import sys
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import openmoji, prepared, shapes
from tests.recipes import command, eyes, runs

CHANGED = [
    "as it is",
    "blurred, 1 px",
    "blurred, 2 px",
    "blurred, 4 px",
    "noised, 8 levels",
    "noised, 24 levels",
    "noised, 72 levels",
    "red, green and blue exchanged",
]


def edges(pictures):
    """How much neighbours differ."""
    return abs(np.diff(np.float64(pictures), axis=2)).mean()


def distance(one, other):
    """Levels between two tables of pictures."""
    return abs(np.float64(one) - np.float64(other)).mean()


class CheckJudgesTest(parameterized.TestCase, tf.test.TestCase):
    """Two toy sets are judged both ways by an eye."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        cls.own = shapes.load(40, 16)
        other = shapes.load(31, 32, seed=1)
        other = dataclasses.replace(other, images=255 - other.images)
        prepared.write(cls.folder / "set", {"train": other})
        with (
            mock.patch.object(openmoji, "load", return_value=cls.own) as load,
            eyes.opened(eyes.Eye()),
        ):
            code, cls.printed, complained = command.run(
                "check_judges",
                f"--data={cls.folder / 'set'}",
                "--image_size=16",
                room="tools",
            )
        assert (code, complained) == (0, ""), complained
        load.assert_called_once_with("train", 16)
        # Imported by the command: its flags are one process's only once.
        cls.tool = sys.modules["tools.check_judges"]
        cls.line = json.loads(cls.printed.splitlines()[-1])

    def test_both_sets_are_the_real_one_once(self):
        shown = {}
        for row in self.line["ways"]:
            shown.setdefault(row["real"], []).append(row["shown"])
        last, names = self.line["ways"][-1], list(shown)
        self.assertEqual(names[0], "openmoji")
        self.assertEqual(names[2:], ["all"])
        self.assertEqual(
            shown["openmoji"], [*CHANGED, f"pictures of {names[1]}"]
        )
        self.assertEqual(shown[names[1]], [*CHANGED, "pictures of openmoji"])
        self.assertEqual(shown["all"], ["in order"])
        figures = ["fid_eye", "kid_eye", "precision_eye", "coverage_eye"]
        self.assertEqual(list(self.line["in_order"]), figures)
        for row in self.line["ways"]:
            self.assertEqual(list(row), ["real", "shown", "pictures", *figures])
        for name, share in self.line["in_order"].items():
            self.assertEqual(last[name], share)
            self.assertEqual(
                self.tool.in_order(self.line["ways"][:-1], name), share
            )

    def test_halves_are_counted_and_the_other_sets_too(self):
        counts = {
            (row["real"], row["shown"]): row["pictures"]
            for row in self.line["ways"][:-1]
        }
        other = self.line["ways"][len(CHANGED) + 1]["real"]
        self.assertEqual(counts["openmoji", "as it is"], 20)
        self.assertEqual(counts["openmoji", f"pictures of {other}"], 16)
        self.assertEqual(counts[other, "as it is"], 16)
        self.assertEqual(counts[other, "pictures of openmoji"], 20)

    def test_eye_finds_strong_changes_worse_and_another_set_worst(self):
        ways = self.line["ways"][:-1]
        for real in dict.fromkeys(row["real"] for row in ways):
            for name in ("fid_eye", "kid_eye"):
                found = {r["shown"]: r[name] for r in ways if r["real"] == real}
                order = [
                    found["as it is"],
                    found["noised, 24 levels"],
                    found["noised, 72 levels"],
                    max(found.values()),
                ]
                self.assertEqual(order, sorted(order))
                self.assertLen(set(order), 4)
                self.assertLess(found["as it is"], found["blurred, 4 px"])
                worst = max(found, key=found.get)
                self.assertStartsWith(worst, "pictures of ")

    def test_lines_for_people_tell_the_same(self):
        lines = self.printed.splitlines()[:-1]
        self.assertLen(lines, 2 * (len(CHANGED) + 1) + 1)
        self.assertStartsWith(lines[0], "real openmoji shown as it is pictures")
        self.assertStartsWith(lines[-1], "real all shown in order")

    def test_halves_are_disjoint_and_the_same_every_time(self):
        for count in (10, 11):
            numbers = np.arange(count)
            one, two = self.tool.halves(numbers)
            self.assertEqual((len(one), len(two)), (count // 2, -(-count // 2)))
            self.assertCountEqual([*one, *two], numbers)
            again = self.tool.halves(numbers)
            self.assertAllEqual(one, again[0])
            self.assertAllEqual(two, again[1])
        self.assertNotAllEqual(sorted(one), one)  # By chance.

    def test_pairs_are_those_that_a_person_orders(self):
        values = dict.fromkeys([*CHANGED, "pictures of x"])
        pairs = [*self.tool._pairs(values)]
        self.assertLen(pairs, 12)
        self.assertEqual(
            pairs,
            [("as it is", how) for how in [*CHANGED[1:], "pictures of x"]]
            + [(CHANGED[i], CHANGED[i + 1]) for i in (1, 2, 4, 5)],
        )

    @parameterized.parameters(
        ("fid_eye", [0, 1, 2, 3, 1, 2, 3, 1], 1.0),
        ("fid_eye", [9, 1, 2, 3, 1, 2, 3, 1], 4 / 11),
        ("fid_eye", [0, 3, 2, 1, 1, 2, 3, 1], 9 / 11),
        ("kid_eye", [0, 0, 2, 3, 1, 2, 2, 1], 9 / 11),  # Ties are not ordered.
        ("coverage_eye", [0, 1, 2, 3, 1, 2, 3, 1], 0.0),
        ("precision_eye", [9, 3, 2, 1, 3, 2, 1, 3], 1.0),
    )
    def test_share_of_pairs_in_order(self, figure, values, share):
        rows = [
            {"real": "a", "shown": how, "pictures": 5, figure: value}
            for how, value in zip(CHANGED, values, strict=True)
        ]
        found = self.tool.in_order(rows, figure)
        self.assertAllClose(found, share, atol=1e-4)

    def test_sets_are_ordered_apart(self):
        rows = [
            {"real": real, "shown": how, "fid_eye": value}
            for real, values in (("a", (0, 1)), ("b", (3, 2)))
            for how, value in zip(CHANGED, values, strict=False)
        ]
        self.assertEqual(self.tool.in_order(rows, "fid_eye"), 0.5)

    def test_changes_do_what_they_are_called(self):
        changes = self.tool.CHANGES
        self.assertEqual(list(changes), CHANGED)
        before = self.own.images.copy()
        made = {how: change(self.own.images) for how, change in changes.items()}
        self.assertAllEqual(self.own.images, before)
        for pictures in made.values():
            self.assertEqual(pictures.dtype, np.uint8)
            self.assertEqual(pictures.shape, before.shape)
        self.assertAllEqual(made["as it is"], before)
        blurred = [edges(made[how]) for how in [CHANGED[0], *CHANGED[1:4]]]
        self.assertEqual(blurred, sorted(blurred, reverse=True))
        self.assertLen(set(blurred), 4)
        noised = [edges(made[how]) for how in [CHANGED[0], *CHANGED[4:7]]]
        self.assertEqual(noised, sorted(noised))
        self.assertLen(set(noised), 4)
        for steps in (CHANGED[1:4], CHANGED[4:7]):
            far = [distance(made[how], before) for how in steps]
            self.assertEqual(far, sorted(far))
        exchanged = made["red, green and blue exchanged"]
        self.assertAllEqual(np.sort(exchanged), np.sort(before))
        self.assertGreater(distance(exchanged, before), 1.0)

    def test_noise_has_the_levels_it_is_called_by(self):
        grey = np.full((4, 32, 32, 3), 128, np.uint8)
        for levels in (8, 24):
            found = self.tool.CHANGES[f"noised, {levels} levels"](grey)
            self.assertAllClose(np.std(found), levels, rtol=0.05)
            again = self.tool.CHANGES[f"noised, {levels} levels"](grey)
            self.assertAllEqual(found, again)

    def test_mistakes_give_sentences(self):
        for words, told in (
            (["--data=nowhere"], "nowhere"),
            (["--protocol=claen"], "claen"),
            (["--image_size=4"], "image_size"),
        ):
            code, _, complained = command.run(
                "check_judges", *words, room="tools"
            )
            self.assertEqual(code, 2)
            self.assertRegex(complained, r"^Error: [^\n]+\n$")
            self.assertIn(told, complained)


if __name__ == "__main__":
    tf.test.main()
