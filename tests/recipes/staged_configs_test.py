"""Examines the configs of AttnGAN and DM-GAN: every scale, the papers' numbers.

One run of each variant, by command, and what it exports.
"""

import contextlib
import functools
import importlib
import os
import pathlib
import shutil
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import serving, systems, weights
from keras_t2i.callbacks import journal
from keras_t2i.data import catalog, pipeline
from keras_t2i.ops import images
from keras_t2i.systems import checks
from recipes import configs, letters, trained, training, wiring
from recipes.configs import staged as shared
from tests.conformance import staged
from tests.recipes import command, couples, runs, stages

CONFIGS = pathlib.Path(configs.__file__).parent
PAPERS = tuple(name for name in stages.NAMES if "openmoji" not in name)
SCALES = ("small", *stages.VARIANTS, "smoke", "smoke_cl", "smoke_all")
#: config -> system, widths, residuals, batch size, epochs, lambda, words.
NUMBERS = {
    "attngan_cub": ("AttnGAN", (32, 64), 2, 20, 600, 5.0, 18),
    "attngan_coco": ("AttnGAN", (48, 96), 3, 14, 120, 50.0, 12),
    "dm_gan_cub": ("DMGAN", (64, 32), 2, 10, 800, 5.0, 18),
    "dm_gan_coco": ("DMGAN", (64, 32), 3, 16, 200, 50.0, 12),
}
CAPTIONS = ("a red circle", "one small, blue square on green")
PICTURES = {"cub": 8855, "coco": 82783}


@functools.cache
def pair(width=16):
    """A pair of readers without weights."""
    return letters.pair(width)


def opened(source, length=1.0):
    """Stands for `weights.readers.load`."""
    return pair()


@functools.cache
def toys():
    """Players in the place of the papers' networks."""
    return staged.players()


@contextlib.contextmanager
def toys_played():
    """Lets toys play, which hear other sentences than are said."""
    with (
        mock.patch.object(wiring, "_players", lambda *_: toys()),
        mock.patch.object(checks, "same_width"),
    ):
        yield


def narrow(name, scale):
    """Reads a config with narrow networks of the same shape."""
    config = stages.config(name, scale)
    config.networks.generator.update(width=4, condition_dim=4, residuals=1)
    config.networks.discriminator.width = 4
    if config.text.encoder == "damsm":
        config.text.source = "a pair"
    config.captioner.source = "letters"
    return config


