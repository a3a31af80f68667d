r"""Times AttnGAN's input beside PyTorch's DataLoader, in the same minutes.

    python -m tools.time_pipeline --torch_python=~/torch/bin/python
    python -m tools.time_pipeline --torch_python=... --stored=prepared
    python -m tools.time_pipeline --torch_python=... --pictures=~/photos
    python -m tools.time_pipeline --memory
    python -m tools.time_pipeline --startup

Both sides read JPEGs, scale the shorter side to 304 pixels, cut a random
square of 256, mirror it by chance, scale that to 128 and 64 pixels, draw one
caption of five as word ids, and put 24 of them into a batch: here
`data.pipeline.batches` from a prepared set, there a DataLoader with
--workers=2 processes and Pillow from files, as the published code does it.
They take turns for --rounds=9, each standing still in those of the other;
"ratio" is our pictures a second over theirs, both medians. The time of
processors is that of all processes of a side.

Pictures are drawn (640 x 480, soft shapes under grain, quality 92), the same
every time; --pictures=DIR takes the .jpg files of a folder. PyTorch is run by
--torch_python, for it need not live beside TensorFlow. --stored=prepared lets
our set keep pictures of 304 pixels, as --size=304 of the prepare tools does;
theirs stay as they are.

One TensorFlow operation uses one thread, as the DataLoader's processes do and
as is best where the networks run on a graphics card: pictures are made side
by side anyway. --threads=0 leaves that to TensorFlow.

--memory tells what a process holds that streams the same number of pictures
from sets of --records=2000,50000; --startup how long the larger of them takes
from nothing to the first batch. Both need /proc, hence Linux. The last line
is JSON.
"""

import contextlib
import io
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np
from absl import flags
from PIL import Image

from keras_t2i.data import pipeline, prepared, source, vocabulary
from recipes import messages
from tools import peers, sides
from tools.preparing import pictures as preparing

_ROOT = pathlib.Path(__file__).parents[1]
_THEIRS = _ROOT / "tools" / "pipelines" / "torch_loader.py"
_TORCH = flags.DEFINE_string(
    "torch_python", sys.executable, "A Python that has torch and Pillow."
)
_PICTURES = flags.DEFINE_string(
    "pictures", None, "Folder of .jpg files; else pictures are drawn."
)
_COUNT = flags.DEFINE_integer(
    "count", 240, "Pictures drawn, or taken at most.", lower_bound=1
)
_STORED = flags.DEFINE_enum(
    "stored", "original", ["original", "prepared"], "What our records keep."
)
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Turns of both.", lower_bound=1)
_BATCHES = flags.DEFINE_integer(
    "batches", 40, "Batches timed in a turn.", lower_bound=1
)
_BATCH = flags.DEFINE_integer("batch_size", 24, "Pictures.", lower_bound=1)
_WORKERS = flags.DEFINE_integer(
    "workers", 2, "Processes of the DataLoader.", lower_bound=0
)
_THREADS = flags.DEFINE_integer(
    "threads", 1, "Of one TensorFlow operation; 0: it decides.", lower_bound=0
)
_MEMORY = flags.DEFINE_bool("memory", False, "Tell memory and no ratio.")
_STARTUP = flags.DEFINE_bool("startup", False, "Tell the start and no ratio.")
_RECORDS = flags.DEFINE_list(
    "records", ["2000", "50000"], "Sizes of the sets, two, the larger last."
)
_SIZE = flags.DEFINE_integer(
    "image_size",
    None,
    "The largest square; else 256, and 64 where memory is told.",
    lower_bound=8,
)

_WARMUP = 12  # batches: more than either side holds ready
_MAX_WORDS = 18
_CAPTIONS = 5
_WORDS = (
    "a the small large red blue green yellow striped old young bird dog boat "
    "car tree house river street table sits stands runs flies waits near "
    "under over beside behind with without its two three in of and"
).split()


