"""SSA-GAN's game, and that of DF-GAN's first version.

A whole move is held beside the authors' code in tests/conformance.
"""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from keras_t2i.losses import matching, penalties
from tests import harness
from tests.systems import slow, staged

GAMMAS = (5.0, 5.0, 10.0)
UNREAD = {"words": 0.0, "sentence": 0.0}


def narrow(kind=systems.SSAGAN, **options):
    """Makes a system of toy players and readers."""
    options = dict(image_reader=staged.image_reader()) | options
    players = harness.toy_players()
    return kind(players, **options)


def batch_of(rows=4):
    """Draws a toy batch with words, as tensors."""
    return staged.batch(rows=rows)


class OrderTest(tf.test.TestCase, parameterized.TestCase):
    """Who steps when, and on what."""

    def steps(self, system, batch):
        """Lists the terms of each step, and how often Adam counted."""
        seen, slope = [], system.slope

        def noted(player, terms, *others, **more):
            seen.append((player, terms.__name__))
            return slope(player, terms, *others, **more)

        system.compile(harness.sgd(system.players))
        with mock.patch.object(system, "slope", noted):
            system.train_step(batch)
        counts = {
            name: int(optimizer.iterations)
            for name, optimizer in system.optimizers.items()
        }
        return seen, counts

    def test_penalty_has_a_step_of_its_own(self):
        system = narrow()
        seen, counts = self.steps(system, batch_of())
        self.assertEqual(
            seen,
            [
                ("discriminator", "judge"),
                ("discriminator", "smooth"),
                ("generator", "persuade"),
            ],
        )
        self.assertEqual(counts, {"discriminator": 2, "generator": 1})
        self.assertEqual(system.steps_of("discriminator"), 2)
        self.assertEqual(system.steps_of("generator"), 1)

    def test_penalty_that_weighs_nothing_costs_no_step(self):
        system = narrow(loss_weights={"penalty": 0.0})
        with mock.patch.object(penalties, "matching_aware") as penalty:
            seen, counts = self.steps(system, batch_of())
        penalty.assert_not_called()
        self.assertLen(seen, 2)
        self.assertEqual(counts, {"discriminator": 1, "generator": 1})
        self.assertEqual(system.steps_of("discriminator"), 1)

    def test_biases_that_the_penalty_does_not_reach_get_zeros(self):
        system, batch = narrow(), batch_of()
        found = system.slope(
            "discriminator", system.smooth, batch, is_partial=True
        )
        judge = system.players["discriminator"]
        still = [
            variable.path
            for variable, x in zip(
                judge.trainable_variables, found, strict=True
            )
            if not np.any(x)
        ]
        self.assertNotEmpty(still)
        self.assertTrue(all("bias" in path for path in still))
        with self.assertRaisesRegex(ValueError, "No gradient reaches .*bias"):
            system.slope("discriminator", system.smooth, batch)


