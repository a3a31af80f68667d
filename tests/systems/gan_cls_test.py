"""GAN, GAN-CLS, GAN-INT, GAN-INT-CLS against slow arithmetic."""

import math

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from keras_t2i.losses import adversarial
from keras_t2i.systems import contrasts
from tests import harness

LOGITS = {
    "real": [2.0, -0.5, 0.25, 1.5],
    "wrong": [0.5, -1.0, 3.0, -0.25],
    "fake": [-2.0, 0.75, -0.125, 0.0],
    "fool": [-1.5, 0.5, -3.0, 2.5],
    "between": [-0.75, 1.25],
}


class Scripted(systems.GAN):
    """Scores as it is told, whatever it sees."""

    def features(self, pictures):
        return pictures

    def script(self, *names):
        self.answers = [tf.constant(LOGITS[name]) for name in names]
        self.seen = []

    def score(self, features, sentences):
        self.seen.append((features, sentences))
        return self.answers.pop(0)


def scripted(*names, **kwargs):
    """Makes a GAN that scores by script."""
    system = Scripted(harness.toy_players(), **kwargs)
    system.script(*names)
    return system


def batch_of(**kwargs):
    """Draws a toy batch as tensors."""
    return tf.nest.map_structure(tf.constant, harness.toy_batch(**kwargs))


def total(system, terms):
    """Sums weighed terms, as the slope does."""
    return sum(system.loss_weights[t] * float(x) for t, x in terms.items())


def entropies(name, target):
    """Measures a script's logits against one target, one by one."""
    return [harness.cross_entropy(x, target) for x in LOGITS[name]]


def halfway(system, batch):
    """Adds the sentences between sentences, as a move does."""
    return {**batch, "between": system.between(batch["sentence"])}


class JudgeTest(tf.test.TestCase, parameterized.TestCase):
    """What the discriminator minimises."""

    @parameterized.parameters("wrong_image", "wrong_sentence")
    def test_mismatched_and_fake_pairs_weigh_half(self, wrong):
        batch = batch_of(rows=4, wrong=wrong)
        system = scripted("real", "wrong", "fake", mismatch_weight=0.5)
        fakes = tf.zeros_like(batch["image"])
        terms = system.judge({**batch, "fakes": fakes})
        expected = harness.mean(entropies("real", 1))
        expected += 0.5 * harness.mean(entropies("wrong", 0))
        expected += 0.5 * harness.mean(entropies("fake", 0))
        self.assertAllClose(total(system, terms), expected, rtol=1e-6)
        image, sentence = batch["image"], batch["sentence"]
        pairs = [(image, sentence), (fakes, sentence)]
        swapped = {
            "wrong_image": (batch.get(wrong), sentence),
            "wrong_sentence": (image, batch.get(wrong)),
        }
        pairs.insert(1, swapped[wrong])
        for seen, pair in zip(system.seen, pairs, strict=True):
            self.assertAllEqual(seen[0], pair[0])
            self.assertAllEqual(seen[1], pair[1])

    def test_plain_gan_sees_no_mismatched_pairs(self):
        batch = batch_of(rows=4)
        system = scripted("real", "fake")
        terms = system.judge({**batch, "fakes": tf.zeros_like(batch["image"])})
        self.assertEqual(set(terms), {"real", "fake"})
        expected = harness.mean(entropies("real", 1))
        expected += harness.mean(entropies("fake", 0))
        self.assertAllClose(total(system, terms), expected, rtol=1e-6)

    def test_weights_of_the_other_code(self):
        # Real target 0.9; real, wrong and fake weigh 1 each.
        batch = batch_of(rows=4, wrong="wrong_image")
        system = scripted(
            "real",
            "wrong",
            "fake",
            game=adversarial.bce(real_target=0.9),
            loss_weights=dict(real=1.0, wrong=1.0, fake=1.0),
        )
        terms = system.judge({**batch, "fakes": tf.zeros_like(batch["image"])})
        expected = harness.mean(entropies("real", 0.9))
        expected += harness.mean(entropies("wrong", 0))
        expected += harness.mean(entropies("fake", 0))
        self.assertAllClose(total(system, terms), expected, rtol=1e-6)

    def test_batch_without_a_mismatched_pair_gets_a_sentence(self):
        batch = batch_of(rows=4)
        system = scripted("real", mismatch_weight=0.5)
        with self.assertRaisesRegex(
            ValueError, "neither wrong_image nor wrong_sentence.*mismatch="
        ):
            system.judge({**batch, "fakes": batch["image"]})


