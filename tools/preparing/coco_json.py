"""Reads COCO's listings: captions_*.json and instances_*.json."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterable

from tools.preparing import places, plan

_LARGEST = 1e15  # pixels; larger areas are mistakes
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
    has_all: bool = True,
):
    """Reads instances_*.json.

    Args:
        path: the file.
        encoding: of a file without a byte order mark.
        pictures: from `listed`; their areas are filled.
        categories: take each category's names by its number.
        refused: takes (place, reason) of what is left out.
        has_all: whether the file should name no other pictures.

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
            reason = "an object of a picture that isn't listed"
            refused += [(place, reason)] * has_all
        elif not _is_number(category) or category not in categories:
            refused.append((place, "an object of an unknown category"))
        elif not _is_area(entry.get("area")):
            refused.append((place, "an object without a usable area"))
        else:
            areas = pictures[number].areas
            areas[category] = areas.get(category, 0.0) + entry["area"]


def _json(path: pathlib.Path, encoding: str, lists: Iterable[str]) -> dict:
    try:
        value = places.json_value(path, encoding, _thinned)
    except plan.Refused as error:
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
    return is_number and 0 <= value <= _LARGEST