class ConfigsTest(parameterized.TestCase, tf.test.TestCase):
    """A config that can't be built is found here, not after an hour."""

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.object(weights.readers, "load", opened))

    def system(self, config):
        return wiring.system(config, wiring.text_encoder(config))

    def test_all_are_listed(self):
        found = {
            path.stem
            for pattern in ("attngan_*.py", "dm_gan_*.py")
            for path in CONFIGS.glob(pattern)
        }
        self.assertEqual(found, set(stages.NAMES))
        self.assertEqual(shared.VARIANTS, stages.VARIANTS)

    @parameterized.product(name=stages.NAMES, scale=["paper", "small", "smoke"])
    def test_every_config_builds_its_networks(self, name, scale):
        config = narrow(name, scale)
        system = self.system(config)
        size, base = config.data.image_size, config.data.base_size
        sizes = {f"_{s}": s for s in (base, 2 * base) if s < size} | {"": size}
        drawn = system.players["generator"].output
        self.assertEqual(
            {f"discriminator{ending}" for ending in sizes} | {"generator"},
            set(system.players),
        )
        for ending, side in sizes.items():
            seen = system.players[f"discriminator{ending}"]
            shape = (None, side, side, 3)
            self.assertEqual(drawn[f"image{ending}"].shape, shape)
            self.assertEqual(seen.input["image"].shape, shape)
            self.assertEqual(seen.output["features"].shape[1:3], (4, 4))
        count = 1 if scale == "smoke" else 2
        looks = [key for key in drawn if key.startswith("attention")]
        self.assertLen(looks, count)

    @parameterized.product(name=stages.NAMES, scale=SCALES)
    def test_every_config_builds_its_system_at_every_scale(self, name, scale):
        config = narrow(name, scale)
        training._check_moves(config.train)
        training.GENERATORS.check(config)
        self.assertIn(config.data.name, catalog.NAMES)
        size = config.data.image_size
        self.assertLessEqual(size, config.data.crop or size)
        with toys_played():
            system = self.system(config)
        kind = systems.AttnGAN if "attngan" in name else systems.DMGAN
        self.assertIs(type(system), kind)
        variant = scale.removeprefix("smoke_")
        added = stages.VARIANTS.get(variant, {})
        used = system.contrasts.used
        self.assertEqual(used, ["words", "sentence", *added])
        self.assertEqual({t: config.loss_weights[t] for t in added}, added)
        second = {
            "cl": "twin_",
            "all": "twin_",
            "scl": "partner_",
            "unicl": "partner_",
        }
        second["ce"] = "partner_"
        self.assertEqual(system.second_branch, second.get(variant))
        self.assertIsNotNone(system.average)

    @parameterized.product(name=stages.NAMES, variant=list(stages.VARIANTS))
    def test_variants_differ_by_their_term_only(self, name, variant):
        plain = stages.config(name, "small" if "openmoji" in name else "paper")
        if variant == "paper" and "openmoji" in name:
            return  # There it is another size.
        config = stages.config(name, variant)
        config.loss_weights.update(dict.fromkeys(stages.VARIANTS[variant]))
        self.assertEqual(config.to_dict(), plain.to_dict())
        first, second = (
            stages.config(name, scale).to_dict()
            for scale in ("smoke", f"smoke_{variant}")
        )
        first["loss_weights"].update(stages.VARIANTS[variant])
        self.assertEqual(first, second)

    @parameterized.parameters(*stages.NAMES)
    def test_docstring_has_its_command(self, name):
        text = importlib.import_module(f"recipes.configs.{name}").__doc__
        self.assertIn("python -m recipes.train", text)
        scale = "paper" if name in PAPERS else "small"
        self.assertIn(f"--config=recipes/configs/{name}.py:{scale}", text)
        for word in (*stages.VARIANTS, "small", "smoke"):
            self.assertIn(f"`{word}`", text)

    @parameterized.parameters(*stages.NAMES)
    def test_smoke_needs_no_weights_and_few_moves(self, name):
        for variant in stages.VARIANTS:
            config = stages.config(name, f"smoke_{variant}")
            self.assertEqual(config.text.encoder, "letters")
            self.assertEqual(config.image.source, "letters")
            self.assertEqual(config.data.name, "shapes")
            sizes = config.data.base_size, config.data.image_size
            self.assertEqual(sizes, (8, 16))
            self.assertLessEqual(config.train.moves, 4)

    @parameterized.parameters(*stages.NAMES)
    def test_unknown_scale_is_told_the_known(self, name):
        for scale in ("big", "smoke_big", "smokecl", "_cl", "", "smoke_small"):
            with self.assertRaisesRegex(
                ValueError,
                f"The scale is '{scale}'; allowed: small, paper, cl, f2r, scl",
            ):
                stages.config(name, scale)

    @parameterized.parameters(*stages.NAMES)
    def test_defaults_are_the_papers_or_small(self, name):
        scale = "paper" if name in PAPERS else "small"
        self.assertEqual(
            stages.config(name, None).to_dict(),
            stages.config(name, scale).to_dict(),
        )


