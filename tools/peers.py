"""Finds a Python in which what we are compared with is installed."""

import os
import subprocess


def check(python: str, *modules: str) -> None:
    """Refuses a Python that lacks what it shall run.

    Args:
        python: its path, for --torch_python.
        *modules: what it must be able to import.

    Raises:
        ValueError: if it cannot be run or lacks one of them.
    """
    words = [os.path.expanduser(python), "-c", f"import {', '.join(modules)}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
        reason = done.stderr.strip().splitlines()[-1:] or [""]
        missing = done.returncode != 0
    except OSError as error:
        missing, reason = True, [error.strerror]
    if missing:
        told = " and ".join(modules)
        raise ValueError(
            f"{python} cannot import {told} ({reason[0]}); give "
            "--torch_python a Python that has them."
        )
