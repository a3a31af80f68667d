"""Turns a plan into a prepared set: a folder of records with a manifest.

Pictures are checked, mended and written by threads (Pillow, TensorFlow and
hashing let each other run), one shard of the set at a time each. Shards lie
in a hidden folder beside the wanted one until all are there; a run that was
killed is taken up by the next with the same plan, which keeps whole shards.
What is written depends on plan and settings alone, not on workers or time.
"""

import collections
import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import itertools
import json
import operator
import os
import pathlib
import queue
import re
import shutil
import threading
import unicodedata
from collections.abc import Callable, Iterator
from concurrent import futures

from keras_t2i.data import captions, index, prepared, records, vocabulary
from keras_t2i.ops import files
from tools.preparing import pictures, plan, report, target

_VERSION = 1  # of what is done to pictures; another begins all sets anew
_LEAST_ROWS = 64  # a shard, where shards are made smaller to fill all cores
_USUAL_SHARDS = 8
_PLAN, _WORK = ".plan", ".work"  # in the folder; the first one stays
_HALVES = re.compile("[\ud800-\udfff]")  # of letters, or bytes in hiding
_NO_TEXT = "a name that is no text"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the flags that all tools share ask for.

    Attributes:
        out: the folder to make.
        source: what was prepared; reports name files as seen from there.
        size: pixels of the shorter side; 0 keeps pictures as they are.
        min_size: pictures with a shorter side are refused.
        captions: a picture; None is what the plan says.
        limit: about so many pictures at most, of every split its share.
        workers: threads; None is one a core.
        shard_size: pictures a file at most.
        seed: of the sheet's choice.
        dry_run: do all but write.
    """

    out: str
    source: str = ""
    size: int = 0
    min_size: int = 16
    captions: int | None = None
    limit: int | None = None
    workers: int | None = None
    shard_size: int = 1000
    seed: int = 0
    dry_run: bool = False

    @classmethod
    def of(cls, options) -> "Settings":
        """Reads them from flags, or anything with such attributes.

        Args:
            options: those it lacks have their usual value.

        Returns:
            `Settings`.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        found = {n: getattr(options, n) for n in names if hasattr(options, n)}
        return cls(**found)


@dataclasses.dataclass(frozen=True)
class _Row:
    """An item whose words are ready; its picture is not opened yet."""

    item: plan.Item
    key: str
    captions: tuple[str, ...]
    own: int  # captions that it came with


@dataclasses.dataclass(frozen=True)
class _Shard:
    split: str
    number: int
    of: int
    rows: list[_Row]

    @property
    def file(self) -> str:
        return _file(self.split, self.number, self.of)


class _Stopped(Exception):
    """Another thread has failed."""


def run(found: plan.Plan, options, bar: Callable = iter) -> dict:
    """Prepares a set.

    Args:
        found: the plan.
        options: the flags; see `Settings`.
        bar: wraps a list of as many things as pictures, to show progress.

    Returns:
        The manifest; that of the set which is there if it is the same.

    Raises:
        ValueError: if no picture is usable, or the folder holds something
            else, is damaged or can't be made.
        OSError: if it can't be written; whole shards are kept.
    """
    settings = Settings.of(options)
    if settings.out:
        target.check(settings.out, settings.source)
    if found.vocabulary is not None:
        vocabulary.Vocabulary(found.vocabulary)  # Checks it.
    found = _limited(_named(found), settings.limit)
    rows, refused, dropped = _rows(found, settings)
    shards = _shards(rows, settings.shard_size)
    finish = functools.partial(_manifest, found, settings, refused, dropped)
    if settings.dry_run:
        done = _each(
            shards,
            functools.partial(_tried, found, settings),
            settings.workers,
            bar,
        )
        return finish(list(zip(shards, done, strict=True)))[0]
    out = pathlib.Path(settings.out).absolute()
    name = _digest(found, settings)
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


def _named(found: plan.Plan) -> plan.Plan:
    """Cleans names of classes that are no text."""
    names = tuple(_HALVES.sub("\ufffd", each) for each in found.class_names)
    pairs = list(zip(found.class_names, names, strict=True))
    bad = [name for name, clean in pairs if name != clean]
    if not bad:
        return found
    twice = [c for n, c in pairs if n in bad and names.count(c) > 1]
    if twice:
        raise ValueError(
            f"Several classes are named {twice[0]!r} but for what is no text "
            f"in it ({bad[0]!a}); rename them."
        )
    shown = ", ".join(clean for name, clean in pairs if name != clean)
    note = f"{len(bad):,} names of classes are no text: {shown}."
    return dataclasses.replace(
        found, class_names=names, notes=[*found.notes, note]
    )


