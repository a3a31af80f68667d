"""Measures what a move of each of several systems takes, in all fairness."""

import dataclasses
import functools
import json
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Mapping

import keras
from ml_collections import config_dict

from keras_t2i import callbacks
from keras_t2i.ops import files
from recipes import cluster, training

FILE = "speed.json"
_UNEVEN = 1.1  # Rounds that differ by more were not measured in quiet.


@dataclasses.dataclass(frozen=True)
class Way:
    """Says how moves are timed.

    Attributes:
        skipped: moves before, the first of which compiles.
        timed: moves after those.
        rounds: how often every system has its turn.
    """

    skipped: int = 3
    timed: int = 12
    rounds: int = 2


class Watch(keras.callbacks.Callback):
    """Takes the time of each move.

    Attributes:
        seconds: list of float.
    """

    def __init__(self):
        super().__init__()
        self.seconds = []
        self._last = None

    def on_train_batch_begin(self, batch, logs=None):
        """Starts the clock, which then runs from end to end of moves."""
        self._last = self._last or time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Stops it when the move's numbers are there."""
        for value in (logs or {}).values():
            float(value)  # Graphics processors answer when they are done.
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now


def measure(
    configs: Mapping[str, config_dict.ConfigDict],
    path: pathlib.Path,
    way: Way,
    keep: dict | None = None,
    **terms,
) -> dict[str, dict]:
    """Times systems on their own data, one at a time, in turns.

    What was timed before is read, so that a comparison that goes on has the
    budget it began with.

    Args:
        configs: name -> config of a generator.
        path: where the times are kept.
        way: how they are taken.
        keep: dict that takes the timed systems, brought back to where they
            began, for those who won't build and compile them twice; None lets
            each go before the next comes.
        **terms: what else must not change while the file stands, fit for
            JSON: key -> value.

    Returns:
        name -> dict: "ms_per_move", the median of all rounds; "rounds", the
        median of each; "parameters", trainable ones of each player; "config",
        the digest of the config; "devices".

    Raises:
        ValueError: if the file is damaged or was made on other terms, or a
            config can't be played.
    """
    known = _read(path, terms)
    wanted = {name: digest(config) for name, config in configs.items()}
    missing = [
        name
        for name in configs
        if known.get(name, {}).get("config") != wanted[name]
    ]
    taken = {name: [] for name in missing}
    found = {}
    for number in range(way.rounds):
        for name in missing:
            print(
                f"The speed of {name}, {number + 1} of {way.rounds} ...",
                flush=True,
            )
            seconds, system = _timed(configs[name], way)
            taken[name].append(seconds)
            sizes = training.sizes_of(system)
            found[name] = {"config": wanted[name], "parameters": sizes}
            if keep is None:
                del system
                keras.backend.clear_session(free_memory=True)
            else:  # Clearing would make those that are kept compile again.
                keep[name] = system
    for name, rounds in taken.items():
        known[name] = {
            "ms_per_move": _ms(sum(rounds, [])),
            "rounds": [_ms(seconds) for seconds in rounds],
            "devices": _devices(),
            **found[name],
        }
        _tell_uneven(name, known[name]["rounds"])
    if missing:
        text = json.dumps({"terms": terms, "cells": known}, indent=1)
        files.atomic_write(path, text.encode())
    return {name: known[name] for name in configs}


def _tell_uneven(name, rounds):
    if max(rounds) > _UNEVEN * min(rounds):
        told = " and ".join(f"{ms:,.0f}" for ms in rounds)
        print(
            f"A move of {name} took {told} ms: other programs may keep this "
            f"machine busy. Remove {FILE} to measure again when it is quiet."
        )


def digest(config: config_dict.ConfigDict) -> str:
    """Names a config by its content.

    Args:
        config: any.

    Returns:
        64 hexadecimal digits.
    """
    return files.digest(config.to_json(sort_keys=True))


def moves_in(config, seconds: float, ms_per_move: float) -> int:
    """Counts the moves that fit into a time, whole epochs only.

    Args:
        config: the run's config.
        seconds: the time.
        ms_per_move: what one takes.

    Returns:
        A multiple of config.train.moves_per_epoch, which may be 0.
    """
    length = config.train.moves_per_epoch
    return int(1e3 * seconds / ms_per_move) // length * length


def _read(path, terms) -> dict:
    if not path.exists():
        return {}
    try:
        held = json.loads(path.read_text())
        before, cells = dict(held["terms"]), dict(held["cells"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} can't be read: {error}") from error
    for key, value in terms.items():
        if before.get(key) != value:
            raise ValueError(
                f"{path.parent} holds a comparison with {key} "
                f"{before.get(key)}; now it is {value}. Take another "
                "--workdir."
            )
    return cells


def _timed(config, way):
    """Plays a few moves as a run would; answers seconds, and who played."""
    trade = training.GENERATORS
    played = cluster.strategy("none")
    pictures, reader = trade.opened(config)
    with played.scope():
        system = trade.system(config, pictures, reader, 1.0)
    trade.fits(config, pictures, system)
    stream = functools.partial(
        trade.stream,
        config,
        pictures,
        reader,
        batches_per_move=system.batches_per_move,
    )
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        keeper = callbacks.Checkpoint(folder)
        keeper.set_model(system)
        keeper.on_train_end()  # As it begins.
        system.fit(
            cluster.batches(played, stream, 0),
            steps_per_epoch=way.skipped + way.timed,
            verbose=0,
            callbacks=[watch],
            shuffle=False,
        )
        callbacks.restore(system, folder)
    return watch.seconds[way.skipped :], system


def _devices() -> str:
    devices = cluster.devices(cluster.strategy("none"))
    is_processor = devices.startswith("CPU")
    return f"{os.cpu_count()} CPU cores" if is_processor else devices


def _ms(seconds) -> float:
    return round(1e3 * statistics.median(seconds), 2)
