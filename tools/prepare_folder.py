r"""Turns a folder of your own pictures into records that recipes.train takes.

    python -m tools.prepare_folder --pictures=holiday --out=data/holiday

Each picture (.png, .jpg, .jpeg or .webp) has its captions beside it in a text
file of the same name, one a line: boat.jpg and boat.txt. Its middle square is
scaled to --size; transparent parts become white. What can't be used is left
out and named, and folders inside the folder are ignored. About one picture in
ten is kept for tests, drawn by a hash of its content, so that equal files land
in the same part and a picture stays in its part when others are added. The
command that trains on the records is printed last.
"""

import collections
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import shlex
import shutil
import uuid
from collections.abc import Callable, Iterable

from absl import flags

from keras_t2i.data import captions, records
from keras_t2i.ops import images
from recipes import messages

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
PARTS = ("train", "test")
_LISTED = 20  # refused files that are named; of the others the count
_SHOWN = 8  # captions of the sample film


@dataclasses.dataclass
class Example:
    """Holds one accepted picture.

    Attributes:
        key: its file's name.
        image: PNG bytes.
        captions: as they stand in the text file, cleaned.
        place: in [0, 1), by which the part is drawn.
    """

    key: str
    image: bytes
    captions: list[str]
    place: float


def found(folder: str) -> list[pathlib.Path]:
    """Lists the pictures of a folder.

    Args:
        folder: the folder.

    Returns:
        Their paths, in alphabetical order.

    Raises:
        ValueError: if there is no folder, or no picture in it.
    """
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise ValueError(f"--pictures={folder} is no folder.")
    paths = [each for each in path.iterdir() if each.suffix.lower() in ENDINGS]
    if not paths:
        deeper = len(beneath(folder))
        raise ValueError(
            f"--pictures={folder} holds no picture; taken are "
            f"{', '.join(ENDINGS)}."
            + (f" {deeper:,} lie in folders inside it." if deeper else "")
        )
    return sorted(paths)


def beneath(folder: str) -> list[pathlib.Path]:
    """Lists the pictures in folders inside the folder, which are not taken.

    Args:
        folder: the folder.

    Returns:
        Their paths.
    """
    paths = pathlib.Path(folder).glob("*/**/*")
    return [each for each in paths if each.suffix.lower() in ENDINGS]


