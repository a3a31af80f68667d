"""Says what was prepared: the summary, the sheet, the command that trains."""

import collections
import io
import json
import math
import pathlib
import shlex
import textwrap
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_t2i.data import index, vocabulary
from keras_t2i.ops import sheets
from recipes.configs import openmoji

LISTED = 20  # refused files that are named; of the others the count
SHOWN = 8  # captions of the sample film
_SHEET, _COLUMNS, _SIDE = 25, 5, 144
_BARS, _WIDTH = 8, 40  # of the histogram
# The usual reader takes 30 word pieces, of which a word has one or a few.
_SURE = 15  # words that it takes, with two pieces each
_LETTERS = 4  # of a word that surely has no more pieces
_MANY, _PIECES = 20, 64  # where the mean has more words, so many are asked for
_COUNTED = {
    "pictures": "pictures",
    "train": "pictures in train",
    "val": "pictures in val",
    "test": "pictures in test",
    "captions": "captions",
    "captions_per_picture": "captions a picture",
    "classes": "classes",
}


class Cost(NamedTuple):
    """What a run took.

    Attributes:
        pictures: that it opened.
        seconds: by the clock, for the pictures.
        busy: seconds of all its threads on processors in that time.
        cores: that it may use.
        planning: seconds before the first picture was opened.
        ending: seconds after the last one.
    """

    pictures: int
    seconds: float
    busy: float
    cores: int
    planning: float = 0.0
    ending: float = 0.0


def counts(rows: list[tuple], given: list[str] | None = None):
    """Counts captions and their words.

    Args:
        rows: (split, captions, how many of them are its own) of each picture.
        given: a vocabulary in an order that the source gives.

    Returns:
        Counts by name, captions by number of words, and the vocabulary: the
        words of training captions (of all if there are none), the most
        frequent first and equal ones in alphabetical order.
    """
    seen, lengths = collections.Counter(), collections.Counter()
    parts = collections.Counter(split for split, _, _ in rows)
    distinct = set()
    for split, texts, _ in rows:
        distinct.update(texts)
        for text in dict.fromkeys(texts):
            found = vocabulary.tokens(text)
            lengths[len(found)] += 1
            if split == "train" or not parts["train"]:
                seen.update(found)
    ordered = sorted(seen, key=lambda word: (-seen[word], word))
    per_picture = len(rows[0][1])
    told = {
        "pictures": len(rows),
        **{split: parts[split] for split in ("train", "val", "test")},
        "captions": sum(own for _, _, own in rows),
        "captions_written": len(rows) * per_picture,
        "captions_distinct": len(distinct),
        "captions_per_picture": per_picture,
        "pictures_repeating": sum(own < per_picture for _, _, own in rows),
        "captions_beyond": sum(max(0, n - per_picture) for _, _, n in rows),
        "longest": max(map(_length, distinct)),
    }
    by_length = {str(n): lengths[n] for n in sorted(lengths)}
    return told, by_length, ordered if given is None else list(given)


def _length(text: str) -> int:
    """Counts words, or quarters of letters where these are more.

    Signs, and letters that are not Latin, are pieces of their own for usual
    readers: each counts like half a word.
    """
    letters = "".join(text.split())
    rare = sum(not (c.isascii() and c.isalnum()) for c in letters)
    pieces = (len(letters) - rare) / _LETTERS + rare / 2
    return max(len(text.split()), math.ceil(pieces))


