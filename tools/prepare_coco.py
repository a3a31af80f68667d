r"""Turns MS-COCO, 2014 or 2017, into a prepared set.

    python -m tools.prepare_coco --source=coco --out=data/coco --size=304

--source is one of
    the folder in which the official downloads were unpacked:
        coco/annotations/captions_train2014.json  captions_val2014.json
        coco/annotations/instances_train2014.json instances_val2014.json
        coco/train2014/ val2014/    or coco/images/train2014/ ...
                                    or both merged in coco/images/
    AttnGAN's data folder: train/filenames.pickle, test/filenames.pickle,
        text/, captions.pickle, and the pictures in images/ or in train2014/
        and val2014/; labels are read from annotations/instances_*.json where
        they lie beside
    tfds:coco_captions, where TensorFlow Datasets has prepared it

A picture's captions are taken in the order of the file; a few pictures have
six or seven, of which the first five are kept. Its `labels` are all its
objects' categories, its `label` is the one that covers the largest area
(summed over objects, crowds too; of equals the one that is listed first), or
-1 if it has no object. Without instances_*.json there are no labels.
"""

import pathlib
import re

from absl import flags

from recipes import messages
from tools.preparing import attngan, coco_json, coco_plan, places, tfds, verb
from tools.preparing import plan as plans

PARTS = ("train", "val")
YEARS = (2014, 2017)
#: Pictures that AttnGAN's list of tests has of val2014.
ATTNGAN_TEST = 40_470
_NUMBERED = re.compile(r"COCO_(train|val)2014_([0-9]{12})")


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
    path = messages.existing("source", options.source)
    if not path.is_dir():
        raise ValueError(
            f"--source={options.source} is no folder; name the one that holds "
            "annotations/ and train2014/, or give tfds:coco_captions."
        )
    source = places.Tree(path, options.follow_links)
    if attngan.is_there(source):
        return _from_attngan(options, source)
    return _from_downloads(options, source)


def _from_downloads(options, source: places.Tree) -> plans.Plan:
    year = _year(options, source)
    answer = coco_plan.empty(options, year)
    found, categories = {}, {}
    for part in PARTS:
        path = coco_plan.listing(source, f"captions_{part}{year}.json")
        if path is None:
            answer.notes.append(
                f"captions_{part}{year}.json is missing: the set is without "
                f"the pictures of {part}{year}."
            )
            continue
        found[part] = coco_json.listed(path, options.encoding, answer.refused)
        name = f"{part}{year}"
        coco_plan.add_objects(
            options, source, name, found[part], categories, answer
        )
    classes = coco_json.Classes(categories, options.labels)
    coco_plan.set_classes(answer, classes.names)
    splits = {"train": "train", "val": options.val_as}
    keys, trees = set(), []
    for part, pictures in found.items():
        name = f"{part}{year}"
        tree = next(coco_plan.trees(source, [name], answer), None)
        if tree is None:
            answer.notes.append(
                f"{name}/ is missing: its {len(pictures):,} pictures are left "
                "out."
            )
            continue
        trees.append(tree)
        for picture in pictures.values():
            item = _item(name, tree, picture, classes, splits[part])
            coco_plan.add(answer, keys, f"{name}/{picture.name}", item)
    if not trees:
        raise coco_plan.no_pictures(
            options, f"train{year}/ nor val{year}/", answer
        )
    coco_plan.finish(answer, options)
    return answer


def _item(name, tree, picture, classes, split) -> plans.Item | plans.Refused:
    if not picture.captions:
        return plans.Refused("a picture without a caption")
    try:
        path = coco_plan.picture([tree], picture.name)
    except plans.Refused as error:
        return error
    stem = pathlib.PurePosixPath(picture.name).with_suffix("")
    label, labels = classes.of(picture.areas)
    captions = tuple(picture.captions)
    return plans.Item(f"{name}/{stem}", path, captions, split, label, labels)