def main(_):
    """Times what the flags ask for."""
    if _MEMORY.value and _STARTUP.value:
        raise ValueError("--memory and --startup came; give one of them.")
    if not pathlib.Path("/proc/self/stat").exists():
        raise ValueError("This tool reads /proc, which only Linux has.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        if _MEMORY.value:
            row = memory(folder, *_records())
        elif _STARTUP.value:
            row = startup(folder, _records()[1])
        else:
            row = compare(folder)
    print(json.dumps(row))


def compare(folder: pathlib.Path) -> dict:
    """Lets both sides take turns.

    Args:
        folder: where the pictures go.

    Returns:
        The figures.

    Raises:
        ValueError: if PyTorch or pictures are missing.
    """
    peers.check(_TORCH.value, "torch", "PIL")
    originals = _originals()
    told = captions(len(originals))
    write_files(folder, originals, told)
    write_set(folder / "set", originals, told, _STORED.value == "prepared")
    rounds = {"ours": [], "torch": []}
    with contextlib.ExitStack() as stack:
        playing = {
            "ours": stack.enter_context(_ours(folder / "set")),
            "torch": stack.enter_context(_theirs(folder)),
        }
        for number in range(_ROUNDS.value):
            for name, side in playing.items():
                rounds[name].append(side.timed(_BATCHES.value))
                speed, work = _speed(rounds[name][-1])
                print(
                    f"round {number + 1} {name:5}: {speed:7.1f} pictures/s, "
                    f"{work:5.2f} ms of processors a picture",
                    flush=True,
                )
    return _compared(rounds)


def _compared(rounds):
    medians = {
        name: np.median([_speed(turn) for turn in turns], axis=0)
        for name, turns in rounds.items()
    }
    return {
        "ratio": round(medians["ours"][0] / medians["torch"][0], 3),
        "pictures_per_s": {
            n: round(float(m[0]), 1) for n, m in medians.items()
        },
        "cpu_ms_a_picture": {
            n: round(float(m[1]), 3) for n, m in medians.items()
        },
        "stored": _STORED.value,
        "rounds": _ROUNDS.value,
        "batch_size": _BATCH.value,
        "workers": _WORKERS.value,
        "threads": _THREADS.value,
    }


def memory(folder: pathlib.Path, few: int, many: int) -> dict:
    """Compares what streaming holds, small set and large.

    Args:
        folder: where the sets go.
        few: records of the small one.
        many: records of the large one, and pictures streamed from either.

    Returns:
        The figures, in MB.
    """
    held = {}
    for count in (few, many):
        place = folder / str(count)
        repeated(place, count)
        with _ours(place) as side:
            side.ask(many // _BATCH.value)
            held[count] = round(side.memory() / 1e6, 1)
        print(f"{count:,} records: {held[count]:,} MB", flush=True)
    growth = held[many] / held[few] - 1.0
    return {
        "memory_mb": {str(count): size for count, size in held.items()},
        "difference_percent": round(100 * growth, 2),
        "pictures_streamed": many // _BATCH.value * _BATCH.value,
        "batch_size": _BATCH.value,
    }


def startup(folder: pathlib.Path, count: int) -> dict:
    """Times the way from nothing to the first batch.

    Args:
        folder: where the set goes.
        count: its records.

    Returns:
        The figures, medians of all rounds.
    """
    repeated(folder / "set", count)
    whole, own = [], []
    for _ in range(_ROUNDS.value):
        began = time.perf_counter()
        with _ours(folder / "set") as side:
            imported = time.perf_counter()
            side.ask(1)
            whole.append(time.perf_counter() - began)
            own.append(time.perf_counter() - imported)
        print(f"{own[-1]:.2f} s, with imports {whole[-1]:.2f} s", flush=True)
    return {
        "first_batch_s": round(statistics.median(own), 3),
        "with_imports_s": round(statistics.median(whole), 3),
        "records": count,
        "rounds": _ROUNDS.value,
    }


def _ours(folder):
    size = _size()
    settings = {
        "folder": str(folder),
        "batch_size": _BATCH.value,
        "threads": _THREADS.value,
        "image_size": size,
        "base_size": size // 4,
        "crop": pipeline.crop_for(size),
        "flip": True,
        "fit": "keep",
        "max_words": _MAX_WORDS,
        "word_rule": "subset",
    }
    module = "tools.pipelines.our_batches"
    command = [sys.executable, "-m", module, json.dumps(settings)]
    return sides.Side(command, _WARMUP)


def _theirs(folder):
    size = _size()
    settings = {
        "folder": str(folder),
        "captions": str(folder / "captions.json"),
        "batch_size": _BATCH.value,
        "workers": _WORKERS.value,
        "image_size": size,
        "base_size": size // 4,
        "crop": pipeline.crop_for(size),
        "max_words": _MAX_WORDS,
    }
    python = os.path.expanduser(_TORCH.value)
    command = [python, str(_THEIRS), json.dumps(settings)]
    return sides.Side(command, _WARMUP)


def _size():
    return _SIZE.value or (64 if _MEMORY.value else 256)


def _speed(turn):
    """Pictures a second, and milliseconds of processors a picture."""
    seconds, worked = turn
    pictures = _BATCHES.value * _BATCH.value
    return pictures / seconds, 1e3 * worked / pictures


def _originals():
    """JPEG bytes, drawn or from --pictures."""
    if _PICTURES.value is None:
        return [drawn(seed) for seed in range(_COUNT.value)]
    folder = messages.folder("pictures", os.path.expanduser(_PICTURES.value))
    paths = sorted(folder.glob("*.jpg"))[: _COUNT.value]
    if len(paths) < _BATCH.value:
        raise ValueError(
            f"{folder} has {len(paths)} .jpg files; a batch needs "
            f"{_BATCH.value}."
        )
    return [path.read_bytes() for path in paths]


def _records():
    try:
        few, many = map(int, _RECORDS.value)
    except ValueError:
        few = many = 0
    if not _BATCH.value <= few < many:
        raise ValueError(
            f"--records={','.join(_RECORDS.value)}; it takes two numbers, "
            f"the larger last, none below the batch of {_BATCH.value}."
        )
    return few, many


def drawn(seed: int, width: int = 640, height: int = 480) -> bytes:
    """Draws soft shapes of three sizes under grain.

    Args:
        seed: names the picture.
        width: in pixels.
        height: in pixels.

    Returns:
        JPEG bytes.
    """
    random = np.random.RandomState(seed)
    pixels = random.normal(0.0, 4.0, (height, width, 1))
    for cell, share in ((96, 0.5), (24, 0.3), (6, 0.2)):
        rows, columns = height // cell + 1, width // cell + 1
        small = random.randint(0, 256, (rows, columns, 3)).astype(np.uint8)
        scaled = Image.fromarray(small).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        pixels = pixels + share * np.asarray(scaled, np.float64)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=92, subsampling="4:2:0")
    return data.getvalue()


def captions(count: int) -> list[list[str]]:
    """Makes captions up, of 6 to 20 words.

    Args:
        count: how many pictures.

    Returns:
        Five each.
    """
    random = np.random.RandomState(0)
    lengths = random.randint(6, 21, count * _CAPTIONS)
    words = iter(random.choice(_WORDS, lengths.sum()).tolist())
    made = [" ".join(next(words) for _ in range(n)) for n in lengths]
    return [made[i : i + _CAPTIONS] for i in range(0, len(made), _CAPTIONS)]


def write_files(
    folder: pathlib.Path, originals: list[bytes], told: list[list[str]]
) -> None:
    """Writes what the other side reads: files, and captions as word ids.

    Args:
        folder: where to.
        originals: JPEG bytes.
        told: captions of each.
    """
    ids = {word: number for number, word in enumerate(_WORDS, 1)}
    table = {}
    for number, (data, rows) in enumerate(zip(originals, told, strict=True)):
        name = f"{number:06d}.jpg"
        (folder / name).write_bytes(data)
        table[name] = [[ids[word] for word in row.split()] for row in rows]
    (folder / "captions.json").write_text(json.dumps(table))


def write_set(
    folder: pathlib.Path,
    originals: list[bytes],
    told: list[list[str]],
    scaled: bool,
) -> None:
    """Writes what our side reads: a prepared set.

    Args:
        folder: where to.
        originals: JPEG bytes.
        told: captions of each.
        scaled: whether its pictures are kept at the size of the crop.
    """
    if scaled:
        size = pipeline.crop_for(_size())
        originals = [
            preparing.prepared(data, size=size).data for data in originals
        ]
    held = np.empty(len(originals), object)
    held[:] = originals
    pictures = source.Pictures(
        images=held,
        captions=np.array(told),
        labels=np.full(len(held), -1, np.int32),
        keys=np.array([f"picture {i}" for i in range(len(held))]),
        class_names=(),
        name="timed",
    )
    prepared.write(folder, {"train": pictures})
    vocabulary.Vocabulary(_WORDS).save(folder / "vocabulary.txt")


def repeated(folder: pathlib.Path, count: int) -> None:
    """Writes a set of a few small pictures, over and over.

    Args:
        folder: where to.
        count: how many records.
    """
    few = [drawn(seed, 96, 72) for seed in range(8)]
    originals = [few[row % len(few)] for row in range(count)]
    write_set(folder, originals, captions(count), False)


if __name__ == "__main__":
    messages.run(main)