def summary(manifest: dict, out=None, cost: Cost | None = None) -> str:
    """Says what a set holds and what was left out.

    Args:
        manifest: of the set.
        out: the folder it lies in; None if nothing was written.
        cost: of a set that was just made.

    Returns:
        Several lines.
    """
    told = manifest["counts"]
    parts = [
        f"{told[split]:,} {split}"
        for split in ("train", "val", "test")
        if told[split]
    ]
    size = sum(
        shard["bytes"]
        for part in manifest["splits"].values()
        for shard in part["shards"]
    )
    where = f"Prepared {out}" if out else "A dry run; nothing was written"
    lines = [
        f"{where}: {manifest['name']}, {manifest['about']}",
        f"  pictures    {told['pictures']:,}: {', '.join(parts)}; "
        f"{size / 1e6:,.1f} MB",
        f"  captions    {told['captions']:,}, {told['captions_distinct']:,} "
        f"of those kept are distinct; {told['captions_per_picture']} a picture",
    ]
    if told["pictures_repeating"]:
        lines.append(
            f"              {told['pictures_repeating']:,} pictures have "
            "fewer, theirs are repeated in turn"
        )
    if told["captions_beyond"]:
        lines.append(
            f"              {told['captions_beyond']:,} are beyond the first "
            f"{told['captions_per_picture']} and not kept"
        )
    lines += [
        f"              {count:,} dropped: {reason}"
        for reason, count in manifest["captions_dropped"].items()
    ]
    lines.append(f"  vocabulary  {manifest['vocabulary']:,} words")
    lines += _histogram(manifest["caption_words"])
    lines += _classes(manifest)
    lines += _table("mended", manifest["mended"])
    lines += _table("refused", manifest["refused"])
    lines += [f"      {f}: {reason}" for f, reason in manifest["refused_first"]]
    more = sum(manifest["refused"].values()) - len(manifest["refused_first"])
    if more:
        beside = f"; all are in {out}/refused.jsonl" if out else ""
        lines.append(f"      and {more:,} more{beside}")
    lines += _compared(manifest)
    lines += [f"  note        {note}" for note in manifest["notes"]]
    return "\n".join(plain(line) for line in lines + _costs(cost))