class PersuadeTest(tf.test.TestCase, parameterized.TestCase):
    """What the generator minimises."""

    @parameterized.parameters(False, True)
    def test_generator_wants_its_fakes_believed(self, saturating):
        game = adversarial.bce(saturating=saturating)
        system = scripted("fool", game=game)
        terms = system.persuade(batch_of(rows=4))
        expected = harness.mean(entropies("fool", 1))
        if saturating:
            expected = -harness.mean(entropies("fool", 0))
        self.assertEqual(set(terms), {"fool"})
        self.assertAllClose(total(system, terms), expected, rtol=1e-6)

    @parameterized.parameters(1.0, 0.25)
    def test_rows_between_weigh_v_in_a_batch_half_as_large_again(self, v):
        system = Scripted(harness.toy_players(), interpolation_weight=v)
        system.script("fool")
        system.answers = [tf.constant(LOGITS["fool"] + LOGITS["between"])]
        terms = system.persuade(halfway(system, batch_of(rows=4)))
        rows = entropies("fool", 1)
        rows += [v * x for x in entropies("between", 1)]
        self.assertAllClose(
            total(system, terms), math.fsum(rows) / 6, rtol=1e-6
        )

    @parameterized.parameters(0.5, 0.25)
    def test_row_k_goes_between_k_and_k_plus_half(self, beta):
        batch = batch_of(rows=6)
        system = scripted("real", interpolation_weight=1.0, beta=beta)
        system.answers = [tf.zeros(9)]
        system.persuade(halfway(system, batch))
        sentences = np.float64(batch["sentence"])
        expected = list(sentences)
        for k in range(3):
            mixed = beta * sentences[k] + (1 - beta) * sentences[k + 3]
            expected.append(mixed)
        _, seen = system.seen[0]
        self.assertAllClose(seen, expected, rtol=1e-6)

    def test_every_row_draws_with_noise_of_its_own(self):
        batch = batch_of(rows=4)
        batch["sentence"] = tf.ones_like(batch["sentence"])
        system = scripted(interpolation_weight=1.0)
        system.answers = [tf.zeros(6)]
        system.persuade(halfway(system, batch))
        fakes, _ = system.seen[0]
        for one in range(6):
            for other in range(one):
                gap = np.abs(fakes[one] - fakes[other]).max()
                self.assertGreater(gap, 1e-3)

    @parameterized.parameters(3, None)
    def test_drawing_between_needs_a_fixed_even_batch(self, rows):
        system = systems.GANINT(harness.toy_players())
        spec = tf.TensorSpec((rows, harness.TEXT), tf.float32)
        with self.assertRaisesRegex(ValueError, "a fixed, even one"):
            tf.function(system.between).get_concrete_function(spec)

    def test_report_terms_compare_fakes_with_real_pictures(self):
        batch = batch_of(rows=4)
        weights = {"matching": 100.0, "pixel": 50.0}
        system = scripted("fool", loss_weights=weights)
        terms = system.persuade(batch)
        fakes, _ = system.seen[0]
        fakes, real = np.float64(fakes), np.float64(batch["image"])
        gaps = [
            (harness.mean(a) - harness.mean(b)) ** 2
            for a, b in zip(
                fakes.reshape(4, -1).T, real.reshape(4, -1).T, strict=True
            )
        ]
        pixels = np.abs(fakes - real).ravel()
        expected = harness.mean(entropies("fool", 1))
        expected += 100 * harness.mean(gaps) + 50 * harness.mean(pixels)
        self.assertAllClose(total(system, terms), expected, rtol=1e-5)


class WeightsTest(tf.test.TestCase, parameterized.TestCase):
    """The four variants are one game with two weights."""

    @parameterized.named_parameters(
        ("GAN", systems.GAN, 0.0, 1.0, 1.0, 0.0),
        ("GANCLS", systems.GANCLS, 0.5, 0.5, 1.0, 0.0),
        ("GANINT", systems.GANINT, 0.0, 1.0, 2 / 3, 1 / 3),
        ("GANINTCLS", systems.GANINTCLS, 0.5, 0.5, 2 / 3, 1 / 3),
    )
    def test_weights_are_the_papers(self, system, wrong, fake, fool, between):
        found = system(harness.toy_players()).loss_weights
        self.assertAllClose(
            found,
            dict(
                real=1.0,
                wrong=wrong,
                fake=fake,
                fool=fool,
                between=between,
                **dict.fromkeys(("matching", "pixel"), 0.0),
                **dict.fromkeys(contrasts.TERMS, 0.0),
            ),
        )

    @parameterized.parameters(
        dict(mismatch_weight=1.5), dict(mismatch_weight=-0.1), dict(beta=2.0)
    )
    def test_shares_beyond_one_are_refused(self, **kwargs):
        with self.assertRaisesRegex(ValueError, r"allowed: \[0, 1\]"):
            systems.GAN(harness.toy_players(), **kwargs)


