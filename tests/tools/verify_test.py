"""Examines making a preset from a run and verifying its card."""

import json

import tensorflow as tf
from absl.testing import parameterized

from recipes import trained
from tests.recipes import command, runs


class VerifyTest(parameterized.TestCase, tf.test.TestCase):
    """A card is believed when its scores come out again."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        runs.make(cls.folder / "run")
        made = command.run(
            "make_preset",
            f"--workdir={cls.folder / 'run'}",
            f"--folder={cls.folder}",
            "--name=toy",
            "--seeds=1",
            "--pictures=5",
            room="tools",
        )
        assert made[0] == 0, made
        cls.path = cls.folder / "toy_preset.json"
        cls.card = json.loads(cls.path.read_text())

    def setUp(self):
        super().setUp()
        self.card = dict(type(self).card)
        self.path.write_text(json.dumps(self.card))

    def verify(self, name="toy"):
        return command.run(
            "verify",
            f"--preset={name}",
            f"--folder={self.folder}",
            room="tools",
        )

    def test_card_says_what_was_trained_and_how_it_was_judged(self):
        self.assertEqual(self.card["network"], "gan_cls")
        self.assertEqual(self.card["moves"], 4)
        self.assertEqual(self.card["recipe"]["data"]["name"], "shapes")
        self.assertEqual(self.card["judged"], {"seeds": 1, "most": 5})
        self.assertCountEqual(self.card["data"], ["train", "test"])
        names = [row["name"] for row in self.card["scores"]]
        self.assertLen(names, 7)
        self.assertIn("r_precision_lite0_letters", names)
        for row in self.card["scores"]:
            self.assertEqual(row["candidate"], "trained generator")
        found = trained.preset("toy", self.folder)
        self.assertEqual(found.painter.generate(["a red heart"]).shape[1], 16)

    def test_honest_card_passes_and_a_perturbed_score_fails(self):
        code, printed, complained = self.verify()
        self.assertEqual((code, complained), (0, ""))
        self.assertEqual(printed.count("pass  "), 2 + 7)
        self.assertNotIn("FAIL", printed)
        # The same measurement against a card that claims a little more.
        row = self.card["scores"][0]
        claim = {**row, "value": row["value"] * 1.05}
        claim["interval"] = [1.05 * end for end in row["interval"]]
        scores = [claim, *self.card["scores"][1:]]
        self.path.write_text(json.dumps({**self.card, "scores": scores}))
        code, printed, complained = self.verify()
        self.assertEqual((code, complained), (1, ""))
        self.assertEqual(printed.count("pass  "), 2 + 6)
        self.assertRegex(printed, rf"FAIL  fid_lite0: {row['value']:.4f}, the ")

    def test_other_data_than_the_cards_fail_before_anything_is_measured(self):
        for split in ("train", "test"):
            data = {**self.card["data"], split: "0" * 64}
            self.path.write_text(json.dumps({**self.card, "data": data}))
            code, printed, complained = self.verify()
            self.assertEqual((code, complained), (1, ""))
            self.assertRegex(
                printed,
                rf"FAIL  data {split}: {self.card['data'][split]}, the card "
                "says 0000",
            )
            self.assertNotIn("fid_lite0", printed)

    @parameterized.parameters(
        ("scores", []),
        ("scores", None),
        ("judged", None),
        ("moves", None),
        ("data", {}),
    )
    def test_card_that_lacks_a_claim_is_not_believed(self, key, value):
        self.path.write_text(json.dumps({**self.card, key: value}))
        code, _, complained = self.verify()
        self.assertEqual(code, 2)
        self.assertRegex(complained, f"^Error: .*toy claims no {key};[^\n]*\n$")

    def test_card_without_a_recipe_gives_a_sentence(self):
        del self.card["recipe"]
        self.path.write_text(json.dumps(self.card))
        code, _, complained = self.verify()
        self.assertEqual(code, 2)
        self.assertRegex(complained, "^Error: .*toy names no recipe[^\n]*\n$")

    def test_unknown_preset_is_told_its_neighbour(self):
        code, _, complained = self.verify("toys")
        self.assertEqual(code, 2)
        self.assertIn("Did you mean 'toy'?", complained)


if __name__ == "__main__":
    tf.test.main()
