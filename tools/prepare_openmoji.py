r"""Prepares OpenMoji: icons with captions composed of names and colours.

    npm pack openmoji@17.0.0
    python -m tools.prepare_openmoji --source=openmoji-17.0.0.tgz \
        --size=128 --out=data/openmoji_128

Each icon is drawn on white and gets five captions: its name, three sentences
around the name with tags and with the colours that were measured in the
picture. Its class is OpenMoji's group, or subgroup by --labels=subgroups. The
same package gives the same bytes every time; captions and the split into train
and test do not depend on --size.

With --npz=openmoji_128.npz in place of --out all is written into one file,
which `keras_t2i.data.openmoji.load(path="openmoji_128.npz", image_size=128)`
opens; the one that comes with the library was made so.

The pictures are licensed CC BY-SA 4.0 by the OpenMoji project: whoever passes
them on names it and keeps that licence.
"""

import collections
import csv
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import pathlib
import re
import tarfile
import zipfile

import numpy as np
from absl import flags

from keras_t2i.data import captions, openmoji
from keras_t2i.ops import files, palette
from recipes import messages
from tools.preparing import plan as plans
from tools.preparing import verb

ATTRIBUTION = (
    "All emojis designed by OpenMoji - the open-source emoji and icon "
    "project (https://openmoji.org). License: CC BY-SA 4.0 "
    "(https://creativecommons.org/licenses/by-sa/4.0/)"
)
MEASURED = 128  # px; colours and twins are judged at this size whatever --size
COLOUR_SHARE = 0.12  # of an icon's area, above which its captions name it
TWIN_DISTANCE = 10.0  # grey levels, root mean square at 32 px
TEST_SHARE = 0.1
USUAL_SIZE = 64
LABELS = ("groups", "subgroups")

# What emoji sequences add to a base: joiner, emoji style, genders, skin.
_MODIFIERS = {0x200D, 0xFE0F, 0x2640, 0x2642, *range(0x1F3FB, 0x1F400)}
_RIGHT = 0x27A1  # "facing right", in sequences
_PERSON = 0x1F9D1
_PEOPLE = {
    *range(0x1F466, 0x1F46A),  # boy, girl, man, woman
    *(0x1F474, 0x1F475),  # old man, old woman
    *(_PERSON, 0x1F9D2, 0x1F9D3),  # adult, child, older adult
}
_PEOPLE_WORDS = frozenset(
    "man men woman women person people boy girl child old older male "
    "female".split()
)
_REFUSED_GROUPS = {
    "flags": "a flag",
    "component": "a component, not a picture",
}
_REFUSED_SUBGROUPS = {
    "brand": "a brand's logo (trademark)",
    "flags": "a flag",
    "subdivision-flag": "a flag",
    "regional-indicator": "a regional indicator letter",
}


@dataclasses.dataclass
class Icon:
    """Holds one accepted icon."""

    row: dict
    name: str
    measured: np.ndarray  # (128, 128, 4) uint8, colours not premultiplied
    family: str = ""


def read_package(source: str) -> tuple[list[dict], dict[str, str], str]:
    """Reads the table and the colour drawings of the npm package.

    Args:
        source: the .tgz that `npm pack` leaves, or the folder it unpacks to.

    Returns:
        Rows of data/openmoji.csv; SVG texts by hexcode; the package's version.

    Raises:
        ValueError: if the source or one of its two parts is missing.
    """
    path = pathlib.Path(source)
    if path.is_dir():
        found = dict(_folder(path))
    elif path.is_file() and tarfile.is_tarfile(path):
        found = dict(_archive(path))
    else:
        raise ValueError(
            f"--source={source} is neither a folder nor a .tgz; get one with: "
            "npm pack openmoji@17.0.0"
        )
    svgs = {
        pathlib.PurePosixPath(name).stem: data.decode("utf-8")
        for name, data in found.items()
        if name.startswith("color/svg/")
    }
    if "data/openmoji.csv" not in found or not svgs:
        raise ValueError(
            f"--source={source} holds no data/openmoji.csv with color/svg/; "
            "it must be the npm package openmoji, unpacked or not."
        )
    table = found["data/openmoji.csv"].decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    about = json.loads(found.get("package.json", b"{}"))
    return rows, svgs, about.get("version", "unknown")


