"""Follows the names in strangers' listings safely, and reads their texts."""

import codecs
import csv
import io
import json
import os
import pathlib
import re
import stat
import unicodedata
from collections.abc import Callable

from tools.preparing import plan

#: Why what lies outside of a tree is left out.
LINK = "a link out of the folder, not followed without --follow_links"
_MARKS = (  # of the longer ones first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONGEST = 1 << 24  # letters in a field of a table


class Tree:
    """A folder; nothing that lies elsewhere is taken for a part of it.

    Links within what a flag names are followed. Those that lead out of it
    are followed only if the user asks for that.

    Args:
        path: the folder; it may be a link itself.
        follow: whether links out of it are followed.
    """

    def __init__(self, path: str | os.PathLike, follow: bool = False):
        self.path = pathlib.Path(path)
        self.follows = follow
        self._top = os.path.realpath(path)

    def holds(self, path: str | os.PathLike) -> bool:
        """Tells whether a file or folder may be used.

        Args:
            path: as found by looking into the folder.

        Returns:
            False if it is a link that leads out of what the flag names.
        """
        return self.follows or self._contains(path)

    def inside(self, name: str) -> pathlib.Path:
        """Finds a file that a listing names, if it lies in the tree.

        Where the name is missing, its other Unicode forms (composed,
        decomposed) are tried, and "/" for each backslash.

        Args:
            name: relative to the folder, with "/" between folders.

        Returns:
            The path of a file or folder that is there.

        Raises:
            plan.Refused: if the name is absolute, has "..", leads out of the
                tree by a link (which is its `file`), is missing, or is a
                device or pipe.
        """
        _check_name(name)
        for form in _forms(name):
            path = self.path / form
            try:
                mode = path.stat().st_mode
            except (OSError, ValueError):  # Missing, or a name no system takes.
                if os.path.islink(path):  # Says nothing about the rest.
                    self._checked(path)
                continue
            found = self._checked(path)
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise plan.Refused("neither a file nor a folder", name)
            return found
        raise plan.Refused("a missing file", name)

    def file(self, name: str) -> pathlib.Path | None:
        """Finds a file that need not be there.

        Args:
            name: relative to the folder.

        Returns:
            Its path; None if there is no such file.

        Raises:
            plan.Refused: if it is a link out of the tree.
        """
        path = self.path / name
        return self._checked(path) if path.is_file() else None

    def below(self, name: str) -> "Tree | None":
        """Finds a folder that need not be there.

        Args:
            name: relative to the folder.

        Returns:
            The same tree from there on; None if there is no such folder.

        Raises:
            plan.Refused: if it is a link out of the tree.
        """
        path = self.path / name
        if not path.is_dir():
            return None
        found = Tree(self._checked(path), self.follows)
        found._top = self._top
        return found

    def _contains(self, path) -> bool:
        real = os.path.realpath(path)
        inner = os.path.join(self._top, "")
        return real == self._top or real.startswith(inner)

    def _checked(self, path: pathlib.Path) -> pathlib.Path:
        """Names the link by which a path leads out of the tree."""
        if not self.holds(path):
            way = [*reversed(path.parents), path]
            inner = [each for each in way if self.path in each.parents]
            links = [each for each in inner if not self.holds(each)]
            raise plan.Refused(LINK, links[0])
        return path


def told(name: str, error: plan.Refused) -> tuple[str, str]:
    """Says what is left out and why; a link stands for all that it leads to.

    Args:
        name: of what was looked for.
        error: what came of it.

    Returns:
        (file, reason).
    """
    is_link = str(error) == LINK
    return str(error.file) if is_link else name, str(error)


def text(path: str | os.PathLike, encoding: str = "utf-8") -> str:
    """Reads a text file; a byte order mark decides over the encoding.

    Args:
        path: the file.
        encoding: of a file without a mark.

    Returns:
        Its text, without the mark.

    Raises:
        plan.Refused: if it is not in this encoding.
        OSError: if it can't be read.
    """
    data = pathlib.Path(path).read_bytes()
    return decoded(data, encoding, path)


def decoded(data: bytes, encoding: str = "utf-8", file: object = None) -> str:
    """Decodes a text; a byte order mark decides over the encoding.

    Args:
        data: its bytes.
        encoding: of bytes without a mark.
        file: what errors name.

    Returns:
        The text, without the mark.

    Raises:
        plan.Refused: if it is not in this encoding.
    """
    marked = [name for mark, name in _MARKS if data.startswith(mark)]
    encoding = marked[0] if marked else encoding
    try:
        return data.decode(encoding)
    except LookupError:
        raise plan.Refused(
            f"--encoding={encoding} is no encoding that Python knows; "
            "give one such as utf-8, latin-1 or cp1252",
            file,
        ) from None
    except UnicodeDecodeError as error:
        name = encoding.upper().removesuffix("-SIG")
        raise plan.Refused(
            f"not {name} (byte {error.start} is 0x{data[error.start]:02x}); "
            "give --encoding",
            file,
        ) from None


def lines(path: str | os.PathLike, encoding: str = "utf-8") -> list[str]:
    """Reads a text file's lines.

    Only line feeds and carriage returns end a line, not the rarer marks that
    captions may hold.

    Args:
        path: the file.
        encoding: of a file without a byte order mark.

    Returns:
        The lines without their ends; empty ones are kept, but for what comes
        after the last end.

    Raises:
        plan.Refused: if it is not in this encoding.
        OSError: if it can't be read.
    """
    found = re.split(r"\r\n|\n|\r", text(path, encoding))
    return found if found[-1] else found[:-1]


def json_value(
    path: str | os.PathLike,
    encoding: str = "utf-8",
    hook: Callable[[dict], object] | None = None,
):
    """Reads a JSON file.

    Args:
        path: the file.
        encoding: of a file without a byte order mark.
        hook: gives what stands for each object, so that what nobody needs is
            let go before the rest is read.

    Returns:
        Its value.

    Raises:
        plan.Refused: if it is not in this encoding, or not JSON.
        OSError: if it can't be read.
    """
    data = text(path, encoding)
    try:
        return json.loads(data, object_hook=hook)
    except json.JSONDecodeError as error:
        raise plan.Refused(
            f"not JSON (line {error.lineno}, column {error.colno}: "
            f"{error.msg})",
            path,
        ) from None
    except RecursionError:
        raise plan.Refused("JSON that is nested too deeply", path) from None
    except ValueError:  # Python refuses to read thousands of digits.
        raise plan.Refused(
            "JSON with a number that is too long", path
        ) from None


def csv_rows(
    path: str | os.PathLike,
    encoding: str = "utf-8",
    delimiter: str | None = None,
) -> list[list[str]]:
    """Reads a table of separated values, quoted where needed.

    Args:
        path: the file.
        encoding: of a file without a byte order mark.
        delimiter: between values; None is a tab in .tsv files, else a comma.

    Returns:
        The rows, a header among them; empty ones are left out.

    Raises:
        plan.Refused: if it is not in this encoding, or no such table.
        OSError: if it can't be read.
    """
    if delimiter is None:
        is_tabbed = pathlib.Path(path).suffix.lower() == ".tsv"
        delimiter = "\t" if is_tabbed else ","
    stream = io.StringIO(text(path, encoding), newline="")
    reader = _reader(stream, delimiter)
    try:
        return [row for row in reader if row]
    except csv.Error as error:
        raise plan.Refused(
            f"a table whose line {reader.line_num} can't be read ({error})",
            path,
        ) from None


def csv_row(line: str) -> list[str]:
    """Reads a line of values between commas, quoted where needed.

    Args:
        line: not empty.

    Returns:
        The values.

    Raises:
        plan.Refused: if it can't be read.
    """
    try:
        return next(_reader([line], ","))
    except csv.Error as error:
        raise plan.Refused(f"a line that can't be read ({error})") from None


def _reader(lines, delimiter):
    csv.field_size_limit(_LONGEST)
    return csv.reader(lines, delimiter=delimiter)


def _check_name(name: str) -> None:
    if not name or "\0" in name:
        raise plan.Refused("an empty name, or one with a zero byte", name)
    if name[0] in "/\\" or re.match(r"[A-Za-z]:[\\/]", name):
        raise plan.Refused("an absolute path, which is not followed", name)
    if ".." in re.split(r"[\\/]", name):
        raise plan.Refused("a path with '..', which is not followed", name)


def _forms(name: str) -> list[str]:
    """Lists a name's ways of writing, its own first."""
    slashed = [name, name.replace("\\", "/")]
    forms = [
        unicodedata.normalize(form, each)
        for each in slashed
        for form in ("NFC", "NFD")
    ]
    return list(dict.fromkeys([name, *forms]))
