"""Lays scores of several runs side by side, if they were measured alike."""

import json
import pathlib
from collections.abc import Sequence

from keras_t2i.metrics import protocols
from recipes import judging

_NEEDED = ("candidate", "name", "value", "protocol")
#: Kinds of figures that move with the count of pictures.
_COUNTED = (
    "fid",
    "kid",
    "is",
    "precision",
    "recall",
    "density",
    "coverage",
)
_NOISE = 1e-12  # Smaller deviations are of rounding.


def compare(paths: Sequence[str], force: bool = False) -> str:
    """Makes one table of files of scores.

    Args:
        paths: files that recipes.evaluate wrote, scores.jsonl.
        force: whether figures that were measured differently are shown too,
            with what differs below the table.

    Returns:
        Markdown: a line a candidate with its parameters, a column a figure;
        in brackets the interval of 20 subsamples, or ± the standard
        deviation over noises, or in brackets the row's own interval.

    Raises:
        ValueError: if a file can't be read or holds no scores, if no figure
            stands in two files, or, without `force`, if one was measured
            differently; of candidates in one file only how many pictures they
            have is compared. Real pictures of another count, for there are
            no more, are told of below the table.
    """
    tables = {name: read(path) for name, path in _named(paths).items()}
    shared = _shared(tables)
    if len(tables) > 1 and not shared:
        has = "; ".join(
            f"{name} has {', '.join(dict.fromkeys(r['name'] for r in rows))}"
            for name, rows in tables.items()
        )
        raise ValueError(f"No figure stands in two of the files: {has}.")
    between = [x for name in shared for x in _faults(tables, name)]
    within = [x for file, rows in tables.items() for x in _uneven(file, rows)]
    real = [x for x in within if x[2] in judging.REAL.values()]
    faults = _grouped([x for x in within if x not in real] + between)
    if faults and not force:
        raise ValueError(
            "These figures were not measured alike: "
            f"{'; '.join(faults)}. With --force they are shown all the same."
        )
    notes = [
        f"Not measured alike: {fault}." for fault in faults + _grouped(real)
    ]
    return "\n\n".join([_table(tables), *notes])


def read(path: str) -> list[dict]:
    """Reads a file of scores.

    Args:
        path: one JSON object a line.

    Returns:
        Its rows.

    Raises:
        ValueError: naming the file, and the line if one is no score or
            tells a candidate's figure again.
    """
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read: {error}") from error
    rows, known = [], set()
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
        told = row["candidate"], row["name"]
        if told in known:
            raise ValueError(
                f"{path}, line {number} tells {told[1]} of {told[0]} a second "
                "time."
            )
        known.add(told)
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


def _uneven(file, rows):
    """Figures of a file whose candidates have different counts of pictures."""
    first, found = {}, []
    for row in rows:
        name, counts = row["name"], row["protocol"].get("counts") or {}
        if name.split("_")[0] not in _COUNTED or "candidate" not in counts:
            continue
        card = {"counts": {"candidate": counts["candidate"]}}
        known, beside = first.setdefault(name, (row["candidate"], card))
        phrases = protocols.differences(beside, card)
        if phrases:
            labels = (f"{known} in {file}", row["candidate"])
            found.append((name, *labels, "; ".join(phrases)))
    return found


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
    sampling, std = row.get("sampling"), row.get("std") or 0.0
    ends = (sampling["low"], sampling["high"]) if sampling else None
    if not ends and std >= _NOISE:
        return f"{text} ± {std:.2g}"
    ends = ends or row.get("interval")
    return f"{text} [{ends[0]:.4g}, {ends[1]:.4g}]" if ends else text
