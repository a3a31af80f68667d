"""Examines the configs of DAMSM: every scale, the papers' constants."""

import importlib
import pathlib

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import catalog, pipeline, shapes, vocabulary
from keras_t2i.encoders import tokenizer
from recipes import configs, letters, reading, training
from recipes.configs import common, damsm, damsm_openmoji
from tests.recipes import couples

PAPERS = ("damsm_coco", "damsm_cub")
SCALES = (*damsm.CONTRASTS, *couples.VARIANTS)


def readers(config):
    """Opens what a config reads upon, but for the networks' weights."""
    text, section = letters.Letters(), config.image
    if config.text.encoder == "bi_lstm":
        words = vocabulary.Vocabulary(["a", "red", "circle"])
        text = tokenizer.Words(words, max_words=config.data.max_words)
    seen = couples.toy(
        section.encoder, None, size=section.size, resize=section.resize
    )
    return reading.Readers(text, seen, 3, "digest")


class ConfigsTest(parameterized.TestCase, tf.test.TestCase):
    """A config that can't be built is found here, not after an hour."""

    def test_all_are_listed(self):
        folder = pathlib.Path(configs.__file__).parent
        found = {path.stem for path in folder.glob("damsm_*.py")}
        self.assertEqual(found, set(couples.NAMES))

    @parameterized.product(name=couples.NAMES, scale=SCALES)
    def test_every_config_builds_its_system_at_every_scale(self, name, scale):
        config = couples.config(name, scale)
        contrast = damsm.CONTRASTS.get(scale, couples.VARIANTS.get(scale))
        self.assertEqual(config.system.contrast, contrast)
        training._check_moves(config.train)
        self.assertIn(config.data.name, catalog.NAMES)
        size = config.data.image_size
        self.assertLessEqual(size, config.data.crop or size)
        self.assertEqual(reading.fault(config, shapes.load(24, 16)), "")
        system = reading.system(config, None, readers(config))
        players = {"text", "image"}
        players |= {"classes"} if contrast == "cross_entropy" else set()
        self.assertEqual(set(system.players), players)
        self.assertEqual(system.is_used("contrast"), contrast is not None)
        self.assertEqual(system.matcher.negatives, "global")

    @parameterized.parameters(*couples.NAMES)
    def test_docstring_has_its_command(self, name):
        text = importlib.import_module(f"recipes.configs.{name}").__doc__
        self.assertIn("python -m recipes.pretrain", text)
        scale = "paper" if name in PAPERS else "small"
        self.assertIn(f"--config=recipes/configs/{name}.py:{scale}", text)

    @parameterized.product(name=couples.NAMES, scale=list(couples.VARIANTS))
    def test_smoke_needs_no_weights_and_few_moves(self, name, scale):
        config = couples.config(name, scale)
        self.assertIn(config.text.encoder, ("letters", "bi_lstm"))
        self.assertEqual(
            (config.image.encoder, config.image.source), ("lite0", None)
        )
        self.assertEqual(config.data.name, "shapes")
        self.assertEqual((config.data.image_size, config.image.size), (16, 32))
        self.assertLessEqual(config.train.moves, 4)

    @parameterized.parameters(*couples.NAMES)
    def test_unknown_scale_is_told_the_known(self, name):
        for scale in ("big", "smoke_big", "smokecl_"):
            with self.assertRaisesRegex(
                ValueError, f"'{scale}'; allowed: paper, cl, scl, unicl, ce, s"
            ):
                couples.config(name, scale)

    def test_defaults_are_small_or_the_papers(self):
        for name in couples.NAMES:
            module = importlib.import_module(f"recipes.configs.{name}")
            scale = "paper" if name in PAPERS else "small"
            self.assertEqual(
                module.get_config().to_dict(),
                module.get_config(scale).to_dict(),
            )

    def test_unknown_section_or_key_is_refused(self):
        for mistake in (
            dict(trian=dict(seed=1)),
            dict(train=dict(sed=1)),
            dict(image=dict(sise=4)),
        ):
            with self.assertRaisesRegex(KeyError, "Did you mean"):
                common.readers(**mistake)


