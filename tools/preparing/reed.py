"""What CUB and the flowers share: Reed's captions, his and others' splits.

text_c10/CLASS/NAME.txt                 captions, one a line (or text/)
trainvalclasses.txt  testclasses.txt    class folders, one a line, also
trainclasses.txt  valclasses.txt        apart; or their numbers in
trainids.txt ... with allclasses.txt    (counted from 1)
"""

import os
import pathlib
import unicodedata
from collections.abc import Iterable, Sequence

from tools.preparing import attngan, places, plan

#: Folders of captions, by the names under which they are spread.
FOLDERS = ("text_c10", "text")
_LISTS = ("train", "val", "trainval", "test")


def existing(option: str, value: str | None) -> pathlib.Path:
    """Checks that a flag names a folder.

    Args:
        option: the flag's name.
        value: what it says.

    Returns:
        The folder.

    Raises:
        ValueError: if there is none.
    """
    folder = pathlib.Path(value)
    if not folder.is_dir():
        raise ValueError(f"--{option}={value} is no folder.")
    return folder


def around(folder: pathlib.Path, tree: pathlib.Path) -> list[pathlib.Path]:
    """Lists where captions and lists may lie that came with other downloads.

    Args:
        folder: what --source names.
        tree: the pictures' own folder.

    Returns:
        Both, what lies in and beside them, without repetition.
    """
    near = [folder, tree, tree.parent, folder.parent]
    inner = [
        each
        for root in dict.fromkeys([folder, tree.parent])
        for each in sorted(root.iterdir())
        if _is_open(each) and not each.is_symlink()
    ]
    return list(dict.fromkeys([*near[:3], *inner, *near[3:]]))


def beneath(folder: pathlib.Path) -> list[pathlib.Path]:
    """Lists a folder and those in it.

    Args:
        folder: the folder.

    Returns:
        Their paths.
    """
    inner = [each for each in sorted(folder.iterdir()) if _is_open(each)]
    return [folder, *inner]


class Texts:
    """Captions in text files.

    Args:
        folder: of class folders of text files.
        encoding: of files without a byte order mark.
    """

    def __init__(self, folder: pathlib.Path, encoding: str):
        self.folder, self._encoding = folder, encoding
        self._used = set()

    def of(self, key: str) -> tuple[str, ...]:
        """Reads a picture's captions.

        Args:
            key: CLASS/NAME.

        Returns:
            Its lines. Pairs of U+FFFD, with which the download shows what it
            lost, become spaces, as AttnGAN has them.

        Raises:
            plan.Refused: if there are none, or the file can't be read.
        """
        name = f"{key}.txt"
        self._used.add(_composed(name))
        try:
            path = places.inside(self.folder, name)
        except plan.Refused as error:
            if str(error) != "a missing file":
                raise
            raise plan.Refused(
                f"a picture without captions in {self.folder.name}/", name
            ) from None
        found = places.lines(path, self._encoding)
        found = [line.replace("\ufffd\ufffd", " ").strip() for line in found]
        return tuple(line for line in found if line)

    def names(self) -> list[str]:
        """Lists all files of captions.

        Returns:
            CLASS/NAME.txt each, sorted.
        """
        found = []
        for folder, _, names in os.walk(self.folder):
            inner = pathlib.Path(folder).relative_to(self.folder)
            found += [
                (inner / name).as_posix()
                for name in names
                if name.endswith(".txt") and inner.parts
            ]
        return sorted(found)

    def unused(self) -> list[str]:
        """Lists the files of captions whose pictures nobody asked for.

        Returns:
            CLASS/NAME.txt each, sorted.
        """
        return [
            name for name in self.names() if _composed(name) not in self._used
        ]


def texts(
    roots: Iterable[pathlib.Path], classes: Sequence[str], encoding: str
) -> Texts | None:
    """Finds the folder of captions.

    Args:
        roots: where it may lie; the first may be the folder itself.
        classes: names of the class folders, by which it is known.
        encoding: of files without a byte order mark.

    Returns:
        `Texts`, or None.
    """
    roots = list(roots)
    folders = [root / name for root in roots for name in FOLDERS]
    for folder in [*roots[:1], *folders]:
        for name in classes if folder.is_dir() else ():
            if next((folder / name).glob("*.txt"), None):
                return Texts(folder, encoding)
    return None


