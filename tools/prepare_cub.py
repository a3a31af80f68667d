r"""Turns CUB-200-2011, the birds, into a prepared set.

    python -m tools.prepare_cub --source=CUB_200_2011 --captions_from=cub_icml \
        --out=data/cub --size=304

--source is one of
    the folder that CUB_200_2011.tgz unpacks to, with images.txt, classes.txt,
        image_class_labels.txt, bounding_boxes.txt, train_test_split.txt and
        images/; or the folder in which it lies
    AttnGAN's data/birds, in which it lies beside text/, captions.pickle,
        train/filenames.pickle and test/filenames.pickle
    birds.hdf5, as aelnouby's text-to-image code takes it
The captions lie in text_c10/CLASS/NAME.txt (Reed et al. 2016) or in AttnGAN's
text/CLASS/NAME.txt, ten a picture. They are looked for in --captions_from, or
else in --source and beside it, and so are the lists of a split:
    reed      trainvalclasses.txt (or trainclasses.txt and valclasses.txt),
              testclasses.txt: 150 classes to learn from, 50 others for tests
    reed_val  the same, with Reed's 50 classes for validation apart
    attngan   train/filenames.pickle, test/filenames.pickle
    official  train_test_split.txt, whose tests show the classes of training
Pictures are cut to the square around their bird that the papers use: 1.5
times the longer side of its box, as far as the picture goes; --nocrop keeps
them whole.
"""

import dataclasses
import math
import pathlib

from absl import flags

from tools.preparing import attngan, hdf5, places, reed, verb
from tools.preparing import plan as plans

SPLITS = ("auto", "reed", "reed_val", "attngan", "official")
KNOWN = {"pictures": 11_788, "classes": 200}
CAPTIONS = {"captions": 117_880, "captions_per_picture": 10}
#: Pictures of the splits.
PARTS = {
    "reed": {"train": 8_855, "test": 2_933},
    "reed_val": {"test": 2_933},
    "attngan": {"train": 8_855, "test": 2_933},
    "official": {"train": 5_994, "test": 5_794},
}
_ABOUT = (
    "CUB-200-2011 (Wah et al. 2011), captions by Reed et al. 2016; for "
    "non-commercial research, pictures from Flickr under their owners' licences"
)


def plan(options) -> plans.Plan:
    """Reads the listings of any of the sources.

    Args:
        options: the parsed flags: source, captions_from, split, crop,
            encoding.

    Returns:
        The plan.

    Raises:
        ValueError: if something is missing; it says what, and where it should
            lie.
    """
    answer = plans.Plan("cub", _ABOUT, [], known=dict(KNOWN))
    if options.source.lower().endswith(hdf5.ENDINGS):
        return _from_hdf5(options, answer)
    source = reed.existing("source", options.source)
    tree = _tree(source)
    near = reed.around(source, tree)
    if options.captions_from:
        near = reed.beneath(
            reed.existing("captions_from", options.captions_from)
        ) + [tree]
    names = _table(tree / "images.txt", options, answer)
    numbers = _table(tree / "image_class_labels.txt", options, answer)
    folders = _table(tree / "classes.txt", options, answer)
    order = {number: label for label, number in enumerate(folders)}
    answer.class_names = tuple(map(shown, folders.values()))
    boxes = {}
    if options.crop:
        rows = _table(tree / "bounding_boxes.txt", options, answer)
        boxes = {number: box(text) for number, text in rows.items()}
    classes = list(folders.values())
    found = _Found(
        tree=tree,
        near=near,
        classes=classes,
        lists=reed.lists(near, classes, options.encoding),
        attngan=reed.attngans(near, map(_key, names.values())),
    )
    way = _way(options, found)
    split = _split(way, found, names, options, answer)
    table = reed.vocabulary(found.attngan, answer)
    captions = _captions(options, found, table, answer)
    answer.known |= CAPTIONS | PARTS[way]
    keys = set()
    for number, name in names.items():
        key = _key(name)
        try:
            if key in keys:
                raise plans.Refused("a picture that is listed twice")
            keys.add(key)
            if numbers.get(number) not in order:
                raise plans.Refused("a picture without a class")
            if options.crop and boxes.get(number) is None:
                raise plans.Refused("a picture without a usable bounding box")
            item = plans.Item(
                key=key,
                picture=places.inside(tree / "images", name),
                captions=captions(key),
                split=split(number, key, folders[numbers[number]]),
                label=order[numbers[number]],
                box=boxes.get(number),
            )
            if item.picture.is_dir():
                raise plans.Refused("a folder in place of a picture")
        except plans.Refused as error:
            answer.refused.append((error.file or name, str(error)))
        else:
            answer.items.append(item)
    _tell_unused(captions, answer)
    return answer