class PaperTest(parameterized.TestCase, tf.test.TestCase):
    """Xu et al. 2018 and Zhu et al. 2019 as released, and Ye et al. 2021."""

    @parameterized.product(name=PAPERS, variant=list(stages.VARIANTS))
    def test_numbers_are_the_papers(self, name, variant):
        config = stages.config(name, variant)
        system, widths, residuals, batch, epochs, matching, words = NUMBERS[
            name
        ]
        generator, seen = (
            config.networks[player] for player in ("generator", "discriminator")
        )
        self.assertEqual((generator.width, seen.width), widths)
        self.assertEqual(generator.residuals, residuals)
        self.assertEqual(
            (generator.noise_dim, generator.condition_dim), (100,) * 2
        )
        train, data = config.train, config.data
        pictures = PICTURES[name.rpartition("_")[2]]
        self.assertEqual(train.batch_size, batch)
        self.assertEqual(train.moves_per_epoch, pictures // batch)
        self.assertEqual(train.moves, epochs * (pictures // batch))
        self.assertEqual(train.precision, "float32")
        self.assertEqual((data.image_size, data.base_size), (256, 64))
        self.assertEqual(data.crop, pipeline.crop_for(256))
        self.assertEqual((data.flip, data.fit), (True, "keep"))
        self.assertEqual((data.words, data.max_words), ("ids", words))
        self.assertEqual(data.word_rule, "subset")
        self.assertIsNone(data.mismatch)
        self.assertEqual(config.text.encoder, "damsm")
        for section in config.optimizers.values():
            self.assertEqual(section.name, "Adam")
            self.assertEqual(section.learning_rate, 2e-4)
            self.assertEqual((section.beta_1, section.beta_2), (0.5, 0.999))
            self.assertEqual(section.epsilon, 1e-8)
            self.assertEqual(section.halve_every, 0)
        self.assertEqual(config.system.name, system)
        self.assertEqual(config.system.average_decay, 0.999)
        self.assertFalse(config.system.average_ramp)
        self.assertEqual(config.system.gammas, (4.0, 5.0, 10.0))
        masks = config.system.masks_classes
        self.assertEqual(bool(masks), "cub" in name)
        self.assertIsNone(config.system.temperature)  # 0.5, as T2I_CL's.
        third = 1.0 / 3.0
        with mock.patch.object(weights.readers, "load", opened):
            config.text.source = "a pair"
            config.captioner.source = "letters"
            with toys_played():
                built = wiring.system(config, wiring.text_encoder(config))
        self.assertEqual(built.contrasts.temperature, 0.5)
        self.assertEqual(
            {t: w for t, w in built.loss_weights.items() if w},
            dict(real=1.0, wrong=third, fake=third, fool=1.0, condition=1.0)
            | dict(words=matching, sentence=matching)
            | stages.VARIANTS[variant],
        )

    @parameterized.parameters(*PAPERS)
    def test_small_is_half_of_it_for_a_tenth_of_the_time(self, name):
        paper, small = (stages.config(name, s) for s in ("paper", "small"))
        self.assertEqual(
            (small.data.image_size, small.data.base_size), (128, 32)
        )
        for player, section in small.networks.items():
            self.assertEqual(2 * section.width, paper.networks[player].width)
        self.assertEqual(10 * small.train.moves, paper.train.moves)
        self.assertEqual(small.data.crop, pipeline.crop_for(128))

    def test_openmoji_draws_in_three_stages_of_its_own_pair(self):
        for name in ("attngan_openmoji", "dm_gan_openmoji"):
            config = stages.config(name, "small")
            data = config.data
            self.assertEqual((data.image_size, data.base_size), (64, 16))
            self.assertEqual(data.labels, "subgroup")
            self.assertEqual(
                (config.text.encoder, config.text.source),
                ("damsm", "openmoji_damsm"),
            )
            self.assertIn("openmoji_damsm", weights.readers.names())
            self.assertEqual(config.text.length, 20.0)
            paper = stages.config(name, "paper").networks
            birds = stages.config(name.replace("openmoji", "cub")).networks
            self.assertEqual(paper.generator.name, birds.generator.name)


class TrainTest(parameterized.TestCase, tf.test.TestCase):
    """One command trains each variant, and what it leaves can be served."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        couples.quickly(cls)
        cls.folder = runs.folder(cls)

    def trained(self, config, scale, workdir, *more):
        code, printed, complained = command.run(
            "train",
            f"--config={CONFIGS / config}.py:{scale}",
            f"--workdir={workdir}",
            *more,
        )
        self.assertEqual((code, complained), (0, ""))
        return printed

    @parameterized.parameters(
        ("attngan_coco", "f2r"),
        ("attngan_openmoji", "unicl"),
        ("dm_gan_coco", "scl"),
        ("dm_gan_openmoji", "ce"),
        ("dm_gan_cub", "all"),
    )
    def test_variant_is_trained(self, config, variant):
        workdir = self.folder / variant
        once = [
            f"--config.train.{key}=1" for key in ("moves", "moves_per_epoch")
        ]
        printed = self.trained(config, f"smoke_{variant}", workdir, *once)
        self.assertIn("1 moves made", printed)
        self.assert_logged(workdir, variant)

    def assert_logged(self, workdir, variant):
        (row, *_) = journal.read(workdir / "metrics.jsonl")
        terms = {"real", "wrong", "fake", "fool", "condition"}
        terms |= {"words", "sentence", *stages.VARIANTS[variant]}
        self.assertEqual(set(row["terms"]), terms)
        for value in row["terms"].values():
            self.assertTrue(np.isfinite(value))

    def test_attndcgan_is_trained_and_served(self):
        config = shared.smoke(stages.config("attngan_cub", "dcgan"))
        config.networks.generator.residuals = 0
        workdir = self.folder / "dcgan"
        training.train(config, workdir)
        self.assert_logged(workdir, "paper")
        generator = trained.run(workdir).painter.generator
        names = [layer.name for layer in generator.layers]
        self.assertIn("attention_8", names)
        self.assertNotIn("colours_8", names)
        self.assertFalse([n for n in names if n.startswith("block")])

    def test_attndcgans_numbers(self):
        config = stages.config("attngan_cub", "dcgan")
        self.assertEqual(config.train.batch_size, 30)
        self.assertEqual(config.train.moves, 400 * (8855 // 30))
        weighed = {n: config.loss_weights[n] for n in ("words", "sentence")}
        self.assertEqual(weighed, dict(words=1.0, sentence=1.0))

    def test_resumed_run_equals_the_straight_one(self):
        # Spectral vectors move in every pass; each must be kept.
        names = [self.folder / name for name in ("straight", "resumed")]
        few = "--config.train.moves=2"
        self.trained("dm_gan_cub", "smoke", names[0])
        self.trained("dm_gan_cub", "smoke", names[1], few)
        printed = self.trained("dm_gan_cub", "smoke", names[1])
        self.assertIn("Going on from move 2.", printed)
        self.assertEqual(*(couples.arrays(name, 4) for name in names))
        self.assert_logged(names[1], "paper")
        self.assert_served_as_drawn(names[1])

    def assert_served_as_drawn(self, workdir):
        code, *_ = command.run("export", f"--workdir={workdir}")
        self.assertEqual(code, 0)
        served = serving.load(workdir / "saved_model")
        drawn = trained.run(workdir).painter.generate(CAPTIONS, 3)
        drawn = images.to_uint8(drawn)
        self.assertAllEqual(served.generate(CAPTIONS, 3), drawn)
        self.assertGreater(np.ptp(drawn), 10)
        return drawn

    def test_other_reader_of_pictures_is_noticed(self):
        place, workdir = self.folder / "lookers", self.folder / "looked"
        flag = f"--config.image.source={place}"
        once = [f"--config.train.{k}=1" for k in ("moves", "moves_per_epoch")]
        stages.keep_pair(place, width=16, seed=1)
        self.trained("attngan_cub", "smoke", workdir, flag, *once)
        shutil.rmtree(place)
        stages.keep_pair(place, width=16, seed=2)
        code, _, complained = command.run(
            "train",
            f"--config={CONFIGS / 'attngan_cub.py'}:smoke",
            f"--workdir={workdir}",
            flag,
            *once,
        )
        self.assertEqual(code, 2)
        self.assertIn("digest of the reader of pictures = ", complained)

    def test_run_with_a_vocabulary_is_served_as_it_draws(self):
        # Twins, whose words are looked up, lost and read in each batch.
        place, workdir = self.folder / "pair", self.folder / "cl"
        pair = stages.keep_pair(place)
        printed = self.trained(
            "attngan_cub",
            "smoke_cl",
            workdir,
            "--config.text.encoder=damsm",
            f"--config.text.source={place}",
            f"--config.image.source={place}",
            "--config.data.words=ids",
            "--config.train.moves=1",
            "--config.train.moves_per_epoch=1",
        )
        self.assertIn("1 moves made", printed)
        self.assert_logged(workdir, "cl")
        painter = trained.run(workdir).painter
        self.assertEqual(painter.text_encoder.digest, pair.text.digest)
        drawn = self.assert_served_as_drawn(workdir)
        # Nothing of the pair's folder is needed any more.
        os.rename(place, self.folder / "elsewhere")
        served = serving.load(workdir / "saved_model")
        self.assertAllEqual(served.generate(CAPTIONS, 3), drawn)


if __name__ == "__main__":
    tf.test.main()
