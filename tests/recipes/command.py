"""Runs a recipe or a tool in this process as its command line would."""

import contextlib
import importlib
import io
import logging
import sys
import warnings
from unittest import mock

from absl import flags

from recipes import messages


def run(name, *words, room="recipes"):
    """Runs `python -m ROOM.NAME words`.

    Commands share names of flags, which one process can hold once: those of
    the command before are forgotten. What other libraries log is left out.

    Args:
        name: str, the command.
        *words: str, the flags.
        room: str, "recipes" or "tools".

    Returns:
        (exit code, what it printed, what it complained).
    """
    for flag in list(flags.FLAGS):
        owner = flags.FLAGS.find_module_defining_flag(flag)
        ours = owner.startswith(("recipes.", "tools."))
        if ours or flag.startswith("config."):  # Overrides are absl's own.
            delattr(flags.FLAGS, flag)
    sys.modules.pop(f"{room}.{name}", None)
    printed, complained = io.StringIO(), io.StringIO()
    with (
        _others_silent(),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(complained),
        mock.patch.object(sys, "argv", [name, *words]),
    ):
        try:
            command = importlib.import_module(f"{room}.{name}")
            code = messages.told(command.main)(messages.parse(sys.argv))
        except SystemExit as end:
            code = end.code
    return code or 0, printed.getvalue(), complained.getvalue()


@contextlib.contextmanager
def _others_silent():
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logging.disable(before)