def lists(
    roots: Iterable[pathlib.Path], classes: Sequence[str], encoding: str
) -> pathlib.Path | None:
    """Finds the folder with Reed's lists of classes.

    Args:
        roots: where they may lie.
        classes: names of the class folders, by which they are known.
        encoding: of files without a byte order mark.

    Returns:
        The folder, or None.
    """
    known = set(classes)
    for root in roots:
        for kind in ("trainval", "train"):
            named, numbered = root / f"{kind}classes.txt", f"{kind}ids.txt"
            if named.is_file():
                rows = places.lines(named, encoding)
                if known.intersection(row.strip() for row in rows):
                    return root
            elif (root / numbered).is_file():
                return root
    return None


def attngans(
    roots: Iterable[pathlib.Path], keys: Iterable[str]
) -> pathlib.Path | None:
    """Finds the folder that is laid out as AttnGAN's for the same pictures.

    Args:
        roots: where it may lie.
        keys: of the pictures, by which it is known.

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
    folder: pathlib.Path,
    classes: Sequence[str],
    encoding: str,
    keeps_val: bool,
    refused: list[tuple[str, str]],
) -> dict[str, str]:
    """Reads Reed's lists.

    Args:
        folder: from `lists`.
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


def keys(folder: pathlib.Path, part: str) -> list[str]:
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
        path = folder / part / "filenames.pickle"
        raise plan.Refused(str(error), path) from None


def picture_splits(
    folder: pathlib.Path, refused: list[tuple[str, str]]
) -> dict[str, str]:
    """Reads AttnGAN's lists of pictures.

    Args:
        folder: with train/filenames.pickle and test/filenames.pickle.
        refused: takes (name, reason) of unusable ones.

    Returns:
        "train" or "test" by key.

    Raises:
        plan.Refused: if a pickle is missing, unsafe or something else.
    """
    answer = {}
    for part in attngan.PARTS:
        for key in keys(folder, part):
            if key in answer:
                reason = f"listed twice, in {answer[key]} and {part}"
                refused.append((key, reason))
            answer.setdefault(key, part)
    return answer


def vocabulary(
    root: pathlib.Path | None, answer: plan.Plan
) -> attngan.Table | None:
    """Reads captions.pickle and takes its vocabulary into a plan.

    Args:
        root: the folder in which it may lie, or None.
        answer: the plan; gets `vocabulary`, a note, or a refusal.

    Returns:
        What the pickle holds, or None.
    """
    if root is None:
        return None
    try:
        table = attngan.table(root)
    except plan.Refused as error:
        answer.refused.append((root / "captions.pickle", str(error)))
        return None
    if table is not None:
        answer.vocabulary = table.vocabulary()
    if answer.vocabulary:
        answer.notes.append(
            "The vocabulary is that of captions.pickle, in its order: "
            f"{len(answer.vocabulary):,} words."
        )
    return table


def _listed(folder, kind, classes, encoding, refused):
    """Reads the classes of one list by name or by number; None if missing."""
    path = folder / f"{kind}classes.txt"
    if path.is_file():
        rows = places.lines(path, encoding)
    else:
        path = folder / f"{kind}ids.txt"
        if not path.is_file():
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
    every = folder / "allclasses.txt"
    if every.is_file():
        classes = [row.strip() for row in places.lines(every, encoding)]
    names = {str(n): name for n, name in enumerate(classes, 1)}
    rows = [row.strip() for row in places.lines(path, encoding)]
    return [names.get(row, row) for row in rows]


def _require(folder, found):
    for kind, names in found.items():
        if names is None:
            raise ValueError(
                f"{folder / kind}classes.txt is missing; Reed's lists are "
                "trainvalclasses.txt (or trainclasses.txt and valclasses.txt) "
                "and testclasses.txt."
            )


def _composed(name):
    """The form of a name in which file systems may differ."""
    return unicodedata.normalize("NFC", name)


def _is_open(folder):
    return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
