"""Tiny trees of what CUB and the flowers share, as the downloads have them."""

import contextlib
import io
import pathlib
import pickle
import tempfile

import h5py
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import prepared
from tests.tools import preparing_cases
from tools.preparing import verb

CAPTIONS = 10
#: Draws a photo.
jpeg = preparing_cases.jpeg
#: A pickle that would make a file if it were run.
HOSTILE = b"cposix\nsystem\n(S'touch executed'\ntR."


class Case(parameterized.TestCase, tf.test.TestCase):
    """Each test works in a folder of its own."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(contextlib.chdir(folder))


def write(folder, files):
    """Writes files of text or bytes by their path."""
    for name, content in files.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(data)


def texts(key):
    """The ten captions of a picture."""
    return [f"{key[-3:]} has a red wing, no. {k}." for k in range(CAPTIONS)]


def text_files(folder, keys):
    """Caption files by their path, of CLASS/NAME keys."""
    return {f"{folder}/{key}.txt": "\n".join(texts(key)) + "\n" for key in keys}


def old_pickle(names):
    """A list of str, as Python 2's protocol 0 has it."""
    names = [name.replace("\\", r"\\") for name in names]
    rows = "".join(f"S'{name}'\np{i}\na" for i, name in enumerate(names, 1))
    return f"(lp0\n{rows}.".encode()


def attngan_files(train, test, classes=None, protocol=2):
    """AttnGAN's pickles by their path."""
    words = {0: "<end>", 1: "wing", 2: "red", 3: "a"}
    rows = [
        [[3, 2, 1] for _ in range(CAPTIONS * len(keys))]
        for keys in (train, test)
    ]
    table = [*rows, words, {word: n for n, word in words.items()}]
    files = {
        "train/filenames.pickle": old_pickle(train),
        "test/filenames.pickle": pickle.dumps(list(test), protocol),
        "captions.pickle": pickle.dumps(table, protocol),
    }
    for part, keys in (("train", train), ("test", test)):
        if classes:
            numbers = [classes[key] for key in keys]
            files[f"{part}/class_info.pickle"] = pickle.dumps(numbers, protocol)
    return files


def hdf5(path, pictures):
    """Writes aelnouby's file of (split, class, name, bytes, captions)."""
    text = h5py.special_dtype(vlen=str)
    with h5py.File(path, "w") as file:
        for split in ("train", "valid", "test"):
            file.create_group(split)
        for split, owner, name, data, captions in pictures:
            for row, caption in enumerate(captions):
                group = file[split].create_group(f"{name}_{row}")
                group.create_dataset("name", data=name)
                group.create_dataset("img", data=np.void(data))
                group.create_dataset("embeddings", data=np.zeros(8, "f4"))
                group.create_dataset("class", data=owner)
                value = np.array(caption + "\n", dtype=object)
                group.create_dataset("txt", data=value, dtype=text)


def options(source, **changes):
    """Flags with their usual values."""
    usual = dict(
        source=str(source),
        captions_from=None,
        split="auto",
        crop=True,
        min_size=8,
        workers=2,
    )
    return preparing_cases.options(**usual | changes)


def prepare(tool, out, source, **changes):
    """Prepares a set.

    Returns:
        The manifest, the pictures by split, and what was printed.
    """
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        manifest = verb.prepare(
            tool.plan, options(source, out=str(out), **changes)
        )
    parts = {
        split: prepared.load(out, split)
        for split in ("train", "val", "test")
        if pathlib.Path(out, f"{split}.index.npz").exists()
    }
    return manifest, parts, told.getvalue()


def image(pictures, row):
    """The bytes of a picture of a prepared set."""
    data = pictures.images.read([row])[0]
    example = tf.train.Example.FromString(data)
    return example.features.feature["image"].bytes_list.value[0]


def reasons(found):
    """What a plan refused: reason by the end of the file's name."""
    return {str(file): reason for file, reason in found.refused}
