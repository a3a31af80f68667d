"""Examines what judges share: glances, and pictures that stand for many."""

from unittest import mock

import numpy as np
import tensorflow as tf

from keras_t2i import weights
from keras_t2i.data import prepared, shapes
from keras_t2i.metrics import features
from recipes import judging, wiring
from tests.recipes import runs


class GlanceTest(tf.test.TestCase):
    """Training is judged by training pictures."""

    def setUp(self):
        super().setUp()
        folder = runs.folder(self)
        self.held = shapes.load(12, 16)
        prepared.write(folder / "set", {"train": self.held})
        self.filed = prepared.load(folder / "set", "train")
        self.reader = wiring.Letters()
        self.exact = wiring.sentences(self.held, self.reader)

    def test_training_is_glanced_at_wherever_pictures_lie(self):
        for pictures in (self.held, self.filed):
            with mock.patch.object(judging.evaluator, "Judge") as bench:
                bench.return_value.pictures.return_value = []
                glance = judging.glance(
                    runs.smoke(), mock.Mock(), pictures, self.reader, 8
                )
                self.assertEqual(glance(), {})
            means = bench.call_args.args[1]
            firsts = bench.return_value.pictures.call_args.args[2]
            self.assertAllClose(means, self.exact[:8].mean(1), 1e-3, 2e-3)
            self.assertAllClose(firsts, self.exact[:8, 0], 1e-3, 2e-3)


class StillTest(tf.test.TestCase):
    """One picture stands for many without their memory."""

    def test_features_of_a_repeated_picture_are_those_of_copies(self):
        folder = runs.folder(self)
        mean = shapes.load(1, 16).images[0]
        still = np.broadcast_to(mean, (40, *mean.shape))
        copies = np.repeat(mean[None], 40, 0)
        network = weights.pretrained.lite0()
        found, expected = (
            features.extract(features.in_batches(table), network, folder)
            for table in (still, copies)
        )
        for key in features.KEPT:
            self.assertAllEqual(found[key], expected[key])
        self.assertLen(list(folder.glob("*.npz")), 2)  # 32 and 8 of them.


if __name__ == "__main__":
    tf.test.main()
