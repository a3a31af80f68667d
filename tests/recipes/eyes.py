"""A network that judges pictures at once: it sees colours and edges."""

import pathlib
from unittest import mock

import numpy as np
from PIL import Image

from keras_t2i import weights


class Eye:
    """Reads pictures as `encoders.features.Features` does, without weights.

    "pooled" holds the mean colours of the four quarters and how much
    neighbours differ; "logits" how much of six colours there is.

    Args:
        digest: what names it.
        most: how many pictures it sees before the light goes out.

    Attributes:
        seen: how many pictures it was shown.
    """

    name, resize = "eye", "none"

    def __init__(self, digest: str = "eye 1", most: float = np.inf):
        self.digest, self.most, self.seen = digest, most, 0

    def __call__(self, images):
        self.seen += len(images)
        if self.seen > self.most:
            raise OSError("the light went out")
        images = np.asarray(images, np.float64)
        halves = np.array_split(images, 2, axis=1)
        quarters = [q for half in halves for q in np.array_split(half, 2, 2)]
        parts = [quarter.mean((1, 2)) for quarter in quarters]
        parts += [abs(np.diff(images, axis=a)).mean((1, 2)) for a in (1, 2)]
        colours = images.mean((1, 2))
        logits = 5.0 * np.concatenate([colours, -colours], 1)
        return {"pooled": np.concatenate(parts, 1), "logits": logits}


def opened(eye: Eye):
    """Lets an eye judge wherever a network is asked for by name.

    Args:
        eye: it.

    Returns:
        A context; what it gives counts how it was asked.
    """
    return mock.patch.object(weights.judges, "load", return_value=eye)


def save(folder: pathlib.Path, pictures: np.ndarray, captions=()) -> str:
    """Writes pictures as files, with captions beside them.

    Args:
        folder: where; made if missing.
        pictures: (N, H, W, 3) uint8.
        captions: N strings, or none.

    Returns:
        The folder's name, for a flag.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for row, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{row:03}.png")
    for row, caption in enumerate(captions):
        (folder / f"{row:03}.txt").write_text(caption)
    return str(folder)
