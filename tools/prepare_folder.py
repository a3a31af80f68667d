r"""Prepares your own captioned pictures for training.

    python -m tools.prepare_folder --source=holiday --out=data/holiday

The folder may be laid out in any of these ways; which one is seen from its
files, or said by --format:

    sidecars  boat.jpg and beside it boat.txt, one caption a line; in folders
              inside the folder too
    flickr    captions.txt with lines NAME,CAPTION (Flickr8k, Flickr30k), or
              Flickr8k.token.txt with lines NAME#0<tab>CAPTION
    table     .csv or .tsv: a column image (file, file_name, filename, path)
              and one caption (text, title), perhaps label (class, category)
              and split (subset); several rows a picture are its captions. Or
              no header, and rows CAPTION<tab>FILE (Conceptual Captions)
    jsonl     one JSON object a line with the same names, captions may be a
              list (metadata.jsonl of Hugging Face's imagefolder)

A listing may be given as --source too; the pictures are looked for beside it
and in the folders there. --source=tfds:NAME reads a set that TensorFlow
Datasets has prepared.

--labels=folder makes each folder of pictures a class. Columns named labels,
classes or categories hold lists ("dog; park"), the others one class. Numbers
get their names from classes.txt, one name a line.

--split_by says what is kept from training. "fraction": --test_share of the
pictures and --val_share, drawn by a hash of each file, so that equal files
land in one part and a picture stays in its part when others join. "class":
that share of the classes. "file": the column split, lists train.txt, val.txt
and test.txt of pictures' names, or folders train, val and test.

What can't be used is left out and named. The command that trains on the
result is printed last.
"""

import dataclasses
import pathlib
import re
import unicodedata

from absl import flags

from keras_t2i.data import captions
from recipes import messages
from tools.preparing import listings, places, splitting, tfds, verb
from tools.preparing import plan as plans

FORMATS = ("auto", "sidecars", "flickr", "table", "jsonl")
LABELS = ("auto", "none", "folder", "column")
SPLITS = ("fraction", "file", "class")
_LIST = re.compile(  # train.txt, Flickr_8k.trainImages.txt
    rf"(?:flickr_?\w*\.)?({'|'.join(listings.PARTS)})(?:images)?\.txt", re.I
)
_NO_CAPTIONS = ("classes.txt", "readme.txt", "license.txt", "licence.txt")
_ABOUT = "a folder of captioned pictures; rights are those of the pictures"


@dataclasses.dataclass
class Found:
    """Collects what a source says of one picture."""

    key: str
    picture: object
    captions: list[str] = dataclasses.field(default_factory=list)
    labels: list[str] = dataclasses.field(default_factory=list)
    split: str | None = None
    is_list: bool = False


def plan(options) -> plans.Plan:
    """Finds the captioned pictures of a folder, a listing or a TFDS set.

    Args:
        options: the flags.

    Returns:
        The plan; no picture is decoded, but files are read whole where parts
        are drawn by their content.

    Raises:
        ValueError: if nothing there is usable, or the flags don't fit it.
    """
    splitting.check_shares(options)
    refused, notes = [], []
    if options.source.startswith(tfds.PREFIX):
        found, names = _of_tfds(options.source)
        root, name = None, options.source.removeprefix(tfds.PREFIX)
        about = f"TFDS's {name}; rights are those of its source"
    else:
        root, listed = _source(options.source)
        name, about, names = root.absolute().name, _ABOUT, None
        found = _of_folder(root, listed, options, refused)
    found = [each for each in found if _is_told(each, refused)]
    if not found:
        raise ValueError(_nothing(options.source, refused))
    if options.labels == "none":
        for each in found:
            each.labels = []
    elif names is None:
        names = _class_names(root, options.encoding)
    is_list = any(each.is_list for each in found if each.labels)
    found, names = _numbered(found, names, is_list, refused, notes, options)
    items = [
        plans.Item(
            each.key,
            each.picture,
            tuple(each.captions),
            each.split or "",
            each.labels[0] if each.labels else -1,
            tuple(each.labels) if is_list else (),
        )
        for each in found
    ]
    items = _split(items, names, is_list, root, options, refused, notes)
    if not items:
        raise ValueError(_nothing(options.source, refused))
    return plans.Plan(
        name=re.sub(r"[^\w.-]+", "_", listings.shown(name)),
        about=about,
        items=items,
        class_names=tuple(names),
        refused=refused,
        notes=notes,
        multi_label=is_list,
    )


