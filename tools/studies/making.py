"""Writes a study's pages, and the key that says which system is which."""

import dataclasses
import html
import io
import json
import os
import pathlib
import secrets

import numpy as np
from PIL import Image

from keras_t2i.data import picture_files
from keras_t2i.ops import files, noise
from recipes import messages
from tools.preparing import listings

#: What is asked: name -> the question.
QUESTIONS = {
    "realism": "Which picture looks most like a real one?",
    "alignment": "Which picture fits these words best?",
}
#: Questions that are answered without the words.
WORDLESS = ("realism",)
#: What files of answers begin with.
ANSWERS = "keras_t2i human study answers 1"
_STUDY = "keras_t2i human study 1"
_HERE = pathlib.Path(__file__).parent
_MOST = 9  # systems: a key each
_LETTERS = 12  # of the names of studies, tasks, sheets and pictures
_TIME = 1_000_000_000  # of every picture, as the order of writing tells systems


def make(
    systems: dict,
    out: str | pathlib.Path,
    *,
    captions: int = 1000,
    raters: int = 5,
    per_page: int = 100,
    size: int | None = None,
    captions_file: str | None = None,
    seed: int = 0,
    progress: bool = False,
) -> dict:
    """Writes a study, or what is still missing of it.

    Args:
        systems: name -> folder of its pictures.
        out: the study's folder.
        captions: how many are drawn of those that all systems have.
        raters: how many people rank every caption.
        per_page: captions a page.
        size: as in `picture_files.opened`.
        captions_file: listing of captions; None if a folder holds them.
        seed: key of all orders.
        progress: whether bars are shown.

    Returns:
        The key: what stands in key.json.

    Raises:
        ValueError: if the pictures do not fit together, or there is another
            study in the folder.
    """
    out = pathlib.Path(out)
    if not 2 <= len(systems) <= _MOST:
        raise ValueError(
            f"A study compares 2 to {_MOST} systems; {len(systems)} came."
        )
    found = {
        name: picture_files.opened(folder, size=size, progress=progress)
        for name, folder in systems.items()
    }
    _check_sizes(found)
    paths = {name: _by_name(pictures) for name, pictures in found.items()}
    texts = _captions(found, captions_file)
    names = sorted(set(texts).intersection(*paths.values()))
    if len(names) < captions:
        raise ValueError(
            f"{captions:,} captions were asked for, but only {len(names):,} "
            "have words and a picture of each system; files of one caption "
            "must be called alike."
        )
    order = noise.permutation(_key(seed, "captions"), len(names)).numpy()
    names = [names[row] for row in sorted(order[:captions])]
    settings = {
        "systems": {name: found[name].digest for name in sorted(found)},
        "words": files.digest(*[part for n in names for part in (n, texts[n])]),
        "captions": captions,
        "raters": raters,
        "per_page": per_page,
        "size": size,
        "seed": seed,
    }
    key = _opened(out, settings)
    if key is None:
        key = _new_key(settings, {name: texts[name] for name in names})
        files.atomic_write(out / "key.json", _json(key))
    sheets = out / "sheets"
    _write_pictures(sheets / "pictures", key, found, paths)
    for name, sheet in key["sheets"].items():
        files.atomic_write(sheets / sheet["page"], _page(key, name).encode())
    files.atomic_write(sheets / "index.html", _index(key).encode())
    return key


def read_key(study: pathlib.Path) -> dict:
    """Reads which system is which, and what was asked.

    Args:
        study: the folder that `make` wrote.

    Returns:
        "study", its name; "settings"; "tasks", name -> name of the pictures'
        files, caption and picture -> system; "sheets", name -> rater,
        criterion, part, page and task -> pictures in order.

    Raises:
        ValueError: if it is no study.
    """
    path = study / "key.json"
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
        is_ours = key["format"] == _STUDY
    except FileNotFoundError as error:
        raise ValueError(f"{study} is no study: it has no key.json.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} can't be read: {error!r}.") from error
    if not is_ours:
        raise ValueError(f"{path} is of another kind: {key['format']!r}.")
    return key


def _check_sizes(found) -> None:
    sizes = {name: pictures.size for name, pictures in found.items()}
    first, *others = sizes
    for other in others:
        if sizes[other] != sizes[first]:
            raise ValueError(
                f"Pictures of {first} and of {other} differ in size, by which "
                f"raters could tell them: {_shown(sizes[first])} and "
                f"{_shown(sizes[other])} pixels. Give --size."
            )


def _shown(size):
    return f"{size[1]} x {size[0]}"


def _by_name(pictures) -> dict[str, pathlib.Path]:
    """Files by what two systems may call alike: the way without ending."""
    named = {}
    for path in pictures.paths:
        name = path.relative_to(pictures.folder).with_suffix("").as_posix()
        if name in named:
            raise ValueError(
                f"{named[name]} and {path} are called alike but for their "
                "endings; which is meant?"
            )
        named[name] = path
    return named


def _captions(found, captions_file) -> dict[str, str]:
    """Captions by the names of their pictures."""
    if captions_file:
        return _from_listing(messages.existing("captions_file", captions_file))
    texts, told = {}, None
    for system, pictures in found.items():
        if pictures.captions is None:
            continue
        own = dict(zip(_by_name(pictures), pictures.captions, strict=True))
        for name in sorted(set(own) & set(texts)):
            if own[name] != texts[name]:
                raise ValueError(
                    f"{told} and {system} have different captions for {name}: "
                    f"{texts[name]!r} and {own[name]!r}."
                )
        texts, told = own | texts, told or system
    if not texts:
        raise ValueError(
            "No folder holds captions: put captions.csv or captions.jsonl into "
            "one of them, or give --captions_file."
        )
    return texts


