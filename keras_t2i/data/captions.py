"""Cleans captions, and says in one sentence what is wrong with a bad one."""

import unicodedata
from collections.abc import Sequence

import numpy as np


def clean(text: str | bytes | None, where: str = "The caption") -> str:
    """Brings a caption into one plain line.

    Unicode is composed (NFC), control characters go, and any run of white
    space becomes one space. Letters keep their case: tokenizers decide on it.

    Args:
        text: the words, or their UTF-8 bytes.
        where: how errors name this caption; begins their sentence.

    Returns:
        The caption, never empty.

    Raises:
        ValueError: if the caption is missing, is not UTF-8, or is empty.
    """
    if text is None:
        raise ValueError(f"{where} is missing; give at least one word.")
    if isinstance(text, str):
        try:  # Command lines hide bytes that are not UTF-8 in surrogates.
            text = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise ValueError(
                f"{where} holds half a Unicode character (a lone surrogate); "
                "save it as UTF-8."
            ) from None
    if isinstance(text, (bytes, np.bytes_)):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{where} is not UTF-8 (byte {error.start} is "
                f"0x{text[error.start]:02x}); save it as UTF-8."
            ) from error
    if not isinstance(text, str):
        raise ValueError(
            f"{where} must be text; this is {type(text).__name__}."
        )
    composed = unicodedata.normalize("NFC", text)
    if not composed.isprintable():  # Most are, and need no search.
        composed = "".join(
            letter
            for letter in composed
            if letter.isspace() or unicodedata.category(letter) != "Cc"
        )
    cleaned = " ".join(composed.split())
    if not cleaned:
        raise ValueError(f"{where} is empty; give at least one word.")
    return cleaned


def check(text: str | bytes | None, where: str = "The caption") -> None:
    """Refuses a caption that `clean` cannot bring into one line.

    Args:
        text: the words, or their UTF-8 bytes.
        where: how errors name this caption.

    Raises:
        ValueError: if the caption is missing, is not UTF-8, or is empty.
    """
    clean(text, where)


def table(
    rows: Sequence[Sequence[str | bytes]], keys: Sequence[str]
) -> np.ndarray:
    """Cleans the captions of a whole set.

    Args:
        rows: N rows of K captions.
        keys: N names of the pictures, for errors.

    Returns:
        (N, K) array of str.

    Raises:
        ValueError: if a caption is bad (see `clean`), a picture has none, or
            pictures have different numbers of captions.
    """
    cleaned = []
    for row, key in zip(rows, keys, strict=True):
        if len(row) == 0:
            raise ValueError(f"Picture {key!r} has no caption; it needs one.")
        if cleaned and len(row) != len(cleaned[0]):
            raise ValueError(
                f"Picture {key!r} has {len(row)} captions and {keys[0]!r} has "
                f"{len(cleaned[0])}; every picture of a set needs as many."
            )
        cleaned.append(
            [
                clean(text, f"Caption {place} of picture {key!r}")
                for place, text in enumerate(row)
            ]
        )
    return np.array(cleaned, np.str_)