def plain(text: str) -> str:
    """Shows what can't be printed by its number, such as \\x1b.

    Args:
        text: any.

    Returns:
        One line that changes no terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in text
    )


def command(manifest: dict, out) -> str:
    """Writes the command that trains on a set.

    Args:
        manifest: of the set.
        out: the folder it lies in.

    Returns:
        Several lines, to be pasted into a shell.
    """
    shown = [json.dumps(t, ensure_ascii=False) for t in manifest["samples"]]
    changes = {
        "data.name": "records",
        "data.path": out,
        "samples.captions": f"({', '.join(shown)},)",
    }
    name = pathlib.Path(out).absolute().name
    parts = [
        "python -m recipes.train",
        f"--workdir={shlex.quote(f'runs/{name}')}",
        "--config=recipes/configs/openmoji.py:small",
    ]
    parts += [f"--config.{k}={shlex.quote(str(v))}" for k, v in changes.items()]
    parts += [shlex.quote(each) for each in manifest["config"]]
    parts += _fitting(manifest)
    return " \\\n    ".join(parts)


def _fitting(manifest: dict) -> list[str]:
    """Lists what the config needs to take any captions, and a small set."""
    told, usual = manifest["counts"], openmoji.get_config("small")
    wanted = {}
    if told["longest"] > _SURE:
        wanted["text.truncate"] = True
    if _mean(manifest["caption_words"]) > _MANY:
        wanted["text.max_words"] = _PIECES
    if told["train"] < usual.train.batch_size:
        wanted["train.batch_size"] = told["train"]
    if told["train"] == 1:
        wanted["loss_weights.wrong"] = 0.0  # No picture has another's caption.
    said = {each.partition("=")[0] for each in manifest["config"]}
    return [
        f"--config.{name}={value}"
        for name, value in wanted.items()
        if f"--config.{name}" not in said
    ]


def sheet(folder, manifest: dict, seed: int = 0) -> bytes:
    """Draws some pictures of a set, each with its first caption beneath.

    Args:
        folder: where the set lies.
        manifest: of the set.
        seed: of the choice.

    Returns:
        PNG bytes.
    """
    folder, places = pathlib.Path(folder), []
    for part in manifest["splits"].values():
        held = index.load(folder / part["index"]["file"])
        names = [shard["file"] for shard in part["shards"]]
        places += [
            (names[shard], int(offset), int(length))
            for shard, offset, length in zip(
                held.shard, held.offset, held.length, strict=True
            )
        ]
    count = min(_SHEET, len(places))
    drawn = np.random.default_rng(seed).choice(len(places), count, False)
    shown = [_shown(folder, *places[place]) for place in drawn]
    return sheets.captioned_grid(
        np.stack([image for image, _ in shown]),
        [textwrap.shorten(text, 160, placeholder=" ...") for _, text in shown],
        min(_COLUMNS, count),
        title=f"{manifest['name']}: {manifest['counts']['pictures']:,} "
        "pictures",
    )


def _shown(folder, name: str, offset: int, length: int):
    """Reads one record: a square picture of it on white, and its caption."""
    from PIL import Image, ImageOps

    with open(folder / name, "rb") as file:
        file.seek(offset)
        example = tf.train.Example.FromString(file.read(length))
    parts = example.features.feature
    with Image.open(io.BytesIO(parts["image"].bytes_list.value[0])) as image:
        fitted = ImageOps.pad(
            image.convert("RGB"), (_SIDE, _SIDE), color="white"
        )
    return np.asarray(fitted), parts["captions"].bytes_list.value[0].decode()


def _histogram(lengths: dict[str, int]) -> list[str]:
    """Draws how long captions are in bars of text."""
    numbers = np.array([int(n) for n in lengths])
    heights = np.array(list(lengths.values()))
    low, high = int(numbers.min()), int(numbers.max())
    step = max(1, -(-(high - low + 1) // _BARS))
    sums = [
        (
            start,
            int(heights[(numbers >= start) & (numbers < start + step)].sum()),
        )
        for start in range(low, high + 1, step)
    ]
    most = max(count for _, count in sums)
    lines = [
        f"  words       {low} to {high} a caption, {_mean(lengths):.1f} on "
        "average"
    ]
    for start, count in sums:
        end = min(start + step - 1, high)
        name = f"{start}-{end}" if end > start else f"{start}"
        bar = "#" * -(-_WIDTH * count // most)
        lines.append(f"    {name:>9}  {bar} {count:,}".rstrip())
    return lines


def _mean(lengths: dict[str, int]) -> float:
    words = sum(int(number) * count for number, count in lengths.items())
    return words / sum(lengths.values())


def _classes(manifest: dict) -> list[str]:
    told, named = manifest["counts"], len(manifest["class_names"])
    if not told["classes"]:
        return ["  classes     none"]
    line = f"  classes     {told['classes']:,}"
    if named > told["classes"]:
        line += f" of {named:,} have pictures"
    if manifest["multi_label"]:
        line += f"; {told['several_classes']:,} pictures have several"
    return [line]


def _table(name: str, reasons: dict[str, int]) -> list[str]:
    lines = [f"  {name:10}  {sum(reasons.values()):,}"]
    return lines + [f"    {n:8,}  {reason}" for reason, n in reasons.items()]


def _compared(manifest: dict) -> list[str]:
    """Compares counts with those that the set is known to have."""
    lines = []
    for name, known in manifest["known"].items():
        here = manifest["counts"][name]
        if here != known:
            fewer = "fewer" if here < known else "more"
            lines.append(
                f"  known       {known:,} {_COUNTED[name]}; here {here:,}: "
                f"{abs(here - known):,} {fewer}"
            )
    if manifest["known"] and not lines:
        lines.append("  known       all counts are the known ones")
    return lines


def _costs(cost: Cost | None) -> list[str]:
    if cost is None:
        return []
    seconds = max(cost.seconds, 1e-9)
    whole = cost.planning + cost.seconds + cost.ending
    return [
        f"  took        {whole:,.1f} s: {cost.planning:,.1f} s to plan, "
        f"{cost.seconds:,.1f} s for {cost.pictures:,} pictures "
        f"({cost.pictures / seconds:,.0f} a second, "
        f"{cost.busy / seconds / cost.cores:.0%} of {cost.cores} cores), "
        f"{cost.ending:,.1f} s to end"
    ]
