"""Opens sheets: files that say which generators are trained side by side."""

import dataclasses
import importlib.util
import pathlib
import re
from collections.abc import Mapping

from ml_collections import config_dict

from recipes import training

_KEYS = ("title", "cells", "reader")
#: What cells must have in common, or their figures can't be compared.
_ALIKE = (
    "data.name",
    "data.path",
    "data.image_size",
    "data.labels",
    "samples.captions",
    "train.moves_per_epoch",
)
#: Of --quick: an epoch's moves, and epochs that are never reached.
_EPOCH, _NEVER = 5, 10**6


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Says what is compared.

    Attributes:
        title: what the comparison is called.
        cells: what a generator is called -> its config.
        reader: a config whose `text` says who reads captions when all are
            judged: one reader for all, or R-precision says nothing.
    """

    title: str
    cells: Mapping[str, config_dict.ConfigDict]
    reader: config_dict.ConfigDict


def load(path: str) -> Sheet:
    """Reads a sheet.

    Args:
        path: a Python file with `get_sheet()`, which returns a dict: "title";
            "cells", name -> config made by `common.base`; and maybe "reader",
            a config whose `text` says who reads captions for the judge, else
            the first cell's counts.

    Returns:
        The sheet.

    Raises:
        ValueError: if it can't be read, or its cells can't be compared.
    """
    described = _described(path)
    unknown = sorted(set(described) - set(_KEYS))
    lacking = [key for key in _KEYS[:2] if not described.get(key)]
    if unknown or lacking:
        found = [f"has unknown {', '.join(unknown)}"] if unknown else []
        found += [f"has no {', '.join(lacking)}"] if lacking else []
        raise ValueError(
            f"--sheet={path} {' and '.join(found)}; get_sheet() returns a "
            "dict of title, cells and, if wanted, reader."
        )
    cells = described["cells"]
    if not isinstance(cells, Mapping):
        raise ValueError(f"--sheet={path}: cells are no dict.")
    reader = described.get("reader", next(iter(cells.values())))
    for name, config in [*cells.items(), ("reader", reader)]:
        _check_kind(path, name, config)
    _check_alike(path, cells)
    return Sheet(described["title"], cells, reader)


def quick(sheet: Sheet) -> Sheet:
    """Shrinks what a sheet's cells do beside their moves.

    Args:
        sheet: the sheet.

    Returns:
        Another: epochs of a few moves, nothing drawn or kept between them.
    """
    cells = {}
    for name, config in sheet.cells.items():
        config = config.copy_and_resolve_references()
        config.train.update(moves=_EPOCH, moves_per_epoch=_EPOCH)
        config.samples.every = _NEVER
        config.best.update(keep=0, moves=None)
        for section in config.optimizers.values():
            section.decay_moves = None  # May be more than are played.
        cells[name] = config
    return dataclasses.replace(sheet, cells=cells)


def folder(name: str, seed: int) -> str:
    """Names the run directory of a cell.

    Args:
        name: the cell.
        seed: of data order, draws and weights.

    Returns:
        Small letters, digits and underscores.
    """
    return f"{re.sub('[^a-z0-9]+', '_', name.lower()).strip('_')}_{seed}"


def planned(
    config: config_dict.ConfigDict, seed: int, moves: int
) -> config_dict.ConfigDict:
    """Makes the config of one run.

    Args:
        config: the cell's.
        seed: added to that of the config.
        moves: how many it plays.

    Returns:
        Another config.
    """
    config = config.copy_and_resolve_references()
    config.train.seed += seed
    config.train.moves = moves
    return config


def _described(path) -> dict:
    place = pathlib.Path(path)
    if not place.is_file():
        raise ValueError(
            f"--sheet={path} is no file; give a Python file such as "
            "recipes/sheets/contrastive_openmoji.py."
        )
    name = f"sheet_{place.stem}"
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None:
        raise ValueError(f"--sheet={path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        described = module.get_sheet()
    except Exception as error:  # Anybody's file may raise anything at all.
        raise ValueError(
            f"--sheet={path} can't be read: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(described, Mapping):
        raise ValueError(f"--sheet={path}: get_sheet() returns no dict.")
    return dict(described)


def _check_kind(path, name, config):
    is_config = isinstance(config, config_dict.ConfigDict)
    if not is_config or "networks" not in config:
        raise ValueError(
            f"--sheet={path}: {name!r} is no config of a generator; make it "
            "as files in recipes/configs do."
        )
    if not config.samples.captions:
        raise ValueError(
            f"--sheet={path}: the side-by-side picture has a column a caption, "
            f"and config.samples of {name!r} has none."
        )
    training.GENERATORS.check(config)


def _check_alike(path, cells):
    places = {}
    for name in cells:
        other = places.setdefault(folder(name, 0), name)
        if other != name:
            raise ValueError(
                f"--sheet={path}: the cells {other!r} and {name!r} would share "
                f"the folder {folder(name, 0)}; call one of them otherwise."
            )
    (first, known), *others = cells.items()
    for name, config in others:
        for key in _ALIKE:
            ours, theirs = (_value(each, key) for each in (config, known))
            if ours != theirs:
                raise ValueError(
                    f"--sheet={path}: config.{key} of {name!r} is {ours!r}, "
                    f"that of {first!r} {theirs!r}; cells of a sheet must "
                    "have it in common."
                )


def _value(config, key):
    section, name = key.split(".")
    value = config[section].get(name)
    return list(value) if isinstance(value, tuple) else value
