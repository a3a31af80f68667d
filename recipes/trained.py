"""Opens what was trained before: a run directory or a preset."""

import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from ml_collections import config_dict

from keras_t2i import callbacks, networks, serving, weights
from keras_t2i.ops import files
from recipes import messages, wiring
from recipes.configs import common


class Trained(NamedTuple):
    """A generator that can draw, and how it came about.

    Attributes:
        painter: `networks.Painter`, in float32, or `serving.Served`.
        card: dict: "recipe" (the config as a dict), "moves" and, of a
            preset, its scores.
    """

    painter: networks.Painter
    card: dict

    @property
    def reader(self):
        """What reads captions: the painter's own, or the config's."""
        own = getattr(self.painter, "text_encoder", None)
        if own is None and wiring.is_tuned(self.config):
            raise ValueError(
                "The reader of captions learned beside this generator, and "
                "the SavedModel doesn't tell its vectors: judge the run "
                "itself (--workdir)."
            )
        return own or wiring.text_encoder(self.config)

    @property
    def config(self) -> config_dict.ConfigDict:
        """The config it was trained with, locked."""
        return config_dict.ConfigDict(self.card["recipe"]).lock()


def read_config(
    workdir: str | os.PathLike, template: Callable = common.base
) -> config_dict.ConfigDict:
    """Reads the config that a run directory was made with.

    Args:
        workdir: the run directory.
        template: callable, no arguments -> the config with its defaults, of
            the kind that is wanted.

    Returns:
        The locked config.

    Raises:
        ValueError: if there is none, or it can't be read.
    """
    path = pathlib.Path(workdir) / "config.json"
    if not path.exists():
        inside = sorted(
            p.parent.name for p in path.parent.glob("*/config.json")
        )
        hint = f" Runs inside it: {', '.join(inside)}." if inside else ""
        raise ValueError(
            f"{workdir} is no run directory made by recipes.train: it has no "
            f"config.json.{hint}"
        )
    try:
        config = config_dict.ConfigDict(json.loads(path.read_text())).lock()
        _check_kinds(config, template(), "")
        return config
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} can't be read ({error}); is {workdir} a run directory "
            "made by recipes.train?"
        ) from error


def run(
    workdir: str | os.PathLike, checkpoint: str | os.PathLike | None = None
) -> Trained:
    """Opens a run as a checkpoint left it.

    Args:
        workdir: the run directory.
        checkpoint: the folder of one; the newest when None.

    Returns:
        Its generator, the averaged one if there is one.

    Raises:
        ValueError: if there is no checkpoint, or it can't be read.
    """
    return next(at_each(workdir, [checkpoint]))


def at_each(
    workdir: str | os.PathLike,
    checkpoints: Iterable[str | os.PathLike | None],
) -> Iterator[Trained]:
    """Opens a run as one checkpoint after the other left it.

    Args:
        workdir: the run directory.
        checkpoints: the folder of each; the newest where it is None.

    Yields:
        What `run` gives. All have the same painter, which draws as the last
        of them that came.

    Raises:
        ValueError: as `run`.
    """
    config = read_config(workdir)
    reader = wiring.text_encoder(config)
    system = wiring.system(exact(config), reader, readers=wiring.NOBODY)
    painter = system.painter
    for checkpoint in checkpoints:
        moves = bring(system, workdir, checkpoint)
        yield Trained(painter, {"recipe": config.to_dict(), "moves": moves})


def bring(
    system,
    workdir: str | os.PathLike,
    checkpoint: str | os.PathLike | None = None,
) -> int:
    """Brings a run's system to where a checkpoint left it.

    Args:
        system: `systems.System`, as the run's config describes it.
        workdir: the run directory.
        checkpoint: the folder of one; the newest when None.

    Returns:
        The count of moves made.

    Raises:
        ValueError: if there is no checkpoint, or it can't be read.
    """
    place = checkpoint or pathlib.Path(workdir) / "checkpoints"
    moves = callbacks.restore(system, pathlib.Path(place))
    if moves:
        return moves
    if checkpoint:
        raise ValueError(f"--checkpoint={checkpoint} holds no checkpoint.")
    raise ValueError(
        f"{place} holds no checkpoint; train first: python -m recipes.train "
        f"--workdir={workdir}"
    )