def _source(source: str) -> tuple[pathlib.Path, pathlib.Path | None]:
    """Tells the folder, and the listing if one is named."""
    path = pathlib.Path(source)
    if path.is_file() and listings.kind(path):
        return path.parent, path
    if path.is_file() and path.suffix.lower() == ".txt":
        return path.parent, path  # Flickr's, of another name.
    if path.is_file():
        raise ValueError(
            f"--source={source} is neither a folder nor a listing (.jsonl, "
            ".csv, .tsv, or .txt with lines NAME,CAPTION)."
        )
    return messages.folder("source", source), None


def _of_folder(root, listed, options, refused) -> list[Found]:
    """Lists what a folder holds, by the layout that it has or is said to."""
    tree = listings.Tree(root, refused)
    if not tree.files:
        raise ValueError(
            f"--source={options.source} holds no picture; taken are "
            f"{', '.join(listings.ENDINGS)}."
        )
    layout, paths = _layout(root, listed, options)
    if layout == "sidecars":
        found = _sidecars(tree, options, refused)
    else:
        found = _listed(tree, paths, layout, options.encoding, refused)
    for each in found:
        each.split = each.split or _part_of(each.key)
        if options.labels == "folder":
            each.labels, each.is_list = _folder_of(each.key), False
    return found


def _layout(root, listed, options):
    """Tells the format, and the listings in it."""
    if listed:
        guess = listings.kind(listed) or "flickr"
        return (guess if options.format == "auto" else options.format), [listed]
    if options.format == "sidecars":
        return "sidecars", []
    paths = sorted(p for p in root.iterdir() if _may_list(p, options))
    if not paths:  # Hugging Face's imagefolder has one in each part.
        paths = sorted(
            path
            for path in root.glob("*/metadata.*")
            if not path.parent.is_symlink() and _may_list(path, options)
        )
    kinds = sorted({listings.kind(path) for path in paths})
    if len(kinds) > 1:
        names = ", ".join(path.name for path in paths)
        raise ValueError(
            f"--source={options.source} holds listings of several formats "
            f"({names}); name one of the files as --source, or give --format="
            f"{' or '.join(kinds)}."
        )
    if options.format != "auto" and not kinds:
        raise ValueError(
            f"--format={options.format}, but --source={options.source} holds "
            "no such listing; name the file itself as --source."
        )
    return (kinds[0] if kinds else "sidecars"), paths


def _may_list(path, options):
    kind = listings.kind(path)
    if kind is None or path.is_symlink() or not path.is_file():
        return False
    if options.format not in ("auto", kind):
        return False
    beside = (path.with_suffix(ending) for ending in listings.ENDINGS)
    if any(picture.is_file() for picture in beside):
        return False  # captions.txt beside captions.jpg.
    return options.format != "auto" or listings.fits(path, options.encoding)


def _sidecars(tree, options, refused):
    """Reads the text file beside each picture."""
    found, texts = [], set(tree.texts)
    used = {t for t in texts if t.lower() in _NO_CAPTIONS or _LIST.fullmatch(t)}
    for inner in tree.files:
        text = pathlib.PurePosixPath(inner).with_suffix(".txt").as_posix()
        used.add(text)
        try:
            picture = places.inside(tree.root, inner)
            if text not in texts:
                raise plans.Refused("no text file beside it")
            lines = places.lines(
                places.inside(tree.root, text), options.encoding
            )
        except plans.Refused as error:
            refused.append((listings.shown(inner), str(error)))
            continue
        found.append(Found(listings.shown(inner), picture, lines))
    for text in sorted(texts - used):
        refused.append((listings.shown(text), "no picture beside it"))
    return found