def _limited(found: plan.Plan, limit: int | None) -> plan.Plan:
    """Keeps the first pictures of every split, in proportion."""
    count = len(found.items)
    if limit is None or limit >= count:
        return found
    items, before = [], 0
    for split in plan.SPLITS:
        own = [item for item in found.items if item.split == split]
        after = before + len(own)
        share = after * limit // count - before * limit // count
        items += own[: max(1, share)]
        before = after
    note = (
        f"--limit={limit} took {len(items):,} of {count:,} pictures; counts "
        "are not compared with the known ones."
    )
    return dataclasses.replace(
        found, items=items, known={}, notes=[*found.notes, note]
    )


def _rows(found: plan.Plan, settings: Settings):
    """Cleans keys and captions.

    Returns:
        Rows of as many captions each, (file, reason) of the refused, and how
        often captions were dropped for which reason.
    """
    dropped, refused, kept = collections.Counter(), [], {}
    refused += [(_shown(f, settings.source), r) for f, r in found.refused]
    for item in found.items:
        words = [_words(text, dropped) for text in item.captions]
        words = tuple(text for text in words if text)
        key = _key(item)
        reason = _fault(item, key, words, kept, found)
        if reason:
            refused.append((_shown(item.picture, settings.source), reason))
        else:
            kept[key] = _Row(item, key, words, len(words))
    most = max((row.own for row in kept.values()), default=1)
    count = settings.captions or found.captions_per_picture or most
    rows = [
        dataclasses.replace(row, captions=_in_turn(row.captions, count))
        for row in kept.values()
    ]
    return rows, refused, dict(dropped)


def _key(item: plan.Item) -> str:
    """Cleans a picture's name; nothing if it, or its file's, is no text."""
    try:
        if isinstance(item.picture, os.PathLike):
            os.fsencode(item.picture)
        return captions.clean(item.key)
    except ValueError:
        return ""


def _words(text, dropped) -> str:
    try:
        text = captions.clean(text)
    except ValueError as error:
        is_empty = "empty" in str(error)
        dropped["empty" if is_empty else "not text"] += 1
        return ""
    if any(c.isalnum() or unicodedata.category(c) == "So" for c in text):
        return text
    dropped["only punctuation"] += 1
    return ""


def _fault(item, key, words, kept, found) -> str:
    """Says why an item can't be taken, or nothing."""
    if not key:
        return _NO_TEXT
    if item.split not in plan.SPLITS:
        return f"a split {item.split!r}"
    if key in kept:
        return "a name that was there before"
    if not words:
        return "no caption" if not item.captions else "no usable caption"
    names = len(found.class_names)
    labels = (item.label, *item.labels)
    if names and not all(-1 <= label < names for label in labels):
        return f"a class beyond the {names} known ones"
    return ""


