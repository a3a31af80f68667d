r"""Times DAMSM's losses beside a loop over captions in PyTorch.

    python -m tools.time_matching --torch_python=~/torch/bin/python
    python -m tools.time_matching --torch_python=... \
        --reference="python steps.py damsm_loss 48 5"
    python -m tools.time_matching --memory

A move is the losses of words and sentences on given features, forward and
backward: --batch_size=48 pictures of --side=17 squared places, captions of
--words=18 words, --width=256 features. Here `losses.matching` scores all
pairs at once, compiled by XLA as systems do it (--noxla: not); there one
caption is held against all pictures at a time, as the published code does it.
Both get the same features and must find the same loss. They take turns for
--rounds=9, each standing still in those of the other; "ratio" is their time
of a move over ours, both medians.

--reference runs another program in each round, say the published code itself,
and reads "ms_per_move" from the JSON of its last line. PyTorch is run by
--torch_python, for it need not live beside TensorFlow.

--memory tells instead what a fresh process that takes such moves of 256
pictures holds at most, compiler included; captions go through in chunks,
--chunk of them if you choose. Needs /proc, hence Linux. The last line is JSON.
"""

import contextlib
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

from absl import flags

from recipes import messages
from tools import peers, sides

_ROOT = pathlib.Path(__file__).parents[1]
_THEIRS = _ROOT / "tools" / "pipelines" / "torch_matching.py"
_TORCH = flags.DEFINE_string(
    "torch_python", sys.executable, "A Python that has torch and NumPy."
)
_REFERENCE = flags.DEFINE_string(
    "reference", None, "A command that times the same moves of others."
)
_BATCH = flags.DEFINE_integer(
    "batch_size", None, "Pictures; else 48, 256 for memory.", lower_bound=2
)
_WORDS = flags.DEFINE_integer("words", 18, "Of a caption.", lower_bound=1)
_SIDE = flags.DEFINE_integer("side", 17, "Places in a row.", lower_bound=1)
_WIDTH = flags.DEFINE_integer("width", 256, "Features.", lower_bound=1)
_CHUNK = flags.DEFINE_integer(
    "chunk", None, "Captions at a time; else the library's choice."
)
_XLA = flags.DEFINE_bool("xla", True, "Compile our side.")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Turns of each.", lower_bound=1)
_MOVES = flags.DEFINE_integer("moves", 5, "Timed in a turn.", lower_bound=1)
_MEMORY = flags.DEFINE_bool("memory", False, "Tell memory and no ratio.")

_SAME = 1e-3  # The losses' difference, of themselves.


def main(_):
    """Times what the flags ask for."""
    if not pathlib.Path("/proc/self/stat").exists():
        raise ValueError("This tool reads /proc, which only Linux has.")
    print(json.dumps(memory() if _MEMORY.value else compare()))


def compare() -> dict:
    """Lets both sides, and others' code if asked for, take turns.

    Returns:
        The figures.

    Raises:
        ValueError: if PyTorch is missing, the losses differ or the reference
            tells no time.
    """
    peers.check(_TORCH.value, "torch", "numpy")
    rounds = {"ours": [], "torch": []}
    with contextlib.ExitStack() as stack:
        playing = {
            "ours": stack.enter_context(_ours()),
            "torch": stack.enter_context(_theirs()),
        }
        losses = {name: float(s.greeting) for name, s in playing.items()}
        if not abs(losses["ours"] / losses["torch"] - 1.0) < _SAME:
            raise ValueError(f"The sides find different losses: {losses}.")
        for number in range(_ROUNDS.value):
            for name, side in playing.items():
                seconds, worked = side.timed(_MOVES.value)
                rounds[name].append(
                    [1e3 * x / _MOVES.value for x in (seconds, worked)]
                )
            if _REFERENCE.value:
                rounds.setdefault("reference", []).append([_reference()])
            told = ", ".join(
                f"{name} {turns[-1][0]:.1f}" for name, turns in rounds.items()
            )
            print(f"round {number + 1}: ms a move: {told}", flush=True)
    return _compared(rounds)


def memory() -> dict:
    """Tells what our side holds.

    Returns:
        The figures, in MB.
    """
    with _ours() as side:
        side.ask(_MOVES.value)
        most = side.most_memory()
    return {
        "most_mb": round(most / 1e6, 1),
        "moves": _MOVES.value,
        **_sizes(),
    }


def _compared(rounds):
    medians = {
        name: statistics.median(turn[0] for turn in turns)
        for name, turns in rounds.items()
    }
    row = {"ratio": round(medians["torch"] / medians["ours"], 3)}
    if _REFERENCE.value:
        ratio = medians["reference"] / medians["ours"]
        row["ratio_reference"] = round(ratio, 3)
    row["ms_a_move"] = {n: round(m, 2) for n, m in medians.items()}
    row["fastest_ms"] = {
        name: round(min(turn[0] for turn in turns), 2)
        for name, turns in rounds.items()
    }
    row["cpu_ms_a_move"] = {
        name: round(statistics.median(turn[1] for turn in rounds[name]), 2)
        for name in ("ours", "torch")
    }
    return row | {"rounds": _ROUNDS.value, "moves": _MOVES.value} | _sizes()


def _sizes():
    return {**_settings(), "chunk": _CHUNK.value, "xla": _XLA.value}


def _settings():
    return {
        "batch_size": _BATCH.value or (256 if _MEMORY.value else 48),
        "words": _WORDS.value,
        "side": _SIDE.value,
        "width": _WIDTH.value,
    }


def _ours():
    words = json.dumps(_sizes())
    command = [sys.executable, "-m", "tools.pipelines.our_matching", words]
    return sides.Side(command, warmup=1)


def _theirs():
    python = os.path.expanduser(_TORCH.value)
    command = [python, str(_THEIRS), json.dumps(_settings())]
    return sides.Side(command, warmup=1)


def _reference():
    """Runs others' program: its milliseconds."""
    done = subprocess.run(
        shlex.split(_REFERENCE.value), stdout=subprocess.PIPE, text=True
    )
    try:
        return float(json.loads(done.stdout.splitlines()[-1])["ms_per_move"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"--reference={_REFERENCE.value!r} ended with exit code "
            f"{done.returncode} and no JSON with ms_per_move in its last line."
        ) from error


if __name__ == "__main__":
    messages.run(main)
