r"""Turns the Oxford-102 flowers into a prepared set.

    python -m tools.prepare_flowers --source=flowers \
        --captions_from=flowers_icml --out=data/flowers --size=304

--source is one of
    the folder that holds jpg/ (of 102flowers.tgz), imagelabels.mat and
        setid.mat; without imagelabels.mat, Reed's class folders tell the
        classes
    flowers.hdf5, as aelnouby's text-to-image code takes it
The captions lie in text_c10/class_00001/image_00001.txt (Reed et al. 2016),
ten a picture. They are looked for in --captions_from, or else in --source and
beside it, and so are the lists of a split:
    reed      trainvalclasses.txt (or trainclasses.txt and valclasses.txt),
              testclasses.txt: 82 classes to learn from, 20 others for tests
    reed_val  the same, with Reed's 20 classes for validation apart
    attngan   train/filenames.pickle, test/filenames.pickle (StackGAN's too)
    official  setid.mat, whose tests show the classes of training
"""

import dataclasses
import pathlib
import re

from absl import flags

from tools.preparing import hdf5, places, reed, verb
from tools.preparing import plan as plans

SPLITS = ("auto", "reed", "reed_val", "attngan", "official")
KNOWN = {"pictures": 8_189, "classes": 102}
CAPTIONS = {"captions": 81_890, "captions_per_picture": 10}
#: Pictures of the splits.
PARTS = {
    "reed": {"train": 7_034, "test": 1_155},
    "reed_val": {"test": 1_155},
    "attngan": {"train": 7_034, "test": 1_155},
    "official": {"train": 1_020, "val": 1_020, "test": 6_149},
}
#: Arrays of setid.mat and their splits.
IDS = {"trnid": "train", "valid": "val", "tstid": "test"}
_MOST = 1_000_000  # numbers in an array
_ABOUT = (
    "Oxford-102 flowers (Nilsback and Zisserman 2008), captions by Reed et "
    "al. 2016; for research, pictures under their owners' licences"
)


@dataclasses.dataclass(frozen=True)
class _Found:
    """Where things lie: the tree, the folders around it, lists in them."""

    tree: pathlib.Path
    near: list[pathlib.Path]
    classes: list[str]
    lists: pathlib.Path | None
    attngan: pathlib.Path | None
    setid: pathlib.Path | None


def plan(options) -> plans.Plan:
    """Reads the listings of any of the sources.

    Args:
        options: the parsed flags: source, captions_from, split, encoding.

    Returns:
        The plan.

    Raises:
        ValueError: if something is missing; it says what, and where it should
            lie.
    """
    answer = plans.Plan("flowers", _ABOUT, [], known=dict(KNOWN))
    if options.source.lower().endswith(hdf5.ENDINGS):
        return _from_hdf5(options, answer)
    source = reed.existing("source", options.source)
    tree = _tree(source)
    near = reed.around(source, tree)
    if options.captions_from:
        near = reed.beneath(
            reed.existing("captions_from", options.captions_from)
        ) + [tree]
    every = [f"class_{number:05d}" for number in range(1, 103)]
    texts = reed.texts(near, every, options.encoding)
    if texts is None:
        raise ValueError(
            f"{near[0] / 'text_c10'} is missing: no captions were found; put "
            "Reed's text_c10/ there, or name its folder by --captions_from."
        )
    owners = _owners(source, tree, texts)
    every = sorted(set(owners.values()))
    answer.class_names = tuple(map(shown, every))
    found = _Found(
        tree=tree,
        near=near,
        classes=every,
        lists=reed.lists(near, every, options.encoding),
        attngan=reed.attngans(near, owners),
        setid=_file("setid.mat", source, tree),
    )
    way = _way(options, found)
    split = _split(way, found, owners, options, answer)
    reed.vocabulary(found.attngan, answer)
    answer.known |= CAPTIONS | PARTS[way]
    for name, owner in owners.items():
        try:
            item = plans.Item(
                key=f"{owner}/{name}",
                picture=places.inside(tree / "jpg", f"{name}.jpg"),
                captions=texts.of(f"{owner}/{name}"),
                split=split(name, owner),
                label=every.index(owner),
            )
            if item.picture.is_dir():
                raise plans.Refused("a folder in place of a picture")
        except plans.Refused as error:
            answer.refused.append((error.file or f"{name}.jpg", str(error)))
        else:
            answer.items.append(item)
    answer.refused += [
        (path.name, "a picture without a class")
        for path in sorted((tree / "jpg").glob("*.jpg"))
        if path.stem not in owners
    ]
    answer.refused += [
        (
            f"{texts.folder.name}/{name}",
            "captions of a picture that is not listed",
        )
        for name in texts.unused()
    ]
    return answer


def shown(name: str) -> str:
    """Makes a class folder's name readable.

    Args:
        name: such as "class_00001".

    Returns:
        Such as "flower class 1"; other names with spaces.
    """
    match = re.fullmatch(r"class_0*([0-9]+)", name)
    return f"flower class {match[1]}" if match else name.replace("_", " ")


