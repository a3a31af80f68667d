"""Reads listings of captioned pictures: Flickr's, tables, lines of JSON."""

import dataclasses
import json
import pathlib
import re

from tools.preparing import places, plan, trees

#: Other names of parts, as found in the field's data.
PARTS = {
    "train": "train",
    "training": "train",
    "restval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
#: Columns and keys by what they hold; the first that is there is taken.
COLUMNS = {
    "image": (
        "image",
        "file",
        "file_name",
        "filename",
        "path",
        "image_name",
        "image_path",
        "filepath",
        "url",
    ),
    "caption": ("captions", "caption", "text", "texts", "title", "comment"),
    "label": ("labels", "label", "classes", "class", "categories", "category"),
    "split": ("split", "subset"),
}
#: Columns whose values are lists, parted by ";" or "|".
_LISTS = ("labels", "classes", "categories")
_DIGITS = 18  # of a label that is a number
_HEAD = 1 << 16  # bytes in which the first line lies
_DELIMITERS = ("\t", ",", "|", ";")
_TOKEN = re.compile(r"(.+)#\d+\t(.*)")  # Flickr8k.token.txt


@dataclasses.dataclass(frozen=True)
class Row:
    """What one line of a listing says.

    Attributes:
        where: the listing and the line, for reports.
        name: of the picture, as it is written there.
        captions: any number.
        labels: names or numbers of classes; None where nothing is said.
        split: "train", "val" or "test"; None where nothing is said.
        is_list: whether `labels` is a list, which may have several.
    """

    where: str
    name: str
    captions: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    split: str | None = None
    is_list: bool = False


def kind(path: pathlib.Path) -> str | None:
    """Tells by a file's name what sort of listing it may be.

    Args:
        path: the file.

    Returns:
        "flickr", "table", "jsonl", or None.
    """
    name = path.name.lower()
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    if name.endswith((".csv", ".tsv")):
        return "table"
    is_flickrs = name == "captions.txt" or re.search(r"\.token(\.txt)?$", name)
    if is_flickrs and "lemma" not in name:
        return "flickr"
    return None


def fits(path: pathlib.Path, encoding: str) -> bool:
    """Tells whether a listing's first words name a picture and a caption.

    Args:
        path: a file that `kind` knows.
        encoding: of a file without a byte order mark.

    Returns:
        False for tables and JSON of something else; True where that can't be
        told, so that `read` says why.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if len(head) == _HEAD:  # The last line may be cut in a letter.
        head = head[: head.rfind(b"\n") + 1]
    try:
        lines = places.decoded(head, encoding).splitlines()
        first = next(filter(str.strip, lines))
    except (plan.Refused, StopIteration):
        return True
    if kind(path) == "table":
        cells = [_unquoted(c) for c in first.split(_delimiter(path, first))]
        columns = _columns(cells)
        headed = "image" in columns and "caption" in columns
        return headed or _headless(cells) is not None
    if kind(path) == "jsonl":
        try:
            value = json.loads(first)
        except (ValueError, RecursionError):
            return True
        keys = _columns(list(value)) if isinstance(value, dict) else {}
        return "image" in keys and "caption" in keys
    return True


def read(
    path: pathlib.Path,
    format: str,
    encoding: str,
    refused: list,
    splits: bool = True,
) -> list[Row]:
    """Reads a listing.

    Args:
        path: the file.
        format: "flickr", "table" or "jsonl".
        encoding: of a file without a byte order mark.
        refused: list to which (file, reason) of unusable lines is added.
        splits: whether a line with the name of an unknown part is unusable.

    Returns:
        What the usable lines say.
    """
    readers = {"flickr": _flickr, "table": _table, "jsonl": _jsonl}
    rows = []
    try:
        for where, make in readers[format](path, encoding):
            try:
                rows.append(_checked(make(), splits))
            except plan.Refused as error:
                refused.append((where, str(error)))
    except plan.Refused as error:
        refused.append((path.name, str(error)))
    return rows


def _checked(row: Row, splits: bool) -> Row:
    """Brings a row's part into one of ours, and refuses endless numbers."""
    if any(re.fullmatch(rf"\d{{{_DIGITS + 1},}}", x) for x in row.labels or ()):
        raise plan.Refused(f"a label of more than {_DIGITS} digits")
    return dataclasses.replace(row, split=part(row.split, splits))


def part(name: object, must: bool = True) -> str | None:
    """Brings a part's name into one of ours.

    Args:
        name: such as "validation"; None or blank where nothing is said.
        must: whether it must be one of those known.

    Returns:
        "train", "val" or "test"; None where nothing is said, or what is said
        is unknown.

    Raises:
        plan.Refused: if it must be known, and is not.
    """
    said = "" if name is None else str(name).strip().lower()
    if must and said and said not in PARTS:
        raise plan.Refused(
            f"a split named {trees.shown(name)!r}; known are {', '.join(PARTS)}"
        )
    return PARTS.get(said)


def _flickr(path, encoding):
    """Yields the lines of captions.txt or of Flickr8k.token.txt."""
    for number, line in enumerate(places.lines(path, encoding), 1):
        is_header = number == 1 and "caption" in line.lower().split(",")[1:]
        if line.strip() and not is_header:
            where = f"{path.name}:{number}"
            yield where, lambda line=line, where=where: _flickr_row(line, where)


def _flickr_row(line, where):
    token = _TOKEN.fullmatch(line)
    if token:
        return Row(where, token[1].strip(), (token[2],))
    if line.startswith('"'):
        name, *rest = places.csv_row(line)
        return Row(where, name.strip(), (",".join(rest),))
    name, comma, text = line.partition(",")
    if not comma:
        raise plan.Refused("a line that is not NAME,CAPTION")
    return Row(where, name.strip(), (_unquoted(text),))


def _table(path, encoding):
    """Yields the rows of a table below its header, if it has one."""
    rows = _cells(path, encoding)
    if not rows:
        raise plan.Refused("an empty file")
    columns, first = _columns(rows[0]), 1
    if "image" not in columns or "caption" not in columns:
        columns, first = _headless(rows[0]), 0
    if columns is None:
        named = ", ".join(rows[0][:8])
        raise plan.Refused(
            "a table without a column of pictures "
            f"({', '.join(COLUMNS['image'][:5])}) and one of captions "
            f"({', '.join(COLUMNS['caption'])}); its first row: {named}"
        )
    width = len(rows[0])
    for number, row in enumerate(rows[first:], first + 1):
        where = f"{path.name}, row {number}"
        yield (
            where,
            lambda row=row, where=where: _table_row(row, columns, width, where),
        )


def _table_row(row, columns, width, where):
    caption = columns["caption"][0]
    if len(row) > width and caption == width - 1:  # Commas without quotes.
        row = [*row[:caption], ",".join(row[caption:])]
    if len(row) != width:
        raise plan.Refused(
            f"a row of {len(row)} values, where the first has {width}"
        )
    labels, is_list = None, False
    if "label" in columns:
        place, name = columns["label"]
        is_list = name in _LISTS
        cell = row[place]
        values = re.split("[;|]", cell) if is_list else [cell]
        labels = tuple(v.strip() for v in values if v.strip())
    return Row(
        where,
        row[columns["image"][0]].strip(),
        (row[caption],),
        labels,
        row[columns["split"][0]] if "split" in columns else None,
        is_list,
    )


def _cells(path, encoding):
    """Reads a table; tabs part cells whatever quotes stand in them."""
    lines = places.lines(path, encoding)
    first = next((line for line in lines if line.strip()), "")
    delimiter = _delimiter(path, first)
    if delimiter != "\t":
        rows = places.csv_rows(path, encoding, delimiter)
        rows = [[cell.strip() for cell in row] for row in rows]
        return [row for row in rows if any(row)]
    return [
        [_unquoted(cell) for cell in line.split("\t")]
        for line in lines
        if line.strip()
    ]


def _delimiter(path, first):
    """Guesses what parts cells from the names in a table's first line."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    for delimiter in _DELIMITERS:
        columns = _columns([_unquoted(c) for c in first.split(delimiter)])
        if "image" in columns and "caption" in columns:
            return delimiter
    return "\t" if "\t" in first else ","


def _columns(names):
    """Finds what the columns hold: role -> (place, name)."""
    names = [str(name).strip().lower() for name in names]
    return {
        role: next((names.index(n), n) for n in known if n in names)
        for role, known in COLUMNS.items()
        if any(n in names for n in known)
    }


def _headless(cells):
    """Finds the columns of a table of captions and files without header."""
    if len(cells) != 2:
        return None
    for image, caption in ((1, 0), (0, 1)):
        cell = cells[image].strip().lower()
        if trees.URL.match(cell) or cell.endswith(trees.ENDINGS):
            return {"image": (image, ""), "caption": (caption, "")}
    return None


def _unquoted(text):
    """Takes off the quotes of a whole cell; others are the caption's own."""
    text = text.strip()
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"', text)
    return quoted[1].replace('""', '"') if quoted else text


def _jsonl(path, encoding):
    """Yields the lines of a file with one JSON value each."""
    for number, line in enumerate(places.lines(path, encoding), 1):
        if line.strip():
            where = f"{path.name}:{number}"
            yield where, lambda line=line, where=where: _json_row(line, where)


def _json_row(line, where):
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise plan.Refused("a line that is not JSON") from None
    if not isinstance(value, dict):
        raise plan.Refused("a line of JSON without names")
    columns = _columns(list(value))
    held = list(value.values())
    found = {role: held[place] for role, (place, _) in columns.items()}
    name = found.get("image")
    if not isinstance(name, str):
        raise plan.Refused(
            f"a line that names no picture ({', '.join(COLUMNS['image'][:5])})"
        )
    texts = _listed(found.get("caption"))
    if not all(isinstance(text, str) for text in texts):
        raise plan.Refused("captions that are not text")
    labels = found.get("label")
    if not all(
        isinstance(each, str) or type(each) is int for each in _listed(labels)
    ):
        raise plan.Refused("labels that are neither text nor numbers")
    split = found.get("split")
    return Row(
        where,
        name,
        tuple(texts),
        None if labels is None else tuple(map(str, _listed(labels))),
        split,
        isinstance(labels, list),
    )


def _listed(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
