"""Our record files: TFRecords of `tf.train.Example`, one picture each.

    image       bytes     the picture as PNG or JPEG
    captions    bytes x K UTF-8
    label       int64     class, or -1
    class_name  bytes     name of the class, or empty
    key         bytes     the picture's name, unique in the set

A set lies in one file or in several (`name-00000-of-00004.tfrecord`).
"""

import os
import pathlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_t2i.data import captions, source

_NUMBER = r"-\d+-of-\d+$"  # of a shard
_FRAME = 16  # bytes around a record: its length and two checksums


def write(path: str | os.PathLike, examples: Iterable[Mapping]) -> int:
    """Writes examples into one record file, whole or not at all.

    Args:
        path: the file; its folder is made. One that exists is replaced.
        examples: mappings with `image` (encoded bytes, or (H, W, 3) uint8,
            which becomes PNG), `captions` (a list of str or UTF-8 bytes),
            `key` (str), and, if there are classes, `label` (int) and
            `class_name` (str).

    Returns:
        How many were written.

    Raises:
        ValueError: if an example lacks a part or has a bad caption; the file,
            if any, is then as it was.
        OSError: if it cannot be written; likewise.
    """
    path = pathlib.Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(os.fspath(beside)) as writer:
            for count, example in enumerate(examples, 1):  # noqa: B007
                writer.write(_serialized(example, count - 1))
        os.replace(beside, path)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            f"Cannot write {path}, what was there is unchanged: {error}"
        ) from error
    finally:
        if beside.exists():
            beside.unlink()
    return count


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
    for row, image in enumerate(pictures.images):
        label = int(pictures.labels[row])
        yield {
            "image": pathlib.Path(image).read_bytes() if named else image,
            "captions": pictures.captions[row].tolist(),
            "label": label,
            "class_name": pictures.class_names[label] if label >= 0 else "",
            "key": str(pictures.keys[row]),
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
    images, texts, labels, keys, classes, counts = [], [], [], {}, {}, []
    for path in paths:
        before = len(texts)
        for place, example in enumerate(_records(path)):
            where = f"Record {place} of {path}"
            if example["key"] in keys:
                raise ValueError(
                    f"{where} has the key {example['key']!r} of "
                    f"{keys[example['key']]}; keys must differ."
                )
            keys[example["key"]] = where
            if not stream:
                images.append(example["image"])
            texts.append(example["captions"])
            labels.append(example["label"])
            classes.setdefault(example["label"], example["class_name"])
        counts.append(len(texts) - before)
        if not counts[-1]:
            raise ValueError(f"{path} holds no record.")
    highest = max(labels)
    held = source.Shards(tuple(paths), tuple(counts))
    if not stream:
        held = np.empty(len(images), object)
        held[:] = images
    return source.Pictures(
        images=held,
        captions=captions.table(texts, list(keys)),
        labels=np.array(labels, np.int32),
        keys=np.array(list(keys), np.str_),
        class_names=tuple(classes.get(i, "") for i in range(highest + 1)),
        name=name or re.sub(_NUMBER, "", pathlib.Path(paths[0]).stem),
    )


def encoded_images(serialized: tf.Tensor) -> tf.Tensor:
    """Takes the encoded pictures out of records, in a graph.

    Args:
        serialized: (B,) string, records as they lie in the file.

    Returns:
        (B,) string: PNG or JPEG bytes.
    """
    wanted = {"image": tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_example(serialized, wanted)["image"]


def png(image: np.ndarray) -> bytes:
    """Encodes one picture without loss.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        PNG bytes.
    """
    return tf.io.encode_png(image).numpy()


def _serialized(example: Mapping, place: int) -> bytes:
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
    texts = captions.table([example["captions"]], [example["key"]])[0]
    return _example(
        image=[image],
        captions=[text.encode() for text in texts],
        label=int(example.get("label", -1)),
        class_name=[example.get("class_name", "").encode()],
        key=[example["key"].encode()],
    ).SerializeToString(deterministic=True)


def _example(label: int, **parts: list[bytes]) -> tf.train.Example:
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        for name, value in parts.items()
    }
    features["label"] = tf.train.Feature(
        int64_list=tf.train.Int64List(value=[label])
    )
    return tf.train.Example(features=tf.train.Features(feature=features))


def _records(path: str) -> Iterator[dict]:
    if not os.path.isfile(path):
        raise ValueError(f"There is no record file {path}.")
    place, size = -1, 0
    try:
        stored = tf.data.TFRecordDataset(path)
        for place, serialized in enumerate(stored.as_numpy_iterator()):
            size += len(serialized) + _FRAME
            yield _parsed(serialized, f"Record {place} of {path}")
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
    texts = list(parts["captions"].bytes_list.value)
    if not texts:
        raise ValueError(f"{where} has no caption; it needs one.")
    label = parts["label"].int64_list.value
    return {
        "image": image,
        "captions": [
            captions.clean(text, f"Caption {i} of {where.lower()}")
            for i, text in enumerate(texts)
        ],
        "label": label[0] if label else -1,
        "class_name": b"".join(parts["class_name"].bytes_list.value).decode(),
        "key": captions.clean(key, f"The key of {where.lower()}"),
    }


def _one(values, part: str, where: str) -> bytes:
    if len(values) != 1:
        raise ValueError(f"{where} has {len(values)} of {part!r}; it needs 1.")
    return values[0]


def _is_picture(data: bytes) -> bool:
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))
