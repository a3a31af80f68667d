"""Draws what belongs together closer than what stands beside it in a batch.

Every loss takes plain tensors of the batch that negatives come from. For the
batch of all replicas, hand in what `ops.replicas.gather` gives. Sums are taken
in float32, or in float64 if the inputs have it, whatever else comes in.
"""

from keras import ops

from keras_t2i.ops import vectors

_NEVER = -1e9  # Its exponential is 0, and its gradient too.


def nt_xent(one, other, temperature=0.5):
    """Pairs two views of each row among all views of all rows.

    Args:
        one: (B, D) float, of any length.
        other: (B, D) float. Row k belongs to row k of `one`.
        temperature: float or () tensor > 0.

    Returns:
        () float32 >= 0: mean over all 2 B vectors, each told from its partner
        and 2 B - 2 others.

    Raises:
        ValueError: if shapes differ, or the batch has one row and so no
            negatives.

    Source:
        Chen et al. 2020, eq. 1, arXiv:2002.05709; Ye et al. 2021,
        arXiv:2107.02423, on two captions of each picture. Ours differs: a
        vector shorter than 1e-8 has cosine 0 and gets no gradient.
    """
    _check_pairs(one=one, other=other, negatives="NT-Xent")
    one, other = vectors.widened(one, other)
    return supervised(ops.stack([one, other], axis=1), None, temperature)


def info_nce(images, texts, temperature=0.1):
    """Finds each picture's text and each text's picture in the batch.

    Args:
        images: (B, D) float, of any length.
        texts: (B, D) float. Row k belongs to row k of `images`; two batches
            of pictures may be given just as well.
        temperature: float or () tensor > 0.

    Returns:
        () float32 >= 0: the sum, not the mean, of both directions.

    Raises:
        ValueError: if shapes differ, or the batch has one row and so no
            negatives.

    Source:
        Zhang et al. 2021, eq. 4, arXiv:2101.04702, both directions added as
        in the released code. Ours differs: a vector shorter than 1e-8 has
        cosine 0 and gets no gradient.
    """
    _check_pairs(images=images, texts=texts, negatives="InfoNCE")
    scores = vectors.cosines(images, texts) / temperature
    return sum(both_directions(scores))


def supervised(
    views,
    labels=None,
    temperature=0.5,
    *,
    positives=None,
    anchors="all",
    pairs="all",
    texts=0,
    scale=1.0,
    normalise=True,
):
    """Clusters the views of all rows that share a label.

    Args:
        views: (B, V, D) float: V vectors of each row, say a picture and its
            caption, and those of another picture of the same label.
        labels: (B,) int. -1 is a row without a label, alike to none. None:
            none has a label, which makes it NT-Xent of V views.
        temperature: float or () tensor > 0.
        positives: (B, B) float >= 0 in place of labels: how much column k is
            to row b's liking. The diagonal counts a row's own other views;
            no vector is its own positive.
        anchors: "all", or "one": only first views look for others.
        pairs: "all", or "inter": only pictures and texts are compared, or
            "inner": only pictures with pictures and texts with texts.
        texts: int. How many of the views are texts; they come last.
        scale: float. What the mean is multiplied by.
        normalise: bool. Whether vectors are scaled to length 1 first.

    Returns:
        () float32 >= 0: mean over anchors. One without positives counts 0.

    Raises:
        ValueError: if shapes don't fit, labels come beside positives, there
            is one vector only, or pairs are of unknown kind or told apart
            without `texts`.

    Source:
        Khosla et al. 2020, eq. 2, arXiv:2004.11362. Ours differs: the
        released code multiplies by temperature / 0.07, which here is `scale`,
        and takes vectors for normalised. Of quadruples: Liu et al. 2024,
        arXiv:2412.03957; `pairs` and weights for several labels are ours.
    """
    rows, count, width = _check_views(views)
    _check_choices(labels, positives, anchors, pairs, texts, count)
    (views,) = vectors.widened(views)
    flat = ops.reshape(views, (-1, width))
    flat = vectors.unit(flat) if normalise else flat
    if positives is None:
        positives = ops.eye(rows) if labels is None else same(labels)
    positives = ops.cast(positives, flat.dtype)
    positives = ops.repeat(ops.repeat(positives, count, 0), count, 1)
    seen = 1.0 - ops.eye(rows * count, dtype=flat.dtype)
    seen = seen * _of_kind(pairs, rows, count, texts, flat.dtype)
    looking = flat
    if anchors == "one":
        looking, positives, seen = (x[::count] for x in (flat, positives, seen))
    scores = ops.matmul(looking, ops.transpose(flat)) / temperature
    scores = ops.where(seen > 0.0, scores, _NEVER)
    return scale * _cross_entropy(scores, positives * seen)


