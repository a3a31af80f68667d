"""Lays out what runs left besides scores: their health, and times."""

import os
import pathlib

import tensorflow as tf

#: What a healthy run's row shows -> the head of its column.
PULSE = {
    "losses/discriminator": "loss of discriminator",
    "losses/generator": "loss of generator",
    "health/discriminator_gradient_length": "gradient of discriminator",
    "health/generator_gradient_length": "gradient of generator",
    "health/balance": "balance",
    "health/penalty_weighed": "penalty, weighed",
    "health/diversity": "diversity",
}
#: What tools/time_step.py prints -> the head of its column.
TIMES = {
    "precision": "precision",
    "xla": "XLA",
    "replicas": "replicas",
    "batch_size": "batch",
    "ms_per_move": "ms a move",
    "pictures_per_s": "pictures a second",
    "compile_s": "compiling, s",
    "peak_gb": "memory, GB",
}


def pulse(workdir: pathlib.Path) -> dict[str, list[float]]:
    """Reads from TensorBoard's files how a run went.

    Args:
        workdir: the run directory.

    Returns:
        Each name of `PULSE` that is there -> the least and the most of all
        epochs.

    Raises:
        OSError: if the run has no such files.
    """
    paths = sorted((workdir / "tensorboard").glob("events.*"))
    if not paths:
        raise OSError(f"{workdir}/tensorboard holds no events.")
    found = {}
    for path in paths:
        for event in tf.compat.v1.train.summary_iterator(os.fspath(path)):
            for value in event.summary.value:
                if value.tag in PULSE:
                    number = float(tf.make_ndarray(value.tensor))
                    found.setdefault(value.tag, []).append(number)
    return {
        name: [min(found[name]), max(found[name])]
        for name in PULSE
        if name in found
    }


def health(rows) -> str:
    """Lays out how runs went, a line a run.

    Args:
        rows: each with "health", as `pulse` gives it, and "run".

    Returns:
        Markdown.
    """
    lines = [["run", *PULSE.values()]]
    for row in rows:
        config = row["run"]["config"]
        moves = config["train"]["moves"]
        cells = [_range(row["health"].get(name)) for name in PULSE]
        lines.append([f"{config['system']['name']}, {moves:,} moves", *cells])
    return f"{_markdown(lines)}\n\n{commands(rows)}"


def times(rows) -> str:
    """Lays out what moves cost, a line a way of playing.

    Args:
        rows: each the JSON of tools/time_step.py, and "run".

    Returns:
        Markdown.
    """
    lines = [["config", *TIMES.values()]]
    for row in rows:
        config = pathlib.Path(row["config"].split(":")[0]).stem
        lines.append([config, *(_cell(row[key]) for key in TIMES)])
    return f"{_markdown(lines)}\n\n{commands(rows)}"


def figures(rows) -> str:
    """Lays out what a tool printed as JSON: a line a run, or a figure.

    Args:
        rows: each such an object, and "run"; all with the same names.

    Returns:
        Markdown: a column a name; of a single row, a line a name.
    """
    flat = [
        dict(_flat({k: v for k, v in r.items() if k != "run"})) for r in rows
    ]
    if len(flat) == 1:
        lines = [["figure", ""]]
        lines += [[name, _cell(x, 5)] for name, x in flat[0].items()]
    else:
        lines = [list(flat[0])]
        lines += [[_cell(row[name], 5) for name in lines[0]] for row in flat]
    return f"{_markdown(lines)}\n\n{commands(rows)}"


def _flat(found, before=""):
    for name, value in found.items():
        name = f"{before}{name}".replace("_", " ")
        if isinstance(value, dict):
            yield from _flat(value, f"{name}, ")
        else:
            yield name, value


def _cell(value, digits: int = 3) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return f"{value}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def _range(pair) -> str:
    return "-" if pair is None else " to ".join(map(_cell, pair))


def _markdown(lines) -> str:
    head, *rest = lines
    return "\n".join(
        f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rest]
    )


def commands(rows) -> str:
    """Lists what was typed to make rows, and at which commit.

    Args:
        rows: each with "run".

    Returns:
        A line.
    """
    told = {row["run"]["command"]: row["run"]["commit"] for row in rows}
    return "; ".join(f"`{typed}` (commit {at})" for typed, at in told.items())
