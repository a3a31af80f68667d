"""The laws that every pair of networks obeys, at two sizes."""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests import harness
from tests.conformance import cases

SIZES = [
    (f"{row.name}_{size}", row, size)
    for row in cases.NETWORKS
    for size in row.sizes
]


def inputs_of(player, size):
    """Draws one batch of all that a network takes."""
    draw = np.random.default_rng(1)
    batch = harness.toy_batch(rows=4, size=size)
    batch |= harness.toy_words(rows=4)
    if "noise" in player.input:
        shape = (4, player.input["noise"].shape[-1])
        batch["noise"] = draw.normal(size=shape).astype("float32")
    for key, symbol in player.input.items():
        if key.startswith("dropout_"):
            shape = (4, *symbol.shape[1:])
            batch[key] = draw.uniform(size=shape).astype("float32")
    return {key: batch[key] for key in player.input}


def answers(players, size, training=False):
    """Runs both networks on one drawn batch: key -> tensor."""
    answer = {}
    for player in players.values():
        answer |= player(inputs_of(player, size), training=training)
    return answer


class NetworksTest(tf.test.TestCase, parameterized.TestCase):
    """Doors, ranges, copies."""

    def assertSame(self, first, second):
        self.assertEqual(set(first), set(second))
        for key, value in first.items():
            self.assertAllEqual(value, second[key])

    @parameterized.named_parameters(SIZES)
    def test_doors_are_dictionaries_of_the_glossary(self, row, size):
        players = cases.pair(row, size)
        given = answers(players, size)
        self.assertEqual(given["image"].shape, (4, size, size, 3))
        self.assertEqual(given[row.score].shape, (4,))
        if row.score == "matched":
            self.assertEqual(given["features"].shape[:3], (4, 4, 4))
        for name, player in players.items():
            self.assertEqual(player.name, name)
            self.assertIsInstance(player.input, dict)
            for key, symbol in player.output.items():
                promised = tf.TensorShape(symbol.shape)
                self.assertTrue(given[key].shape.is_compatible_with(promised))

    @parameterized.named_parameters(SIZES)
    def test_pictures_lie_within_one(self, row, size):
        players = cases.pair(row, size)
        generator = players["generator"]
        generator.set_weights([20.0 * w for w in generator.get_weights()])
        given = answers(players, size, training=True)
        self.assertAllInRange(given["image"], -1.0, 1.0)

    @parameterized.named_parameters(SIZES)
    def test_saved_networks_come_back_equal(self, row, size):
        players = cases.pair(row, size)
        with tempfile.TemporaryDirectory() as folder:
            again = {}
            for name, player in players.items():
                path = os.path.join(folder, f"{name}.keras")
                player.save(path)
                again[name] = keras.models.load_model(path)
        for training in (False, True):
            self.assertSame(
                answers(players, size, training), answers(again, size, training)
            )

    @parameterized.named_parameters(SIZES)
    def test_clones_are_equal_and_independent(self, row, size):
        players = cases.pair(row, size)
        copies = {}
        for name, player in players.items():
            copies[name] = keras.models.clone_model(player)
            copies[name].set_weights(player.get_weights())
        self.assertSame(answers(players, size), answers(copies, size))
        for name, copy in copies.items():
            before = players[name].get_weights()
            copy.set_weights([w + 1.0 for w in copy.get_weights()])
            after = players[name].get_weights()
            self.assertEqual(harness.distance(before, after), 0.0)

    @parameterized.named_parameters(SIZES)
    def test_noise_words_and_picture_all_count(self, row, size):
        players = cases.pair(row, size)
        draw = np.random.default_rng(2)
        for player in players.values():  # some weights may start at zero
            weights = player.get_weights()
            player.set_weights(
                [w + draw.normal(0.0, 0.05, w.shape) for w in weights]
            )
        for name, key in (("generator", "image"), ("discriminator", row.score)):
            inputs = inputs_of(players[name], size)
            inputs = tf.nest.map_structure(tf.constant, inputs)
            floats = {k: v for k, v in inputs.items() if v.dtype.is_floating}
            with tf.GradientTape() as tape:
                tape.watch(floats)
                found = players[name](inputs, training=True)[key]
                loss = tf.reduce_sum(found * tf.range(1.0, found.shape[-1] + 1))
            for door, slope in tape.gradient(loss, floats).items():
                if not door.startswith("dropout_"):
                    self.assertGreater(np.abs(slope).max(), 0.0, door)

    @parameterized.named_parameters(
        (f"{row.name}_{size}", row, size)
        for row in cases.NETWORKS
        for size in row.refused
    )
    def test_sizes_that_cannot_be_drawn_are_refused(self, row, size):
        with self.assertRaisesRegex(ValueError, f"image_size is {size}"):
            cases.pair(row, size)


if __name__ == "__main__":
    tf.test.main()