def refusal(row: dict) -> str | None:
    """Says why an icon stays out, judged by its row alone.

    Args:
        row: of data/openmoji.csv.

    Returns:
        The reason in a few words, or None.
    """
    if row["skintone"]:
        return "a skin-tone variant"
    if "combining" in row["annotation"].lower():
        return "a combining mark"
    return _REFUSED_GROUPS.get(row["group"]) or _REFUSED_SUBGROUPS.get(
        row["subgroups"]
    )


def render(svg: str, size: int) -> np.ndarray:
    """Draws an SVG without background.

    Args:
        svg: its text.
        size: pixels a side.

    Returns:
        (size, size, 4) uint8: red, green, blue and opacity.

    Raises:
        ValueError: if the text is no SVG or not square.
    """
    import resvg_py
    from PIL import Image

    drawn = resvg_py.svg_to_bytes(
        svg_string=svg, width=size, height=size, skip_system_fonts=True
    )
    pixels = np.asarray(Image.open(io.BytesIO(bytes(drawn))).convert("RGBA"))
    if pixels.shape != (size, size, 4):
        raise ValueError(f"it is not square: drawn {pixels.shape[:2]}")
    return pixels


def on_white(pixels: np.ndarray) -> np.ndarray:
    """Puts transparent pictures on a white ground.

    Args:
        pixels: (..., 4) uint8 from `render`.

    Returns:
        (..., 3) uint8.
    """
    opacity = pixels[..., 3:].astype(np.float32) / 255.0
    mixed = pixels[..., :3] * opacity + 255.0 * (1.0 - opacity)
    return np.rint(mixed).astype(np.uint8)


def colours(pixels: np.ndarray) -> list[str]:
    """Names the one or two colours that a person would name.

    Args:
        pixels: (H, W, 4) uint8 from `render`.

    Returns:
        At most two of `palette.NAMES`, the larger first; each covers over 12 %
        of the opaque area. Black (lines) and skin are never named.
    """
    counts = palette.names_of(pixels[..., :3], pixels[..., 3] >= 128)
    shares = counts / max(1, counts.sum())
    order = np.argsort(-shares, kind="stable")
    large = [palette.NAMES[i] for i in order if shares[i] > COLOUR_SHARE]
    return [name for name in large if name not in ("black", "skin")][:2]


def tags(row: dict, name: str) -> list[str]:
    """Lists an icon's tags, each once; OpenMoji's own first.

    Args:
        row: of data/openmoji.csv.
        name: the icon's name; a tag equal to it or to a word of it is left
            out, and so is one without letters.

    Returns:
        Clean tags, perhaps none.
    """
    listed = f"{row['openmoji_tags']},{row['tags']}".split(",")
    known = {name.lower(), *words(name)}
    answer = []
    for tag in listed:
        tag = " ".join(tag.split())
        if words(tag) and tag.lower() not in known:
            known.add(tag.lower())
            answer.append(tag)
    return answer


def five_captions(
    name: str, kind: str, tags: list[str], colours: list[str]
) -> tuple[str, ...]:
    """Writes the captions of one icon.

    Args:
        name: the icon's name.
        kind: what sort of thing it is; takes the place of missing tags.
        tags: any number.
        colours: up to two; one that the name says already is not repeated.

    Returns:
        Five captions, never empty.
    """
    fresh = [colour for colour in colours if colour not in words(name)]
    colour = " and ".join(fresh)
    fourth = tags[3] if len(tags) > 3 else kind
    texts = (
        name,
        f"an icon of {name}",
        f"a drawing of {name} in {colour}" if fresh else f"a drawing of {name}",
        ", ".join([name, *(tags[:3] or [kind])]),
        f"{colour} {name}, {fourth}",
    )
    return tuple(captions.clean(text) for text in texts)


def words(text: str) -> list[str]:
    """Splits into lower-case words of letters and digits."""
    return re.findall(r"[^\W_]+", text.lower())


def base(hexcode: str) -> str:
    """Finds the base code point of an emoji sequence.

    Joiners, styles, skin and genders are left out; man, woman, child and so
    on count as "person". A person's base is taken with what follows (the
    farmer's ear of rice), as all of them begin alike.

    Args:
        hexcode: such as "1F469-1F3FB-200D-1F33E".

    Returns:
        Such as "1F9D1-1F33E".
    """
    points = [int(part, 16) for part in hexcode.split("-")]
    kept = [point for point in points if point not in _MODIFIERS] or points
    kept = [_PERSON if point in _PEOPLE else point for point in kept]
    rest = [point for point in kept[1:] if point != _RIGHT]
    kept = kept[:1] + (rest[:1] if kept[0] == _PERSON else [])
    return "-".join(f"{point:04X}" for point in kept)


