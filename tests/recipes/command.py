"""Runs a recipe in this process as its command line would."""

import contextlib
import importlib
import io
import sys
from unittest import mock

import keras
from absl import flags

from recipes import messages


def run(name, *words):
    """Runs `python -m recipes.NAME words`.

    As in a fresh process, layers are numbered from the start. Recipes share
    names of flags, which one process can hold once: those of the recipe
    before are forgotten.

    Args:
        name: str, the recipe.
        *words: str, the flags.

    Returns:
        (exit code, what it printed, what it complained).
    """
    keras.backend.clear_session()
    for flag in list(flags.FLAGS):
        owner = flags.FLAGS.find_module_defining_flag(flag)
        if owner.startswith("recipes."):
            delattr(flags.FLAGS, flag)
    sys.modules.pop(f"recipes.{name}", None)
    printed, complained = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(complained),
        mock.patch.object(sys, "argv", [name, *words]),
    ):
        try:
            recipe = importlib.import_module(f"recipes.{name}")
            code = messages.told(recipe.main)(messages.parse(sys.argv))
        except SystemExit as end:
            code = end.code
    return code or 0, printed.getvalue(), complained.getvalue()
