"""Examines how pictures are looked at once."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from recipes import looking
from tests.recipes import couples, runs

PICTURES = np.random.default_rng(0).integers(
    0, 256, (70, 16, 16, 3), dtype=np.uint8
)
KEYS = np.array([f"picture {row}" for row in range(len(PICTURES))])


class Network:
    """Counts how often it looks."""

    def __init__(self, size=16):
        self.inner = couples.toy("toy", None, size=size, resize="bilinear")
        self.digest = self.inner.digest
        self.looks = 0

    def __call__(self, images):
        self.looks += 1
        return self.inner(images)


class LookTest(parameterized.TestCase, tf.test.TestCase):
    """Each picture is looked at once, whatever runs come later."""

    def setUp(self):
        super().setUp()
        self.cache = runs.folder(self) / "regions"
        self.network = Network()

    def look(self, *batches, network=None):
        count = sum(map(len, batches))
        return looking.look(network or self.network, batches, count, self.cache)

    def test_answers_are_the_networks(self):
        found = self.look(PICTURES[:50], PICTURES[50:])
        expected = self.network.inner(PICTURES)
        self.assertEqual(set(found), {"regions", "pooled"})
        self.assertAllClose(found["pooled"], expected["pooled"], atol=1e-5)
        self.assertAllClose(
            found["regions"], expected["regions"], rtol=1e-3, atol=1e-3
        )
        self.assertEqual(found["regions"].dtype, np.float16)
        self.assertEqual(found["pooled"].dtype, np.float32)

    def test_what_was_seen_is_not_looked_at_again(self):
        first = self.look(PICTURES)
        looks = self.network.looks
        self.assertEqual(looks, 3)  # 70 pictures by 32.
        second = self.look(PICTURES)
        self.assertEqual(self.network.looks, looks)
        for key, rows in first.items():
            self.assertAllEqual(rows, second[key])

    def test_other_pictures_and_networks_are_looked_at(self):
        self.look(PICTURES[:32])
        self.look(255 - PICTURES[:32])
        self.assertEqual(self.network.looks, 2)
        other = Network(size=12)
        self.look(PICTURES[:32], network=other)
        self.assertEqual(other.looks, 1)

    @parameterized.parameters(b"", b"no archive", None)
    def test_damaged_answers_are_made_anew(self, data):
        first = self.look(PICTURES[:4])
        (path,) = self.cache.glob("*.npz")
        path.write_bytes(path.read_bytes()[:-60] if data is None else data)
        second = self.look(PICTURES[:4])
        self.assertEqual(self.network.looks, 2)
        self.look(PICTURES[:4])
        self.assertEqual(self.network.looks, 2)
        self.assertAllEqual(first["regions"], second["regions"])


class TableTest(tf.test.TestCase):
    """Pictures are found by their names."""

    def test_rows_are_found_in_graphs(self):
        draw = np.random.default_rng(1)
        seen = {
            "regions": draw.normal(size=(70, 2, 2, 5)).astype("float16"),
            "pooled": draw.normal(size=(70, 7)).astype("float32"),
        }
        table = looking.Table(KEYS, seen)
        order = [69, 3, 3, 0]
        found = tf.function(table)(tf.constant(KEYS[order].tolist()))
        for key, rows in found.items():
            self.assertEqual(rows.dtype, tf.float32)
            self.assertAllEqual(rows, seen[key][order].astype("float32"))
        with self.assertRaises(tf.errors.InvalidArgumentError):
            table(tf.constant(["a stranger"]))


if __name__ == "__main__":
    tf.test.main()
