r"""Turns Localized Narratives into a prepared set: LN-COCO or LN-OpenImages.

    python -m tools.prepare_narratives --source=narratives --pictures=coco \
        --out=data/ln_coco --size=304

--source is the folder with the official lines of JSON (or one such file),
    coco_train_localized_narratives-00000-of-00004.jsonl ...
    coco_val_localized_narratives.jsonl
    open_images_train_v6_localized_narratives-00000-of-00010.jsonl ...
    open_images_validation_localized_narratives.jsonl
    open_images_test_localized_narratives.jsonl
or the smaller files of the same narratives without traces, *_captions.jsonl.
--pictures (--source, if not given) holds the pictures as the downloads unpack:
    COCO 2017: train2017/ val2017/
    Open Images: train/ validation/ test/, or train_0/ ... train_f/
both also inside a folder images/. Pictures that no narrative names are not
looked at.

A picture may have narratives by several people. --each=narrative makes each an
example of its own, as XMC-GAN counts; --each=picture makes all of a picture's
its captions. Of the long lines, only what stands before the traces is parsed.
"""

import codecs
import collections
import dataclasses
import itertools
import json
import pathlib
import re
from collections.abc import Iterator

from absl import flags

from recipes import messages
from tools.preparing import places, verb
from tools.preparing import plan as plans

MAX_WORDS = 64
#: Narratives by the source's parts. Open Images' are about so many: its files
#: have been published in more than one version.
KNOWN = {
    "coco": {"train": 134_272, "val": 8_573},
    "open_images": {"train": 507_444, "val": 41_691, "test": 126_020},
}
_NAMES = {"coco": "COCO 2017", "open_images": "Open Images"}
_SETS = (
    (re.compile(r"mscoco_(train|val)2017"), "coco"),
    (re.compile(r"open_?images_.*?(train|val|test).*"), "open_images"),
)
_LONGEST = 1 << 26  # bytes of a line; the official ones are far below 1 MB
_HEAVY = re.compile(rb',\s*"(?:timed_caption|traces|voice_recording)"\s*:')
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # Begin UTF-32's mark too.
_WORD = re.compile(r"\w+")


@dataclasses.dataclass(frozen=True, slots=True)
class Narrative:
    """Holds what one line tells.

    Attributes:
        family: "coco" or "open_images".
        part: "train", "val" or "test", as the source calls it.
        image: the picture's id.
        annotator: who told it; "" if the line doesn't say.
        caption: what was told.
    """

    family: str
    part: str
    image: str
    annotator: str
    caption: str


class Trees:
    """Finds pictures in folders as the downloads unpack.

    Args:
        root: the folder that holds them.
    """

    def __init__(self, root: places.Tree):
        self._root = root
        self._folders = {}
        self._found = {}

    def find(self, told: Narrative) -> pathlib.Path | tuple[str, str]:
        """Finds a narrative's picture.

        Args:
            told: the narrative.

        Returns:
            Its path, one object for all narratives of a picture; or (file,
            reason) if there is none.
        """
        key = (told.family, told.part, told.image)
        if key not in self._found:
            self._found[key] = self._search(told)
        return self._found[key]

    def _search(self, told: Narrative) -> pathlib.Path | tuple[str, str]:
        folders, name = _places(told)
        answer = (f"{folders[0]}/", "a folder of pictures that is missing")
        for folder in folders:
            for tree in (folder, f"images/{folder}"):
                try:
                    if found := self._open(tree):
                        return found.inside(name)
                except plans.Refused as error:
                    answer = places.told(f"{tree}/{name}", error)
        return answer

    def _open(self, name: str) -> places.Tree | None:
        """Looks for a folder, but once; one that is a link out is refused."""
        if name not in self._folders:
            try:
                self._folders[name] = self._root.below(name)
            except plans.Refused as error:
                self._folders[name] = error
        found = self._folders[name]
        if isinstance(found, plans.Refused):
            raise found.with_traceback(None)
        return found


