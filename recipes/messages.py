"""Tells users what is wrong in one sentence instead of a traceback."""

import difflib
import functools
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Iterable

import tensorflow as tf
from absl import app, flags
from ml_collections import config_flags

from keras_t2i.ops import files
from recipes import quiet

flags.disclaim_key_flags()  # What `config` defines is its caller's.

_OURS = ("keras_t2i", "recipes", "tools", "__main__")
#: Exit codes: what a user must mend; what another try may mend.
_FAULT, _AGAIN = 2, 75
#: What TensorFlow says of a record whose checksum is wrong.
_BAD_RECORD = re.compile(r"(corrupted|truncated) record at \d+")
_TOLD = (OSError, ValueError, ArithmeticError, tf.errors.OpError)


def run(main: Callable) -> None:
    """Runs a command; its errors, and those of its flags, are told.

    Args:
        main: callable of the words that are no flags.
    """
    quiet.lower()
    app.run(told(main), flags_parser=parse)


def told(main: Callable) -> Callable:
    """Wraps a command so that its errors reach the user as sentences.

    An `OSError`, an error of a TensorFlow operation, an `ArithmeticError` (a
    run's number that is not finite) and a `ValueError` that this library or
    its commands raise are printed and end the command with exit code 2; a
    `ConnectionError` (another worker is gone) with 75, which says "try again".
    Others keep their traceback: they are mistakes of ours.

    Args:
        main: callable of the words that are no flags.

    Returns:
        The same, told.
    """

    @functools.wraps(main)
    def wrapped(words):
        try:
            if not getattr(main, "takes_words", False):
                _check_no_rest(words[1:])
            return main(words)
        except _TOLD as error:
            if not _is_for_users(error):
                raise
            _tell(sentence(error))
            return _AGAIN if isinstance(error, ConnectionError) else _FAULT

    return wrapped


def takes_words(main: Callable) -> Callable:
    """Lets a command have words that belong to no flag, such as files.

    Args:
        main: callable of the words.

    Returns:
        The same.
    """
    main.takes_words = True
    return main


def sentence(error: Exception) -> str:
    """Words an error without its class and number.

    Args:
        error: what was raised.

    Returns:
        One line.
    """
    if isinstance(error, ValueError | ArithmeticError):
        return " ".join(str(error).split())
    reason = files.reason(error)
    found = _BAD_RECORD.search(reason)
    return _damaged(found[0]) if found else reason


def _damaged(what) -> str:
    return (
        f"A record file is damaged ({what}): `python -m tools.show_records "
        "--records=FOLDER --verify` names it, FOLDER being the prepared set; "
        "if all of these are whole, remove the folder of stored vectors."
    )


def choose(what: str, name: str, table):
    """Looks a name up and, if it is not there, names the nearest.

    Args:
        what: what is looked up, for the message.
        name: the name.
        table: mapping of the known names.

    Returns:
        `table[name]`.

    Raises:
        ValueError: if the name is unknown.
    """
    if name in table:
        return table[name]
    raise ValueError(
        f"{what} is {name!r}; known: {', '.join(sorted(table)) or 'none'}."
        f"{near(str(name), table)}"
    )


def near(name: str, known: Iterable[str]) -> str:
    """Finds what a user may have meant.

    Args:
        name: what came.
        known: what there is.

    Returns:
        " Did you mean 'x'?", or nothing if nothing is near.
    """
    found = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {found[0]!r}?" if found else ""


def one_of(**values) -> tuple[str, object]:
    """Picks the flag that was given out of several that exclude each other.

    Args:
        **values: flag -> value; None, "" and [] are not given.

    Returns:
        (flag, value) of the one.

    Raises:
        ValueError: if none or more than one is given.
    """
    given = [(name, value) for name, value in values.items() if value]
    if len(given) != 1:
        *most, last = [f"--{name}" for name in values]
        came = " and ".join(f"--{name}" for name, _ in given)
        raise ValueError(
            f"Give exactly one of {', '.join(most)} and {last}; "
            f"{came or 'none'} came."
        )
    return given[0]


