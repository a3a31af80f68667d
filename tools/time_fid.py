r"""Times FID's moments and distance beside pytorch-fid's formula.

    python -m tools.time_fid

Both sides start from the same drawn features, --rows=30000 of --width=2048 a
set, as an Inception network's are: none negative, most of their spread in few
directions. Ours takes them as float32 in batches, `metrics.moments`. The
other side is pytorch-fid's formula on float64 tables that are made before the
clock starts: `numpy.mean`, `numpy.cov` and `scipy.linalg.sqrtm` of the
product of the covariances. SciPy is asked for here alone; nothing else of this
library needs it.

They take turns for --rounds=5; "ratio" is the median of their seconds over
ours in the same round, "relative_difference" that of the two distances.
"peak_memory_gb" is the most that a process of its own holds while our side
reads the features from files in batches of --batch_size=100 (most of it,
"imports_gb", is TensorFlow). The last line is JSON.
"""

import importlib.metadata
import importlib.util
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import numpy as np
from absl import flags

from keras_t2i.metrics import moments
from keras_t2i.ops import memory
from recipes import messages

_ROOT = pathlib.Path(__file__).parents[1]
_ROWS = flags.DEFINE_integer("rows", 30_000, "Of either set.", lower_bound=2)
_WIDTH = flags.DEFINE_integer("width", 2048, "Features.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of both.", lower_bound=1)
_BATCH = flags.DEFINE_integer(
    "batch_size", 100, "Rows that our side takes at once.", lower_bound=1
)
_STREAMED = flags.DEFINE_string(
    "streamed", None, "Folder of drawn features: measure these and no more."
)

_SETS = ("real", "fake")
_DRAWN = 1000  # rows drawn at once


def main(_):
    """Times what the flags ask for."""
    if _STREAMED.value:
        row = streamed(messages.folder("streamed", _STREAMED.value))
    else:
        with tempfile.TemporaryDirectory() as folder:
            row = compare(pathlib.Path(folder))
    print(json.dumps(row))


def compare(folder: pathlib.Path) -> dict:
    """Lets both sides take turns.

    Args:
        folder: where the features go.

    Returns:
        The figures.

    Raises:
        ValueError: if SciPy is not installed.
    """
    check_scipy()
    for number, name in enumerate(_SETS):
        with open(folder / name, "wb") as file:
            for rows in drawn(number):
                file.write(rows.tobytes())
    apart = _elsewhere(folder)  # before this process holds the tables
    tables = [np.fromfile(folder / n, np.float32) for n in _SETS]
    tables = [table.reshape(-1, _WIDTH.value) for table in tables]
    wide = [np.float64(table) for table in tables]
    sides = {"ours": (ours, tables), "scipy": (theirs, wide)}
    seconds, found = {name: [] for name in sides}, {}
    for turn in range(_ROUNDS.value):
        for name, (measure, given) in sides.items():
            began = time.perf_counter()
            found[name] = measure(*given)
            seconds[name].append(time.perf_counter() - began)
            print(
                f"round {turn + 1} {name:5}: {seconds[name][-1]:6.2f} s, "
                f"distance {found[name]:.9g}",
                flush=True,
            )
    pairs = zip(seconds["scipy"], seconds["ours"], strict=True)
    return {
        "ratio": round(statistics.median(a / b for a, b in pairs), 3),
        "relative_difference": abs(found["ours"] / found["scipy"] - 1.0),
        "peak_memory_gb": apart["peak_memory_gb"],
        "imports_gb": apart["imports_gb"],
        "seconds": {
            name: round(statistics.median(s), 3) for name, s in seconds.items()
        },
        "distance": found["ours"],
        "distance_streamed": apart["distance"],
        "rows": _ROWS.value,
        "width": _WIDTH.value,
        "rounds": _ROUNDS.value,
        "versions": {
            n: importlib.metadata.version(n) for n in ("numpy", "scipy")
        },
    }