def box(text: str) -> tuple[int, int, int, int] | None:
    """Makes the papers' square around a bird.

    Args:
        text: left, top, width and height of its box, in pixels.

    Returns:
        left, top, right, bottom; it may reach out of the picture. None if the
        text isn't four numbers, or the square is empty.

    Source:
        AttnGAN's data sets: numbers cut to whole ones, r = 0.75 times the
        longer side, centre at the box's.
    """
    try:
        left, top, width, height = (int(float(part)) for part in text.split())
    except (ValueError, OverflowError):  # Not four, not numbers, infinite.
        return None
    radius = math.floor(max(width, height) * 0.75)
    if radius <= 0 or max(map(abs, (left, top, width, height))) > 2**31:
        return None
    x, y = int((2 * left + width) / 2), int((2 * top + height) / 2)
    return x - radius, y - radius, x + radius, y + radius


def shown(name: str) -> str:
    """Makes a class folder's name readable.

    Args:
        name: such as "001.Black_footed_Albatross".

    Returns:
        Such as "Black footed Albatross".
    """
    number, _, rest = name.partition(".")
    return (rest if number.isdigit() and rest else name).replace("_", " ")


def _tree(source: pathlib.Path) -> pathlib.Path:
    name = "CUB_200_2011"
    for inner in ("", name, f"{name}/{name}", f"birds/{name}"):
        if (source / inner / "images.txt").is_file():
            return source / inner
    raise ValueError(
        f"{source / name / 'images.txt'} is missing; unpack CUB_200_2011.tgz "
        f"in {source}, or name the folder that holds images.txt by --source."
    )


def _table(path, options, answer) -> dict[str, str]:
    """Reads lines of a number and something."""
    if not path.is_file():
        hint = "; --nocrop does without" if "bounding" in path.name else ""
        raise ValueError(
            f"{path} is missing; it is part of CUB_200_2011.tgz{hint}."
        )
    found = {}
    for row, line in enumerate(places.lines(path, options.encoding), 1):
        number, _, value = line.strip().partition(" ")
        place, value = f"{path.name}:{row}", value.strip()
        if not line.strip():
            continue
        if not number.isdecimal() or not value:
            answer.refused.append((place, "a line that is not NUMBER VALUE"))
        elif number in found:
            answer.refused.append((place, "a number that comes twice"))
        else:
            found[number] = value
    return found


@dataclasses.dataclass(frozen=True)
class _Found:
    """Where things lie: the tree, the folders around it, lists in them."""

    tree: pathlib.Path
    near: list[pathlib.Path]
    classes: list[str]
    lists: pathlib.Path | None
    attngan: pathlib.Path | None


def _key(name: str) -> str:
    return name.rpartition(".")[0] or name


def _way(options, found: _Found) -> str:
    """Chooses the split."""
    if options.split != "auto":
        return options.split
    ways = {"reed": found.lists, "attngan": found.attngan}
    there = {way: folder for way, folder in ways.items() if folder}
    if len(there) > 1:
        raise ValueError(
            "--split is needed, for there are lists of several: "
            + ", ".join(f"{way} (in {at})" for way, at in there.items())
            + f"; also official, {found.tree / 'train_test_split.txt'}."
        )
    return next(iter(there), "official")


