"""Pictures and plans of every kind that tools which prepare sets may meet.

    python -m tests.tools.preparing_cases FOLDER OUT FATAL

prepares a folder as `planned` lists it, and kills itself by SIGKILL when it
comes to the picture FATAL.
"""

import contextlib
import dataclasses
import functools
import io
import os
import pathlib
import signal
import struct
import sys
import tempfile
import types
import zlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tools.preparing import plan, verb

#: Colours of the upper left, upper right, lower left and lower right quarter.
COLOURS = ((200, 40, 30), (20, 160, 60), (30, 60, 190), (230, 220, 40))
WIDTH, HEIGHT = 48, 32


@dataclasses.dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        name: of the file.
        data: its bytes.
        reason: why it is refused; None if it is not.
        mended: what is done to it; empty if its bytes are kept.
        colours: of its quarters, once it is ready.
    """

    name: str
    data: bytes
    reason: str | None = None
    mended: tuple[str, ...] = ()
    colours: tuple = COLOURS


def painted(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Paints a picture of four quarters, each of its own colour."""
    small = np.array(COLOURS, np.uint8).reshape(2, 2, 3)
    picture = Image.fromarray(small)
    return picture.resize((width, height), Image.Resampling.NEAREST)


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    """Encodes a picture."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(seed: int, width: int = 48, height: int = 36) -> bytes:
    """Draws a photo that no other seed draws."""
    pixels = np.random.default_rng(seed).integers(0, 255, (5, 5, 3))
    picture = Image.fromarray(pixels.astype(np.uint8))
    return encoded(picture.resize((width, height)), "JPEG", quality=90)


def quarters(data: bytes) -> np.ndarray:
    """Decodes a picture and takes the mean colour within each quarter.

    Returns:
        (4, 3) float64.
    """
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float64)
    high, wide = pixels.shape[0] // 2, pixels.shape[1] // 2
    y, x = max(1, high // 4), max(1, wide // 4)
    parts = [
        pixels[top + y : top + high - y, left + x : left + wide - x]
        for top in (0, high)
        for left in (0, wide)
    ]
    return np.array([part.mean((0, 1)) for part in parts])


class ToolTest(parameterized.TestCase, tf.test.TestCase):
    """Tests of one tool, with a folder of its own for each test.

    Attributes:
        TOOL: the tool's module.
        FLAGS: those of its own with their usual values, and others of all
            tools that have another.
    """

    TOOL = None
    FLAGS = {}

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder)
        self.source = self.folder / "source"
        self.out = self.folder / "out"

    def options(self, **changes):
        """The flags."""
        usual = {"source": str(self.source), "out": str(self.out)}
        return options(**usual | self.FLAGS | changes)

    def plan(self, **changes):
        """The plan."""
        return self.TOOL.plan(self.options(**changes))

    def refused(self, **changes):
        """What was refused, for which reason."""
        return dict(self.plan(**changes).refused)

    def run_tool(self, **changes):
        """Prepares the set; returns what is printed."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            verb.prepare(self.TOOL.plan, self.options(**changes))
        return printed.getvalue()


@functools.cache
def cases() -> tuple[Case, ...]:
    """Makes all kinds of file: kept ones, mended ones, refused ones."""
    return (*_kept(), *_mended(), *_refused())


def write(folder, prefix: str = "") -> dict[str, Case]:
    """Writes all kinds of file into a folder.

    Args:
        folder: made if missing.
        prefix: of their names.

    Returns:
        Name of the file -> its case.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made = {prefix + case.name: case for case in cases()}
    for name, case in made.items():
        (folder / name).write_bytes(case.data)
    return made


def options(**changes) -> types.SimpleNamespace:
    """Stands for the flags that all tools share."""
    usual = dict(
        source="",
        out="",
        size=0,
        min_size=16,
        captions=None,
        limit=None,
        workers=1,
        shard_size=1000,
        encoding="utf-8",
        follow_links=False,
        seed=0,
        dry_run=False,
        val_share=0.0,
        test_share=0.1,
    )
    return types.SimpleNamespace(**usual | changes)


def planned(flags, fatal: str = "", **changes) -> plan.Plan:
    """Plans a folder: each file a picture, every fifth for tests.

    Args:
        flags: of which `source` is the folder.
        fatal: the name of a picture that kills this process when it is read.
        **changes: to the plan.
    """

    def read(path):
        if path.name == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return path.read_bytes()

    items = [
        plan.Item(
            key=path.stem + path.suffix.replace(".", "-"),
            picture=plan.Bytes(str(path), functools.partial(read, path)),
            captions=(f"picture {place}", "a painted thing"),
            split="train" if (place + 1) % 5 else "test",
            label=place % 2,
        )
        for place, path in enumerate(
            sorted(pathlib.Path(flags.source).iterdir())
        )
    ]
    usual = dict(
        name="painted",
        about="quarters that a test painted",
        items=items,
        class_names=("even", "odd"),
    )
    return plan.Plan(**usual | changes)


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """Makes a PNG of few bytes whose header asks for a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _png(header, zlib.compress(bytes(1000)))


def _kept():
    picture = painted()
    grey = tuple((_luma(colour),) * 3 for colour in COLOURS)
    yield Case("photo.jpg", encoded(picture, "JPEG"))
    yield Case("steps.jpg", encoded(picture, "JPEG", progressive=True))
    yield Case(
        "grey.jpg", encoded(picture.convert("L"), "JPEG"), None, (), grey
    )
    yield Case("colour.png", encoded(picture, "PNG"))
    yield Case("name with spaces ü.jpg", encoded(picture, "JPEG"))
    yield Case("upright.jpg", encoded(picture, "JPEG", exif=_exif(1)))
    yield Case("odd turn.jpg", encoded(picture, "JPEG", exif=_exif(77)))


