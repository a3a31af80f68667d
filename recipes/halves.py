"""Lays a sheet's rows out: equal time, which decides, and equal moves."""

from collections.abc import Sequence

import numpy as np

from keras_t2i.metrics import protocols

#: Kinds of figures that are shown; all stand in the rows.
SHOWN = (
    "fid",
    "kid",
    "is",
    "r_precision",
    "colour_truth",
    "diversity",
)
_HIDDEN = "diversity_pixels"


def table(rows: Sequence[dict]) -> str:
    """Lays rows out for people: a line a cell in each half.

    Args:
        rows: of `sheet.read`, of one comparison.

    Returns:
        Markdown: of several seeds, means and their standard deviation; of one,
        its figures with the interval of subsamples or the deviation over
        noises.

    Raises:
        ValueError: if rows are of comparisons that can't be mixed.
    """
    _check_one(rows)
    groups = {}
    for row in rows:
        groups.setdefault(row["cell"], []).append(row)
    whole = [row for row in rows if "fault" not in row]
    names = dict.fromkeys(n for row in whole for n in row["time"]["scores"])
    names = [name for name in names if _is_shown(name)]
    parts = []
    if rows[0]["quick"]:
        parts.append(
            "**For the layout only (--quick): no cell has learned anything, "
            "and these figures mean nothing.**"
        )
    parts.append(f"**Equal wall time**, which decides: {budget(rows[0])}.")
    parts.append(_half(groups, "time", names))
    if whole:
        parts.append(f"**Equal moves**: {whole[0]['moves']['moves']:,} each.")
        parts.append(_half(groups, "moves", names))
    return "\n\n".join([*parts, *_notes(rows, whole)])


def budget(row: dict) -> str:
    """Words how long cells play.

    Args:
        row: any of a comparison.

    Returns:
        For instance "15 minutes a cell".
    """
    unit = "seconds (--quick)" if row["quick"] else "minutes"
    return f"{row['minutes_each']:g} {unit} a cell"


def _check_one(rows):
    for key in ("sheet", "quick", "minutes_each"):
        held = list(dict.fromkeys(row[key] for row in rows))
        if len(held) > 1:
            raise ValueError(
                f"The rows are of several comparisons: {key} is "
                f"{' and '.join(map(str, held))}."
            )
    equal = {row["moves"]["moves"] for row in rows if "fault" not in row}
    if len(equal) > 1:
        raise ValueError(
            "The rows were not judged after equally many moves: "
            f"{', '.join(map(str, sorted(equal)))}."
        )


def _half(groups, half, names) -> str:
    has_speed = half == "time"
    head = ["", "seeds"]
    head += ["parameters", "ms a move", "moves"] if has_speed else []
    head += ["minutes", *names]
    lines = [head, ["---"] * len(head)]
    for cell, rows in groups.items():
        found = [row[half] for row in rows if "fault" not in row]
        line = [cell, f"{len(found)}"]
        if has_speed:
            row = rows[0]
            line.append(f"{row['parameters'].get('generator', 0):,}")
            line.append(f"{row['ms_per_move']:,.0f}")
            line.append(f"{row['config']['train']['moves']:,}")
        line.append(_mean([one["minutes"] for one in found]))
        line += [_cell([one["scores"].get(n) for one in found]) for n in names]
        lines.append(line)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _mean(values) -> str:
    return f"{np.mean(values):.1f}" if values else "-"


def _cell(scores) -> str:
    """One score with its interval, or the mean of several seeds' ones."""
    scores = [score for score in scores if score]
    if not scores:
        return "-"
    values = [score["value"] for score in scores]
    text = f"{np.mean(values):.3g}"
    if len(values) > 1:
        return f"{text} ± {_rounded(np.std(values, ddof=1))}"
    (score,) = scores
    if score["sampling"]:
        ends = score["sampling"]["low"], score["sampling"]["high"]
        return f"{text} [{ends[0]:.3g}, {ends[1]:.3g}]"
    has_spread = len(score["values"]) > 1
    return f"{text} ± {_rounded(score['std'])}" if has_spread else text


def _rounded(deviation) -> str:
    return f"{round(deviation, 9):.2g}"  # Equal values differ in rounding.


def _is_shown(name) -> bool:
    kinds = [kind for kind in SHOWN if f"{name}_".startswith(f"{kind}_")]
    return bool(kinds) and name != _HIDDEN


def _notes(rows, whole) -> list[str]:
    notes = []
    if whole:
        card = whole[0]["time"]["protocol"]
        counts = card["counts"]
        notes.append(
            f"Protocol {card['preset']}: {counts['candidate']:,} pictures of "
            f"{len(card['seeds'])} noise(s) each, against "
            f"{counts['reference']:,} {card['reference']} pictures, on "
            f"{rows[0]['devices']}. Parameters are the generator's. [a, b]: "
            "the 95 % interval of 20 subsamples; ±: the standard deviation, "
            "over seeds where there are several, else over noises."
        )
    taught = _cells_by(
        whole, lambda row: row["time"]["protocol"].get("trained_with", ())
    )
    notes += [
        f"In the training loss of {cells}: {name}. Figures that it makes of "
        "them say how well the loss was pleased, too."
        for name, cells in taught.items()
    ]
    unlike = _cells_by(whole, lambda row: _differences(whole[0], row))
    notes += [
        f"Not measured like {whole[0]['cell']}: {cells}, for {phrase}."
        for phrase, cells in unlike.items()
    ]
    notes += [
        f"{row['cell']}, seed {row['seed']}, is out: {row['fault']}"
        for row in rows
        if "fault" in row
    ]
    return notes


def _cells_by(rows, facts) -> dict[str, str]:
    """Gathers by what is true of them: fact -> cells."""
    found = {}
    for row in rows:
        for fact in facts(row):
            found.setdefault(fact, {})[row["cell"]] = None
    return {fact: ", ".join(cells) for fact, cells in found.items()}


def _differences(one, other) -> list[str]:
    """What makes two rows' figures incomparable."""
    phrases = []
    for half in ("time", "moves"):
        cards = one[half]["protocol"], other[half]["protocol"]
        phrases += protocols.differences(*cards)
    if one["devices"] != other["devices"]:
        phrases.append(f"it played on {other['devices']}")
    return phrases
