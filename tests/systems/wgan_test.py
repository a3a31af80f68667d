"""WGAN with clipped weights against slow arithmetic."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import layers, systems
from tests import harness

SCORES = {
    "real": [2.0, -0.5, 0.25, 1.5],
    "fake": [-2.0, 0.75, -0.125, 0.0],
    "wrong": [0.5, -1.0, 3.0, -0.25],
    "persuade": [-1.5, 0.5, -3.0, 2.5],
}


class Scripted(systems.WGAN):
    """Scores as it is told, by what the scores are for."""

    def scores(self, pictures, sentences, salt):
        *_, name = salt.split()
        self.seen = {**getattr(self, "seen", {}), name: (pictures, sentences)}
        return tf.constant(SCORES[name])


def batch_of(**kwargs):
    """Draws a toy batch as tensors."""
    return tf.nest.map_structure(tf.constant, harness.toy_batch(**kwargs))


def normalised():
    """Builds toys with batch statistics."""
    return harness.toy_players(norm=layers.BatchNorm)


def compiled(players, rate=0.05, **kwargs):
    """Makes a system that descends plainly and eagerly."""
    system = systems.WGAN(players, **kwargs)
    system.compile(harness.sgd(players, rate), run_eagerly=True)
    return system


class TermsTest(tf.test.TestCase, parameterized.TestCase):
    """What each player minimises."""

    @parameterized.parameters("wrong_image", "wrong_sentence")
    def test_critic_minimises_fake_minus_real_and_w_times_wrong(self, wrong):
        batch = batch_of(rows=4, wrong=wrong)
        fakes = tf.zeros_like(batch["image"])
        system = Scripted(harness.toy_players(), mismatch_weight=0.25)
        terms = system.judge({**batch, "fakes": fakes}, salt="judge 0")
        total = sum(system.loss_weights[t] * x for t, x in terms.items())
        real, fake, mismatched = (
            harness.mean(SCORES[name]) for name in ("real", "fake", "wrong")
        )
        self.assertAllClose(total, fake - real + 0.25 * mismatched)
        image, sentence = batch["image"], batch["sentence"]
        pairs = {
            "real": (image, sentence),
            "fake": (fakes, sentence),
            "wrong": {
                "wrong_image": (batch.get(wrong), sentence),
                "wrong_sentence": (image, batch.get(wrong)),
            }[wrong],
        }
        for name, pair in pairs.items():
            for seen, expected in zip(system.seen[name], pair, strict=True):
                self.assertAllEqual(seen, expected)

    def test_mismatched_pairs_cost_nothing_unless_weighed(self):
        batch = batch_of(rows=4)
        system = Scripted(harness.toy_players())
        terms = system.judge({**batch, "fakes": batch["image"]}, "judge 0")
        self.assertEqual(set(terms), {"real", "fake"})

    def test_missing_mismatched_pair_gets_a_sentence(self):
        batch = batch_of(rows=4)
        system = Scripted(harness.toy_players(), mismatch_weight=1.0)
        with self.assertRaisesRegex(ValueError, "neither wrong_image nor"):
            system.judge({**batch, "fakes": batch["image"]}, "judge 0")

    def test_generator_minimises_minus_its_score(self):
        system = Scripted(harness.toy_players())
        terms = system.persuade(batch_of(rows=4))
        expected = -harness.mean(SCORES["persuade"])
        self.assertAllClose(terms, {"fool": expected})

    @parameterized.parameters(
        (dict(critic_moves=0), "critic_moves is 0"),
        (dict(clip=0.0), "clip is 0.0; allowed: above 0"),
        (dict(clip=-0.01), "clip is -0.01"),
        (dict(mismatch_weight=-1.0), "mismatch_weight is -1.0; allowed: 0"),
    )
    def test_arguments_out_of_range_are_refused(self, arguments, told):
        with self.assertRaisesRegex(ValueError, told):
            systems.WGAN(harness.toy_players(), **arguments)


class MovesTest(tf.test.TestCase, parameterized.TestCase):
    """Who moves, on what, and what is clipped."""

    def test_five_moves_and_a_hundredth_are_the_papers(self):
        system = systems.WGAN(harness.toy_players())
        self.assertEqual((system.critic_moves, system.clip), (5, 0.01))
        self.assertEqual(system.batches_per_move, 5)

    def test_each_critic_move_takes_fresh_rows_and_the_last_are_drawn_for(self):
        system = compiled(harness.toy_players(), critic_moves=3)
        batch = harness.toy_batch(rows=12)
        judged, persuaded = [], []
        judge, persuade = system.judge, system.persuade

        def watched(batch, salt):
            judged.append(batch)
            return judge(batch, salt)

        def watched_too(batch):
            persuaded.append(batch)
            return persuade(batch)

        with (
            mock.patch.object(system, "judge", watched),
            mock.patch.object(system, "persuade", watched_too),
        ):
            system.train_step(batch_of(rows=12))
        self.assertLen(judged, 3)
        rows = np.concatenate([part["image"] for part in judged])
        order = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
        self.assertAllEqual(rows, batch["image"][order])
        (last,) = persuaded
        self.assertAllEqual(last["sentence"], judged[-1]["sentence"])
        for one, other in ((0, 1), (1, 2)):
            gap = judged[one]["fakes"] - judged[other]["fakes"]
            self.assertGreater(np.abs(gap).min(axis=(1, 2, 3)).max(), 1e-6)

    def test_optimizers_count_the_moves_of_each(self):
        system = compiled(harness.toy_players())
        system.fit(harness.toy_batches(2, rows=10), verbose=0)
        made = {
            name: int(optimizer.iterations)
            for name, optimizer in system.optimizers.items()
        }
        self.assertEqual(made, {"discriminator": 10, "generator": 2})

    def test_losses_of_players_are_their_weighted_sums(self):
        system = compiled(harness.toy_players(), mismatch_weight=0.5)
        terms = dict(real=1.0, wrong=2.0, fake=4.0, fool=8.0)
        self.assertEqual(system.losses_of(terms), {})
        batches = harness.toy_batches(1, rows=10, wrong="wrong_image")
        system.fit(batches, verbose=0)
        self.assertEqual(
            system.losses_of(terms), {"discriminator": 6.0, "generator": 8.0}
        )

    def test_rows_that_the_moves_cannot_share_are_refused(self):
        system = compiled(harness.toy_players(), critic_moves=3)
        with self.assertRaisesRegex(ValueError, "3 moves of a player can't"):
            system.train_step(batch_of(rows=8))

    def test_clipping_touches_every_weight_of_the_critic_and_no_other(self):
        players = normalised()
        for player in players.values():
            for variable in player.trainable_variables:
                variable.assign(tf.fill(variable.shape, 3.0))
        system = compiled(players, rate=0.0, clip=0.5, critic_moves=1)
        system.train_step(batch_of(rows=4))
        critic = players["discriminator"]
        self.assertNotEmpty(
            [v for v in critic.trainable_variables if "gamma" in v.path]
        )
        for variable in critic.trainable_variables:
            self.assertAllInRange(variable, -0.5, 0.5)
            self.assertNear(np.abs(variable).max(), 0.5, 1e-6, variable.path)
        variances = [
            v for v in critic.non_trainable_variables if "variance" in v.path
        ]
        self.assertGreater(np.max(variances[0]), 0.5)
        for variable in players["generator"].trainable_variables:
            self.assertGreater(np.max(variable), 1.0, variable.path)

    def test_judging_clips_nothing(self):
        players = harness.toy_players()
        for variable in players["discriminator"].trainable_variables:
            variable.assign(tf.ones(variable.shape))
        system = compiled(players, critic_moves=1)
        system.evaluate(harness.toy_batches(1, rows=4), verbose=0)
        for variable in players["discriminator"].trainable_variables:
            self.assertAllEqual(variable, tf.ones(variable.shape))


class LinearMoveTest(tf.test.TestCase):
    """Two whole moves between linear players, followed in float64."""

    RATE, CLIP, MOVES = 0.3, 0.2, 2

    def players(self):
        noise = keras.Input((2,), name="noise")
        drawn = keras.layers.Dense(3)(noise)
        image = keras.Input((1, 1, 3), name="image")
        score = keras.layers.Dense(1)(keras.layers.Flatten()(image))
        players = {
            "generator": keras.Model(
                {"noise": noise},
                {"image": keras.layers.Reshape((1, 1, 3))(drawn)},
            ),
            "discriminator": keras.Model(
                {"image": image}, {"alone": keras.layers.Reshape(())(score)}
            ),
        }
        draw = np.random.default_rng(5)
        for player in players.values():
            shapes = [w.shape for w in player.get_weights()]
            player.set_weights([draw.normal(size=s) for s in shapes])
        return players

    def test_two_moves_follow_the_algorithm(self):
        players = self.players()
        system = systems.WGAN(
            players, critic_moves=self.MOVES, clip=self.CLIP, seed=11
        )
        system.compile(harness.sgd(players, self.RATE))
        matrix, bias, vector, constant = (
            np.float64(w)
            for name in ("generator", "discriminator")
            for w in players[name].get_weights()
        )
        draw = np.random.default_rng(0)
        images = draw.normal(size=(2, 6, 1, 1, 3)).astype("float32")
        for move, rows in enumerate(np.float64(images.reshape(2, 6, 3))):
            system.moves.assign(move)
            for number in range(self.MOVES):
                noise = np.float64(system.noise(f"judge {number}", 3, 2))
                fakes = noise @ matrix + bias
                real = rows[number :: self.MOVES]
                # d (mean fake - mean real) / d vector; the constant has none.
                slope = sum(fakes) / 3 - sum(real) / 3
                vector[:, 0] -= self.RATE * slope
                vector = np.clip(vector, -self.CLIP, self.CLIP)
                constant = np.clip(constant, -self.CLIP, self.CLIP)
            noise = np.float64(system.noise("persuade", 3, 2))
            matrix += self.RATE * np.outer(sum(noise) / 3, vector[:, 0])
            bias += self.RATE * vector[:, 0]
        system.moves.assign(0)
        data = tf.data.Dataset.from_tensor_slices({"image": images})
        system.fit(data, verbose=0)
        for name, expected in (
            ("generator", (matrix, bias)),
            ("discriminator", (vector, constant)),
        ):
            for found, wanted in zip(
                players[name].get_weights(), expected, strict=True
            ):
                self.assertAllClose(found, wanted, atol=2e-6)


if __name__ == "__main__":
    tf.test.main()
