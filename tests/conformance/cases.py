"""The candidates: one row a system, one row a pair of networks."""

import tempfile
from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from keras_t2i import layers, losses, networks, systems
from tests import harness


class SystemRow(NamedTuple):
    """A system under examination.

    Attributes:
        name: str, unique.
        make: callable (players, **kwargs) -> `systems.System`.
        terms: what it logs.
        wrong: the key of the batch's mismatched half, or None.
        order: who moves, in order, in one move.
        norm: the layer that normalises in its networks, or None.
        is_sum_of_rows: whether its terms are means over rows, so that parts
            of a batch add up to the batch.
    """

    name: str
    make: Callable
    terms: tuple
    wrong: str | None = None
    order: tuple = ("discriminator", "generator")
    norm: Callable | None = layers.BatchNorm
    is_sum_of_rows: bool = True


class NetworkRow(NamedTuple):
    """A pair of networks under examination.

    Attributes:
        name: str, unique; the module's name.
        generator: callable of keyword arguments -> `keras.Model`.
        discriminator: callable of keyword arguments -> `keras.Model`.
        sizes: picture sizes to be drawn.
    """

    name: str
    generator: Callable
    discriminator: Callable
    sizes: tuple = (16, 32)


def _everything(players, **kwargs):
    weights = {"matching": 2.0, "pixel": 0.5}
    game = losses.adversarial.bce(real_target=0.9, saturating=True)
    return systems.GANINTCLS(players, game=game, loss_weights=weights, **kwargs)


def _seeking(players, **kwargs):
    return systems.DFGAN(players, loss_weights={"seeking": 1.0}, **kwargs)


SYSTEMS = (
    SystemRow("GAN", systems.GAN, ("real", "fake", "fool")),
    SystemRow(
        "GANCLS",
        systems.GANCLS,
        ("real", "wrong", "fake", "fool"),
        wrong="wrong_image",
    ),
    SystemRow("GANINT", systems.GANINT, ("real", "fake", "fool", "between")),
    SystemRow(
        "GANINTCLS",
        systems.GANINTCLS,
        ("real", "wrong", "fake", "fool", "between"),
        wrong="wrong_sentence",
    ),
    SystemRow(
        "GANINTCLS_with_every_term",
        _everything,
        systems.GAN.TERMS,
        wrong="wrong_sentence",
        is_sum_of_rows=False,  # matching compares means of batches.
    ),
    SystemRow(
        "DFGAN",
        systems.DFGAN,
        ("real", "wrong", "fake", "penalty", "fool"),
        norm=None,
    ),
    SystemRow(
        "DFGAN_seeking",
        _seeking,
        systems.DFGAN.TERMS,
        norm=None,
        is_sum_of_rows=False,  # seeking is the inverse of a mean.
    ),
)

NETWORKS = tuple(
    NetworkRow(name, module.generator, module.discriminator)
    for name, module in (
        ("gan_cls", networks.gan_cls),
        ("dcgan_cls", networks.dcgan_cls),
        ("df_gan", networks.df_gan),
    )
)


def pair(row, size=harness.SIZE, seed=0):
    """Builds a row's networks at toy width.

    Args:
        row: NetworkRow.
        size: int. Height and width of the pictures.
        seed: int. Where the weights start.

    Returns:
        {"generator", "discriminator"}.
    """
    keras.utils.set_random_seed(seed)
    common = {"image_size": size, "width": 4, "text_dim": harness.TEXT}
    return {
        "generator": row.generator(noise_dim=harness.NOISE, **common),
        "discriminator": row.discriminator(**common),
    }


def by_name(rows):
    """Turns rows into parameters of a test.

    Args:
        rows: tuple of rows.

    Returns:
        List of (name, row).
    """
    return [(row.name, row) for row in rows]


def play(row, moves=3, *, replicas=1, first=0, **options):
    """Makes a row's system and plays some moves through `fit`.

    Args:
        row: SystemRow.
        moves: int. How many.
        replicas: int.
        first: int. The number of the first batch.
        **options: as for `assemble`.

    Returns:
        The system and the history of its logs.
    """
    system = assemble(row, replicas=replicas, **options)
    return system, go_on(system, row, moves, first)


def assemble(row, *, replicas=1, players=None, optimizers=None, **options):
    """Makes a row's system, compiled.

    Args:
        row: SystemRow.
        replicas: int.
        players: callable -> players; None means toys without statistics.
        optimizers: callable of players -> optimizers; None means plain
            gradient descent.
        **options: what `compile` takes goes there, the rest to the
            system.

    Returns:
        `systems.System`.
    """
    chosen = {k: options.pop(k) for k in _COMPILE if k in options}
    with harness.strategy(replicas).scope():
        system = row.make((players or harness.toy_players)(), **options)
        named = (optimizers or harness.sgd)(system.players)
        system.compile(named, **chosen)
    return system


def go_on(system, row, moves, first=0):
    """Plays more moves.

    Args:
        system: `systems.System`.
        row: SystemRow, which says what the batches hold.
        moves: int. How many.
        first: int. The number of the first batch.

    Returns:
        dict, term -> list of one float.
    """
    batches = harness.toy_batches(first + moves, wrong=row.wrong)
    return system.fit(batches.skip(first), verbose=0, shuffle=False).history


def adam(players):
    """Makes optimizers that remember.

    Args:
        players: iterable of names.

    Returns:
        dict, player -> `keras.optimizers.Adam`.
    """
    return {player: keras.optimizers.Adam(1e-3, 0.5) for player in players}


def state(system):
    """Copies all that a system must keep over a restart.

    Args:
        system: `systems.System`.

    Returns:
        List of arrays.
    """
    kept = list(system.variables)
    for optimizer in system.optimizers.values():
        kept += optimizer.variables
    return harness.snapshot(kept)


def examine_resume(test, row, **options):
    """Saves at move 2 and goes on elsewhere: the straight run, bit for bit.

    Args:
        test: `tf.test.TestCase`.
        row: SystemRow.
        **options: as for `assemble`.
    """
    options = dict(average_decay=0.9, optimizers=adam) | options
    straight, _ = play(row, 4, **options)
    saved, _ = play(row, 2, **options)
    again = assemble(
        row,
        **options | {"players": lambda: harness.toy_players(seed=7)},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = tf.train.Checkpoint(system=saved).write(f"{folder}/saved")
        reader = tf.train.Checkpoint(system=again).read(path)
        reader.assert_existing_objects_matched()
    go_on(again, row, 2, first=2)
    for ours, theirs in zip(state(again), state(straight), strict=True):
        test.assertAllEqual(ours, theirs)
    test.assertGreater(harness.distance(state(saved), state(straight)), 1e-4)


_COMPILE = ("xla", "run_eagerly", "micro_batches")
