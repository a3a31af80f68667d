"""SSA-GAN's game, and that of DF-GAN's first version.

A whole move without readers is held beside the authors' code in
tests/conformance; what readers add is held against slow sums here.
"""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from keras_t2i.encoders import heads
from keras_t2i.losses import matching, penalties
from keras_t2i.systems.matching import KINDS
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
        names, found = self.bent(xla, precision)
        _, exact = self.bent(False, "float32")
        far = harness.distance(exact, [np.zeros_like(x) for x in exact])
        gap = harness.distance(found, exact)
        is_short = precision != "float32"
        self.assertLess(gap, (0.1 if is_short else 1e-4) * far)
        for name, slope in zip(names, found, strict=True):
            self.assertAllEqual(
                tf.math.is_finite(slope), tf.ones_like(slope, bool)
            )
            self.assertEqual(bool(np.any(slope)), "kernel" in name, msg=name)

    def bent(self, xla, precision):
        """The penalty's slopes, and whose they are."""
        keras.utils.set_random_seed(0)
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
        judge = system.players["discriminator"]
        names = [v.path for v in judge.trainable_variables]
        return names, [x.numpy() for x in found]

    def test_slope_of_readers_and_score_is_that_of_small_steps(self):
        reader, batch = staged.image_reader(), batch_of(6)
        system = narrow(image_reader=reader, loss_weights=dict(words=5.0))
        batch = batch | system.prepare(batch)
        slopes = system.slope("generator", system.persuade, batch)
        generator = system.players["generator"]
        start = harness.snapshot(generator.trainable_variables)
        draw = np.random.default_rng(0)
        along = [draw.normal(size=x.shape).astype("float32") for x in start]
        read = {k: batch[k].numpy() for k in ("words", "mask", "sentence")}

        def loss(step):
            for v, x, way in zip(
                generator.trainable_variables, start, along, strict=True
            ):
                v.assign(x + step * way)
            fakes = system.imagine(batch)["fakes"]
            scores = system.score(system.features(fakes), batch["sentence"])
            seen = {key: x.numpy() for key, x in reader(fakes).items()}
            told = slow.matched(read | seen, GAMMAS, False)
            words = told["words_of_image"] + told["image_of_words"]
            whole = told["sentence_of_image"] + told["image_of_sentence"]
            return -np.mean(scores) + 5.0 * words + 0.05 * whole

        step = 1e-3
        found = (loss(step) - loss(-step)) / (2.0 * step)
        ours = sum(
            np.sum(x * way) for x, way in zip(slopes, along, strict=True)
        )
        self.assertAllClose(ours, found, rtol=0.02)


