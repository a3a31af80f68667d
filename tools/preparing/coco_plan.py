"""The plan of COCO's set in the making, from whichever layout it is read."""

import pathlib
from collections.abc import Iterable

from tools.preparing import coco_json, places
from tools.preparing import plan as plans

CAPTIONS = 5
#: Pictures of train and val, captions of both (with sixth and seventh ones).
KNOWN = {2014: (82_783, 40_504, 616_767), 2017: (118_287, 5_000, 616_767)}
_ABOUT = (
    "MS-COCO {} (Lin et al. 2014, and Chen et al. 2015 for the captions); "
    "annotations CC BY 4.0, pictures from Flickr under their owners' licences"
)


def empty(options, year: int) -> plans.Plan:
    """Begins a plan.

    Args:
        options: the parsed flags: labels, val_as.
        year: 2014 or 2017.

    Returns:
        A plan without pictures.
    """
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


def set_classes(answer: plans.Plan, names: tuple[str, ...]):
    """Names the classes; without any, pictures have no labels.

    Args:
        answer: the plan.
        names: by label.
    """
    answer.class_names = names
    answer.multi_label = bool(names)
    if not names:
        del answer.known["classes"]


def add(
    answer: plans.Plan, keys: set, name: str, item: plans.Item | plans.Refused
):
    """Takes an item, or the reason why there is none.

    Args:
        answer: the plan.
        keys: of the items so far; takes the item's.
        name: of the picture, for reports.
        item: or why it is left out.
    """
    if isinstance(item, plans.Item) and item.key in keys:
        item = plans.Refused("a name that comes twice (but for its ending)")
    if isinstance(item, plans.Refused):
        refuse(answer, name, item)
        return
    keys.add(item.key)
    answer.items.append(item)


def refuse(answer: plans.Plan, name: str, error: plans.Refused):
    """Names a file that is left out, or the link that leads to it.

    Args:
        answer: the plan.
        name: of the file.
        error: says why.
    """
    answer.refused.append(places.told(name, error))


def finish(answer: plans.Plan, options):
    """Ends a plan: each refusal once, and a note on labels.

    Args:
        answer: the plan.
        options: the parsed flags: labels.
    """
    answer.refused = list(dict.fromkeys(answer.refused))
    if answer.multi_label:
        bare = sum(item.label < 0 for item in answer.items)
        answer.notes.append(
            f"label is the {options.labels} that covers the largest area of a "
            f"picture; {bare:,} pictures without objects have -1."
        )


def listing(source: places.Tree, name: str) -> pathlib.Path | None:
    """Finds a listing, in annotations/ or beside it.

    Args:
        source: what --source names.
        name: the file's.

    Returns:
        Its path, or None.

    Raises:
        plan.Refused: if it is a link that is not followed.
    """
    beneath = source.below("annotations")
    return (beneath and beneath.file(name)) or source.file(name)


def add_objects(options, source, name, pictures, categories, answer, **more):
    """Reads instances_*.json, or notes that it is missing.

    Args:
        options: the parsed flags: encoding.
        source: what --source names.
        name: such as "train2014".
        pictures: by their number; their areas are filled.
        categories: take each category's names by its number.
        answer: the plan; takes refusals and the note.
        **more: for `coco_json.add_objects`.

    Raises:
        ValueError: if the file is no such listing.
    """
    path = listing(source, f"instances_{name}.json")
    if path is None:
        answer.notes.append(
            f"instances_{name}.json is missing: the pictures of {name} have "
            "no labels."
        )
        return
    refused = answer.refused
    coco_json.add_objects(
        path, options.encoding, pictures, categories, refused, **more
    )


def trees(
    source: places.Tree, names: Iterable[str], answer: plans.Plan
) -> Iterable[places.Tree]:
    """Yields the folders that may hold pictures.

    Args:
        source: what --source names.
        names: of the parts' own folders.
        answer: the plan; takes links that are not followed.

    Yields:
        Those that are there: in the source, in its images/, images/ itself.
    """
    for name in [*names, *(f"images/{n}" for n in names), "images"]:
        try:
            if tree := source.below(name):
                yield tree
        except plans.Refused as error:
            refuse(answer, name, error)


def picture(trees: list[places.Tree], name: str) -> pathlib.Path:
    """Finds a picture in the first folder that has it.

    Args:
        trees: the folders.
        name: the picture's in them.

    Returns:
        Its path.

    Raises:
        plan.Refused: if it is missing, a folder, or would lead out of all.
    """
    for tree in trees:
        try:
            path = tree.inside(name)
            break
        except plans.Refused as error:
            if str(error) != "a missing file" or tree is trees[-1]:
                raise
    if path.is_dir():
        raise plans.Refused("a folder in place of a picture")
    return path


def no_pictures(options, names: str, answer: plans.Plan) -> ValueError:
    """Says that no folder of pictures is there.

    Args:
        options: the parsed flags: source.
        names: the parts' own folders, as said in the sentence.
        answer: the plan; a link that it refused may be the reason.

    Returns:
        What to raise.
    """
    links = [file for file, why in answer.refused if why == places.LINK]
    hint = f" {links[0]} is {places.LINK}." if links else ""
    return ValueError(
        f"--source={options.source} has neither {names} nor images/; unpack "
        f"the pictures there.{hint}"
    )