class TermsTest(tf.test.TestCase, parameterized.TestCase):
    """What each player minimises."""

    def test_weights_are_those_of_the_papers_code(self):
        expected = dict(real=1.0, wrong=0.5, fake=0.5, penalty=2.0, fool=1.0)
        for kind, more in (
            (systems.SSAGAN, dict(words=0.05, sentence=0.05)),
            (systems.DFGAN2020, {}),
        ):
            system = narrow(kind)
            used = {t: w for t, w in system.loss_weights.items() if w}
            self.assertEqual(used, expected | more)
            self.assertEqual(system.contrasts.matcher.gammas, GAMMAS)
            self.assertIsNone(system.average)

    def test_each_picture_is_mismatched_with_the_next_sentence(self):
        system, batch = narrow(), batch_of()
        features = system.features(batch["image"])
        sentence = batch["sentence"]
        expected = [
            float(system.score(features[i : i + 1], sentence[i + 1 : i + 2])[0])
            for i in range(3)
        ]
        expected = np.mean([max(0.0, 1.0 + x) for x in expected])
        terms = system.judge(batch | {"fakes": batch["image"]})
        self.assertAllClose(terms["wrong"], expected, rtol=1e-5)

    def test_penalty_of_a_linear_critic_is_known(self):
        # c(x, s) = a * sum(x) + b * sum(s): every slope has the same length.
        a, b, size = 0.02, 0.3, harness.SIZE
        image = keras.Input((size, size, 3), name="image")
        trunk = keras.Model(image, a * image, name="trunk")
        features = keras.Input((size, size, 3), name="features")
        sentence = keras.Input((harness.TEXT,), name="sentence")
        whole = keras.ops.sum(features, (1, 2, 3)) + b * keras.ops.sum(
            sentence, 1
        )
        head = keras.Model([features, sentence], whole, name="head")
        players = harness.toy_players()
        players["discriminator"] = keras.Model(
            {"image": image, "sentence": sentence},
            {"matched": head([trunk(image), sentence])},
        )
        system = systems.SSAGAN(players, loss_weights=UNREAD)
        found = system.smooth(batch_of())["penalty"]
        squares = a**2 * size * size * 3 + b**2 * harness.TEXT
        self.assertAllClose(found, squares**3, rtol=1e-5)

    def test_fakes_are_matched_with_their_captions(self):
        reader, batch = staged.image_reader(), batch_of(6)
        system = narrow(image_reader=reader)
        batch = batch | system.prepare(batch)
        drawn = system.imagine(batch)
        found = staged.persuaded(system, batch)
        read = {
            key: batch[key].numpy() for key in ("words", "mask", "sentence")
        }
        read |= {key: x.numpy() for key, x in reader(drawn["fakes"]).items()}
        expected = slow.matched(read, GAMMAS, False)
        words = expected["words_of_image"] + expected["image_of_words"]
        whole = expected["sentence_of_image"] + expected["image_of_sentence"]
        self.assertAllClose(found["words"], words, rtol=1e-4)
        self.assertAllClose(found["sentence"], whole, rtol=1e-4)

    @parameterized.parameters(
        ("words", "word_scores"), ("sentence", "sentence_scores")
    )
    def test_matching_that_weighs_nothing_costs_nothing(self, term, name):
        system, batch = narrow(loss_weights={term: 0.0}), batch_of()
        with mock.patch.object(matching, name) as loss:
            found = staged.persuaded(system, batch | system.prepare(batch))
        loss.assert_not_called()
        self.assertEqual(set(found), {"fool", "words", "sentence"} - {term})


class SlopesTest(tf.test.TestCase, parameterized.TestCase):
    """The second order, played in every way."""

    @parameterized.product(
        xla=(False, True), precision=("float32", "mixed_bfloat16")
    )
    def test_penalty_bends_the_discriminator(self, xla, precision):
        keras.config.set_dtype_policy(precision)
        try:
            system = systems.SSAGAN(harness.toy_players(), loss_weights=UNREAD)
        finally:
            keras.config.set_dtype_policy("float32")
        system.compile(harness.sgd(system.players), xla=xla)
        found = tf.function(
            lambda batch: system.slope(
                "discriminator", system.smooth, batch, is_partial=True
            )
        )(batch_of())
        names = [
            v.path for v in system.players["discriminator"].trainable_variables
        ]
        for name, slope in zip(names, found, strict=True):
            self.assertAllEqual(
                tf.math.is_finite(slope), tf.ones_like(slope, bool)
            )
            self.assertEqual(bool(np.any(slope)), "kernel" in name, msg=name)


class RefusedTest(tf.test.TestCase, parameterized.TestCase):
    """What can't be played."""

    def test_nobody_looks_at_fakes(self):
        with self.assertRaisesRegex(
            ValueError, "words weighs 0.05, .* an image_reader says of fakes"
        ):
            systems.SSAGAN(harness.toy_players())

    def test_batch_of_one_has_no_mismatched_pair(self):
        system, batch = narrow(), batch_of(1)
        with self.assertRaisesRegex(ValueError, "of one row has no mismatched"):
            system.judge(batch | {"fakes": batch["image"]})

    def test_batch_without_words(self):
        system, batch = narrow(), batch_of()
        del batch["words"]
        with self.assertRaisesRegex(
            ValueError, "words goes by words, and the batch has no words"
        ):
            staged.persuaded(system, batch | system.prepare(batch))

    @parameterized.parameters(True, False)
    def test_caption_without_words(self, eagerly):
        system, batch = narrow(), batch_of()
        mask = batch["mask"].numpy()
        mask[2] = False
        batch["mask"] = tf.constant(mask)
        system.compile(harness.sgd(system.players), run_eagerly=eagerly)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError,
            "A caption of the batch has no word: its mask is all False.",
        ):
            system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)

    def test_readers_of_another_width(self):
        system = narrow(image_reader=staged.image_reader(width=7))
        batch = batch_of()
        with self.assertRaisesRegex(
            ValueError, "codes have 7 numbers and sentences 6: let the readers"
        ):
            staged.persuaded(system, batch | system.prepare(batch))


if __name__ == "__main__":
    tf.test.main()