def _listed(tree, paths, layout, encoding, refused):
    """Reads listings; all rows of a picture are taken together."""
    found, conflicts = {}, set()
    for path in paths:
        folder = path.parent.relative_to(tree.root).as_posix()
        stem = listings.PARTS.get(path.stem.lower())
        rows = listings.read(path, layout, encoding, refused)
        for row in rows:
            try:
                picture = tree.find(folder, row.name)
                key = picture.relative_to(tree.root).as_posix()
                each = found.setdefault(key, Found(key, picture))
                if key not in conflicts:
                    _add(each, row, stem)
            except _Conflict as error:
                conflicts.add(key)
                refused.append((listings.shown(key), str(error)))
            except plans.Refused as error:
                name = listings.shown(f"{row.name} ({row.where})")
                refused.append((name, str(error)))
    for inner in tree.files:
        if inner not in found:
            refused.append((listings.shown(inner), "no caption"))
    answer = []
    for key, each in found.items():
        if key not in conflicts:
            each.key = listings.shown(key)
            answer.append(each)
    return answer


class _Conflict(ValueError):
    """Rows of one picture contradict each other."""


def _add(each, row, stem):
    """Adds a row to what is known of its picture."""
    split = row.split or stem
    if each.split and split and split != each.split:
        raise _Conflict(f"a row says {each.split}, another {split}")
    labels = row.labels or ()
    if (
        each.labels
        and labels
        and not row.is_list
        and labels[0] not in each.labels
    ):
        raise _Conflict(f"a row says {each.labels[0]}, another {labels[0]}")
    fresh = [text for text in row.captions if text not in each.captions]
    if row.captions and not fresh and set(labels) <= set(each.labels):
        raise plans.Refused("a row that was there before")
    each.split = each.split or split
    each.is_list |= row.is_list
    each.labels += [label for label in labels if label not in each.labels]
    each.captions += fresh


def _of_tfds(source):
    """Reads what a TFDS set says of its pictures."""
    builder = tfds.builder(source)
    features = builder.info.features
    captions = _feature(features, ("captions", "caption", "text"))
    if "image" not in features or captions is None:
        raise ValueError(
            f"--source={source} has the features {', '.join(features)}; "
            "needed are image and captions, caption or text."
        )
    wanted, label, names = {captions: True}, None, ()
    if "label" in features and hasattr(features["label"], "names"):
        label, names = "label", features["label"].names
    elif "objects" in features and "label" in _keys(features["objects"]):
        label, names = "objects", features["objects"]["label"].names
    if "text" in _keys(features[captions]):
        wanted = {captions: {"text": True}}
    if label:
        wanted[label] = True if label == "label" else {"label": True}
    name = _feature(features, ("image/filename", "filename"))
    if name:
        wanted[name] = True
    found = []
    for split in builder.info.splits:
        pictures = tfds.Pictures(builder, split)
        for row, value in enumerate(tfds.rows(builder, split, wanted)):
            key = f"{split}/{row:07d}"
            if name:
                key = f"{split}/{value[name].decode('utf-8', 'replace')}"
            texts = value[captions]
            texts = texts["text"] if isinstance(texts, dict) else texts
            labels = ()
            if label == "label" and value[label] >= 0:
                labels = [int(value[label])]
            elif label == "objects":
                labels = dict.fromkeys(value[label]["label"].tolist())
            found.append(
                Found(
                    key,
                    plans.Bytes(key, lambda p=pictures, r=row: p.read(r)),
                    [_decoded(text) for text in _several(texts)],
                    [names[each] for each in labels],
                    listings.part(split),
                    label == "objects",
                )
            )
    return found, tuple(names)


def _feature(features, names):
    return next((name for name in names if name in features), None)


def _keys(feature):
    return feature.keys() if hasattr(feature, "keys") else ()


def _several(texts):
    return [texts] if isinstance(texts, (bytes, str)) else list(texts)


def _decoded(text):
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _is_told(each, refused):
    """Tells whether a picture has a caption that holds a word."""
    for text in each.captions:
        try:
            if any(map(_is_word, captions.clean(text))):
                return True
        except ValueError:  # Empty, or half a character.
            pass
    reason = "no usable caption" if each.captions else "no caption"
    refused.append((each.key, reason))
    return False


def _is_word(letter):
    return letter.isalnum() or unicodedata.category(letter) == "So"


def _part_of(key):
    """Tells the part whose folder a picture lies in, if it is one."""
    folders = key.lower().split("/")[:-1]
    known = [listings.PARTS[f] for f in folders[:2] if f in listings.PARTS]
    return known[0] if known else None


