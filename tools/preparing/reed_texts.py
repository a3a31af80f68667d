"""Finds and reads Reed's captions: a text file a picture."""

import os
import pathlib
import unicodedata
from collections.abc import Iterable, Sequence

from tools.preparing import attngan, places, plan

#: Folders of captions, by the names under which they are spread.
FOLDERS = ("text_c10", "text")


class Texts:
    """Captions in text files.

    Args:
        tree: the folder of class folders of text files.
        encoding: of files without a byte order mark.
    """

    def __init__(self, tree: places.Tree, encoding: str):
        self.tree, self._encoding = tree, encoding

    def of(self, key: str) -> tuple[str, ...]:
        """Reads a picture's captions.

        Args:
            key: CLASS/NAME.

        Returns:
            Its captions.

        Raises:
            plan.Refused: if there are none, or the file can't be read.
        """
        name = f"{key}.txt"
        try:
            path = self.tree.inside(name)
        except plan.Refused as error:
            if str(error) != "a missing file":
                raise
            raise plan.Refused(
                f"a picture without captions in {self.tree.path.name}/", name
            ) from None
        return attngan.captions(places.lines(path, self._encoding))

    def names(self) -> list[str]:
        """Lists all files of captions.

        Returns:
            CLASS/NAME.txt each, sorted.
        """
        found = []
        for folder, _, names in os.walk(self.tree.path):
            inner = pathlib.Path(folder).relative_to(self.tree.path)
            found += [
                (inner / name).as_posix()
                for name in names
                if name.endswith(".txt") and inner.parts
            ]
        return sorted(found)

    def tell_others(
        self, keys: Iterable[str], refused: list[tuple[str, str]]
    ) -> None:
        """Names the files of captions of no picture.

        Args:
            keys: of all pictures.
            refused: takes (file, reason).
        """
        known = {_composed(f"{key}.txt") for key in keys}
        reason = "captions of a picture that is not listed"
        refused += [
            (f"{self.tree.path.name}/{name}", reason)
            for name in self.names()
            if _composed(name) not in known
        ]


def find(
    roots: Iterable[places.Tree], classes: Sequence[str], encoding: str
) -> Texts | None:
    """Finds the folder of captions.

    Args:
        roots: where it may lie; the first may be the folder itself.
        classes: names of the class folders, by which it is known.
        encoding: of files without a byte order mark.

    Returns:
        `Texts`, or None.

    Raises:
        plan.Refused: if it is a link that is not followed.
    """
    roots = list(roots)
    trees = [root.below(name) for root in roots for name in FOLDERS]
    for tree in filter(None, [*roots[:1], *trees]):
        for name in classes:
            if next((tree.path / name).glob("*.txt"), None):
                return Texts(tree, encoding)
    return None


def _composed(name):
    """The form of a name in which file systems may differ."""
    return unicodedata.normalize("NFC", name)
