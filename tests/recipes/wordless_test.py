"""Examines runs of a system that reads no text, from config to SavedModel."""

import json
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_t2i import serving
from recipes.configs import wgan_gp_fashion_mnist
from tests import harness
from tests.recipes import command, runs


class WordlessTest(tf.test.TestCase):
    """Grey pictures, no captions: every command knows what to do."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        files = cls.folder / "files"
        files.mkdir()
        harness.write_fashion_mnist(files, "train", 60)
        harness.write_fashion_mnist(files, "t10k", 8)
        cls.workdir = cls.folder / "run"
        cls.words = [
            f"--config={wgan_gp_fashion_mnist.__file__}:small",
            f"--config.data.path={files}",
            "--config.networks.generator.width=4",
            "--config.networks.discriminator.width=4",
            "--config.train.batch_size=4",
            "--config.train.moves=4",
            "--config.train.moves_per_epoch=2",
            "--config.samples.noises=10",
        ]
        cls.told = cls.trained(f"--workdir={cls.workdir}")

    @classmethod
    def trained(cls, *more):
        code, printed, complained = command.run("train", *cls.words, *more)
        assert (code, complained) == (0, ""), complained
        return printed

    def refused(self, name, *words):
        code, _, complained = command.run(name, *words)
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"^Error: [^\n]+\n$")
        return complained

    def here(self):
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_run_directory_holds_sheets_film_and_curves(self):
        self.assertIn("60 pictures of fashion_mnist/train at 28 px", self.told)
        sheets = sorted(
            path.name for path in (self.workdir / "samples").iterdir()
        )
        self.assertEqual(sheets, [f"move_{move:08d}.png" for move in (0, 2, 4)])
        sheet = np.asarray(Image.open(self.workdir / "samples" / sheets[-1]))
        self.assertGreater(sheet.shape[1], 8 * 28 * 4)
        for colour in (1, 2):
            self.assertAllEqual(sheet[..., 0], sheet[..., colour])
        self.assertEqual(Image.open(self.workdir / "film.gif").n_frames, 3)
        self.assertTrue((self.workdir / "curves.png").exists())

    def test_journal_has_what_the_critic_minimises(self):
        lines = (self.workdir / "metrics.jsonl").read_text().splitlines()
        for row in map(json.loads, lines):
            terms = row["terms"]
            self.assertEqual(set(terms), {"real", "fake", "penalty", "fool"})
            critic = terms["real"] + terms["fake"] + 10 * terms["penalty"]
            self.assertAllClose(
                row["losses"],
                {"discriminator": critic, "generator": terms["fool"]},
            )

    def test_samples_are_numbered_by_their_seeds(self):
        each = self.here() / "each"
        code, *_ = command.run(
            "sample",
            f"--workdir={self.workdir}",
            "--count=3",
            "--seed=5",
            f"--each={each}",
        )
        self.assertEqual(code, 0)
        names = sorted(path.name for path in each.iterdir())
        self.assertEqual(
            names, ["000_seed_5.png", "001_seed_6.png", "002_seed_7.png"]
        )
        pictures = [np.asarray(Image.open(each / name)) for name in names]
        for picture in pictures:
            self.assertEqual(
                (picture.shape, picture.dtype), ((28, 28), "uint8")
            )
        self.assertNotAllClose(pictures[0], pictures[1])

    def test_noises_are_walked_between(self):
        out = self.here() / "strip.png"
        code, *_ = command.run(
            "sample",
            f"--workdir={self.workdir}",
            "--interpolate_noise=3",
            f"--out={out}",
        )
        self.assertEqual(code, 0)
        self.assertGreater(Image.open(out).width, 3 * 28 * 4)

    def test_captions_are_refused(self):
        for words in (
            ["--caption=a coat"],
            ["--caption=a", "--caption=b", "--interpolate_captions=3"],
            ["--interpolate_captions=3"],
        ):
            told = self.refused("sample", f"--workdir={self.workdir}", *words)
            self.assertIn("draws from noise alone", told)
        told = self.refused(
            "train",
            *self.words,
            "--config.samples.captions=('a coat',)",
            f"--workdir={self.folder / 'other'}",
        )
        self.assertIn("caption 'a coat' came, but this model draws", told)
        told = self.refused(
            "compare",
            f"--config={wgan_gp_fashion_mnist.__file__}:smoke",
            f"--workdir={self.folder / 'other'}",
        )
        self.assertIn("config.samples has none", told)
        self.assertFalse((self.folder / "other").exists())

    def test_scores_say_nothing_of_text(self):
        code, printed, complained = command.run(
            "evaluate",
            f"--workdir={self.workdir}",
            f"--out={self.here()}",
            "--pictures=6",
            "--seeds=1",
        )
        self.assertEqual((code, complained), (0, ""))
        head, _, *table = [x for x in printed.splitlines() if x[:1] == "|"]
        names = "fid kid is precision recall density coverage".split()
        names = " | ".join(f"{name}_lite0" for name in names)
        self.assertEqual(head, f"|  | {names} |")
        self.assertLen(table, 4)
        for line, name in zip(
            table, ("untrained", "mean", "trained", "real"), strict=True
        ):
            self.assertStartsWith(line, f"| {name} ")

    def test_saved_model_takes_seeds(self):
        out = self.here() / "model"
        code, printed, _ = command.run(
            "export", f"--workdir={self.workdir}", f"--out={out}"
        )
        self.assertEqual(code, 0)
        self.assertIn(f"--saved_model={out} --count=8", printed)
        served = serving.load(out)
        self.assertEqual(served.text_names, [])
        drawn = []
        for source in (f"--saved_model={out}", f"--workdir={self.workdir}"):
            each = self.here()
            command.run("sample", source, "--count=2", f"--each={each}")
            paths = sorted(each.iterdir())
            drawn.append([np.asarray(Image.open(path)) for path in paths])
        self.assertLen(drawn[0], 2)
        self.assertAllEqual(drawn[0], drawn[1])
        self.assertAllEqual(served.generate(["", ""])[..., 0], drawn[0])

    def test_networks_of_other_colours_are_refused(self):
        told = self.refused(
            "train",
            *self.words,
            "--config.networks.generator.channels=3",
            f"--workdir={self.folder / 'other'}",
        )
        self.assertIn("have 1 colour(s), those of the generator 3: set", told)

    def test_network_that_reads_text_is_refused(self):
        told = self.refused(
            "train",
            *self.words,
            "--config.networks.discriminator.name=df_gan",
            f"--workdir={self.folder / 'other'}",
        )
        self.assertIn("'df_gan', which reads text, but", told)


if __name__ == "__main__":
    tf.test.main()
