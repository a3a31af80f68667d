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

Links out of the folder are left out; --follow_links takes what they show.

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
from tools.preparing import listings, places, splitting, tfds, trees, verb
from tools.preparing import plan as plans

FORMATS = ("auto", "sidecars", "flickr", "table", "jsonl")
LABELS = ("auto", "none", "folder", "column")
SPLITS = ("fraction", "file", "class")
_LIST = re.compile(  # train.txt, Flickr_8k.trainImages.txt
    rf"(?:flickr_?\w*\.)?({'|'.join(listings.PARTS)})(?:images)?\.txt", re.I
)
_LEAST = 10  # pictures of which parts can be made
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
        found, names = _of_tfds(options)
        root, name = None, options.source.removeprefix(tfds.PREFIX)
        about = f"TFDS's {name}; rights are those of its source"
    else:
        root, listed = _source(options)
        name, about, names = root.path.absolute().name, _ABOUT, None
        found = _of_folder(root, listed, options, refused, notes)
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
        name=re.sub(r"[^\w.-]+", "_", trees.shown(name)),
        about=about,
        items=items,
        class_names=tuple(names),
        refused=refused,
        notes=notes,
        multi_label=is_list,
    )


def _source(options) -> tuple[places.Tree, pathlib.Path | None]:
    """Tells the folder, and the listing if one is named."""
    path, listed = messages.existing("source", options.source), None
    if not path.is_dir():
        if not listings.kind(path) and path.suffix.lower() != ".txt":
            raise ValueError(
                f"--source={options.source} is neither a folder nor a listing "
                "(.jsonl, .csv, .tsv, or .txt with lines NAME,CAPTION)."
            )
        path, listed = path.parent, path
    return places.Tree(path, options.follow_links), listed


def _of_folder(root, listed, options, refused, notes) -> list[Found]:
    """Lists what a folder holds, by the layout that it has or is said to."""
    tree = trees.Tree(root.path, refused, options.follow_links)
    if not tree.files:
        raise ValueError(
            f"--source={options.source} holds no picture; taken are "
            f"{', '.join(trees.ENDINGS)}."
        )
    layout, paths = _layout(root, listed, options, refused)
    notes += [
        f"{name} was not read: {why}."
        for name, why in _others(root, paths, options).items()
    ]
    if layout == "sidecars":
        found = _sidecars(tree, options, refused)
    else:
        found = _listed(tree, paths, layout, options, refused)
    for each in found:
        each.split = each.split or _part_of(each.key)
        if options.labels == "folder":
            each.labels, each.is_list = _folder_of(each.key), False
    return found


def _layout(root, listed, options, refused):
    """Tells the format, and the listings in it."""
    if listed:
        guess = listings.kind(listed) or "flickr"
        return (guess if options.format == "auto" else options.format), [listed]
    if options.format == "sidecars":
        return "sidecars", []
    paths = _fitting(root.path.iterdir(), root, options, refused)
    if not paths:  # Hugging Face's imagefolder has one in each part.
        inner = root.path.glob("*/metadata.*")
        paths = _fitting(inner, root, options, refused)
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


def _fitting(paths, root, options, refused):
    """Picks the listings among files, and names those that are links out."""
    found = []
    for path in sorted(paths):
        if _may_list(path, options):
            inner = path.relative_to(root.path).as_posix()
            try:
                found.append(root.inside(inner))
            except plans.Refused as error:
                refused.append((trees.shown(inner), str(error)))
    return [path for path in found if _fits(path, options)]


def _may_list(path, options):
    kind = listings.kind(path)
    if kind is None or options.format not in ("auto", kind):
        return False
    return path.is_file() and not _has_picture(path)


def _fits(path, options):
    return options.format != "auto" or listings.fits(path, options.encoding)


def _has_picture(path):
    """Tells whether it is a sidecar: captions.txt beside captions.jpg."""
    beside = (path.with_suffix(ending) for ending in trees.ENDINGS)
    return any(picture.is_file() for picture in beside)


