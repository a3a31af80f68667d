r"""Prepares Fashion-MNIST: grey pictures of clothes, 28 px, in ten classes.

    python -m tools.prepare_fashion_mnist --out=data/fashion_mnist

--source is the folder of the four idx files, gzipped or not; without it they
are taken from where Debian's package dataset-fashion-mnist puts them. The set
has no captions: each picture gets the name of its class, in words around it
if you like, for instance --template="a photo of a {}".

Source: Xiao et al. 2017, arXiv:1708.07747; MIT licence, Zalando SE.
"""

import io
import pathlib

import numpy as np
from absl import flags

from keras_t2i.data import fashion_mnist
from recipes import messages
from tools.preparing import plan as plans
from tools.preparing import verb

_KNOWN = {"train": 60_000, "test": 10_000}


def plan(options) -> plans.Plan:
    """Opens the idx files.

    Args:
        options: the flags: source and template.

    Returns:
        The plan; pictures are encoded when they are asked for.

    Raises:
        ValueError: if a file is missing or damaged, or the template has no
            place for the name.
    """
    if options.template.count("{}") != 1:
        raise ValueError(
            f"--template={options.template!r} needs {{}} once, where the name "
            "of the class goes, as in 'a photo of a {}'."
        )
    _check(options.source)
    captions = [
        (options.template.replace("{}", name),)
        for name in fashion_mnist.CLASSES
    ]
    items = []
    for split in _KNOWN:
        part = fashion_mnist.load(split, path=options.source)
        file = _file(options.source, split)
        for key, image, label in zip(
            part.keys.tolist(), part.images, part.labels.tolist(), strict=True
        ):
            picture = plans.Bytes(key, lambda image=image: png(image), file)
            items.append(
                plans.Item(key, picture, captions[label], split, label)
            )
    return plans.Plan(
        name="fashion_mnist",
        about="Fashion-MNIST, Zalando SE (Xiao et al. 2017); MIT licence",
        items=items,
        class_names=fashion_mnist.CLASSES,
        known={
            **_KNOWN,
            "pictures": sum(_KNOWN.values()),
            "captions": sum(_KNOWN.values()),
            "classes": len(fashion_mnist.CLASSES),
            "captions_per_picture": 1,
        },
        notes=[
            "The set has no captions; they are the names of its classes"
            + (
                "."
                if options.template == "{}"
                else f", put into {options.template!r}."
            )
        ],
        config=("--config.data.image_size=32", "--config.data.crop=35"),
    )


def _check(source):
    """Names the flag where a file is missing; the loader knows none."""
    if source == fashion_mnist.KERAS:
        return
    folder = messages.existing("source", source)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            name = f"{part}-{kind}-ubyte"
            paths = (folder / f"{name}.gz", folder / name)
            if not any(path.is_file() for path in paths):
                raise ValueError(
                    f"--source={source} has no {name}.gz and no {name}; name a "
                    "folder that has the four files, as Debian's package "
                    "dataset-fashion-mnist brings them, or "
                    f"{fashion_mnist.KERAS} to have Keras download them."
                )


def _file(source, split):
    """Finds the file of pictures, or None where Keras keeps it."""
    prefix = {"train": "train", "test": "t10k"}[split]
    paths = [
        pathlib.Path(source) / f"{prefix}-images-idx3-ubyte{ending}"
        for ending in (".gz", "")
    ]
    return next((path for path in paths if path.is_file()), None)


def png(image: np.ndarray) -> bytes:
    """Encodes a grey picture.

    Args:
        image: (H, W, 1) uint8.

    Returns:
        PNG bytes.
    """
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image[..., 0]).save(stream, "PNG")
    return stream.getvalue()


if __name__ == "__main__":
    verb.define(
        "The folder of the four idx files, or keras.datasets to have Keras "
        "download them.",
        required=False,
    )
    flags.FLAGS.set_default("source", str(fashion_mnist.DEBIAN))
    flags.DEFINE_string(
        "template", "{}", "The caption; {} is the name of the class."
    )
    verb.run(plan)
