"""Examines the configs of SSA-GAN and DF-GAN: scales, the papers' numbers.

One run of each system, by command, and what it exports.
"""

import importlib
import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks, serving, systems, weights
from keras_t2i.callbacks import journal
from keras_t2i.data import catalog, pipeline
from keras_t2i.ops import images
from recipes import configs, letters, streams, trained, training, wiring
from recipes.configs import one_way
from tests.recipes import command, couples, runs, stages

CONFIGS = pathlib.Path(configs.__file__).parent
PAPERS = tuple(n for n in stages.ONE_WAY if "openmoji" not in n)
VARIANTS = {
    "paper": {},
    "f2f": {"fake_to_fake": 0.2},
    "f2r": {"fake_to_real": 0.2},
    "f2f_f2r": {"fake_to_fake": 0.2, "fake_to_real": 0.2},
    "scl": {"supervised": 0.2},
    "unicl": {"unicl": 0.2},
    "ce": {"cross_entropy": 0.2},
    "recap": {"recaptioning": 1.0},
    "all": {"fake_to_fake": 0.2, "fake_to_real": 0.2, "recaptioning": 1.0},
}
#: config and scale -> system, networks, width, batch size, epochs.
NUMBERS = {
    ("ssa_gan_cub", "paper"): ("SSAGAN", "ssa_gan", 64, 24, 600),
    ("ssa_gan_coco", "paper"): ("SSAGAN", "ssa_gan", 64, 24, 120),
    ("df_gan_cub", "paper"): ("DFGAN", "df_gan", 32, 32, 1300),
    ("df_gan_coco", "paper"): ("DFGAN", "df_gan", 32, 32, 300),
    ("df_gan_cub", "v2020"): ("DFGAN2020", "df_gan_2020", 32, 24, 600),
    ("df_gan_coco", "v2020"): ("DFGAN2020", "df_gan_2020", 32, 24, 120),
}
CAPTIONS = ("a red circle", "one small, blue square on green")
PICTURES = {"cub": 8855, "coco": 82783}
#: What every system of these logs.
GAME = {"real", "wrong", "fake", "penalty", "fool"}


def opened(source, length=1.0):
    """Stands for `weights.readers.load`."""
    return letters.pair(16)


def narrow(name, scale):
    """Reads a config with narrow networks of the same shape."""
    config = stages.config(name, scale)
    config.networks.generator.width = 2
    config.networks.discriminator.width = 2
    if config.text.encoder == "damsm":
        config.text.source = "a pair"
    config.captioner.source = "letters"
    return config


