"""The candidates: one row a system, one row a pair of networks."""

import functools
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
        players: callable (seed=0, norm=None) -> toy players.
        has_text: whether its batches hold sentences.
    """

    name: str
    make: Callable
    terms: tuple
    wrong: str | None = None
    order: tuple = ("discriminator", "generator")
    norm: Callable | None = layers.BatchNorm
    is_sum_of_rows: bool = True
    players: Callable = harness.toy_players
    has_text: bool = True


class NetworkRow(NamedTuple):
    """A pair of networks under examination.

    Attributes:
        name: str, unique; the module's name.
        generator: callable of keyword arguments -> `keras.Model`.
        discriminator: callable of keyword arguments -> `keras.Model`.
        sizes: picture sizes to be drawn.
        refused: picture sizes that can't be drawn.
        score: the key of the discriminator's score.
    """

    name: str
    generator: Callable
    discriminator: Callable
    sizes: tuple = (16, 32)
    refused: tuple = (4, 20, 0)
    score: str = "matched"


def wordless_players(seed=0, norm=None):
    """Builds a tiny pair without text, whose critic forgets features.

    Args:
        seed: int. Where the weights start.
        norm: callable -> a normalising layer for the generator; None leaves
            it out.

    Returns:
        {"generator", "discriminator"}.
    """
    keras.utils.set_random_seed(seed)
    norm = norm or keras.layers.Identity
    noise = keras.Input((harness.NOISE,), name="noise")
    x = keras.layers.LeakyReLU(0.2)(norm()(keras.layers.Dense(64)(noise)))
    x = keras.layers.Reshape((4, 4, 4))(x)
    x = keras.layers.Conv2DTranspose(3, 4, 4, "same")(x)
    drawn = keras.layers.Activation("tanh", dtype="float32")(x)
    image = keras.Input((harness.SIZE, harness.SIZE, 3), name="image")
    x = keras.layers.Conv2D(harness.WIDTH, 4, 4)(image)
    x = keras.layers.Flatten()(keras.layers.LeakyReLU(0.2)(x))
    draws = keras.Input(x.shape[1:], name="dropout_1")
    x = keras.layers.Dense(1, dtype="float32")(
        layers.Dropout(0.3, name="forgetful")(x, draws)
    )
    score = keras.layers.Reshape((), dtype="float32")(x)
    return {
        "generator": keras.Model({"noise": noise}, {"image": drawn}),
        "discriminator": keras.Model(
            {"image": image, "dropout_1": draws}, {"alone": score}
        ),
    }


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
    SystemRow(
        "WGAN",
        functools.partial(
            systems.WGAN, critic_moves=2, clip=0.2, mismatch_weight=0.5
        ),
        systems.WGAN.TERMS,
        wrong="wrong_image",
        order=("discriminator", "discriminator", "generator"),
    ),
    SystemRow(
        "WGANGP",
        functools.partial(
            systems.WGANGP,
            critic_moves=2,
            mismatch_weight=0.5,
            is_fresh=True,
        ),
        systems.WGANGP.TERMS,
        wrong="wrong_sentence",
        order=("discriminator", "discriminator", "generator"),
        norm=None,
    ),
    SystemRow(
        "WGANGP_without_text",
        systems.WGANGP,
        ("real", "fake", "penalty", "fool"),
        order=("discriminator",) * 3 + ("generator",),
        players=wordless_players,
        has_text=False,
    ),
)

NETWORKS = tuple(
    NetworkRow(name, module.generator, module.discriminator)
    for name, module in (
        ("gan_cls", networks.gan_cls),
        ("dcgan_cls", networks.dcgan_cls),
        ("df_gan", networks.df_gan),
    )
) + (
    NetworkRow(
        "wgan_gp",
        functools.partial(networks.wgan_gp.generator, channels=3),
        functools.partial(networks.wgan_gp.discriminator, channels=3),
        sizes=(16, 28),
        refused=(5, 0),
        score="alone",
    ),
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
    common = {"image_size": size, "width": 4}
    if row.score == "matched":
        common["text_dim"] = harness.TEXT
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
        system = row.make((players or row.players)(), **options)
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
    batches = drawn(row, first + moves)
    return system.fit(batches.skip(first), verbose=0, shuffle=False).history


def drawn(row, moves):
    """Draws batches that hold what a row's system needs.

    Args:
        row: SystemRow.
        moves: int. How many.

    Returns:
        `tf.data.Dataset`.
    """
    batches = harness.toy_batches(moves, wrong=row.wrong)
    if row.has_text:
        return batches
    return batches.map(
        lambda batch: {k: v for k, v in batch.items() if k != "sentence"}
    )


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
        **options | {"players": lambda: row.players(seed=7)},
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