def name_family(icons: list[Icon]) -> None:
    """Gives variants of one icon the same family name.

    Two icons are variants when they share the base code point, or the name
    apart from words for people, or when their drawings are nearly the same;
    and whatever is a variant of a variant.

    Args:
        icons: all of the set; their `family` is filled in with the smallest
            base of the family.
    """
    parent = list(range(len(icons)))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    first = {}
    pairs = [tuple(pair) for pair in _look_alikes(icons)]
    for i, icon in enumerate(icons):
        rest = [w for w in words(icon.name) if w not in _PEOPLE_WORDS]
        for trait in (("base", base(icon.row["hexcode"])), ("name", *rest)):
            if trait != ("name",):
                pairs.append((first.setdefault(trait, i), i))
    for i, j in pairs:
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    members = collections.defaultdict(list)
    for i, icon in enumerate(icons):
        members[root(i)].append(base(icon.row["hexcode"]))
    for i, icon in enumerate(icons):
        icon.family = min(members[root(i)])


def is_test(family: str) -> bool:
    """Draws the part a family belongs to, by a hash of its name alone.

    Args:
        family: from `name_family`.

    Returns:
        True for about one family of ten.
    """
    hashed = hashlib.sha256(f"openmoji split: {family}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") < TEST_SHARE * 2**64


def collect(rows: list[dict], svgs: dict[str, str], bar=iter):
    """Draws every icon that is not refused.

    Args:
        rows: of data/openmoji.csv.
        svgs: SVG texts by hexcode.
        bar: wraps the rows to show progress.

    Returns:
        The accepted `Icon`s in the order of the rows, and a list of
        (reason, hexcode, name) for the others.
    """
    icons, refused, seen = [], [], {}
    for row in bar(rows):
        reason = refusal(row)
        if reason is None:
            icon, reason = _draw(row, svgs, seen)
        if reason is None:
            icons.append(icon)
        else:
            refused.append((reason, row["hexcode"], row["annotation"]))
    return icons, refused


def build(icons: list[Icon], svgs: dict[str, str], size: int, version: str):
    """Makes the arrays of the set.

    Args:
        icons: from `collect`; at least one.
        svgs: SVG texts by hexcode.
        size: pixels a side of the stored pictures.
        version: of the npm package, for the card.

    Returns:
        Dictionary of arrays; see `keras_t2i.data.openmoji.arrays`. `meta` is
        JSON.
    """
    images = [on_white(render(svgs[i.row["hexcode"]], size)) for i in icons]
    return {"images": np.stack(images), **described(icons, size, version)}