def _others(root, paths, options) -> dict[str, str]:
    """Names the tables and lines of JSON that are not taken, and why."""
    found = {}
    for path in sorted(root.path.iterdir()):
        is_table = listings.kind(path) in ("table", "jsonl")
        if not is_table or path in paths or not path.is_file():
            continue
        if not root.holds(path):
            continue  # Is refused.
        if _has_picture(path):
            why = "a picture has the same name"
        elif options.format not in ("auto", listings.kind(path)):
            why = f"--format is {options.format}"
        elif listings.fits(path, options.encoding):
            why = "another listing is"
        else:
            why = "its first line names no picture and caption"
        found[trees.shown(path.name)] = why
    return found


def _sidecars(tree, options, refused):
    """Reads the text file beside each picture."""
    found, texts = [], set(tree.texts)
    used = {t for t in texts if t.lower() in _NO_CAPTIONS or _LIST.fullmatch(t)}
    beside = {_stem(text): text for text in sorted(texts)}  # .txt over .TXT
    for inner in tree.files:
        text = beside.get(_stem(inner))
        used.add(text)
        try:
            picture = tree.inside(inner)
            if text is None:
                raise plans.Refused("no text file beside it")
            lines = places.lines(tree.inside(text), options.encoding)
        except plans.Refused as error:
            refused.append(_fault(tree, inner, error))
            continue
        found.append(Found(trees.shown(inner), picture, lines))
    for text in sorted(texts - used):
        refused.append((trees.shown(text), "no picture beside it"))
    return found


def _stem(inner):
    return pathlib.PurePosixPath(inner).with_suffix("").as_posix()


def _fault(tree, name, error):
    """Says what is left out, or which link leads to it, and why."""
    file, reason = places.told(name, error)
    if reason == places.LINK:
        file = pathlib.Path(file).relative_to(tree.path).as_posix()
    return trees.shown(file), reason


def _listed(tree, paths, layout, options, refused):
    """Reads listings; all rows of a picture are taken together."""
    by_file = options.split_by == "file"
    found, conflicts = {}, set()
    for path in paths:
        folder = path.parent.relative_to(tree.path).as_posix()
        stem = listings.PARTS.get(path.stem.lower())
        rows = listings.read(path, layout, options.encoding, refused, by_file)
        for row in rows:
            try:
                picture = tree.find(folder, row.name)
                key = picture.relative_to(tree.path).as_posix()
                each = found.setdefault(key, Found(key, picture))
                if key not in conflicts:
                    _add(each, row, stem)
            except _Conflict as error:
                conflicts.add(key)
                refused.append((trees.shown(key), str(error)))
            except plans.Refused as error:
                name = f"{row.name} ({row.where})"
                refused.append(_fault(tree, name, error))
    for inner in tree.files:
        if inner not in found:
            refused.append((trees.shown(inner), "no caption"))
    answer = []
    for key, each in found.items():
        if key not in conflicts:
            each.key = trees.shown(key)
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


def _of_tfds(options):
    """Reads what a TFDS set says of its pictures."""
    source = options.source
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
                    pictures.picture(row, key),
                    [_decoded(text) for text in _several(texts)],
                    [names[each] for each in labels],
                    listings.part(split, options.split_by in (None, "file")),
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
        except ValueError:  # Empty, or half a character: the next may do.
            continue
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
    path = root.file("classes.txt")
    if path is None:
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
    most = max(options.limit or len(items), _LEAST)
    if most < len(items):  # The others need not be read.
        notes.append(
            f"--limit={options.limit} took the first {most:,} of "
            f"{len(items):,} pictures, and made parts of them."
        )
    return splitting.by_content(items[:most], options, refused)


def _lists(root, encoding):
    """Reads the lists of the parts' pictures."""
    lists = {}
    for path in sorted(root.path.iterdir()):
        match = _LIST.fullmatch(path.name)
        if match and path.is_file() and not _has_picture(path):
            lines = places.lines(root.file(path.name), encoding)
            names = filter(None, map(str.strip, lines))
            part = listings.PARTS[match[1].lower()]
            lists.setdefault(part, []).extend(names)
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