def _split(way, found: _Found, names, options, answer):
    """Returns a function of (number, key, class folder) to the split."""
    if way == "official":
        rows = _table(found.tree / "train_test_split.txt", options, answer)
        answer.notes.append(
            "The split is train_test_split.txt's: tests show the classes that "
            "were learnt from. Papers that draw birds from captions part the "
            "classes, by Reed's or AttnGAN's lists."
        )
        parts = {"0": "test", "1": "train"}
        return lambda number, key, folder: _part(
            parts, rows.get(number), "train_test_split.txt"
        )
    if way == "attngan":
        if found.attngan is None:
            raise ValueError(
                f"{found.near[0] / 'train/filenames.pickle'} is missing; "
                "--split=attngan needs train/ and test/ of AttnGAN's "
                "birds.zip there."
            )
        splits = reed.picture_splits(found.attngan, answer.refused)
        known = set(map(_key, names.values()))
        answer.refused += [
            (key, f"listed in {part}/filenames.pickle, but not in images.txt")
            for key, part in splits.items()
            if key not in known
        ]
        return lambda number, key, folder: _part(
            splits, key, "filenames.pickle"
        )
    if found.lists is None:
        raise ValueError(
            f"{found.near[0] / 'trainvalclasses.txt'} is missing; --split="
            f"{way} needs Reed's lists of classes there (they come with his "
            "captions)."
        )
    splits = reed.class_splits(
        found.lists,
        found.classes,
        options.encoding,
        way == "reed_val",
        answer.refused,
    )
    return lambda number, key, folder: _part(splits, folder, "Reed's lists")


def _part(splits, key, where) -> str:
    if key not in splits:
        raise plans.Refused(f"in no part of {where}")
    return splits[key]


def _captions(options, found: _Found, table, answer):
    """Returns what reads a picture's captions: `reed.Texts.of`, or a dict's."""
    texts = reed.texts(found.near, found.classes, options.encoding)
    if texts:
        return texts.of
    if table is None:
        raise ValueError(
            f"{found.near[0] / 'text_c10'} is missing: no captions were "
            "found; put Reed's text_c10/ (or AttnGAN's text/) there, or name "
            "its folder by --captions_from."
        )
    answer.notes.append(
        "The captions are captions.pickle's, without punctuation; text/ is "
        "missing."
    )
    rows = {}
    for part in attngan.PARTS:
        keys = reed.keys(found.attngan, part)
        rows |= {key: (part, i, len(keys)) for i, key in enumerate(keys)}

    def of(key):
        if key not in rows:
            raise plans.Refused("a picture without captions in captions.pickle")
        return table.of(*rows[key])

    return of


def _tell_unused(captions, answer):
    texts = getattr(captions, "__self__", None)
    if texts is not None:
        folder = texts.folder.name
        answer.refused += [
            (f"{folder}/{name}", "captions of a picture that is not listed")
            for name in texts.unused()
        ]


def _from_hdf5(options, answer):
    """Reads aelnouby's file."""
    if options.split not in ("auto", "reed", "reed_val"):
        raise ValueError(
            f"--split={options.split}: an HDF5 file has its own split, Reed's; "
            "give auto or reed_val, or reed to join its valid to train."
        )
    keeps_val = options.split != "reed"
    answer.items, folders = hdf5.items(
        pathlib.Path(options.source), keeps_val, answer.refused
    )
    answer.class_names = tuple(map(shown, folders))
    answer.known |= PARTS["reed_val" if keeps_val else "reed"]
    answer.notes.append(
        "The pictures are those of the HDF5 file, whole: it has no boxes."
    )
    return answer


if __name__ == "__main__":
    verb.define("The folder CUB_200_2011, AttnGAN's data/birds, or birds.hdf5.")
    flags.DEFINE_string(
        "captions_from",
        None,
        "The folder that holds text_c10/ or text/ and the lists of the split; "
        "usually found in --source.",
    )
    flags.DEFINE_enum(
        "split", "auto", SPLITS, "Which lists part the set; see above."
    )
    flags.DEFINE_bool("crop", True, "Cut pictures to the square at the bird.")
    verb.run(plan)
