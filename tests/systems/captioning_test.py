"""Captioners learn words: their one term, on replicas, in compiled parts."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from keras_t2i.encoders import captioner
from tests import harness
from tests.systems import slow

harness.two_processors()

ROWS, LENGTH, SIZE, SEEN = 8, 5, 6, 4
#: Words of each caption; a replica's share has twice the other's.
LENGTHS = np.array([5, 4, 5, 4, 1, 2, 0, 3])


def plain(seed=0):
    """Builds a player without norms or memory: it knows the word before."""
    keras.utils.set_random_seed(seed)
    pooled = keras.Input((SEEN,), name="pooled")
    ids = keras.Input((LENGTH,), dtype="int32", name="ids")
    before = keras.ops.pad(ids[:, :-1], ((0, 0), (1, 0)))
    x = keras.layers.Embedding(SIZE, 3, name="embedding")(before)
    x = x + keras.layers.Dense(3, name="picture")(pooled)[:, None]
    x = keras.layers.Dense(SIZE, name="tell")(keras.ops.tanh(x))
    return keras.Model({"pooled": pooled, "ids": ids}, {"scores": x})


def decoder(seed=0, **options):
    """Builds the captioners' own decoder, small."""
    keras.utils.set_random_seed(seed)
    return captioner.decoder(SIZE, SEEN, embedding=6, width=8, **options)


def drawn(seed=0):
    """Draws what a captioner reads: key -> array."""
    draw = np.random.default_rng(seed)
    words = draw.integers(1, SIZE, (ROWS, LENGTH), "int32")
    return {
        "pooled": draw.normal(size=(ROWS, SEEN)).astype("float32"),
        "regions": draw.normal(size=(ROWS, 2, 2, 3)).astype("float32"),
        "caption": words * (np.arange(LENGTH) < LENGTHS[:, None]),
    }


def batches(moves=1):
    """Repeats the batch."""
    return tf.data.Dataset.from_tensors(drawn()).repeat(moves)


def played(make, optimizer=None, replicas=1, moves=3, **options):
    """Plays some moves.

    Returns:
        The system and its losses, move by move.
    """
    with harness.strategy(replicas).scope():
        system = systems.Captioning({"captioner": make()})
        optimizer = optimizer or keras.optimizers.SGD(0.1)
        system.compile({"captioner": optimizer}, **options)
    told = system.fit(
        batches(moves), epochs=moves, steps_per_epoch=1, verbose=0
    )
    return system, told.history["captioning"]


def expected(player, batch):
    """Averages what each word and each end costs, one after the other."""
    read = {"pooled": batch["pooled"], "ids": batch["caption"]}
    scores, losses = np.float64(player(read)["scores"]), []
    for told, ids in zip(scores, batch["caption"], strict=True):
        for line, word in zip(told, ids, strict=True):
            losses.append(-np.log(slow.shares(line)[word]))
            if word == 0:
                break
    return harness.mean(losses)


