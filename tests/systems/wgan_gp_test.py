"""WGAN-GP's penalty and order of play against slow arithmetic."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks, systems
from tests import harness


class Formula(systems.WGANGP):
    """Scores a picture by a formula, and remembers what it saw."""

    def scores(self, pictures, sentences, salt):
        self.seen = {**getattr(self, "seen", {}), salt: pictures}
        return self.formula(pictures)


def system_of(formula, **kwargs):
    """Makes a system whose critic is a formula."""
    system = Formula(harness.toy_players(), **kwargs)
    system.formula = formula
    return system


def pictures(rows=6, size=28, channels=1, seed=0):
    """Draws a batch of real pictures and fakes."""
    draw = np.random.default_rng(seed)
    shape = (rows, size, size, channels)
    real, fakes = draw.uniform(-1, 1, (2, *shape)).astype("float32")
    return {"image": tf.constant(real), "fakes": tf.constant(fakes)}


def small(**kwargs):
    """Builds the recipe's networks at toy width."""
    return {
        "generator": networks.wgan_gp.generator(width=4, noise_dim=5),
        "discriminator": networks.wgan_gp.discriminator(width=4),
    }


class PenaltyTest(tf.test.TestCase, parameterized.TestCase):
    """How far the slope's length is from 1, and where it is looked at."""

    @parameterized.parameters(1.0, 0.5, 3.0, -1.0, -2.0)
    def test_critic_of_even_slope_k_costs_k_minus_one_squared(self, k):
        system = system_of(lambda x: k * tf.reduce_sum(x, (1, 2, 3)) / 28.0)
        found = system.penalty(pictures(), "judge 0")
        self.assertAllClose(found, (abs(k) - 1.0) ** 2, atol=1e-6)

    def test_each_picture_has_its_own_length(self):
        # Slope of sum(x^2) / 2 is x itself: as long as what was looked at.
        system = system_of(lambda x: tf.reduce_sum(x**2, (1, 2, 3)) / 2.0)
        found = system.penalty(pictures(), "judge 0")
        lengths = [
            np.sqrt(sum(float(number) ** 2 for number in row.ravel()))
            for row in np.float64(system.seen["judge 0 between"])
        ]
        expected = harness.mean((length - 1.0) ** 2 for length in lengths)
        self.assertAllClose(found, expected, rtol=1e-5)

    @parameterized.parameters("uniform", "normal")
    def test_one_share_a_picture_as_it_is_named(self, alpha):
        system = system_of(lambda x: tf.reduce_sum(x, (1, 2, 3)), alpha=alpha)
        batch = pictures(rows=400, size=2)
        system.penalty(batch, "judge 1")
        real, fakes = batch["image"], batch["fakes"]
        between = system.seen["judge 1 between"]
        shares = np.float64(between - real) / np.float64(fakes - real)
        shares = shares.reshape(400, 4)
        one = np.median(shares, axis=1)
        # Where real and fake are near, float32 leaves few digits.
        self.assertAllClose(shares, np.repeat(one[:, None], 4, 1), atol=1e-2)
        mean, deviation = (0.5, 12**-0.5) if alpha == "uniform" else (0.0, 1.0)
        self.assertNear(one.mean(), mean, 3 * deviation / 20)
        self.assertNear(one.std(), deviation, 0.1 * deviation)
        self.assertEqual(bool(one.max() > 1.001), alpha == "normal")

    def test_recipe_weighs_it_by_ten(self):
        weights = systems.WGANGP(harness.toy_players()).loss_weights
        used = {term: weight for term, weight in weights.items() if weight}
        self.assertEqual(used, dict(real=1, fake=1, fool=1, penalty=10))

    def test_weight_zero_leaves_it_out(self):
        system = system_of(
            lambda x: tf.reduce_sum(x, (1, 2, 3)),
            loss_weights={"penalty": 0.0},
        )
        terms = system.judge(pictures(), "judge 0")
        self.assertEqual(set(terms), {"real", "fake"})

    def test_other_shares_are_refused(self):
        with self.assertRaisesRegex(ValueError, "alpha is 'beta'; allowed: 'u"):
            systems.WGANGP(harness.toy_players(), alpha="beta")

    def test_mixed_pair_keeps_its_sentence(self):
        system = systems.WGANGP(harness.toy_players())
        batch = tf.nest.map_structure(tf.constant, harness.toy_batch())
        heard, scores = [], system.scores

        def watched(pictures, sentences, salt):
            heard.append(sentences)
            return scores(pictures, sentences, salt)

        with mock.patch.object(system, "scores", watched):
            system.penalty({**batch, "fakes": -batch["image"]}, "judge 0")
        self.assertAllEqual(heard, [batch["sentence"]])


