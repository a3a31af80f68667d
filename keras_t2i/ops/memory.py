"""Tells how much memory a program took and how much there is."""

import os
import pathlib
import resource
import subprocess
import sys
from typing import NamedTuple

import tensorflow as tf

_STATISTICS = pathlib.Path("/proc/self/statm")
_CONTAINER = pathlib.Path("/sys/fs/cgroup/memory.max")


class Usage(NamedTuple):
    """Memory of one device.

    Attributes:
        held: int. Bytes that this program holds now.
        peak: int. The most bytes that it held at once so far.
        limit: int or None. All bytes there are for it; None if nobody says.
    """

    held: int
    peak: int
    limit: int | None


def usage() -> dict[str, Usage]:
    """Measures what this program took, device by device.

    Returns:
        "processor" (this process, as the operating system counts it) and each
        graphics processor that TensorFlow uses, "GPU:0" and so on -> `Usage`.
    """
    found = {"processor": Usage(_held(), resident(), _installed())}
    graphics = tf.config.list_logical_devices("GPU")
    limit = _smallest_card() if graphics else None
    for number in range(len(graphics)):
        name = f"GPU:{number}"
        info = tf.config.experimental.get_memory_info(name)
        found[name] = Usage(info["current"], info["peak"], limit)
    return found


def room(before: Usage, after: Usage) -> float | None:
    """Estimates how much larger a batch may be until its device is full.

    All that was taken since is taken to grow with the batch. Some of it does
    not, so the answer is rather too small than too large.

    Args:
        before: measured before the first batch.
        after: measured after some batches.

    Returns:
        float, the batch's possible size over its present one; None if
        nothing grew or the limit is unknown.
    """
    grown = after.peak - before.held
    if after.limit is None or grown <= 0:
        return None
    return max((after.limit - before.held) / grown, 0.0)


def resident() -> int:
    """Measures the most memory that this process held at once so far.

    Unlike `usage` it does not wake TensorFlow's devices.

    Returns:
        int, bytes.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _held() -> int:
    if not _STATISTICS.exists():  # No Linux.
        return resident()
    pages = int(_STATISTICS.read_text().split()[1])
    return pages * resource.getpagesize()


def _installed() -> int:
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(limit, int(_CONTAINER.read_text()))
    except (OSError, ValueError):  # No container, or "max": no bound.
        return limit


def _smallest_card() -> int | None:
    """The least memory of this machine's cards, as their driver says."""
    words = ["nvidia-smi", "--query-gpu=memory.total"]
    words += ["--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return min(int(line) for line in done.stdout.split()) * 2**20
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