def folder(flag: str, path: str) -> pathlib.Path:
    """Checks that a folder is there before anything slow starts.

    Args:
        flag: the flag that named it.
        path: the folder.

    Returns:
        The path.

    Raises:
        ValueError: if there is none, with the nearest of its neighbours.
    """
    found = pathlib.Path(path)
    if found.is_dir():
        return found
    raise ValueError(f"--{flag}={path} is no folder.{_beside(found)}")


def existing(flag: str, path: str) -> pathlib.Path:
    """Checks that a file or folder is there before anything slow starts.

    Args:
        flag: the flag that named it.
        path: the file or folder.

    Returns:
        The path.

    Raises:
        ValueError: if there is none, with the nearest of its neighbours.
    """
    found = pathlib.Path(path)
    if found.exists():
        return found
    raise ValueError(f"--{flag}={path} is no file or folder.{_beside(found)}")


def _beside(path) -> str:
    """Finds the neighbour that may have been meant."""
    folder = path.absolute().parent
    others = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    return near(path.name, others)


def config(default: str, about: str) -> flags.FlagHolder:
    """Defines --config; its overrides are read at once where it isn't given.

    Args:
        default: the config file.
        about: what the flag's help says.

    Returns:
        The flag; a misspelt override is told and ends the command.
    """
    try:
        return config_flags.DEFINE_config_file(
            "config", default, about, lock_config=True
        )
    except OSError:  # An override was to be read.
        sys.exit(_tell(_missing(default)))
    except (AttributeError, KeyError) as error:
        sys.exit(_tell(_unknown(error, sys.argv)))


def checkpoint() -> flags.FlagHolder:
    """Defines --checkpoint, for commands that open a run directory.

    Returns:
        The flag.
    """
    return flags.DEFINE_string(
        "checkpoint",
        None,
        "With --workdir: the folder of one checkpoint, for instance one of "
        "those in best/; else the newest.",
    )


def parse(words):
    """Reads the flags; a bad one is told and ends the command.

    Args:
        words: the command line, program first.

    Returns:
        The program and the words that are no flags.
    """
    try:
        rest = flags.FLAGS(words)
        if "config" in flags.FLAGS:
            flags.FLAGS.config.items()  # What can't be loaded says so.
        return rest
    except OSError:
        sys.exit(_tell(_missing(_config_file(words))))
    except flags.Error as error:  # A config file's own is its last line.
        text = str(error).strip().splitlines()[-1]
        sys.exit(_tell(text.strip().removeprefix("ValueError: ")))
    except (AttributeError, KeyError) as error:  # Of a config.
        sys.exit(_tell(_unknown(error, words)))


def _config_file(words) -> str:
    """Finds the file that --config names, or its default."""
    found = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        given = re.fullmatch(r"--?config(?:=(.*))?", word)
        if given:
            found = following if given[1] is None else given[1]
    if found is None:
        found = config_flags.get_config_filename(flags.FLAGS["config"])
    return found


def _missing(path) -> str:
    return (
        f"--config={path} is no file that can be read; give "
        "--config=FILE.py:SCALE, such as recipes/configs/openmoji.py:small, "
        "with the way to it from here."
    )


def _unknown(error, words) -> str:
    """Words what a config says of a key that it hasn't got."""
    while isinstance(error.args[0], Exception):
        error = error.args[0]
    text = str(error.args[0])
    key = re.match(r"\W*(\w+)", text)[1]
    meant = re.search(r'Did you mean "(\w+)"', text)
    hint = f" Did you mean {meant[1]!r}?" if meant else ""
    wanted = re.compile(rf"--?((no)?config\.([\w.]+\.)?{key})\b")
    found = next(filter(None, map(wanted.match, words)), None)
    return f"{found[1] if found else key} is unknown.{hint}"


def _check_no_rest(words):
    if words:
        raise ValueError(
            f"{' '.join(words)!r} belongs to no flag; a value with spaces "
            "needs quotes."
        )


def _tell(text):
    print(f"Error: {text}", file=sys.stderr)
    return _FAULT


def _is_for_users(error):
    if isinstance(error, ArithmeticError):
        return type(error) is ArithmeticError  # no division by zero of ours
    if not isinstance(error, ValueError):
        return True
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].split(".")[0] in _OURS
