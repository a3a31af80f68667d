"""What judges ask generators to draw, and what is read of its captions."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_t2i.data import source, texts
from keras_t2i.encoders import text
from keras_t2i.metrics import protocols
from keras_t2i.ops import noise
from recipes import streams, wiring

_ROWS = 1024  # of stored vectors held beside their means


@dataclasses.dataclass(frozen=True)
class Asked:
    """Captions that generators draw, and whose pictures show the same.

    Attributes:
        rows: (N,) which picture of the part each belongs to.
        captions: N strings.
        sentences: (N, C) float32, their vectors; None if nobody reads.
    """

    rows: np.ndarray
    captions: list[str]
    sentences: np.ndarray | None


def asked(
    pictures: source.Pictures,
    reader,
    protocol: protocols.Protocol,
    most: int | None,
) -> Asked:
    """Chooses captions as a protocol does.

    Args:
        pictures: the part they belong to.
        reader: what `wiring.text_encoder` gave.
        protocol: if it tells a count of pictures, captions are drawn, one a
            picture, in as many rounds as it takes, each in another order;
            else each picture's first caption is taken.
        most: how many at most; None for all.

    Returns:
        The captions, always the same for one set and protocol.

    Raises:
        ValueError: if less than a batch of the protocol would be left.
    """
    count = count_of(pictures, protocol, most)
    if protocol.pictures is None:
        some = first(pictures, count)
        captions = first_captions(some)
        return Asked(np.arange(count), captions, first_sentences(some, reader))
    rows, chosen = _drawn(*pictures.captions.shape, count)
    captions = _captions(pictures, rows, chosen)
    return Asked(rows, captions, _sentences(captions, reader))


def count_of(
    pictures: source.Pictures, protocol: protocols.Protocol, most: int | None
) -> int:
    """Counts the captions of `asked`.

    Args:
        pictures: as there.
        protocol: as there.
        most: as there.

    Returns:
        How many, whole batches only where the protocol wants that.

    Raises:
        ValueError: if less than a batch of the protocol would be left.
    """
    count = protocol.pictures or len(pictures)
    return whole(min(count, most or count), protocol)


def whole(count: int, protocol: protocols.Protocol) -> int:
    """Counts the pictures that a protocol looks at.

    Args:
        count: how many there are.
        protocol: the ruler, which may judge whole batches only.

    Returns:
        How many of them fill batches.

    Raises:
        ValueError: if they fill none.
    """
    found = count - count % (protocol.batch or 1)
    if not found:
        raise ValueError(
            f"Protocol {protocol.name} judges batches of {protocol.batch} "
            f"pictures; {count} do not fill one."
        )
    return found


def _drawn(pictures, each, count):
    """Rows and captions of as many rounds as give `count`."""
    rounds = range(-(-count // pictures))
    rows = np.concatenate(
        [noise.permutation(noise.key(0, i, "judged"), pictures) for i in rounds]
    )[:count]
    key = noise.key(0, salt="judged captions")
    shares = noise.uniform(key, (count,)).numpy()
    return rows, np.minimum((shares * each).astype(int), each - 1)


def _captions(pictures, rows, chosen):
    table = pictures.captions
    if not isinstance(table, texts.Texts):
        return table[rows, chosen].tolist()
    found = table.encoded(rows * table.shape[1] + chosen)
    return [caption.decode() for caption in found]


def _sentences(captions, reader):
    """Reads captions, equal ones once."""
    if reader.dim is None:
        return None
    single, back = np.unique(captions, return_inverse=True)
    return _means(texts.Texts.of([[one] for one in single]), reader)[back]


def first(pictures: source.Pictures, most: int | None) -> source.Pictures:
    """Takes the first pictures of a part.

    Args:
        pictures: the part.
        most: how many; None or more than there are for all.

    Returns:
        They.
    """
    if not most or most >= len(pictures):
        return pictures
    return pictures.subset(np.arange(most))


def first_captions(pictures: source.Pictures) -> list[str]:
    """Lists each picture's first caption.

    Args:
        pictures: N of them.

    Returns:
        N strings.
    """
    return _captions(pictures, np.arange(len(pictures)), 0)


def first_sentences(pictures: source.Pictures, reader) -> np.ndarray | None:
    """Reads each picture's first caption.

    Args:
        pictures: N of them.
        reader: what `wiring.text_encoder` gave.

    Returns:
        (N, C) float32, None if nobody reads.
    """
    if reader.dim is None:
        return None
    if not _in_files(pictures):
        return streams.sentences(pictures, reader)[:, 0]
    firsts = [[caption] for caption in first_captions(pictures)]
    return _means(texts.Texts.of(firsts), reader)


def mean_sentences(pictures: source.Pictures, reader) -> np.ndarray | None:
    """Reads all captions of each picture.

    Args:
        pictures: N of them.
        reader: what `wiring.text_encoder` gave.

    Returns:
        (N, C) float32, None if nobody reads.
    """
    if reader.dim is None:
        return None
    if not _in_files(pictures):
        return streams.sentences(pictures, reader).mean(axis=1)
    return _means(pictures.captions, reader)


def _in_files(pictures) -> bool:
    return isinstance(pictures.images, source.Shards)


def _means(captions, reader):
    """Means of rows, from vectors that stay in files, as in training."""
    stored = text.embed(
        reader, captions, wiring.cache_dir(), progress=True, dtype="float16"
    )
    places = np.arange(np.prod(stored.shape)).reshape(stored.shape)
    rows = tf.data.Dataset.from_tensor_slices(places).map(
        lambda row: tf.reduce_mean(stored.sentences(row), axis=0),
        tf.data.AUTOTUNE,
    )
    return np.concatenate([*rows.batch(_ROWS).as_numpy_iterator()])
