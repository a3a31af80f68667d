"""Our record files: TFRecords of `tf.train.Example`, one picture each.

    image       bytes      the picture as PNG or JPEG
    captions    bytes x K  UTF-8
    label       int64      class, or the main one of several, or -1
    class_name  bytes      name of the class, or empty
    key         bytes      the picture's name, unique in the set
    labels      int64 x n  all classes, in sets with several a picture

A set lies in one file or in several (`name-00000-of-00004.tfrecord`).
"""

import dataclasses
import os
import pathlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_t2i.data import captions, index, source, texts

_NUMBER = r"-\d+-of-\d+$"  # of a shard
_HEAD, _TAIL = 12, 4  # bytes around a record: its length, two checksums


def write(path: str | os.PathLike, examples: Iterable[Mapping]) -> index.Index:
    """Writes examples into one record file, whole or not at all.

    Args:
        path: the file; its folder is made. One that exists is replaced.
        examples: mappings with `image` (encoded bytes, or (H, W, 3) uint8,
            which becomes PNG), `captions` (a list of str or UTF-8 bytes),
            `key` (str), and, if there are classes, `label` (int),
            `class_name` (str) and `labels` (list of int). `own` (int) tells
            how many of the captions are the picture's own, if the rest are
            these once more; only the index keeps it.

    Returns:
        Where each record lies, and what it tells.

    Raises:
        ValueError: if an example lacks a part or has a bad caption; the file,
            if any, is then as it was.
        OSError: if it cannot be written; likewise.
    """
    path = pathlib.Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    rows = _Rows()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(os.fspath(beside)) as writer:
            for place, example in enumerate(examples):
                made = _checked(example, place)
                serialized = _serialized(made)
                writer.write(serialized)
                rows.add(made, len(serialized))
        os.replace(beside, path)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            f"Cannot write {path}, what was there is unchanged: {error}"
        ) from error
    finally:
        if beside.exists():
            beside.unlink()
    return rows.index()


def write_shards(
    folder: str | os.PathLike, pictures: source.Pictures, shards: int
) -> list[str]:
    """Writes a held set into several record files of even length.

    Pictures are dealt like cards, so that every file holds a mixture.

    Args:
        folder: where they go; made if missing.
        pictures: not streamed.
        shards: how many files, at most one a picture.

    Returns:
        Their paths.

    Raises:
        ValueError: if `shards` is not in 1 ... N.
    """
    if not 1 <= shards <= len(pictures):
        raise ValueError(
            f"{len(pictures)} pictures cannot fill {shards} shards; allowed "
            f"are 1 to {len(pictures)}."
        )
    name = pictures.name.replace("/", "_")
    paths = []
    for number in range(shards):
        file = f"{name}-{number:05d}-of-{shards:05d}.tfrecord"
        paths.append(os.path.join(folder, file))
        dealt = pictures.subset(slice(number, None, shards))
        write(paths[-1], examples(dealt))
    return paths


def examples(pictures: source.Pictures) -> Iterator[dict]:
    """Turns a held set into what `write` takes.

    Args:
        pictures: not streamed.

    Yields:
        One mapping a picture.

    Raises:
        ValueError: if the pictures are streamed.
    """
    pictures = pictures.subset(slice(None))
    named = pictures.images.ndim == 1 and pictures.images.dtype.kind == "U"
    own = pictures.own_counts
    for row, image in enumerate(pictures.images):
        label = int(pictures.labels[row])
        yield {
            "image": pathlib.Path(image).read_bytes() if named else image,
            "captions": pictures.captions[row].tolist(),
            "label": label,
            "class_name": pictures.class_names[label] if label >= 0 else "",
            "key": str(pictures.keys[row]),
            "labels": []
            if pictures.label_sets is None
            else pictures.label_sets.of(row).tolist(),
            "own": int(own[row]),
        }


