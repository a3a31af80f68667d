"""Turns a config's optimizers into objects."""

import keras

from keras_t2i.ops import adam
from recipes import messages


def compile_players(system, config, rate: float = 1.0):
    """Hands each player of a system the optimizer that its config asks for.

    Args:
        system: `systems.System`, built.
        config: with the sections optimizers and train.
        rate: float > 0. All learning rates are so many times the config's.

    Raises:
        ValueError: if a player has no optimizer there, or as `optimizer` and
            `systems.System.compile`.
    """
    section = config.train
    found = {
        name: optimizer(
            _section(config, name),
            name,
            system.steps_of(name),
            section.moves,
            rate,
        )
        for name in system.players
    }
    system.compile(
        found,
        xla=section.xla,
        micro_batches=section.get("micro_batches") or 1,
        is_watched=True,
    )


def _section(config, player):
    section = config.optimizers.get(player.partition("_")[0])
    if section is None:
        raise ValueError(
            f"config.system.name is {config.system.name!r}, whose {player} "
            f"learns, and there is no config.optimizers.{player}: start from "
            "a config that has it, such as ssa_gan_cub.py:tuned."
        )
    return section


def optimizer(
    section,
    player: str,
    steps: int = 1,
    moves: int | None = None,
    factor: float = 1.0,
) -> keras.optimizers.Optimizer:
    """Makes an optimizer.

    Args:
        section: one of `config.optimizers`.
        player: whose it is, for messages.
        steps: how many steps it takes in a move.
        moves: of the whole run; needed for a decay without length.
        factor: the learning rate is so many times the section's.

    Returns:
        `keras.optimizers.Adam` or `RMSprop`, with the schedule, the clipping
        and the decay of weights that the section asks for.

    Raises:
        ValueError: if it is unknown, its schedule is longer than the run, or
            two ways of clipping are asked for.
    """
    what = f"config.optimizers.{player}.name"
    kinds = {"Adam": adam.Adam, "RMSprop": keras.optimizers.RMSprop}
    kind = messages.choose(what, section.name, kinds)
    what = f"config.optimizers.{player}"
    rate = _rate(section, what, section.learning_rate * factor, steps, moves)
    clip = {
        "global_clipnorm": section.get("clip_norm"),
        "clipvalue": section.get("clip_value"),
    }
    for key in ("clip_norm", "clip_value", "weight_decay"):
        if section.get(key) is not None and section[key] <= 0.0:
            raise ValueError(
                f"config.optimizers.{player}.{key} is {section[key]}; "
                "allowed: above 0."
            )
    if None not in clip.values():
        raise ValueError(
            f"config.optimizers.{player} has clip_norm and clip_value; one of "
            "them is allowed."
        )
    more = {**clip, "weight_decay": section.get("weight_decay")}
    if section.name == "RMSprop":
        return kind(rate, rho=section.beta_2, epsilon=section.epsilon, **more)
    return kind(
        rate,
        beta_1=section.beta_1,
        beta_2=section.beta_2,
        epsilon=section.epsilon,
        **more,
    )


def _rate(section, what, rate, steps, moves):
    """The learning rate, or its schedule over the optimizer's own steps."""
    schedules = keras.optimizers.schedules
    decay = section.get("decay")
    if section.halve_every and decay:
        raise ValueError(
            f"{what} has halve_every and decay; one of them is allowed."
        )
    if section.halve_every:
        every = section.halve_every * steps
        return schedules.ExponentialDecay(rate, every, 0.5, staircase=True)
    given_length = section.get("decay_moves")
    if given_length is not None and (not decay or given_length < 1):
        raise ValueError(
            f"{what}.decay_moves is {given_length} and decay is {decay!r}; "
            "allowed: 1 and more, with decay 'linear' or 'cosine'."
        )
    if not decay:
        return rate
    ways = {
        "linear": lambda n: schedules.PolynomialDecay(rate, n, 0.0),
        "cosine": lambda n: schedules.CosineDecay(rate, n),
    }
    way = messages.choose(f"{what}.decay", decay, ways)
    length = given_length or moves
    if moves is not None and length > moves:
        raise ValueError(
            f"{what}.decay_moves is {length}, but the run has {moves} moves; "
            "allowed: up to that."
        )
    return way(length * steps)
