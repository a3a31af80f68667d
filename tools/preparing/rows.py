"""Turns a plan into cleaned rows, in shards, and names it by a digest."""

import collections
import dataclasses
import functools
import hashlib
import itertools
import operator
import os
import re
import unicodedata

from keras_t2i.data import captions, prepared
from tools.preparing import asked, plan

_VERSION = 1  # of what is done to pictures; another begins all sets anew
_LEAST_ROWS = 64  # a shard, where shards are made smaller to fill all cores
_USUAL_SHARDS = 8
_HALVES = re.compile("[\ud800-\udfff]")  # of letters, or bytes in hiding
_NO_TEXT = "a name that is no text"


@dataclasses.dataclass(frozen=True)
class Row:
    """An item whose words are ready; its picture is not opened yet.

    Attributes:
        item: as planned.
        key: cleaned.
        captions: cleaned, as many as every row has.
        own: captions that it came with.
    """

    item: plan.Item
    key: str
    captions: tuple[str, ...]
    own: int


@dataclasses.dataclass(frozen=True)
class Shard:
    """Some rows of a split, which one file takes.

    Attributes:
        split: "train", "val" or "test".
        number: of the shard in its split, from 0.
        of: as many its split has.
        rows: in order.
    """

    split: str
    number: int
    of: int
    rows: list[Row]

    @property
    def file(self) -> str:
        """The name of its file, while no shard before it is empty."""
        return file_name(self.split, self.number, self.of)


def settled(found: plan.Plan, limit: int | None) -> plan.Plan:
    """Cleans the names of classes, and leaves out what is not wanted.

    Args:
        found: the plan.
        limit: about so many pictures at most, of every split its share.

    Returns:
        A plan whose notes tell what was changed.

    Raises:
        ValueError: if cleaning leaves two classes of one name.
    """
    return _limited(_named(found), limit)


def _named(found: plan.Plan) -> plan.Plan:
    """Cleans names of classes that are no text."""
    names = tuple(_HALVES.sub("\ufffd", each) for each in found.class_names)
    pairs = list(zip(found.class_names, names, strict=True))
    bad = [name for name, clean in pairs if name != clean]
    if not bad:
        return found
    twice = [c for n, c in pairs if n in bad and names.count(c) > 1]
    if twice:
        raise ValueError(
            f"Several classes are named {twice[0]!r} but for what is no text "
            f"in it ({bad[0]!a}); rename them."
        )
    shown = ", ".join(clean for name, clean in pairs if name != clean)
    note = f"{len(bad):,} names of classes are no text: {shown}."
    return dataclasses.replace(
        found, class_names=names, notes=[*found.notes, note]
    )


def _limited(found: plan.Plan, limit: int | None) -> plan.Plan:
    """Keeps the first pictures of every split, in proportion."""
    count = len(found.items)
    if limit is None or limit >= count:
        return found
    items, before = [], 0
    for split in plan.SPLITS:
        own = [item for item in found.items if item.split == split]
        after = before + len(own)
        share = after * limit // count - before * limit // count
        items += own[: max(1, share)]
        before = after
    note = (
        f"--limit={limit} took {len(items):,} of {count:,} pictures; counts "
        "are not compared with the known ones."
    )
    return dataclasses.replace(
        found, items=items, known={}, notes=[*found.notes, note]
    )


def cleaned(found: plan.Plan, settings: asked.Settings):
    """Cleans keys and captions.

    Args:
        found: the plan.
        settings: what is asked for.

    Returns:
        Rows of as many captions each, (file, reason) of the refused, and how
        often captions were dropped for which reason.
    """
    dropped, refused, kept = collections.Counter(), [], {}
    refused += [(shown(f, settings.source), r) for f, r in found.refused]
    for item in found.items:
        words = [_words(text, dropped) for text in item.captions]
        words = tuple(text for text in words if text)
        key = _key(item)
        reason = _fault(item, key, words, kept, found)
        if reason:
            refused.append((shown(item.picture, settings.source), reason))
        else:
            kept[key] = Row(item, key, words, len(words))
    most = max((row.own for row in kept.values()), default=1)
    count = settings.captions or found.captions_per_picture or most
    rows = [
        dataclasses.replace(row, captions=_in_turn(row.captions, count))
        for row in kept.values()
    ]
    return rows, refused, dict(dropped)