class MovesTest(tf.test.TestCase):
    """The Keras recipe's order: three, then one."""

    def played(self, **kwargs):
        """Plays a move on its networks; says what the critic was shown."""
        system = systems.WGANGP(small(), **kwargs)
        system.compile(harness.sgd(system.players, 1e-3), run_eagerly=True)
        shown, run = [], system.run

        def watched(part, inputs):
            if part is system.players["discriminator"]:
                shown.append(inputs)
            return run(part, inputs)

        with mock.patch.object(system, "run", watched):
            system.train_step({"image": pictures()["image"]})
        return system, shown

    def test_critic_moves_three_times_and_the_generator_once(self):
        system, shown = self.played()
        made = {n: int(o.iterations) for n, o in system.optimizers.items()}
        self.assertEqual(made, {"discriminator": 3, "generator": 1})
        self.assertLen(shown, 3 * 3 + 1)  # real, fake, between; fool
        self.assertEqual(system.batches_per_move, 1)

    def test_critic_sees_the_same_pictures_beside_new_fakes(self):
        _, shown = self.played()
        real = [shown[call]["image"] for call in (0, 3, 6)]
        self.assertAllEqual(real[0], pictures()["image"])
        self.assertAllEqual(real[1], real[0])
        self.assertAllEqual(real[2], real[0])
        for first, second in ((1, 4), (4, 7), (7, 9), (2, 5)):
            gap = shown[first]["image"] - shown[second]["image"]
            self.assertGreater(np.abs(gap).max(axis=(1, 2, 3)).min(), 1e-4)

    def test_every_pass_has_masks_of_its_own(self):
        _, shown = self.played()
        masks = [np.array(inputs["dropout_1"]) for inputs in shown]
        for one in range(len(masks)):
            self.assertAllInRange(masks[one], 0.0, 1.0)
            for other in range(one):
                self.assertNotAllClose(masks[one], masks[other])

    def test_fresh_moves_share_a_larger_batch_out(self):
        system, shown = self.played(is_fresh=True)
        self.assertEqual(system.batches_per_move, 3)
        image = pictures()["image"]
        for number, call in enumerate((0, 3, 6)):
            self.assertAllEqual(shown[call]["image"], image[number::3])

    def test_generators_statistics_move_four_times_a_move(self):
        system, _ = self.played()
        calls = []
        norm = next(
            layer
            for layer in system.players["generator"].layers
            if hasattr(layer, "moving_variance")
        )
        move = norm._move
        with mock.patch.object(
            norm, "_move", lambda *args: calls.append(move(*args))
        ):
            system.train_step({"image": pictures()["image"]})
        self.assertLen(calls, 4)

    def test_generator_learns_nothing_while_the_critic_moves(self):
        system, _ = self.played()
        own = system.players["generator"].trainable_variables
        before = harness.snapshot(own)
        step, gaps = system.step, []

        def watched(player, gradients):
            gaps.append(harness.distance(before, harness.snapshot(own)))
            step(player, gradients)

        with mock.patch.object(system, "step", watched):
            system.train_step({"image": pictures()["image"]})
        self.assertEqual(gaps, [0.0] * 4)
        self.assertGreater(
            harness.distance(before, harness.snapshot(own)), 1e-7
        )

    def test_last_batch_may_be_shorter(self):
        system, _ = self.played()
        system.fit(
            tf.data.Dataset.from_tensor_slices(
                {"image": pictures(rows=5)["image"]}
            ).batch(3),
            verbose=0,
        )
        self.assertEqual(int(system.moves), 3)


class CriticTest(tf.test.TestCase):
    """Which critics can't play."""

    def test_critic_that_normalises_over_the_batch_is_refused(self):
        players = harness.toy_players(norm=keras.layers.BatchNormalization)
        with self.assertRaisesRegex(
            ValueError, "batch_normalization.* of the critic normalises over"
        ):
            systems.WGANGP(players)

    def test_mismatched_pairs_need_a_critic_that_reads(self):
        sizes = dict(image_size=8, channels=3, width=2)
        nets = networks.wgan_gp
        players = {
            "generator": nets.generator(**sizes, noise_dim=3),
            "discriminator": nets.discriminator(**sizes),
        }
        with self.assertRaisesRegex(ValueError, "weigh 0.5, but the critic re"):
            systems.WGANGP(players, mismatch_weight=0.5)


if __name__ == "__main__":
    tf.test.main()
