"""Examines the configs: every one at every scale, the papers' constants."""

import importlib
import pathlib
import sys
from unittest import mock

import tensorflow as tf
from absl import flags
from absl.testing import parameterized
from ml_collections import config_flags

from keras_t2i.data import catalog
from recipes import configs, wiring
from recipes.configs import common, gan_cls_openmoji, openmoji
from tests.recipes import runs, stages

FOLDER = pathlib.Path(configs.__file__).parent
NAMES = sorted(
    path.stem
    for path in FOLDER.glob("*.py")
    if path.stem not in ("__init__", "common")
    # See damsm_configs_test and telling_test.
    and not path.stem.startswith(("captioner", "damsm"))
    # See staged_configs_test and one_way_configs_test.
    and path.stem not in (*stages.SHARED, *stages.NAMES, *stages.ONE_WAY)
)
SENTENCE = 384  # what all-MiniLM-L6-v2 says of a caption


class Reader:
    """Stands for MiniLM where only its size counts."""

    dim = SENTENCE


def get(name, scale):
    """Reads a config as the flag does."""
    module = importlib.import_module(f"recipes.configs.{name}")
    return module.get_config(scale)


class ConfigsTest(parameterized.TestCase, tf.test.TestCase):
    """A config that can't be built is found here, not after an hour."""

    @parameterized.product(name=NAMES, scale=common.SCALES)
    def test_every_config_builds_its_system_at_every_scale(self, name, scale):
        config = get(name, scale)
        self.assertEqual(config.train.moves % config.train.moves_per_epoch, 0)
        self.assertIn(config.data.name, catalog.NAMES)
        size = config.data.image_size
        self.assertLessEqual(size, config.data.crop or size)
        # Small networks of the same shape: `width` alone is changed.
        config.networks.generator.width = 4
        config.networks.discriminator.width = 4
        is_read = config.text.encoder != "none"
        self.assertEqual(is_read, bool(config.samples.captions))
        reader = Reader() if is_read else wiring.text_encoder(config)
        system = wiring.system(config, reader)
        drawn = system.players["generator"].output["image"].shape
        colours = 1 if config.data.name == "fashion_mnist" else 3
        self.assertEqual(drawn, (None, size, size, colours))

    @parameterized.parameters(*NAMES)
    def test_docstring_has_its_command(self, name):
        text = importlib.import_module(f"recipes.configs.{name}").__doc__
        self.assertIn(f"--config=recipes/configs/{name}.py:small", text)
        self.assertIn("python -m recipes.train", text)

    def test_every_config_is_trained_at_smoke(self):
        trained = {config for config, _ in runs.CASES}
        self.assertEqual(trained, set(NAMES))

    @parameterized.parameters(*NAMES)
    def test_smoke_needs_no_weights_and_few_moves(self, name):
        config = get(name, "smoke")
        self.assertIn(config.text.encoder, ("letters", "none"))
        self.assertEqual(config.data.name, "shapes")
        self.assertEqual(config.data.image_size, 16)
        self.assertLessEqual(config.train.moves, 4)

    @parameterized.parameters(*NAMES)
    def test_unknown_scale_is_told_the_known(self, name):
        with self.assertRaisesRegex(ValueError, "'big'; allowed: paper, small"):
            get(name, "big")

    def test_small_is_the_default(self):
        for module in (gan_cls_openmoji, openmoji):
            self.assertEqual(
                module.get_config().to_dict(),
                module.get_config("small").to_dict(),
            )

    def test_overrides_keep_their_kind(self):
        config = get("gan_cls_openmoji", "small")
        config.system.beta = 0.25  # None until then
        with self.assertRaises(TypeError):
            config.system.beta = "half"
        with self.assertRaises(TypeError):
            config.train.seed = "three"

    def test_mismatch_is_given_again_where_a_config_has_none(self):
        self.assertEqual(common.base().data.mismatch, "text")
        words = ["program", "--config.data.mismatch=text"]
        values = flags.FlagValues()
        path = f"{openmoji.__file__}:smoke"
        with mock.patch.object(sys, "argv", words):
            flag = config_flags.DEFINE_config_file(
                "config", path, flag_values=values
            )
            values(words)
        self.assertEqual(flag.value.data.mismatch, "text")
        config = openmoji.get_config("smoke")
        self.assertIsNone(config.data.mismatch)
        with self.assertRaises(TypeError):
            config.data.mismatch = 3

    def test_unknown_section_or_key_is_refused(self):
        for mistake in (
            dict(trian=dict(seed=1)),
            dict(train=dict(sed=1)),
            dict(networks=dict(generator=dict(widht=4))),
        ):
            with self.assertRaisesRegex(KeyError, "Did you mean"):
                common.base(**mistake)