def _key(item: plan.Item) -> str:
    """Cleans a picture's name; nothing if it, or its file's, is no text."""
    try:
        if isinstance(item.picture, os.PathLike):
            os.fsencode(item.picture)
        return captions.clean(item.key)
    except ValueError:
        return ""


def _words(text, dropped) -> str:
    try:
        text = captions.clean(text)
    except ValueError as error:
        is_empty = "empty" in str(error)
        dropped["empty" if is_empty else "not text"] += 1
        return ""
    if any(c.isalnum() or unicodedata.category(c) == "So" for c in text):
        return text
    dropped["only punctuation"] += 1
    return ""


def _fault(item, key, words, kept, found) -> str:
    """Says why an item can't be taken, or nothing."""
    if not key:
        return _NO_TEXT
    if item.split not in plan.SPLITS:
        return f"a split {item.split!r}"
    if key in kept:
        return "a name that was there before"
    if not words:
        return "no caption" if not item.captions else "no usable caption"
    names = len(found.class_names)
    labels = (item.label, *item.labels)
    if names and not all(-1 <= label < names for label in labels):
        return f"a class beyond the {names} known ones"
    return ""


def _in_turn(words: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(words[i % len(words)] for i in range(count))


def shards(rows: list[Row], shard_size: int) -> list[Shard]:
    """Parts each split's rows, in order, into even shards.

    Args:
        rows: of all splits.
        shard_size: rows a shard at most.

    Returns:
        The shards of train, val and test, none of them empty.
    """
    parts = []
    for split in plan.SPLITS:
        own = [row for row in rows if row.item.split == split]
        if not own:
            continue
        even = max(_LEAST_ROWS, -(-len(own) // _USUAL_SHARDS))
        count = -(-len(own) // min(shard_size, even))
        edges = [len(own) * i // count for i in range(count + 1)]
        parts += [
            Shard(split, i, count, own[start:end])
            for i, (start, end) in enumerate(itertools.pairwise(edges))
        ]
    return parts


def file_name(split: str, number: int, of: int) -> str:
    """Names a shard's file.

    Args:
        split: "train", "val" or "test".
        number: from 0.
        of: shards of the split.

    Returns:
        The name.
    """
    return f"{split}-{number:05d}-of-{of:05d}.tfrecord"


def digest(found: plan.Plan, settings: asked.Settings) -> str:
    """Names a plan, its settings and the state of its picture files.

    Args:
        found: the plan.
        settings: what is asked for.

    Returns:
        Hexadecimal digits; others for another set.
    """
    total = hashlib.sha256()

    def add(*values):
        total.update(f"{values!r}\n".encode())

    flags = dataclasses.asdict(settings)
    for name in ("out", "workers", "dry_run"):
        del flags[name]
    add(_VERSION, prepared.FORMAT, flags)
    rest = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    items = rest.pop("items")
    add(rest)
    names = [field.name for field in dataclasses.fields(plan.Item)]
    names.remove("picture")
    values = operator.attrgetter(*names)
    state = functools.lru_cache(_state)  # One file may hold all pictures.
    for item in items:
        picture = item.picture
        add(values(item), str(picture), state(_file_of(picture)))
    return total.hexdigest()


def _file_of(picture) -> str | None:
    """Names the file whose change changes a picture."""
    if not isinstance(picture, os.PathLike):
        picture = getattr(picture, "source", None)
    return None if picture is None else os.fspath(picture)


def _state(file: str | None) -> tuple[int, ...]:
    try:
        found = os.stat(file) if file else None
    except (OSError, ValueError):  # Missing, or a name no system takes.
        return (-1,)
    return (found.st_size, found.st_mtime_ns) if found else ()


def shown(picture, source: str) -> str:
    """Names a file as seen from the source, in letters that can be written.

    Args:
        picture: what `str()` names.
        source: the folder to be left out in front, or nothing.

    Returns:
        The name.
    """
    name = str(picture)
    root = os.path.join(source, "") if source else ""
    return _HALVES.sub("\ufffd", name.removeprefix(root))
