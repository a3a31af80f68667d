"""SSA-GAN and both versions of DF-GAN beside their authors' code."""

import zlib
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.conformance import one_way

UNREAD = {"words": 0.0, "sentence": 0.0}


class NetworksTest(tf.test.TestCase, parameterized.TestCase):
    """Both versions beside their authors' code, on weights by a rule."""

    @parameterized.parameters(*one_way.FAMILIES)
    def test_pictures_features_and_scores_are_the_authors(self, family):
        file, players = one_way.recorded(family), one_way.players(family)
        batch = one_way.batch(file)
        inputs = {"noise": batch["latent"], "sentence": batch["sentence"]}
        drawn = players["generator"](inputs)["image"][:, ::8, ::8]
        theirs = file["image_eval"].transpose(0, 2, 3, 1)
        self.assertAllClose(drawn, theirs, atol=2e-5)
        pair = {key: batch[key] for key in ("image", "sentence")}
        judged = players["discriminator"](pair)
        theirs = file["d_features"].transpose(0, 2, 3, 1)
        self.assertAllClose(judged["features"], theirs, atol=2e-5)
        theirs = file["d_logits"].ravel()
        self.assertAllClose(judged["matched"], theirs, atol=1e-5)


class MoveTest(tf.test.TestCase, parameterized.TestCase):
    """A whole move of the authors' code, by plain gradient descent."""

    @parameterized.parameters(*one_way.FAMILIES)
    def test_move_is_the_authors(self, family):
        file, players = one_way.recorded(family), one_way.players(family)
        kind, *_ = one_way.FAMILIES[family]
        weights = UNREAD if family == "ssa_gan" else None
        system = kind(players, loss_weights=weights)
        rates = {"generator": 10.0, "discriminator": 0.01}
        optimizers = {k: keras.optimizers.SGD(r) for k, r in rates.items()}
        system.compile(optimizers)
        before = one_way.named(family, players)
        with mock.patch.object(
            system, "latent", lambda *_: tf.constant(file["noise"])
        ):
            logs = system.train_step(one_way.batch(file))
        told = [logs[t] for t in ("real", "wrong", "fake", "penalty", "fool")]
        self.assertAllClose(told, file["terms"], rtol=1e-4, atol=1e-5)
        after = one_way.named(family, players)
        rows = zip(file["moved_names"], file["moved"], strict=True)
        rows = {str(name): row for name, row in rows}
        self.assertContainsSubset(
            {k for k in after if "running" not in k}, set(rows)
        )
        for name in set(after) & set(rows):
            moved = np.float64(after[name]) - before[name]
            salt = zlib.crc32(f"along {name}".encode())
            along = np.random.default_rng(salt).normal(size=moved.shape)
            *_, length = rows[name]
            # Float32 moves by steps; biases before norms hardly move.
            steps = np.spacing(np.abs(np.float32(after[name])).max())
            allowed = 2e-3 * length + steps * moved.size**0.5
            if length < 1e-6:
                allowed = 1e-5
            else:
                self.assertLess(allowed, 0.15 * length, msg=name)
            self.assertNear(
                np.sqrt((moved**2).sum()), length, allowed, msg=name
            )
            self.assertNear(
                (moved * along).sum(), rows[name][1], 3 * allowed, msg=name
            )
        for name, array in file.items():
            if name.startswith("after_forward/"):
                ours = after[name.removeprefix("after_forward/")]
                self.assertAllClose(ours, array, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    tf.test.main()
