"""Drawn shapes with captions: pictures whose content is known exactly.

For tests and smoke runs; nothing is downloaded or stored. Colour, form, size
and place of every shape follow from the seed.
"""

import numpy as np

from keras_t2i.data import source
from keras_t2i.ops import noise

COLOURS = {
    "red": (210, 47, 39),
    "green": (92, 158, 49),
    "blue": (97, 178, 228),
    "yellow": (252, 234, 43),
    "purple": (137, 103, 170),
    "orange": (226, 112, 34),
}
FORMS = ("circle", "square", "triangle", "cross")
_SIZES = {"small": 0.16, "large": 0.3}  # half the width, as share of the side
_PLACES = {
    "top left": (0.36, 0.36),
    "top right": (0.36, 0.64),
    "bottom left": (0.64, 0.36),
    "bottom right": (0.64, 0.64),
}
_FINER = 4  # samples a pixel and axis, for smooth edges


def load(
    count: int = 512, image_size: int = 64, seed: int = 0
) -> source.Pictures:
    """Draws a set of shapes on white, one a picture.

    Args:
        count: how many.
        image_size: pixels a side, 8 or more.
        seed: other seeds draw other sets.

    Returns:
        `Pictures` with five captions each; labels are colour and form, keys
        begin with the seed.

    Raises:
        ValueError: if `count` is below 1 or `image_size` below 8.
    """
    if count < 1 or image_size < 8:
        raise ValueError(
            f"count is {count} and image_size {image_size}; at least one "
            "shape of 8 px is drawn."
        )
    colour = _choices(seed, "colour", count, len(COLOURS))
    form = _choices(seed, "form", count, len(FORMS))
    size = _choices(seed, "size", count, len(_SIZES))
    place = _choices(seed, "place", count, len(_PLACES))
    shift = noise.uniform(
        noise.key(seed, 0, "shapes shift"), (count, 2), -0.04, 0.04
    ).numpy()
    drawn = np.empty((count, image_size, image_size, 3), np.uint8)
    texts = []
    for row in range(count):
        c, f = list(COLOURS)[colour[row]], FORMS[form[row]]
        s, p = list(_SIZES)[size[row]], list(_PLACES)[place[row]]
        centre = np.array(_PLACES[p]) + shift[row]
        share = _covered(f, centre, _SIZES[s], image_size)[..., None]
        ink = share * COLOURS[c] + (1.0 - share) * 255.0
        drawn[row] = np.rint(ink).astype(np.uint8)
        texts.append(_captions(c, f, s, p))
    return source.Pictures(
        images=drawn,
        captions=np.array(texts),
        labels=(colour * len(FORMS) + form).astype(np.int32),
        keys=np.array([f"{seed}-{row:06d}" for row in range(count)]),
        class_names=tuple(f"{c} {f}" for c in COLOURS for f in FORMS),
        name="shapes",
    )


def _choices(seed, salt, count, high):
    key = noise.key(seed, 0, f"shapes {salt}")
    return noise.uniform(key, (count,), 0, high, "int64").numpy()


def _captions(colour, form, size, place):
    article = "an" if colour[0] in "aeiou" else "a"
    return (
        f"{article} {colour} {form}",
        f"a {size} {colour} {form}",
        f"{article} {colour} {form} at the {place}",
        f"a drawing of a {form} in {colour}",
        f"one {form}, {size} and {colour}",
    )


def _covered(form, centre, half, image_size):
    """Returns (H, W) in [0, 1]: the share of each pixel inside the form."""
    fine = image_size * _FINER
    steps = (np.arange(fine) + 0.5) / fine
    down = ((steps - centre[0]) / half)[:, None]
    right = ((steps - centre[1]) / half)[None]
    if form == "circle":
        inside = down**2 + right**2 < 1.0
    elif form == "square":
        inside = np.maximum(abs(down), abs(right)) < 0.9
    elif form == "triangle":
        inside = (abs(down) < 1.0) & (2.0 * abs(right) < 1.0 + down)
    else:
        thin = np.minimum(abs(down), abs(right)) < 0.3
        inside = thin & (np.maximum(abs(down), abs(right)) < 1.0)
    cells = inside.reshape(image_size, _FINER, image_size, _FINER)
    return cells.mean((1, 3))
