"""Examines recipes.evaluate on folders of pictures, whoever made them."""

import dataclasses
import json
import pathlib
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image, ImageFilter

from keras_t2i import weights
from keras_t2i.data import picture_files, shapes
from keras_t2i.metrics import r_precision, statistics
from recipes import letters
from tests.recipes import command, eyes, runs

COUNT, SIZE = 24, 16
PICTURES = ["fid", "kid", "is", "precision", "recall", "density", "coverage"]


def blurred(pictures, radius=2):
    """Blurs pictures."""
    kernel = ImageFilter.GaussianBlur(radius)
    return np.stack([Image.fromarray(x).filter(kernel) for x in pictures])


def rows_of(out):
    """Reads the scores in a folder."""
    lines = pathlib.Path(out, "scores.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def told(rows, candidate):
    """Values of a candidate by their names."""
    found = [row for row in rows if row["candidate"] == candidate]
    return {row["name"]: row["value"] for row in found}


class Case(parameterized.TestCase, tf.test.TestCase):
    """Has folders of drawn shapes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        reader = mock.patch.object(
            weights.pretrained, "minilm", return_value=letters.Letters()
        )
        cls.reader = cls.enterClassContext(reader)
        real, ours = (shapes.load(COUNT, SIZE, seed) for seed in (0, 1))
        names = real.captions[:, 0], ours.captions[:, 0]
        cls.pictures = ours.images
        cls.real = eyes.save(cls.folder / "real", real.images, names[0])
        cls.ours = eyes.save(cls.folder / "ours", ours.images, names[1])
        cls.dull = eyes.save(
            cls.folder / "dull", blurred(ours.images), names[1]
        )

    def evaluate(self, *words, eye=None):
        """Runs the command with an eye; gives its rows."""
        out = tempfile.mkdtemp(dir=self.folder)
        with eyes.opened(eye or eyes.Eye()):
            code, _, complained = command.run(
                "evaluate", *words, f"--out={out}", "--nosampling"
            )
        self.assertEqual((code, complained), (0, ""))
        return rows_of(out)


class TableTest(Case):
    """Folders get figures, captions beside their pictures give one more."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = cls.folder / "out"
        code, cls.printed, complained = command.run(
            "evaluate",
            f"--real={cls.real}",
            f"--fakes={cls.real},{cls.ours},{cls.dull}",
            f"--out={cls.out}",
        )
        assert (code, complained) == (0, ""), complained
        cls.rows = rows_of(cls.out)

    def test_every_folder_has_its_figures(self):
        found = {}
        for row in self.rows:
            found.setdefault(row["candidate"], []).append(row["name"])
        names = [f"{name}_lite0" for name in PICTURES]
        names.append("r_precision_lite0_letters")
        self.assertEqual(
            found, {name: names for name in (self.real, self.ours, self.dull)}
        )

    def test_folder_is_no_distance_from_itself(self):
        same = told(self.rows, self.real)
        self.assertLess(abs(same["fid_lite0"]), 0.5)
        for name in ("precision", "recall", "coverage"):
            self.assertEqual(same[f"{name}_lite0"], 1.0)

    def test_blurred_pictures_are_worse(self):
        ours, dull = (told(self.rows, x) for x in (self.ours, self.dull))
        for name in ("fid_lite0", "kid_lite0"):
            self.assertGreater(dull[name], ours[name])
        for name in ("precision_lite0", "coverage_lite0"):
            self.assertLess(dull[name], ours[name])

    def test_cards_say_which_pictures_were_compared(self):
        for row in self.rows:
            card = row["protocol"]
            self.assertEqual(
                (card["data"], card["reference"], card["rounding"]),
                ("folders", "folder", "given"),
            )
            self.assertEqual(
                card["reference_digest"], picture_files.opened(self.real).digest
            )
            self.assertEqual(card["captions"], "beside the pictures")
            self.assertEqual(card["image_size"], [SIZE, SIZE])
            self.assertEqual(
                card["counts"], {"reference": COUNT, "candidate": COUNT}
            )
            self.assertEqual(card["image_network"]["name"], "lite0")
        reader = self.rows[-1]["protocol"]["text_network"]
        self.assertEqual(reader["name"], "letters")

    def test_intervals_are_measured_unless_nobody_wants_them(self):
        spread = {row["name"]: row["sampling"] for row in self.rows[:3]}
        for name in ("fid_lite0", "kid_lite0", "is_lite0"):
            self.assertLess(spread[name]["low"], spread[name]["high"])
        rows = self.evaluate(f"--real={self.real}", f"--fakes={self.ours}")
        self.assertEqual({row.get("sampling") for row in rows}, {None})

    def test_table_and_page_are_left_and_no_hidden_folder(self):
        self.assertCountEqual(
            [path.name for path in self.out.iterdir()],
            ["report.html", "scores.jsonl", "scores.md"],
        )
        self.assertIn((self.out / "scores.md").read_text(), self.printed)
        self.assertIn(str(self.out / "report.html"), self.printed)
        page = (self.out / "report.html").read_text()
        for words in (
            "3 folder(s) of pictures",
            "Nearest training pictures",
            "a blue circle",
        ):
            self.assertIn(words, page)
        self.assertGreater(page.count("data:image/png;base64,"), 15)


class CaptionsTest(Case):
    """R-precision needs captions of the real pictures and of the others."""

    def test_captions_beside_pictures_are_left_out_when_nobody_wants_them(self):
        rows = self.evaluate(
            f"--real={self.real}", f"--fakes={self.ours}", "--nocaptions"
        )
        self.assertEqual(list(told(rows, self.ours))[-1], "coverage_eye")
        self.assertEqual(
            {row["protocol"]["captions"] for row in rows}, {"none"}
        )

    def test_broken_captions_do_no_harm_when_nobody_wants_them(self):
        folder = self.folder / "bare"
        words = eyes.save(folder, self.pictures, ["a", "b"])
        rows = self.evaluate(
            f"--real={self.real}", f"--fakes={words}", "--nocaptions"
        )
        self.assertLen(rows, len(PICTURES))

    def test_folder_without_captions_has_all_other_figures(self):
        bare = eyes.save(self.folder / "without", self.pictures)
        rows = self.evaluate(
            f"--real={self.real}", f"--fakes={self.ours},{bare}"
        )
        with_words, without = told(rows, self.ours), told(rows, bare)
        self.assertEqual(
            set(with_words) - set(without), {"r_precision_eye_letters"}
        )
        for name, value in without.items():
            self.assertEqual(value, with_words[name])

    def test_nobody_reads_where_no_folder_or_not_the_real_one_has_captions(
        self,
    ):
        bare = eyes.save(self.folder / "neither", self.pictures)
        self.reader.reset_mock()
        for real, fake in ((self.real, bare), (bare, self.ours)):
            rows = self.evaluate(f"--real={real}", f"--fakes={fake}")
            self.assertNotIn("r_precision_eye_letters", told(rows, fake))
        self.reader.assert_not_called()

    def test_pictures_are_taken_for_what_their_captions_say(self):
        # Real captions name the colour; so a colour finds its captions.
        colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
        flat = np.tile(colours[:, None, None], (1, 8, 8, 1))
        several, words = flat[np.arange(30) % 3], ["red", "green", "blue"] * 10
        real = eyes.save(self.folder / "flat", several, words)
        right = eyes.save(self.folder / "right", flat, words[:3])
        wrong = eyes.save(self.folder / "wrong", flat, words[1:4])
        rows = self.evaluate(f"--real={real}", f"--fakes={right},{wrong}")
        name = "r_precision_eye_letters"
        self.assertEqual(told(rows, right)[name], 1.0)
        self.assertEqual(told(rows, wrong)[name], 0.0)

    def test_readers_that_agree_may_be_asked(self):
        pair = letters.pair()
        bare = eyes.save(self.folder / "unread", self.pictures)
        self.reader.reset_mock()
        with mock.patch.object(
            weights.readers, "load", return_value=pair
        ) as load:
            rows = self.evaluate(
                f"--real={bare}", f"--fakes={self.ours}", "--matcher=mine"
            )
        load.assert_called_once_with("mine")
        self.reader.assert_not_called()
        row = rows[-1]
        self.assertEqual(row["name"], "r_precision_letters_letters")
        captions = shapes.load(COUNT, SIZE, seed=1).captions[:, 0]
        codes = pair.image(self.pictures)["code"]
        told = pair.text(tf.constant(captions.tolist()))["sentence"]
        expected, _ = r_precision.over_seeds(
            codes.numpy(), told.numpy(), (0, 1, 2), candidates=COUNT
        )
        self.assertAllClose(row["value"], expected)

    def test_whole_batches_of_a_protocol_bring_their_captions(self):
        many = shapes.load(53, SIZE, seed=2)
        folder = eyes.save(
            self.folder / "many", many.images, many.captions[:, 0]
        )
        rows = self.evaluate(
            f"--real={folder}", f"--fakes={folder}", "--protocol=dm_gan"
        )
        self.assertEqual(
            [row["name"] for row in rows],
            ["fid_dm_gan", "r_precision_dm_gan_letters"],
        )
        counts = {"reference": 50, "candidate": 50}
        self.assertEqual(rows[0]["protocol"]["counts"], counts)


class StatisticsTest(Case):
    """Figures of real pictures come and go as files."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = cls.folder / "real.npz"
        with eyes.opened(eyes.Eye()):
            code, printed, _ = command.run(
                "evaluate",
                f"--real={cls.real}",
                f"--fakes={cls.ours}",
                f"--out={cls.folder / 'first'}",
                f"--export_statistics={cls.path}",
                "--nosampling",
            )
        assert code == 0 and str(cls.path) in printed, printed
        cls.before = rows_of(cls.folder / "first")

    def imported(self, path, *words):
        return self.evaluate(
            f"--statistics={path}", f"--fakes={self.ours}", *words
        )

    def test_exported_ones_give_the_same_figures(self):
        rows = self.imported(self.path)
        self.assertEqual(
            told(rows, self.ours),
            {
                name: value
                for name, value in told(self.before, self.ours).items()
                if not name.startswith("r_precision")
            },
        )
        self.assertEqual(rows[0]["protocol"]["counts"]["reference"], COUNT)

    def test_foreign_moments_give_fid_alone(self):
        kept = statistics.load(self.path).moments
        path = self.folder / "foreign.npz"
        np.savez(path, mu=kept.mean, sigma=kept.covariance)
        found = told(self.imported(path), self.ours)
        self.assertEqual(list(found), ["fid_eye", "is_eye"])
        expected = told(self.before, self.ours)
        self.assertAllClose(found["fid_eye"], expected["fid_eye"], rtol=1e-3)

    def test_small_ones_give_fid_alone_and_their_count(self):
        path = self.folder / "small.npz"
        kept = statistics.load(self.path)
        dataclasses.replace(kept, features=None).save(path)
        rows = self.imported(path)
        self.assertEqual(list(told(rows, self.ours)), ["fid_eye", "is_eye"])
        self.assertEqual(rows[0]["protocol"]["counts"]["reference"], COUNT)

    def test_cards_tell_one_file_from_another(self):
        kept = statistics.load(self.path)
        moved = kept.features + np.float32(0.01)
        statistics.Statistics.of(moved, kept.card).save(
            self.folder / "moved.npz"
        )
        digests = []
        for path in (self.path, self.folder / "moved.npz"):
            card = self.imported(path)[0]["protocol"]
            self.assertEqual(card["reference"], "statistics")
            digests.append(card["reference_digest"])
        self.assertEqual(digests[0], kept.digest)
        self.assertNotEqual(*digests)

    def test_those_of_another_network_are_refused(self):
        with eyes.opened(eyes.Eye("eye 2")):
            code, _, complained = command.run(
                "evaluate",
                f"--statistics={self.path}",
                f"--fakes={self.ours}",
                f"--out={self.folder / 'refused'}",
            )
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: The statistics [^\n]*eye 1.*\n$")
        self.assertFalse((self.folder / "refused" / "scores.jsonl").exists())


class BrokenTest(Case):
    """What was seen before a break is not looked at again."""

    def test_second_run_asks_only_for_what_was_not_seen(self):
        out = runs.folder(self) / "out"  # With a cache that knows nothing.
        words = [
            f"--real={self.real}",
            f"--fakes={self.ours},{self.dull}",
            f"--out={out}",
        ]
        tired = eyes.Eye(most=2 * COUNT)
        with eyes.opened(tired):
            code, _, complained = command.run("evaluate", *words)
        self.assertEqual((code, complained), (2, "Error: the light went out\n"))
        self.assertEqual([path.name for path in out.iterdir()], [".features"])
        self.assertLen(list((out / ".features").iterdir()), 1)
        fresh = eyes.Eye()
        with eyes.opened(fresh):
            self.assertEqual(command.run("evaluate", *words)[0], 0)
        self.assertEqual(fresh.seen, COUNT)
        self.assertFalse((out / ".features").exists())
        # Without a break only the real ones are known.
        with eyes.opened(fresh):
            self.assertEqual(command.run("evaluate", *words)[0], 0)
        self.assertEqual(fresh.seen, 3 * COUNT)


class SizesTest(Case):
    """Pictures of one folder are judged at one size."""

    def test_asked_for_sizes_bring_them_together(self):
        large = shapes.load(COUNT, 32, seed=1).images
        mixed = self.folder / "mixed"
        eyes.save(mixed, [*self.pictures[:12], *large[12:]])
        rows = self.evaluate(
            f"--real={self.real}", f"--fakes={mixed}", "--image_size=20"
        )
        sizes = {tuple(row["protocol"]["image_size"]) for row in rows}
        self.assertEqual(sizes, {(20, 20)})
        self.assertEqual(rows[0]["protocol"]["counts"]["candidate"], COUNT)

    def test_other_sizes_than_the_real_ones_are_fine(self):
        large = eyes.save(
            self.folder / "large", shapes.load(COUNT, 32, seed=1).images
        )
        rows = self.evaluate(
            f"--real={self.real}", f"--fakes={self.ours},{large}"
        )
        sizes = {
            row["candidate"]: row["protocol"]["image_size"] for row in rows
        }
        self.assertEqual(sizes, {self.ours: [16, 16], large: [32, 32]})


class MistakesTest(Case):
    """Wrong uses give one sentence and leave nothing."""

    def refused(self, *words, out="refused"):
        out = self.folder / out
        with eyes.opened(eyes.Eye()):
            code, _, complained = command.run(
                "evaluate", *words, f"--out={out}"
            )
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        self.assertFalse((out / "scores.jsonl").exists())
        self.assertFalse((out / "report.html").exists())
        return complained

    def test_flags_that_do_not_fit_together(self):
        real, fakes = f"--real={self.real}", f"--fakes={self.ours}"
        np.savez(self.folder / "s.npz", mu=np.zeros(18), sigma=np.eye(18))
        kept = f"--statistics={self.folder / 's.npz'}"
        code, _, complained = command.run("evaluate", real, fakes)
        self.assertEqual(code, 2)
        self.assertIn("--out=FOLDER", complained)
        self.assertIn("--real=FOLDER or --statistics", self.refused(fakes))
        self.assertIn("not both", self.refused(real, kept, fakes))
        self.assertIn("Give exactly one of", self.refused(real))
        pair = mock.patch.object(
            weights.readers, "load", return_value=letters.pair()
        )
        with pair:
            found = self.refused(real, fakes, "--matcher=a", "--nocaptions")
        self.assertIn("--fakes has any beside it (or --nocaptions", found)

    def test_places_where_nothing_is(self):
        real, fakes = f"--real={self.real}", f"--fakes={self.ours}"
        found = self.refused(f"--real={self.folder / 'rael'}", fakes)
        self.assertRegex(found, "--real=.*rael is no folder.*mean 'real'")
        found = self.refused(real, f"--fakes={self.folder / 'oursx'}")
        self.assertRegex(found, "--fakes=.*mean 'ours'")
        found = self.refused(f"--statistics={self.folder / 's'}", fakes)
        self.assertIn(str(self.folder / "s"), found)

    def test_statistics_of_other_features_are_refused(self):
        np.savez(self.folder / "w.npz", mu=np.zeros(7), sigma=np.eye(7))
        found = self.refused(
            f"--statistics={self.folder / 'w.npz'}", f"--fakes={self.ours}"
        )
        self.assertRegex(found, "7.*18|18.*7")

    def test_pictures_of_several_sizes(self):
        folder = self.folder / "odd"
        eyes.save(folder, [*self.pictures[:3], self.pictures[0][:9]])
        found = self.refused(f"--real={self.real}", f"--fakes={folder}")
        self.assertRegex(found, "000.png has 16 x 16 px, .*003.png 9 x 16")

    def test_one_picture_is_too_few(self):
        folder = eyes.save(self.folder / "one", self.pictures[:1])
        for real, fake in ((self.real, folder), (folder, self.ours)):
            found = self.refused(f"--real={real}", f"--fakes={fake}")
            self.assertIn("one holds 1 picture(s); 2 are needed.", found)

    def test_less_than_a_batch_of_the_protocol_is_too_few(self):
        words = f"--real={self.real}", f"--fakes={self.ours}"
        for more in ("--captions", "--nocaptions"):
            found = self.refused(*words, "--protocol=cub_is", more)
            told = f"cub_is judges batches of 64 pictures; {COUNT} do not fill"
            self.assertIn(told, found)

    def test_recognisability_needs_no_real_pictures(self):
        many = np.concatenate([self.pictures] * 3)
        fakes = eyes.save(self.folder / "many", many)
        words = f"--fakes={fakes}", "--protocol=cub_is"
        rows = self.evaluate(*words)
        self.assertEqual([row["name"] for row in rows], ["is_cub"])
        card = rows[0]["protocol"]
        self.assertEqual(card["reference"], "none")
        self.assertEqual(card["counts"], {"reference": None, "candidate": 64})
        found = self.refused(*words, "--export_statistics=real.npz")
        self.assertIn("cub_is looks at no real pictures", found)
        found = self.refused(f"--fakes={fakes}")
        self.assertIn("are compared with --real=FOLDER", found)

    def test_unreadable_picture_is_named(self):
        folder = self.folder / "cut"
        eyes.save(folder, self.pictures[:3])
        whole = (folder / "001.png").read_bytes()
        (folder / "001.png").write_bytes(whole[: len(whole) // 2])
        found = self.refused(f"--real={self.real}", f"--fakes={folder}")
        self.assertRegex(found, "The picture .*cut/001.png can't be read")

    def test_captions_without_pictures_and_the_other_way_round(self):
        folder = self.folder / "ghosts"
        eyes.save(folder, self.pictures[:2], ["a", "b", "c"])
        found = self.refused(f"--real={self.real}", f"--fakes={folder}")
        self.assertIn("has 1 caption(s) without a picture", found)
        folder = self.folder / "dumb"
        eyes.save(folder, self.pictures[:3], ["a", "b"])
        found = self.refused(f"--real={self.real}", f"--fakes={folder}")
        self.assertIn("has 1 picture(s) without a caption", found)


if __name__ == "__main__":
    tf.test.main()
