"""Turns a plan into a prepared set: a folder of records with a manifest.

Pictures are checked, mended and written by threads (Pillow, TensorFlow and
hashing let each other run), one shard of the set at a time each. Shards lie
in a hidden folder beside the wanted one until all are there; a run that was
killed is taken up by the next with the same plan, which keeps whole shards.
What is written depends on plan and settings alone, not on workers or time.
"""

import collections
import contextlib
import fcntl
import functools
import hashlib
import itertools
import json
import os
import pathlib
import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent import futures

from keras_t2i.data import index, prepared, records, vocabulary
from keras_t2i.ops import files
from tools.preparing import asked, pictures, plan, report, rows, summing, target

_PLAN, _WORK = ".plan", ".work"  # in the folder; the first one stays


class _Stopped(Exception):
    """Another thread has failed."""


def run(found: plan.Plan, options, bar: Callable = iter) -> dict:
    """Prepares a set.

    Args:
        found: the plan.
        options: the flags; see `asked.Settings`.
        bar: wraps a list of as many things as pictures, to show progress.

    Returns:
        The manifest; that of the set which is there if it is the same.

    Raises:
        ValueError: if no picture is usable, or the folder holds something
            else, is damaged or can't be made.
        OSError: if it can't be written; whole shards are kept.
    """
    settings = asked.Settings.of(options)
    if settings.out:
        target.check(settings.out, settings.source)
    if found.vocabulary is not None:
        vocabulary.Vocabulary(found.vocabulary)  # Checks it.
    found = rows.settled(found, settings.limit)
    every, refused, dropped = rows.cleaned(found, settings)
    shards = rows.shards(every, settings.shard_size)
    finish = functools.partial(
        summing.manifest, found, settings, refused, dropped
    )
    if settings.dry_run:
        done = _each(
            shards,
            functools.partial(_tried, found, settings),
            settings.workers,
            bar,
        )
        return finish(list(zip(shards, done, strict=True)))[0]
    out = pathlib.Path(settings.out).absolute()
    name = rows.digest(found, settings)
    if _is_there(out, name, settings.out):
        print(f"{settings.out} is prepared already, with these settings.")
        return prepared.manifest(out)
    partial = target.beside(out)
    with _held(partial), _going_on():
        if not _is_whole(partial, name) or target.damage(partial):
            _begin(partial, name, settings.out)
            done = _written(shards, found, settings, partial, bar)
            _finish(partial, found, settings, shards, done, finish)
        shutil.rmtree(partial / _WORK, ignore_errors=True)
        files.sync(partial)
        os.replace(partial, out)
        files.sync(out.parent)
    return prepared.manifest(out)


@contextlib.contextmanager
def _going_on():
    """Adds to what the disk says that nothing is lost."""
    try:
        yield
    except OSError as error:
        raise OSError(
            f"{files.reason(error)}. Whole files are kept; the same command "
            "goes on from there."
        ) from error


def _each(shards, work: Callable, workers: int | None, bar: Callable) -> list:
    """Works on all shards in threads.

    Args:
        shards: what to work on.
        work: callable of a shard and of a function to be called once for each
            of its rows, which raises when another thread has failed.
        workers: threads.
        bar: wraps all rows.

    Returns:
        The results, in order.
    """
    ticks, stop = queue.SimpleQueue(), threading.Event()

    def tick():
        if stop.is_set():
            raise _Stopped
        ticks.put(None)

    def one(shard):
        try:
            return work(shard, tick)
        except BaseException as error:
            ticks.put(error)
            stop.set()
            raise

    every = [row for shard in shards for row in shard.rows]
    with futures.ThreadPoolExecutor(workers or _cores()) as pool:
        coming = [pool.submit(one, shard) for shard in shards]
        try:
            for _ in bar(every):
                error = ticks.get()
                if error is not None:
                    raise error
            return [each.result() for each in coming]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _examples(shard, found, settings, tick, told) -> Iterator[dict]:
    """Opens the pictures of a shard; those refused go to `told`."""
    for place, row in enumerate(shard.rows):
        tick()
        try:
            ready = _ready(row.item, settings)
        except plan.Refused as error:
            told["refused"].append([place, str(error)])
            continue
        told["records"] += 1
        told["mended"].update(ready.mended)
        label = row.item.label
        named = 0 <= label < len(found.class_names)
        example = {
            "image": ready.data,
            "captions": list(row.captions),
            "own": min(row.own, len(row.captions)),
            "label": label,
            "class_name": found.class_names[label] if named else "",
            "key": row.key,
        }
        if found.multi_label:
            example["labels"] = sorted(set(row.item.labels))
        yield example


def _ready(item: plan.Item, settings: asked.Settings) -> pictures.Ready:
    try:
        data = _data(item.picture)
        return pictures.prepared(
            data, item.box, settings.size, settings.min_size
        )
    except plan.Refused:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise plan.Refused(f"a file that can't be read ({reason})") from None
    except MemoryError:
        raise plan.Refused("a picture too large for the memory") from None
    except Exception as error:  # Strangers' bytes: the others go on.
        raise plan.Refused(
            f"a picture that can't be read ({type(error).__name__})"
        ) from error


def _data(picture) -> bytes:
    """Reads a picture's file, unless it is too large to be one."""
    if isinstance(picture, os.PathLike):
        pictures.check_bytes(os.stat(picture).st_size)
    data = picture.read_bytes()
    pictures.check_bytes(len(data))
    return data


def _empty() -> dict:
    return {
        "records": 0,
        "bytes": 0,
        "sha256": "",
        "refused": [],
        "mended": collections.Counter(),
    }


