"""DM-GAN: AttnGAN's game with a memory, and kernels divided by their norm.

Its whole move is replayed in attngan_test: `MemoryMoveTest`.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import layers, networks, systems
from tests import harness
from tests.systems import staged

UNREAD = {"words": 0.0, "sentence": 0.0}


def players():
    """Builds narrow networks of the paper."""
    return staged.players(networks.dm_gan)


def played(system, batch, rate=0.02, moves=1):
    """Plays some moves on one batch."""
    system.compile(harness.sgd(system.players, rate), run_eagerly=True)
    system.fit(tf.data.Dataset.from_tensors(batch).repeat(moves), verbose=0)
    return system


def spectral(player):
    """Lists layers that divide their kernels, by the part they stand in."""
    return [
        (part, layer)
        for part in ("trunk", "head", "alone")
        for layer in player.get_layer(part)._flatten_layers()
        if isinstance(layer, layers.SpectralConv)
    ]


def iterated(kernel, u, times):
    """Takes steps of the power iteration, in float64."""
    matrix = np.float64(kernel).reshape(-1, kernel.shape[-1])
    for _ in range(times):
        v = matrix @ u
        v /= np.linalg.norm(v) + 1e-12
        u = matrix.T @ v
        u /= np.linalg.norm(u) + 1e-12
    return u


class GameTest(tf.test.TestCase):
    """What it shares with AttnGAN."""

    def test_it_is_attngans_to_the_letter(self):
        options = dict(image_reader=staged.image_reader())
        ours = systems.DMGAN(players(), **options)
        theirs = systems.AttnGAN(staged.players(), **options)
        self.assertEqual(ours.loss_weights, theirs.loss_weights)
        self.assertEqual(ours.TERMS, theirs.TERMS)
        self.assertEqual(ours.average_decay, 0.999)
        gammas = ours.contrasts.matcher.gammas
        self.assertEqual(gammas, theirs.contrasts.matcher.gammas)


class NormsTest(tf.test.TestCase, parameterized.TestCase):
    """How often the vectors behind a spectral norm move."""

    def shake(self, system):
        """Gives kernels several norms of like size, which take long to tell."""
        draw = np.random.default_rng(0)
        for name, player in system.players.items():
            for _, layer in spectral(player) if name != "generator" else ():
                *taps, width = layer.kernel.shape
                side = draw.normal(size=(np.prod(taps), width))
                side, _ = np.linalg.qr(side)
                side *= np.linspace(1.0, 0.85, width)
                turn, _ = np.linalg.qr(draw.normal(size=(width, width)))
                layer.kernel.assign((side @ turn).reshape(*taps, width))

    @parameterized.parameters((None, 1), ("twins", 2))
    def test_vectors_move_once_in_each_forward_pass(self, branches, times):
        system = systems.DMGAN(
            players(), loss_weights=UNREAD, branches=branches
        )
        self.shake(system)
        start = {
            name: [np.array(layer.u) for _, layer in spectral(player)]
            for name, player in system.players.items()
            if name != "generator"
        }
        played(system, staged.batch(), rate=0.0)
        # Real and fake of the discriminators, fakes of the generator; the
        # head sees mismatched pairs beside.
        passes = {"trunk": 3 * times, "head": 4 * times}
        for name, vectors in start.items():
            found = spectral(system.players[name])
            self.assertGreaterEqual(len(found), 2)
            for u, (part, layer) in zip(vectors, found, strict=True):
                kernel, count = np.array(layer.kernel), passes[part]
                gaps = [
                    np.abs(iterated(kernel, u, times) - layer.u).max()
                    for times in (count - 1, count, count + 1)
                ]
                self.assertLess(gaps[1], 1e-5)
                self.assertGreater(min(gaps[0], gaps[2]), 1e-4)

    def test_scores_of_one_row_do_not_know_the_others(self):
        # No batch statistics: real and fake could share a pass.
        for name, player in players().items():
            if name != "generator":
                kinds = [type(x).__name__ for x in player._flatten_layers()]
                self.assertNotIn("BatchNorm", kinds)


if __name__ == "__main__":
    tf.test.main()
