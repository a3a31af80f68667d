"""Examines the run of pictures through a network, and its cache."""

import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import features


class Network:
    """A network whose answer is known: channel means and a map."""

    digest = "toy 1"

    def __init__(self):
        self.seen = []

    def __call__(self, images):
        self.seen.append((images.dtype, tuple(images.shape)))
        means = tf.reduce_mean(images, axis=(1, 2))
        return {
            "pooled": means,
            "logits": tf.concat([means, -means], 1),
            "regions": images,
        }


class Named(Network):
    """Says one thing more."""

    digest = "toy 2"

    def __call__(self, images):
        answer = super().__call__(images)
        return {**answer, "code": -answer["pooled"]}


def pictures(count=7, seed=0):
    """Draws noise pictures."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)


class ExtractTest(parameterized.TestCase, tf.test.TestCase):
    """Every picture is seen once, in order, as floats."""

    @parameterized.parameters(1, 3, 7, 50)
    def test_batch_size_changes_nothing(self, size):
        images, network = pictures(), Network()
        found = features.extract(features.in_batches(images, size), network)
        self.assertCountEqual(found, ["pooled", "logits"])
        expected = images.astype("float64").mean(axis=(1, 2)) / 127.5 - 1.0
        self.assertAllClose(found["pooled"], expected, atol=1e-6)
        self.assertAllClose(found["logits"][:, 3:], -expected, atol=1e-6)
        self.assertEqual(found["pooled"].dtype, np.float32)
        self.assertEqual(sum(shape[0] for _, shape in network.seen), 7)
        self.assertEqual({dtype for dtype, _ in network.seen}, {tf.float32})

    def test_other_vectors_are_gathered_if_asked_for(self):
        network = Named()
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                found = features.extract(
                    [pictures()], network, folder, ("pooled", "code")
                )
                self.assertEqual(set(found), {"pooled", "code"})
                self.assertAllClose(found["code"], -found["pooled"])
        self.assertLen(network.seen, 1)
        with self.assertRaisesRegex(KeyError, "lacks code; it holds"):
            features.extract([pictures()], Network(), None, ("code",))

    def test_grey_is_shown_in_three_equal_colours(self):
        grey = pictures()[..., :1]
        found = features.extract([grey], Network())
        shown = features.extract([np.tile(grey, (1, 1, 1, 3))], Network())
        self.assertAllEqual(found["pooled"], shown["pooled"])

    def test_one_batch_is_held_at_a_time(self):
        network, alive = Network(), []

        def stream():
            for batch in features.in_batches(pictures(), 2):
                alive.append(len(network.seen))
                yield batch

        features.extract(stream(), network)
        self.assertEqual(alive, [0, 1, 2, 3])

    @parameterized.parameters(
        ([], "no pictures"),
        ([np.zeros((2, 4, 4, 3), "float64")], "uint8 or float32.*float64"),
        ([np.full((2, 4, 4, 3), 2, "float32")], "from 2 to 2"),
        ([np.full((2, 4, 4, 3), np.nan, "float32")], "pooled of picture 0"),
        ([np.zeros((4, 4, 3), "uint8")], "uint8"),
        ([np.zeros((2, 4, 4, 2), "uint8")], "uint8"),
    )
    def test_bad_pictures_give_a_sentence(self, batches, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            features.extract(batches, Network())

    def test_floats_are_shown_as_they_are(self):
        images = pictures()
        floats = images.astype("float32") / 127.5 - 1.0
        found = features.extract([floats], Network())
        whole = features.extract([images], Network())
        self.assertAllClose(found["pooled"], whole["pooled"], atol=1e-6)
        halves = features.extract([floats / 2], Network())
        self.assertAllClose(halves["pooled"], found["pooled"] / 2)

    def test_answer_that_is_not_finite_names_the_picture(self):
        def network(images):
            means = tf.reduce_mean(images, axis=(1, 2))
            logits = tf.where(means > 0.9, np.nan, means)
            return {"pooled": means, "logits": logits}

        images = pictures()
        images[5] = 255
        with self.assertRaisesRegex(ValueError, "logits of picture 5 are not"):
            features.extract(features.in_batches(images, 2), network)

    def test_lacking_answer_is_named(self):
        with self.assertRaisesRegex(KeyError, "lacks logits.*pooled"):
            features.extract([pictures()], lambda images: {"pooled": images})


class LaterTest(tf.test.TestCase):
    """Batches are made once, and not again for what is kept."""

    def test_kept_batches_are_not_made(self):
        images, made = pictures(), []

        def later(start, count=3):
            def make():
                made.append(start)
                return images[start : start + count]

            return features.Later(count, f"from {start}", make)

        whole = features.extract([images[:6]], Network())
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                batches = [later(0), later(3)]
                found = features.extract(batches, Network(), folder)
                self.assertAllEqual(found["pooled"], whole["pooled"])
            self.assertEqual(made, [0, 3])
            features.extract([later(0, 2)], Network(), folder)
            self.assertEqual(made, [0, 3, 0])  # Not what was kept: two.
        features.extract([later(0)], Network())
        self.assertEqual(made, [0, 3, 0, 0])


class CacheTest(parameterized.TestCase, tf.test.TestCase):
    """What is kept is asked for once and never silently wrong."""

    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.first = self.run_again(Network())

    def run_again(self, network, images=None, size=4):
        images = pictures() if images is None else images
        batches = features.in_batches(images, size)
        return features.extract(batches, network, self.folder)

    def paths(self):
        return [os.path.join(self.folder, n) for n in os.listdir(self.folder)]

    def test_second_run_asks_nothing(self):
        network = Network()
        again = self.run_again(network)
        self.assertEmpty(network.seen)
        for name in features.KEPT:
            self.assertAllEqual(again[name], self.first[name])

    def test_other_pictures_or_weights_are_asked_for(self):
        network = Network()
        self.run_again(network, pictures(seed=1))
        self.assertLen(network.seen, 2)
        network = Network()
        network.digest = "toy 2"
        self.run_again(network)
        self.assertLen(network.seen, 2)

    def test_only_changed_batches_are_asked_for(self):
        images, network = pictures(), Network()
        images[6] = 0
        self.run_again(network, images)
        self.assertLen(network.seen, 1)

    @parameterized.parameters(b"", b"PK", b"not an archive at all")
    def test_damaged_file_is_made_anew(self, content):
        for path in self.paths():
            with open(path, "wb") as file:
                file.write(content)
        network = Network()
        again = self.run_again(network)
        self.assertLen(network.seen, 2)
        self.assertAllEqual(again["pooled"], self.first["pooled"])
        network = Network()
        self.run_again(network)
        self.assertEmpty(network.seen)

    def test_no_flipped_byte_changes_a_feature(self):
        batch = pictures(2)
        features.extract([batch], Network(), self.folder)
        (path,) = set(self.paths()) - set(self._two_from_setup())
        with open(path, "rb") as file:
            content = file.read()
        expected = features.extract([batch], Network())
        for place in range(len(content)):
            broken = bytearray(content)
            broken[place] ^= 0x10
            with open(path, "wb") as file:
                file.write(broken)
            found = features.extract([batch], Network(), self.folder)
            for name in features.KEPT:
                self.assertAllEqual(found[name], expected[name])

    def test_file_of_other_shape_is_made_anew(self):
        for path in self.paths():
            np.savez(path, pooled=np.zeros((9, 3)), logits=np.zeros((9, 6)))
        again = self.run_again(Network())
        self.assertAllEqual(again["pooled"], self.first["pooled"])

    def test_nameless_network_cannot_be_cached(self):
        with self.assertRaisesRegex(ValueError, "digest"):
            features.extract([pictures()], lambda x: {}, self.folder)

    def _two_from_setup(self):
        with tempfile.TemporaryDirectory() as folder:
            batches = features.in_batches(pictures(), 4)
            features.extract(batches, Network(), folder)
            return [os.path.join(self.folder, n) for n in os.listdir(folder)]


if __name__ == "__main__":
    tf.test.main()
