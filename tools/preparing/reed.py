"""What CUB and the flowers share: Reed's captions, his and others' splits.

text_c10/CLASS/NAME.txt                 captions, one a line (or text/)
trainvalclasses.txt  testclasses.txt    class folders, one a line, also
trainclasses.txt  valclasses.txt        apart; or their numbers in
trainids.txt ... with allclasses.txt    (counted from 1)
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence

from recipes import messages
from tools.preparing import (
    attngan,
    hdf5,
    places,
    plan,
    reed_lists,
    reed_texts,
)

SPLITS = ("auto", "reed", "reed_val", "attngan", "official")


def folder(flag: str, value: str, follow: bool) -> places.Tree:
    """Opens the folder that a flag names.

    Args:
        flag: its name.
        value: what it says.
        follow: whether links out of the folder are followed.

    Returns:
        The folder.

    Raises:
        ValueError: if there is none.
    """
    path = messages.existing(flag, value)
    if not path.is_dir():
        raise ValueError(f"--{flag}={value} is a file; name a folder.")
    return places.Tree(path, follow)


def beneath(
    root: places.Tree, refused: list[tuple[str, str]]
) -> list[places.Tree]:
    """Lists a folder and those in it.

    Args:
        root: the folder.
        refused: takes (link, reason) of links that are not followed.

    Returns:
        Both.
    """
    found = [root]
    for path in filter(_is_open, sorted(root.path.iterdir())):
        try:
            found.append(root.below(path.name))
        except plan.Refused as error:
            refused.append((str(error.file), str(error)))
    return found


def around(
    options, source: places.Tree, tree: places.Tree, refused
) -> list[places.Tree]:
    """Lists where captions and lists may lie that came with other downloads.

    Args:
        options: the parsed flags: captions_from, follow_links.
        source: what --source names.
        tree: the pictures' own folder in it.
        refused: takes (link, reason) of links that are not followed.

    Returns:
        --captions_from and the folders in it; or else --source, the pictures'
        folder, what lies in and beside them, without repetition.
    """
    if options.captions_from:
        given = folder(
            "captions_from", options.captions_from, options.follow_links
        )
        return [*beneath(given, refused), tree]
    beside = places.Tree(_parent(source.path), options.follow_links)
    near = [source, tree]
    if source.path == tree.path:
        near += [*beneath(source, refused)[1:], *beneath(beside, [])]
    else:
        upper = source.below(tree.path.parent.relative_to(source.path))
        near += [upper, *beneath(source, refused)[1:]]
        near += [*beneath(upper, refused)[1:], beside]
    found = {}
    for each in near:
        found.setdefault(each.path, each)
    return list(found.values())


@dataclasses.dataclass(frozen=True)
class Found:
    """Where the things lie that a set is made of.

    Attributes:
        tree: the pictures' own folder.
        classes: names of the class folders, in the source's order.
        texts: the captions; None if there are none.
        home: the folder in which captions and lists belong together.
        lists: the folder with Reed's lists of classes, or None.
        attngan: the folder that is laid out as AttnGAN's, or None.
    """

    tree: places.Tree
    classes: list[str]
    texts: reed_texts.Texts | None
    home: pathlib.Path
    lists: places.Tree | None
    attngan: places.Tree | None

    @classmethod
    def of(
        cls,
        tree: places.Tree,
        near: list[places.Tree],
        classes: Sequence[str],
        texts: reed_texts.Texts | None,
        keys: Iterable[str],
        encoding: str,
    ) -> "Found":
        """Looks for lists.

        Args:
            tree: the pictures' own folder.
            near: where lists may lie, from `around`; they may also lie beside
                the folder of captions.
            classes: names of the class folders.
            texts: the captions, or None.
            keys: of the pictures.
            encoding: of text files without a byte order mark.

        Returns:
            `Found`.

        Raises:
            plan.Refused: if a list is a link that is not followed, or is in
                another encoding.
        """
        home = near[0].path
        if texts:
            home = _parent(texts.tree.path)
            if home not in [each.path for each in near]:
                near = [*near, places.Tree(home, tree.follows)]
        return cls(
            tree=tree,
            classes=list(classes),
            texts=texts,
            home=home,
            lists=reed_lists.of_classes(near, classes, encoding),
            attngan=reed_lists.of_pictures(near, keys),
        )

    def way(self, split: str, official: pathlib.Path | None) -> str:
        """Chooses the split.

        Args:
            split: what --split says.
            official: the file of the official split, if it is there.

        Returns:
            One of `SPLITS`, but not "auto".

        Raises:
            ValueError: if "auto" finds several or none.
        """
        if split != "auto":
            return split
        ways = {"reed": self.lists, "attngan": self.attngan}
        there = {way: tree.path for way, tree in ways.items() if tree}
        if len(there) == 1:
            return next(iter(there))
        if there:
            raise ValueError(
                "--split is needed, for there are lists of several: "
                + ", ".join(f"{way} (in {at})" for way, at in there.items())
                + (f"; also official, {official}." if official else ".")
            )
        raise ValueError(
            f"{self.home / 'trainvalclasses.txt'} is missing: it and "
            "testclasses.txt, which come with Reed's captions, tell the "
            "classes that are kept for tests; put them there, or choose "
            "--split=official, whose tests show the classes of training."
        )

    def by_class(
        self, way: str, options, refused: list[tuple[str, str]]
    ) -> Callable[[str], str]:
        """Parts the classes by Reed's lists.

        Args:
            way: "reed" or "reed_val".
            options: the parsed flags: encoding.
            refused: takes (line, reason) of unusable ones.

        Returns:
            Function of a class to its split.

        Raises:
            ValueError: if a list is missing.
        """
        if self.lists is None:
            raise ValueError(
                f"{self.home / 'trainvalclasses.txt'} is missing; --split="
                f"{way} needs Reed's lists of classes there (they come with "
                "his captions)."
            )
        splits = reed_lists.class_splits(
            self.lists,
            self.classes,
            options.encoding,
            way == "reed_val",
            refused,
        )
        return lambda owner: part(splits, owner, "Reed's lists")

    def by_picture(self, refused: list[tuple[str, str]]) -> dict[str, str]:
        """Reads AttnGAN's lists of pictures.

        Args:
            refused: takes (name, reason) of unusable ones.

        Returns:
            "train" or "test" by key.

        Raises:
            ValueError: if they are missing.
            plan.Refused: if one is unsafe or something else.
        """
        if self.attngan is None:
            raise ValueError(
                f"{self.home / 'train/filenames.pickle'} is missing; "
                "--split=attngan needs AttnGAN's train/ and test/ with "
                "filenames.pickle there."
            )
        answer = {}
        for part in attngan.PARTS:
            for key in reed_lists.keys(self.attngan, part):
                if key in answer:
                    reason = f"listed twice, in {answer[key]} and {part}"
                    refused.append((key, reason))
                answer.setdefault(key, part)
        return answer


def part(splits: dict[str, str], key: str, where: str) -> str:
    """Looks a split up.

    Args:
        splits: by key.
        key: of a picture or class.
        where: the lists' name.

    Returns:
        The split.

    Raises:
        plan.Refused: if there is none.
    """
    if key not in splits:
        raise plan.Refused(f"in no part of {where}")
    return splits[key]


def add(answer: plan.Plan, name: str, make: Callable[[], plan.Item]) -> None:
    """Takes a picture into a plan, or the reason why not.

    Args:
        answer: the plan.
        name: of the picture, for reports.
        make: makes the item, or raises `plan.Refused`.
    """
    try:
        item = make()
        if item.picture.is_dir():
            raise plan.Refused("a folder in place of a picture")
    except plan.Refused as error:
        answer.refused.append((str(error.file or name), str(error)))
    else:
        answer.items.append(item)


def from_hdf5(options, answer: plan.Plan, shown: Callable, parts: dict) -> None:
    """Fills a plan from aelnouby's file.

    Args:
        options: the parsed flags: source, split.
        answer: the plan.
        shown: makes a class folder's name readable.
        parts: known pictures by split, by way of splitting.

    Raises:
        ValueError: if it is no such file, or has no such split.
    """
    path = messages.existing("source", options.source)
    if options.split not in ("auto", "reed", "reed_val"):
        raise ValueError(
            f"--split={options.split}: an HDF5 file has its own split, Reed's; "
            "give auto or reed_val, or reed to join its valid to train."
        )
    keeps_val = options.split != "reed"
    answer.items, folders = hdf5.items(path, keeps_val, answer.refused)
    answer.class_names = tuple(map(shown, folders))
    answer.known |= parts["reed_val" if keeps_val else "reed"]


def vocabulary(
    root: places.Tree | None, answer: plan.Plan
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
        path = root.path / attngan.TABLE
        answer.refused.append((str(error.file or path), str(error)))
        return None
    attngan.take_vocabulary(table, answer)
    return table


def _parent(path):
    """The folder in which one lies, also of "." and ".."."""
    if path.name in ("", ".."):
        path = pathlib.Path(os.path.abspath(path))
    return path.parent


def _is_open(folder):
    return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
