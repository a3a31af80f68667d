r"""Turns MS-COCO, 2014 or 2017, into a prepared set.

    python -m tools.prepare_coco --source=coco --out=data/coco --size=304

--source is one of
    the folder in which the official downloads were unpacked:
        coco/annotations/captions_train2014.json  captions_val2014.json
        coco/annotations/instances_train2014.json instances_val2014.json
        coco/train2014/ val2014/    or coco/images/train2014/ ...
                                    or both merged in coco/images/
    AttnGAN's data folder: train/filenames.pickle, test/filenames.pickle,
        text/, captions.pickle, images/
    tfds:coco_captions, where TensorFlow Datasets has prepared it

A picture's captions are taken in the order of the file; a few pictures have
six or seven, of which the first five are kept. Its `labels` are all its
objects' categories, its `label` is the one that covers the largest area
(summed over objects, crowds too; of equals the one that is listed first), or
-1 if it has no object. Without instances_*.json there are no labels.
"""

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Iterable

from absl import flags

from tools.preparing import attngan, places, tfds, verb
from tools.preparing import plan as plans

PARTS = ("train", "val")
YEARS = (2014, 2017)
CAPTIONS = 5
#: Pictures of train and val, captions of both (with sixth and seventh ones).
KNOWN = {2014: (82_783, 40_504, 616_767), 2017: (118_287, 5_000, 616_767)}
_ABOUT = (
    "MS-COCO {} (Lin et al. 2014, and Chen et al. 2015 for the captions); "
    "annotations CC BY 4.0, pictures from Flickr under their owners' licences"
)
_USED = {
    *("images", "id", "file_name"),
    *("annotations", "image_id", "caption", "category_id", "area"),
    *("categories", "name", "supercategory"),
}


@dataclasses.dataclass
class Picture:
    """Holds what a listing tells of one picture.

    Attributes:
        name: its file's, in the folder of its part.
        captions: in the order of the listing.
        areas: covered by its objects, by their category's number.
    """

    name: str
    captions: list[str] = dataclasses.field(default_factory=list)
    areas: dict[int, float] = dataclasses.field(default_factory=dict)


class Classes:
    """Numbers the classes of objects.

    Args:
        categories: (name, supercategory) by the source's number.
        by: "category" or "supercategory".
    """

    def __init__(self, categories: dict[int, tuple[str, str]], by: str):
        place = ("category", "supercategory").index(by)
        ordered = {n: categories[n][place] for n in sorted(categories)}
        self.names = tuple(dict.fromkeys(ordered.values()))
        self._labels = {n: self.names.index(s) for n, s in ordered.items()}

    def of(self, areas: dict[int, float]) -> tuple[int, tuple[int, ...]]:
        """Names a picture's classes.

        Args:
            areas: covered by its objects, by their category's number.

        Returns:
            The class of the largest area (the first of equals; -1 if there is
            none), and all classes in order.
        """
        sums = dict.fromkeys(sorted(self._labels[n] for n in areas), 0.0)
        for number in sorted(areas):
            sums[self._labels[number]] += areas[number]
        return max(sums, key=sums.get, default=-1), tuple(sums)


def plan(options) -> plans.Plan:
    """Reads the listings of any of the sources.

    Args:
        options: the parsed flags: source, encoding, labels, val_as, year.

    Returns:
        The plan.

    Raises:
        ValueError: if the source is none of those above.
    """
    if options.source.startswith(tfds.PREFIX):
        return _from_tfds(options)
    folder = pathlib.Path(options.source)
    if not folder.is_dir():
        raise ValueError(
            f"--source={options.source} is no folder; name the one that holds "
            "annotations/ and train2014/, or give tfds:coco_captions."
        )
    if attngan.is_there(folder):
        return _from_attngan(options, folder)
    return _from_downloads(options, folder)


