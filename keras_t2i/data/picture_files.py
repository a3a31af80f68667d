"""Reads a folder of PNG and JPEG files, whoever made them, to be judged."""

import collections
import csv
import dataclasses
import functools
import hashlib
import io
import json
import os
import pathlib
from collections.abc import Iterator
from concurrent import futures

import keras
import numpy as np

from keras_t2i.data import augment, captions, decoding
from keras_t2i.ops import files, images

ENDINGS = (".png", ".jpg", ".jpeg")
#: Tables of captions, in the folder itself.
TABLES = ("captions.jsonl", "captions.csv")
_FILE = ("file_name", "filename", "file", "image", "path")
_CAPTION = ("caption", "captions", "text")
_NO_CAPTIONS = ("classes.txt", "license.txt", "licence.txt", "readme.txt")
_AHEAD = 2  # batches decoded before they are asked for


@dataclasses.dataclass(frozen=True, eq=False)
class PictureFiles:
    """Holds where N pictures lie, and decodes them batch by batch.

    Attributes:
        folder: where they were found.
        paths: their files, in order of their names below the folder.
        size: height and width of every batch.
        digest: names the contents of the files, in this order; neither their
            names nor captions count.
        left_out: what was not taken, "hidden", "no regular file" (a pipe, a
            device) or the ending of its name, and how many files. Captions
            are not among them; what lies in hidden folders isn't either.
        frame: how pictures are brought to one size; None if they are of one.
    """

    folder: pathlib.Path
    paths: tuple[pathlib.Path, ...]
    size: tuple[int, int]
    digest: str
    left_out: dict[str, int]
    frame: augment.Frame | None = None

    def __len__(self):
        return len(self.paths)

    def batches(self, size: int = 32) -> Iterator[np.ndarray]:
        """Decodes all pictures with threads, a few batches ahead.

        Args:
            size: int > 0. Pictures a batch; the last may have fewer.

        Yields:
            (B, H, W, 3) uint8: upright, on white, grey ones in three equal
            colours.

        Raises:
            ValueError: naming a file that is damaged, gone, or of another
                size than when the folder was opened.
        """
        waiting = collections.deque()
        pool = futures.ThreadPoolExecutor()
        try:
            for start in range(0, len(self), size):
                some = self.paths[start : start + size]
                waiting.append([pool.submit(self._pixels, p) for p in some])
                if len(waiting) > _AHEAD:
                    yield _stacked(waiting.popleft())
            while waiting:
                yield _stacked(waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def some(self, rows) -> np.ndarray:
        """Decodes a few pictures.

        Args:
            rows: which, as numbers from 0 on.

        Returns:
            (len(rows), H, W, 3) uint8, as `batches` yields them.

        Raises:
            ValueError: as `batches`.
        """
        return np.stack([self._pixels(self.paths[row]) for row in rows])

    @functools.cached_property
    def captions(self) -> tuple[str, ...] | None:
        """Reads what each picture should show: N strings, or None.

        They stand in one of `TABLES` in the folder, whose rows name a file
        (file_name, filename, file, image or path: the way from the folder)
        and a caption (caption, captions or text); or beside each NAME.png in
        NAME.txt. Of several the first one counts. Backslashes may part
        folders, as on Windows.

        Raises:
            ValueError: if there are captions of pictures that are not there,
                pictures without one, or captions in several places, naming
                the first of them, or if a table is empty.
        """
        tables = [name for name in TABLES if (self.folder / name).is_file()]
        texts = {} if tables else self._sidecars()
        if len(tables) > 1:
            raise ValueError(
                f"{self.folder} holds captions in {' and '.join(tables)}; "
                "leave one of them."
            )
        names = [_name(path, self.folder) for path in self.paths]
        if tables:
            texts = _read_table(self.folder / tables[0], set(names))
        if not texts:
            return None
        lost = sorted(set(texts) - set(names))
        if lost:
            raise ValueError(
                f"{self.folder} has {len(lost):,} caption(s) without a "
                f"picture, the first for {lost[0]}."
            )
        bare = [name for name in names if name not in texts]
        if bare:
            raise ValueError(
                f"{self.folder} has {len(bare):,} picture(s) without a "
                f"caption among {len(names):,}, the first {bare[0]}."
            )
        return tuple(
            captions.clean(texts[name], f"The caption of {self.folder / name}")
            for name in names
        )

    def _sidecars(self) -> dict[str, str]:
        """First lines of text files: picture -> line; none if none fits."""
        stems = {_stem(path): path for path in reversed(self.paths)}
        texts = [path for path in _listed(self.folder) if _may_tell(path)]
        if not any(_stem(path) in stems for path in texts):
            return {}
        found = {}
        for path in texts:
            name = _name(stems.get(_stem(path), path), self.folder)
            lines = _text(path).splitlines()
            found[name] = next(filter(str.strip, lines), "")
        return found

    def _pixels(self, path) -> np.ndarray:
        try:
            pixels = decoding.pixels(path.read_bytes())
        except (OSError, decoding.Unreadable) as error:
            raise ValueError(_unreadable(path, error)) from error
        if self.frame is not None:
            return _framed(self.frame, pixels)
        if pixels.shape[:2] != self.size:
            raise ValueError(
                f"{path} has {_shown(pixels.shape)} px; it had "
                f"{_shown(self.size)} when its folder was opened."
            )
        return pixels


def opened(
    folder: str | os.PathLike,
    *,
    size: int | None = None,
    fit: str = "cut",
    least: int = 1,
    progress: bool = False,
) -> PictureFiles:
    """Finds the pictures of a folder and the folders in it.

    Every file is read once, with threads: for its digest, its size, and
    whether it was cut off.

    Args:
        folder: files named .png, .jpg or .jpeg, in capitals too; hidden ones
            and others are left out.
        size: height and width to which pictures are brought; None if they are
            of one size, which they keep.
        fit: how they become square, as in `pipeline.batches`; only with
            `size`.
        least: int. How many pictures there must be.
        progress: bool. Show a bar.

    Returns:
        `PictureFiles`.

    Raises:
        ValueError: if it is no folder, has no pictures or fewer than `least`,
            if one of them is unreadable, or if they differ in size and no
            `size` is asked for.

    Source:
        Parmar et al. 2022, arXiv:2104.11222, and their clean-fid, which looks
        into inner folders too. Ours differs: pictures are turned upright and
        transparency is laid on white, where it drops both; .webp, .bmp and
        .npy are left out.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        is_there = "is a file, no folder" if folder.exists() else "is missing"
        raise ValueError(f"The folder of pictures {folder} {is_there}.")
    frame = None
    if size is not None:
        frame = augment.Frame(size, fit=fit)
        frame.check()
    paths, left_out = _sorted_out(folder)
    if len(paths) < max(least, 1):
        raise ValueError(_too_few(folder, len(paths), least, left_out))
    sizes, digests = _looked_at(paths, progress)
    if frame is None:
        _check_alike(paths, sizes)
    return PictureFiles(
        folder=folder,
        paths=paths,
        size=sizes[0] if frame is None else (size, size),
        digest=files.digest(*digests),
        left_out=left_out,
        frame=frame,
    )


def _listed(folder) -> list[pathlib.Path]:
    """Files in order, but for those in hidden folders."""
    found = []
    for above, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += [pathlib.Path(above, name) for name in names]
    return sorted(found, key=lambda path: _name(path, folder))


def _sorted_out(folder):
    """Parts pictures from the rest, which is counted."""
    listed, rest = _listed(folder), collections.Counter()
    paths = tuple(path for path in listed if _kind(path) in ENDINGS)
    stems = set(map(_stem, paths))
    told = {folder / name for name in TABLES}
    told |= {p for p in listed if _may_tell(p) and _stem(p) in stems}
    for path in listed:
        if _kind(path) not in ENDINGS and path not in told:
            rest[_kind(path)] += 1
    return paths, dict(sorted(rest.items()))


def _kind(path) -> str:
    if path.name.startswith("."):
        return "hidden"
    if not path.is_file() and path.exists():
        return "no regular file"  # To read a pipe would wait for ever.
    return path.suffix.lower() or "without ending"


def _may_tell(path) -> bool:
    return _kind(path) == ".txt" and path.name.lower() not in _NO_CAPTIONS


def _too_few(folder, count, least, left_out):
    others = ", ".join(f"{n:,} {kind}" for kind, n in left_out.items())
    others = f" Left out: {others}." if others else ""
    if not count:
        return (
            f"The folder {folder} holds no pictures; taken are "
            f"{', '.join(ENDINGS)}.{others}"
        )
    return (
        f"The folder {folder} holds {count:,} picture(s); {least:,} are "
        f"needed.{others}"
    )


def _looked_at(paths, progress):
    """Reads every file once: sizes and digests."""
    bar = keras.utils.Progbar(len(paths), verbose=1) if progress else None
    sizes, digests = [], []
    pool = futures.ThreadPoolExecutor()
    try:
        for size, digest in pool.map(_looked, paths):
            sizes.append(size)
            digests.append(digest)
            if bar:
                bar.add(1)
    finally:
        pool.shutdown(cancel_futures=True)
    return sizes, digests


def _looked(path):
    try:
        data = path.read_bytes()
        return decoding.measured(data), hashlib.sha256(data).digest()
    except (OSError, decoding.Unreadable) as error:
        raise ValueError(_unreadable(path, error)) from error


def _check_alike(paths, sizes):
    usual = collections.Counter(sizes).most_common(1)[0][0]
    others = [place for place, size in enumerate(sizes) if size != usual]
    if others:
        one, other = sizes.index(usual), others[0]
        raise ValueError(
            f"Pictures differ in size: {paths[one]} has {_shown(usual)} px, "
            f"{paths[other]} {_shown(sizes[other])} ({len(others):,} of "
            f"{len(paths):,} are not like the first). Give the image size "
            "to which all are to be brought."
        )


def _framed(frame, pixels):
    made = frame.held(pixels[None])[0]
    if made.dtype == np.uint8:
        return np.asarray(made)
    return images.to_uint8(made / 127.5 - 1.0).numpy()


def _stacked(waiting):
    return np.stack([each.result() for each in waiting])


def _read_table(path, names) -> dict[str, str]:
    """Captions by the names of their pictures, `names` where they are known."""
    rows = _json_rows(path) if path.suffix == ".jsonl" else _csv_rows(path)
    found = {}
    for place, row in rows:
        name = next((row[key] for key in _FILE if key in row), None)
        text = next((row[key] for key in _CAPTION if key in row), None)
        text = text[0] if isinstance(text, list) and text else text
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError(
                f"{path}, line {place}, does not name a picture "
                f"({', '.join(_FILE)}) and its caption "
                f"({', '.join(_CAPTION)})."
            )
        known = pathlib.PurePath(name).as_posix()
        if known not in names:
            known = pathlib.PureWindowsPath(name).as_posix()
        found.setdefault(known, text)
    if not found:
        raise ValueError(f"{path} holds no captions.")
    return found


def _json_rows(path):
    for place, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError(f"{path}, line {place}, is no JSON.") from None
        yield place, row if isinstance(row, dict) else {}


def _csv_rows(path):
    reader = csv.DictReader(io.StringIO(_text(path), newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"{path} is no table ({error}).") from error


def _text(path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8; save it as that.") from None


def _unreadable(path, error):
    reason = error.strerror if isinstance(error, OSError) else error
    return f"The picture {path} can't be read: {reason}."


def _name(path, folder) -> str:
    return path.relative_to(folder).as_posix()


def _stem(path) -> str:
    return os.path.splitext(path)[0]


def _shown(shape):
    return f"{shape[0]} x {shape[1]}"
