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
else in --source and beside it; the lists of a split also beside text_c10/:
    reed      trainvalclasses.txt (or trainclasses.txt and valclasses.txt),
              testclasses.txt: 150 classes to learn from, 50 others for tests
    reed_val  the same, with Reed's 50 classes for validation apart
    attngan   train/filenames.pickle, test/filenames.pickle
    official  train_test_split.txt, whose tests show the classes of training;
              never taken unasked
Pictures are cut to the square around their bird that the papers use: 1.5
times the longer side of its box, as far as the picture goes; --nocrop keeps
them whole.
"""

import math

from absl import flags

from tools.preparing import (
    attngan,
    hdf5,
    places,
    reed,
    reed_lists,
    reed_texts,
    verb,
)
from tools.preparing import plan as plans

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
        reed.from_hdf5(options, answer, shown, PARTS)
        answer.notes.append(
            "The pictures are those of the HDF5 file, whole: it has no boxes."
        )
        return answer
    source = reed.folder("source", options.source, options.follow_links)
    tree = _tree(source)
    near = reed.around(options, source, tree, answer.refused)
    names = _table(tree, "images.txt", options, answer)
    names = {n: name.replace("\\", "/") for n, name in names.items()}
    numbers = _table(tree, "image_class_labels.txt", options, answer)
    folders = _table(tree, "classes.txt", options, answer)
    order = {number: label for label, number in enumerate(folders)}
    answer.class_names = tuple(map(shown, folders.values()))
    boxes = {}
    if options.crop:
        rows = _table(tree, "bounding_boxes.txt", options, answer)
        boxes = {number: box(text) for number, text in rows.items()}
    classes = list(folders.values())
    found = reed.Found.of(
        tree,
        near,
        classes,
        reed_texts.find(near, classes, options.encoding),
        map(_key, names.values()),
        options.encoding,
    )
    captions = _captions(found, reed.vocabulary(found.attngan, answer), answer)
    way = found.way(options.split, tree.file("train_test_split.txt"))
    split = _split(way, found, names, options, answer)
    answer.known |= CAPTIONS | PARTS[way]
    pictures, keys = _pictures(tree), set()

    def item(number, name):
        key = _key(name)
        if key in keys:
            raise plans.Refused("a picture that is listed twice")
        keys.add(key)
        if numbers.get(number) not in order:
            raise plans.Refused("a picture without a class")
        if options.crop and boxes.get(number) is None:
            raise plans.Refused("a picture without a usable bounding box")
        return plans.Item(
            key=key,
            picture=pictures.inside(name),
            captions=captions(key),
            split=split(number, key, folders[numbers[number]]),
            label=order[numbers[number]],
            box=boxes.get(number),
        )

    for number, name in names.items():
        reed.add(answer, name, lambda n=number, name=name: item(n, name))
    if found.texts:
        found.texts.tell_others(map(_key, names.values()), answer.refused)
    answer.refused = list(dict.fromkeys(answer.refused))
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


def _tree(source: places.Tree) -> places.Tree:
    name = "CUB_200_2011"
    for inner in (".", name, f"{name}/{name}", f"birds/{name}"):
        tree = source.below(inner)
        if tree and tree.file("images.txt"):
            return tree
    raise ValueError(
        f"{source.path / name / 'images.txt'} is missing; unpack "
        f"CUB_200_2011.tgz in {source.path}, or name the folder that holds "
        "images.txt by --source."
    )


def _pictures(tree: places.Tree) -> places.Tree:
    found = tree.below("images")
    if found is None:
        raise ValueError(
            f"{tree.path / 'images'} is missing; it is part of "
            "CUB_200_2011.tgz."
        )
    return found


def _table(tree, name, options, answer) -> dict[str, str]:
    """Reads lines of a number and something."""
    path = tree.file(name)
    if path is None:
        hint = "; --nocrop does without" if "bounding" in name else ""
        raise ValueError(
            f"{tree.path / name} is missing; it is part of "
            f"CUB_200_2011.tgz{hint}."
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


def _key(name: str) -> str:
    return name.rpartition(".")[0] or name


def _split(way, found: reed.Found, names, options, answer):
    """Returns a function of (number, key, class folder) to the split."""
    if way == "official":
        listing = "train_test_split.txt"
        rows = _table(found.tree, listing, options, answer)
        answer.notes.append(
            f"The split is {listing}'s: tests show the classes that were "
            "learnt from. Papers that draw birds from captions part the "
            "classes, by Reed's or AttnGAN's lists."
        )
        parts = {"0": "test", "1": "train"}
        return lambda number, key, folder: reed.part(
            parts, rows.get(number), listing
        )
    if way == "attngan":
        splits = found.by_picture(answer.refused)
        known = set(map(_key, names.values()))
        answer.refused += [
            (key, f"listed in {part}/filenames.pickle, but not in images.txt")
            for key, part in splits.items()
            if key not in known
        ]
        return lambda number, key, folder: reed.part(
            splits, key, "filenames.pickle"
        )
    by_class = found.by_class(way, options, answer.refused)
    return lambda number, key, folder: by_class(folder)


def _captions(found: reed.Found, table, answer):
    """Returns a function of a picture's key to its captions."""
    if found.texts:
        return found.texts.of
    if table is None:
        raise ValueError(
            f"{found.home / 'text_c10'} is missing: no captions were "
            "found; put Reed's text_c10/ (or AttnGAN's text/) there, or name "
            "its folder by --captions_from."
        )
    answer.notes.append(
        "The captions are captions.pickle's, without punctuation; text/ is "
        "missing."
    )
    rows = {}
    for part in attngan.PARTS:
        keys = reed_lists.keys(found.attngan, part)
        rows |= {key: (part, i, len(keys)) for i, key in enumerate(keys)}

    def of(key):
        if key not in rows:
            raise plans.Refused("a picture without captions in captions.pickle")
        return table.of(*rows[key])

    return of


if __name__ == "__main__":
    verb.define("The folder CUB_200_2011, AttnGAN's data/birds, or birds.hdf5.")
    flags.DEFINE_string(
        "captions_from",
        None,
        "The folder that holds text_c10/ or text/ and the lists of the split; "
        "usually found in --source.",
    )
    flags.DEFINE_enum(
        "split", "auto", reed.SPLITS, "Which lists part the set; see above."
    )
    flags.DEFINE_bool("crop", True, "Cut pictures to the square at the bird.")
    verb.run(plan)
