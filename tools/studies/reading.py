"""Reads what raters saved, and words it."""

import json
import pathlib

from keras_t2i.metrics import rankings
from keras_t2i.ops import files
from recipes import comparing, messages
from tools.studies import making

_FIGURES = ("mean_rank", "first")


def read(
    study: str | pathlib.Path, paths: list, draws: int = rankings.DRAWS
) -> dict:
    """Reads what raters saved.

    Args:
        study: the folder that `make` wrote.
        paths: their files, or folders of such.
        draws: as in `rankings.summary`.

    Returns:
        "study", and under "criteria" for each question: "systems" (names, in
        the order of the rest), mean ranks, shares ranked first, wins, their
        intervals (None for few captions, as in `rankings.summary`),
        "agreement", and how much was answered.

    Raises:
        ValueError: naming a file that is damaged, of another study, there
            twice, or that says what its page can't.
    """
    key = making.read_key(pathlib.Path(study))
    answers = {}
    for path in _listed(paths):
        sheet, given = _answers(path, key)
        if sheet in answers:
            raise ValueError(
                f"{path} answers the same page as {answers[sheet][0]}; leave "
                "the fuller one."
            )
        answers[sheet] = path, given
    criteria = {
        criterion: _criterion(key, criterion, answers, draws)
        for criterion in making.QUESTIONS
    }
    return {"study": key["study"], "criteria": criteria}


def table(told: dict) -> str:
    """Words what `read` returned.

    Args:
        told: the same.

    Returns:
        Lines.
    """
    lines = []
    for criterion, found in told["criteria"].items():
        lines.append(
            f"{criterion}: {found['answers']:,} of {found['asked']:,} answers, "
            f"{found['captions']:,} captions, {found['raters']} of "
            f"{found['raters_asked']} raters; pages: {found['pages']} whole, "
            f"{found['pages_begun']} begun, {found['pages_missing']} missing"
        )
        if found["answers"]:
            lines += _lines(found)
        lines.append("")
    return "\n".join(lines)


def rows(told: dict) -> list[dict]:
    """Makes a row a figure, as recipes.compare takes them.

    Args:
        told: what `read` returned.

    Returns:
        Two rows a system and question: its mean rank, its share of firsts.
    """
    made = []
    for criterion, found in told["criteria"].items():
        ends = [found.get(f"{figure}_interval") for figure in _FIGURES]
        card = {
            "preset": "human_study",
            "study": told["study"],
            "question": making.QUESTIONS[criterion],
            "systems": found["systems"],
            "captions": found["captions"],
            "raters": found["raters"],
            "answers": found["answers"],
            "agreement": found["agreement"],
        }
        for row, system in enumerate(
            found["systems"] if found["answers"] else ()
        ):
            for figure, end in zip(_FIGURES, ends, strict=True):
                made.append(
                    {
                        "candidate": system,
                        "name": f"human_{criterion}_{figure}",
                        "value": found[figure][row],
                        "interval": end and end[row],
                        "protocol": card,
                    }
                )
    return made


def write_rows(told: dict, path: str | pathlib.Path) -> None:
    """Writes the rows into a file of scores, in place of the study's old ones.

    Args:
        told: what `read` returned.
        path: JSON lines; it may be missing. Other rows in it stay.

    Raises:
        ValueError: if the file holds something else than scores.
        OSError: if it can't be written.
    """
    path = pathlib.Path(path)
    kept = [
        row
        for row in (comparing.read(path) if path.exists() else ())
        if row["protocol"].get("study") != told["study"]
    ]
    lines = [json.dumps(row) + "\n" for row in kept + rows(told)]
    files.atomic_write(path, "".join(lines).encode())


def _listed(paths) -> list[pathlib.Path]:
    found = []
    for path in map(pathlib.Path, paths):
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise ValueError(f"{path} holds no answers, no .json file.")
        found += inside
    if not found:
        raise ValueError("Name files of answers, or a folder of such.")
    return found