class LinearMoveTest(tf.test.TestCase):
    """Two whole moves between linear players, followed in float64."""

    RATE = 0.3

    def players(self):
        draw = np.random.default_rng(5)
        noise = keras.Input((2,), name="noise")
        sentence = keras.Input((3,), name="sentence")
        both = keras.layers.Concatenate()([noise, sentence])
        flat = keras.layers.Dense(3, name="draw")(both)
        image = keras.layers.Reshape((1, 1, 3))(flat)
        generator = keras.Model(
            {"noise": noise, "sentence": sentence}, {"image": image}
        )
        image = keras.Input((1, 1, 3), name="image")
        trunk = keras.Model(image, keras.layers.Flatten()(image), name="trunk")
        features = keras.Input((3,), name="features")
        sentence = keras.Input((3,), name="sentence")
        x = keras.layers.Concatenate()([features, sentence])
        x = keras.layers.Reshape(())(keras.layers.Dense(1)(x))
        head = keras.Model([features, sentence], x, name="head")
        image = keras.Input((1, 1, 3), name="image")
        sentence = keras.Input((3,), name="sentence")
        discriminator = keras.Model(
            {"image": image, "sentence": sentence},
            {"matched": head([trunk(image), sentence])},
        )
        for player in (generator, discriminator):
            shapes = [w.shape for w in player.get_weights()]
            player.set_weights([draw.normal(size=s) for s in shapes])
        return {"generator": generator, "discriminator": discriminator}

    def batch(self, seed):
        draw = np.random.default_rng(seed)

        def rows(*shape):
            return draw.normal(size=shape).astype("float32")

        return {
            "image": rows(4, 1, 1, 3),
            "sentence": rows(4, 3),
            "wrong_sentence": rows(4, 3),
        }

    def test_two_moves_follow_the_algorithm(self):
        system = systems.GANCLS(self.players(), seed=11)
        system.compile(harness.sgd(system.players, self.RATE))
        weights = {
            name: [np.float64(w) for w in player.get_weights()]
            for name, player in system.players.items()
        }
        batches = [self.batch(seed) for seed in (0, 1)]
        for move, batch in enumerate(batches):
            system.moves.assign(move)
            draws = [system.noise(s, 4, 2) for s in ("judge", "persuade")]
            _follow(weights, batch, *np.float64(draws), self.RATE)
        system.moves.assign(0)
        together = {k: np.stack([b[k] for b in batches]) for k in batches[0]}
        data = tf.data.Dataset.from_tensor_slices(together)
        system.fit(data, verbose=0, shuffle=False)
        for name, player in system.players.items():
            for found, expected in zip(
                player.get_weights(), weights[name], strict=True
            ):
                self.assertAllClose(found, expected, atol=2e-6)


def _follow(weights, batch, judged, persuaded, rate):
    """Makes one move of GAN-CLS with slopes derived on paper.

    With score s = v . [image, sentence] + c, the slope of a term with target
    t is (sigmoid(s) - t) / B times [image, sentence], and 1 for c; the
    generator's image M [noise, sentence] + b gets v[:3] times that factor.
    """
    matrix, bias = weights["generator"]
    vector, constant = weights["discriminator"]
    image = np.float64(batch["image"]).reshape(4, 3)
    sentence, wrong = batch["sentence"], batch["wrong_sentence"]
    fakes = np.concatenate([judged, sentence], 1) @ matrix + bias
    slope_v, slope_c = np.zeros_like(vector), np.zeros_like(constant)
    for pictures, words, target, weight in (
        (image, sentence, 1.0, 1.0),
        (image, wrong, 0.0, 0.5),
        (fakes, sentence, 0.0, 0.5),
    ):
        for picture, word in zip(pictures, words, strict=True):
            seen = np.concatenate([picture, word])
            score = seen @ vector[:, 0] + constant[0]
            factor = weight * (1 / (1 + np.exp(-score)) - target) / 4
            slope_v[:, 0] += factor * seen
            slope_c += factor
    vector -= rate * slope_v
    constant -= rate * slope_c
    slope_m, slope_b = np.zeros_like(matrix), np.zeros_like(bias)
    for row in range(4):
        inputs = np.concatenate([persuaded[row], sentence[row]])
        fake = inputs @ matrix + bias
        seen = np.concatenate([fake, sentence[row]])
        score = seen @ vector[:, 0] + constant[0]
        pull = (1 / (1 + np.exp(-score)) - 1.0) / 4 * vector[:3, 0]
        slope_m += np.outer(inputs, pull)
        slope_b += pull
    matrix -= rate * slope_m
    bias -= rate * slope_b


if __name__ == "__main__":
    tf.test.main()