def listed(
    path: pathlib.Path, encoding: str, refused: list[tuple[str, str]]
) -> dict[int, Picture]:
    """Reads captions_*.json.

    Args:
        path: the file.
        encoding: of a file without a byte order mark.
        refused: takes (place, reason) of what is left out.

    Returns:
        The pictures by their number, in the file's order.

    Raises:
        ValueError: if the file is no such listing.
    """
    value = _json(path, encoding, ("images", "annotations"))
    pictures, names = {}, set()
    for place, entry in _entries(path, value, "images"):
        number, name = entry.get("id"), entry.get("file_name")
        if not _is_number(number) or not isinstance(name, str):
            refused.append((place, "a picture without id or file_name"))
        elif number in pictures:
            refused.append((place, "a picture's id that comes twice"))
        elif name in names:
            refused.append((place, "a picture that is listed twice"))
        else:
            pictures[number] = Picture(name)
            names.add(name)
    seen = set()
    for place, entry in _entries(path, value, "annotations"):
        number, text = entry.get("image_id"), entry.get("caption")
        if not _is_number(number) or not isinstance(text, str):
            refused.append((place, "an entry without image_id or caption"))
        elif number not in pictures:
            refused.append((place, "a caption of a picture that isn't listed"))
        elif "id" in entry and entry["id"] in seen:
            refused.append((place, "a caption's id that comes twice"))
        else:
            pictures[number].captions.append(text)
            seen.add(entry.get("id"))
    return pictures


def add_objects(
    path: pathlib.Path,
    encoding: str,
    pictures: dict[int, Picture],
    categories: dict[int, tuple[str, str]],
    refused: list[tuple[str, str]],
):
    """Reads instances_*.json.

    Args:
        path: the file.
        encoding: of a file without a byte order mark.
        pictures: from `listed`; their areas are filled.
        categories: take each category's names by its number.
        refused: takes (place, reason) of what is left out.

    Raises:
        ValueError: if the file is no such listing, or gives a number that
            another category has.
    """
    value = _json(path, encoding, ("annotations", "categories"))
    for place, entry in _entries(path, value, "categories"):
        number, name = entry.get("id"), entry.get("name")
        names = (name, entry.get("supercategory", name))
        if not _is_number(number) or not all(isinstance(n, str) for n in names):
            refused.append((place, "a category without id or name"))
        elif categories.setdefault(number, names) != names:
            raise ValueError(
                f"{place} gives the id {number} to {name!r}, which "
                f"{categories[number][0]!r} has already."
            )
    for place, entry in _entries(path, value, "annotations"):
        number, category = entry.get("image_id"), entry.get("category_id")
        if not _is_number(number) or number not in pictures:
            refused.append((place, "an object of a picture that isn't listed"))
        elif not _is_number(category) or category not in categories:
            refused.append((place, "an object of an unknown category"))
        elif not _is_area(entry.get("area")):
            refused.append((place, "an object without a usable area"))
        else:
            areas = pictures[number].areas
            areas[category] = areas.get(category, 0.0) + entry["area"]


def _from_downloads(options, folder: pathlib.Path) -> plans.Plan:
    year = _year(options, folder)
    answer = _empty(options, year)
    found, categories = {}, {}
    for part in PARTS:
        path = _listing(folder, f"captions_{part}{year}.json")
        if path is None:
            answer.notes.append(
                f"captions_{part}{year}.json is missing: the set is without "
                f"the pictures of {part}{year}."
            )
            continue
        found[part] = listed(path, options.encoding, answer.refused)
        path = _listing(folder, f"instances_{part}{year}.json")
        if path is None:
            answer.notes.append(
                f"instances_{part}{year}.json is missing: the pictures of "
                f"{part}{year} have no labels."
            )
            continue
        add_objects(
            path, options.encoding, found[part], categories, answer.refused
        )
    classes = Classes(categories, options.labels)
    _label_set(answer, classes.names)
    splits = {"train": "train", "val": options.val_as}
    keys = set()
    for part, pictures in found.items():
        name = f"{part}{year}"
        tree = _tree(folder, name)
        if tree is None:
            answer.notes.append(
                f"{name}/ is missing: its {len(pictures):,} pictures are left "
                "out."
            )
            continue
        for picture in pictures.values():
            item = _item(name, tree, picture, classes, splits[part])
            _add(answer, keys, f"{name}/{picture.name}", item)
    if not answer.items and not any(_tree(folder, f"{p}{year}") for p in found):
        raise ValueError(
            f"--source={options.source} has neither train{year}/ nor "
            f"val{year}/ nor images/; unpack the pictures there."
        )
    _finish(answer, options)
    return answer