def unicl(images, texts, labels, temperature=0.07, is_summed=False):
    """Finds pictures' texts, and those of other pictures of their label.

    Args:
        images: (B, D) float, of any length.
        texts: (B, D) float. Row k belongs to row k of `images`.
        labels: (B,) int. -1 is a row without a label, alike to none.
        temperature: float or () tensor > 0, which may be learnt.
        is_summed: bool. Whether directions are added, not averaged.

    Returns:
        () float32 >= 0.

    Raises:
        ValueError: if shapes differ.

    Source:
        Yang et al. 2022, eq. 2-4, arXiv:2204.03610; its training code was
        not released. Ours differs: the mean of both directions, unless asked
        for their sum as the paper has it.
    """
    _check_pairs(images=images, texts=texts)
    scores = vectors.cosines(images, texts) / temperature
    total = sum(both_directions(scores, same(labels)))
    return total if is_summed else total / 2.0


def both_directions(scores, positives=None):
    """Measures how well rows find columns and columns find rows.

    Args:
        scores: (B, B) float: row k and column k belong together.
        positives: (B, B) float >= 0: how much else does; None: nothing.

    Returns:
        Two () float32 >= 0: mean cross-entropy of rows and of columns. What
        has no positive counts 0.
    """
    (scores,) = vectors.widened(scores)
    if positives is None:
        positives = ops.eye(ops.shape(scores)[0], dtype=scores.dtype)
    positives = ops.cast(positives, scores.dtype)
    return (
        _cross_entropy(scores, positives),
        _cross_entropy(ops.transpose(scores), ops.transpose(positives)),
    )


def classified(scores, labels):
    """Asks each row for its class.

    Args:
        scores: (B, L) float, before the softmax.
        labels: (B,) int. -1 is a row without a label, which counts 0.

    Returns:
        () float32 >= 0: mean cross-entropy over all rows.
    """
    (scores,) = vectors.widened(scores)
    labels = ops.convert_to_tensor(labels)
    chosen = ops.one_hot(labels, ops.shape(scores)[1], dtype=scores.dtype)
    losses = -ops.sum(chosen * ops.log_softmax(scores, axis=1), axis=1)
    return ops.mean(losses)


def same(labels):
    """Tells which rows share a label.

    Args:
        labels: (B,) int. -1 is a row without a label.

    Returns:
        (B, B) float32: 1 where labels are equal and on the diagonal, else 0.
    """
    labels = ops.convert_to_tensor(labels)
    equal = (labels[:, None] == labels[None, :]) & (labels[:, None] != -1)
    itself = ops.eye(ops.shape(labels)[0], dtype="bool")
    return ops.cast(equal | itself, "float32")


def accuracy(images, texts):
    """Counts how often the own partner is the nearest, in both directions.

    Args:
        images: (B, D) float.
        texts: (B, D) float. Row k belongs to row k of `images`.

    Returns:
        () float32 in [0, 1]; see `hits`.

    Raises:
        ValueError: if shapes differ.
    """
    _check_pairs(images=images, texts=texts)
    return hits(vectors.cosines(images, texts))