class FineTunedTest(tf.test.TestCase, parameterized.TestCase):
    """The readers go on learning, as in main_finetune.py."""

    def made(self, **options):
        """Makes a system whose four players are toys."""
        keras.utils.set_random_seed(0)
        head = heads.image(5, 7, harness.TEXT)
        trunk = harness.toy_trunk(3)
        readers = {
            "text": heads.text(harness.TEXT, harness.TEXT),
            "image": heads.over(trunk, head, size=harness.SIZE),
        }
        players = {**harness.toy_players(), **readers}
        return systems.SSAGANFineTuned(players, **options)

    def weights(self, system, *names):
        """Copies what players hold, those of running numbers too."""
        return {
            name: harness.snapshot(system.players[name].weights)
            for name in names
        }

    def test_weights_are_those_of_the_papers_code(self):
        expected = dict(real=1.0, wrong=0.5, fake=0.5, penalty=2.0, fool=1.0)
        expected |= dict(words=0.1, sentence=0.1)
        for terms in KINDS.values():
            expected |= dict.fromkeys(terms, 1.0)
        system = self.made()
        used = {t: w for t, w in system.loss_weights.items() if w}
        self.assertEqual(used, expected)
        self.assertEqual(system.contrasts.matcher.gammas, GAMMAS)

    @parameterized.parameters(1, 2)
    def test_readers_move_first_and_others_by_what_was_read(self, parts):
        system, batch = self.made(), batch_of()
        seen, slope, read = [], system.slope, []

        def noted(player, terms, given, *others, **more):
            seen.append((player, terms.__name__))
            if terms.__name__ in ("judge", "smooth", "persuade"):
                read.append((given["words"], given["sentence"]))
            return slope(player, terms, given, *others, **more)

        told = system.read(batch)
        system.compile(harness.sgd(system.players), micro_batches=parts)
        with mock.patch.object(system, "slope", noted):
            system.train_step(batch)
        learned = "match" if parts == 1 else "match_anew"
        self.assertEqual(
            seen,
            [
                (("text", "image"), learned),
                ("discriminator", "judge"),
                ("discriminator", "smooth"),
                ("generator", "persuade"),
            ],
        )
        for words, sentence in read:
            self.assertAllEqual(words, told["words"])
            self.assertAllEqual(sentence, told["sentence"])
        # By then the text side reads otherwise.
        gap = system.read(batch)["sentence"] - told["sentence"]
        self.assertGreater(float(tf.reduce_max(tf.abs(gap))), 1e-6)

    def test_readers_learn_from_real_pictures_as_damsm_does(self):
        system, other, batch = self.made(), self.made(), batch_of()
        damsm = systems.DAMSM(
            {name: other.players[name] for name in ("text", "image")},
            gammas=GAMMAS,
        )
        for thing in (system, damsm):
            thing.compile(harness.sgd(thing.players))
        logs = system.train_step(batch)
        theirs = damsm.train_step(batch)
        for term, value in theirs.items():
            self.assertAllClose(logs[term], value, rtol=1e-5)
        ours, theirs = (
            [
                np.array(v)
                for name in ("text", "image")
                for v in each.players[name].trainable_variables
            ]
            for each in (system, damsm)
        )
        self.assertLess(harness.distance(ours, theirs), 1e-6)

    def test_rest_of_the_move_is_plain_with_the_moved_readers(self):
        system, batch = self.made(), batch_of()
        told = system.read(batch)
        plain = self.made()  # Whose players are the same.
        system.compile(harness.sgd(system.players))
        logs = system.train_step(batch)
        plain.players["image"].set_weights(self.after_readers(batch)["image"])
        names = ("generator", "discriminator")
        rest = systems.SSAGAN(
            {name: plain.players[name] for name in names},
            image_reader=plain.look,
            loss_weights=dict(words=0.1, sentence=0.1),
        )
        rest.compile(harness.sgd(rest.players))
        theirs = rest.train_step(batch | told)
        for term, value in theirs.items():
            self.assertAllClose(logs[term], value, rtol=1e-5)
        ours = self.weights(system, *names)
        for name, weights in self.weights(rest, *names).items():
            self.assertLess(harness.distance(ours[name], weights), 1e-6)

    def after_readers(self, batch):
        """What the readers hold after their own step."""
        system = self.made()
        system.compile(harness.sgd(system.players))
        with tf.GradientTape() as tape:
            told = batch | system.read(batch)
        system.descend(("text", "image"), system.match, told, tape)
        return self.weights(system, "image")

    def test_norms_move_by_real_pictures_and_by_fakes(self):
        system, batch = self.made(), batch_of()
        trunk = system.players["image"].get_layer("toy_trunk")
        norm, conv = trunk.get_layer("norm"), trunk.get_layer("conv")
        system.compile(harness.sgd(system.players))
        told = batch | system.read(batch)
        fakes = system.imagine(told | system.prepare(told))["fakes"]
        mean = np.array(norm.moving_mean)
        for pictures in (batch["image"], fakes):
            seen = np.mean(conv(pictures), axis=(0, 1, 2))
            mean = 0.9 * mean + 0.1 * seen
        system.train_step(batch)
        self.assertAllClose(norm.moving_mean, mean, rtol=1e-4, atol=1e-6)

    def test_norms_move_by_real_pictures_again_where_fakes_go_to_them(self):
        still = dict.fromkeys((*KINDS["words"], *KINDS["sentence"]), 0.0)
        for weights, order in (
            ({"fake_to_real": 0.2}, ("real", "fakes", "real")),
            (still, ("fakes",)),
        ):
            system, batch = self.made(loss_weights=weights), batch_of()
            trunk = system.players["image"].get_layer("toy_trunk")
            norm, conv = trunk.get_layer("norm"), trunk.get_layer("conv")
            system.compile(harness.sgd(system.players))
            told = batch | system.read(batch)
            fakes = system.imagine(told | system.prepare(told))["fakes"]
            shown = {"real": batch["image"], "fakes": fakes}
            mean = np.array(norm.moving_mean)
            for name in order:
                seen = np.mean(conv(shown[name]), axis=(0, 1, 2))
                mean = 0.9 * mean + 0.1 * seen
            system.train_step(batch)
            self.assertAllClose(norm.moving_mean, mean, rtol=1e-4, atol=1e-6)

    def test_caption_without_words_moves_nobody(self):
        system, batch = self.made(), batch_of()
        system.compile(harness.sgd(system.players))
        mask = batch["mask"].numpy()
        mask[1] = False
        before = harness.snapshot(system.variables)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "caption of the batch has no word"
        ):
            system.train_step(batch | {"mask": tf.constant(mask)})
        after = harness.snapshot(system.variables)
        for old, new in zip(before, after, strict=True):
            self.assertAllEqual(old, new)

    def test_sentences_are_as_long_as_asked(self):
        batch = batch_of()
        one, long = (self.made(length=x).read(batch) for x in (1.0, 20.0))
        self.assertAllClose(20.0 * one["sentence"], long["sentence"])
        self.assertAllEqual(one["words"], long["words"])

    def test_readers_whose_terms_weigh_nothing_stand_still(self):
        weights = dict.fromkeys((*KINDS["words"], *KINDS["sentence"]), 0.0)
        system, batch = self.made(loss_weights=weights), batch_of()
        system.compile(harness.sgd(system.players))
        before, after = [], []
        for held in (before, after):
            for name in ("text", "image"):
                player = system.players[name]
                held += harness.snapshot(player.trainable_variables)
            if held is before:
                system.train_step(batch)
        self.assertEqual(harness.distance(before, after), 0.0)

    def test_nothing_moves_when_tested(self):
        system, batch = self.made(), batch_of()
        system.compile(harness.sgd(system.players))
        before = harness.snapshot(system.variables)
        system.test_step(batch)
        moved = harness.distance(
            self.flat(before, system), self.flat(system.variables, system)
        )
        self.assertEqual(moved, 0.0)

    def flat(self, values, system):
        """Those of players."""
        held = {id(v) for p in system.players.values() for v in p.weights}
        pairs = zip(values, system.variables, strict=True)
        return [np.array(x) for x, v in pairs if id(v) in held]

    def test_other_players_are_refused(self):
        with self.assertRaisesRegex(
            ValueError, r"fine-tuned, they are \['discriminator', 'generator'"
        ):
            systems.SSAGANFineTuned(harness.toy_players())

    def test_sentences_of_no_length_are_refused(self):
        with self.assertRaisesRegex(ValueError, "length is 0.0; allowed"):
            self.made(length=0.0)


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
            "A caption of the batch has no word: nothing of it is read.",
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