def _item(name, tree, picture, classes, split) -> plans.Item | str:
    if not picture.captions:
        return "a picture without a caption"
    try:
        path = places.inside(tree, picture.name)
    except plans.Refused as error:
        return str(error)
    if path.is_dir():
        return "a folder in place of a picture"
    stem = pathlib.PurePosixPath(picture.name).with_suffix("")
    label, labels = classes.of(picture.areas)
    captions = tuple(picture.captions)
    return plans.Item(f"{name}/{stem}", path, captions, split, label, labels)


def _from_attngan(options, folder: pathlib.Path) -> plans.Plan:
    answer = _empty(options, 2014)
    answer.notes.append("The layout is AttnGAN's; its splits are kept.")
    table, numbers, rows = None, {}, {}
    try:
        table = attngan.table(folder)
    except plans.Refused as error:
        answer.refused.append(("captions.pickle", str(error)))
    answer.vocabulary = table and table.vocabulary()
    for part in attngan.PARTS:
        try:
            rows[part] = attngan.keys(folder, part)
        except plans.Refused as error:
            answer.refused.append((f"{part}/filenames.pickle", str(error)))
            continue
        try:
            found = attngan.classes(folder, part, len(rows[part]))
        except plans.Refused as error:
            answer.refused.append((f"{part}/class_info.pickle", str(error)))
            continue
        if found is not None:
            numbers[part] = found
    names = _class_numbers(rows, numbers, answer)
    splits = {"train": "train", "test": options.val_as}
    seen = set()
    for part, listed_keys in rows.items():
        for row, key in enumerate(listed_keys):
            label = names.get(numbers[part][row], -1) if names else -1
            try:
                texts = attngan.texts(folder, key, options.encoding)
                if not texts and table:
                    texts = table.of(part, row, len(listed_keys))
                path = places.inside(folder, f"images/{key}.jpg")
            except plans.Refused as error:
                item = str(error)
            else:
                item = plans.Item(key, path, texts, splits[part], label)
                item = item if texts else "a picture without a caption"
            _add(answer, seen, f"images/{key}.jpg", item)
    _finish(answer, options)
    return answer


def _class_numbers(rows, numbers, answer) -> dict[int, int]:
    """Numbers the classes from 0; none where each picture is its own."""
    every = [n for part in numbers.values() for n in part]
    pictures = sum(map(len, rows.values()))
    if len(numbers) < len(rows) or len(set(every)) in (0, pictures):
        answer.known.pop("classes", None)
        answer.notes.append(
            "The source has no classes for its pictures: there are no labels."
        )
        return {}
    ordered = sorted(set(every))
    answer.class_names = tuple(f"class {number}" for number in ordered)
    return {number: label for label, number in enumerate(ordered)}


def _from_tfds(options) -> plans.Plan:
    if options.labels == "supercategory":
        raise ValueError(
            "--labels=supercategory needs instances_*.json of the downloads; "
            "TFDS's coco_captions has categories only."
        )
    found = tfds.builder(options.source)
    answer = _empty(options, 2014)
    answer.notes.append(
        f"Read by TFDS {found.info.full_name}; its restval, val and test are "
        "COCO's val2014."
    )
    names = found.info.features["objects"]["label"].names
    classes = Classes({i: (n, n) for i, n in enumerate(names)}, "category")
    _label_set(answer, classes.names)
    features = {
        "captions": {"text"},
        "objects": {"area", "label"},
        "image/filename": True,
    }
    keys = set()
    for split in ("train", "restval", "val", "test"):
        if split not in found.info.splits:
            answer.notes.append(f"TFDS has no split {split}: it is left out.")
            continue
        pictures = tfds.Pictures(found, split)
        kept = "train" if split == "train" else options.val_as
        for row, value in enumerate(tfds.rows(found, split, features)):
            item = _tfds_item(row, value, pictures, classes, kept)
            _add(answer, keys, f"{split}[{row}]", item)
    _finish(answer, options)
    return answer


def _tfds_item(row, value, pictures, classes, split) -> plans.Item | str:
    captions = tuple(places.decoded(t) for t in value["captions"]["text"])
    if not captions:
        return "a picture without a caption"
    areas = {}
    objects = value["objects"]
    for number, area in zip(objects["label"], objects["area"], strict=True):
        areas[int(number)] = areas.get(int(number), 0.0) + float(area)
    label, labels = classes.of(areas)
    name = value["image/filename"].decode()
    stem = pathlib.PurePosixPath(name).stem
    part = "train2014" if "train" in name else "val2014"
    picture = plans.Bytes(name, lambda: pictures.read(row))
    key = f"{part}/{stem}"
    return plans.Item(key, picture, captions, split, label, labels)


