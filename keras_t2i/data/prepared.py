"""Opens sets that the tools prepared: a folder with a manifest.

    manifest.json                    what the set is; hashes of its files
    train-00000-of-00008.tfrecord    records, see `data.records`
    train.index.npz                  where each lies, see `data.index`
    vocabulary.txt                   its words, one a line

Nothing but manifest and index is read to open one, however large it is.
"""

import json
import os
import pathlib

from keras_t2i.data import index, records, source
from keras_t2i.ops import files

MANIFEST = "manifest.json"
FORMAT = 1
SPLITS = ("train", "val", "test")


def manifest(folder: str | os.PathLike) -> dict:
    """Reads what a prepared set says of itself.

    Args:
        folder: where a tools/prepare_*.py put it.

    Returns:
        The manifest.

    Raises:
        ValueError: if there is none, or it is damaged or of a later format.
    """
    path = pathlib.Path(folder) / MANIFEST
    if not path.is_file():
        raise ValueError(
            f"{folder} is no prepared set: it has no {MANIFEST}. Make one with "
            "a tools/prepare_*.py; prepare_folder takes any captioned pictures."
        )
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        known = told["format"], told["splits"], told["class_names"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged; prepare the set again."
        ) from error
    if known[0] != FORMAT:
        raise ValueError(
            f"{path} is of format {known[0]}; this version reads {FORMAT}."
        )
    return told


def load(folder: str | os.PathLike, split: str) -> source.Pictures:
    """Opens one part of a prepared set; its pictures stay in the files.

    Args:
        folder: where a tools/prepare_*.py put it.
        split: "train", "val" or "test".

    Returns:
        `Pictures` of `source.Shards`.

    Raises:
        ValueError: if the set lacks the part, or a file of it is missing or
            has another size than it was made with.
    """
    told, folder = manifest(folder), pathlib.Path(folder)
    if split not in told["splits"]:
        raise ValueError(
            f"Set {folder} has no part {split!r}; it has "
            f"{', '.join(told['splits'])}."
        )
    part = told["splits"][split]
    for shard in part["shards"]:
        _check_size(folder / shard["file"], shard["bytes"])
    return records.indexed(
        [os.fspath(folder / shard["file"]) for shard in part["shards"]],
        index.load(folder / part["index"]["file"]),
        class_names=tuple(told["class_names"]),
        name=f"{told['name']}/{split}",
        content=files.digest(*(each["sha256"] for each in part["shards"])),
    )


def vocabulary(folder: str | os.PathLike) -> list[str]:
    """Reads the words of a prepared set.

    Args:
        folder: where a tools/prepare_*.py put it.

    Returns:
        Its words; that of id 1 first, since 0 is padding.

    Raises:
        ValueError: if the file is missing.
    """
    path = pathlib.Path(folder) / "vocabulary.txt"
    if not path.is_file():
        raise ValueError(f"There is no {path}; prepare the set again.")
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def verify(folder: str | os.PathLike) -> list[str]:
    """Compares every file of a prepared set with the manifest's hashes.

    Args:
        folder: where a tools/prepare_*.py put it.

    Returns:
        A sentence for each file that is missing or has changed.

    Raises:
        ValueError: if there is no manifest.
    """
    folder, wrong = pathlib.Path(folder), []
    for part in manifest(folder)["splits"].values():
        for each in [*part["shards"], part["index"]]:
            path = folder / each["file"]
            if not path.is_file():
                wrong.append(f"{path} is missing.")
            elif source.file_digest(path).hex() != each["sha256"]:
                wrong.append(f"{path} has changed since it was made.")
    return wrong


def _check_size(path, size):
    if not path.is_file():
        raise ValueError(f"{path} is missing; prepare the set again.")
    if path.stat().st_size != size:
        raise ValueError(
            f"{path} has {path.stat().st_size:,} bytes; it was made with "
            f"{size:,}. Prepare the set again."
        )
