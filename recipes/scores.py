"""Scores of one evaluation: written, read again, told, confirmed."""

import json
import pathlib
from collections.abc import Iterable, Mapping

from keras_t2i.metrics import evaluator
from keras_t2i.ops import files

FILE = "scores.jsonl"
#: Pictures below which FID, KID and IS are of little use, and of some.
_FEW, _ENOUGH = 50, 500


def write(rows: Iterable[dict], out: pathlib.Path) -> list[dict]:
    """Replaces the scores in a folder and prints them.

    Args:
        rows: the judge's rows.
        out: the folder; made if missing.

    Returns:
        The rows.

    Raises:
        OSError: if it can't be written.
    """
    rows = list(rows)
    lines = [json.dumps(row, allow_nan=False) for row in rows]
    files.atomic_write(out / FILE, "\n".join([*lines, ""]).encode())
    files.atomic_write(out / "scores.md", f"{told(rows)}\n".encode())
    print(f"\n{told(rows)}\n\nScores and their protocols lie in {out}")
    return rows


def kept(out: pathlib.Path, candidate: str, wanted: Mapping) -> list[dict]:
    """Reads a folder's scores if measuring again would give the same.

    Args:
        out: the folder.
        candidate: what was judged, a row's name.
        wanted: what its card must say.

    Returns:
        Rows; none if there are no scores, or the card says something else.
    """
    try:
        lines = (out / FILE).read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        cards = {
            row["candidate"]: dict(row["protocol"]) for row in reversed(rows)
        }
    except (OSError, ValueError, KeyError, TypeError):
        return []
    card = cards.get(candidate, {})
    is_same = all(card.get(key) == value for key, value in wanted.items())
    return rows if is_same else []


def told(rows: list[dict]) -> str:
    """Lays rows out for people, with what must be known to read them.

    Args:
        rows: the judge's rows.

    Returns:
        Markdown: the table and a few sentences.
    """
    lines = []
    first = rows[0]["protocol"]
    counts = [row["protocol"]["counts"].get("candidate") for row in rows]
    counts = sorted({count for count in counts if count is not None})
    count, noises = counts[0], len(first["seeds"])
    if len(counts) > 1:
        lines.append(
            f"{', '.join(f'{each:,}' for each in counts)} pictures: rows of "
            "other counts can't be compared by FID, which is less for more."
        )
    if count < _FEW:
        lines.append(f"{count} pictures a row: FID, KID and IS say little.")
    elif count < _ENOUGH:
        lines.append(
            f"{count} pictures a row, fewer than {_ENOUGH}: FID, KID and IS "
            "compare rows of this table and nothing else."
        )
    for row in rows:
        if "candidates" in row["protocol"]:
            texts = row["protocol"]["candidates"]
            lines.append(f"R-precision: 1 of {texts}, chance {1 / texts:.2g}.")
            break
    if noises > 1:
        lines.append(f"±: the standard deviation over {noises} noises.")
    if any(row.get("sampling") for row in rows):
        lines.append(
            "[a, b]: the 95 % interval of what is expected of as many "
            "pictures, from 20 subsamples of the first noise."
        )
    alike = [r["candidate"] for r in rows if r["protocol"].get("alike")]
    if alike:
        lines.append(
            f"All pictures alike: {', '.join(dict.fromkeys(alike))}. FID, KID "
            "and IS of copies of one picture say little."
        )
    taught = [x for r in rows for x in r["protocol"].get("trained_with", ())]
    if taught:
        lines.append(
            f"In the generator's training loss: "
            f"{', '.join(dict.fromkeys(taught))}. Figures that these networks "
            "make say how well the loss was pleased, too."
        )
    if any("statistics" in row["protocol"] for row in rows):
        lines.append(
            "The imported statistics don't say which network made them."
        )
    return "\n\n".join([evaluator.table(rows), *lines])


def card(rows: list[dict], candidate: str | None = None) -> str:
    """Words the protocol of a table.

    Args:
        rows: the judge's rows.
        candidate: whose card; the first row's if there is none of it.

    Returns:
        A line an entry.
    """
    own = [row for row in rows if row["candidate"] == candidate]
    lines = []
    for key, value in (own or rows)[0]["protocol"].items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        lines.append(f"  {key}: {value}")
    return "\n".join(["Protocol card", *lines])


def confirm(claims: Iterable[Mapping], rows: Iterable[Mapping]) -> bool:
    """Prints each score beside the card's claim.

    Args:
        claims: rows on the card.
        rows: rows measured now.

    Returns:
        True if every claim was measured and holds.
    """
    measured = {row["name"]: row for row in rows}
    passed = True
    for claim in claims:
        row = measured.get(claim["name"])
        good = row is not None and evaluator.holds(claim, row)
        passed = passed and good
        low, high = claim["interval"]
        value = "not measured" if row is None else f"{row['value']:.4f}"
        print(
            f"{'pass' if good else 'FAIL'}  {claim['name']}: {value}, the "
            f"card says {claim['value']:.4f} ({low:.4f} to {high:.4f})"
        )
    return passed
