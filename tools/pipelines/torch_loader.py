"""AttnGAN's input by PyTorch's DataLoader and Pillow; knows nothing of ours.

    python tools/pipelines/torch_loader.py SETTINGS

SETTINGS is JSON: folder (its .jpg files are the pictures), captions (a JSON
file: NAME.jpg -> lists of word ids), batch_size, workers, image_size, crop,
base_size and max_words. Each line of standard input is a number of batches to
load; "done" is printed after them.

Per picture, as the published code does it: the file is read and decoded
whole, its shorter side scaled to `crop`, a square of `image_size` cut out at
random and mirrored by chance; smaller squares are scaled from that one; all
become float tensors in [-1, 1], colours first. One caption is drawn; longer
ones lose words at random.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image


class Pictures:
    """Loads a picture with one of its captions.

    Args:
        settings: see above.
    """

    def __init__(self, settings: dict):
        self.paths = sorted(pathlib.Path(settings["folder"]).glob("*.jpg"))
        told = json.loads(pathlib.Path(settings["captions"]).read_text())
        self.captions = [told[path.name] for path in self.paths]
        self.crop, self.largest = settings["crop"], settings["image_size"]
        self.sizes = [settings["base_size"]]
        while self.sizes[-1] < self.largest:
            self.sizes.append(2 * self.sizes[-1])
        self.max_words = settings["max_words"]

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, row):
        with Image.open(self.paths[row]) as opened:
            square = self.square(opened.convert("RGB"))
        squares = [
            square
            if size == self.largest
            else square.resize((size, size), Image.Resampling.BILINEAR)
            for size in self.sizes
        ]
        ids, length = self.caption(row)
        tensors = [tensor(each) for each in squares]
        return tensors, ids, length, row, self.paths[row].stem

    def square(self, image):
        """Cuts the largest square out of a picture.

        Args:
            image: Pillow's.

        Returns:
            Pillow's.
        """
        width, height = image.size
        shorter = min(width, height)
        size = width * self.crop // shorter, height * self.crop // shorter
        image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = (_drawn(side - self.largest + 1) for side in size)
        box = left, top, left + self.largest, top + self.largest
        image = image.crop(box)
        if _drawn(2):
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image

    def caption(self, row):
        """Draws a caption.

        Args:
            row: of which picture.

        Returns:
            (max_words,) int64, 0 is padding; how many words it has.
        """
        told = self.captions[row]
        ids = np.array(told[_drawn(len(told))], np.int64)
        if len(ids) > self.max_words:
            kept = torch.randperm(len(ids))[: self.max_words].numpy()
            ids = ids[np.sort(kept)]
        padded = np.zeros(self.max_words, np.int64)
        padded[: len(ids)] = ids
        return padded, len(ids)


def tensor(image):
    """Turns a picture into numbers.

    Args:
        image: Pillow's, RGB.

    Returns:
        (3, H, W) float32 in [-1, 1].
    """
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
    scaled = pixels.to(torch.float32).div(255)
    half = torch.full((3, 1, 1), 0.5)
    return scaled.sub_(half).div_(half)


def batches(settings: dict):
    """Loads batches, in a new order each time round.

    Args:
        settings: see above.

    Yields:
        What the loader puts together.
    """
    pictures = Pictures(settings)
    # One endless epoch: the workers never wait for the next to begin.
    order = torch.utils.data.RandomSampler(pictures, num_samples=10**6)
    loader = torch.utils.data.DataLoader(
        pictures,
        batch_size=settings["batch_size"],
        sampler=order,
        num_workers=settings["workers"],
        drop_last=True,
    )
    while True:
        yield from loader


def main(settings: dict) -> None:
    """Loads as many batches as asked for.

    Args:
        settings: see above.
    """
    print("imported", flush=True)
    stream = batches(settings)
    for line in sys.stdin:
        for _ in range(int(line)):
            next(stream)
        print("done", flush=True)


def _drawn(high):
    return int(torch.randint(high, (1,)))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