def _empty(options, year: int) -> plans.Plan:
    train, val, captions = KNOWN[year]
    return plans.Plan(
        name=f"coco_{year}",
        about=_ABOUT.format(year),
        items=[],
        known={
            "pictures": train + val,
            "train": train,
            options.val_as: val,
            "captions": captions,
            "classes": 80 if options.labels == "category" else 12,
            "captions_per_picture": CAPTIONS,
        },
        notes=[
            f"COCO's val{year} is the split {options.val_as!r}"
            + (
                ": papers judge with it, since COCO's own test pictures have "
                "no public captions; --val_as=val calls it 'val'."
                if options.val_as == "test"
                else "."
            )
        ],
        captions_per_picture=CAPTIONS,
    )


def _label_set(answer: plans.Plan, names: tuple[str, ...]):
    answer.class_names = names
    answer.multi_label = bool(names)
    if not names:
        del answer.known["classes"]


def _add(answer: plans.Plan, keys: set, name: str, item: plans.Item | str):
    """Takes an item, or the reason why there is none."""
    if isinstance(item, plans.Item) and item.key in keys:
        item = "a name that comes twice (but for its ending)"
    if isinstance(item, str):
        answer.refused.append((name, item))
        return
    keys.add(item.key)
    answer.items.append(item)


def _finish(answer: plans.Plan, options):
    if answer.multi_label:
        bare = sum(item.label < 0 for item in answer.items)
        answer.notes.append(
            f"label is the {options.labels} that covers the largest area of a "
            f"picture; {bare:,} pictures without objects have -1."
        )


def _year(options, folder: pathlib.Path) -> int:
    found = [
        year
        for year in YEARS
        if any(_listing(folder, f"captions_{p}{year}.json") for p in PARTS)
    ]
    if options.year:
        found = [year for year in found if year == int(options.year)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"--source={options.source} holds captions of 2014 and of 2017; "
            "say which by --year."
        )
    wanted = options.year or YEARS[0]
    raise ValueError(
        f"--source={options.source} has no captions_train{wanted}.json, "
        f"neither in itself nor in annotations/, and no train/filenames.pickle "
        "(AttnGAN's layout); name the folder in which the downloads were "
        "unpacked."
    )


def _listing(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    paths = (folder / "annotations" / name, folder / name)
    return next((path for path in paths if path.is_file()), None)


def _tree(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    paths = (folder / name, folder / "images" / name, folder / "images")
    return next((path for path in paths if path.is_dir()), None)


def _json(path: pathlib.Path, encoding: str, lists: Iterable[str]) -> dict:
    try:
        value = places.json_value(path, encoding, _thinned)
    except plans.Refused as error:
        raise ValueError(f"{path} is {error}.") from None
    for name in lists:
        if not isinstance(value, dict) or not isinstance(value.get(name), list):
            raise ValueError(
                f"{path} has no list {name!r}, so it is none of COCO's files."
            )
    return value


def _thinned(value: dict) -> dict:
    """Lets go of outlines, boxes and addresses: nine tenths of the file."""
    return {name: value[name] for name in value if name in _USED}


def _entries(path, value: dict, name: str) -> Iterable[tuple[str, dict]]:
    for place, entry in zip(itertools.count(), value.pop(name)):
        where = f"{path.name}: {name}[{place}]"
        yield where, entry if isinstance(entry, dict) else {}


def _is_number(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_area(value) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0


if __name__ == "__main__":
    verb.define("A folder as above, or tfds:coco_captions.")
    flags.DEFINE_enum(
        "labels",
        "category",
        ["category", "supercategory"],
        "What a label is: one of 80 categories, or of 12 groups of them.",
    )
    flags.DEFINE_enum(
        "val_as",
        "test",
        ["test", "val"],
        "The split that COCO's val becomes; papers judge with it.",
    )
    flags.DEFINE_enum(
        "year",
        None,
        [str(year) for year in YEARS],
        "Which COCO, where the folder holds both.",
    )
    verb.run(plan)
