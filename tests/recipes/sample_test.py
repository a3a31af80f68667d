"""Examines recipes.sample from its flags to its pictures."""

import os
import pathlib
import resource
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks, serving, weights
from keras_t2i.ops import images, noise
from recipes import drawing, letters, trained
from tests.recipes import command, runs

_MODEL, _RUN = "model", "run"


def _painter():
    generator = networks.dcgan_cls.generator(
        image_size=16, width=4, noise_dim=6, text_dim=16, projection_dim=4
    )
    draws = np.random.RandomState(0)
    for variable in generator.weights:
        spread = draws.uniform(0.5, 1.5, variable.shape)
        is_factor = "variance" in variable.path or "gamma" in variable.path
        variable.assign(spread if is_factor else 2 * (spread - 1))
    return networks.Painter(generator, letters.Letters())


class SampleTest(parameterized.TestCase, tf.test.TestCase):
    """Captions become pictures, mistakes become sentences."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.models = runs.folder(cls)
        cls.painter = _painter()
        serving.export(cls.painter, cls.models / _MODEL)
        cls.system = runs.make(cls.models / _RUN)
        generator = networks.attngan.generator(
            image_size=16, base_size=8, width=2, text_dim=16, residuals=1
        )
        cls.looker = networks.Painter(generator, letters.Letters())

    def setUp(self):
        super().setUp()
        self.here = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        before = os.getcwd()
        os.chdir(self.here)
        self.addCleanup(os.chdir, before)

    def sample(self, *words, model=True):
        if model:
            words = (f"--saved_model={self.models / _MODEL}", *words)
        return command.run("sample", *words)

    def sampled(self, *words, model=True):
        code, printed, complained = self.sample(*words, model=model)
        self.assertEqual((code, complained), (0, ""))
        return printed

    def refused(self, *words, model=True):
        code, _, complained = self.sample(*words, model=model)
        self.assertEqual(code, 2)
        self.assertNotIn("Traceback", complained)
        self.assertEqual(complained.count("\n"), 1, complained)
        self.assertStartsWith(complained, "Error: ")
        return complained

    def each(self, *words, model=True):
        """Draws to one file each; returns names and pictures."""
        self.sampled(*words, "--each=each", model=model)
        paths = sorted((self.here / "each").iterdir())
        pictures = [
            tf.io.decode_png(path.read_bytes()).numpy() for path in paths
        ]
        return [path.name for path in paths], np.stack(pictures)

    def painted(self, captions, seeds, bound=None):
        return images.to_uint8(self.painter.generate(captions, seeds, bound))

    def assert_alike(self, ours, theirs):
        self.assertAllClose(
            np.asarray(ours).astype(int),
            np.asarray(theirs).astype(int),
            rtol=0,
            atol=1,
        )

    # Attention.

    def attending(self, *words):
        """Asks for attention with a generator that attends to words."""
        model = trained.Trained(self.looker, {})
        with mock.patch.object(trained, "opened", return_value=model):
            return self.sampled(
                "--preset=it", "--attention", *words, model=False
            )

    def test_attention_is_one_sheet_of_stages_and_words(self):
        printed = self.attending("--caption=a red heart", "--caption=a car")
        self.assertIn(
            "2 picture(s) and what they look at in attention.png", printed
        )
        self.assertEqual(os.listdir(self.here), ["attention.png"])
        path = self.here / "attention.png"
        sheet = tf.io.decode_png(path.read_bytes())
        self.assertBetween(sheet.shape[1], 5 * 96, 6 * 96)  # Two and 3 words.
        self.assertBetween(sheet.shape[0], 2 * 96, 3 * 96)

    def test_attention_takes_count_seed_truncation_and_out(self):
        words = ("--caption=a car", "--count=3", "--out=a.png")
        printed = self.attending(*words)
        self.assertIn("3 picture(s) and what they look at in a.png", printed)
        sheets = []
        for more in ((), ("--seed=1",), ("--truncation=0.1",)):
            self.attending(*words, *more)
            sheets.append((self.here / "a.png").read_bytes())
        self.assertLen(set(sheets), 3)
        self.attending(*words)
        self.assertEqual((self.here / "a.png").read_bytes(), sheets[0])

    def test_attention_of_a_run_without_it_gives_a_sentence(self):
        complaint = self.refused(
            "--caption=a car",
            "--attention",
            f"--workdir={self.models / _RUN}",
            model=False,
        )
        self.assertIn("generator attends to no words; AttnGAN's", complaint)
        self.assertEqual(os.listdir(self.here), [])

    @parameterized.parameters(
        ([], "SavedModel gives pictures alone; --attention looks into a"),
        (["--each=a"], "--attention draws a sheet of its own, without --each"),
        (["--interpolate_noise=3"], "--attention draws a sheet of its own"),
        (["--interpolate_captions=3"], "--attention draws a sheet of its own"),
    )
    def test_attention_that_fits_no_flags_is_told(self, words, sentence):
        model = not words
        complaint = self.refused(
            *("--caption=a car", "--attention", *words),
            *(() if model else ("--preset=it",)),
            model=model,
        )
        self.assertIn(sentence, complaint)
        self.assertEqual(os.listdir(self.here), [])

    # Masks.

    def test_masks_are_one_sheet(self):
        generator = networks.ssa_gan.generator(
            image_size=16, width=2, noise_dim=4, text_dim=16
        )
        painter = networks.Painter(generator, letters.Letters())
        model = trained.Trained(painter, {})
        words = ("--caption=a red heart", "--count=2", "--masks")
        with mock.patch.object(trained, "opened", return_value=model):
            printed = self.sampled("--preset=it", *words, model=False)
        self.assertIn("2 picture(s) and their masks in masks.png", printed)
        self.assertEqual(os.listdir(self.here), ["masks.png"])
        png = (self.here / "masks.png").read_bytes()
        height, width, _ = tf.io.decode_png(png).shape
        self.assertBetween(width, 4 * 96, 5 * 96)
        self.assertBetween(height, 2 * 96, 3 * 96)

    def test_masks_of_a_run_without_them_give_a_sentence(self):
        complaint = self.refused(
            "--caption=a car",
            "--masks",
            f"--workdir={self.models / _RUN}",
            model=False,
        )
        self.assertIn("generator has no masks; SSA-GAN's does", complaint)

    @parameterized.parameters(
        ([], "SavedModel gives pictures alone; --masks looks into a"),
        (["--each=a"], "--masks draws a sheet of its own, without --each"),
        (["--attention"], "Give --attention or --masks: each draws a sheet"),
    )
    def test_masks_that_fit_no_flags_are_told(self, words, sentence):
        complaint = self.refused(
            *("--caption=a car", "--masks", *words),
            *(() if not words else ("--preset=it",)),
            model=not words,
        )
        self.assertIn(sentence, complaint)
        self.assertEqual(os.listdir(self.here), [])

    # Pictures.

    def test_sheet_is_one_png_with_room_for_every_picture(self):
        printed = self.sampled(
            "--caption=a red heart", "--caption=a car", "--count=3"
        )
        self.assertIn("6 picture(s) in samples.png", printed)
        sheet = tf.io.decode_png((self.here / "samples.png").read_bytes())
        self.assertGreater(sheet.shape[0], 2 * 128)
        self.assertBetween(sheet.shape[1], 3 * 128, 4 * 128)

    def test_files_are_named_by_their_captions(self):
        names, pictures = self.each("--caption=a red heart!", "--caption=a/b")
        self.assertEqual(names, ["000_a_red_heart.png", "001_a_b.png"])
        self.assertAllEqual(
            pictures, self.painted(["a red heart!", "a/b"], [0, 0])
        )

    def test_count_takes_the_next_seeds_for_every_caption(self):
        _, pictures = self.each(
            "--caption=a car", "--caption=a bus", "--count=2", "--seed=5"
        )
        captions = ["a car", "a car", "a bus", "a bus"]
        self.assertAllEqual(pictures, self.painted(captions, [5, 6, 5, 6]))

    def test_largest_seed_draws(self):
        last = 2**62
        _, pictures = self.each("--caption=a car", f"--seed={last}")
        self.assertAllEqual(pictures, self.painted(["a car"], [last]))

    def test_captions_come_from_a_file_too(self):
        text = "  a red\theart \n\n\na café\r\n".encode()
        (self.here / "lines.txt").write_bytes(text)
        names, _ = self.each("--caption=a car", "--captions_file=lines.txt")
        self.assertEqual(
            names, ["000_a_car.png", "001_a_red_heart.png", "002_a_café.png"]
        )

    def test_truncation_bounds_the_noise(self):
        _, pictures = self.each("--caption=a car", "--truncation=0.3")
        self.assert_alike(pictures, self.painted(["a car"], [0], 0.3))

    def test_captions_are_interpolated_from_one_to_the_other(self):
        names, pictures = self.each(
            "--caption=a car",
            "--caption=a bus",
            "--interpolate_captions=5",
            "--seed=3",
        )
        self.assertLen(names, 5)
        ends = self.painted(["a car", "a bus"], [3, 3])
        self.assert_alike(pictures[[0, -1]], ends)
        text = self.painter.encode(["a car", "a bus"])["sentence"]
        middle = self.painter.draw(
            {"sentence": tf.reduce_mean(text, 0, keepdims=True)},
            noise.rows(3, 1, 6),
        )
        self.assert_alike(pictures[2:3], images.to_uint8(middle))

    def test_noises_are_interpolated_from_one_to_the_next(self):
        _, pictures = self.each(
            "--caption=a car", "--interpolate_noise=4", "--seed=3"
        )
        ends = self.painted(["a car", "a car"], [3, 4])
        self.assert_alike(pictures[[0, -1]], ends)
        self.assertGreater(
            np.abs(pictures[1].astype(int) - pictures[2]).max(), 1
        )

    def test_strip_is_one_row(self):
        self.sampled("--caption=a car", "--interpolate_noise=4", "--out=a.png")
        sheet = tf.io.decode_png((self.here / "a.png").read_bytes())
        self.assertGreater(sheet.shape[1], 4 * 128)
        self.assertLess(sheet.shape[0], 2 * 128)

    def test_run_directory_draws_what_its_system_draws(self):
        _, pictures = self.each(
            f"--workdir={self.models / _RUN}",
            "--caption=a red circle",
            model=False,
        )
        drawn = self.system.generate(["a red circle"], [0])
        self.assertAllEqual(pictures, images.to_uint8(drawn))

    def test_preset_draws_what_its_painter_draws(self):
        toy = trained.Trained(self.painter, {})
        with mock.patch.object(trained, "preset", return_value=toy):
            _, pictures = self.each(
                "--preset=toy", "--caption=a car", model=False
            )
        self.assertAllEqual(pictures, self.painted(["a car"], [0]))

    # Mistakes.

    @parameterized.parameters(
        ([], "Say what to draw"),
        (["--caption="], "--caption='' is empty"),
        (["--caption=a", "--caption=  "], "--caption=' ' is empty"),
        (["--captions_file=none.txt"], "No such file.*none.txt"),
        (["--caption=a", "--seed=x"], "--seed=x"),
        (["--caption=\udcff\udcfe"], r"is not UTF-8 \(byte 0 is 0xff\)"),
        (["--caption=\ud800"], "half a Unicode character"),
        (["--caption=a", "--count=0"], "--count=0"),
        (["--caption=a", f"--seed={10**20}"], f"--seed={10**20}"),
        (["--caption=a", "--seed=-1"], "--seed=-1"),
        (["--captoin=a"], "Did you mean: caption"),
        (["--caption", "a", "red", "heart"], "'red heart' belongs to no flag"),
        (["--caption=a", "--truncation=0"], "--truncation=0.0 must be greater"),
        (["--caption=a", "--out=a.jpg"], "--out=a.jpg must end in .png"),
        (["--caption=a", "--out=a.png", "--each=b"], "--out.* or --each"),
        (["--caption=a", "--interpolate_captions=4"], "takes 2 caption"),
        (["--caption=a", "--interpolate_noise=1"], "--interpolate_noise=1"),
        (
            ["--caption=a", "--interpolate_noise=4", "--count=2"],
            "takes 1 caption.* no --count",
        ),
        (["--caption=a", "--preset=b"], "one of .*--preset and --saved_model"),
    )
    def test_mistake_in_the_flags_gives_a_sentence(self, words, sentence):
        self.assertRegex(self.refused(*words), sentence)
        self.assertEqual(os.listdir(self.here), [])

    def test_caption_file_that_is_not_utf8_is_named_with_its_line(self):
        (self.here / "lines.txt").write_bytes(b"a car\ncaf\xe9\n")
        self.assertIn(
            "Line 2 of lines.txt is not UTF-8",
            self.refused("--captions_file=lines.txt"),
        )

    @parameterized.parameters(
        ([], "Give exactly one of --preset, --workdir and --saved_model; none"),
        (["--workdir=nowhere"], "--workdir=nowhere is no folder"),
        (["--saved_model=nowhere"], "--saved_model=nowhere is no folder"),
        (["--saved_model=."], "is no SavedModel"),
        (["--workdir=."], "it has no config.json"),
    )
    def test_missing_model_gives_a_sentence(self, words, sentence):
        complaint = self.refused("--caption=a", *words, model=False)
        self.assertIn(sentence, complaint)

    def test_misspelt_folder_is_told_its_neighbour(self):
        complaint = self.refused(
            "--caption=a", f"--workdir={self.models / 'rum'}", model=False
        )
        self.assertIn("Did you mean 'run'?", complaint)

    def test_misspelt_preset_is_told_its_neighbour(self):
        known = mock.patch.object(
            weights.presets, "names", return_value=["openmoji_64"]
        )
        with known:
            complaint = self.refused(
                "--caption=a", "--preset=openmoji64", model=False
            )
        self.assertIn("Did you mean 'openmoji_64'?", complaint)

    def test_run_without_a_checkpoint_gives_a_sentence(self):
        config = (self.models / _RUN / "config.json").read_bytes()
        (self.here / "config.json").write_bytes(config)
        complaint = self.refused("--caption=a", "--workdir=.", model=False)
        self.assertIn("holds no checkpoint", complaint)

    def test_file_in_the_place_of_a_folder_gives_a_sentence(self):
        (self.here / "blocked").write_bytes(b"here first")
        for words in ("--out=blocked/a.png", "--each=blocked"):
            complaint = self.refused("--caption=a", words)
            self.assertRegex(complaint, "Cannot write.*blocked")
        self.assertEqual((self.here / "blocked").read_bytes(), b"here first")

    def test_full_disk_leaves_the_old_sheet(self):
        (self.here / "a.png").write_bytes(b"old")
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, old[1]))
        try:
            complaint = self.refused("--caption=a", "--out=a.png")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        self.assertIn("what was there is unchanged", complaint)
        self.assertEqual((self.here / "a.png").read_bytes(), b"old")
        self.assertEqual(os.listdir(self.here), ["a.png"])

    def test_help_shows_a_newcomer_the_way(self):
        root = pathlib.Path(command.__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-m", "recipes.sample", "--help"],
            capture_output=True,
            text=True,
            cwd=root,
        )
        for words in (
            "python -m recipes.sample --preset=openmoji_64",
            "--caption: What to draw. Repeat the flag for more.",
            "--interpolate_noise: Draw so many pictures",
        ):
            self.assertIn(words, done.stdout)


class ArcTest(tf.test.TestCase):
    """The way between two noises."""

    def test_steps_are_equal_angles_on_the_circle(self):
        first, last = tf.constant([2.0, 0.0]), tf.constant([0.0, 2.0])
        angles = np.linspace(0, np.pi / 2, 4)
        circle = 2 * np.stack([np.cos(angles), np.sin(angles)], 1)
        self.assertAllClose(drawing.arc(first, last, 4), circle)

    def test_ends_are_met_whatever_their_lengths(self):
        first, last = noise.rows(0, 2, 100)
        way = drawing.arc(first, last, 3)
        self.assertAllClose(way[0], first, atol=1e-5)
        self.assertAllClose(way[2], last, atol=1e-5)
        self.assertGreater(tf.norm(way[1]), 0.9 * tf.norm(first))


if __name__ == "__main__":
    tf.test.main()