def _mended():
    picture, white = painted(), (255, 255, 255)
    grey = tuple((_luma(colour),) * 3 for colour in COLOURS)
    on_white = "transparency laid on white"
    clear = picture.convert("RGBA")
    clear.paste((9, 9, 9, 0), (0, 0, WIDTH // 2, HEIGHT // 2))
    seen = (white, *COLOURS[1:])
    yield Case("clear.png", encoded(clear, "PNG"), None, (on_white,), seen)
    yield Case(
        "clear palette.png",
        encoded(picture.quantize(4), "PNG", transparency=_first(picture)),
        None,
        (on_white, "palette made RGB"),
        seen,
    )
    yield Case(
        "clear.webp",
        encoded(clear, "WEBP", lossless=True),
        None,
        (on_white, "WEBP encoded anew"),
        seen,
    )
    yield Case(
        "palette.png",
        encoded(picture.quantize(4), "PNG"),
        None,
        ("palette made RGB",),
    )
    yield Case(
        "grey.png",
        encoded(picture.convert("L"), "PNG"),
        None,
        ("grey made RGB",),
        grey,
    )
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    eight = ("16 bits a colour made 8",)
    yield Case(
        "deep grey.png",
        encoded(Image.fromarray(deep), "PNG"),
        None,
        eight,
        grey,
    )
    yield Case("deep.png", _deep(picture), None, eight)
    yield Case(
        "cmyk.jpg",
        encoded(picture.convert("CMYK"), "JPEG"),
        None,
        ("CMYK made RGB",),
    )
    yield Case(
        "cmyk.tiff",
        encoded(picture.convert("CMYK"), "TIFF"),
        None,
        ("CMYK made RGB", "TIFF encoded anew"),
    )
    film = {"save_all": True, "append_images": [painted().rotate(180)]}
    yield Case(
        "film.gif",
        encoded(picture, "GIF", **film),
        None,
        (
            "first frame of a GIF of several",
            "palette made RGB",
            "GIF encoded anew",
        ),
    )
    yield Case(
        "film.png",
        encoded(picture, "PNG", **film),
        None,
        ("first frame of a PNG of several",),
    )
    yield Case(
        "film.webp",
        encoded(picture, "WEBP", **film),
        None,
        ("first frame of a WEBP of several", "WEBP encoded anew"),
    )
    backs = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
    for turn, back in backs.items():
        lying = picture.transpose(_TURNS[back])
        yield Case(
            f"turned {turn}.jpg",
            encoded(lying, "JPEG", exif=_exif(turn)),
            None,
            ("turned upright",),
        )
    yield Case(
        "turned.png",
        encoded(picture.transpose(_TURNS[8]), "PNG", exif=_exif(6)),
        None,
        ("turned upright",),
    )
    for kind in ("BMP", "WEBP", "TIFF"):
        yield Case(
            f"plain.{kind.lower()}",
            encoded(picture, kind),
            None,
            (f"{kind} encoded anew",),
        )


def _refused():
    photo = encoded(_noise(), "JPEG")
    steps = encoded(_noise(), "JPEG", progressive=True)
    plain = encoded(_noise(), "PNG")
    short = "a JPEG that is cut off"
    yield Case("half.jpg", photo[: len(photo) // 2], short)
    yield Case("nearly whole.jpg", photo[:-40], short)
    yield Case("half steps.jpg", steps[: len(steps) // 2], short)
    yield Case("half.png", plain[: len(plain) // 2], "a PNG that is cut off")
    yield Case("start.jpg", photo[:20], "a picture that is cut off or damaged")
    yield Case("nothing.jpg", b"", "an empty file")
    yield Case(
        "page.jpg", b"<html>Not found</html>", "a file that is no picture"
    )
    yield Case("zeros.png", bytes(4000), "a file that is no picture")
    yield Case("bomb.png", bomb(), "a picture of more than 100 million pixels")
    yield Case(
        "large bomb.png",
        bomb(11_000, 10_000),
        "a picture of more than 100 million pixels",
    )
    yield Case(
        "floats.tiff",
        encoded(painted().convert("F"), "TIFF"),
        "a picture of more than 16 bits a colour",
    )
    yield Case(
        "tiny.png",
        encoded(painted(8, 12), "PNG"),
        "a picture smaller than 16 px",
    )


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _exif(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


def _first(picture) -> int:
    """Finds the place of the upper left colour in the palette."""
    return picture.quantize(4).getpixel((0, 0))


def _luma(colour) -> int:
    return Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))


def _noise() -> Image.Image:
    numbers = np.random.default_rng(0)
    return Image.fromarray(numbers.integers(0, 256, (64, 64, 3), np.uint8))


def _deep(picture) -> bytes:
    """Encodes a PNG of 16 bits a colour, which Pillow doesn't write."""
    pixels = np.asarray(picture).astype(">u2") * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", *picture.size, 16, 2, 0, 0, 0)
    return _png(header, zlib.compress(rows))


def _png(header: bytes, pixels: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


if __name__ == "__main__":
    source, out, fatal = sys.argv[1:]
    verb.prepare(
        functools.partial(planned, fatal=fatal),
        options(source=source, out=out, shard_size=10),
    )
