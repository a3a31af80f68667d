r"""Kills a run again and again and proves that nothing is lost by it.

    python -m tools.check_kills --kills=20

A run is trained straight through, and once more while SIGKILL ends it at
random moments: while it starts (every third time), trains, draws or saves.
After each kill every file that lies there is opened; the next start must go on
from the newest checkpoint; what was played since, at most one epoch, is lost.
In the end both runs must be equal bit for bit. Takes about twenty seconds a
kill. The last line is JSON; the exit code is 1 if anything was not as it
should be.
"""

import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

import tensorflow as tf
from absl import flags
from PIL import Image

from keras_t2i import callbacks
from keras_t2i.callbacks import journal
from recipes import messages

_ROOT = pathlib.Path(__file__).parents[1]
_KILLS = flags.DEFINE_integer("kills", 20, "How often.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments.")
_MOVES = flags.DEFINE_integer("moves", 4000, "Of the run.", lower_bound=40)
_RUNS = flags.DEFINE_string(
    "runs", None, "Folder for both runs, made anew; else a temporary one."
)
_EPOCH = 20
_CONFIG = "recipes/configs/gan_cls_openmoji.py:smoke"


def main(_):
    """Kills as the flags say."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(_RUNS.value or temporary)
        for name in ("straight", "killed"):
            if (folder / name).exists():
                raise ValueError(
                    f"--runs={folder} holds a run named {name}; take "
                    "another folder."
                )
        faults, row = check(folder, _KILLS.value, _MOVES.value, _SEED.value)
    for fault in faults:
        print(f"FAULT: {fault}")
    print(json.dumps({**row, "faults": len(faults)}))
    return 1 if faults else 0


def check(folder, kills, moves, seed=0):
    """Trains two runs, one of them under fire, and compares them.

    Args:
        folder: where they lie.
        kills: int. How often the second one is killed.
        moves: int. Of each run.
        seed: int. Chooses the moments.

    Returns:
        List of sentences that say what is wrong, and a dict of figures.
    """
    straight, killed = folder / "straight", folder / "killed"
    length = _whole(straight, moves)
    print(f"The straight run took {length:.0f} seconds.", flush=True)
    dice = random.Random(seed)
    start = length - _played(straight)  # Seconds until training begins.
    faults, losses, cut = [], [], 0
    for number, place in enumerate(_moments(dice, kills, moves), 1):
        before = _newest(killed)
        seconds = dice.uniform(0.0, 0.4 if place else 0.5 * start)
        is_done, said = _shot(killed, moves, place, seconds)
        if is_done:  # This machine was busier before.
            print(f"The run ended before kill {number}: give more --moves.")
            break
        found = inspect(killed)
        faults += [f"after kill {number}: {fault}" for fault in found]
        moment = _newest(killed)
        lost = max(_written(killed) - moment, 0)
        losses.append(lost)
        cut += any((killed / "checkpoints").glob(".move_*"))
        if moment < before:
            faults.append(f"kill {number} threw it from {before} to {moment}")
        begun = re.search(r"Going on from move ([\d,]+)", said)
        if begun and int(begun[1].replace(",", "")) != before:
            faults.append(f"start {number} went on from {begun[1]}: {before}")
        print(
            f"kill {number}, {seconds:.2f} s after "
            f"{f'checkpoint {place:,}' if place else 'its start'}: move "
            f"{moment:,}, {lost} written moves to play again",
            flush=True,
        )
    _whole(killed, moves)
    faults += inspect(killed) + differences(straight, killed)
    if max(losses, default=0) > _EPOCH:
        faults.append(f"{max(losses)} moves were lost at once")
    row = {
        "kills": len(losses),
        "moves": moves,
        "interval": _EPOCH,
        "most_written_moves_lost": max(losses, default=0),
        "kills_while_saving": cut,
    }
    return faults, row


def inspect(workdir) -> list[str]:
    """Opens everything that lies in a run directory.

    Args:
        workdir: the run directory.

    Returns:
        Sentences: what can't be read. What is hidden does not count.
    """
    faults = []
    for path in sorted(workdir.rglob("*")):
        parts = path.relative_to(workdir).parts
        is_hidden = any(part.startswith(".") for part in parts)
        if path.is_dir() or is_hidden:
            continue
        try:
            _READERS.get(path.suffix, _nothing)(path)
        except Exception as error:
            faults.append(f"{path.relative_to(workdir)}: {error}")
    for folder in (workdir / "checkpoints").glob("move_*"):
        try:
            arrays(folder)
        except Exception as error:
            faults.append(f"{folder.name}: {error}")
    return faults


def arrays(folder) -> dict:
    """Reads all that a checkpoint holds.

    Args:
        folder: the checkpoint.

    Returns:
        dict, name -> array.

    Raises:
        tf.errors.OpError: if it is not whole.
    """
    json.loads((folder / "contents.json").read_text())
    reader = tf.train.load_checkpoint(folder / "arrays")
    names = set(reader.get_variable_to_shape_map())
    names.remove("_CHECKPOINTABLE_OBJECT_GRAPH")
    return {name: reader.get_tensor(name) for name in names}


def differences(straight, killed) -> list[str]:
    """Compares two runs that should be equal.

    Args:
        straight: a run directory.
        killed: another.

    Returns:
        Sentences: what differs.
    """
    names = sorted(
        str(path.relative_to(straight))
        for path in [*straight.glob("samples/*"), straight / "film.gif"]
    )
    found = [
        f"{name} differs"
        for name in names
        if not (killed / name).exists()
        or (killed / name).read_bytes() != (straight / name).read_bytes()
    ]
    ours, theirs = (
        [(row["move"], row["terms"]) for row in journal.read(path)]
        for path in (killed / "metrics.jsonl", straight / "metrics.jsonl")
    )
    if ours != theirs:
        found.append("the terms of metrics.jsonl differ")
    move = _newest(straight)
    if _newest(killed) != move:
        return [*found, f"the runs end at {_newest(killed)} and {move}"]
    ours, theirs = (
        arrays(path / "checkpoints" / f"move_{move:08d}")
        for path in (killed, straight)
    )
    found += [
        f"{name} differs"
        for name in sorted(set(ours) | set(theirs))
        if name not in ours
        or name not in theirs
        or ours[name].tobytes() != theirs[name].tobytes()
    ]
    return found


def _newest(workdir) -> int:
    return callbacks.newest(workdir / "checkpoints")


def _nothing(path):
    """TensorBoard's logs are its own; arrays are read by checkpoint."""


