"""Decodes strangers' pictures of every kind to upright colours on white.

Pillow does the work; it is imported when first needed.
"""

import functools
import io
import warnings

import numpy as np

#: Larger pictures are taken for decompression bombs; read from the header.
PIXELS = 100_000_000
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
_PLAIN = ("RGB", "L")
_ENDS = {
    "JPEG": b"\xff\xd9",
    "MPO": b"\xff\xd9",
    "PNG": b"IEND\xaeB`\x82",
}
_TURNS = (  # of the EXIF orientations 2 to 8, by Pillow's names
    "FLIP_LEFT_RIGHT",
    "ROTATE_180",
    "FLIP_TOP_BOTTOM",
    "TRANSPOSE",
    "ROTATE_270",
    "TRANSVERSE",
    "ROTATE_90",
)


class Unreadable(ValueError):
    """A picture can't be used; `str(error)` says why in a short phrase."""


def pixels(data: bytes) -> np.ndarray:
    """Decodes a picture as people see it.

    It is turned upright, transparency is laid on white, and grey, palettes,
    CMYK and 16 bits a colour become RGB of 8.

    Args:
        data: the file's bytes.

    Returns:
        (H, W, 3) uint8.

    Raises:
        Unreadable: if it is no whole picture, or too large.
    """
    image = opened(data)
    number = turn(image, data)
    plain = coloured(decoded(image)).convert("RGB")
    return np.asarray(upright(plain, number))


def measured(data: bytes) -> tuple[int, int]:
    """Tells how large a picture is, and finds files that were cut off.

    The header is read; what does not end as its kind does is decoded too,
    since Pillow has the last word on whether something is missing.

    Args:
        data: the file's bytes.

    Returns:
        Height and width of the upright picture.

    Raises:
        Unreadable: if it is none, cut off or too large.
    """
    image = opened(data)
    width, height = image.size
    is_lying = turn(image, data) >= 5
    if not data.endswith(_ENDS.get(image.format, b"")):
        decoded(image)
    return (width, height) if is_lying else (height, width)


def opened(data: bytes):
    """Reads a picture's header; no pixel is decoded.

    Args:
        data: the file's bytes.

    Returns:
        `PIL.Image.Image`.

    Raises:
        Unreadable: if it is none, or too large.
    """
    from PIL import Image

    if not data:
        raise Unreadable("an empty file")
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    try:
        image = Image.open(io.BytesIO(data), formats=_kinds())
    except Image.DecompressionBombError:
        raise Unreadable(_bomb()) from None
    except Image.UnidentifiedImageError:
        known = data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
        raise Unreadable(
            "a picture that is cut off or damaged"
            if known
            else "a file that is no picture"
        ) from None
    except Exception:  # Decoders meet bad bytes with errors of many kinds.
        raise Unreadable("a picture that can't be read") from None
    if image.width * image.height > PIXELS:
        raise Unreadable(_bomb())
    return image


def kind(image) -> str:
    """Names a picture's format.

    Args:
        image: what `opened` returned.

    Returns:
        One of `KINDS`.
    """
    return "JPEG" if image.format == "MPO" else image.format


def turn(image, data: bytes) -> int:
    """Reads the EXIF orientation.

    Args:
        image: what `opened` returned.
        data: the file's bytes.

    Returns:
        1 (upright) to 8; from 5 on width and height are exchanged.
    """
    marks = (b"eXIf", b"Raw profile type", b"tiff:Orientation")
    if image.format == "PNG" and not any(mark in data for mark in marks):
        return 1  # Pillow would decode the whole picture to look for it.
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:  # Broken EXIF says nothing.
        return 1
    return found if isinstance(found, int) and 2 <= found <= 8 else 1


def upright(image, number: int):
    """Turns a picture as its EXIF orientation says.

    Args:
        image: `PIL.Image.Image`.
        number: what `turn` returned.

    Returns:
        The picture.
    """
    if number == 1:
        return image
    from PIL import Image

    return image.transpose(Image.Transpose[_TURNS[number - 2]])


def decoded(image):
    """Decodes a picture's first frame.

    Args:
        image: what `opened` returned.

    Returns:
        The same.

    Raises:
        Unreadable: if it is cut off or damaged.
    """
    try:
        image.seek(0)  # A search for further frames may have moved it.
        image.load()
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        is_short = "truncated" in str(error).lower()
        state = "cut off" if is_short else "damaged"
        raise Unreadable(f"a {kind(image)} that is {state}") from None
    return image


def coloured(image):
    """Makes any mode RGB on white, but grey JPEGs', which stay.

    Args:
        image: what `decoded` returned.

    Returns:
        Picture of mode "RGB" or "L".

    Raises:
        Unreadable: if it has more than 16 bits a colour.
    """
    from PIL import Image

    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint32)
        grey = (deep * 255 + 32767) // 65535
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode[0] in "IF":
        raise Unreadable("a picture of more than 16 bits a colour")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    if image.format in ("JPEG", "MPO") and image.mode in _PLAIN:
        return image
    return image.convert("RGB")


@functools.cache
def _kinds() -> tuple[str, ...]:
    """Lists the kinds that this Pillow was built with."""
    from PIL import Image

    Image.init()
    return tuple(kind for kind in KINDS if kind in Image.OPEN)


def _bomb() -> str:
    return f"a picture of more than {PIXELS // 10**6} million pixels"