def read(
    paths: str | os.PathLike | Sequence,
    *,
    stream: bool = False,
    name: str | None = None,
) -> source.Pictures:
    """Opens record files, every record checked.

    Args:
        paths: one file or several; their order is the order of the rows.
        stream: leave the pictures in the files (sets larger than memory);
            captions, labels and keys are held all the same.
        name: of the set, for reports; that of the files when None.

    Returns:
        `Pictures` of encoded bytes or of `source.Shards`.

    Raises:
        ValueError: naming the file and the record's number (from 0), if one
            is corrupt, lacks a part, has a bad caption, or a key that was
            there before; or if a file is missing or empty.
    """
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    paths = [os.fspath(path) for path in paths]
    if not paths:
        raise ValueError("No record file is named; name at least one.")
    images, keys, classes, parts = [], {}, {}, []
    for path in paths:
        rows = _Rows()
        for place, (example, length) in enumerate(_records(path)):
            where = f"Record {place} of {path}"
            if example["key"] in keys:
                raise ValueError(
                    f"{where} has the key {example['key']!r} of "
                    f"{keys[example['key']]}; keys must differ."
                )
            keys[example["key"]] = where
            if not stream:
                images.append(example["image"])
            classes.setdefault(example["label"], example["class_name"])
            rows.add(example, length)
        if not rows.keys:
            raise ValueError(f"{path} holds no record.")
        parts.append(rows)
    _check_even(parts)
    names = tuple(classes.get(i, "") for i in range(max(classes) + 1))
    name = name or re.sub(_NUMBER, "", pathlib.Path(paths[0]).stem)
    listed = index.join([rows.index() for rows in parts])
    streamed = indexed(paths, listed, class_names=names, name=name)
    if stream:
        return streamed
    held = np.empty(len(images), object)
    held[:] = images
    return dataclasses.replace(
        streamed,
        images=held,
        captions=streamed.captions[...],
        keys=streamed.keys[...],
    )


def indexed(
    paths: Sequence[str],
    listed: index.Index,
    *,
    class_names: tuple[str, ...],
    name: str,
    content: str | None = None,
) -> source.Pictures:
    """Opens record files whose index is known, without reading them.

    Args:
        paths: the files.
        listed: where their records lie.
        class_names: names of the classes, by label.
        name: of the set, for reports.
        content: name of the files' content, if it is known.

    Returns:
        `Pictures` of `source.Shards`.
    """
    sets = None
    if len(listed.classes):
        sets = source.LabelSets(listed.classes, listed.class_ends)
    told = {
        "captions": listed.captions,
        "keys": listed.keys,
        "labels": listed.label,
    }
    places = listed.shard, listed.offset, listed.length
    return source.Pictures(
        images=source.Shards(tuple(paths), *places, content, told),
        **told,
        own=listed.own,
        class_names=class_names,
        name=name,
        label_sets=sets,
    )


def parsed(serialized, parts: Iterable[str], captions_per_picture: int):
    """Takes parts out of records, in a graph.

    Args:
        serialized: () or (B,) string, records as they lie in the file.
        parts: of "image", "captions" and "key".
        captions_per_picture: K.

    Returns:
        dict of string tensors: "image", PNG or JPEG bytes, and "key" of the
        shape of `serialized`; "captions" with one more axis, K.
    """
    shapes = {"image": [], "captions": [captions_per_picture], "key": []}
    wanted = {
        part: tf.io.FixedLenFeature(shapes[part], tf.string) for part in parts
    }
    return tf.io.parse_example(serialized, wanted)


def png(image: np.ndarray) -> bytes:
    """Encodes one picture without loss.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        PNG bytes.
    """
    return tf.io.encode_png(image).numpy()


def _checked(example: Mapping, place: int) -> dict:
    """Fills an example up, its captions cleaned and its picture encoded."""
    where = f"Example {place}"
    for part in ("image", "captions", "key"):
        if part not in example:
            raise ValueError(
                f"{where} has no {part!r}; it needs image, captions and key."
            )
    image = example["image"]
    if not isinstance(image, bytes):
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.shape[2:] != (3,):
            raise ValueError(
                f"The image of {where.lower()} must be encoded bytes or "
                f"(H, W, 3) uint8; it is {image.dtype} of {image.shape}."
            )
        image = png(image)
    told = captions.table([example["captions"]], [example["key"]])[0]
    own = int(example.get("own", len(told)))
    if not 1 <= own <= len(told):
        raise ValueError(
            f"{where} has own={own}; allowed are 1 to its {len(told)} captions."
        )
    return {
        "image": image,
        "captions": told.tolist(),
        "own": own,
        "label": int(example.get("label", -1)),
        "class_name": example.get("class_name", ""),
        "key": example["key"],
        "labels": [int(label) for label in example.get("labels", ())],
    }