class PaperTest(parameterized.TestCase, tf.test.TestCase):
    """Xu et al. 2018 as released, and Ye et al. 2021."""

    @parameterized.parameters(*PAPERS)
    def test_readers_are_the_papers(self, name):
        config = couples.config(name, "paper")
        text, image = config.text, config.image
        self.assertEqual(
            (text.encoder, text.width, text.embedding, text.dropout),
            ("bi_lstm", 256, 300, 0.5),
        )
        self.assertEqual(
            (image.encoder, image.size, image.resize, image.norms),
            ("inception", 299, "bilinear_corners", "batch"),
        )
        self.assertIsNone(image.source)  # A file must be named.
        self.assertFalse(image.is_kept)

    @parameterized.parameters(
        ("damsm_cub", 18, 200, 8855, True),
        ("damsm_coco", 15, 100, 82783, False),
    )
    def test_data_and_length_are_the_papers(
        self, name, words, epochs, pictures, masks_classes
    ):
        config = couples.config(name, "paper")
        data, train = config.data, config.train
        self.assertEqual((data.image_size, data.crop), (299, 355))
        self.assertEqual(data.crop, pipeline.crop_for(299))
        self.assertEqual((data.flip, data.fit), (True, "keep"))
        self.assertEqual((data.max_words, data.word_rule), (words, "subset"))
        self.assertEqual(data.held_out, 0)
        self.assertEqual(train.batch_size, 48)
        self.assertEqual(train.moves_per_epoch, pictures // 48)
        self.assertEqual(train.moves, epochs * train.moves_per_epoch)
        self.assertEqual(train.precision, "float32")
        self.assertEqual(config.system.masks_classes, masks_classes)

    @parameterized.product(name=PAPERS, scale=list(damsm.CONTRASTS))
    def test_losses_are_the_papers(self, name, scale):
        config = couples.config(name, scale)
        system = reading.system(config, None, readers(config))
        self.assertEqual(system.matcher.gammas, (4.0, 5.0, 10.0))
        self.assertEqual(system.temperature, 0.5)
        used = {t: w for t, w in system.loss_weights.items() if w}
        terms = system.TERMS if scale != "paper" else system.TERMS[:4]
        self.assertEqual(used, dict.fromkeys(terms, 1.0))

    @parameterized.parameters(*PAPERS)
    def test_optimizers_and_epochs_are_the_papers(self, name):
        config = couples.config(name, "ce")
        system = reading.system(config, None, readers(config))
        for player, optimizer in system.optimizers.items():
            found = optimizer.get_config()
            self.assertEqual(type(optimizer).__name__, "Adam")
            self.assertAllClose(found["learning_rate"], 0.002)
            self.assertEqual((found["beta_1"], found["beta_2"]), (0.5, 0.999))
            self.assertEqual(found["epsilon"], 1e-8)
            clip = 0.25 if player == "text" else None
            self.assertEqual(found["global_clipnorm"], clip)
            self.assertIsNone(found["weight_decay"])
        self.assertEqual(
            config.epochs.to_dict(), dict(decay=0.98, floor=0.1, is_fresh=True)
        )

    def test_lstm_is_the_papers_but_for_its_doubled_biases(self):
        config = couples.config("damsm_cub", "paper")
        system = reading.system(config, None, readers(config))
        count = system.players["text"].count_params()
        # 2,075,320 for 5,450 words; Torch has two biases for our one.
        self.assertEqual(count, 2_075_320 - (5450 - 4) * 300 - 2 * 512)

    def test_openmoji_has_subgroups_and_no_masks(self):
        config = damsm_openmoji.get_config()
        self.assertEqual(config.data.labels, "subgroup")
        self.assertFalse(config.system.masks_classes)
        self.assertEqual(
            (config.text.encoder, config.image.encoder), ("minilm", "lite0")
        )
        self.assertTrue(config.image.is_kept)
        pictures = catalog.CATALOG["openmoji"].counts["train"]
        self.assertEqual(config.train.moves_per_epoch, pictures // 48)


if __name__ == "__main__":
    tf.test.main()