def plan(options) -> plans.Plan:
    """Reads the narratives and finds their pictures.

    Args:
        options: the parsed flags: source, pictures, encoding, each, val_as.

    Returns:
        The plan.

    Raises:
        ValueError: if there are no lines of JSON, or none of their pictures.
    """
    refused, counts = [], collections.Counter()
    flag = "pictures" if options.pictures else "source"
    root = messages.existing(flag, getattr(options, flag))
    trees = Trees(places.Tree(root, options.follow_links))
    kept, lost = [], {}
    for told in _narratives(options, refused):
        counts[told.family, told.part] += 1
        found = trees.find(told)
        if isinstance(found, tuple):
            lost[found] = lost.get(found, 0) + 1
        else:
            kept.append((told, found))
    if lost and not kept:
        file, reason = next(iter(lost))
        raise ValueError(
            f"--pictures={options.pictures or options.source} holds none of "
            f"the pictures of {sum(lost.values()):,} narratives, such as "
            f"{file}: {reason}."
        )
    if not counts:
        file, reason = refused[0] if refused else ("its files", "no line")
        raise ValueError(
            f"--source={options.source} holds no usable narrative; the first, "
            f"{file}: {reason}."
        )
    families = sorted({family for family, _ in counts})
    answer = plans.Plan(
        name=f"ln_{families[0]}" if len(families) == 1 else "narratives",
        about="Localized Narratives (Pont-Tuset et al. 2020), CC BY 4.0; "
        f"pictures of {' and '.join(_NAMES[f] for f in families)} under "
        "their owners' licences",
        items=[],
        refused=[*refused, *lost],
        captions_per_picture=1 if options.each == "narrative" else None,
        config=(
            f"--config.text.max_words={MAX_WORDS}",
            "--config.text.truncate=True",
        ),
    )
    splits = _splits(options.val_as, counts, answer)
    make = {"narrative": _singly, "picture": _together}[options.each]
    answer.items = make(kept, splits)
    _tell(answer, options, counts, splits, sum(lost.values()))
    return answer


def lines(path: pathlib.Path) -> Iterator[tuple[int, bytes | None]]:
    """Reads a file line by line.

    Args:
        path: the file.

    Yields:
        The line's number from 1, and its bytes with their end; None for a
        line that is longer than any honest one.
    """
    with path.open("rb") as file:
        for number in itertools.count(1):
            line = file.readline(_LONGEST)
            if not line:
                return
            is_whole = len(line) < _LONGEST or line.endswith(b"\n")
            while len(line) == _LONGEST and not line.endswith(b"\n"):
                line = file.readline(_LONGEST)
            yield number, line if is_whole else None


def fields(line: bytes, encoding: str = "utf-8") -> dict:
    """Parses a line as far as it is needed.

    Traces and times are most of it, and stand behind what is wanted. They are
    skipped where the line has both its ends; any other line is parsed whole.

    Args:
        line: its bytes, with their end.
        encoding: of the text.

    Returns:
        What the line tells.

    Raises:
        plan.Refused: if it is no JSON object.
    """
    heavy = _HEAVY.search(line) if line.endswith((b'"}\n', b'"}\r\n')) else None
    if heavy:
        head = line[: heavy.start()] + b"}"
        try:
            value = json.loads(places.decoded(head, encoding))
        except ValueError:  # Fields in another order, or no JSON at all.
            value = {}
        if {"dataset_id", "image_id", "caption"} <= value.keys():
            return value
    try:
        value = json.loads(places.decoded(line, encoding))
    except plans.Refused:
        raise
    except (ValueError, RecursionError):
        is_cut = not line.endswith(b"\n")
        reason = (
            "a last line that is cut off" if is_cut else "a line of no JSON"
        )
        raise plans.Refused(reason) from None
    if not isinstance(value, dict):
        raise plans.Refused("a line of JSON that is no object")
    return value


def _narratives(options, refused) -> Iterator[Narrative]:
    """Yields each narrative once, and names the other lines."""
    seen = set()
    for path in _files(options, refused):
        with path.open("rb") as file:
            if file.read(2) in _WIDE:
                refused.append((path.name, "not UTF-8 but UTF-16 or UTF-32"))
                continue
        for number, line in lines(path):
            if line is not None and not line.strip():
                continue
            try:
                told = _narrative(line, options.encoding)
                mark = hash((told.image, told.annotator, told.caption))
                if mark in seen:
                    raise plans.Refused("a narrative that comes twice")
            except plans.Refused as error:
                refused.append((f"{path.name}:{number}", str(error)))
                continue
            seen.add(mark)
            yield told


def _narrative(line: bytes | None, encoding: str) -> Narrative:
    if line is None:
        raise plans.Refused("a line of more than 64 MB")
    value = fields(line, encoding)
    for name in ("dataset_id", "image_id", "caption"):
        if name not in value:
            raise plans.Refused(f"a line without {name}")
    if not isinstance(value["caption"], str):
        raise plans.Refused("a caption that is no text")
    family, part = _set(str(value["dataset_id"]))
    image = str(value["image_id"])
    if family == "coco" and not re.fullmatch("[0-9]{1,12}", image):
        raise plans.Refused("an image_id that is no number of COCO")
    annotator = str(value.get("annotator_id", ""))
    return Narrative(family, part, image, annotator, value["caption"])