def _from_attngan(options, source: places.Tree) -> plans.Plan:
    answer = coco_plan.empty(options, 2014)
    answer.notes.append("The layout is AttnGAN's; its splits are kept.")
    del answer.known["captions"]  # Other ones than in the downloads.
    answer.known[options.val_as] = ATTNGAN_TEST
    answer.known["pictures"] = answer.known["train"] + ATTNGAN_TEST
    table, rows, texts = None, {}, None
    try:
        table = attngan.table(source)
    except plans.Refused as error:
        coco_plan.refuse(answer, attngan.TABLE, error)
    try:
        texts = source.below("text")
    except plans.Refused as error:
        coco_plan.refuse(answer, "text", error)
    attngan.take_vocabulary(table, answer)
    for part in attngan.PARTS:
        try:
            rows[part] = attngan.keys(source, part)
        except plans.Refused as error:
            coco_plan.refuse(answer, f"{part}/filenames.pickle", error)
    labels = _labels(options, source, rows, answer)
    trees = list(coco_plan.trees(source, ["train2014", "val2014"], answer))
    if not trees:
        raise coco_plan.no_pictures(options, "train2014/ nor val2014/", answer)
    splits = {"train": "train", "test": options.val_as}
    seen = set()
    for part, listed_keys in rows.items():
        for row, key in enumerate(listed_keys):
            try:
                said = attngan.texts(texts, key, options.encoding)
                if not said and table:
                    said = table.of(part, row, len(listed_keys))
                path = coco_plan.picture(trees, f"{key}.jpg")
            except plans.Refused as error:
                item = error
            else:
                label = labels.get(key, (-1, ()))
                item = plans.Item(key, path, said, splits[part], *label)
                if not said:
                    item = plans.Refused("a picture without a caption")
            coco_plan.add(answer, seen, f"images/{key}.jpg", item)
    coco_plan.finish(answer, options)
    return answer


def _labels(options, source, rows, answer) -> dict[str, tuple]:
    """Finds each picture's label and labels, by its key."""
    there = [f"{part}2014" for part in PARTS]
    if not any(
        coco_plan.listing(source, f"instances_{name}.json") for name in there
    ):
        return _class_numbers(source, rows, answer)
    found, categories = {}, {}
    for key in (key for keys in rows.values() for key in keys):
        number = _NUMBERED.fullmatch(key.rpartition("/")[2])
        if number:
            found[int(number[2])] = coco_json.Picture(key)
    for name in there:
        coco_plan.add_objects(
            options, source, name, found, categories, answer, has_all=False
        )
    classes = coco_json.Classes(categories, options.labels)
    coco_plan.set_classes(answer, classes.names)
    return {each.name: classes.of(each.areas) for each in found.values()}


def _class_numbers(source, rows, answer) -> dict[str, tuple]:
    """Numbers the classes from 0; none where each picture is its own."""
    numbers = {}
    for part, keys in rows.items():
        try:
            found = attngan.classes(source, part, len(keys))
        except plans.Refused as error:
            coco_plan.refuse(answer, f"{part}/class_info.pickle", error)
            found = None
        numbers |= zip(keys, found or (), strict=bool(found))
    pictures = len({key for keys in rows.values() for key in keys})
    if len(numbers) < pictures or len(set(numbers.values())) in (0, pictures):
        answer.known.pop("classes", None)
        answer.notes.append(
            "The source has no classes for its pictures: there are no labels."
        )
        return {}
    ordered = sorted(set(numbers.values()))
    order = {number: label for label, number in enumerate(ordered)}
    answer.class_names = tuple(f"class {number}" for number in ordered)
    return {key: (order[number], ()) for key, number in numbers.items()}


def _from_tfds(options) -> plans.Plan:
    if options.labels == "supercategory":
        raise ValueError(
            "--labels=supercategory needs instances_*.json of the downloads; "
            "TFDS's coco_captions has categories only."
        )
    found = tfds.builder(options.source)
    answer = coco_plan.empty(options, 2014)
    answer.notes.append(
        f"Read by TFDS {found.info.full_name}; its restval, val and test are "
        "COCO's val2014."
    )
    names = found.info.features["objects"]["label"].names
    classes = coco_json.Classes(
        {i: (n, n) for i, n in enumerate(names)}, "category"
    )
    coco_plan.set_classes(answer, classes.names)
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
            coco_plan.add(answer, keys, f"{split}[{row}]", item)
    coco_plan.finish(answer, options)
    return answer


def _tfds_item(
    row, value, pictures, classes, split
) -> plans.Item | plans.Refused:
    captions = tuple(places.decoded(t) for t in value["captions"]["text"])
    if not captions:
        return plans.Refused("a picture without a caption")
    areas = {}
    objects = value["objects"]
    for number, area in zip(objects["label"], objects["area"], strict=True):
        areas[int(number)] = areas.get(int(number), 0.0) + float(area)
    label, labels = classes.of(areas)
    name = value["image/filename"].decode()
    stem = pathlib.PurePosixPath(name).stem
    part = "train2014" if "train" in name else "val2014"
    picture = pictures.picture(row, name)
    key = f"{part}/{stem}"
    return plans.Item(key, picture, captions, split, label, labels)


def _year(options, source: places.Tree) -> int:
    found = [
        year
        for year in YEARS
        if any(
            coco_plan.listing(source, f"captions_{p}{year}.json") for p in PARTS
        )
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
