"""Finds the pictures of a folder by what listings may call them."""

import collections
import os
import pathlib
import re
import unicodedata

from tools.preparing import places, plan

#: Endings of files that are taken for pictures.
ENDINGS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
)
#: How addresses begin, which are no files.
URL = re.compile(r"(https?|ftp|gs|s3)://", re.IGNORECASE)


def shown(name: object) -> str:
    """Makes a name printable, whatever bytes a file system gave.

    Args:
        name: a path or a text.

    Returns:
        Text without halves of characters.
    """
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", str(name))


class Tree(places.Tree):
    """The pictures of a folder, by what listings may call them.

    Args:
        root: the folder.
        refused: list to which links that are not followed are added.
        follow: whether links out of the folder are followed.
    """

    def __init__(self, root: pathlib.Path, refused: list, follow: bool = False):
        super().__init__(root, follow)
        self.files = []
        self.texts = []
        self._found = {}
        self._tails = collections.defaultdict(list)
        seen = {os.path.realpath(root)}
        for folder, folders, names in os.walk(root, followlinks=True):
            folders[:] = [
                name
                for name in sorted(folders)
                if not _is_hidden(name)
                and self._is_new(pathlib.Path(folder, name), seen, refused)
            ]
            for name in sorted(names):
                if not _is_hidden(name):
                    self._add(pathlib.Path(folder, name))

    def _is_new(self, path, seen, refused):
        """Tells whether to look into a folder; none is looked into twice."""
        if not self.holds(path):
            inner = path.relative_to(self.path).as_posix()
            refused.append((shown(inner), places.LINK))
            return False
        real = os.path.realpath(path)
        if real in seen or (path.is_symlink() and self._contains(path)):
            return False
        seen.add(real)
        return True

    def _add(self, path):
        inner = path.relative_to(self.path).as_posix()
        if path.suffix.lower() == ".txt":
            self.texts.append(inner)
        if path.suffix.lower() in ENDINGS:
            self.files.append(inner)
            self._tails[_composed(path.name)].append(inner)
            self._tails[_composed(path.stem)].append(inner)

    def find(self, folder: str, name: str) -> pathlib.Path:
        """Finds a picture that a listing names.

        Args:
            folder: the listing's own, from the root.
            name: as written there: the way from the listing, or the end of
                the way, with or without the file's ending.

        Returns:
            Its path.

        Raises:
            plan.Refused: if it is missing, fits several files, or would lead
                out of the root.
        """
        if (folder, name) not in self._found:
            self._found[folder, name] = self._look(folder, name)
        return self._found[folder, name]

    def _look(self, folder, name):
        if URL.match(name):
            raise plan.Refused(
                "a URL; download the file first, and name the file instead"
            )
        try:
            joined = pathlib.PurePosixPath(folder, name).as_posix()
            found = self.inside(joined)
        except plan.Refused as error:
            fitting = self._fitting(folder, name)
            if not fitting:
                raise error
            if len(fitting) > 1:
                raise plan.Refused(
                    "a name that fits several files: "
                    + shown(", ".join(fitting[:3]))
                ) from None
            found = self.inside(fitting[0])
        if found.is_dir():
            raise plan.Refused("a folder, not a picture")
        return found

    def _fitting(self, folder, name):
        """Lists the pictures whose path ends so."""
        name = name.replace("\\", "/")
        wanted = _composed(pathlib.PurePosixPath("/", name).as_posix())
        start = "" if folder in ("", ".") else folder + "/"
        last = wanted.rpartition("/")[2]
        return [
            inner
            for inner in self._tails.get(last, ())
            if inner.startswith(start) and _ends(_composed("/" + inner), wanted)
        ]


def _ends(inner, wanted):
    return inner.endswith(wanted) or inner.rpartition(".")[0].endswith(wanted)


def _composed(name):
    return unicodedata.normalize("NFC", name)


def _is_hidden(name):
    return name.startswith(".") or name == "__MACOSX"