class ConfigsTest(parameterized.TestCase, tf.test.TestCase):
    """A config that can't be built is found here, not after an hour."""

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.object(weights.readers, "load", opened))

    def test_all_are_listed(self):
        found = {
            path.stem
            for pattern in ("ssa_gan_*.py", "df_gan_*.py")
            for path in CONFIGS.glob(pattern)
        }
        self.assertEqual(found, set(stages.ONE_WAY))
        self.assertEqual(one_way.VARIANTS, VARIANTS)

    @parameterized.product(
        name=stages.ONE_WAY,
        scale=["small", "smoke", *VARIANTS, *(f"smoke_{v}" for v in VARIANTS)],
    )
    def test_every_config_builds_its_system_at_every_scale(self, name, scale):
        config = narrow(name, scale)
        training._check_moves(config.train)
        training.GENERATORS.check(config)
        self.assertIn(config.data.name, catalog.NAMES)
        size = config.data.image_size
        self.assertLessEqual(size, config.data.crop or size)
        system = wiring.system(config, wiring.text_encoder(config))
        kind = systems.SSAGAN if "ssa" in name else systems.DFGAN
        self.assertIs(type(system), kind)
        drawn = system.players["generator"].output["image"].shape
        self.assertEqual(drawn, (None, size, size, 3))
        added = VARIANTS.get(scale.removeprefix("smoke_"), {})
        matched = ["words", "sentence"] if "ssa" in name else []
        self.assertEqual(system.contrasts.used, [*matched, *added])
        self.assertEqual(system.average is None, "openmoji" not in name)

    @parameterized.product(
        name=["df_gan_cub", "df_gan_coco"],
        rest=["", "_small", "_smoke", "_f2f", "_smoke_f2f_f2r"],
    )
    def test_first_version_has_all_scales(self, name, rest):
        config = narrow(name, f"v2020{rest}")
        system = wiring.system(config, wiring.text_encoder(config))
        self.assertIs(type(system), systems.DFGAN2020)
        self.assertEqual(config.networks.generator.name, "df_gan_2020")
        expected = VARIANTS.get(rest.removeprefix("_smoke").strip("_"), {})
        self.assertEqual(system.contrasts.used, list(expected))

    @parameterized.parameters(*stages.ONE_WAY)
    def test_docstring_has_its_command(self, name):
        text = importlib.import_module(f"recipes.configs.{name}").__doc__
        self.assertIn("python -m recipes.train", text)
        scale = "paper" if name in PAPERS else "small"
        self.assertIn(f"--config=recipes/configs/{name}.py:{scale}", text)
        for word in (*VARIANTS, "small", "smoke"):
            self.assertIn(f"`{word}`", text)

    @parameterized.parameters(*stages.ONE_WAY)
    def test_unknown_scale_is_told_the_known(self, name):
        strange = ("big", "smoke_big", "smokef2f", "", "smoke_small", "small_")
        for scale in strange:
            with self.assertRaisesRegex(
                ValueError,
                f"The scale is '{scale}'; allowed: small, paper, f2f, f2r, f2f",
            ):
                stages.config(name, scale)

    @parameterized.parameters(*stages.ONE_WAY)
    def test_defaults_are_the_papers_or_small(self, name):
        scale = "paper" if name in PAPERS else "small"
        self.assertEqual(
            stages.config(name, None).to_dict(),
            stages.config(name, scale).to_dict(),
        )


