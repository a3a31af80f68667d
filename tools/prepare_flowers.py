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
beside it; the lists of a split also beside text_c10/:
    reed      trainvalclasses.txt (or trainclasses.txt and valclasses.txt),
              testclasses.txt: 82 classes to learn from, 20 others for tests
    reed_val  the same, with Reed's 20 classes for validation apart
    attngan   train/filenames.pickle, test/filenames.pickle (StackGAN's too)
    official  setid.mat, whose tests show the classes of training; never taken
              unasked
"""

import pathlib
import re

from absl import flags

from tools.preparing import hdf5, places, reed, reed_texts, verb
from tools.preparing import plan as plans

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
        reed.from_hdf5(options, answer, shown, PARTS)
        return answer
    source = reed.folder("source", options.source, options.follow_links)
    if source.path.name == "jpg" and not source.below("jpg"):
        source = places.Tree(source.path.parent, options.follow_links)
    tree = _tree(source)
    near = reed.around(options, source, tree, answer.refused)
    every = [f"class_{number:05d}" for number in range(1, 103)]
    texts = reed_texts.find(near, every, options.encoding)
    if texts is None:
        raise ValueError(
            f"{near[0].path / 'text_c10'} is missing: no captions were found; "
            "put Reed's text_c10/ there, or name its folder by --captions_from."
        )
    owners = _owners(source, tree, texts)
    every = sorted(set(owners.values()))
    answer.class_names = tuple(map(shown, every))
    found = reed.Found.of(tree, near, every, texts, owners, options.encoding)
    setid = _file("setid.mat", source, tree)
    way = found.way(options.split, setid)
    split = _split(way, found, setid, owners, options, answer)
    reed.vocabulary(found.attngan, answer)
    answer.known |= CAPTIONS | PARTS[way]
    pictures = tree.below("jpg")

    def item(name, owner):
        return plans.Item(
            key=f"{owner}/{name}",
            picture=pictures.inside(f"{name}.jpg"),
            captions=texts.of(f"{owner}/{name}"),
            split=split(name, owner),
            label=every.index(owner),
        )

    for name, owner in owners.items():
        reed.add(answer, f"{name}.jpg", lambda n=name, o=owner: item(n, o))
    answer.refused += [
        (path.name, "a picture without a class")
        for path in sorted(pictures.path.glob("*.jpg"))
        if path.stem not in owners
    ]
    keys = (f"{owner}/{name}" for name, owner in owners.items())
    texts.tell_others(keys, answer.refused)
    answer.refused = list(dict.fromkeys(answer.refused))
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


def _tree(source: places.Tree) -> places.Tree:
    for tree in reed.beneath(source, []):
        if tree.below("jpg"):
            return tree
    raise ValueError(
        f"{source.path / 'jpg'} is missing; unpack 102flowers.tgz in "
        f"{source.path}, or name the folder that holds jpg/ by --source."
    )


def _file(name: str, *trees: places.Tree) -> pathlib.Path | None:
    return next(filter(None, (tree.file(name) for tree in trees)), None)


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


def _split(way, found: reed.Found, setid, owners, options, answer):
    """Returns a function of (picture's name, class folder) to the split."""
    if way == "official":
        splits = _official(setid, found.tree.path, owners, answer)
        return lambda name, owner: reed.part(splits, name, "setid.mat")
    if way == "attngan":
        splits = _listed(found, owners, answer)
        return lambda name, owner: reed.part(splits, name, "filenames.pickle")
    by_class = found.by_class(way, options, answer.refused)
    return lambda name, owner: by_class(owner)


def _official(setid, folder, owners, answer) -> dict[str, str]:
    if setid is None:
        raise ValueError(
            f"{folder / 'setid.mat'} is missing; put it there, or Reed's "
            "trainvalclasses.txt and testclasses.txt beside his captions."
        )
    answer.notes.append(
        "The split is setid.mat's: tests show the classes that were learnt "
        "from. Papers that draw flowers from captions part the classes, by "
        "Reed's lists."
    )
    splits = {}
    for array, split in IDS.items():
        for number in numbers(setid, array):
            name = f"image_{number:05d}"
            if splits.setdefault(name, split) != split or name not in owners:
                place = f"setid.mat:{array}"
                reason = f"the number {number}, unknown or listed twice"
                answer.refused.append((place, reason))
    return splits


def _listed(found, owners, answer) -> dict[str, str]:
    splits = {}
    for key, split in found.by_picture(answer.refused).items():
        name = key.rpartition("/")[2]
        splits.setdefault(name, split)
        if name not in owners:
            reason = f"listed in {split}/filenames.pickle, but unknown"
            answer.refused.append((key, reason))
    return splits


if __name__ == "__main__":
    verb.define("The folder that holds jpg/ and imagelabels.mat, or an HDF5.")
    flags.DEFINE_string(
        "captions_from",
        None,
        "The folder that holds text_c10/ and the lists of the split; usually "
        "found in --source.",
    )
    flags.DEFINE_enum(
        "split", "auto", reed.SPLITS, "Which lists part the set; see above."
    )
    verb.run(plan)
