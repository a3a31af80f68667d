"""OpenMoji's colours: which of 27 a pixel is nearest to, and its plain name."""

import numpy as np

_TABLE = (
    ("#000000", "black"),
    ("#ffffff", "white"),
    ("#92d3f5", "blue"),
    ("#61b2e4", "blue"),
    ("#1e50a0", "blue"),
    ("#ea5a47", "red"),
    ("#d22f27", "red"),
    ("#781e32", "red"),
    ("#b1cc33", "green"),
    ("#5c9e31", "green"),
    ("#186648", "green"),
    ("#fcea2b", "yellow"),
    ("#f1b31c", "yellow"),
    ("#d0cfce", "gray"),
    ("#9b9b9a", "gray"),
    ("#3f3f3f", "black"),
    ("#f4aa41", "orange"),
    ("#e27022", "orange"),
    ("#ffa7c0", "pink"),
    ("#e67a94", "pink"),
    ("#b399c8", "purple"),
    ("#8967aa", "purple"),
    ("#a57939", "brown"),
    ("#6a462f", "brown"),
    ("#fadcbc", "skin"),
    ("#debb90", "skin"),
    ("#c19a65", "skin"),
)
_CHUNK = 1 << 18  # pixels compared at once: 28 MB of distances

#: (27, 3) uint8: the 24 colours of OpenMoji's palette and its skin tones.
COLOURS = np.array(
    [[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code, _ in _TABLE],
    np.uint8,
)

#: The 12 plain names of the colours, in the order of `COLOURS`. OpenMoji's
#: "dark grey" #3f3f3f is black here, as people call it.
NAMES = tuple(dict.fromkeys(name for _, name in _TABLE))

_NAME_OF_COLOUR = np.array([NAMES.index(name) for _, name in _TABLE])


def nearest(pixels: np.ndarray) -> np.ndarray:
    """Finds the palette colour that lies nearest to each pixel.

    Args:
        pixels: (..., 3) uint8, red, green, blue in [0, 255].

    Returns:
        (...) uint8: row of `COLOURS` at the smallest Euclidean distance; the
        first row where two are equally near.

    Raises:
        ValueError: if `pixels` are not uint8 or have no 3 channels.

    Source:
        Palette: data/color-palette.json of npm's `openmoji` 17.0.0, its 24
        `colors` and the three `skintones` that are not among them.
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.shape[-1:] != (3,):
        raise ValueError(
            "Pixels must be uint8 with 3 channels last; these are "
            f"{pixels.dtype} of shape {pixels.shape}."
        )
    colours = COLOURS.astype(np.float32)
    lengths = (colours**2).sum(1)
    flat = pixels.reshape(-1, 3)
    found = np.empty(len(flat), np.uint8)
    for start in range(0, len(flat), _CHUNK):
        part = flat[start : start + _CHUNK].astype(np.float32)
        # |p - c|^2 without |p|^2; every number here is an exact float32.
        distance = lengths - 2.0 * (part @ colours.T)
        found[start : start + _CHUNK] = distance.argmin(1)
    return found.reshape(pixels.shape[:-1])


def names_of(images: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Counts the pixels of each colour name in every image.

    Args:
        images: (..., H, W, 3) uint8 in [0, 255].
        where: (..., H, W) bool; only pixels marked True count. All when None.

    Returns:
        (..., 12) int64: pixels of each of `NAMES`.

    Raises:
        ValueError: if `images` are not uint8 or have no 3 channels.
    """
    names = _NAME_OF_COLOUR[nearest(images)]
    outer = names.shape[:-2]
    names = names.reshape(-1, names.shape[-2] * names.shape[-1])
    places = names + len(NAMES) * np.arange(len(names))[:, None]
    if where is not None:
        places = places[np.asarray(where, bool).reshape(names.shape)]
    counts = np.bincount(places.ravel(), minlength=len(NAMES) * len(names))
    return counts.reshape(*outer, len(NAMES))


def dominant(
    images: np.ndarray, exclude: tuple[str, ...] = ("white", "black")
) -> np.ndarray:
    """Names the most frequent colour of every image, background left out.

    Args:
        images: (N, H, W, 3) uint8 in [0, 255].
        exclude: names of `NAMES` whose pixels do not count.

    Returns:
        (N,) str: one of `NAMES`; "" where every pixel is left out.

    Raises:
        ValueError: if `exclude` holds a name that is not in `NAMES`.
    """
    unknown = sorted(set(exclude) - set(NAMES))
    if unknown:
        raise ValueError(
            f"Unknown colour names {unknown}; known are {list(NAMES)}."
        )
    counts = names_of(images)
    counts[:, [NAMES.index(name) for name in exclude]] = 0
    names = np.array(NAMES)[counts.argmax(1)]
    return np.where(counts.sum(1) > 0, names, "")
