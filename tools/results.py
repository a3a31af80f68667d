r"""Keeps a run's scores as results and renders every table of the README.

    python -m tools.results --workdir=runs/demo --name=demo \
        --command="./tools/demo.sh"
    python -m tools.results

    python -m tools.results --workdir=runs/mine --name=normal --health \
        --command="python -m recipes.train ..."
    python -m tools.results --times=times.jsonl --name=speed \
        --command="python tools/time_step.py ..."
    python -m tools.results --rivals=runs/readers --name=readers \
        --command="python -m recipes.compare ..."
    python -m tools.results --sheet=runs/contrastive --name=contrastive \
        --command="python -m recipes.compare --sheet=..."

With --workdir the rows of its scores.jsonl go to recipes/results/NAME.jsonl,
each with the command, the config, the seed, the minutes of training and the
commit. Where a preset of that name was made of the run, the scores on its card,
measured from the rounded weights, take the place of the run's. With --health a
row with the run's health joins those that are there; with --times the last
lines of tools/time_step.py, or of another tool that ends with JSON, do; with
--rivals the rows of readers that recipes.compare trained do. With --sheet the
rows of a sheet that recipes.compare played take the place of those that are
there. Then the tables between <!-- table NAME --> and <!-- end --> in README.md
are made anew from the committed rows.
"""

import json
import pathlib
import re

from absl import flags

from keras_t2i import weights
from keras_t2i.callbacks import journal
from keras_t2i.metrics import evaluator
from keras_t2i.ops import files
from recipes import halves, messages, rivals, sheet
from tools import tables

_WORKDIR = flags.DEFINE_string("workdir", None, "A judged run directory.")
_NAME = flags.DEFINE_string("name", None, "What its results are called.")
_COMMAND = flags.DEFINE_string("command", None, "What was typed to make it.")
_HEALTH = flags.DEFINE_bool("health", False, "Keep the health, not the scores.")
_TIMES = flags.DEFINE_string(
    "times", None, "File of the lines of JSON that a tool printed last."
)

_RIVALS = flags.DEFINE_string(
    "rivals", None, "A directory where recipes.compare trained readers."
)
_SHEET = flags.DEFINE_string(
    "sheet", None, "A directory where recipes.compare played a sheet."
)

ROOT = pathlib.Path(__file__).resolve().parents[1]
_AGAINST = {
    "train": "training",
    "test": "test",
    "statistics": "imported",
}
_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(_):
    """Keeps and renders from the flags."""
    asked = _NAME.value, _COMMAND.value
    if _TIMES.value:
        keep_times(pathlib.Path(_TIMES.value), *asked)
    elif _RIVALS.value:
        keep_rivals(pathlib.Path(_RIVALS.value), *asked)
    elif _SHEET.value:
        keep_sheet(pathlib.Path(_SHEET.value), *asked)
    elif _WORKDIR.value and _HEALTH.value:
        keep_health(pathlib.Path(_WORKDIR.value), *asked)
    elif _WORKDIR.value:
        keep(pathlib.Path(_WORKDIR.value), *asked)
    readme = ROOT / "README.md"
    files.atomic_write(readme, rendered(readme.read_text()).encode())


def keep(workdir: pathlib.Path, name: str | None, command: str | None):
    """Copies a run's scores to recipes/results.

    Args:
        workdir: the run directory.
        name: what the results are called.
        command: what was typed to make the run.

    Raises:
        ValueError: without a name or a command.
        OSError: if the run was not judged.
    """
    run = _run(workdir, name, command)
    lines = (workdir / "scores.jsonl").read_text().splitlines()
    rows = [{**json.loads(line), "run": run} for line in lines]
    if name in weights.presets.names():
        typed = re.search(r"--workdir=\S+", command)  # not where it lay here
        place = typed[0] if typed else "--workdir=RUN"
        made = f"python -m tools.make_preset {place} --name={name}"
        rows = with_card(rows, weights.presets.load(name)[1], made)
    _replace(name, rows)


def keep_health(workdir: pathlib.Path, name: str | None, command: str | None):
    """Adds a row with a run's health to recipes/results.

    Args:
        workdir: the run directory.
        name: what the results are called.
        command: what was typed to make the run.

    Raises:
        ValueError: without a name or a command.
        OSError: if the run has no TensorBoard files.
    """
    run = _run(workdir, name, command)
    _add(name, {"health": tables.pulse(workdir), "run": run})


def keep_times(path: pathlib.Path, name: str | None, command: str | None):
    """Adds rows of times to recipes/results.

    Args:
        path: lines of JSON as the tool printed them last.
        name: what the results are called.
        command: what was typed.

    Raises:
        ValueError: without a name or a command, or if a line is no JSON.
        OSError: if the file can't be read.
    """
    _check_named(name, command)
    run = {"command": command, "commit": _commit()}
    found = [_parsed(line, path) for line in path.read_text().splitlines()]
    for each in found:
        for row in each.get("ways", [each]):
            _add(name, {**row, "run": run})


def _parsed(line, path):
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(
            f"--times={path}: {line[:40]!r} is no JSON; give the last line of "
            "what the tool printed, and no other."
        ) from error