class PaperTest(tf.test.TestCase):
    """Reed et al. 2016 as released: networks, optimizer, schedule."""

    def setUp(self):
        super().setUp()
        self.config = get("gan_cls_openmoji", "paper")

    def test_networks_are_reeds_with_shorter_sentences(self):
        system = wiring.system(self.config, Reader())
        counts = {
            name: sum(int(tf.size(v)) for v in player.trainable_variables)
            for name, player in system.players.items()
        }
        # Reed's have sentences of 1,024 numbers, read by 128 units each.
        fewer = (1024 - SENTENCE) * 128
        self.assertEqual(counts["generator"], 18_909_699 - fewer)
        self.assertEqual(counts["discriminator"], 4_032_321 - fewer)
        self.assertEqual(
            system.players["generator"].input["noise"].shape, (None, 100)
        )
        self.assertIsNone(system.average)
        self.assertEqual(system.beta, 0.5)
        self.assertEqual(system.mismatch_weight, 0.5)

    def test_constants_are_the_papers(self):
        for player in ("generator", "discriminator"):
            section = self.config.optimizers[player]
            self.assertEqual(section.name, "Adam")
            self.assertEqual(section.learning_rate, 2e-4)
            self.assertEqual((section.beta_1, section.beta_2), (0.5, 0.999))
        train, data = self.config.train, self.config.data
        self.assertEqual((train.batch_size, train.precision), (64, "float32"))
        pictures = catalog.CATALOG["openmoji"].counts["train"]
        epoch = pictures // 64  # the remainder is dropped
        self.assertEqual(train.moves, 600 * epoch)
        self.assertEqual(
            self.config.optimizers.generator.halve_every, 100 * epoch
        )
        self.assertEqual((data.image_size, data.crop), (64, 76))
        self.assertTrue(data.flip)
        self.assertEqual(data.captions_per_image, 4)
        self.assertEqual(data.mismatch, "text")
        self.assertEqual(self.config.system.name, "GANINTCLS")


class WassersteinTest(tf.test.TestCase):
    """The recipe of keras.io, Arjovsky et al. 2017, Gulrajani et al. 2017."""

    def test_fashion_mnist_is_the_recipe(self):
        config = get("wgan_gp_fashion_mnist", "paper")
        system = wiring.system(config, wiring.text_encoder(config))
        counts = {n: p.count_params() for n, p in system.players.items()}
        self.assertEqual(
            counts, {"generator": 910_660, "discriminator": 4_305_409}
        )
        train = config.train
        self.assertEqual((train.batch_size, train.precision), (512, "float32"))
        epoch = catalog.CATALOG["fashion_mnist"].counts["train"] // 512
        self.assertEqual(train.moves_per_epoch, epoch)
        self.assertEqual(train.moves, 20 * epoch)
        self.assertEqual((system.critic_moves, system.alpha), (3, "uniform"))
        self.assertFalse(system.is_fresh)
        self.assertIsNone(system.average)
        self.assertEqual(system.loss_weights["penalty"], 10.0)
        self.assertEqual(
            system.players["generator"].input["noise"].shape, (None, 128)
        )
        for optimizer in system.optimizers.values():
            found = optimizer.get_config()
            self.assertAllClose(found["learning_rate"], 2e-4)
            self.assertEqual((found["beta_1"], found["beta_2"]), (0.5, 0.9))
            self.assertEqual(found["epsilon"], 1e-7)

    def test_clipped_critic_has_arjovskys_constants(self):
        config = get("wgan_openmoji", "paper")
        system = wiring.system(config, Reader())
        self.assertEqual((system.critic_moves, system.clip), (5, 0.01))
        for optimizer in system.optimizers.values():
            self.assertEqual(type(optimizer).__name__, "RMSprop")
            self.assertAllClose(float(optimizer.learning_rate), 5e-5)
            self.assertEqual(optimizer.rho, 0.99)

    def test_penalised_critic_has_gulrajanis_constants(self):
        config = get("wgan_gp_openmoji", "paper")
        system = wiring.system(config, Reader())
        self.assertEqual((system.critic_moves, system.is_fresh), (5, True))
        self.assertEqual(system.loss_weights["penalty"], 10.0)
        critic = system.players["discriminator"]
        self.assertEmpty(critic.non_trainable_variables)

    def test_birds_are_played_as_the_other_code_does(self):
        config = get("gan_cls_cub", "paper")
        system = wiring.system(config, Reader())
        weights = dict(real=1, wrong=1, fake=1, fool=1)
        weights |= dict(matching=100, pixel=50)
        used = {term: w for term, w in system.loss_weights.items() if w}
        self.assertEqual(used, weights)
        fewer = (1024 - SENTENCE) * 128  # the projections' kernels
        counts = {n: p.count_params() for n, p in system.players.items()}
        moving = {
            name: sum(int(tf.size(v)) for v in p.non_trainable_variables)
            for name, p in system.players.items()
        }
        self.assertEqual(
            counts["generator"] - moving["generator"], 4_756_736 - fewer
        )
        self.assertEqual(
            counts["discriminator"] - moving["discriminator"],
            2_899_072 - fewer,
        )
        self.assertEqual(config.data.mismatch, "image")
        self.assertEqual(config.game.real_target, 0.9)


if __name__ == "__main__":
    tf.test.main()