def numbers(path: pathlib.Path, name: str) -> list[int]:
    """Reads an array of whole numbers from a .mat file.

    Args:
        path: the file, of MATLAB's version 4 to 7.
        name: of the array.

    Returns:
        Its numbers in MATLAB's order.

    Raises:
        plan.Refused: if there is no such array in it.
    """
    import scipy.io

    try:
        shapes = {n: shape for n, shape, _ in scipy.io.whosmat(path)}
    except Exception as error:  # The readers meet bad bytes in many ways.
        raise _unreadable(path, error) from None
    if name not in shapes:
        raise plans.Refused(f"a .mat file without the array {name!r}", path)
    count = 1
    for size in shapes[name]:
        count *= size
    if count > _MOST:
        raise plans.Refused(f"a .mat file whose {name!r} is too large", path)
    try:
        array = scipy.io.loadmat(path, variable_names=[name])[name]
    except Exception as error:
        raise _unreadable(path, error) from None
    found = array.ravel(order="F").tolist() if array.dtype.kind in "uif" else []
    if not found or not all(float(value).is_integer() for value in found):
        raise plans.Refused(
            f"a .mat file whose {name!r} is no row of whole numbers", path
        )
    return [int(value) for value in found]


def _unreadable(path, error) -> plans.Refused:
    return plans.Refused(
        f"a .mat file that can't be read ({str(error)[:100] or 'cut off'})",
        path,
    )


def _tree(source: pathlib.Path) -> pathlib.Path:
    for folder in reed.beneath(source):
        if (folder / "jpg").is_dir():
            return folder
    if source.name == "jpg":
        return source.parent
    raise ValueError(
        f"{source / 'jpg'} is missing; unpack 102flowers.tgz in {source}, or "
        "name the folder that holds jpg/ by --source."
    )


def _file(name: str, *folders: pathlib.Path) -> pathlib.Path | None:
    paths = [folder / name for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def _owners(source, tree, texts) -> dict[str, str]:
    """Finds each picture's class folder, by the picture's name."""
    path = _file("imagelabels.mat", source, tree)
    if path:
        return {
            f"image_{row:05d}": f"class_{number:05d}"
            for row, number in enumerate(numbers(path, "labels"), 1)
        }
    found = {}
    for name in texts.names():
        owner, _, rest = name.partition("/")
        found.setdefault(rest.removesuffix(".txt"), owner)
    return dict(sorted(found.items()))


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
            + (f"; also official, {found.setid}." if found.setid else ".")
        )
    return next(iter(there), "official")


def _split(way, found: _Found, owners, options, answer):
    """Returns a function of (picture's name, class folder) to the split."""
    if way == "official":
        return _official(found, owners, answer)
    if way == "attngan":
        return _listed(found, owners, answer)
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
    return lambda name, owner: _part(splits, owner, "Reed's lists")


def _official(found, owners, answer):
    if found.setid is None:
        raise ValueError(
            f"{found.tree / 'setid.mat'} is missing; put it there, or Reed's "
            "trainvalclasses.txt and testclasses.txt beside his captions."
        )
    answer.notes.append(
        "The split is setid.mat's: tests show the classes that were learnt "
        "from. Papers that draw flowers from captions part the classes, by "
        "Reed's lists."
    )
    splits = {}
    for array, split in IDS.items():
        for number in numbers(found.setid, array):
            name = f"image_{number:05d}"
            if splits.setdefault(name, split) != split or name not in owners:
                place = f"setid.mat:{array}"
                reason = f"the number {number}, unknown or listed twice"
                answer.refused.append((place, reason))
    return lambda name, owner: _part(splits, name, "setid.mat")


def _listed(found, owners, answer):
    if found.attngan is None:
        raise ValueError(
            f"{found.near[0] / 'train/filenames.pickle'} is missing; --split="
            "attngan needs train/ and test/ with filenames.pickle there."
        )
    splits = {}
    for key, split in reed.picture_splits(
        found.attngan, answer.refused
    ).items():
        name = key.rpartition("/")[2]
        splits.setdefault(name, split)
        if name not in owners:
            reason = f"listed in {split}/filenames.pickle, but unknown"
            answer.refused.append((key, reason))
    return lambda name, owner: _part(splits, name, "filenames.pickle")


def _part(splits, key, where) -> str:
    if key not in splits:
        raise plans.Refused(f"in no part of {where}")
    return splits[key]


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
    return answer


if __name__ == "__main__":
    verb.define("The folder that holds jpg/ and imagelabels.mat, or an HDF5.")
    flags.DEFINE_string(
        "captions_from",
        None,
        "The folder that holds text_c10/ and the lists of the split; usually "
        "found in --source.",
    )
    flags.DEFINE_enum(
        "split", "auto", SPLITS, "Which lists part the set; see above."
    )
    verb.run(plan)