def _in_turn(words: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(words[i % len(words)] for i in range(count))


def _shards(rows: list[_Row], shard_size: int) -> list[_Shard]:
    """Parts each split's rows, in order, into even shards."""
    shards = []
    for split in plan.SPLITS:
        own = [row for row in rows if row.item.split == split]
        if not own:
            continue
        even = max(_LEAST_ROWS, -(-len(own) // _USUAL_SHARDS))
        count = -(-len(own) // min(shard_size, even))
        edges = [len(own) * i // count for i in range(count + 1)]
        shards += [
            _Shard(split, i, count, own[start:end])
            for i, (start, end) in enumerate(itertools.pairwise(edges))
        ]
    return shards


def _file(split: str, number: int, of: int) -> str:
    return f"{split}-{number:05d}-of-{of:05d}.tfrecord"


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
            "label": label,
            "class_name": found.class_names[label] if named else "",
            "key": row.key,
        }
        if found.multi_label:
            example["labels"] = sorted(set(row.item.labels))
        yield example


def _ready(item: plan.Item, settings: Settings) -> pictures.Ready:
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
    rows = _examples(shard, found, settings, tick, told)
    first = next(rows, None)
    path = partial / shard.file
    if first is not None:
        made = records.write(path, itertools.chain([first], rows))
        files.sync(path)
        made.save(_beside(partial, shard, ".npz"))
        told |= {"bytes": path.stat().st_size, "sha256": _sha256(path)}
    files.atomic_write(_beside(partial, shard, ".json"), _json(told))
    return told


def _kept(partial: pathlib.Path, shard: _Shard) -> dict | None:
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


def _digest(found: plan.Plan, settings: Settings) -> str:
    """Names a plan, its settings and the state of its picture files."""
    total = hashlib.sha256()

    def add(*values):
        total.update(f"{values!r}\n".encode())

    asked = dataclasses.asdict(settings)
    for name in ("out", "workers", "dry_run"):
        del asked[name]
    add(_VERSION, prepared.FORMAT, asked)
    rest = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    items = rest.pop("items")
    add(rest)
    names = [field.name for field in dataclasses.fields(plan.Item)]
    names.remove("picture")
    values = operator.attrgetter(*names)
    state = functools.lru_cache(_state)  # One file may hold all pictures.
    for item in items:
        picture = item.picture
        add(values(item), str(picture), state(_file_of(picture)))
    return total.hexdigest()


def _file_of(picture) -> str | None:
    """Names the file whose change changes a picture."""
    if not isinstance(picture, os.PathLike):
        picture = getattr(picture, "source", None)
    return None if picture is None else os.fspath(picture)


def _state(file: str | None) -> tuple[int, ...]:
    try:
        found = os.stat(file) if file else None
    except (OSError, ValueError):  # Missing, or a name no system takes.
        return (-1,)
    return (found.st_size, found.st_mtime_ns) if found else ()


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


def _manifest(found, settings, refused, dropped, done):
    """Sums up a set.

    Returns:
        The manifest (without hashes of indices), the vocabulary, and (file,
        reason) of all that was refused.
    """
    refused, kept, mended = list(refused), [], collections.Counter()
    splits = {}
    for shard, told in done:
        bad = dict(told["refused"])
        for place, row in enumerate(shard.rows):
            if place in bad:
                name = _shown(row.item.picture, settings.source)
                refused.append((name, bad[place]))
            else:
                kept.append(row)
        mended.update(told["mended"])
        if told["records"]:
            splits.setdefault(shard.split, []).append(told)
    if not kept:
        raise ValueError(_nothing(refused, settings))
    counts, lengths, words = report.counts(
        [(row.item.split, row.captions, row.own) for row in kept],
        found.vocabulary,
    )
    present = {c for row in kept for c in (row.item.label, *row.item.labels)}
    counts |= {
        "classes": len(present - {-1}),
        "several_classes": sum(len(row.item.labels) > 1 for row in kept),
    }
    per_picture = len(kept[0].captions)
    hashes = [told["sha256"] for part in splits.values() for told in part]
    manifest = {
        "format": prepared.FORMAT,
        "name": found.name,
        "about": found.about,
        "settings": {
            "source": pathlib.PurePath(settings.source).name,
            "size": settings.size,
            "min_size": settings.min_size,
            "limit": settings.limit,
            "seed": settings.seed,
        },
        "captions_per_picture": per_picture,
        "multi_label": found.multi_label,
        "class_names": list(found.class_names),
        "vocabulary": len(words),
        "counts": counts,
        "known": found.known,
        "caption_words": lengths,
        "captions_dropped": dropped,
        "mended": dict(mended.most_common()),
        "refused": _reasons(refused),
        "refused_first": [list(pair) for pair in refused[: report.LISTED]],
        "notes": found.notes,
        "config": list(found.config),
        "splits": {
            split: _part(split, part, per_picture)
            for split, part in splits.items()
        },
        "samples": _samples(kept),
        "digest": hashlib.sha256("".join(hashes).encode()).hexdigest(),
    }
    return manifest, words, refused


def _part(split: str, part: list[dict], per_picture: int) -> dict:
    pictures_ = sum(told["records"] for told in part)
    return {
        "pictures": pictures_,
        "captions": pictures_ * per_picture,
        "shards": [
            {
                "file": _file(split, number, len(part)),
                **{n: told[n] for n in ("records", "bytes", "sha256")},
            }
            for number, told in enumerate(part)
        ],
        "index": {"file": f"{split}.index.npz"},
    }


def _samples(kept: list[_Row]) -> list[str]:
    """Picks captions for the sample film, of tests where there are any."""
    last = max(plan.SPLITS.index(row.item.split) for row in kept)
    own = [row for row in kept if row.item.split == plan.SPLITS[last]]
    step = max(1, len(own) // report.SHOWN)
    texts = [row.captions[0] for row in own[::step]]
    return list(dict.fromkeys(texts))[: report.SHOWN]


def _reasons(refused) -> dict[str, int]:
    found = collections.Counter(reason for _, reason in refused)
    return dict(found.most_common())


def _nothing(refused, settings) -> str:
    if not refused:
        return f"--source={settings.source} holds no picture."
    file, reason = refused[0]
    return (
        f"--source={settings.source} holds no usable picture; the first, "
        f"{file}: {reason}."
    )


def _shown(picture, source: str) -> str:
    """Names a file as seen from the source, in letters that can be written."""
    name = str(picture)
    root = os.path.join(source, "") if source else ""
    return _HALVES.sub("\ufffd", name.removeprefix(root))