def square(path: pathlib.Path, size: int) -> bytes:
    """Cuts the middle square out of a picture and scales it.

    Args:
        path: the picture's file.
        size: pixels a side.

    Returns:
        PNG bytes.

    Raises:
        ValueError: if it can't be read, or is smaller than that.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
    except Exception:  # Decoders meet bad bytes with errors of many kinds.
        raise ValueError("a picture that can't be read") from None
    if picture.mode[0] in "IF":
        raise ValueError("a picture of more than 8 bits a colour")
    if min(picture.size) < size:
        raise ValueError(f"a picture smaller than {size} px")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    picture = picture.convert("RGB")
    small = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "PNG")
    return stream.getvalue()


def told(path: pathlib.Path) -> list[str]:
    """Reads the captions beside a picture.

    Args:
        path: the picture's file.

    Returns:
        At least one; empty lines are left out.

    Raises:
        ValueError: if the text file is missing, empty or not UTF-8.
    """
    text = path.with_suffix(".txt")
    if not text.is_file():
        raise ValueError("no text file beside it")
    try:
        lines = text.read_text(encoding="utf-8-sig").splitlines()
    except ValueError:
        raise ValueError("captions that are not UTF-8") from None
    answer = [line for line in map(_cleaned, lines) if line]
    if not answer:
        raise ValueError("a text file without captions")
    return answer


def collect(
    paths: Iterable[pathlib.Path], size: int
) -> tuple[list[Example], list[tuple[str, str]]]:
    """Reads every picture with its captions.

    Args:
        paths: from `found`.
        size: pixels a side.

    Returns:
        The accepted `Example`s, and a list of (reason, file) for the others.
    """
    accepted, refused = [], []
    for path in paths:
        try:
            texts, image = told(path), square(path, size)
        except ValueError as error:
            refused.append((str(error), _name(path)))
            continue
        accepted.append(Example(_name(path), image, texts, _place(image)))
    return accepted, refused


def parts(examples: list[Example], test_share: float) -> dict[str, list]:
    """Splits a set by its pictures' contents.

    Args:
        examples: two or more.
        test_share: about so much of all is for tests.

    Returns:
        "train" and "test", neither of them empty.

    Raises:
        ValueError: if there is only one picture, or all are the same.
    """
    places = sorted({example.place for example in examples})
    if len(places) < 2:
        raise ValueError(
            f"{len(examples)} usable pictures, {len(places)} of them "
            "different, can't be split into train and test; two are needed."
        )
    limit = min(max(test_share, places[1]), places[-1])
    split = {"train": [], "test": []}
    for example in examples:
        split["test" if example.place < limit else "train"].append(example)
    return split


def even(texts: list[str], count: int) -> list[str]:
    """Repeats captions in turn until they are so many.

    Args:
        texts: at least one.
        count: at least as many.

    Returns:
        `count` captions.
    """
    return [texts[i % len(texts)] for i in range(count)]


def write(split: dict[str, list], out: pathlib.Path) -> int:
    """Writes both record files, or none.

    Args:
        split: from `parts`.
        out: the folder; must be missing or empty.

    Returns:
        How many captions every picture has got.

    Raises:
        OSError: if it can't be written.
    """
    every = split["train"] + split["test"]
    count = max(len(example.captions) for example in every)
    beside = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        for part, examples in split.items():
            rows = (
                {
                    "image": example.image,
                    "captions": even(example.captions, count),
                    "key": example.key,
                }
                for example in examples
            )
            records.write(beside / f"{part}.tfrecord", rows)
        os.replace(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return count


def summary(
    split: dict[str, list], refused: list[tuple[str, str]], count: int, out
) -> str:
    """Says what was written and what was left out.

    Args:
        split: from `parts`.
        refused: from `collect`.
        count: captions a picture, from `write`.
        out: the folder.

    Returns:
        Several lines.
    """
    train, test = (split[part] for part in PARTS)
    numbers = [len(example.captions) for example in train + test]
    lines = [
        f"Wrote {out}/train.tfrecord and {out}/test.tfrecord",
        f"  pictures  {len(numbers):,}: {len(train):,} train, {len(test):,} "
        "test",
        f"  captions  {sum(numbers):,}, {count} a picture",
    ]
    if min(numbers) < count:
        lines[-1] += (
            f"; {sum(n < count for n in numbers):,} pictures have fewer (from "
            f"{min(numbers)}), theirs are repeated in turn"
        )
    lines.append(f"  refused   {len(refused):,}")
    reasons = collections.Counter(reason for reason, _ in refused)
    lines += [f"    {n:6,}  {reason}" for reason, n in reasons.most_common()]
    lines += [f"    {name}: {reason}" for reason, name in refused[:_LISTED]]
    if len(refused) > _LISTED:
        lines.append(f"    and {len(refused) - _LISTED:,} more")
    return "\n".join(lines)


def command(split: dict[str, list], out, size: int) -> str:
    """Writes the command that trains on the records.

    Args:
        split: from `parts`.
        out: the folder.
        size: pixels a side.

    Returns:
        Several lines, to be pasted into a shell.
    """
    texts = [example.captions[0] for example in split["test"] + split["train"]]
    shown = [
        json.dumps(t, ensure_ascii=False)
        for t in list(dict.fromkeys(texts))[:_SHOWN]
    ]
    changes = {
        "data.name": "records",
        "data.path": out,
        "samples.captions": f"({', '.join(shown)},)",
    }
    if size != 64:
        changes |= {"data.image_size": size, "data.crop": size * 70 // 64}
    words = [
        "python -m recipes.train",
        f"--workdir={shlex.quote(f'runs/{pathlib.Path(out).name}')}",
        "--config=recipes/configs/openmoji.py:small",
    ]
    words += [f"--config.{k}={shlex.quote(str(v))}" for k, v in changes.items()]
    return " \\\n    ".join(words)


def run(options, bar: Callable = iter):
    """Does what the flags ask for.

    Args:
        options: the parsed flags.
        bar: wraps the pictures to show progress.

    Raises:
        ValueError: if the folder or the size is not usable.
        OSError: if the result can't be written.
    """
    images.sizes_up_to(options.size)
    out = pathlib.Path(options.out)
    if out.is_file() or out.is_dir() and any(out.iterdir()):
        raise ValueError(f"--out={out} exists already; name a new folder.")
    examples, refused = collect(bar(found(options.pictures)), options.size)
    if not examples:
        reason, name = refused[0]
        raise ValueError(
            f"--pictures={options.pictures} holds no usable picture; the "
            f"first, {name}: {reason}."
        )
    split = parts(examples, options.test_share)
    count = write(split, out)
    print(summary(split, refused, count, out))
    ignored = len(beneath(options.pictures))
    if ignored:
        print(f"  ignored   {ignored:,} pictures in folders inside the folder")
    print("Train on them with")
    print("\n" + command(split, out, options.size))


def main(_):
    """Runs the tool from its flags."""
    from tqdm import tqdm

    run(flags.FLAGS, lambda paths: tqdm(paths, unit=" pictures"))


def _cleaned(line: str) -> str:
    try:
        return captions.clean(line)
    except ValueError:  # Nothing in it.
        return ""


def _name(path: pathlib.Path) -> str:
    return os.fsencode(path.name).decode("utf-8", "replace")


def _place(image: bytes) -> float:
    hashed = hashlib.sha256(b"test or train: " + image).digest()
    return int.from_bytes(hashed[:8], "big") / 2**64


if __name__ == "__main__":
    flags.DEFINE_string(
        "pictures",
        None,
        "The folder of pictures, each with a .txt of captions beside it.",
        required=True,
    )
    flags.DEFINE_string("out", None, "The folder to make.", required=True)
    flags.DEFINE_integer(
        "size", 64, "Pixels a side: 8, 16, 32, 64, 128, ...", lower_bound=8
    )
    flags.DEFINE_float(
        "test_share",
        0.1,
        "About so much of the pictures is kept for tests.",
        lower_bound=0.01,
        upper_bound=0.5,
    )
    messages.run(main)