def opened(flag: str, name: str, checkpoint: str | None = None) -> Trained:
    """Opens what a command's flags name.

    Args:
        flag: "preset", "saved_model" or "workdir".
        name: the flag's value.
        checkpoint: value of --checkpoint, or None.

    Returns:
        What was trained.

    Raises:
        ValueError: if it can't be opened, or the flags don't fit together.
    """
    if flag == "workdir":
        return run(messages.folder(flag, name), checkpoint)
    if checkpoint:
        raise ValueError("--checkpoint is one of a --workdir; none came.")
    if flag == "saved_model":
        return saved_model(messages.folder(flag, name))
    return preset(name)


def preset(name: str, folder: str | os.PathLike | None = None) -> Trained:
    """Opens a trained generator that came with the package.

    Args:
        name: for instance "openmoji_64".
        folder: where it lies; the package's own by default.

    Returns:
        Its generator, and its card.

    Raises:
        ValueError: if it is unknown or damaged, its card names no recipe, or
            its reader's weights are missing.
    """
    known = dict.fromkeys(weights.presets.names(folder))
    messages.choose("--preset", name, known)
    generator, card = weights.presets.load(name, folder)
    if "recipe" not in card:
        raise ValueError(f"The card of {name} names no recipe.")
    config = config_dict.ConfigDict(card["recipe"])
    encoder = wiring.text_encoder(config)
    return Trained(networks.Painter(generator, encoder), card)


def saved_model(folder: str | os.PathLike) -> Trained:
    """Opens a generator that recipes.export wrote.

    Args:
        folder: the SavedModel.

    Returns:
        Its painter, which answers bytes, and its card.

    Raises:
        ValueError: if it can't be read, or its card names no recipe.
    """
    served = serving.load(folder)
    if "recipe" not in served.card or "moves" not in served.card:
        raise ValueError(
            f"The card of {folder} names no recipe: which captions it should "
            "draw is not known. Judge pictures in folders instead."
        )
    if not served.card.get("generator_digest"):  # An old export.
        held = sorted(pathlib.Path(folder, "variables").iterdir())
        digest = files.digest(*(path.read_bytes() for path in held))
        served.card["generator_digest"] = digest
    return Trained(served, served.card)


def identity(painter) -> dict:
    """Says which generator draws.

    Args:
        painter: `networks.Painter` or `serving.Served`.

    Returns:
        "generator_digest" and "parameters", which old exports don't tell:
        None then.
    """
    if not hasattr(painter, "generator"):
        known = ("generator_digest", "parameters")
        return {key: painter.card.get(key) for key in known}
    arrays = [np.asarray(weight) for weight in painter.generator.weights]
    return {
        "generator_digest": files.digest(*arrays),
        "parameters": int(sum(array.size for array in arrays)),
    }


def _check_kinds(config, known, above):
    """Refuses a config that lacks a key or holds another kind of value.

    Keys whose default is None may be missing, and sections of nothing but
    such: some are younger than the run.
    """
    for key, wanted in known.items():
        kind, value = known.get_type(key), config.get(key)
        name = f"{above}{key}"
        if key not in config and not _may_be_missing(wanted):
            raise ValueError(f"{name} is missing")
        if key not in config:
            continue
        if isinstance(wanted, config_dict.ConfigDict):
            if not isinstance(value, config_dict.ConfigDict):
                raise ValueError(f"{name} is {value!r}, no section")
            _check_kinds(value, wanted, f"{name}.")
        elif value is not None and not _is(value, kind):
            raise ValueError(f"{name} is {value!r}, no {kind.__name__}")


def _may_be_missing(wanted):
    if isinstance(wanted, config_dict.ConfigDict):
        return all(map(_may_be_missing, wanted.values()))
    return wanted is None


def _is(value, kind):
    """Whether a value of a JSON file may stand for one of this kind."""
    takes = {float: (int, float), tuple: (list, tuple)}
    return isinstance(value, takes.get(kind, kind))


def exact(config) -> config_dict.ConfigDict:
    """Asks for float32, in which pictures are judged and served.

    Args:
        config: the run's config.

    Returns:
        A copy; the variables it builds are the same.
    """
    config = config.copy_and_resolve_references()
    config.train.precision = "float32"
    return config