def hits(scores):
    """Counts how often the own partner has the highest score.

    Args:
        scores: (B, B) float: row k and column k belong together.

    Returns:
        () float32 in [0, 1]: the mean of both directions, which XMC-GAN calls
        contrastive accuracy.

    Source:
        Zhang et al. 2021, arXiv:2101.04702. Ours differs: a tie is no hit,
        or else encoders that say the same of everything would look good.
    """
    (scores,) = vectors.widened(scores)
    rows = ops.shape(scores)[0]
    others = ops.where(ops.eye(rows, dtype="bool"), -float("inf"), scores)
    own = ops.diagonal(scores)
    found = [own > ops.max(others, axis=axis) for axis in (1, 0)]
    return ops.mean(ops.cast(ops.stack(found), "float32"))


def entropy(scores):
    """Measures how undecided a batch is about its partners.

    Args:
        scores: (B, B) float, divided by the temperature.

    Returns:
        () float32 in [0, log B]: mean of both directions.

    Source:
        Zhang et al. 2021, arXiv:2101.04702. Ours differs: no epsilon stands
        under the logarithm.
    """
    (scores,) = vectors.widened(scores)
    told = ops.stack([ops.log_softmax(scores, axis=axis) for axis in (1, 0)])
    rows = ops.cast(ops.shape(scores)[0], scores.dtype)
    return -ops.sum(ops.exp(told) * told) / (2.0 * rows)


def _cross_entropy(scores, positives):
    """Averages -log softmax over each row's positives, then over rows."""
    total = ops.sum(positives, axis=1)
    share = positives / ops.where(total > 0.0, total, 1.0)[:, None]
    share = ops.stop_gradient(share)
    return -ops.mean(ops.sum(share * ops.log_softmax(scores, axis=1), axis=1))


def _of_kind(pairs, rows, count, texts, dtype):
    """Marks comparable views: (rows * count, rows * count) or ()."""
    if pairs == "all":
        return ops.ones((), dtype)
    is_text = ops.tile(ops.arange(count) >= count - texts, [rows])
    alike = is_text[:, None] == is_text[None, :]
    return ops.cast(alike if pairs == "inner" else ~alike, dtype)


def _check_views(views):
    shape = ops.shape(ops.convert_to_tensor(views))
    if len(shape) != 3:
        raise ValueError(f"views has shape {shape}; it takes (B, V, D).")
    rows, count, width = shape
    if isinstance(rows, int) and rows * count == 1:
        raise ValueError(
            f"views has shape {shape}: one vector only, which has nothing to "
            "be compared with; give more rows or views."
        )
    return rows, count, width


def _check_choices(labels, positives, anchors, pairs, texts, count):
    if labels is not None and positives is not None:
        raise ValueError("labels came beside positives; give one of them.")
    if anchors not in ("all", "one"):
        raise ValueError(f"anchors is {anchors!r}; allowed: 'all', 'one'.")
    if pairs not in ("all", "inter", "inner"):
        raise ValueError(
            f"pairs is {pairs!r}; allowed: 'all', 'inter', 'inner'."
        )
    if pairs != "all" and not 0 < texts < count:
        raise ValueError(
            f"pairs is {pairs!r} and texts is {texts} of {count} views; to "
            "tell pictures from texts, some must be of either kind."
        )


def _check_pairs(negatives=None, **batches):
    """Refuses batches whose rows can't be partners, as far as is known."""
    shapes = {
        name: tuple(ops.shape(ops.convert_to_tensor(batch)))
        for name, batch in batches.items()
    }
    (one, first), (other, second) = shapes.items()
    known = zip(first, second, strict=False)
    differ = any(
        isinstance(a, int) and isinstance(b, int) and a != b for a, b in known
    )
    if len(first) != 2 or len(second) != 2 or differ:
        raise ValueError(
            f"{one} has shape {first} and {other} {second}; both take (B, D)."
        )
    if negatives and isinstance(first[0], int) and first[0] == 1:
        raise ValueError(
            f"{negatives} has no negatives in a batch of one row; give at "
            "least two."
        )
