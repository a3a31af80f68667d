"""Fashion-MNIST: 70,000 grey pictures of clothes in ten classes, 28 px.

Read from Debian's package dataset-fashion-mnist, from a folder with the four
idx files (gzipped or not), or, if asked, downloaded by Keras. Its licence is
MIT, of Zalando SE (https://github.com/zalandoresearch/fashion-mnist).
"""

import os
import pathlib

import numpy as np

from keras_t2i.data import idx, source

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
#: Where Debian's package puts the files.
DEBIAN = pathlib.Path("/usr/share/datasets/fashion-mnist")
#: What to give as a path to have Keras download and keep the files.
KERAS = "keras.datasets"
_PREFIXES = {"train": "train", "test": "t10k"}


def load(
    split: str | None = None,
    image_size: int = 28,
    path: str | os.PathLike | None = None,
) -> source.Pictures:
    """Opens the set, or its training or test part.

    Args:
        split: "train" (60,000), "test" (10,000), or None for both.
        image_size: 28.
        path: folder of the files; `DEBIAN` when None; "keras.datasets" lets
            Keras download them.

    Returns:
        `Pictures` of (N, 28, 28, 1) uint8; the caption of each is the name of
        its class.

    Raises:
        ValueError: if a file is missing or damaged, the files don't belong
            together, or another size is asked for.

    Source:
        Xiao et al. 2017, arXiv:1708.07747.
    """
    if split not in (None, *_PREFIXES):
        raise ValueError(
            f"split is {split!r}; allowed are 'train', 'test' and None."
        )
    if image_size != 28:
        raise ValueError(
            f"image_size is {image_size}; pictures of Fashion-MNIST have 28 px."
        )
    splits = list(_PREFIXES) if split is None else [split]
    parts = [_part(each, path) for each in splits]
    images, labels = (np.concatenate(both) for both in zip(*parts, strict=True))
    return source.Pictures(
        images=images[..., np.newaxis],
        captions=np.array(CLASSES)[labels][:, np.newaxis],
        labels=labels.astype(np.int32),
        keys=np.concatenate(
            [
                _keys(each, len(held))
                for each, (held, _) in zip(splits, parts, strict=True)
            ]
        ),
        class_names=CLASSES,
        name="fashion_mnist" if split is None else f"fashion_mnist/{split}",
    )


def _part(split, path):
    """Reads (N, 28, 28) pictures and (N,) labels."""
    if path is not None and os.fspath(path) == KERAS:
        from keras import datasets

        try:
            train, test = datasets.fashion_mnist.load_data()
        except Exception as error:  # Keras raises the bare class.
            raise OSError(
                f"Keras could not download Fashion-MNIST ({error}). Install "
                "Debian's package dataset-fashion-mnist, or name a folder "
                "that has the four files as path (config.data.path)."
            ) from error
        return train if split == "train" else test
    folder = pathlib.Path(DEBIAN if path is None else path)
    prefix = _PREFIXES[split]
    images = idx.read(_file(folder, f"{prefix}-images-idx3-ubyte"), 3)
    labels = idx.read(_file(folder, f"{prefix}-labels-idx1-ubyte"), 1)
    if images.shape[1:] != (28, 28) or len(images) != len(labels):
        raise ValueError(
            f"The {split} part in {folder} has {len(labels)} labels and "
            f"pictures of shape {images.shape}; as many of 28 x 28 belong "
            "together."
        )
    if len(labels) and labels.max() >= len(CLASSES):
        raise ValueError(
            f"The {split} part in {folder} has label {labels.max()}; allowed "
            f"are 0 to {len(CLASSES) - 1}."
        )
    return images, labels


def _file(folder, name):
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise ValueError(
        f"{folder} has no {name}.gz and no {name}. Install Debian's package "
        "dataset-fashion-mnist, or name as path (config.data.path) a folder "
        f"that has the four files, or {KERAS!r} to have Keras download them."
    )


def _keys(split, count):
    return np.array([f"{split}/{row:05d}" for row in range(count)])