class TermTest(tf.test.TestCase, parameterized.TestCase):
    """What is minimised."""

    def test_is_the_mean_over_words_and_ends(self):
        player, batch = plain(), drawn()
        system = systems.Captioning({"captioner": player})
        found = system.tell(batch)
        self.assertEqual(set(found), {"captioning"})
        value = expected(player, batch)
        self.assertAllClose(found["captioning"], value, rtol=1e-5)

    def test_player_is_given_what_it_asks_for(self):
        for options in (dict(), dict(regions_dim=3)):
            player, batch = decoder(**options), drawn()
            system = systems.Captioning({"captioner": player})
            before = float(system.tell(batch)["captioning"])
            batch["regions"] = -batch["regions"]
            after = float(system.tell(batch)["captioning"])
            self.assertEqual(after != before, "regions" in player.input)

    def test_system_has_one_term_of_one_player(self):
        system, _ = played(plain)
        self.assertEqual(system.TERMS, ("captioning",))
        self.assertEqual(system.loss_weights, {"captioning": 1.0})
        self.assertEqual(system.owner("captioning"), "captioner")
        self.assertEqual(int(system.moves.numpy()), 3)

    def test_captioner_that_is_to_learn_nothing_is_refused(self):
        with self.assertRaisesRegex(
            ValueError, "captioning weighs 0, and the captioner learns by noth"
        ):
            systems.Captioning(
                {"captioner": plain()}, loss_weights={"captioning": 0.0}
            )

    def test_looking_on_moves_nothing(self):
        system, _ = played(decoder)
        before = harness.snapshot(system.players["captioner"].weights)
        system.evaluate(batches(), verbose=0)
        after = harness.snapshot(system.players["captioner"].weights)
        self.assertEqual(harness.distance(after, before), 0.0)

    @parameterized.parameters(
        (("generator",), r"players are \['generator'\]; allowed: captioner."),
        ((), r"players are \[\]; allowed: captioner."),
        (("captioner", "judge"), r"\['captioner', 'judge'\]; allowed: capt"),
    )
    def test_other_players_are_refused(self, names, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            systems.Captioning({name: plain() for name in names})


class LearningTest(tf.test.TestCase, parameterized.TestCase):
    """Captioners get better at it."""

    @parameterized.named_parameters(
        ("float32", {}, "float32"),
        ("bfloat16", {}, "mixed_bfloat16"),
        ("float16", {}, "mixed_float16"),
        ("looking", dict(regions_dim=3), "float32"),
    )
    def test_loss_falls(self, options, policy):
        keras.config.set_dtype_policy(policy)
        try:
            player = decoder(**options)
        finally:
            keras.config.set_dtype_policy("float32")
        adam = keras.optimizers.Adam(0.03)
        _, losses = played(lambda: player, adam, moves=30)
        self.assertLess(losses[-1], 0.5 * losses[0])
        self.assertNear(losses[0], np.log(SIZE), 0.5)

    def test_who_sees_tells_more_than_who_is_shown_blank_pictures(self):
        draw = np.random.default_rng(0)
        kinds = draw.integers(0, 3, 64)
        images = np.eye(3)[kinds][:, None, None] * np.ones((64, 8, 8, 1))
        images = 2.0 * images - 1.0 + 0.1 * draw.normal(size=images.shape)
        told = np.array([[1, 3, 0], [2, 3, 0], [1, 4, 5]], "int32")[kinds]
        batch = {"image": images.astype("float32"), "caption": told}
        keras.utils.set_random_seed(0)
        player = captioner.over(
            harness.toy_trunk(),
            captioner.decoder(SIZE, 7, embedding=6, width=8),
            size=8,
        )
        system = systems.Captioning({"captioner": player})
        system.compile({"captioner": keras.optimizers.Adam(0.02)})
        moves = tf.data.Dataset.from_tensors(batch).repeat(60)
        system.fit(moves, verbose=0)
        # Its norm has not followed the pictures yet.
        norm = player.get_layer("decoder").get_layer("picture_norm")
        norm.momentum = 1.0
        read = {"image": batch["image"], "ids": told}
        player(read, training=True)
        blank = {**batch, "image": np.zeros_like(batch["image"])}
        system.is_moving = False
        seeing, blind = (
            float(system.tell(each)["captioning"]) for each in (batch, blank)
        )
        self.assertLess(seeing, 0.1)
        self.assertGreater(blind, 0.3)

    def test_frozen_network_stands_still(self):
        keras.utils.set_random_seed(0)
        trunk = harness.toy_trunk()
        player = captioner.over(
            trunk, captioner.decoder(SIZE, 7, embedding=3, width=4), size=8
        )
        before = {v.path: np.array(v) for v in player.weights}
        system = systems.Captioning({"captioner": player})
        system.compile(harness.sgd(system.players))
        batch = drawn() | {"image": harness.toy_batch(size=8)["image"]}
        system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
        still = {v.path for v in player.get_layer("eyes").weights}
        self.assertNotEmpty(still)
        for variable in player.weights:
            is_moved = not np.array_equal(variable, before[variable.path])
            is_bias = variable.path.endswith("picture/bias")  # A norm follows.
            if not is_bias:
                is_still = variable.path in still
                self.assertEqual(is_moved, not is_still, variable.path)


class SameTest(tf.test.TestCase, parameterized.TestCase):
    """However it is played, the moves are the same."""

    def assert_same(self, ours, theirs):
        (one, losses), (other, expected) = ours, theirs
        self.assertAllClose(losses, expected, rtol=1e-5)
        self.assertGreater(abs(losses[0] - losses[-1]), 1e-3)
        weights = [
            harness.snapshot(system.players["captioner"].weights)
            for system in (one, other)
        ]
        self.assertLess(harness.distance(*weights), 1e-5)

    @parameterized.named_parameters(
        ("sgd", lambda: keras.optimizers.SGD(0.2)),
        ("adam", lambda: keras.optimizers.Adam(1e-2)),
        ("clipped", lambda: keras.optimizers.SGD(0.2, global_clipnorm=0.1)),
    )
    def test_two_replicas_with_unlike_counts_of_words_are_one(self, optimizer):
        halves = np.split(LENGTHS, 2)
        self.assertGreater(halves[0].sum(), 2 * halves[1].sum())
        with harness.strategy(2).scope():
            shared = optimizer()
        self.assert_same(
            played(plain, shared, replicas=2), played(plain, optimizer())
        )

    @parameterized.named_parameters(("plain", plain), ("decoder", decoder))
    def test_compiled_moves_are_the_plain_ones(self, make):
        self.assert_same(played(make, xla=True), played(make))

    def test_eager_moves_are_those_of_graphs(self):
        self.assert_same(played(decoder, run_eagerly=True), played(decoder))


if __name__ == "__main__":
    tf.test.main()
