"""Pre-trains readers of captions and pictures: what its recipes share."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_t2i import callbacks, weights
from keras_t2i.metrics import retrieval
from recipes import (
    agreeing,
    letters,
    messages,
    reading,
    streams,
    trained,
    training,
)
from recipes.configs import common

#: The folder of the finished pair in a run directory.
READER = "reader"


def train(config, workdir, **more):
    """Trains a pair of readers, or goes on, as `training.train` does.

    Args:
        config: made by `common.readers`.
        workdir: the run directory.
        **more: as for `training.train`.

    Returns:
        The trained system.

    Raises:
        ValueError: as `training.train`.
    """
    return training.train(config, workdir, trade=READERS, **more)


def finish(config, workdir: str | os.PathLike, system) -> weights.readers.Pair:
    """Keeps a trained pair in the run directory, with its scores.

    Args:
        config: the run's config.
        workdir: the run directory.
        system: what `train` gave.

    Returns:
        The pair.

    Raises:
        OSError: if it can't be written.
    """
    workdir = pathlib.Path(workdir)
    pictures, readers = reading.opened(config)
    found = pair(config, system, pictures, readers)
    test = streams.source(config, "test")
    card = found.card | {
        "data": {"train": pictures.digest, "test": test.digest},
        "minutes": minutes(workdir),
        "scores": agreeing.scores(found, config, test),
    }
    weights.readers.save(workdir / READER, system.players, readers.seen, card)
    return found._replace(card=card)


def opened(workdir: str | os.PathLike) -> weights.readers.Pair:
    """Opens the pair that a finished run left.

    Args:
        workdir: the run directory.

    Returns:
        The pair.

    Raises:
        ValueError: if there is none.
    """
    config = trained.read_config(workdir, common.readers)
    base = letters.Letters() if config.text.encoder == "letters" else None
    return weights.readers.load(pathlib.Path(workdir) / READER, base=base)


def pair(config, system, pictures, readers) -> weights.readers.Pair:
    """Makes what reads strings and pictures out of a system as it stands.

    Args:
        config: the run's config.
        system: `systems.DAMSM`.
        pictures: the training pictures.
        readers: what `reading.opened` gave.

    Returns:
        The pair; it shares the system's weights, or has copies of them in
        float32 if the system computes in less.
    """
    players = system.players
    names = pictures.class_names if "classes" in players else ()
    if config.train.precision != "float32":
        players = weights.readers.build(
            config, readers.text, readers.seen, len(names)
        )
        for name, player in players.items():
            player.set_weights(system.players[name].get_weights())
    words = getattr(readers.text, "vocabulary", None)
    card = {
        "recipe": config.to_dict(),
        "moves": int(system.moves.numpy()),
        "vocabulary": list(words.words) if words is not None else None,
    }
    if names:
        card["classes"] = list(names)
    return weights.readers.join(players, readers.text, readers.seen, card)


def minutes(workdir: pathlib.Path) -> float:
    """Tells how long a run took.

    Args:
        workdir: the run directory.

    Returns:
        Minutes.
    """
    rows = callbacks.journal.read(workdir / "metrics.jsonl")
    return callbacks.journal.minutes(rows)


def _check(config):
    messages.choose("config.system.name", config.system.name, {"DAMSM": 0})
    count = config.data.held_out or 10  # Few pictures have no ten nearest.
    toys = np.eye(max(1, min(count, 10)))
    check_best(config, retrieval.recall(toys, toys))


def check_best(config, known):
    """Refuses a choice of the best checkpoint that can't be made.

    Args:
        config: with the sections best and data.
        known: mapping of the scores by which may be chosen.

    Raises:
        ValueError: if counts are out of range, nothing is held out, or the
            score is unknown.
    """
    best, held = config.best, config.data.held_out
    moves = 1 if best.moves is None else best.moves
    if best.keep < 0 or min(best.every, moves) < 1:
        raise ValueError(
            f"config.best has keep {best.keep}, moves {best.moves} and every "
            f"{best.every}; allowed: 0, 1 and 1 and more."
        )
    if not best.keep and not best.moves:
        return
    if not held:
        raise ValueError(
            f"config.best has keep {best.keep} and moves {best.moves}, but "
            "config.data.held_out is 0: say how many training pictures are "
            "set apart to choose by."
        )
    messages.choose("config.best.by", best.by, known)


def _around(config, workdir, system, pictures, readers):
    """Lists what goes on around the moves of readers."""

    def glance():
        whole = streams.source(config, "train")
        held = whole.subset(reading.parted(len(whole), config)[1])

        def measure():
            now = pair(config, system, pictures, readers)
            codes, sentences = agreeing.vectors(now, config, held)
            return retrieval.recall(codes, sentences)

        return measure

    return observers(config, workdir, glance, is_lower_better=False)


def observers(config, workdir, glance, is_lower_better):
    """Lists what goes on around the moves of what draws nothing.

    Args:
        config: the run's config.
        workdir: the run directory.
        glance: as `measure` of `training.best`.
        is_lower_better: as there.

    Returns:
        Callbacks.
    """
    writer = tf.summary.create_file_writer(os.fspath(workdir / "tensorboard"))
    return [
        callbacks.Journal(
            workdir / "metrics.jsonl", workdir / "curves.png", writer=writer
        ),
        callbacks.Health(writer=writer),
        *training.best(config, workdir, glance, is_lower_better),
        callbacks.Checkpoint(workdir / "checkpoints"),
    ]


def _rules(config):
    length = config.train.moves_per_epoch
    return [callbacks.FreshEpochs(length, **config.epochs)]


#: How readers are trained.
READERS = training.Trade(
    template=common.readers,
    check=_check,
    opened=reading.opened,
    system=reading.system,
    fits=lambda config, pictures, system: None,
    stream=reading.stream,
    around=_around,
    rules=_rules,
)