def _serialized(example: dict) -> bytes:
    return _example(
        image=[example["image"]],
        captions=[text.encode() for text in example["captions"]],
        label=[example["label"]],
        class_name=[example["class_name"].encode()],
        key=[example["key"].encode()],
        **({"labels": example["labels"]} if example["labels"] else {}),
    ).SerializeToString(deterministic=True)


class _Rows:
    """Gathers what an index tells of one file's records."""

    def __init__(self):
        self.keys, self.captions, self.labels = [], [], []
        self._lengths, self._sets, self._own = [], [], []

    def add(self, example, length):
        self.keys.append(example["key"])
        self.captions.append(list(example["captions"]))
        self._own.append(example["own"])
        self.labels.append(example["label"])
        self._sets.append(example["labels"])
        self._lengths.append(length)

    def index(self):
        lengths = np.array(self._lengths, np.int64)
        ends = np.cumsum(lengths + (_HEAD + _TAIL))
        return index.Index(
            shard=np.zeros(len(lengths), np.int32),
            offset=ends - lengths - _TAIL,
            length=lengths,
            label=np.array(self.labels, np.int32),
            captions=texts.Texts.of(self.captions),
            own=np.array(self._own, np.int32),
            keys=texts.Texts.of(self.keys),
            classes=np.array(
                [x for each in self._sets for x in each], np.int32
            ),
            class_ends=np.cumsum([len(x) for x in self._sets], dtype=np.int64),
        )


def _check_even(parts):
    """Refuses pictures with more captions than the first, or fewer."""
    keys = [key for rows in parts for key in rows.keys]
    told = [row for rows in parts for row in rows.captions]
    captions.table(told, keys)


def _example(**parts: list) -> tf.train.Example:
    features = {name: _feature(value) for name, value in parts.items()}
    return tf.train.Example(features=tf.train.Features(feature=features))


def _feature(values):
    if isinstance(values[0], int):
        numbers = tf.train.Int64List(value=values)
        return tf.train.Feature(int64_list=numbers)
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _records(path: str) -> Iterator[tuple[dict, int]]:
    if not os.path.isfile(path):
        raise ValueError(f"There is no record file {path}.")
    place, size = -1, 0
    try:
        stored = tf.data.TFRecordDataset(path)
        for place, serialized in enumerate(stored.as_numpy_iterator()):
            size += len(serialized) + _HEAD + _TAIL
            example = _parsed(serialized, f"Record {place} of {path}")
            yield example, len(serialized)
        # TensorFlow takes a file cut off in a frame for one that ends there.
        whole = size == os.path.getsize(path)
    except tf.errors.DataLossError:
        whole = False
    if not whole:
        raise ValueError(
            f"Record {place + 1} of {path} is corrupt or cut off; make the "
            "file again."
        )


def _parsed(serialized: bytes, where: str) -> dict:
    try:
        example = tf.train.Example.FromString(serialized)
    except Exception as error:  # protobuf's DecodeError has no public home
        raise ValueError(f"{where} is no tf.train.Example.") from error
    parts = example.features.feature
    if parts["image"].WhichOneof("kind") != "bytes_list":
        raise ValueError(f"{where} has no 'image'; it is not of our schema.")
    image = _one(parts["image"].bytes_list.value, "image", where)
    if not _is_picture(image):
        raise ValueError(f"The image of {where.lower()} is no PNG or JPEG.")
    key = _one(parts["key"].bytes_list.value, "key", where)
    told = list(parts["captions"].bytes_list.value)
    if not told:
        raise ValueError(f"{where} has no caption; it needs one.")
    label = parts["label"].int64_list.value
    return {
        "image": image,
        "captions": [
            captions.clean(text, f"Caption {i} of {where.lower()}")
            for i, text in enumerate(told)
        ],
        "own": len(told),
        "label": label[0] if label else -1,
        "class_name": b"".join(parts["class_name"].bytes_list.value).decode(),
        "key": captions.clean(key, f"The key of {where.lower()}"),
        "labels": list(parts["labels"].int64_list.value),
    }


def _one(values, part: str, where: str) -> bytes:
    if len(values) != 1:
        raise ValueError(f"{where} has {len(values)} of {part!r}; it needs 1.")
    return values[0]


def _is_picture(data: bytes) -> bool:
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))
