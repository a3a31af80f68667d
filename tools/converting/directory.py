"""Makes a run directory of released files."""

import json
import os
import pathlib
import shutil
from collections.abc import Mapping

import numpy as np

from keras_t2i import callbacks
from keras_t2i.ops import files
from keras_t2i.weights import arrays
from recipes import messages, training, wiring
from tools.converting import naming, reading

#: Flags that name a network's file.
NETWORKS = (
    "generator",
    "discriminator",
    *(f"discriminator_{size}" for size in (8, 16, 32, 64, 128)),
)
#: Networks whose authors' code reads 18 words and resizes as Torch does now.
_ONE_WAY = ("df_gan", "df_gan_2020", "ssa_gan")
_WIDTH = "ca_net.fc.weight"


def make(
    config,
    workdir: str | os.PathLike,
    paths: Mapping,
    *,
    move: int | None = None,
    max_words: int = 25,
    resize: str = "bilinear_corners",
) -> dict:
    """Reads released files, checks every array and makes a run directory.

    Args:
        config: the run's config; text.encoder and text.source become the
            readers' if there are files of them.
        workdir: the run directory; missing or empty.
        paths: flag -> file: "generator" and any others of `NETWORKS`, and
            all of `reading.FLAGS` or none.
        move: how many moves the run counts as made; those of the config if
            None.
        max_words: of a caption that is drawn; its end is cut off.
        resize: how pictures reach the reader's network: see
            `encoders.heads.over`.

    Returns:
        dict, player -> `weights.Report` of its file; None if it starts anew.
        The readers' are "text" and "image".

    Raises:
        OSError: if a file can't be opened, or the directory not be written.
        ValueError: naming the file, if it is damaged, unsafe, or of another
            kind or size than the config or the other files. Nothing is
            written then.
    """
    workdir = pathlib.Path(workdir)
    move = config.train.moves if move is None else move
    _check(config, workdir, paths, move)
    found = {
        flag: arrays.read(path)
        for flag, path in paths.items()
        if flag != "captions"
    }
    pair, reports = None, {}
    if "text" in paths:
        pair = reading.of_files(paths, found, max_words, resize)
        reports |= pair.reports
        source = os.fspath(workdir / "reader")
        config.text.update(encoder="damsm", source=source)
    encoder = pair.text if pair else wiring.text_encoder(config)
    _check_width(config, paths, found["generator"], encoder)
    system = wiring.system(config, encoder, readers=wiring.NOBODY)
    for name, player in system.players.items():
        reports[name] = None
        if name in paths:
            reports[name] = _load(config, name, player, paths, found)
    if system.average is not None:
        generator = system.players["generator"]
        system.average.set_weights(generator.get_weights())
    system.moves.assign(move)
    _write(workdir, config, system, pair, _told(paths, reports))
    return reports


def usual(config) -> dict:
    """Tells how the authors' code reads where a system is at home.

    Args:
        config: made by `common.base`.

    Returns:
        "max_words" and "resize", as `make` takes them.
    """
    if config.networks.generator.name in _ONE_WAY:
        return dict(max_words=18, resize="bilinear")
    return dict(max_words=25, resize="bilinear_corners")


def _check(config, workdir, paths, move):
    """Refuses what can't work before any file is read."""
    naming.untuned(config)
    training.check(config, workdir)
    if workdir.exists() and any(workdir.iterdir()):
        raise ValueError(
            f"--workdir={workdir} is not empty; take a new directory."
        )
    if not 1 <= move <= config.train.moves:
        raise ValueError(
            f"--move={move}; allowed: 1 to config.train.moves, which is "
            f"{config.train.moves}."
        )
    given = [f"--{flag}" for flag in reading.FLAGS if flag in paths]
    if given and len(given) < len(reading.FLAGS):
        raise ValueError(
            f"{' and '.join(given)} came; readers are made of --text, --image "
            "and --captions together."
        )
    players = ["generator", "discriminator"]
    players += [f"discriminator_{n}" for n in wiring.smaller_sizes(config)]
    for flag, path in paths.items():
        messages.existing(flag, path)
        if flag in reading.FLAGS:
            continue
        if flag not in players:
            raise ValueError(
                f"--{flag} came; the networks of this config are "
                f"{', '.join(players)}."
            )
        naming.family(config, flag)
    if "generator" not in paths:
        raise ValueError("--generator names no file; it is needed.")


def _check_width(config, paths, found, encoder):
    """Refuses a generator that reads other vectors than its reader says."""
    ends = [key for key in found if key.endswith(_WIDTH)]
    shape = np.shape(found[ends[0]]) if ends else ()
    if len(shape) == 2 and shape[1] != encoder.dim:
        reader = f"config.text.encoder={config.text.encoder}"
        if "text" in paths:
            reader = f"--text={paths['text']}"
        raise ValueError(
            f"--generator={paths['generator']} reads sentences of {shape[1]} "
            f"numbers, {reader} says them in {encoder.dim}: they don't belong "
            "together."
        )


def _load(config, name, player, paths, found):
    family = naming.family(config, name)
    try:
        return reading.load(family, player, name, paths, found)
    except ValueError as error:
        told = ValueError(
            f"{error}{naming.hint(config, name, player, found[name])}"
        )
        told.report = error.report
        raise told from error


def _told(paths, reports):
    """Writes down which files went in."""
    told = {}
    for flag, path in paths.items():
        data = pathlib.Path(path).read_bytes()
        told[flag] = {"file": os.fspath(path), "digest": files.digest(data)}
        if flag in reports:
            told[flag]["arrays"] = len(reports[flag].loaded)
            told[flag]["not needed"] = list(reports[flag].ignored)
    return told


def _write(workdir, config, system, pair, told):
    """Writes the run directory, whole or not at all."""
    beside = workdir.with_name(f".{workdir.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        if pair:
            pair.save(beside / "reader")
        keeper = callbacks.Checkpoint(beside / "checkpoints")
        keeper.set_model(system)
        keeper.on_train_end()
        text = json.dumps(told, indent=1)
        files.atomic_write(beside / "converted.json", text.encode())
        training.write_config(config, beside)
        if workdir.exists():
            workdir.rmdir()
        beside.rename(workdir)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
