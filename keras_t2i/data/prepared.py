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
from collections.abc import Mapping, Sequence

import numpy as np

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


def load(
    folder: str | os.PathLike, split: str | None = None
) -> source.Pictures:
    """Opens a prepared set, or a part; its pictures stay in the files.

    Args:
        folder: where a tools/prepare_*.py put it.
        split: "train", "val" or "test", or None for all there is.

    Returns:
        `Pictures` of `source.Shards`.

    Raises:
        ValueError: if the set lacks the part, or a file of it is missing or
            has another size than it was made with.
    """
    told, folder = manifest(folder), pathlib.Path(folder)
    if split is not None and split not in told["splits"]:
        raise ValueError(
            f"Set {folder} has no part {split!r}; it has "
            f"{', '.join(told['splits'])}."
        )
    names = list(told["splits"]) if split is None else [split]
    parts = [told["splits"][name] for name in names]
    shards = [shard for part in parts for shard in part["shards"]]
    for shard in shards:
        _check_size(folder / shard["file"], shard["bytes"])
    return records.indexed(
        [os.fspath(folder / shard["file"]) for shard in shards],
        index.join([index.load(folder / x["index"]["file"]) for x in parts]),
        class_names=tuple(told["class_names"]),
        name=told["name"] if split is None else f"{told['name']}/{split}",
        content=files.digest(*(shard["sha256"] for shard in shards)),
    )


def write(
    folder: str | os.PathLike,
    splits: Mapping[str, source.Pictures],
    name: str | None = None,
) -> None:
    """Writes held pictures as a prepared set, one file a part.

    Args:
        folder: where to; made if missing.
        splits: "train", "val" or "test" -> pictures with as many captions
            and the same class names.
        name: what the set is called; that of the folder when None.

    Raises:
        ValueError: if a part has no name that parts have.
        OSError: if it can't be written.
    """
    folder = pathlib.Path(folder)
    told = {}
    for split, pictures in splits.items():
        if split not in SPLITS:
            raise ValueError(
                f"A part is called {split!r}; allowed: {', '.join(SPLITS)}."
            )
        path = folder / f"{split}.tfrecord"
        listed = records.write(path, records.examples(pictures))
        told[split] = part(folder, [path], listed)
    whole = {
        "format": FORMAT,
        "name": name or folder.name,
        "splits": told,
        "class_names": list(next(iter(splits.values())).class_names),
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    files.atomic_write(folder / MANIFEST, f"{text}\n".encode())


def part(
    folder: pathlib.Path, paths: Sequence[pathlib.Path], listed: index.Index
) -> dict:
    """Writes the index of one part and describes it for the manifest.

    Args:
        folder: of the set.
        paths: the part's record files, in it.
        listed: all their records.

    Returns:
        What stands in the manifest's "splits" under the part's name.
    """
    first = paths[0].name.split("-")[0].split(".")[0]
    place = folder / f"{first}.index.npz"
    listed.save(place)
    counts = np.bincount(listed.shard, minlength=len(paths))
    return {
        "pictures": len(listed),
        "captions": listed.captions.size,
        "shards": [
            {
                "file": path.name,
                "records": int(count),
                "bytes": path.stat().st_size,
                "sha256": source.file_digest(path).hex(),
            }
            for path, count in zip(paths, counts, strict=True)
        ],
        "index": {
            "file": place.name,
            "sha256": source.file_digest(place).hex(),
        },
    }


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
    for told in manifest(folder)["splits"].values():
        for each in [*told["shards"], told["index"]]:
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