class PaperTest(parameterized.TestCase, tf.test.TestCase):
    """Liao et al. 2022 and Tao et al. 2020 and 2022, as released."""

    @parameterized.parameters(*NUMBERS)
    def test_numbers_are_the_papers(self, name, scale):
        config = stages.config(name, scale)
        system, room, width, batch, epochs = NUMBERS[name, scale]
        for player in ("generator", "discriminator"):
            self.assertEqual(config.networks[player].name, room)
            self.assertEqual(config.networks[player].width, width)
        self.assertEqual(config.networks.generator.noise_dim, 100)
        train, data = config.train, config.data
        pictures = PICTURES[name.rpartition("_")[2]]
        self.assertEqual(train.batch_size, batch)
        self.assertEqual(train.moves_per_epoch, pictures // batch)
        self.assertEqual(train.moves, epochs * (pictures // batch))
        self.assertEqual(train.precision, "float32")
        self.assertEqual(data.image_size, 256)
        self.assertEqual(data.crop, pipeline.crop_for(256))
        self.assertEqual((data.flip, data.fit), (True, "keep"))
        self.assertEqual((data.words, data.max_words), ("ids", 18))
        self.assertEqual(data.word_rule, "subset")
        self.assertIsNone(data.mismatch)
        self.assertEqual(config.text.encoder, "damsm")
        rates = {"generator": 1e-4, "discriminator": 4e-4}
        for player, section in config.optimizers.items():
            self.assertEqual(section.name, "Adam")
            self.assertEqual(section.learning_rate, rates[player])
            self.assertEqual((section.beta_1, section.beta_2), (0.0, 0.9))
            self.assertEqual(section.epsilon, 1e-8)
            self.assertEqual(section.halve_every, 0)
        self.assertEqual(config.system.name, system)
        masks = config.system.masks_classes
        self.assertEqual(bool(masks), name == "ssa_gan_cub")
        with mock.patch.object(weights.readers, "load", opened):
            config = narrow(name, scale)
            built = wiring.system(config, wiring.text_encoder(config))
        self.assertIsNone(built.average)
        self.assertEqual(built.contrasts.matcher.gammas[1:], (5.0, 10.0))
        game = dict(real=1.0, wrong=0.5, fake=0.5, penalty=2.0, fool=1.0)
        if system == "SSAGAN":
            game |= dict(words=0.05, sentence=0.05)
            self.assertEqual(built.contrasts.matcher.gammas[0], 5.0)
        self.assertEqual(
            {t: w for t, w in built.loss_weights.items() if w}, game
        )

    @parameterized.parameters(*PAPERS)
    def test_small_is_half_of_it_for_a_tenth_of_the_time(self, name):
        paper, small = (stages.config(name, s) for s in ("paper", "small"))
        self.assertEqual(small.data.image_size, 128)
        self.assertEqual(small.data.crop, pipeline.crop_for(128))
        for player, section in small.networks.items():
            self.assertEqual(2 * section.width, paper.networks[player].width)
        self.assertEqual(10 * small.train.moves, paper.train.moves)
        contrasted = stages.config(name, "small_f2f_f2r")
        weighed = VARIANTS["f2f_f2r"]
        self.assertEqual(
            {term: contrasted.loss_weights[term] for term in weighed}, weighed
        )
        contrasted.loss_weights.update(dict.fromkeys(weighed))
        self.assertEqual(contrasted.to_dict(), small.to_dict())


class TunedTest(parameterized.TestCase, tf.test.TestCase):
    """main_finetune.py of SSA-GAN's authors."""

    @parameterized.product(
        name=[name for name in stages.ONE_WAY if "ssa" in name],
        scale=[
            *("tuned", "small_tuned", "smoke_tuned", "f2r_tuned", "all_tuned"),
            "ce_tuned",
        ],
    )
    def test_numbers_are_the_papers(self, name, scale):
        config = narrow(name, scale)
        for side in ("text", "image"):
            section = config.optimizers[side]
            self.assertEqual(section.learning_rate, 4e-5)
            self.assertEqual((section.beta_1, section.beta_2), (0.0, 0.9))
        made = letters.learners()
        with (
            mock.patch.object(
                weights.readers, "learners", lambda *_, **__: made
            ),
            mock.patch.object(letters, "learners", lambda: made),
        ):
            system = wiring.system(config, letters.Letters())
        self.assertIs(type(system), systems.SSAGANFineTuned)
        self.assertEqual(
            {system.loss_weights[x] for x in ("words", "sentence")}, {0.1}
        )
        self.assertEqual(system.length, config.text.length)
        self.assertEqual(config.text.length, 20.0 if "openmoji" in name else 1)
        added = VARIANTS.get(scale.removesuffix("_tuned"), {})
        self.assertEqual(system.contrasts.used, ["words", "sentence", *added])
        for side, player in made.players.items():
            self.assertIs(system.players[side], player)

    def test_width_is_that_of_the_scale(self):
        for scale, width in (("paper_tuned", 64), ("tuned", 32), ("f2r", 32)):
            config = stages.config("ssa_gan_openmoji", scale)
            self.assertEqual(config.networks.generator.width, width, scale)

    def test_misspelt_scales_are_refused(self):
        for scale in ("_tuned", "tuned_tuned", "smoketuned", "tuned_f2r"):
            with self.assertRaisesRegex(ValueError, "The scale is '"):
                stages.config("ssa_gan_cub", scale)

    def test_words_that_were_read_are_refused(self):
        config = stages.config("ssa_gan_openmoji", "smoke_tuned")
        pictures = streams.source(config, "train")
        encoder = letters.Letters()
        encoder.vocabulary = letters.words().vocabulary
        with self.assertRaisesRegex(
            ValueError, "is 'float16', but the reader .* takes ids: set 'ids'"
        ):
            streams.dataset(config, pictures, encoder)

    @parameterized.parameters("tuned", "smoke_tuned", "f2f_tuned")
    def test_df_gan_has_none(self, scale):
        with self.assertRaisesRegex(ValueError, "The scale is 'f?.*tuned'"):
            stages.config("df_gan_cub", scale)

    @parameterized.parameters(
        ({"text.encoder": "minilm"}, "are 'minilm' and None"),
        ({"image.source": "letters"}, "set .*config.image.source to None"),
        ({"data.words": None}, "is 'SSAGANFineTuned', which takes captions"),
    )
    def test_what_has_no_pair_is_refused(self, changes, sentence):
        config = stages.config("ssa_gan_openmoji", "smoke_tuned")
        config.text.update(encoder="damsm", source="openmoji_damsm")
        config.update_from_flattened_dict(changes)
        config.data.words = changes.get("data.words", config.data.words)
        with self.assertRaisesRegex(ValueError, sentence):
            if "data.words" in changes:
                pictures = streams.source(config, "train")
                streams.dataset(config, pictures, letters.Letters())
            wiring.system(config, letters.Letters())

    def test_readers_without_optimizers_are_refused(self):
        config = stages.config("ssa_gan_openmoji", "smoke")
        config.system.name = "SSAGANFineTuned"
        config.image.source = None
        with self.assertRaisesRegex(
            ValueError, "there is no config.optimizers.text: start from"
        ):
            wiring.system(config, letters.Letters())


class TrainTest(parameterized.TestCase, tf.test.TestCase):
    """One command trains each, and what it leaves can be served."""

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

    def assert_logged(self, workdir, *more):
        (row, *_) = journal.read(workdir / "metrics.jsonl")
        self.assertEqual(set(row["terms"]), {*GAME, *more})
        for value in row["terms"].values():
            self.assertTrue(np.isfinite(value))

    @parameterized.parameters(
        ("ssa_gan_cub", "f2f"),
        ("ssa_gan_coco", "scl"),
        ("ssa_gan_openmoji", "f2f_f2r"),
        ("ssa_gan_cub", "all"),
        ("df_gan_openmoji", "recap"),
        ("df_gan_cub", "f2r"),
        ("df_gan_coco", "ce"),
        ("df_gan_openmoji", "unicl"),
    )
    def test_variant_is_trained(self, config, variant):
        workdir = self.folder / f"{config}_{variant}"
        once = [
            f"--config.train.{key}=1" for key in ("moves", "moves_per_epoch")
        ]
        printed = self.trained(config, f"smoke_{variant}", workdir, *once)
        self.assertIn("1 moves made", printed)
        matched = {"words", "sentence"} if "ssa" in config else set()
        self.assert_logged(workdir, *matched, *VARIANTS[variant])

    @parameterized.parameters(
        "gan_cls_openmoji", "wgan_openmoji", "wgan_gp_openmoji", "openmoji"
    )
    def test_any_system_that_reads_plays_the_whole_equation(self, config):
        workdir = self.folder / f"whole_{config}"
        weighed = dict(words=0.05, sentence=0.05, recaptioning=1.0)
        weighed |= dict(fake_to_fake=0.2, fake_to_real=0.2)
        self.trained(
            config,
            "smoke",
            workdir,
            "--config.image.source=letters",
            "--config.captioner.source=letters",
            "--config.data.words=float16",
            "--config.data.max_words=6",
            *(f"--config.loss_weights.{k}={w}" for k, w in weighed.items()),
        )
        (row, *_) = journal.read(workdir / "metrics.jsonl")
        for term in ("fool", *weighed):
            self.assertTrue(np.isfinite(row["terms"][term]))
        for term in weighed:
            self.assertGreater(row["terms"][term], 0.0)

    @parameterized.parameters(
        ("ssa_gan_cub", "smoke", ["words", "sentence"]),
        (
            *("ssa_gan_openmoji", "smoke_tuned"),
            ["words", "sentence", *systems.DAMSM.TERMS[:4]],
        ),
        ("df_gan_cub", "smoke", []),
        ("df_gan_coco", "v2020_smoke", []),
    )
    def test_resumed_run_equals_the_straight_one_and_is_served(
        self, config, scale, matched
    ):
        names = [
            self.folder / f"{config}_{scale}_{word}"
            for word in ("straight", "resumed")
        ]
        few = "--config.train.moves=2"
        self.trained(config, scale, names[0])
        self.trained(config, scale, names[1], few)
        printed = self.trained(config, scale, names[1])
        self.assertIn("Going on from move 2.", printed)
        self.assertEqual(*(couples.arrays(name, 4) for name in names))
        self.assert_logged(names[1], *matched)
        code, *_ = command.run("export", f"--workdir={names[1]}")
        self.assertEqual(code, 0)
        served = serving.load(names[1] / "saved_model")
        drawn = trained.run(names[1]).painter.generate(CAPTIONS, 3)
        drawn = images.to_uint8(drawn)
        self.assertAllEqual(served.generate(CAPTIONS, 3), drawn)
        self.assertGreater(np.ptp(drawn), 10)

    def test_words_learned_as_ids_go_on_learning(self):
        # As in the paper: a bi-LSTM, thinned out at random; the pair read
        # captions of 5 words before, and reads 6 now.
        place = self.folder / "pair"
        stages.keep_pair(place, width=16, max_words=5)
        names = [
            self.folder / f"ids_{word}" for word in ("straight", "resumed")
        ]
        how = [
            "--config.text.encoder=damsm",
            f"--config.text.source={place}",
            "--config.data.words=ids",
        ]
        few = "--config.train.moves=2"
        self.trained("ssa_gan_cub", "smoke_tuned", names[0], *how)
        self.trained("ssa_gan_cub", "smoke_tuned", names[1], *how, few)
        self.trained("ssa_gan_cub", "smoke_tuned", names[1], *how)
        self.assertEqual(*(couples.arrays(name, 4) for name in names))
        learned = ["words", "sentence", *systems.DAMSM.TERMS[:4]]
        self.assert_logged(names[0], *learned)
        found = trained.run(names[0])
        before = weights.readers.learners(place, max_words=6).text.digest
        self.assertNotEqual(found.painter.text_encoder.digest, before)
        drawn = images.to_uint8(found.painter.generate(CAPTIONS, 3))
        code, *_ = command.run("export", f"--workdir={names[0]}")
        self.assertEqual(code, 0)
        served = serving.load(names[0] / "saved_model")
        self.assertAllEqual(served.generate(CAPTIONS, 3), drawn)

    def test_networks_of_the_other_version_are_refused(self):
        # Their weights have other names; the run says what it was made with.
        workdir = self.folder / "versions"
        self.trained("df_gan_cub", "smoke", workdir, "--config.train.moves=2")
        code, _, complained = command.run(
            "train",
            f"--config={CONFIGS / 'df_gan_cub.py'}:v2020_smoke",
            f"--workdir={workdir}",
        )
        self.assertEqual(code, 2)
        self.assertIn(".name = df_gan; now it is df_gan_2020", complained)

    def test_reader_of_another_size_is_refused(self):
        config = stages.config("ssa_gan_cub", "smoke")
        text = wiring.text_encoder(config)
        pair = letters.pair(text.dim + 1)
        self.enterContext(mock.patch.object(letters, "pair", lambda: pair))
        with self.assertRaisesRegex(ValueError, "take both sides of one pair"):
            wiring.system(config, text)


class RoomsTest(tf.test.TestCase):
    """Networks may be changed for each other by config."""

    def test_first_versions_networks_play_the_later_game(self):
        config = stages.config("df_gan_cub", "smoke")
        for section in config.networks.values():
            section.name = "df_gan_2020"
        system = wiring.system(config, wiring.text_encoder(config))
        theirs = networks.df_gan_2020.generator(
            image_size=16, width=4, noise_dim=8, text_dim=16
        )
        ours = system.players["generator"]
        self.assertEqual(ours.count_params(), theirs.count_params())


if __name__ == "__main__":
    tf.test.main()