def _from_listing(path) -> dict[str, str]:
    refused, texts = [], {}
    kind = listings.kind(path) or "flickr"
    for row in listings.read(path, kind, "utf-8", refused, splits=False):
        name = pathlib.PurePosixPath(row.name).with_suffix("").as_posix()
        if row.captions and row.captions[0].strip():
            texts.setdefault(name, row.captions[0].strip())
    if not texts:
        why = f": {refused[0][0]}, {refused[0][1]}" if refused else ""
        raise ValueError(f"--captions_file={path} has no captions{why}.")
    return texts


def _opened(out, settings) -> dict | None:
    """Reads the study that is in a folder already, if it is this one."""
    if not (out / "key.json").exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ValueError(
                f"--out={out} holds something that is no study; take a new "
                "folder."
            )
        return None
    key = read_key(out)
    other = [
        _difference(name, key["settings"].get(name), settings[name])
        for name in settings
        if key["settings"].get(name) != settings[name]
    ]
    if other:
        raise ValueError(
            f"--out={out} holds another study, which is left as it is: "
            f"{'; '.join(other)}. Take a new folder."
        )
    return key


def _difference(name, old, new) -> str:
    if name == "words":
        return "captions or names of pictures differ"
    if name != "systems":
        return f"{name} was {old}, not {new}"
    if set(old) != set(new):
        return f"systems were {', '.join(old)}, not {', '.join(new)}"
    changed = [system for system in new if old[system] != new[system]]
    return f"pictures of {', '.join(changed)} differ"


def _new_key(settings, texts) -> dict:
    """Gives everything a name that tells nothing, and every page its order."""
    secret = secrets.token_hex(16)

    def named(*parts):
        return files.digest(secret, *parts)[:_LETTERS]

    systems = list(settings["systems"])
    tasks = {
        named("task", name): {
            "name": name,
            "caption": text,
            "pictures": {named("picture", s, name): s for s in systems},
        }
        for name, text in texts.items()
    }
    sheets = {}
    for rater in range(1, settings["raters"] + 1):
        for criterion in QUESTIONS:
            dealt = _dealt(tasks, settings, rater, criterion)
            for part, some in enumerate(dealt, 1):
                sheets[named("sheet", rater, criterion, part)] = {
                    "rater": rater,
                    "criterion": criterion,
                    "part": f"{part} of {len(dealt)}",
                    "page": f"rater{rater}_{criterion}_{part}.html",
                    "tasks": some,
                }
    return {
        "format": _STUDY,
        "study": named("study"),
        "settings": settings,
        "tasks": tasks,
        "sheets": sheets,
    }


def _dealt(tasks, settings, rater, criterion) -> list[dict]:
    """Shuffles captions and the pictures of each, and parts them in pages."""
    seed, per_page = settings["seed"], settings["per_page"]
    names, count = list(tasks), len(settings["systems"])
    key = _key(seed, f"captions {criterion}", rater)
    order = noise.permutation(key, len(names)).numpy()
    key = _key(seed, f"pictures {criterion}", rater)
    draws = noise.uniform(key, (len(names), count), dtype="float64").numpy()
    shuffled = {}
    for row in order:
        pictures = list(tasks[names[row]]["pictures"])
        shuffled[names[row]] = [pictures[i] for i in np.argsort(draws[row])]
    dealt = list(shuffled.items())
    return [
        dict(dealt[start : start + per_page])
        for start in range(0, len(dealt), per_page)
    ]


def _key(seed, salt, rater=0):
    return noise.key(seed, rater, f"human study {salt}")


def _write_pictures(folder, key, found, paths) -> None:
    """Copies pictures that are not there yet, as pixels alone."""
    for system, pictures in found.items():
        wanted = {
            folder / f"{name}.png": paths[system][task["name"]]
            for task in key["tasks"].values()
            for name, owner in task["pictures"].items()
            if owner == system
        }
        lacking = {p: wanted[p] for p in wanted if not p.exists()}
        some = dataclasses.replace(pictures, paths=tuple(lacking.values()))
        every = (pixels for batch in some.batches() for pixels in batch)
        for path, pixels in zip(lacking, every, strict=True):
            data = io.BytesIO()
            Image.fromarray(pixels).save(data, "PNG")
            files.atomic_write(path, data.getvalue())
        for path in wanted:
            os.utime(path, (_TIME, _TIME))


def _page(key, name) -> str:
    sheet = key["sheets"][name]
    is_wordless = sheet["criterion"] in WORDLESS
    data = {
        "format": ANSWERS,
        "study": key["study"],
        "sheet": name,
        "title": _title(sheet),
        "question": QUESTIONS[sheet["criterion"]],
        "file": f"answers_{pathlib.Path(sheet['page']).stem}_{name}.json",
        "tasks": [
            {
                "task": task,
                "caption": "" if is_wordless else key["tasks"][task]["caption"],
                "pictures": pictures,
            }
            for task, pictures in sheet["tasks"].items()
        ],
    }
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return _template("page").replace("SHEET_DATA", text)


def _index(key) -> str:
    links = [
        f'<li><a href="{sheet["page"]}">{html.escape(_title(sheet))}</a>, '
        f"{len(sheet['tasks'])} sets of pictures</li>"
        for sheet in key["sheets"].values()
    ]
    return _template("index").replace("LINKS", "\n".join(links))


def _title(sheet) -> str:
    return f"Rater {sheet['rater']}, {sheet['criterion']}, {sheet['part']}"


def _template(name) -> str:
    return (_HERE / f"{name}.html").read_text(encoding="utf-8")


def _json(value) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
