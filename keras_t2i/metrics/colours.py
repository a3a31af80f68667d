"""Whether a picture has the colour that its caption names."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from keras_t2i.ops import palette

#: Colours asked for: every plain name of OpenMoji's palette but white and
#: black, which are paper and lines, gray, which is metal, and skin.
COLOURS = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "brown",
    "pink",
)

#: Things asked for: three that OpenMoji draws in most of these colours, and
#: two that it hardly does, so that colour and thing must be put together.
NOUNS = ("heart", "circle", "square", "car", "flower")

#: Noises a prompt is drawn with.
SEEDS = (0, 1, 2, 3, 4)


def prompts() -> list[tuple[str, str]]:
    """Lists the 40 prompts of `truth`, each with the colour it names."""
    return [
        (f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {noun}", colour)
        for colour in COLOURS
        for noun in NOUNS
    ]


def named(caption: str) -> str:
    """Finds the colour that a caption names.

    Args:
        caption: any text.

    Returns:
        One of the palette's names, if the caption holds exactly one of them
        as a word of its own; "" otherwise. "Skin" counts as no colour.
    """
    words = re.findall(r"[a-z]+", caption.lower().replace("grey", "gray"))
    found = sorted(set(words) & set(palette.NAMES) - {"skin"})
    return found[0] if len(found) == 1 else ""


def truth(generate: Callable, seeds: Sequence[int] = SEEDS) -> np.ndarray:
    """Measures how often a drawn thing has the colour asked for.

    A picture is right if the most frequent colour name among its pixels,
    white and black left out, is the one its prompt names. Each prompt is
    drawn once with every noise.

    Args:
        generate: callable on (N captions, N seeds); answers (N, H, W, 3)
            uint8, row i drawn from caption i with the noise of seed i.
        seeds: the noises.

    Returns:
        (seeds,) float64 in [0, 1]: share of the 40 pictures of each noise that
        are right. One plain colour for all would get 1 / 8.
    """
    captions = [caption for caption, _ in prompts()]
    wanted = np.array([colour for _, colour in prompts()])
    shares = []
    for seed in seeds:
        drawn = np.asarray(generate(captions, np.full(len(captions), seed)))
        shares.append(np.mean(palette.dominant(drawn) == wanted))
    return np.array(shares)


def truth_of_real(images: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """Asks the same of real pictures whose captions name a colour.

    Args:
        images: (N, H, W, 3) uint8.
        captions: (N, K) strings.

    Returns:
        (M,) bool, one for each caption that names exactly one colour, and one
        of `COLOURS`: whether its picture has that colour. M may be 0.
    """
    colours = np.array([[named(text) for text in row] for row in captions])
    right = colours == palette.dominant(images)[:, None]
    return right[np.isin(colours, COLOURS)]