def _tried(found, settings, shard, tick) -> dict:
    """Does all with a shard but write it."""
    told = _empty()
    for example in _examples(shard, found, settings, tick, told):
        told["bytes"] += len(example["image"])
    return told


def _written(shards, found, settings, partial, bar) -> list[dict]:
    """Writes the shards that are not there yet."""
    threads = settings.workers or _cores()
    with futures.ThreadPoolExecutor(threads) as pool:
        have = pool.map(functools.partial(_kept, partial), shards)
        have = dict(zip((shard.file for shard in shards), have, strict=True))
    kept = [told for told in have.values() if told]
    if kept:
        count = sum(told["records"] for told in kept)
        print(
            f"An earlier run was cut off; its {len(kept):,} whole files with "
            f"{count:,} pictures are kept, {len(shards) - len(kept):,} are to "
            "be made."
        )
    wanted = [shard for shard in shards if not have[shard.file]]
    work = functools.partial(_write, found, settings, partial)
    made = _each(wanted, work, threads, bar)
    have |= {s.file: told for s, told in zip(wanted, made, strict=True)}
    return [have[shard.file] for shard in shards]


def _write(found, settings, partial, shard, tick) -> dict:
    told = _empty()
    examples = _examples(shard, found, settings, tick, told)
    first = next(examples, None)
    path = partial / shard.file
    if first is not None:
        made = records.write(path, itertools.chain([first], examples))
        files.sync(path)
        made.save(_beside(partial, shard, ".npz"))
        told |= {"bytes": path.stat().st_size, "sha256": _sha256(path)}
    files.atomic_write(_beside(partial, shard, ".json"), _json(told))
    return told


def _kept(partial: pathlib.Path, shard: rows.Shard) -> dict | None:
    """Finds a shard that an earlier run has finished."""
    try:
        told = json.loads(_beside(partial, shard, ".json").read_bytes())
        if told["records"]:
            index.load(_beside(partial, shard, ".npz"))
            if _sha256(partial / shard.file) != told["sha256"]:
                return None
        return told
    except (OSError, ValueError):
        return None


def _beside(partial, shard, ending) -> pathlib.Path:
    return partial / _WORK / (shard.file + ending)


def _is_there(out: pathlib.Path, name: str, shown: str) -> bool:
    """Finds a finished set of this plan; anything else is in the way."""
    if not out.exists() or out.is_dir() and not any(out.iterdir()):
        return False
    if _is_whole(out, name):
        bad = target.damage(out)
        if bad:
            raise ValueError(
                f"--out={shown} holds this set, but it is damaged: {bad} "
                "Remove the folder and run the same command again."
            )
        return True
    is_set = (out / prepared.MANIFEST).is_file()
    what = (
        "a set prepared from other files or settings"
        if is_set
        else ("something else")
    )
    raise ValueError(f"--out={shown} holds {what}; name a new folder.")


def _is_whole(folder: pathlib.Path, name: str) -> bool:
    return _name(folder) == name and (folder / prepared.MANIFEST).is_file()


def _name(folder: pathlib.Path) -> str:
    path = folder / _PLAN
    return path.read_text() if path.is_file() else ""


@contextlib.contextmanager
def _held(partial: pathlib.Path):
    """Keeps a second run off the folder."""
    partial.mkdir(parents=True, exist_ok=True)
    number = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise ValueError(
            f"Another run is writing {partial}; wait for it, or name another "
            "folder by --out."
        ) from None
    try:
        yield
    finally:
        os.close(number)


def _begin(partial: pathlib.Path, name: str, shown: str) -> None:
    """Clears what is of no use from the folder, or all if it is another's."""
    old = _name(partial)
    if old != name:
        if old:
            print(
                f"An earlier run for {shown} was cut off, but files or "
                "settings have changed since; it is begun anew."
            )
        for path in partial.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (partial / _WORK).mkdir()
        files.atomic_write(partial / _PLAN, name.encode())
    for path in [*partial.glob(".*.part"), *partial.glob(f"{_WORK}/.*.part")]:
        path.unlink()


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finish(partial, found, settings, shards, done, finish) -> None:
    """Adds all that goes with the records; the manifest comes last."""
    whole = [
        (shard, told)
        for shard, told in zip(shards, done, strict=True)
        if told["records"]
    ]
    manifest, words, refused = finish(list(zip(shards, done, strict=True)))
    for split, part in manifest["splits"].items():
        own = [shard for shard, _ in whole if shard.split == split]
        parts = [index.load(_beside(partial, s, ".npz")) for s in own]
        path = partial / part["index"]["file"]
        index.join(parts).save(path)
        part["index"]["bytes"] = path.stat().st_size
        part["index"]["sha256"] = _sha256(path)
        for shard, named in zip(own, part["shards"], strict=True):
            if shard.file != named["file"]:  # Others of its split are empty.
                os.rename(partial / shard.file, partial / named["file"])
    _text(partial / "vocabulary.txt", words)
    _text(
        partial / "refused.jsonl",
        [
            json.dumps({"file": file, "reason": reason}, ensure_ascii=False)
            for file, reason in refused
        ],
    )
    files.atomic_write(
        partial / "sheet.png", report.sheet(partial, manifest, settings.seed)
    )
    manifest["files"] = {
        name: (partial / name).stat().st_size
        for name in ("vocabulary.txt", "refused.jsonl", "sheet.png")
    }
    files.atomic_write(partial / prepared.MANIFEST, _json(manifest) + b"\n")


def _json(value) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return text.encode("utf-8", "replace")


def _text(path: pathlib.Path, lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    files.atomic_write(path, data)
