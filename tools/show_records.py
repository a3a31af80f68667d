r"""Prints and draws the first records of a prepared set or of record files.

    python -m tools.show_records --records=data/birds --count=12 --out=birds.png

A prepared set is opened by its index; --split=test shows that part of it, and
--verify compares every file with its hash in the manifest. Of record files
without a manifest (patterns work too) every record is checked on the way; a bad
one is named by file and number.
"""

import collections
import glob
import os
import pathlib

import numpy as np
from absl import flags

from keras_t2i.data import pipeline, prepared, records
from keras_t2i.ops import files, sheets
from recipes import messages


def found(patterns: list[str]) -> list[str]:
    """Finds the files that patterns mean.

    Args:
        patterns: paths, with * and ? where wanted; a folder stands for its
            files that end in .tfrecord.

    Returns:
        Paths, each pattern's in alphabetical order.

    Raises:
        ValueError: if a pattern meets no file.
    """
    paths = []
    for pattern in patterns:
        if os.path.isdir(pattern):
            inside = os.path.join(glob.escape(pattern), "*.tfrecord")
            met = sorted(glob.glob(inside))
        else:
            met = sorted(glob.glob(pattern))
        if not met:
            raise ValueError(
                f"No record file is called {pattern}, or ends in .tfrecord "
                "in a folder of that name."
            )
        paths += met
    return paths


def opened(patterns: list[str], split: str | None, verify: bool):
    """Opens a prepared set, or record files that lie alone.

    Args:
        patterns: the folder of the set, or as `found` takes them.
        split: a part of a prepared set; None for all there is.
        verify: whether the files of a prepared set are read and compared.

    Returns:
        `data.source.Pictures`.

    Raises:
        ValueError: if the source is not usable, or was changed.
    """
    folder = pathlib.Path(patterns[0])
    if len(patterns) == 1 and (folder / prepared.MANIFEST).is_file():
        wrong = prepared.verify(folder) if verify else []
        if wrong:
            raise ValueError(" ".join(wrong))
        return prepared.load(folder, split)
    if split or verify:
        raise ValueError(
            f"--split and --verify are for prepared sets; {patterns[0]} has "
            f"no {prepared.MANIFEST}."
        )
    paths = found(patterns)
    return records.read(paths, stream=True, name=titled(paths))


def described(pictures, count: int) -> str:
    """Tells what a set holds and how its first records read.

    Args:
        pictures: `data.source.Pictures`.
        count: records told one by one.

    Returns:
        Several lines.
    """
    labels = collections.Counter(pictures.labels.tolist())
    classes = sum(label >= 0 for label in labels)
    lines = [
        f"{len(pictures):,} records, {pictures.captions.shape[1]} captions each"
        + (f", {classes} classes" if classes else "")
    ]
    for row in range(min(count, len(pictures))):
        label = int(pictures.labels[row])
        name = f"  [{pictures.class_names[label]}]" if label >= 0 else ""
        lines.append(f"{row}  {pictures.keys[row]}{name}")
        lines += [f"     {text}" for text in pictures.captions[row].tolist()]
    return "\n".join(lines)


def sheet(pictures, count: int, columns: int, size: int) -> bytes:
    """Draws the first pictures, each with its first caption.

    Args:
        pictures: `data.source.Pictures`.
        count: how many.
        columns: pictures a row.
        size: pixels a side.

    Returns:
        PNG bytes.
    """
    count = min(count, len(pictures))
    drawn, total = [], 0
    for chunk in pipeline.in_order(pictures, size):
        drawn.append(chunk)
        total += len(chunk)
        if total >= count:
            break
    return sheets.captioned_grid(
        np.concatenate(drawn)[:count],
        pictures.captions[:count, 0].tolist(),
        min(columns, count),
        title=f"{pictures.name}: the first {count} of {len(pictures):,}",
    )


def titled(paths: list[str]) -> str:
    """Names a set after its files.

    Args:
        paths: from `found`.

    Returns:
        Their names without endings; of more than three the first and last.
    """
    names = [pathlib.Path(path).stem for path in paths]
    if len(names) > 3:
        return f"{names[0]} ... {names[-1]}"
    return ", ".join(names)


def run(options):
    """Does what the flags ask for.

    Args:
        options: the parsed flags.

    Raises:
        ValueError: if the source is not usable.
        OSError: if the result cannot be written.
    """
    pictures = opened(options.records, options.split, options.verify)
    print(described(pictures, options.count))
    drawn = sheet(pictures, options.count, options.columns, options.size)
    files.atomic_write(options.out, drawn)
    print(f"Drew {options.out}")


def main(_):
    """Runs the tool from its flags."""
    run(flags.FLAGS)


if __name__ == "__main__":
    flags.DEFINE_list(
        "records",
        None,
        "Record files, with * and ? where wanted, or their folder.",
        required=True,
    )
    flags.DEFINE_string("split", None, "Part of a prepared set: train, ...")
    flags.DEFINE_bool("verify", False, "Compare all files with their hashes.")
    flags.DEFINE_string(
        "out", "records.png", "The contact sheet to draw (PNG)."
    )
    flags.DEFINE_integer("count", 12, "Records to show.", lower_bound=1)
    flags.DEFINE_integer("columns", 6, "Pictures a row.", lower_bound=1)
    flags.DEFINE_integer(
        "size", 128, "Pixels a side in the sheet.", lower_bound=8
    )
    messages.run(main)
