"""Makes sheets of small generators, and rows without playing them."""

import pathlib

_FILE = """
from recipes.configs import gan_cls_openmoji

def get_sheet():
    cells = {}
    for name, width in (("Slow", 6), ("Fast & slim", 4)):
        cells[name] = config = gan_cls_openmoji.get_config("smoke")
        config.networks.generator.width = width
    config.optimizers.generator.update(decay="linear", decay_moves=2)
    return MADE
"""


def write(folder: pathlib.Path, made: str | None = None) -> str:
    """Writes a sheet of two cells, slow first.

    Args:
        folder: where; made if missing.
        made: Python words for what it returns; else a good sheet.

    Returns:
        The file's name, for a flag.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "two.py"
    good = "dict(title='Two', cells=cells)"
    path.write_text(_FILE.replace("MADE", made or good))
    return str(path)


def score(value, values=None, std=0.0, ends=None) -> dict:
    """Makes a figure as a row holds it.

    Args:
        value: float.
        values: one a noise.
        std: their deviation.
        ends: of the interval of subsamples, or None.

    Returns:
        dict.
    """
    sampling = ends and {"low": ends[0], "high": ends[1], "error": 0.1}
    more = {"sampling": sampling, "interval": [0.0, 1.0], "protocol": {}}
    return {"value": value, "values": values or [value], "std": std, **more}


def row(cell: str, seed: int = 0, fid: float = 100.0, **more) -> dict:
    """Makes a row of a sheet.

    Args:
        cell: its name.
        seed: its seed.
        fid: after equal time; one more after equal moves.
        **more: entries that replace others.

    Returns:
        dict.
    """
    card = {
        "preset": "offline",
        "reference": "train",
        "seeds": [0, 1, 2],
        "counts": {"reference": 1837, "candidate": 186},
    }
    halves = {}
    for half, moves in (("time", 1200), ("moves", 900)):
        scores = {"fid_eye": score(fid + (half == "moves"), ends=(90, 110))}
        scores["precision_eye"] = score(0.5)
        halves[half] = {
            "moves": moves,
            "minutes": moves / 100,
            "scores": scores,
            "protocol": card,
        }
    return {
        "sheet": "Two",
        "cell": cell,
        "seed": seed,
        "minutes_each": 15.0,
        "quick": False,
        "ms_per_move": 750.4,
        "parameters": {"generator": 1234567, "discriminator": 1},
        "devices": "2 CPU cores",
        "config": {"train": {"moves": 1200}, "data": {"path": None}},
        "command": "typed",
        "commit": "abc1234",
        **halves,
        "key": f"{cell} {seed}",
        **more,
    }
