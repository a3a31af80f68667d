"""Examines recipes.evaluate from a run directory to its table."""

import json
import shutil
from unittest import mock

import numpy as np
import tensorflow as tf

from keras_t2i import weights
from keras_t2i.data import prepared, shapes
from keras_t2i.metrics import evaluator
from recipes import judging, letters, scores, trained
from tests.recipes import command, eyes, runs

FEW = ["--pictures=6", "--seeds=1"]
CANDIDATES = [
    "untrained generator",
    "mean training picture",
    "trained generator",
    "real test pictures",
]


class EvaluateTest(tf.test.TestCase):
    """A smoke run gets its scores, each with its protocol."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        cls.workdir = cls.folder / "run"
        cls.system = runs.make(cls.workdir)
        for variable in cls.system.average.weights:
            variable.assign(variable + 0.5)  # Not the untrained one.
        shutil.rmtree(cls.workdir / "checkpoints")
        runs.keep(cls.system, cls.workdir)
        code, cls.printed, complained = command.run(
            "evaluate", f"--workdir={cls.workdir}", *FEW
        )
        assert (code, complained) == (0, ""), complained
        lines = (cls.workdir / "scores.jsonl").read_text().splitlines()
        cls.rows = [json.loads(line) for line in lines]

    def row(self, candidate, name):
        (row,) = [
            row
            for row in self.rows
            if (row["candidate"], row["name"]) == (candidate, name)
        ]
        return row

    def refused(self, *words):
        code, _, complained = command.run("evaluate", *words)
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        return complained

    def test_every_candidate_has_its_figures(self):
        found = {}
        for row in self.rows:
            found.setdefault(row["candidate"], []).append(row["name"])
        pictures = ["fid", "kid", "is", "precision", "recall", "density"]
        pictures += ["coverage", "r_precision"]
        pictures = [f"{name}_lite0" for name in pictures]
        pictures[-1] += "_letters"
        prompts = ["colour_truth", "diversity_pixels", "diversity_lite0"]
        self.assertEqual(list(found), CANDIDATES)
        self.assertEqual(found["untrained generator"], pictures + prompts)
        self.assertEqual(found["mean training picture"], pictures)
        self.assertEqual(found["trained generator"], pictures + prompts)
        self.assertEqual(
            found["real test pictures"], [*pictures, "colour_truth"]
        )

    def test_protocol_says_how_it_was_measured(self):
        card = self.row("trained generator", "fid_lite0")["protocol"]
        self.assertEqual(
            (card["data"], card["image_size"], card["seeds"], card["moves"]),
            ("shapes", 16, [0], 4),
        )
        self.assertEqual(card["counts"], {"reference": 6, "candidate": 6})
        self.assertEqual(card["generator"], "gan_cls, trained by GANINTCLS")
        self.assertEqual(card["image_network"]["name"], "lite0")
        self.assertCountEqual(card["data_digest"], ["train", "test"])
        self.assertIn("tensorflow-gan", card["versions"])
        untrained = self.row("untrained generator", "fid_lite0")
        self.assertEqual(untrained["protocol"]["moves"], 0)

    def test_test_pictures_may_be_what_all_is_compared_with(self):
        out = self.folder / "against_test"
        flags = [f"--workdir={self.workdir}", f"--out={out}"]
        flags += ["--reference=test", "--pictures=5", "--seeds=1"]
        self.enterContext(eyes.opened(eyes.Eye()))
        self.assertEqual(command.run("evaluate", *flags)[0], 0)
        lines = (out / "scores.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        self.assertEqual(
            list(dict.fromkeys(row["candidate"] for row in rows)),
            [*CANDIDATES[:3], "real training pictures"],
        )
        # Its map is fitted on training pictures, which so can't be judged.
        name = "r_precision_eye_letters"
        self.assertEqual(
            [row["candidate"] for row in rows if row["name"] == name],
            CANDIDATES[:3],
        )
        fids = [row for row in rows if row["name"] == "fid_eye"]
        self.assertEqual({x["protocol"]["reference"] for x in fids}, {"test"})
        # The very pictures of the test part are no distance away from it.
        config = trained.read_config(self.workdir)
        both = judging.parts(config, 5)
        reader = judging.wiring.text_encoder(config)
        how = judging.How(reference="test", network=eyes.Eye())
        bench = judging._judge(config, both, reader, how)
        test = both[1]
        rows = bench.pictures("same", {0: [test.images]}, None)
        scores = {row["name"]: row["value"] for row in rows}
        nearest = min(row["value"] for row in fids)
        self.assertLess(abs(scores["fid_eye"]), 1e-2 * nearest)
        # A second call takes what lies there, one against others does not.
        again = command.run("evaluate", *flags)[1]
        self.assertIn("judged like this before", again)
        flags.remove("--reference=test")
        other = command.run("evaluate", *flags)[1]
        self.assertNotIn("judged like this before", other)

    def test_readers_that_agree_may_be_asked(self):
        out = self.folder / "matched"
        flags = [f"--workdir={self.workdir}", f"--out={out}", *FEW]
        flags += ["--matcher=mine", "--nobeside", "--nosampling"]
        pair = letters.pair()
        told = []
        given = mock.patch.object(weights.readers, "load", return_value=pair)
        with given, eyes.opened(eyes.Eye()):
            for words in (flags, flags, [*flags, "--matcher="]):
                code, printed, complained = command.run("evaluate", *words)
                self.assertEqual((code, complained), (0, ""))
                told.append(printed)
                lines = (out / "scores.jsonl").read_text().splitlines()
                rows = {r["name"]: r for r in map(json.loads, lines)}
                asked = "r_precision_letters_letters"
                if words is flags:
                    card = rows[asked]["protocol"]
                    self.assertEqual(card["matcher"]["text"], "letters-16")
                else:
                    self.assertNotIn(asked, rows)
        self.assertNotIn("judged like this before", told[0])
        self.assertIn("judged like this before", told[1])
        self.assertNotIn("judged like this before", told[2])
        self.assertIn("matcher: image letters-16, text letters-16", told[0])

    def test_untrained_and_trained_are_two_generators(self):
        values = [
            self.row(name, "fid_lite0")["value"]
            for name in ("untrained generator", "trained generator")
        ]
        self.assertNotAllClose(*values)

    def test_real_colours_are_judged_by_names_of_both_parts(self):
        row = self.row("real test pictures", "colour_truth")
        card = row["protocol"]
        self.assertEqual(card["split"], "train and test")
        self.assertIn("names only", card["captions"])
        # A shape's name says its colour: one caption a picture, 6 + 6.
        self.assertEqual(card["counts"], {"captions": 12})

    def test_table_is_written_and_printed(self):
        table = (self.workdir / "scores.md").read_text()
        self.assertIn(table, self.printed)
        self.assertStartsWith(table, evaluator.table(self.rows))
        self.assertIn("6 pictures a row: FID, KID and IS say little.", table)
        self.assertIn("R-precision: 1 of 6, chance 0.17.", table)
        self.assertNotIn("±", table)  # One seed.
        for name in CANDIDATES:
            self.assertIn(f"  {name} ...\n", self.printed)
        for name in CANDIDATES:
            self.assertIn(f"| {name} |", table)

    def test_second_call_measures_only_what_is_new(self):
        before = runs.contents(self.workdir)
        with mock.patch.object(judging, "judge", side_effect=OSError("asked")):
            code, printed, _ = command.run(
                "evaluate", f"--workdir={self.workdir}", *FEW
            )
            self.assertEqual(code, 0)
            self.assertIn("judged like this before", printed)
            self.assertIn(evaluator.table(self.rows), printed)
            self.assertIn("asked", self.refused(f"--workdir={self.workdir}"))
            for word in ("--pictures=7", "--seeds=2"):
                words = [f"--workdir={self.workdir}", *FEW, word]
                self.assertIn("asked", self.refused(*words))
        self.assertEqual(runs.contents(self.workdir), before)

    def test_scores_of_other_weights_are_not_taken(self):
        found = trained.run(self.workdir)
        how = judging.How(seeds=1, most=6, sampling=True)

        def kept():
            wanted = judging.wanted(found, how)
            return scores.kept(self.workdir, judging.TRAINED, wanted)

        self.assertEqual(kept(), self.rows)
        found.painter.generator.weights[0].assign_add(
            tf.ones(found.painter.generator.weights[0].shape)
        )
        self.assertEmpty(kept())

    def test_own_pictures_are_not_asked_for_openmojis_colours(self):
        data = self.folder / "own"
        splits = {
            part: shapes.load(8, 16, seed=ord(part[1]))
            for part in ("train", "test")
        }
        prepared.write(data, splits)
        config = runs.smoke()
        config.data.update(name="records", path=str(data))
        runs.make(self.folder / "of_own", config)
        found = trained.run(self.folder / "of_own")
        rows = judging.judge(found, seeds=1, network=eyes.Eye())
        names = {row["name"] for row in rows}
        self.assertNotIn("colour_truth", names)
        self.assertIn("diversity_pixels", names)

    def test_failure_leaves_the_scores_that_are_there(self):
        before = runs.contents(self.workdir)
        with mock.patch.object(
            judging, "judge", side_effect=ValueError("broken")
        ):
            with self.assertRaisesRegex(ValueError, "broken"):
                command.run("evaluate", f"--workdir={self.workdir}")
        self.assertEqual(runs.contents(self.workdir), before)

    def test_pictures_are_drawn_with_seeds_of_their_own(self):
        asked = []

        class Painter:
            def generate(self, captions, seeds):
                asked.append((captions, list(seeds)))
                return tf.zeros([len(captions), 4, 4, 3])

        drawn = judging.draw(Painter(), ["a", "b", "c"], 2, size=2)
        drawn = [later.make() for later in drawn]
        self.assertEqual(
            asked, [(["a", "b"], [200_000, 200_001]), (["c"], [200_002])]
        )
        self.assertEqual([len(x) for x in drawn], [2, 1])
        self.assertEqual(drawn[0].dtype, np.uint8)

    def test_mistakes_give_sentences(self):
        self.assertIn("Give exactly one of", self.refused())
        self.assertIn("--out=FOLDER", self.refused("--preset=toy"))
        self.assertIn("known", self.refused("--preset=toy", "--out=x"))
        self.assertIn(
            "Did you mean 'run'?", self.refused(f"--workdir={self.folder}/rnu")
        )
        self.assertIn("--seeds=0", self.refused("--seeds=0"))
        self.assertIn("--pictures=1", self.refused("--pictures=1"))
        run = f"--workdir={self.workdir}"
        self.assertIn(
            "'openmoj' is neither a pair of readers by name (known: openmoji_",
            self.refused(run, "--matcher=openmoj"),
        )
        self.assertIn(
            "by R-precision, which protocol galip doesn't measure",
            self.refused(
                *(run, "--matcher=a", "--protocol=galip"),
                "--network_weights=random",
            ),
        )
        self.assertIn(
            "has no config.json. Runs inside it: run.",
            self.refused(f"--workdir={self.folder}"),
        )


if __name__ == "__main__":
    tf.test.main()
