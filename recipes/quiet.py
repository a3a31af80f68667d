"""Keeps TensorFlow's own log out of what commands print.

TensorFlow 2.21 logs some lines before it reads TF_CPP_MIN_LOG_LEVEL; these are
taken out of the error stream while it loads. Who sets the variable to 0 sees
everything. A command imports this first, through its package.
"""

import contextlib
import ctypes
import logging
import os
import re
import sys
import tempfile

from absl import logging as absl_logging

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_CHATTER = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:\d+\.|WARNING: All log messages before absl::|"
    rb"To enable the following instructions: "
)


def load():
    """Loads TensorFlow without its chatter.

    Errors stay, but not where CUDA's driver is missing: TensorFlow calls that
    one too. What matters reaches Python as an exception anyway.
    """
    os.environ.setdefault(_LEVEL, "2" if _has_cuda() else "3")
    if "tensorflow" in sys.modules or os.environ[_LEVEL] == "0":
        return
    with _filtered(2):
        import tensorflow  # noqa: F401


def lower():
    """Lets only errors of other libraries' Python side through.

    Called before flags are read, so that --verbosity is heard.
    """
    if os.environ.get(_LEVEL) != "0":
        absl_logging.set_verbosity(absl_logging.ERROR)
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _has_cuda() -> bool:
    try:  # As TensorFlow does itself.
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _filtered(stream: int):
    """Writes what goes to a file descriptor at the end, without chatter."""
    kept = os.dup(stream)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), stream)
            try:
                yield
            finally:
                os.dup2(kept, stream)
                file.seek(0)
                for line in file:
                    if not _CHATTER.match(line):
                        os.write(stream, line)
    finally:
        os.close(kept)