def _answers(path, key) -> tuple[str, dict]:
    """Reads a file of answers: which page, and task -> pictures in order."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text, object_pairs_hook=_each_once)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} can't be read: {messages.sentence(error)}"
        ) from error
    if not isinstance(data, dict) or data.get("format") != making.ANSWERS:
        raise ValueError(f"{path} holds no answers that a page saved.")
    if data.get("study") != key["study"]:
        raise ValueError(
            f"{path} answers another study, {data.get('study')!r}; this one is "
            f"{key['study']!r}."
        )
    sheet = data.get("sheet")
    if not isinstance(sheet, str) or sheet not in key["sheets"]:
        raise ValueError(f"{path} answers no page of this study: {sheet!r}.")
    given = data.get("answers")
    if not isinstance(given, dict):
        raise ValueError(f"{path} has no list of answers.")
    asked = key["sheets"][sheet]["tasks"]
    for task, order in given.items():
        if task not in asked:
            raise ValueError(f"{path} answers what was not asked: {task!r}.")
        if not isinstance(order, list) or not all(
            isinstance(name, str) for name in order
        ):
            raise ValueError(f"{path} has no order for {task!r}: {order!r}.")
        if sorted(order) != sorted(asked[task]):
            raise ValueError(
                f"{path} does not put each picture of {task!r} in order once."
            )
    return sheet, given


def _each_once(pairs) -> dict:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in made if names.count(name) > 1)
        raise ValueError(f"it says {twice!r} twice")
    return made


def _criterion(key, criterion, answers, draws) -> dict:
    """Gathers all that was said about one question."""
    sheets = {
        name: sheet
        for name, sheet in key["sheets"].items()
        if sheet["criterion"] == criterion
    }
    systems = list(key["settings"]["systems"])
    ranks, captions, raters, pages = [], [], [], [0, 0, 0]
    for name, sheet in sheets.items():
        given = answers.get(name, (None, {}))[1]
        is_whole = len(given) == len(sheet["tasks"])
        pages[0 if is_whole else 1 if given else 2] += 1
        for task, order in given.items():
            owner = key["tasks"][task]["pictures"]
            by_system = {
                owner[name]: rank for rank, name in enumerate(order, 1)
            }
            ranks.append([by_system[system] for system in systems])
            captions.append(task)
            raters.append(sheet["rater"])
    told = {
        "systems": systems,
        "answers": len(ranks),
        "asked": sum(len(sheet["tasks"]) for sheet in sheets.values()),
        "captions": len(set(captions)),
        "raters": len(set(raters)),
        "raters_asked": key["settings"]["raters"],
        "pages": pages[0],
        "pages_begun": pages[1],
        "pages_missing": pages[2],
        "agreement": None,
    }
    if ranks:
        found = rankings.summary(ranks, captions, draws=draws)
        for figure in ("mean_rank", "first", "wins"):
            told[figure] = getattr(found, figure).tolist()
            ends = getattr(found, f"{figure}_interval")
            told[f"{figure}_interval"] = None if ends is None else ends.tolist()
        told["agreement"] = rankings.agreement(ranks, captions, raters)
    return told


def _lines(found) -> list[str]:
    """A line a system, the best first, and what the raters have in common."""
    systems = found["systems"]
    wide = max(len("system"), *map(len, systems))
    order = sorted(range(len(systems)), key=found["mean_rank"].__getitem__)
    heads = [f"{systems[row][:12]:>12}" for row in order]
    lines = [
        f"  {'system':{wide}}  {'mean rank':>20}  {'ranked first':>20}  "
        f"ahead of {' '.join(heads)}"
    ]
    for row in order:
        rank, first = (_figure(found, name, row) for name in _FIGURES)
        wins = [
            f"{found['wins'][row][other]:12.1%}" if other != row else " " * 12
            for other in order
        ]
        lines.append(
            f"  {systems[row]:{wide}}  {rank:>20}  {first:>20}  "
            f"{' ' * 8} {' '.join(wins)}"
        )
    if found["captions"] < rankings.LEAST:
        lines.append(f"  intervals: none below {rankings.LEAST} captions")
    agreement = found["agreement"]
    told = "none can be told" if agreement is None else f"{agreement:.3f}"
    lines.append(f"  agreement (Krippendorff's alpha, ordinal): {told}")
    return lines


def _figure(found, name, row) -> str:
    way = ".1%" if name == "first" else ".2f"
    value, ends = f"{found[name][row]:{way}}", found[f"{name}_interval"]
    if ends is None:
        return value
    low, high = ends[row]
    return f"{value} [{low:{way}}, {high:{way}}]"