def _set(name: str) -> tuple[str, str]:
    for pattern, family in _SETS:
        if found := pattern.fullmatch(name.lower()):
            return family, found[1]
    raise plans.Refused("a dataset_id of neither COCO 2017 nor Open Images")


def _places(told: Narrative) -> tuple[list[str], str]:
    """Names the folders where a picture may lie, and its file."""
    if told.family == "coco":
        return [f"{told.part}2017"], f"{int(told.image):012d}.jpg"
    folder = {"val": "validation"}.get(told.part, told.part)
    folders, first = [folder], told.image[:1].lower()
    if first and first in "0123456789abcdef":  # One archive for each of them.
        folders += [f"{folder}_{first}", f"{folder}/{folder}_{first}"]
    return folders, f"{told.image}.jpg"


def _files(options, refused) -> list[pathlib.Path]:
    source = messages.existing("source", options.source)
    if source.is_file():
        return [source]
    tree = places.Tree(source, options.follow_links)
    found = []
    for folder in filter(None, (tree, tree.below("annotations"))):
        for path in sorted(folder.path.glob("*.jsonl")):
            try:
                found.append(folder.inside(path.name))
            except plans.Refused as error:
                refused.append(places.told(path.name, error))
        if found:
            return found
    if refused:
        file, reason = refused[0]
        raise ValueError(f"{file} is {reason}.")
    raise ValueError(
        f"--source={options.source} holds no .jsonl file; unpacked narratives "
        "are named like coco_val_localized_narratives.jsonl."
    )


def _splits(val_as: str, counts, answer: plans.Plan) -> dict[str, str]:
    has_test = any(part == "test" for _, part in counts)
    if val_as == "auto":
        val_as = "val" if has_test else "test"
    if any(part == "val" for _, part in counts):
        answer.notes.append(
            f"The source's validation pictures are the split {val_as!r}"
            + (
                ": papers judge with them; --val_as=val calls them 'val'."
                if val_as == "test"
                else "."
            )
        )
    return {"train": "train", "val": val_as, "test": "test"}


def _singly(kept: list, splits: dict[str, str]) -> list[plans.Item]:
    items, used = [], set()
    for told, path in kept:
        base = f"{told.image}#{told.annotator}".rstrip("#")
        keys = (f"{base}#{n}" for n in itertools.count(1))
        if told.annotator:
            keys = itertools.chain([base], itertools.islice(keys, 1, None))
        key = next(key for key in keys if key not in used)
        used.add(key)
        items.append(plans.Item(key, path, (told.caption,), splits[told.part]))
    return items


def _together(kept: list, splits: dict[str, str]) -> list[plans.Item]:
    captions = collections.defaultdict(list)
    for told, path in kept:
        captions[told.image, path, splits[told.part]].append(told.caption)
    return [
        plans.Item(image, path, tuple(texts), split)
        for (image, path, split), texts in captions.items()
    ]


def _tell(answer: plans.Plan, options, counts, splits, lost: int):
    for family in sorted({family for family, _ in counts}):
        about = "about " if family == "open_images" else ""
        told = ", ".join(
            f"{counts[family, part]:,} {part} ({about}{known:,} are known)"
            for part, known in KNOWN[family].items()
            if counts[family, part]
        )
        answer.notes.append(
            f"Narratives of {_NAMES[family]} as listed: {told}."
        )
    if lost:
        answer.notes.append(
            f"{lost:,} narratives are left out because their picture is."
        )
    if options.each == "narrative":
        pictures = len({item.picture for item in answer.items})
        answer.notes.append(
            f"Each narrative is an example: {len(answer.items):,} of "
            f"{pictures:,} pictures as listed, which are stored again for each."
        )
        if {family for family, _ in counts} == {"coco"}:
            known = KNOWN["coco"]
            answer.known = {splits[part]: known[part] for part in known}
            answer.known["pictures"] = sum(known.values())
    texts = [text for item in answer.items for text in item.captions]
    long = sum(len(_WORD.findall(text)) > MAX_WORDS for text in texts)
    answer.notes.append(
        f"{long:,} of {len(texts):,} narratives have more than {MAX_WORDS} "
        "words as listed; --config.text.truncate=True keeps the first."
    )


if __name__ == "__main__":
    verb.define("The folder with the narratives' .jsonl files, or one of them.")
    flags.DEFINE_string(
        "pictures", None, "The folder with train2017/ and so on; or --source."
    )
    flags.DEFINE_enum(
        "each",
        "narrative",
        ["narrative", "picture"],
        "What is an example: a narrative, or a picture with all of its.",
    )
    flags.DEFINE_enum(
        "val_as",
        "auto",
        ["auto", "test", "val"],
        "The split that validation becomes; auto is test, with which papers "
        "judge, unless the source has test narratives of its own.",
    )
    verb.run(plan)