def ours(*tables: np.ndarray) -> float:
    """Measures by this library, in batches.

    Args:
        *tables: two, (N, C) float32.

    Returns:
        The distance.
    """
    found = []
    for table in tables:
        learned = moments.Moments()
        for start in range(0, len(table), _BATCH.value):
            learned.add(table[start : start + _BATCH.value])
        found.append(learned)
    return moments.frechet_distance(*found)


def theirs(real: np.ndarray, fake: np.ndarray) -> float:
    """Measures by the formula of pytorch-fid.

    Args:
        real: (N, C) float64.
        fake: (M, C) float64.

    Returns:
        The distance.
    """
    import scipy.linalg

    means = real.mean(axis=0), fake.mean(axis=0)
    spreads = [np.cov(rows, rowvar=False) for rows in (real, fake)]
    root = scipy.linalg.sqrtm(spreads[0] @ spreads[1])
    traces = np.trace(spreads[0]) + np.trace(spreads[1])
    gap = means[0] - means[1]
    return float(gap @ gap + traces - 2.0 * np.trace(root).real)


def streamed(folder: pathlib.Path) -> dict:
    """Measures features as they are read, and what memory that takes.

    Args:
        folder: where they lie.

    Returns:
        "distance", "peak_memory_gb", and "imports_gb" held before.
    """
    imports, found = _peak_gb(), []
    for name in _SETS:
        learned = moments.Moments()
        with open(folder / name, "rb") as file:
            while chunk := file.read(4 * _BATCH.value * _WIDTH.value):
                rows = np.frombuffer(chunk, np.float32)
                learned.add(rows.reshape(-1, _WIDTH.value))
        found.append(learned)
    return {
        "distance": moments.frechet_distance(*found),
        "peak_memory_gb": _peak_gb(),
        "imports_gb": imports,
    }


def drawn(number: int) -> Iterator[np.ndarray]:
    """Draws features like those of a network's last layer.

    Args:
        number: 0 for one set, 1 for another, a little apart.

    Yields:
        (n, C) float32 >= 0. Along directions that mix the features variances
        fall as 1 / k; mean and spread of a feature are near 0.4, as those of
        an Inception network; what is negative is cut off.
    """
    width = _WIDTH.value
    mix = np.random.default_rng(0).normal(size=(width, width))
    mix, _ = np.linalg.qr(mix)
    spreads = np.arange(1.0, width + 1.0) ** -0.5
    spreads *= 1.0 + 0.2 * number * np.cos(np.arange(width))
    mix = np.float32(np.sqrt(width) * spreads[:, None] * mix)
    random = np.random.default_rng(1 + number)
    for start in range(0, _ROWS.value, _DRAWN):
        count = min(_DRAWN, _ROWS.value - start)
        rows = random.standard_normal((count, width), np.float32) @ mix
        yield np.maximum(rows / np.float32(8) + np.float32(0.3), 0)


def check_scipy() -> None:
    """Refuses to run without the other side.

    Raises:
        ValueError: if SciPy is not installed.
    """
    if importlib.util.find_spec("scipy") is None:
        raise ValueError(
            "The other side takes its root of a matrix from SciPy, which is "
            "not installed: pip install scipy"
        )


def _elsewhere(folder):
    words = [sys.executable, "-m", "tools.time_fid", f"--streamed={folder}"]
    words += [f"--width={_WIDTH.value}", f"--batch_size={_BATCH.value}"]
    done = subprocess.run(words, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ValueError(
            "The process whose memory is measured failed; its words stand "
            "above."
        )
    return json.loads(done.stdout.splitlines()[-1])


def _peak_gb() -> float:
    """The most that this process held; not what its parent did."""
    status = pathlib.Path("/proc/self/status")
    if not status.exists():  # No Linux.
        return round(memory.resident() / 1e9, 3)
    lines = dict(x.split(":", 1) for x in status.read_text().splitlines())
    return round(int(lines["VmHWM"].split()[0]) * 1024 / 1e9, 3)


if __name__ == "__main__":
    messages.run(main)
