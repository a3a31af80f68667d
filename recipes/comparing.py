"""Lays scores of several runs side by side, if they were measured alike."""

import json
import pathlib
from collections.abc import Sequence

from keras_t2i.metrics import protocols

_NEEDED = ("candidate", "name", "value", "protocol")


def compare(paths: Sequence[str], force: bool = False) -> str:
    """Makes one table of files of scores.

    Args:
        paths: files that recipes.evaluate wrote, scores.jsonl.
        force: whether figures that were measured differently are shown too,
            with what differs below the table.

    Returns:
        Markdown: a line a candidate with its parameters, a column a figure;
        in brackets the interval of 20 subsamples, or ± the standard
        deviation over noises.

    Raises:
        ValueError: if a file can't be read or holds no scores, if no figure
            stands in two files, or, without `force`, if one was measured
            differently.
    """
    tables = {name: read(path) for name, path in _named(paths).items()}
    shared = _shared(tables)
    if len(tables) > 1 and not shared:
        has = "; ".join(
            f"{name} has {', '.join(dict.fromkeys(r['name'] for r in rows))}"
            for name, rows in tables.items()
        )
        raise ValueError(f"No figure stands in two of the files: {has}.")
    faults = _grouped([x for name in shared for x in _faults(tables, name)])
    if faults and not force:
        raise ValueError(
            "These figures were not measured alike: "
            f"{'; '.join(faults)}. With --force they are shown all the same."
        )
    notes = [f"Not measured alike: {fault}." for fault in faults]
    return "\n\n".join([_table(tables), *notes])


def read(path: str) -> list[dict]:
    """Reads a file of scores.

    Args:
        path: one JSON object a line.

    Returns:
        Its rows.

    Raises:
        ValueError: naming the file, and the line if one is no score.
    """
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read: {error}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            lacking = [key for key in _NEEDED if key not in row]
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        if lacking:
            raise ValueError(
                f"{path}, line {number} is no score: it has no "
                f"{', '.join(lacking)}."
            )
        rows.append(row)
    if not rows:
        raise ValueError(f"{path} holds no scores.")
    return rows


def _named(paths):
    """Files by the shortest names that tell them apart."""
    paths = [pathlib.Path(path) for path in paths]
    if len(set(paths)) < len(paths):
        raise ValueError("A file was named twice.")
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, paths, strict=True))


def _shared(tables):
    """Figures that stand in more than one file, in order."""
    found = [
        name
        for rows in tables.values()
        for name in dict.fromkeys(row["name"] for row in rows)
    ]
    return [name for name in dict.fromkeys(found) if found.count(name) > 1]


def _faults(tables, name):
    """What makes a figure of later files differ from that of the first."""
    first, found = None, []
    for file, rows in tables.items():
        cards = {r["candidate"]: r["protocol"] for r in rows[::-1]
                 if r["name"] == name}  # fmt: skip
        if not cards:
            continue
        if first is None:
            first, known = file, cards
            continue
        for candidate, card in cards.items():
            beside = known.get(candidate, next(reversed(known.values())))
            phrases = protocols.differences(beside, card)
            if phrases:
                found.append((name, first, file, "; ".join(phrases)))
                break
    return found


def _grouped(faults):
    """Words faults; figures that differ in the same are told together."""
    names = {}
    for name, *rest in faults:
        names.setdefault(tuple(rest), []).append(name)
    return [
        f"{', '.join(some)} of {first} and of {file} ({phrases})"
        for (first, file, phrases), some in names.items()
    ]


def _table(tables):
    names = list(
        dict.fromkeys(r["name"] for rows in tables.values() for r in rows)
    )
    lines = [["", "parameters", *names], ["---"] * (len(names) + 2)]
    for file, rows in tables.items():
        cells = {(r["candidate"], r["name"]): _cell(r) for r in rows}
        counts = {}
        for row in rows:
            count = row["protocol"].get("parameters")
            if count is not None:
                counts[row["candidate"]] = f"{count:,}"
        for candidate in dict.fromkeys(candidate for candidate, _ in cells):
            label = candidate if len(tables) == 1 else f"{file}: {candidate}"
            found = [cells.get((candidate, name), "-") for name in names]
            lines.append([label, counts.get(candidate, "-"), *found])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row):
    text = f"{row['value']:.4g}"
    if row.get("sampling"):
        return f"{text} [{row['sampling']['low']:.4g}, " + (
            f"{row['sampling']['high']:.4g}]"
        )
    return f"{text} ± {row['std']:.2g}" if row.get("std") else text
