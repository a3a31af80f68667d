"""Examines what is kept of real pictures."""

import json
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.metrics import moments, statistics


def rows(count=9, seed=0):
    """Draws features."""
    drawn = np.random.RandomState(seed).standard_normal((count, 4))
    return drawn.astype(np.float32)


class StatisticsTest(parameterized.TestCase, tf.test.TestCase):
    """Statistics go out and come back, ours and others'."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(_folder()))
        self.path = self.folder / "real.npz"

    def test_come_back_as_they_were(self):
        card = {"data": "birds", "counts": {"reference": 9}}
        before = statistics.Statistics.of(rows(), card)
        before.save(self.path)
        after = statistics.load(self.path)
        self.assertAllEqual(after.features, rows())
        self.assertEqual((after.card, after.count), (card, 9))
        self.assertAllEqual(after.moments.mean, before.moments.mean)
        self.assertAllClose(
            after.moments.covariance, before.moments.covariance, 1e-15, 1e-15
        )
        other = statistics.Statistics.of(rows(seed=1))
        self.assertNotEqual(other.digest, before.digest)

    def test_others_find_what_they_look_for(self):
        statistics.Statistics.of(rows()).save(self.path)
        with np.load(self.path, allow_pickle=False) as stored:
            self.assertAllClose(stored["mu"], rows().mean(0))
            self.assertAllClose(stored["sigma"], np.cov(rows(), rowvar=False))
            self.assertAllEqual(stored["feats"], rows())

    def test_those_of_pytorch_fid_are_read(self):
        mean, covariance = rows().mean(0), np.cov(rows(), rowvar=False)
        np.savez(self.path, mu=mean, sigma=covariance)
        found = statistics.load(self.path)
        self.assertEqual((found.count, found.features), (None, None))
        self.assertEqual(found.card, {})
        distance = moments.frechet_distance(
            found.moments, moments.Moments.of(rows())
        )
        self.assertAllClose(distance, 0.0, atol=1e-6)
        found.save(self.folder / "again.npz")
        again = statistics.load(self.folder / "again.npz")
        self.assertIsNone(again.count)

    def test_those_of_clean_fids_kernel_distance_are_read(self):
        np.savez(self.path, feats=rows())
        found = statistics.load(self.path)
        self.assertAllEqual(found.features, rows())
        self.assertEqual(found.count, 9)

    @parameterized.parameters(
        (dict(feats=rows(8)), "tells 9 pictures and 4 features, but .*8, 4"),
        (dict(card=np.frombuffer(b"{", np.uint8)), "is no JSON"),
        (dict(card=np.frombuffer(b"[]", np.uint8)), "is no JSON object"),
        (dict(mu=rows()[0, :3]), "must hold mu"),
    )
    def test_what_does_not_fit_is_refused(self, wrong, said):
        statistics.Statistics.of(rows()).save(self.path)
        with np.load(self.path) as stored:
            held = dict(stored) | wrong
        np.savez(self.path, **held)
        with self.assertRaisesRegex(ValueError, said):
            statistics.load(self.path)

    def test_other_files_are_refused(self):
        self.path.write_text(json.dumps({"mu": 1}))
        with self.assertRaisesRegex(ValueError, "real.npz is not an .npz"):
            statistics.load(self.path)
        with self.assertRaises(OSError):
            statistics.load(self.folder / "none.npz")


def _folder():
    return tempfile.TemporaryDirectory()


if __name__ == "__main__":
    tf.test.main()