def described(icons: list[Icon], size: int, version: str) -> dict:
    """Tells all of the icons but their pictures.

    Args:
        icons: from `collect`; at least one.
        size: pixels a side of the pictures, for the card.
        version: of the npm package, for the card.

    Returns:
        Dictionary of arrays as of `build`, without images.
    """
    name_family(icons)
    found = [colours(icon.measured) for icon in icons]
    tagged = [tags(icon.row, icon.name) for icon in icons]
    kinds = [icon.row["subgroups"].replace("-", " ") for icon in icons]
    names = [icon.name for icon in icons]
    texts = list(map(five_captions, names, kinds, tagged, found))
    families = [icon.family for icon in icons]
    part = np.array([is_test(family) for family in families])
    groups, group_names = _numbered([icon.row["group"] for icon in icons])
    subs, sub_names = _numbered(
        [f"{icon.row['group']}/{icon.row['subgroups']}" for icon in icons]
    )
    meta = {
        "name": "openmoji",
        "source": f"npm openmoji {version}",
        "renderer": f"resvg-py {importlib.metadata.version('resvg-py')}",
        "licence": "CC BY-SA 4.0",
        "attribution": ATTRIBUTION,
        "changes": f"drawn on white at {size} px; captions composed of names, "
        "tags and measured colours",
        "pictures": len(icons),
        "train": int((~part).sum()),
        "test": int(part.sum()),
    }
    return {
        "captions": np.array(texts),
        "labels": groups,
        "sublabels": subs,
        "group_names": group_names,
        "subgroup_names": sub_names,
        "hexcodes": np.array([icon.row["hexcode"] for icon in icons]),
        "names": np.array(names),
        "tags": np.array(["|".join(row) for row in tagged]),
        "colours": np.array(["|".join(row) for row in found]),
        "families": np.array(families),
        "is_test": part,
        "meta": np.array(json.dumps(meta, sort_keys=True)),
    }


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Packs arrays so that equal arrays give equal bytes.

    Args:
        arrays: name -> plain array (no objects).

    Returns:
        The content of an .npz file.
    """
    answer = io.BytesIO()
    with zipfile.ZipFile(answer, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(entry, content.getvalue(), compresslevel=9)
    return answer.getvalue()


def summary(arrays: dict, refused: list[tuple], out: str, size: int) -> str:
    """Says what was built and what was left out.

    Args:
        arrays: from `build`.
        refused: from `collect`.
        out: the written file.
        size: its bytes.

    Returns:
        Several lines.
    """
    texts = arrays["captions"].ravel().tolist()
    counts = [words(text) for text in texts]
    often = collections.Counter(word for row in counts for word in row)
    test = int(arrays["is_test"].sum())
    total = len(arrays["images"])
    lines = [
        f"Wrote {out}: {size / 1e6:.2f} MB",
        f"  pictures    {total:,} of {arrays['images'].shape[1]} px: "
        f"{total - test:,} train, {test:,} test, "
        f"{len(set(arrays['families'].tolist())):,} families",
        f"  captions    {len(texts):,}, {len(set(texts)):,} distinct, "
        f"{np.mean([len(row) for row in counts]):.1f} words each, "
        f"{max(map(len, counts))} at most",
        f"  vocabulary  {len(often):,} words, "
        f"{sum(n >= 5 for n in often.values()):,} used five times or more",
        f"  labels      {len(arrays['group_names'])} groups, "
        f"{len(arrays['subgroup_names'])} subgroups",
        f"  refused     {len(refused):,}",
    ]
    reasons = collections.Counter(reason for reason, _, _ in refused)
    lines += [f"    {count:6,}  {why}" for why, count in reasons.most_common()]
    return "\n".join(lines)


def _folder(path):
    root = _root(path)
    wanted = [root / "package.json", root / "data" / "openmoji.csv"]
    for file in [*wanted, *sorted(root.glob("color/svg/*.svg"))]:
        if file.is_file():
            yield file.relative_to(root).as_posix(), file.read_bytes()


def _root(path):
    return path / "package" if (path / "package").is_dir() else path


def _archive(path):
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name.partition("/")[2]
            wanted = name in ("package.json", "data/openmoji.csv")
            if member.isfile() and (
                wanted or re.fullmatch(r"color/svg/[^/]+\.svg", name)
            ):
                yield name, archive.extractfile(member).read()


def _draw(row, svgs, seen):
    """Returns (icon, None), or (None, why not)."""
    if row["hexcode"] not in svgs:
        return None, "no drawing in color/svg"
    try:
        name = captions.clean(row["annotation"])
    except ValueError:
        return None, "no usable name"
    try:
        pixels = render(svgs[row["hexcode"]], MEASURED)
    except ValueError:
        return None, "a drawing that cannot be read"
    if not pixels[..., 3].any():
        return None, "an empty drawing"
    if seen.setdefault(on_white(pixels).tobytes(), row) is not row:
        return None, "the same picture as an earlier one"
    return Icon(row, name, pixels), None


def _look_alikes(icons):
    """Pairs of icons whose drawings differ by less than TWIN_DISTANCE."""
    cell = MEASURED // 32
    small = np.stack([on_white(icon.measured) for icon in icons])
    small = small.reshape(len(icons), 32, cell, 32, cell, 3)
    flat = small.mean((2, 4), dtype=np.float32).reshape(len(icons), -1)
    square = (flat**2).sum(1)
    apart = square[:, None] + square - 2.0 * flat @ flat.T
    near = apart < TWIN_DISTANCE**2 * flat.shape[1]
    return np.argwhere(np.triu(near, 1)).tolist()


def _numbered(values):
    names, numbers = np.unique(np.array(values), return_inverse=True)
    return numbers.astype(np.int16), names


def plan(options) -> plans.Plan:
    """Draws the icons once, to name their colours and to find twins.

    Args:
        options: the flags: source, size and labels.

    Returns:
        The plan; pictures are drawn again, in their size, when asked for.

    Raises:
        ValueError: if the source is not usable.
    """
    size = options.size or USUAL_SIZE
    icons, refused, svgs, version = _icons(options)
    arrays = described(icons, size, version)
    numbers, names = {
        "groups": ("labels", "group_names"),
        "subgroups": ("sublabels", "subgroup_names"),
    }[options.labels]
    rows = zip(
        arrays["hexcodes"].tolist(),
        arrays["captions"].tolist(),
        arrays["is_test"].tolist(),
        arrays[numbers].tolist(),
        strict=True,
    )
    items = [
        plans.Item(
            code,
            plans.Bytes(
                f"color/svg/{code}.svg",
                lambda svg=svgs[code]: png(on_white(render(svg, size))),
                _file(options.source, code),
            ),
            tuple(texts),
            "test" if is_in_test else "train",
            label,
        )
        for code, texts, is_in_test, label in rows
    ]
    return plans.Plan(
        name="openmoji",
        about=f"OpenMoji {version}. {ATTRIBUTION}",
        items=items,
        class_names=tuple(arrays[names].tolist()),
        refused=[(f"{code} {name}", reason) for reason, code, name in refused],
        known=_known(version, options.labels),
        notes=[
            "Captions are composed of names, tags and measured colours; "
            "variants of one icon lie in the same part."
        ],
        captions_per_picture=5,
    )


def png(pixels: np.ndarray) -> bytes:
    """Encodes a picture.

    Args:
        pixels: (H, W, 3) uint8.

    Returns:
        PNG bytes.
    """
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write_npz(options) -> None:
    """Writes the set into one file.

    Args:
        options: the flags.

    Raises:
        ValueError: if the source is not usable.
        OSError: if the result cannot be written.
    """
    icons, refused, svgs, version = _icons(options)
    arrays = build(icons, svgs, options.size or USUAL_SIZE, version)
    data = npz_bytes(arrays)
    files.atomic_write(options.npz, data)
    print(summary(arrays, refused, options.npz, len(data)))
    if options.list_refused:
        for why, hexcode, name in refused:
            print(f"{hexcode}\t{name}\t{why}")


def _file(source, code):
    """Finds the file that an icon is read from."""
    path = pathlib.Path(source)
    if not path.is_dir():
        return path
    return _root(path) / "color" / "svg" / f"{code}.svg"


def _icons(options):
    from tqdm import tqdm

    rows, svgs, version = read_package(options.source)
    icons, refused = collect(rows, svgs, lambda x: tqdm(x, unit=" icons"))
    if not icons:
        raise ValueError(f"--source={options.source} holds no usable icon.")
    return icons, refused, svgs, version


def _known(version, labels):
    """Tells the counts of the set that comes with the library."""
    card = openmoji.card()
    if card["source"] != f"npm openmoji {version}":
        return {}
    arrays = openmoji.arrays()
    return {
        **{part: card[part] for part in ("pictures", "train", "test")},
        "captions": 5 * card["pictures"],
        "classes": len(arrays[f"{labels.removesuffix('s')}_names"]),
        "captions_per_picture": 5,
    }


def main(_):
    """Runs the tool from its flags."""
    from tqdm import tqdm

    options = flags.FLAGS
    messages.one_of(out=options.out or options.dry_run, npz=options.npz)
    if options.npz:
        write_npz(options)
    elif options.out and options.out.endswith(".npz"):
        raise ValueError(
            f"--out={options.out} names a folder; give --npz={options.out} to "
            "have all in one file."
        )
    else:
        verb.prepare(plan, options, lambda x: tqdm(x, unit=" pictures"))


if __name__ == "__main__":
    verb.define(
        "The npm package openmoji: its .tgz, or the folder it unpacks to."
    )
    flags.DEFINE_string(
        "npz", None, "The .npz file to write, in place of the folder --out."
    )
    flags.DEFINE_enum("labels", "groups", LABELS, "What classes are.")
    flags.DEFINE_bool(
        "list_refused",
        False,
        "With --npz: also print every icon that stayed out, and why.",
    )
    messages.run(verb.stoppable(main))
