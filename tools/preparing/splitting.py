"""Deals pictures into train, val and test."""

import bisect
import collections
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence
from concurrent import futures

from tools.preparing import pictures, plan


def by_content(items: list, options, refused: list) -> list:
    """Draws parts by a hash of each picture's bytes.

    Equal files land in one part, and a picture stays in its part when others
    join the set; unless a part would be empty.

    Args:
        items: `plan.Item`s.
        options: with `val_share`, `test_share`, `seed` and `workers`.
        refused: list to which (file, reason) of unreadable ones is added.

    Returns:
        The items with their parts.

    Raises:
        ValueError: if there are fewer different pictures than parts.
    """

    def place(item):
        try:
            return _drawn_file(item.picture, options.seed)
        except OSError as error:
            return plan.Refused(f"a file that can't be read ({error.strerror})")
        except plan.Refused as error:
            return error

    workers = options.workers or os.cpu_count() or 1
    with futures.ThreadPoolExecutor(workers) as pool:
        places = list(pool.map(place, items))
    kept = []
    for item, found in zip(items, places, strict=True):
        if isinstance(found, plan.Refused):
            refused.append((item.key, str(found)))
        else:
            kept.append((item, found))
    different = sorted({found for _, found in kept})
    low, high = _limits(different, options, len(kept))
    return [
        dataclasses.replace(item, split=_part(found, low, high))
        for item, found in kept
    ]


def by_class(items: list, names: Sequence[str], options, refused: list):
    """Draws parts by a hash of each class's name: no class is in two.

    Args:
        items: `plan.Item`s with one label.
        names: of the classes.
        options: with `val_share`, `test_share` and `seed`.
        refused: list to which (file, reason) of those without is added.

    Returns:
        The items with their parts.

    Raises:
        ValueError: if there are fewer classes than parts.
    """
    for item in items:
        if item.label < 0:
            refused.append((item.key, "no label, by which parts are made"))
    items = [item for item in items if item.label >= 0]
    used = sorted(
        {item.label for item in items},
        key=lambda label: drawn(names[label].encode(), options.seed),
    )
    shares = (options.test_share, options.val_share)
    test, val = (max(round(s * len(used)), 1) if s else 0 for s in shares)
    if test + val >= len(used):
        raise ValueError(
            f"{len(used)} classes can't be split into {_wanted(options)} by "
            "--split_by=class; each part needs one."
        )
    parts = ["test"] * test + ["val"] * val + ["train"] * len(used)
    of_class = dict(zip(used, parts, strict=False))
    return [dataclasses.replace(i, split=of_class[i.label]) for i in items]


def by_lists(items: list, lists: dict, refused: list) -> list:
    """Takes parts from lists of pictures' names.

    Args:
        items: `plan.Item`s; those whose `split` is known keep it.
        lists: part -> names, which are paths, ends of paths or last names,
            with or without the file's ending.
        refused: list to which (file, reason) is added.

    Returns:
        The items with their parts.
    """
    named = collections.defaultdict(set)
    for part, names in lists.items():
        for name in names:
            named[name.replace("\\", "/").removeprefix("./")].add(part)
    kept, found = [], set()
    for item in items:
        if item.split:
            kept.append(item)
            continue
        calls = [name for name in _calls(item.key) if name in named]
        found.update(calls)
        parts = sorted({part for name in calls for part in named[name]})
        if len(parts) == 1:
            kept.append(dataclasses.replace(item, split=parts[0]))
        elif parts:
            refused.append((item.key, f"listed in {' and '.join(parts)}"))
        else:
            refused.append((item.key, "a picture that no part lists"))
    for name in sorted(named.keys() - found):
        refused.append((name, "listed for a part, but no usable picture"))
    return kept


def drawn(data: bytes, seed: int = 0) -> float:
    """Draws a number by a hash.

    Args:
        data: what it depends on.
        seed: what else.

    Returns:
        In [0, 1).
    """
    hashed = _begun(seed)
    hashed.update(data)
    return _share(hashed)


def _drawn_file(picture, seed):
    """Draws by a picture's bytes, of which few are held at a time."""
    if not isinstance(picture, pathlib.Path):
        return drawn(picture.read_bytes(), seed)
    pictures.check_bytes(picture.stat().st_size)
    with picture.open("rb") as file:
        return _share(hashlib.file_digest(file, lambda: _begun(seed)))


def _begun(seed):
    return hashlib.sha256(f"part, seed {seed}: ".encode())


def _share(hashed):
    return int.from_bytes(hashed.digest()[:8], "big") / 2**64


def check_shares(options) -> None:
    """Refuses shares that leave nothing for training.

    Args:
        options: with `val_share` and `test_share`.

    Raises:
        ValueError: if one is negative or both come to 1.
    """
    val, test = options.val_share, options.test_share
    if min(val, test) < 0 or val + test >= 1:
        raise ValueError(
            f"--val_share={val:g} and --test_share={test:g} leave nothing to "
            "train on; give shares of at least 0 that come to less than 1."
        )


def _limits(places, options, count):
    """Where test ends and val ends, so that no part is empty."""
    test, val = options.test_share, options.val_share
    if len(places) < 1 + (test > 0) + (val > 0):
        raise ValueError(
            f"{count} usable pictures, {len(places)} of them different, can't "
            f"be split into {_wanted(options)}; each part needs one."
        )
    low = bisect.bisect_left(places, test)
    low = min(max(low, test > 0), len(places) - 1 - (val > 0))
    high = bisect.bisect_left(places, test + val) if val else low
    high = min(max(high, low + (val > 0)), len(places) - 1)
    return places[low], places[high]


def _part(place, low, high):
    return "test" if place < low else "val" if place < high else "train"


def _wanted(options):
    parts = ["train"] + ["val"] * (options.val_share > 0)
    parts += ["test"] * (options.test_share > 0)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _calls(key):
    """Lists what a picture may be called: all ends of its path."""
    folders = key.split("/")
    for start in range(len(folders)):
        name = "/".join(folders[start:])
        yield name
        stem, _, ending = name.rpartition(".")
        if stem and "/" not in ending:
            yield stem