def _folder_of(key):
    """Names the class by the folders below images/ and train/."""
    folders = key.split("/")[:-1]
    while folders and folders[0].lower() in ("images", *listings.PARTS):
        folders = folders[1:]
    return ["/".join(folders)] if folders else []


def _class_names(root, encoding):
    path = root / "classes.txt"
    if path.is_symlink() or not path.is_file():
        return None
    names = [line.strip() for line in places.lines(path, encoding)]
    return tuple(name for name in names if name)


def _numbered(found, names, is_list, refused, notes, options):
    """Turns classes' names into numbers."""
    said = {label for each in found for label in each.labels}
    if options.labels in ("folder", "column") and not said:
        where = "folders" if options.labels == "folder" else "column of labels"
        raise ValueError(
            f"--labels={options.labels}, but --source={options.source} has no "
            f"such {where}."
        )
    if not said:
        return found, ()
    are_numbers = all(re.fullmatch(r"\d+", label) for label in said)
    if names is None and are_numbers:
        names = tuple(sorted(said, key=int))
        notes.append(
            "Labels are numbers without names; put classes.txt, one name a "
            "line, into the folder to name them."
        )
    elif names is None:
        names = tuple(sorted(said))
    numbers = {name: number for number, name in enumerate(names)}
    kept = []
    for each in found:
        try:
            each.labels = [
                _number(label, numbers, len(names)) for label in each.labels
            ]
            kept.append(each)
        except plans.Refused as error:
            refused.append((each.key, str(error)))
    missing = sum(not each.labels for each in kept)
    if missing and not is_list:
        notes.append(f"{missing:,} pictures have no label.")
    return kept, names


def _number(label, numbers, count):
    if label in numbers:
        return numbers[label]
    if re.fullmatch(r"\d+", label) and int(label) < count:
        return int(label)
    raise plans.Refused(f"the label {label!r} without a name in classes.txt")


def _split(items, names, is_list, root, options, refused, notes):
    """Deals the pictures into parts as --split_by says."""
    how = options.split_by or ("fraction" if root else "file")
    if how == "class" and (not names or is_list):
        what = "has lists of them" if is_list else "has none"
        raise ValueError(
            f"--split_by=class needs one label a picture; --source="
            f"{options.source} {what}. Give --labels=folder or --split_by="
            "fraction."
        )
    lists = _lists(root, options.encoding) if root else {}
    if how == "file":
        if not lists and not any(item.split for item in items):
            raise ValueError(
                f"--split_by=file, but --source={options.source} has no column "
                "split, no train.txt and no folder train."
            )
        items = splitting.by_lists(items, lists, refused)
        if items and not any(item.split == "train" for item in items):
            raise ValueError("By --split_by=file no picture is for training.")
        return items
    if lists or any(item.split for item in items):
        notes.append(
            "The source tells parts of its own, which --split_by=file keeps."
        )
    if how == "class":
        return splitting.by_class(items, names, options, refused)
    return splitting.by_content(items, options, refused)


def _lists(root, encoding):
    """Reads the lists of the parts' pictures."""
    lists = {}
    for path in sorted(root.glob("*.txt")):
        match = _LIST.fullmatch(path.name)
        has_picture = any(
            path.with_suffix(ending).exists() for ending in listings.ENDINGS
        )
        if match and not has_picture and not path.is_symlink():
            part = listings.PARTS[match[1].lower()]
            names = [line.strip() for line in places.lines(path, encoding)]
            lists.setdefault(part, []).extend(filter(None, names))
    return lists


def _nothing(source, refused):
    text = f"--source={source} holds no usable picture"
    if refused:
        name, reason = refused[0]
        text += f"; the first, {name}: {reason}"
    return text + "."


if __name__ == "__main__":
    verb.define(
        "The folder of pictures, a listing in it, or tfds:NAME.", shares=True
    )
    flags.DEFINE_alias("pictures", "source")
    flags.DEFINE_enum("format", "auto", FORMATS, "How captions are written.")
    flags.DEFINE_enum(
        "labels",
        "auto",
        LABELS,
        "Where classes come from; auto: the column, if there is one.",
    )
    flags.DEFINE_enum(
        "split_by",
        None,
        SPLITS,
        "What makes train, val and test: fraction, but file for TFDS's sets.",
    )
    verb.run(plan)
