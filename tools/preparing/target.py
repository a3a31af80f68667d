"""Checks the folder that a set is to be made in, or that was made."""

import os
import pathlib

from keras_t2i.data import prepared

_NAMED = 3  # damaged files that a sentence names


def beside(out: str | os.PathLike) -> pathlib.Path:
    """Names the hidden folder in which a set is made.

    Args:
        out: the folder that it becomes.

    Returns:
        Its path.
    """
    out = pathlib.Path(out).absolute()
    return out.with_name(f".{out.name}.partial")


def check(out: str, source: str = "") -> None:
    """Refuses a folder that a finished set couldn't be moved to.

    Args:
        out: the folder to make.
        source: what is prepared.

    Raises:
        ValueError: if the name is no text, a link, a place where a disk is
            mounted or none that can be made, or lies in the source.
    """
    try:
        out.encode()
    except UnicodeEncodeError:
        raise ValueError(f"--out={out!a} is no text in UTF-8.") from None
    path = pathlib.Path(out).absolute()
    if path.name in ("", ".."):
        raise ValueError(f"--out={out} names no folder of its own.")
    for each in (path, beside(path)):
        if each.is_symlink():
            raise ValueError(
                f"--out={out} can't be made: {each} is a link; name a folder."
            )
    real = os.path.realpath(path)
    if os.path.ismount(path) or real == os.path.realpath("."):
        raise ValueError(
            f"--out={out} is a folder that can't be replaced (a disk is "
            "mounted there, or you are in it); name a new one in it."
        )
    _check_above(out, path)
    if source and os.path.isdir(source):
        root = os.path.realpath(source)
        if real == root or real.startswith(os.path.join(root, "")):
            raise ValueError(
                f"--out={out} lies in --source={source}; name a folder "
                "outside of it."
            )


def damage(folder: pathlib.Path) -> str:
    """Looks whether all files of a set are there in full length.

    Args:
        folder: of the set.

    Returns:
        Sentences that name those which aren't, or nothing.
    """
    try:
        told = prepared.manifest(folder)
    except ValueError as error:
        return str(error)
    sizes = dict(told.get("files", {}))
    for part in told["splits"].values():
        for each in [*part["shards"], part["index"]]:
            sizes[each["file"]] = each.get("bytes")
    wrong = []
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{path} is missing.")
        elif size is not None and path.stat().st_size != size:
            wrong.append(
                f"{path} has {path.stat().st_size:,} bytes; it was made with "
                f"{size:,}."
            )
    more = len(wrong) - _NAMED
    also = [f"So are {more:,} more."] if more > 0 else []
    return " ".join(wrong[:_NAMED] + also)


def _check_above(out, path):
    """Looks for the first folder above that is there."""
    above = next(each for each in path.parents if os.path.lexists(each))
    if not above.is_dir():
        raise ValueError(f"--out={out} can't be made: {above} is no folder.")
    if not path.exists() and not os.access(above, os.W_OK | os.X_OK):
        raise ValueError(
            f"--out={out} can't be made: {above} can't be written."
        )
