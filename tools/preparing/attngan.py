"""Reads data folders that are laid out as AttnGAN's are.

train/filenames.pickle  test/filenames.pickle   the pictures' keys
text/KEY.txt                                    captions, one a line
captions.pickle                                 the same as word numbers
train/class_info.pickle  test/class_info.pickle a class number each
images/KEY.jpg
"""

import dataclasses
from collections.abc import Iterable

from keras_t2i.data import vocabulary as vocabularies
from keras_t2i.ops import pickles
from tools.preparing import places, plan

PARTS = ("train", "test")
TABLE = "captions.pickle"


def is_there(tree: places.Tree) -> bool:
    """Tells whether a folder has this layout.

    Args:
        tree: the folder.

    Returns:
        Whether it lists keys as AttnGAN does.
    """
    names = (tree.path / part / "filenames.pickle" for part in PARTS)
    return any(name.is_file() for name in names)


def keys(tree: places.Tree, part: str) -> list[str]:
    """Reads the keys of a part.

    Args:
        tree: of the layout.
        part: "train" or "test".

    Returns:
        Paths without their ending, in the source's order.

    Raises:
        plan.Refused: if the pickle is missing, unsafe or something else.
    """
    value = _pickle(tree, f"{part}/filenames.pickle")
    if value is None:
        raise plan.Refused("a missing file")
    if not _is_list(value) or not all(isinstance(k, str) for k in value):
        raise plan.Refused("a pickle that is no list of names")
    return [key.replace("\\", "/") for key in value]


def classes(tree: places.Tree, part: str, count: int) -> list[int] | None:
    """Reads the class numbers of a part's pictures.

    Args:
        tree: of the layout.
        part: "train" or "test".
        count: of its pictures.

    Returns:
        A number each; None if the source has none.

    Raises:
        plan.Refused: if the pickle is unsafe or something else.
    """
    value = _pickle(tree, f"{part}/class_info.pickle")
    if value is None:
        return None
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

    def vocabulary(self) -> vocabularies.Vocabulary:
        """Takes the words over, in their order.

        Returns:
            The vocabulary, whose ids are the table's numbers.

        Raises:
            ValueError: if a number has no word, or a word is none here.
        """
        if sorted(self.words) != list(range(len(self.words))):
            raise ValueError("Numbers are left out.")
        return vocabularies.Vocabulary(
            [self.words[number] for number in sorted(self.words) if number]
        )


def table(tree: places.Tree) -> Table | None:
    """Reads captions.pickle.

    Args:
        tree: of the layout.

    Returns:
        Its content; None if it is missing.

    Raises:
        plan.Refused: if the pickle is unsafe or something else.
    """
    value = _pickle(tree, TABLE)
    return None if value is None else parse(value)


def parse(value) -> Table:
    """Checks what captions.pickle held.

    Args:
        value: as `ops.pickles.read` gave it.

    Returns:
        Its content.

    Raises:
        plan.Refused: if it is something else.
    """
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


def take_vocabulary(found: Table | None, answer: plan.Plan) -> None:
    """Takes over the source's words in its order, where they can be used.

    Args:
        found: from `table`.
        answer: the plan; gets `vocabulary` and a note, or a note why not.
    """
    if found is None:
        return
    try:
        words = list(found.vocabulary().words)
    except ValueError as error:
        answer.notes.append(
            f"The vocabulary of {TABLE} is not taken, but counted from the "
            f"captions: {error}"
        )
    else:
        answer.vocabulary = words
        answer.notes.append(
            f"The vocabulary is that of {TABLE}, in its order: "
            f"{len(words):,} words."
        )


def texts(
    tree: places.Tree | None, key: str, encoding: str = "utf-8"
) -> tuple[str, ...]:
    """Reads a picture's captions from its text file.

    Args:
        tree: the folder text/, or None where there is none.
        key: of the picture.
        encoding: of text without a byte order mark.

    Returns:
        Its captions; none where there is no file.

    Raises:
        plan.Refused: if the file's name or text can't be used.
    """
    if tree is None:
        return ()
    try:
        path = tree.inside(f"{key}.txt")
    except plan.Refused as error:
        if str(error) == "a missing file":
            return ()
        raise
    return captions(places.lines(path, encoding))


def captions(lines: Iterable[str]) -> tuple[str, ...]:
    """Mends the lines of a text file as AttnGAN's code does.

    Args:
        lines: of the file.

    Returns:
        Those that are not empty. Pairs of U+FFFD, with which the downloads
        show what they lost, are spaces.
    """
    mended = (line.replace("\ufffd\ufffd", " ").strip() for line in lines)
    return tuple(line for line in mended if line)


def _pickle(tree: places.Tree, name: str):
    """Reads a pickle; None if it is missing."""
    path = tree.file(name)
    if path is None:
        return None
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