def keep_rivals(workdir: pathlib.Path, name: str | None, command: str | None):
    """Adds the rows of readers that were compared to recipes/results.

    Args:
        workdir: their directory.
        name: what the results are called.
        command: what was typed.

    Raises:
        ValueError: without a name or a command, or if there are no rows.
    """
    _check_named(name, command)
    rows = rivals.read(workdir)
    if not rows:
        raise ValueError(f"--rivals={workdir} holds no {rivals.FILE}.")
    for row in rows:
        del row["key"]
        _add(name, {**row, "run": {"command": command, "commit": _commit()}})


def keep_sheet(workdir: pathlib.Path, name: str | None, command: str | None):
    """Copies the rows of a sheet to recipes/results.

    Args:
        workdir: its directory.
        name: what the results are called.
        command: what was typed.

    Raises:
        ValueError: without a name or a command, or if there are no rows, or
            they were made with --quick.
    """
    _check_named(name, command)
    rows = sheet.read(workdir)
    if not rows:
        raise ValueError(f"--sheet={workdir} holds no {sheet.FILE}.")
    if any(row["quick"] for row in rows):
        raise ValueError(
            f"--sheet={workdir} was made with --quick; its figures mean "
            "nothing and are no results."
        )
    rows = list({(row["cell"], row["seed"]): row for row in rows}.values())
    kept = []
    for row in rows:
        run = {"command": command, "commit": row.pop("commit") or _commit()}
        del row["key"]
        kept.append({**row, "config": at_home(row["config"]), "run": run})
    _replace(name, kept)


def at_home(config: dict) -> dict:
    """Leaves out of a config where things lay: that is nobody's business.

    Args:
        config: a run's.

    Returns:
        Another, in which the way to the data, and ways from the root on, are
        their last names alone.
    """
    found = {}
    for key, value in config.items():
        if isinstance(value, dict):
            value = at_home(value)
        elif isinstance(value, str):
            place = pathlib.Path(value)
            is_own = key == "path" or place.is_absolute()
            value = place.name if is_own else value
        found[key] = value
    return found


def _replace(name, rows):
    text = "\n".join([*map(json.dumps, rows), ""])
    path = ROOT / "recipes" / "results" / f"{name}.jsonl"
    files.atomic_write(path, text.encode())


def _add(name, row):
    path = ROOT / "recipes" / "results" / f"{name}.jsonl"
    files.append_line(path, json.dumps(row))


def _check_named(name, command):
    if not name or not command:
        raise ValueError("Results need a --name and the --command.")


def _run(workdir, name, command) -> dict:
    """Says what made a run."""
    _check_named(name, command)
    config = json.loads((workdir / "config.json").read_text())
    return {
        "command": command,
        "config": at_home(config),
        "seed": config["train"]["seed"],
        "minutes": journal.minutes(journal.read(workdir / "metrics.jsonl")),
        "commit": _commit(),
    }


def with_card(rows: list[dict], card: dict, command: str) -> list[dict]:
    """Puts the scores of a preset's card in the place of its run's.

    Args:
        rows: the run's, each with its "run".
        card: the preset's card.
        command: what was typed to make the preset.

    Returns:
        As many rows.
    """
    scores = {_key(score): score for score in card["scores"]}
    return [
        {**scores[_key(row)], "run": {**row["run"], "command": command}}
        if _key(row) in scores
        else row
        for row in rows
    ]


def rendered(text: str) -> str:
    """Fills a text's tables from the committed rows.

    Args:
        text: Markdown with table marks.

    Returns:
        The text with every table made anew.

    Raises:
        OSError: if a table names results that don't exist.
    """

    def fill(match):
        path = ROOT / "recipes" / "results" / f"{match[2]}.jsonl"
        rows = [json.loads(x) for x in path.read_text().splitlines()]
        return f"{match[1]}{_laid_out(rows)}\n{match[3]}"

    return _TABLE.sub(fill, text)


def _key(row):
    return row["candidate"], row["name"]


def _laid_out(rows) -> str:
    if "health" in rows[0]:
        return tables.health(rows)
    if "cell" in rows[0]:
        return f"{halves.table(rows)}\n\n{tables.commands(rows)}"
    if "variant" in rows[0]:
        return f"{rivals.table(rows)}\n\n{tables.commands(rows)}"
    if "candidate" in rows[0]:
        return _with_run(rows)
    is_time = "ms_per_move" in rows[0]
    return tables.times(rows) if is_time else tables.figures(rows)


def _with_run(rows) -> str:
    run = rows[0]["run"]
    others = {r["candidate"]: r["run"]["command"] for r in rows}
    others = "".join(
        f" The row of the {candidate}: `{command}`."
        for candidate, command in others.items()
        if command != run["command"]
    )
    protocol = rows[0]["protocol"]
    counts, against = protocol["counts"], _AGAINST[protocol["reference"]]
    many = counts["reference"]  # None: the imported file doesn't say.
    many = "unknown" if many is None else f"{many:,}"
    return (
        f"{evaluator.table(rows)}\n\n"
        f"`{run['command']}`: {run['config']['train']['moves']:,} moves, "
        f"{run['minutes']} minutes on 2 CPU cores, seed {run['seed']}, commit "
        f"{run['commit']}; {counts['candidate']} pictures a row against "
        f"{many} {against} pictures.{others}"
    )


def _commit() -> str:
    found = sheet.commit()
    if found is None:
        raise OSError(f"Results name their commit, and {ROOT} has none.")
    return found


if __name__ == "__main__":
    messages.run(main)
