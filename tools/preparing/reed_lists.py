"""Finds and reads lists of what belongs to which split: Reed's, AttnGAN's."""

from collections.abc import Iterable, Sequence

from tools.preparing import attngan, places, plan

_LISTS = ("train", "val", "trainval", "test")


def of_classes(
    roots: Iterable[places.Tree], classes: Iterable[str], encoding: str
) -> places.Tree | None:
    """Finds the folder with Reed's lists, known by names of classes.

    Args:
        roots: where it may lie.
        classes: names of the class folders.
        encoding: of files without a byte order mark.

    Returns:
        The folder, or None.

    Raises:
        plan.Refused: if a list is a link that is not followed, or is in
            another encoding.
    """
    known = set(classes)
    for root in roots:
        for kind in ("trainval", "train"):
            named = root.file(f"{kind}classes.txt")
            if named:
                rows = places.lines(named, encoding)
                if known.intersection(row.strip() for row in rows):
                    return root
            elif root.file(f"{kind}ids.txt"):
                return root
    return None


def of_pictures(
    roots: Iterable[places.Tree], keys: Iterable[str]
) -> places.Tree | None:
    """Finds the folder laid out as AttnGAN's, known by names of pictures.

    Args:
        roots: where it may lie.
        keys: of the pictures.

    Returns:
        The folder, or None.
    """
    known = {key.rpartition("/")[2] for key in keys}
    for root in filter(attngan.is_there, roots):
        try:
            listed = attngan.keys(root, "train")
        except plan.Refused:  # Whoever needs it will say so.
            return root
        if known.intersection(key.rpartition("/")[2] for key in listed):
            return root
    return None


def class_splits(
    folder: places.Tree,
    classes: Sequence[str],
    encoding: str,
    keeps_val: bool,
    refused: list[tuple[str, str]],
) -> dict[str, str]:
    """Reads Reed's lists.

    Args:
        folder: in which the lists lie.
        classes: names of the class folders, in the source's order.
        encoding: of files without a byte order mark.
        keeps_val: whether his classes for validation are a split of their
            own; else they belong to train, as in all papers since.
        refused: takes (line, reason) of unusable ones.

    Returns:
        "train", "val" or "test" by class; classes in no list are left out.

    Raises:
        ValueError: if a list is missing.
        plan.Refused: if one is in another encoding.
    """
    found = {
        kind: _listed(folder, kind, classes, encoding, refused)
        for kind in _LISTS
    }
    if keeps_val:
        wanted = {"train": found["train"], "val": found["val"]}
        _require(folder, wanted)
    else:
        parts = [found["trainval"]]
        if found["trainval"] is None:
            parts = [found["train"], found["val"]]
            _require(folder, {"train": parts[0], "val": parts[1]})
        wanted = {"train": [name for part in parts for name in part]}
    if found["test"] is None:
        seen = {name for names in wanted.values() for name in names}
        found["test"] = [name for name in classes if name not in seen]
    answer = {}
    for split, names in {**wanted, "test": found["test"]}.items():
        for name in names:
            if answer.setdefault(name, split) != split:
                reason = f"a class in the lists of {answer[name]} and {split}"
                refused.append((name, reason))
    return answer


def keys(folder: places.Tree, part: str) -> list[str]:
    """Reads one of AttnGAN's lists of pictures.

    Args:
        folder: with train/filenames.pickle and test/filenames.pickle.
        part: "train" or "test".

    Returns:
        The keys in their order.

    Raises:
        plan.Refused: if the pickle is missing, unsafe or something else.
    """
    try:
        return attngan.keys(folder, part)
    except plan.Refused as error:
        path = error.file or folder.path / part / "filenames.pickle"
        raise plan.Refused(str(error), path) from None


def _listed(folder, kind, classes, encoding, refused):
    """Reads the classes of one list by name or by number; None if missing."""
    path = folder.file(f"{kind}classes.txt")
    if path:
        rows = places.lines(path, encoding)
    else:
        path = folder.file(f"{kind}ids.txt")
        if path is None:
            return None
        rows = _named(folder, path, classes, encoding)
    known, found = set(classes), []
    for number, row in enumerate(rows, 1):
        name = row.strip()
        if name in known:
            found.append(name)
        elif name:
            place = f"{path.name}:{number}"
            refused.append((place, f"the unknown class {name[:80]!r}"))
    return found


def _named(folder, path, classes, encoding):
    """Turns the numbers of a list into names, counted from 1."""
    every = folder.file("allclasses.txt")
    if every:
        classes = [row.strip() for row in places.lines(every, encoding)]
    names = {str(n): name for n, name in enumerate(classes, 1)}
    rows = [row.strip() for row in places.lines(path, encoding)]
    return [names.get(row, row) for row in rows]


def _require(folder, found):
    for kind, names in found.items():
        if names is None:
            raise ValueError(
                f"{folder.path / kind}classes.txt is missing; Reed's lists are "
                "trainvalclasses.txt (or trainclasses.txt and valclasses.txt) "
                "and testclasses.txt."
            )
