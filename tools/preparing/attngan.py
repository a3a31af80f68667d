"""Reads data folders that are laid out as AttnGAN's are.

train/filenames.pickle  test/filenames.pickle   the pictures' keys
text/KEY.txt                                    captions, one a line
captions.pickle                                 the same as word numbers
train/class_info.pickle  test/class_info.pickle a class number each
images/KEY.jpg
"""

import dataclasses
import pathlib

from keras_t2i.ops import pickles
from tools.preparing import places, plan

PARTS = ("train", "test")


def is_there(folder: pathlib.Path) -> bool:
    """Tells whether a folder has this layout.

    Args:
        folder: the folder.

    Returns:
        Whether it lists keys as AttnGAN does.
    """
    return any((folder / p / "filenames.pickle").is_file() for p in PARTS)


def keys(folder: pathlib.Path, part: str) -> list[str]:
    """Reads the keys of a part.

    Args:
        folder: of the layout.
        part: "train" or "test".

    Returns:
        Paths without their ending, in the source's order.

    Raises:
        plan.Refused: if the pickle is missing, unsafe or something else.
    """
    value = _pickle(folder / part / "filenames.pickle")
    if not _is_list(value) or not all(isinstance(k, str) for k in value):
        raise plan.Refused("a pickle that is no list of names")
    return list(value)


def classes(folder: pathlib.Path, part: str, count: int) -> list[int] | None:
    """Reads the class numbers of a part's pictures.

    Args:
        folder: of the layout.
        part: "train" or "test".
        count: of its pictures.

    Returns:
        A number each; None if the source has none.

    Raises:
        plan.Refused: if the pickle is unsafe or something else.
    """
    path = folder / part / "class_info.pickle"
    if not path.exists():
        return None
    value = _pickle(path)
    if not _is_list(value) or not all(_is_whole(n) for n in value):
        raise plan.Refused("a pickle that is no list of class numbers")
    if len(value) != count:
        raise plan.Refused(
            "class numbers that are not as many as filenames.pickle has names"
        )
    return [int(number) for number in value]


@dataclasses.dataclass(frozen=True)
class Table:
    """Holds captions.pickle.

    Attributes:
        captions: by part, the captions of all pictures in turn, as lists of
            word numbers; the same number for each picture.
        words: by their number. 0 is "<end>", which fills captions up.
    """

    captions: dict[str, list]
    words: dict[int, str]

    def vocabulary(self) -> list[str] | None:
        """Lists the words in the source's order.

        Returns:
            All but "<end>"; None if numbers are left out.
        """
        if sorted(self.words) != list(range(len(self.words))):
            return None
        return [self.words[i] for i in range(1, len(self.words))]

    def of(self, part: str, row: int, count: int) -> tuple[str, ...]:
        """Spells out a picture's captions.

        Args:
            part: "train" or "test".
            row: of the picture among the part's.
            count: of the part's pictures.

        Returns:
            Its captions.

        Raises:
            plan.Refused: if captions can't be shared out among the pictures,
                or a number stands for no word.
        """
        rows = self.captions[part]
        each, rest = divmod(len(rows), count)
        if rest:
            raise plan.Refused(
                "captions.pickle has not the same number for each picture"
            )
        try:
            return tuple(
                " ".join(self.words[int(n)] for n in numbers if int(n))
                for numbers in rows[row * each : (row + 1) * each]
            )
        except (KeyError, TypeError, ValueError):
            raise plan.Refused(
                "a caption with a number that is no word of captions.pickle"
            ) from None


def table(folder: pathlib.Path) -> Table | None:
    """Reads captions.pickle.

    Args:
        folder: of the layout.

    Returns:
        Its content; None if it is missing.

    Raises:
        plan.Refused: if the pickle is unsafe or something else.
    """
    path = folder / "captions.pickle"
    if not path.exists():
        return None
    value = _pickle(path)
    if (
        not _is_list(value)
        or len(value) < 4
        or not all(_is_list(rows) for rows in value[:2])
        or not isinstance(value[2], dict)
        or not all(
            _is_whole(n) and isinstance(word, str)
            for n, word in value[2].items()
        )
    ):
        raise plan.Refused(
            "a pickle without [train captions, test captions, words, numbers]"
        )
    words = {int(number): word for number, word in value[2].items()}
    return Table(dict(zip(PARTS, value[:2], strict=True)), words)


def texts(
    folder: pathlib.Path, key: str, encoding: str = "utf-8"
) -> tuple[str, ...]:
    """Reads a picture's captions from its text file.

    Args:
        folder: of the layout.
        key: of the picture.
        encoding: of text without a byte order mark.

    Returns:
        Its lines that are not empty; none where there is no file.

    Raises:
        plan.Refused: if the file's name or text can't be used.
    """
    if not (folder / "text").is_dir():
        return ()
    try:
        path = places.inside(folder / "text", f"{key}.txt")
    except plan.Refused as error:
        if str(error) == "a missing file":
            return ()
        raise
    lines = places.lines(path, encoding)
    return tuple(line for line in lines if line.strip())


def _pickle(path: pathlib.Path):
    try:
        data = path.read_bytes()
    except OSError as error:
        raise plan.Refused(
            f"a pickle that can't be read ({error.strerror})"
        ) from None
    try:
        return pickles.read(data)
    except ValueError as error:
        raise plan.Refused(str(error).rstrip(".")) from None


def _is_list(value) -> bool:
    return not isinstance(value, (str, bytes, dict)) and hasattr(
        value, "__len__"
    )


def _is_whole(value) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)