def _json_lines(path):
    *whole, last = path.read_text().split("\n")
    for line in whole:
        json.loads(line)


_READERS = {
    ".gif": lambda path: Image.open(path).verify(),
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": _json_lines,
    ".png": lambda path: Image.open(path).verify(),
}


def _command(workdir, moves):
    return [
        sys.executable,
        "-m",
        "recipes.train",
        f"--config={_CONFIG}",
        f"--workdir={workdir.absolute()}",
        f"--config.train.moves={moves}",
        f"--config.train.moves_per_epoch={_EPOCH}",
    ]


def _whole(workdir, moves) -> float:
    """Trains to the end; answers the seconds."""
    start = time.monotonic()
    done = subprocess.run(
        _command(workdir, moves), capture_output=True, text=True, cwd=_ROOT
    )
    if done.returncode:
        raise OSError(f"The run in {workdir} failed: {done.stderr[-1000:]}")
    return time.monotonic() - start


def _moments(dice, kills, moves) -> list[int]:
    """Draws what each kill waits for: a checkpoint, or 0, the bare start."""
    late = sorted(dice.randrange(1, int(0.8 * moves)) for _ in range(kills))
    return [place if number % 3 else 0 for number, place in enumerate(late, 1)]


def _shot(workdir, moves, place, seconds):
    """Trains until a checkpoint is there, and some seconds more.

    Returns:
        Whether the run ended before, and what it said.
    """
    with tempfile.TemporaryFile("w+") as told:
        run = subprocess.Popen(
            _command(workdir, moves), stdout=told, stderr=told, cwd=_ROOT
        )
        while _newest(workdir) < place and run.poll() is None:
            time.sleep(0.01)
        try:
            run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
        told.seek(0)
        return run.returncode == 0, told.read()


def _written(workdir) -> int:
    rows = journal.read(workdir / "metrics.jsonl")
    return rows[-1]["move"] if rows else 0


def _played(workdir) -> float:
    return journal.read(workdir / "metrics.jsonl")[-1]["seconds"]


if __name__ == "__main__":
    messages.run(main)
