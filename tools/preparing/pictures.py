"""Checks strangers' pictures, and mends those that a record can't hold.

A record holds an upright JPEG or PNG of 8 bits in grey or colour. A file that
is one already keeps its bytes; anything else is decoded by Pillow and encoded
again: without loss (PNG) where its source was, else as JPEG 95 whose colours
are as fine as its greys (4:4:4).
"""

import dataclasses
import io

import tensorflow as tf

from keras_t2i.data import decoding
from tools.preparing import plan

#: Larger files are not read.
BYTES = 200_000_000
_PHOTO = {"quality": 95, "subsampling": 0}


@dataclasses.dataclass(frozen=True)
class Ready:
    """A picture as it goes into a record.

    Attributes:
        data: JPEG or PNG bytes.
        width: in pixels.
        height: in pixels.
        mended: what had to be changed that nobody asked for, in phrases such
            as "turned upright".
    """

    data: bytes
    width: int
    height: int
    mended: tuple[str, ...] = ()


def prepared(
    data: bytes,
    box: tuple[int, int, int, int] | None = None,
    size: int = 0,
    min_size: int = 1,
) -> Ready:
    """Brings one picture into the form that records hold.

    Args:
        data: the file's bytes.
        box: left, top, right, bottom, cut out of the upright picture; what
            lies outside of it is clipped. None is all.
        size: the shorter side in pixels; larger pictures are scaled down to
            it, smaller ones stay. 0 keeps all as they are.
        min_size: pictures whose shorter side (of the box) is less are refused.

    Returns:
        The picture; with the bytes that came if nothing had to be done.

    Raises:
        plan.Refused: if it is none, cut off, too large or too small, or the
            box lies outside.
    """
    try:
        return _prepared(data, box, size, min_size)
    except decoding.Unreadable as error:
        raise plan.Refused(str(error)) from None


def check_bytes(count: int) -> None:
    """Refuses a file too large to be a picture.

    Args:
        count: its bytes.

    Raises:
        plan.Refused: if it has more than `BYTES`.
    """
    if count > BYTES:
        raise plan.Refused(f"a file of more than {BYTES // 10**6} MB")


def _prepared(data, box, size, min_size) -> Ready:
    image = decoding.opened(data)
    kind, turn = decoding.kind(image), decoding.turn(image, data)
    width, height = image.size if turn < 5 else image.size[::-1]
    box = _clipped(box, width, height)
    left, top, right, bottom = box or (0, 0, width, height)
    short = min(right - left, bottom - top)
    if short < min_size:
        raise plan.Refused(f"a picture smaller than {min_size} px")
    smaller = 0 < size < short
    mended = _mended(image, kind, data, turn)
    if not mended and not box and not smaller:
        if _is_readable(data, kind):
            return Ready(data, width, height)
        # Pillow has the last word on whether it is broken, or just rare.
        mended = (f"a {kind} of a rare kind encoded anew",)
    image = decoding.coloured(decoding.decoded(image))
    image = decoding.upright(image, turn)
    if box:
        image = image.crop(box)
    if smaller:
        image = _scaled(image, size)
    return Ready(_encoded(image, kind, data), *image.size, mended)


def _clipped(box, width: int, height: int):
    """Clips a box to the picture; one that is all of it is none."""
    if box is None:
        return None
    left, top, right, bottom = (round(float(edge)) for edge in box)
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        raise plan.Refused("a box that is empty or outside its picture")
    found = (left, top, right, bottom)
    return None if found == (0, 0, width, height) else found


def _mended(image, kind: str, data: bytes, turn: int) -> tuple[str, ...]:
    """Says why a picture can't stay as it is."""
    phrases = []
    if turn > 1:
        phrases.append("turned upright")
    if image.format != "MPO" and _is_film(image):
        phrases.append(f"first frame of a {kind} of several")
    if image.has_transparency_data:
        phrases.append("transparency laid on white")
    if _is_deep(image, data):
        phrases.append("16 bits a colour made 8")
    elif image.mode in ("P", "PA"):
        phrases.append("palette made RGB")
    elif image.mode in ("L", "LA", "1") and kind != "JPEG":
        phrases.append("grey made RGB")
    elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        phrases.append(f"{image.mode} made RGB")
    if kind not in ("JPEG", "PNG"):
        phrases.append(f"{kind} encoded anew")
    return tuple(phrases)


def _is_film(image) -> bool:
    try:
        return getattr(image, "is_animated", False)
    except Exception:  # A second frame that is broken is none.
        return False


def _is_deep(image, data: bytes) -> bool:
    is_png = image.format == "PNG"
    return image.mode.startswith("I;16") or is_png and data[24] == 16


def _is_readable(data: bytes, kind: str) -> bool:
    """Lets TensorFlow decode a file that is to be kept.

    All of a JPEG is read, but only an eighth of its pixels is computed.
    """
    try:
        if kind == "JPEG":
            tf.io.decode_jpeg(data, channels=3, ratio=8)
        else:
            tf.io.decode_png(data, channels=3)
    except tf.errors.OpError:
        return False
    return True


def _scaled(image, size: int):
    """Scales a picture down until its shorter side is `size`."""
    from PIL import Image

    short = min(image.size)
    wanted = [max(size, round(n * size / short)) for n in image.size]
    return image.resize(wanted, Image.Resampling.LANCZOS)


def _encoded(image, kind: str, data: bytes) -> bytes:
    is_photo = (
        kind in ("JPEG", "AVIF") or kind == "WEBP" and b"VP8L" not in data
    )
    stream = io.BytesIO()
    if is_photo:
        image.save(stream, "JPEG", **_PHOTO)
    else:
        image.save(stream, "PNG")
    return stream.getvalue()
