"""DF-GAN's move against slow arithmetic and a replay in plain TensorFlow."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from keras_t2i.losses import adversarial
from tests import harness

SCORES = {
    "real": [2.0, -0.5, 0.25, 1.5],
    "wrong": [0.5, -1.0, 3.0, -0.25],
    "fake": [-2.0, 0.75, -0.125, 0.0],
    "fool": [-1.5, 0.5, -3.0, 2.5],
}


class Scripted(systems.DFGAN):
    """Scores as it is told, whatever it sees."""

    def features(self, pictures):
        return pictures

    def script(self, *names):
        self.answers = [tf.constant(SCORES[name]) for name in names]
        self.seen = []

    def score(self, features, sentences):
        self.seen.append((features, sentences))
        return self.answers.pop(0)


def scripted(*names, **kwargs):
    """Makes a DF-GAN that scores by script, which has no slope."""
    weights = {"penalty": 0.0}
    system = Scripted(harness.toy_players(), loss_weights=weights, **kwargs)
    system.script(*names)
    return system


class RefusedTest(tf.test.TestCase):
    """One row has no neighbour."""

    def test_batch_of_one_has_no_mismatched_pair(self):
        system = systems.DFGAN(harness.toy_players())
        one = tf.zeros((1, harness.TEXT))
        with self.assertRaisesRegex(ValueError, "of one row has no mismatched"):
            system.neighbours(one)
        unknown = tf.function(
            system.neighbours,
            input_signature=[tf.TensorSpec((None, harness.TEXT))],
        )
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "of one row has no mismatched"
        ):
            unknown(one)
        system = systems.DFGAN(harness.toy_players(), loss_weights={"wrong": 0})
        self.assertAllEqual(system.neighbours(one), one)


class Formula(systems.DFGAN):
    """Judges by a formula that float64 can follow."""

    PICTURE = np.linspace(-0.3, 0.4, 16 * 16 * 3).reshape(16, 16, 3)
    SENTENCE = np.linspace(0.5, -0.7, harness.TEXT)

    def features(self, pictures):
        mixed = tf.reduce_sum(pictures * self.PICTURE, (1, 2, 3))
        return tf.tanh(mixed) + 0.1 * mixed

    def score(self, features, sentences):
        return features * tf.reduce_sum(sentences**2 * self.SENTENCE, 1)

    @classmethod
    def exact(cls, picture, sentence):
        mixed = np.sum(picture * cls.PICTURE)
        heard = np.sum(sentence**2 * cls.SENTENCE)
        return (np.tanh(mixed) + 0.1 * mixed) * heard


def batch_of(rows=4, seed=0):
    """Draws a toy batch as tensors."""
    batch = harness.toy_batch(rows=rows, seed=seed)
    return tf.nest.map_structure(tf.constant, batch)


def shown(system, batch, fakes):
    """Adds what a move adds before the discriminator judges."""
    wrong = system.neighbours(batch["sentence"])
    return {**batch, "fakes": fakes, "wrong_sentence": wrong}


def pairs(first, second):
    """Lists which row of one stands beside which row of the other."""
    rows = zip(np.array(first), np.array(second), strict=True)
    return {(a.tobytes(), b.tobytes()) for a, b in rows}


class TermsTest(tf.test.TestCase, parameterized.TestCase):
    """What each player minimises."""

    def test_discriminator_plays_hinge_with_half_of_each_wrong_pair(self):
        batch = batch_of()
        system = scripted("real", "wrong", "fake")
        fakes = tf.zeros_like(batch["image"])
        terms = system.judge(shown(system, batch, fakes))
        for term, sign in (("real", -1), ("wrong", 1), ("fake", 1)):
            margins = [max(0.0, 1.0 + sign * x) for x in SCORES[term]]
            self.assertAllClose(terms[term], harness.mean(margins))
        total = sum(system.loss_weights[t] * x for t, x in terms.items())
        wrong, fake = (float(terms[t]) for t in ("wrong", "fake"))
        expected = float(terms["real"]) + (wrong + fake) / 2
        self.assertAllClose(total, expected)

        image, sentence = batch["image"], batch["sentence"]
        beside = system.neighbours(sentence)
        asked = [(image, sentence), (image, beside), (fakes, sentence)]
        for seen, pair in zip(system.seen, asked, strict=True):
            for ours, theirs in zip(seen, pair, strict=True):
                self.assertAllEqual(ours, theirs)

    def test_generator_raises_its_score(self):
        batch = batch_of()
        system = scripted("fool")
        fakes = tf.zeros_like(batch["image"])
        terms = system.persuade({**batch, "fakes": fakes, "latent": None})
        self.assertEqual(set(terms), {"fool"})
        expected = -harness.mean(SCORES["fool"])
        self.assertAllClose(terms["fool"], expected)
        ((image, sentence),) = system.seen
        self.assertAllEqual(image, fakes)
        self.assertAllEqual(sentence, batch["sentence"])

    def test_another_game_can_be_played(self):
        batch = batch_of()
        system = scripted("real", "wrong", "fake", game=adversarial.bce())
        terms = system.judge(shown(system, batch, batch["image"]))
        for term, target in (("real", 1), ("wrong", 0), ("fake", 0)):
            expected = harness.mean(
                harness.cross_entropy(x, target) for x in SCORES[term]
            )
            self.assertAllClose(terms[term], expected, rtol=1e-6)

    def test_penalty_weighs_two_by_default(self):
        system = systems.DFGAN(harness.toy_players())
        expected = dict(real=1, wrong=0.5, fake=0.5, penalty=2, fool=1)
        weights = system.loss_weights
        self.assertEqual({t: w for t, w in weights.items() if w}, expected)


class PenaltyTest(tf.test.TestCase):
    """The slope at real pairs, by pictures and sentences together."""

    def test_equals_finite_differences(self):
        system, batch = Formula(harness.toy_players()), batch_of(rows=3)
        found = system.judge(shown(system, batch, batch["image"]))["penalty"]
        powers = []
        for row in range(3):
            picture = np.float64(batch["image"][row])
            sentence = np.float64(batch["sentence"][row])
            squares = 0.0
            for values in (picture, sentence):
                for place in np.ndindex(values.shape):
                    kept = values[place]
                    values[place] = kept + 1e-5
                    higher = Formula.exact(picture, sentence)
                    values[place] = kept - 1e-5
                    lower = Formula.exact(picture, sentence)
                    values[place] = kept
                    squares += ((higher - lower) / 2e-5) ** 2
            powers.append(squares**3)
        self.assertAllClose(found, harness.mean(powers), rtol=1e-4)

    def test_without_weight_it_is_neither_computed_nor_logged(self):
        system = systems.DFGAN(
            harness.toy_players(), loss_weights={"penalty": 0.0}
        )
        system.compile(harness.sgd(system.players))
        batch = shown(system, batch_of(), batch_of()["image"])
        self.assertNotIn("penalty", system.judge(batch))
        history = system.fit(harness.toy_batches(1), verbose=0).history
        self.assertEqual(set(history), {"real", "wrong", "fake", "fool"})

    def test_pairs_without_weight_are_not_scored(self):
        for left in (["wrong"], ["fake"], ["wrong", "fake"]):
            self.examine_without(left)

    def examine_without(self, left):
        """Scores without some terms."""
        weights = dict.fromkeys(left, 0.0)
        system = systems.DFGAN(harness.toy_players(), loss_weights=weights)
        calls, run = [], system.run

        def counted(part, inputs):
            calls.append(part.name)
            return run(part, inputs)

        system.run = counted
        terms = system.judge(shown(system, batch_of(), batch_of()["image"]))
        self.assertEqual(
            set(terms), {"real", "wrong", "fake", "penalty"} - set(left)
        )
        heads = 1 + ("wrong" not in left) + ("fake" not in left)
        self.assertEqual(calls.count("head"), heads)
        self.assertEqual(calls.count("trunk"), 1 + ("fake" not in left))

    def test_shares_the_forward_pass_of_the_real_pairs(self):
        system, calls = systems.DFGAN(harness.toy_players()), []
        run = system.run

        def counted(part, inputs):
            calls.append(part.name)
            return run(part, inputs)

        system.run = counted
        system.judge(shown(system, batch_of(), batch_of()["image"]))
        self.assertEqual(calls, ["trunk", "head", "head", "trunk", "head"])


class NeighboursTest(tf.test.TestCase):
    """Mismatched pairs: the reference rolls features, we roll sentences."""

    def test_pairs_are_those_of_the_reference(self):
        batch = batch_of(rows=5)
        image, sentence = batch["image"], batch["sentence"]
        system = systems.DFGAN(harness.toy_players())
        ours = pairs(image, system.neighbours(sentence))
        theirs = pairs(tf.roll(image, -1, axis=0), sentence)
        self.assertEqual(ours, theirs)
        self.assertLen(ours, 5)
        self.assertEmpty(ours & pairs(image, sentence))

    def test_scores_are_those_of_the_reference(self):
        batch = batch_of(rows=5)
        system = systems.DFGAN(harness.toy_players())
        features = system.features(batch["image"])
        sentence = batch["sentence"]
        ours = system.score(features, system.neighbours(sentence))
        theirs = system.score(tf.roll(features, -1, axis=0), sentence)
        self.assertAllClose(np.sort(ours), np.sort(theirs), atol=1e-6)


class MoveTest(tf.test.TestCase, parameterized.TestCase):
    """One whole move beside the reference's order of play."""

    RATE = 0.05

    def replay(self, batch, latent):
        """Plays a move as the released code does; returns all weights."""
        players = harness.toy_players()
        generator, discriminator = (
            players[name] for name in ("generator", "discriminator")
        )
        trunk, head = (
            discriminator.get_layer(name) for name in ("trunk", "head")
        )
        image, sentence = batch["image"], batch["sentence"]
        drawn = {"noise": latent, "sentence": sentence}

        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch([image, sentence])
                features = trunk(image)
                real = head([features, sentence])
            slopes = inner.gradient(real, [image, sentence])
            joined = tf.concat([tf.reshape(s, (len(s), -1)) for s in slopes], 1)
            length = tf.sqrt(tf.reduce_sum(joined**2, axis=1))
            rolled = tf.roll(features, -1, axis=0)
            fakes = generator(drawn)["image"]
            loss = (
                tf.reduce_mean(tf.nn.relu(1 - real))
                + tf.reduce_mean(tf.nn.relu(1 + head([rolled, sentence]))) / 2
                + tf.reduce_mean(tf.nn.relu(1 + head([trunk(fakes), sentence])))
                / 2
                + 2 * tf.reduce_mean(length**6)
            )
        self.descend(tape, loss, discriminator)
        with tf.GradientTape() as tape:
            fakes = generator(drawn)["image"]
            loss = -tf.reduce_mean(head([trunk(fakes), sentence]))
        self.descend(tape, loss, generator)
        return self.learned(players)

    def descend(self, tape, loss, player):
        variables = player.trainable_variables
        slopes = tape.gradient(loss, [v.value for v in variables])
        for variable, slope in zip(variables, slopes, strict=True):
            variable.assign_sub(self.RATE * slope)

    def learned(self, players):
        return {
            name: harness.snapshot(player.trainable_variables)
            for name, player in players.items()
        }

    @parameterized.parameters(True, False)
    def test_equals_the_replay(self, eagerly):
        batch, latent = batch_of(), tf.random.stateless_normal((4, 5), (1, 2))
        system = systems.DFGAN(harness.toy_players())
        system.noise = lambda salt, rows, size: latent
        system.compile(
            harness.sgd(system.players, self.RATE), run_eagerly=eagerly
        )
        start = self.learned(system.players)
        system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
        found = self.learned(system.players)
        expected = self.replay(batch, latent)
        for name in ("discriminator", "generator"):
            gap = harness.distance(found[name], expected[name])
            self.assertLess(gap, 1e-6)
            way = harness.distance(found[name], start[name])
            self.assertGreater(way, 1e-3)

    def test_both_players_look_at_the_same_fakes(self):
        system, seen = systems.DFGAN(harness.toy_players()), {}
        system.compile(harness.sgd(system.players), run_eagerly=True)
        judge, persuade = system.judge, system.persuade

        def judged(batch):
            seen["discriminator"] = batch["fakes"]
            seen["before"] = self.learned(system.players)
            return judge(batch)

        def persuaded(batch):
            seen["generator"] = batch["fakes"]
            seen["after"] = self.learned(system.players)
            return persuade(batch)

        system.judge, system.persuade = judged, persuaded
        system.train_step(batch_of())
        self.assertAllEqual(seen["discriminator"], seen["generator"])
        before, after = seen["before"], seen["after"]
        name = "discriminator"
        self.assertGreater(harness.distance(before[name], after[name]), 1e-4)
        name = "generator"
        self.assertEqual(harness.distance(before[name], after[name]), 0.0)

    def test_each_move_draws_new_noise(self):
        system = systems.DFGAN(harness.toy_players())
        first = system.latent(batch_of()["sentence"], "fakes")
        system.moves.assign_add(1)
        second = system.latent(batch_of()["sentence"], "fakes")
        self.assertNotAllClose(first, second)


class SeekingTest(tf.test.TestCase):
    """Other noise, other pictures."""

    def test_equals_slow_arithmetic_on_two_draws(self):
        system = systems.DFGAN(
            harness.toy_players(), loss_weights={"seeking": 1.0}
        )
        batch = batch_of()
        sentence = batch["sentence"]
        latent = system.latent(sentence, "fakes")
        fakes = system.draw(sentence, latent)
        batch = {**batch, "fakes": fakes, "latent": latent}
        found = system.persuade(batch)["seeking"]
        other = system.latent(sentence, "seeking")
        others = system.draw(sentence, other)
        far, apart = (
            np.mean(np.abs(np.float64(a) - np.float64(b)))
            for a, b in ((fakes, others), (latent, other))
        )
        self.assertGreater(apart, 0.1)
        self.assertAllClose(found, 1.0 / (far / apart + 1e-5), rtol=1e-5)


if __name__ == "__main__":
    tf.test.main()
