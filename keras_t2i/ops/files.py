"""Writes files so that no reader ever sees half of one, and names contents."""

import hashlib
import json
import os
import pathlib
import re
import uuid

import numpy as np

# What TensorFlow adds to a reason: stacks, nodes, its temporary files.
_MARKS = re.compile(
    r"(?s:^Graph execution error:.*\n\n)|\[*{{.*?}}\]*|"
    r"Detected at node .* \(most recent call last\):\n|"
    r"<stack traces unavailable>\n|"
    r"\d+ root error\(s\) found\.\n *\(0\) [A-Z_]+: +|"
    r"Error in user-defined function passed to .*? with iterator: [\w:\[\]]*: |"
    r"\b[A-Z]\w*Error: (\[Errno \d+\] )?|"
    r"\[Op:.*?\]( name:)?|[^\n{}]+\.(tempstate|tmp)[0-9a-f]+; "
)
_ASSERTED = re.compile(r"^assertion failed: \[(.*)\]$")


def atomic_write(path: str | os.PathLike, data: bytes) -> None:
    """Puts a whole file in place at once, or leaves what was there.

    The bytes go to a file beside `path`, which is then renamed. Missing
    folders above `path` are made.

    Args:
        path: where the file is to lie.
        data: the file's whole content.

    Raises:
        OSError: if it cannot be written; the old file, if any, is intact and
            nothing is left beside it.
    """
    path = pathlib.Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        _forget(beside)
        raise _sentence(path, error) from error
    except BaseException:
        _forget(beside)
        raise


def sync(path: str | os.PathLike) -> None:
    """Waits until a file, or a folder's list of names, is on the disk.

    Args:
        path: the file or folder.

    Raises:
        OSError: if it can't be written.
    """
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def append_line(path: str | os.PathLike, text: str) -> None:
    """Adds one whole line to the end of a text file, or nothing.

    A last line that an earlier crash left without its end is closed first, so
    the new line always stands alone. Missing folders are made.

    Args:
        path: the file; it is made if it does not exist.
        text: the line, without its end.

    Raises:
        ValueError: if `text` holds a line break.
        OSError: if it cannot be written; the file is as it was.
    """
    if "\n" in text or "\r" in text:
        raise ValueError(
            f"One line was asked for; this holds several: {text!r}."
        )
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            start = b"" if _ends_line(file, size) else b"\n"
            line = start + text.encode() + b"\n"
            try:
                _write_all(file, line)
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise _sentence(path, error) from error


def read_lines(path: str | os.PathLike) -> list[dict]:
    """Reads a file of JSON objects, one a line.

    Args:
        path: the file; it may be missing.

    Returns:
        The objects in order. A line that was cut off in mid-word, and any
        other that holds no object, is left out.
    """
    path = pathlib.Path(path)
    rows = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in rows if isinstance(row, dict)]


def digest(*parts) -> str:
    """Names contents: equal parts give equal names, other parts others.

    Args:
        *parts: each `bytes`, a string, a number, or an array of numbers or
            strings. Type, shape and order count; how wide the array stores
            its strings does not.

    Returns:
        64 hexadecimal digits (SHA-256).

    Raises:
        TypeError: if an array holds Python objects other than strings.
    """
    total = hashlib.sha256()
    for part in parts:
        kind, data = _plain(part)
        total.update(f"{kind}:{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()


def reason(error: Exception) -> str:
    """Words an error without its class, its number and TensorFlow's marks.

    Args:
        error: what was raised.

    Returns:
        One line.
    """
    text = getattr(error, "message", None) or str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if error.filename is not None:
            text = f"{text}: {error.filename}"
    text = _MARKS.sub("", text).strip()
    first = text.splitlines()[0] if text else repr(error)
    return _ASSERTED.sub(r"\1", first)


def _plain(part) -> tuple[str, bytes]:
    if isinstance(part, bytes):
        return "bytes", part
    if isinstance(part, str):
        return "str", part.encode()
    array = np.asarray(part)
    if array.dtype.kind in "OU" and all(isinstance(x, str) for x in array.flat):
        words = [text.encode() for text in array.flat]
        framed = b"".join(b"%d:%s" % (len(word), word) for word in words)
        return f"strings{array.shape}", framed
    if array.dtype.kind not in "biufcS":
        raise TypeError(
            "A digest is taken of bytes, strings, numbers and arrays of them; "
            f"this is {type(part).__name__} of {array.dtype}."
        )
    return f"{array.dtype.str}{array.shape}", array.tobytes()


def _ends_line(file, size: int) -> bool:
    if size == 0:
        return True
    file.seek(size - 1)
    return file.read(1) == b"\n"


def _write_all(file, data: bytes) -> None:
    while data:
        data = data[file.write(data) :]


def _forget(path: pathlib.Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # a file stands where a folder should: nothing was made
        pass


def _sentence(path: pathlib.Path, error: OSError) -> OSError:
    return type(error)(
        error.errno,
        f"Cannot write, what was there is unchanged: {error.strerror}",
        str(path),
    )
