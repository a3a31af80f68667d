"""Turns a picture set into batches whose order depends on a seed alone.

Every epoch visits the pictures in a new order, one keyed permutation of them
all, and drops the remainder that fills no batch. Order and draws are pure
functions of (seed, epoch, index), wherever the pictures lie: those in record
files are read one by one, so that a set of any size is in full disorder.

No shuffle buffer exists, hence no state: a stream that starts at move m is the
tail of the stream that starts at move 0, and what is skipped is not decoded.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from keras_t2i.data import records, source, texts
from keras_t2i.ops import images, noise

_FOREVER = 1 << 62  # epochs
_CHUNK = 256  # pictures decoded at once where order does not matter


def batches(
    pictures: source.Pictures,
    *,
    batch_size: int,
    image_size: int,
    seed: int,
    sentences: np.ndarray | None = None,
    start_move: int = 0,
    moves: int | None = None,
    captions_per_image: int = 1,
    mismatch: str | None = None,
    other_label: bool = False,
    crop: int | None = None,
    flip: bool = False,
    fit: str = "cut",
    twins: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Streams training batches, each a pure function of seed and move.

    Args:
        pictures: the set.
        batch_size: B, over all replicas.
        image_size: H and W of the batches.
        seed: int. Other seeds give other orders and draws.
        sentences: (N, K, C) floats, the vectors of the captions, or None.
        start_move: the stream begins with this batch of the whole stream.
        moves: how many batches; endless when None.
        captions_per_image: captions drawn for each picture, with replacement;
            `sentence` is their mean. Reed et al. use 4.
        mismatch: "text" adds captions of another picture, "image" adds another
            picture.
        other_label: take mismatches from another class only.
        crop: scale pictures to this size first, then cut a random square of
            `image_size` out of it. Reed et al. use 76 for 64.
        flip: mirror half of the pictures.
        fit: how pictures become square: "cut" keeps the middle, "squash"
            ignores the aspect.
        twins: add a second choice of captions for each picture; the first of
            them is never the one chosen first.
        shard: (i, n): yield only part i of n of each batch's rows. Parts are
            of equal length; together they are the batch.

    Returns:
        Dataset of dictionaries as `batch.element_spec` describes.

    Raises:
        ValueError: if an argument does not fit the set or the others.

    Source:
        Reed et al. 2016, arXiv:1605.05396, and their code. Ours differs: the
        offset of a crop may be 0; wrong pictures come from any other picture
        unless `other_label`; a mismatch is never the picture itself.
    """
    plan = _Plan(
        seed=seed,
        batch_size=batch_size,
        image_size=image_size,
        captions_per_image=captions_per_image,
        mismatch=mismatch,
        other_label=other_label,
        crop=crop,
        flip=flip,
        fit=fit,
        twins=twins,
        first_row=0,
        last_row=batch_size,
    )
    _check(plan, pictures, sentences, start_move, moves)
    plan = _share(plan, shard)
    tensors = _tensors(pictures, sentences, plan)
    stream = _order(pictures, plan, start_move)
    if moves is not None:
        stream = stream.take(moves)
    stream = stream.apply(
        tf.data.experimental.assert_cardinality(
            tf.data.INFINITE_CARDINALITY if moves is None else moves
        )
    )
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return (
        stream.map(
            lambda *element: _assemble(plan, tensors, *element),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )


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
    _check_size(pictures, image_size, image_size)
    prepare = tf.function(_scaled, reduce_retracing=True)
    for chunk in _chunks(pictures):
        scaled = prepare(chunk, image_size, fit)
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


@dataclasses.dataclass(frozen=True)
class _Plan:
    """Holds the settings of one stream."""

    seed: int
    batch_size: int
    image_size: int
    captions_per_image: int
    mismatch: str | None
    other_label: bool
    crop: int | None
    flip: bool
    fit: str
    twins: bool
    first_row: int
    last_row: int

    def key(self, move, salt):
        return noise.key(self.seed, move, f"data {salt}")

    def draw(self, move, salt, high, columns=None):
        """(B,) or (B, columns) int64 in [0, high), this replica's rows."""
        shape = (self.batch_size, *([columns] if columns else []))
        key = self.key(move, salt)
        high = tf.cast(high, tf.int64)
        drawn = noise.uniform(key, shape, 0, high, tf.int64)
        return self.mine(drawn)

    def mine(self, rows):
        return rows[self.first_row : self.last_row]


def _check(plan, pictures, sentences, start_move, moves):
    count = len(pictures)
    if not 1 <= plan.batch_size <= count:
        raise ValueError(
            f"batch_size is {plan.batch_size} but set {pictures.name!r} has "
            f"{count} pictures; allowed are 1 to {count}."
        )
    scale = plan.image_size if plan.crop is None else plan.crop
    _check_size(pictures, plan.image_size, scale)
    if start_move < 0 or (moves is not None and moves < 0):
        raise ValueError(
            f"start_move is {start_move} and moves is {moves}; neither may be "
            "below 0."
        )
    if plan.captions_per_image < 1:
        raise ValueError(
            f"captions_per_image is {plan.captions_per_image}; it must be 1 or "
            "more."
        )
    if plan.fit not in ("cut", "squash"):
        raise ValueError(f"fit is {plan.fit!r}; allowed are 'cut', 'squash'.")
    expected = pictures.captions.shape
    if sentences is not None and np.shape(sentences)[:2] != expected:
        raise ValueError(
            f"sentences has shape {np.shape(sentences)}; set "
            f"{pictures.name!r} needs {(*expected, 'C')}."
        )
    if plan.twins and expected[1] < 2:
        raise ValueError(
            f"Set {pictures.name!r} has one caption a picture; twins need two."
        )
    _check_mismatch(plan, pictures)


def _check_size(pictures, image_size, scale):
    if image_size < 1:
        raise ValueError(f"image_size is {image_size}; allowed are 1 and more.")
    if scale < image_size:
        raise ValueError(
            f"image_size is {image_size} and crop is {scale}; crop must be at "
            "least image_size."
        )
    if pictures.size is not None and image_size > min(pictures.size):
        height, width = pictures.size
        raise ValueError(
            f"image_size is {image_size} but pictures of set "
            f"{pictures.name!r} have {height} x {width} px; allowed are 1 to "
            f"{min(pictures.size)}."
        )


def _check_mismatch(plan, pictures):
    if plan.mismatch not in (None, "text", "image"):
        raise ValueError(
            f"mismatch is {plan.mismatch!r}; allowed are None, 'text' and "
            "'image'."
        )
    if plan.mismatch and len(pictures) < 2:
        raise ValueError("A mismatch needs two pictures; the set has one.")
    if plan.mismatch and plan.other_label:
        labels = np.unique(pictures.labels)
        if len(labels) < 2 or labels[0] < 0:
            raise ValueError(
                f"other_label needs two classes and a label for every picture; "
                f"set {pictures.name!r} has labels {labels.tolist()[:5]}."
            )


def _share(plan, shard):
    index, count = shard
    if plan.batch_size % count or not 0 <= index < count:
        raise ValueError(
            f"A batch of {plan.batch_size} has no part {index} of {count}; "
            "parts count from 0 and are of equal length."
        )
    rows = plan.batch_size // count
    return dataclasses.replace(
        plan, first_row=index * rows, last_row=(index + 1) * rows
    )


def _tensors(pictures, sentences, plan):
    """Puts the set where graphs can gather from it."""
    held = {
        "label": tf.constant(pictures.labels, tf.int32),
        "captions": _strings(pictures.captions),
        "key": _strings(pictures.keys),
        "per_picture": pictures.captions.shape[1],
        "stored": _stored(pictures.images),
    }
    if sentences is not None:
        rows = np.asarray(sentences)
        held["sentences"] = tf.constant(rows.reshape(-1, rows.shape[-1]))
    if plan.mismatch and plan.other_label:
        by_label = np.argsort(pictures.labels, kind="stable")
        _, first, size = np.unique(
            pictures.labels[by_label], return_index=True, return_counts=True
        )
        number = np.unique(pictures.labels, return_inverse=True)[1]
        held["by_label"] = tf.constant(by_label, tf.int64)
        held["class_end"] = tf.constant((first + size)[number], tf.int64)
        held["class_size"] = tf.constant(size[number], tf.int64)
    return held


def _strings(table):
    """Makes a function from (b,) places in a table to its (b,) strings."""
    if not isinstance(table, texts.Texts):
        held = tf.constant(np.ravel(table).tolist())
        return lambda places: tf.gather(held, places)
    return lambda places: _outside(table.encoded, places)


def _stored(stored):
    """Makes a function from (b,) rows to pixels or encoded pictures."""
    if isinstance(stored, source.Shards):
        return lambda rows: records.encoded_images(_outside(stored.read, rows))
    held = tf.constant(_plain(stored))
    if stored.dtype.kind == "U":
        return lambda rows: _file_contents(tf.gather(held, rows))
    return lambda rows: tf.gather(held, rows)


def _outside(read, places):
    """Lets Python fetch (b,) strings: `read` takes (b,) int64."""

    def fetch(places):
        return np.array(read(places), object)

    found = tf.numpy_function(fetch, [places], tf.string, stateful=False)
    return tf.ensure_shape(found, places.shape)


def _order(pictures, plan, start_move):
    """Yields (move, (B,) rows)."""
    per_epoch = len(pictures) // plan.batch_size
    first_epoch, skipped = divmod(start_move, per_epoch)

    def epoch_of(epoch):
        skip = tf.where(epoch == first_epoch, skipped, 0)
        skip = tf.cast(skip, tf.int64)
        moves = tf.range(skip, per_epoch, dtype=tf.int64) + epoch * per_epoch
        rows = noise.permutation(plan.key(epoch, "order"), len(pictures))
        rows = rows[: per_epoch * plan.batch_size]
        rows = tf.reshape(rows, [per_epoch, plan.batch_size])
        return tf.data.Dataset.from_tensor_slices((moves, rows[skip:]))

    epochs = tf.data.Dataset.range(first_epoch, _FOREVER)
    return epochs.flat_map(epoch_of)


def _assemble(plan, tensors, move, rows):
    """Makes the batch of one move: this replica's rows of it."""
    mine = plan.mine(rows)
    pixels = _pixels(plan, tensors["stored"](mine))
    made = {
        "image": _augment(plan, move, pixels, "image"),
        "label": tf.gather(tensors["label"], mine),
        "key": tensors["key"](mine),
    }
    per_picture = tensors["per_picture"]
    columns = plan.captions_per_image
    chosen = plan.draw(move, "captions", per_picture, columns)
    _tell(made, "", tensors, mine, chosen)
    if plan.twins:
        step = plan.draw(move, "twins", per_picture - 1, columns)
        _tell(made, "twin_", tensors, mine, (chosen + 1 + step) % per_picture)
    if plan.mismatch == "text":
        wrong = _others(plan, tensors, move, mine)
        chosen = plan.draw(move, "wrong captions", per_picture, columns)
        _tell(made, "wrong_", tensors, wrong, chosen)
    if plan.mismatch == "image":
        wrong = _others(plan, tensors, move, mine)
        pixels = _pixels(plan, tensors["stored"](wrong))
        made["wrong_image"] = _augment(plan, move, pixels, "wrong image")
    return made


def _tell(made, prefix, tensors, rows, chosen):
    """Adds the chosen captions: text of the first, mean vector of all.

    `rows` is (b,), `chosen` (b, k), both int64.
    """
    places = rows[:, None] * tensors["per_picture"] + chosen
    made[f"{prefix}text"] = tensors["captions"](places[:, 0])
    if "sentences" in tensors:
        vectors = tf.gather(tensors["sentences"], places)
        vectors = tf.cast(vectors, tf.float32)
        made[f"{prefix}sentence"] = tf.reduce_mean(vectors, axis=1)


def _others(plan, tensors, move, rows):
    """Draws another picture for each, evenly among those allowed."""
    count = tf.size(tensors["label"], tf.int64)
    if "by_label" not in tensors:
        step = plan.draw(move, "others", count - 1)
        return (rows + 1 + step) % count
    # In the order of labels, all that follow a class around the circle until
    # it comes again; how many they are differs from row to row.
    allowed = count - tf.gather(tensors["class_size"], rows)
    key = plan.key(move, "others")
    share = noise.uniform(key, [plan.batch_size], dtype=tf.float64)
    step = tf.cast(plan.mine(share) * tf.cast(allowed, tf.float64), tf.int64)
    place = tf.gather(tensors["class_end"], rows) + step
    return tf.gather(tensors["by_label"], place % count)


def _file_contents(names):
    return tf.map_fn(tf.io.read_file, names)


def _pixels(plan, found):
    size = plan.image_size if plan.crop is None else plan.crop
    return _scaled(found, size, plan.fit)


def _scaled(found, size, fit):
    """Decodes, makes square and scales.

    `found` is (b, h, w, 3) uint8, or (b,) strings of encoded pictures. The
    answer is (b, size, size, 3): uint8 where nothing had to be scaled, else
    float32 in [0, 255].
    """
    if found.dtype != tf.string:
        return _resized(found, size, fit)

    def decoded(data):
        image = tf.io.decode_image(data, 3, expand_animations=False)
        return tf.cast(_resized(image[None], size, fit)[0], tf.float32)

    pixels = tf.map_fn(decoded, found, fn_output_signature=tf.float32)
    return tf.ensure_shape(pixels, [None, size, size, 3])


def _resized(pixels, size, fit):
    height, width = pixels.shape[1:3]  # None for encoded pictures
    if height == width == size:
        return pixels
    if fit == "cut" and (height is None or height != width):
        pixels = _middle(pixels)
    # Antialiasing changes nothing where both sides grow, and is slow.
    grows = height is not None and max(height, width) <= size
    return tf.image.resize(pixels, [size, size], antialias=not grows)


def _middle(pixels):
    height, width = tf.shape(pixels)[1], tf.shape(pixels)[2]
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side]


def _augment(plan, move, pixels, salt):
    """Cuts a random square, mirrors half, and gives floats in [-1, 1]."""
    size, spare = plan.image_size, 0
    if plan.crop is not None:
        spare = plan.crop - size
        corner = plan.draw(move, f"{salt} crop", spare + 1, 2)
        rows = corner[:, :1] + tf.range(size, dtype=tf.int64)
        pixels = tf.gather(pixels, rows, axis=1, batch_dims=1)
    columns = tf.range(size, dtype=tf.int64)[None]
    if plan.flip:
        mirrored = plan.draw(move, f"{salt} flip", 2, 1) == 1
        columns = tf.where(mirrored, size - 1 - columns, columns)
    if plan.crop is not None:
        columns = columns + corner[:, 1:]
    if plan.crop is not None or plan.flip:
        pixels = tf.gather(pixels, columns, axis=2, batch_dims=1)
    return images.to_float(pixels)


def _chunks(pictures):
    """Yields pixels or encoded pictures of the whole set, in order."""
    for start in range(0, len(pictures), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(pictures)))
        found = _stored(pictures.images[rows])
        yield found(tf.range(len(rows), dtype=tf.int64))


def _plain(array):
    return array.tolist() if array.dtype.kind in "OU" else array
