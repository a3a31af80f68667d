"""Turns a picture set into batches whose order depends on a seed alone.

Every epoch visits the pictures in a new order, one keyed permutation of them
all, and drops the remainder that fills no batch. Order and draws are pure
functions of (seed, epoch, index), wherever the pictures lie: those in record
files are read one by one, so that a set of any size is in full disorder.

No shuffle buffer exists, hence no state: a stream that starts at move m is the
tail of the stream that starts at move 0, and what is skipped is not decoded.
"""

import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from keras_t2i.data import augment, choose, fetch, records, source, tell
from keras_t2i.data import draws as drawing
from keras_t2i.data import vocabulary as vocabularies
from keras_t2i.ops import feature_store, images

_CHUNK = 256  # pictures decoded at once where order does not matter
# Batches kept ready. AUTOTUNE doubles them at each wait: a gigabyte of large
# pictures after a few pauses, and no batch sooner.
_AHEAD = 2


def batches(
    pictures: source.Pictures,
    *,
    batch_size: int,
    image_size: int,
    seed: int,
    base_size: int | None = None,
    sentences: np.ndarray | feature_store.Store | None = None,
    vocabulary: vocabularies.Vocabulary | None = None,
    max_words: int | None = None,
    word_rule: str = "subset",
    words: feature_store.Store | None = None,
    start_move: int = 0,
    moves: int | None = None,
    captions_per_image: int = 1,
    mismatch: str | None = None,
    other_label: bool = False,
    partners: str | None = None,
    twins: bool = False,
    crop: int | None = None,
    flip: bool = False,
    fit: str = "cut",
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Streams training batches, each a pure function of seed and move.

    Args:
        pictures: the set.
        batch_size: B, over all replicas.
        image_size: H and W of the batches.
        seed: int. Other seeds give other orders and draws.
        base_size: also scale every picture down to `image_size` / 2,
            / 4 ... until this size: keys `image_64`, `image_128` ...
        sentences: (N, K, C) floats, the vectors of the captions, or None; for
            large sets a `Store` of them, of which `encoders.text.embed` tells.
        vocabulary: gives the captions' words as ids, or None.
        max_words: T, the words of a caption with `vocabulary`.
        word_rule: longer captions lose words: "subset" leaves T of them,
            drawn evenly and in their order, as AttnGAN does; "truncate" the
            first T.
        words: stored vectors of the captions' words and sentences, made by
            `encoders.text.embed_words`, or None.
        start_move: the stream begins with this batch of the whole stream.
        moves: how many batches; endless when None.
        captions_per_image: captions drawn for each picture, with replacement;
            `sentence` is their mean, words are those of the first. Reed et
            al. use 4.
        mismatch: "text" adds captions of another picture, "image" adds another
            picture. Where pictures share captions (names of classes, for
            instance), wrong ones may be true by chance; `other_label` is for
            such sets.
        other_label: take mismatches from another class only, which needs
            `mismatch`. In sets with several classes a picture only the main
            one counts; a picture without a class is a class of its own.
        partners: adds another picture of the same class with its captions:
            "label" by the main class; "labels" by one of the picture's
            classes, drawn evenly, in sets with several a picture. A picture
            alone in its class is its own partner, with another caption and
            other chances.
        twins: add a second choice of captions for each picture; the first of
            them is never the one chosen first, but for pictures with a single
            one.
        crop: scale pictures to this size first, then cut a random square of
            `image_size` out of it. Reed et al. use 76 for 64; `crop_for`
            tells it for other sizes.
        flip: mirror half of the pictures.
        fit: how pictures become square: "cut" keeps the middle; "squash"
            ignores the aspect; "keep" scales the shorter side and cuts the
            square anywhere, or in the middle without `crop`. AttnGAN has
            "keep".
        shard: (i, n): yield only part i of n of each batch's rows. Parts are
            of equal length; together they are the batch.

    Returns:
        Dataset of dictionaries as `batch.element_spec` describes.

    Raises:
        ValueError: if an argument does not fit the set or the others.

    Source:
        Reed et al. 2016, arXiv:1605.05396, and their code; Xu et al. 2018,
        arXiv:1711.10485, and theirs. Ours differs: the offset of a crop may
        be 0; wrong pictures come from any other picture unless
        `other_label`; a mismatch is never the picture itself.
    """
    frame = augment.Frame(image_size, crop, flip, fit, base_size)
    frame.check(pictures)
    _check(pictures, batch_size, captions_per_image, start_move, moves)
    draws = drawing.part(seed, batch_size, shard)
    maker = _Maker(
        pictures=pictures,
        frame=frame,
        draws=draws,
        teller=tell.Teller(
            pictures,
            draws,
            sentences=sentences,
            vocabulary=vocabulary,
            max_words=max_words,
            word_rule=word_rule,
            words=words,
            twins=twins,
        ),
        captions=captions_per_image,
        twins=twins,
        mismatch=mismatch,
        others=choose.others(pictures, mismatch, other_label),
        partners=choose.partners(pictures, partners),
    )
    order = drawing.order(len(pictures), draws, start_move)
    if moves is not None:
        order = order.take(moves)
    stream = maker.stream(order).apply(
        tf.data.experimental.assert_cardinality(
            tf.data.INFINITE_CARDINALITY if moves is None else moves
        )
    )
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return stream.prefetch(_AHEAD).with_options(options)


def crop_for(image_size: int) -> int:
    """Tells what everybody's code scales pictures to before cutting them.

    Args:
        image_size: H and W of the batches.

    Returns:
        `image_size` * 76 / 64, cut to an integer: 304 for 256.
    """
    return image_size * 76 // 64


def moves_per_epoch(pictures: source.Pictures, batch_size: int) -> int:
    """Counts the batches that one visit of all pictures gives.

    Args:
        pictures: the set.
        batch_size: B, over all replicas.

    Returns:
        Whole batches only.
    """
    return len(pictures) // batch_size


def in_order(
    pictures: source.Pictures, image_size: int, fit: str = "cut"
) -> Iterator[np.ndarray]:
    """Yields every picture once, in the set's order, nothing left to chance.

    Args:
        pictures: the set.
        image_size: H and W of the answer.
        fit: as in `batches`.

    Yields:
        (n, H, W, 3) uint8, n at most 256.
    """
    frame = augment.Frame(image_size, fit=fit)
    frame.check(pictures)
    for found in _chunks(pictures):
        scaled = _plain(frame, found)
        if scaled.dtype != tf.uint8:
            scaled = images.to_uint8(scaled / 127.5 - 1.0)
        yield scaled.numpy()


def mean_picture(
    pictures: source.Pictures, image_size: int, fit: str = "cut"
) -> np.ndarray:
    """Averages all pictures into one: the simplest thing a model can draw.

    Args:
        pictures: the set.
        image_size: H and W.
        fit: as in `batches`.

    Returns:
        (H, W, 3) uint8.
    """
    total = sum(
        chunk.sum(0, dtype=np.float64)
        for chunk in in_order(pictures, image_size, fit)
    )
    return np.rint(total / len(pictures)).astype(np.uint8)


class _Maker:
    """Makes the batch of a move from its rows: one part of both."""

    def __init__(
        self,
        *,
        pictures,
        frame,
        draws,
        teller,
        captions,
        twins,
        mismatch,
        others,
        partners,
    ):
        self._table = fetch.Table(pictures)
        self._labels = tf.constant(pictures.labels, tf.int32)
        self._choose = choose.Captions(pictures, draws, captions)
        self._sets = None
        if pictures.label_sets is not None:
            self._sets = choose.LabelTable(
                pictures.label_sets, len(pictures.class_names)
            )
        self._frame, self._draws, self._teller = frame, draws, teller
        self._twins = twins
        self._mismatch, self._others = mismatch, others
        self._partners = partners

    def stream(self, order):
        """Makes batches of (move, rows).

        Pictures in files are read and decoded one by one, side by side.
        """
        if self._table.has_pixels:
            return _map(order, lambda move, rows: self._batch(move, rows, None))
        chances = _map(order, self._chances)
        rows = chances.element_spec["row"].shape[0]
        # What comes after a read in one function waits for other reads.
        found = _map(chances.unbatch(), self._found)
        shown = _map(found, self._one).batch(rows, drop_remainder=True)
        return _map(
            tf.data.Dataset.zip(order, shown),
            lambda order, shown: self._batch(*order, shown),
        )

    def _rows(self, move, rows):
        """The pictures that the batch shows, by prefix."""
        shown = {"": self._draws.mine(rows)}
        if self._mismatch == "image":
            shown["wrong_"] = self._others(self._draws, move, shown[""])
        if self._partners is not None:
            partner, _ = self._partners(self._draws, move, shown[""])
            shown["partner_"] = partner
        return shown

    def _chances(self, move, rows):
        """All that is needed to show each picture of a batch."""
        parts = [
            {"row": some} | self._frame.chances(self._draws, move, prefix)
            for prefix, some in self._rows(move, rows).items()
        ]
        return {
            key: tf.concat([part[key] for part in parts], 0) for key in parts[0]
        }

    def _found(self, chances):
        return self._table.one(chances.pop("row")), chances

    def _one(self, found, chances):
        pixels = self._frame.encoded(found.pop("image"), **chances)
        return found | {"pixels": images.to_float(pixels)}

    def _batch(self, move, rows, found):
        shown, made, told = self._rows(move, rows), {}, {}
        for place, (prefix, some) in enumerate(shown.items()):
            start = place * self._draws.rows
            mine = {
                key: value[start : start + self._draws.rows]
                for key, value in (found or {}).items()
            }
            if found is None:
                chances = self._frame.chances(self._draws, move, prefix)
                pixels = self._table.pixels(some)
                pixels = self._frame.held(pixels, **chances)
                mine["pixels"] = images.to_float(pixels)
            pixels = mine.pop("pixels")
            made |= self._frame.with_smaller(prefix, pixels)
            if prefix != "wrong_":
                told[prefix] = self._table.strings(some, mine)
                made |= self._named(prefix, some, told[prefix])
        return made | self._told(move, shown, told)

    def _named(self, prefix, rows, strings):
        made = {
            f"{prefix}label": tf.gather(self._labels, rows),
            f"{prefix}key": strings["key"],
        }
        if self._sets is not None:
            made[f"{prefix}labels"] = self._sets.hot(rows)
        return made

    def _told(self, move, shown, strings):
        """What the captions tell, and how partners were found."""
        rows, captions = shown[""], strings[""]["captions"]
        tell, made = self._teller.tell, {}
        chosen = self._choose(move, "captions", rows)
        made |= tell("", move, rows, captions, chosen)
        if self._twins:
            twin = self._choose(move, "twins", rows, chosen)
            made |= tell("twin_", move, rows, captions, twin)
        if self._mismatch == "text":
            wrong = self._others(self._draws, move, rows)
            theirs = self._table.strings(wrong)["captions"]
            told = self._choose(move, "wrong captions", wrong)
            made |= tell("wrong_", move, wrong, theirs, told)
        if self._partners is not None:
            _, shared = self._partners(self._draws, move, rows)
            made |= {} if shared is None else {"shared_label": shared}
            theirs = strings["partner_"]["captions"]
            told = self._partner_choice(move, shown, chosen)
            made |= tell("partner_", move, shown["partner_"], theirs, told)
        return made

    def _partner_choice(self, move, shown, chosen):
        rows, partners = shown[""], shown["partner_"]
        told = self._choose(move, "partner captions", partners)
        other = self._choose(move, "own partner captions", rows, chosen)
        return tf.where((partners == rows)[:, None], other, told)


def _chunks(pictures):
    """Yields pixels or encoded pictures of the whole set, in order."""
    stored = pictures.images
    for start in range(0, len(stored), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(stored)))
        if isinstance(stored, source.Shards):
            data = tf.constant(stored.read(rows))
            yield records.parsed(data, ["image"], 0)["image"]
        elif stored.dtype.kind == "U":
            yield tf.constant(
                [pathlib.Path(name).read_bytes() for name in stored[rows]]
            )
        else:
            held = stored[rows]
            yield tf.constant(held.tolist() if held.ndim == 1 else held)


@tf.function(reduce_retracing=True)
def _plain(frame, found):
    """Pictures without chance."""
    if found.dtype != tf.string:
        return frame.held(found)
    return tf.map_fn(frame.encoded, found, fn_output_signature=tf.float32)


def _map(stream, function):
    """Maps side by side; Python stays as it is, which saves a second of
    rewriting it."""
    plain = tf.autograph.experimental.do_not_convert(function)
    return stream.map(plain, tf.data.AUTOTUNE)


def _check(pictures, batch_size, captions_per_image, start_move, moves):
    count = len(pictures)
    if not 1 <= batch_size <= count:
        raise ValueError(
            f"batch_size is {batch_size} but set {pictures.name!r} has "
            f"{count} pictures; allowed are 1 to {count}."
        )
    if start_move < 0 or (moves is not None and moves < 0):
        raise ValueError(
            f"start_move is {start_move} and moves is {moves}; neither may be "
            "below 0."
        )
    if captions_per_image < 1:
        raise ValueError(
            f"captions_per_image is {captions_per_image}; it must be 1 or more."
        )
