"""Scores how well every caption of a batch fits every picture, word by word.

Scores have pictures as rows and captions as columns; `matching_losses` makes
losses of them. Captions go through in chunks, each chunk against all pictures
at once, so memory stays bounded however large the batch is.
"""

import tensorflow as tf
from keras import ops

from keras_t2i.losses import contrastive
from keras_t2i.ops import vectors

_NEVER = -1e9  # Its exponential is 0, and its gradient too.
_MOST = 2**24  # numbers that one step of the attention may have
_UNKNOWN = 16  # captions in a chunk where sizes aren't known beforehand


def attention(regions, words, mask, gamma=4.0):
    """Shows where in its picture each word of a caption looks.

    Args:
        regions: (B, R, C) or (B, H, W, C) float. Features of places.
        words: (B, T, C) float. Of the captions, row by row.
        mask: (B, T) bool, True at real words; each row has one at least.
        gamma: float. How sharply a word looks.

    Returns:
        contexts: (B, T, C) float32: what each word sees. At padding it means
            nothing.
        weights: (B, T, R) or (B, T, H, W) float32 >= 0, of sum 1 over places.

    Raises:
        ValueError: if shapes don't fit.

    Source:
        Xu et al. 2018, eq. 8-9, arXiv:1711.10485: places first divide
        themselves among words, then words look at the places that are
        theirs. Ours differs: padding never enters.
    """
    places = ops.shape(regions)[1:-1]
    flat, words, mask = _flattened(regions, words, mask)
    scores = ops.matmul(flat, ops.transpose(words, (0, 2, 1)))
    scores = ops.where(mask[:, None, :], scores, _NEVER)
    weights = ops.softmax(gamma * ops.softmax(scores, axis=2), axis=1)
    weights = ops.transpose(weights, (0, 2, 1))
    contexts = ops.matmul(weights, flat)
    return contexts, ops.reshape(weights, (*ops.shape(mask), *places))


def word_scores(regions, words, mask, gammas=(4.0, 5.0, 10.0), chunk=None):
    """Scores every caption with every picture by what its words see.

    Args:
        regions: (B, R, C) or (B, H, W, C) float. Features of places.
        words: (N, T, C) float.
        mask: (N, T) bool, True at real words. Padding adds nothing.
        gammas: three floats > 0: how sharply words look, how much a
            caption's best words count, and how much the scores do.
        chunk: int. Captions that go through at a time; None: as many as keep
            (B, chunk, T, R) at 2^24 numbers, or 16 where a graph doesn't know
            its sizes. With more captions than that, each chunk is computed
            anew for its gradient.

    Returns:
        (B, N) float32 (float64 if an input is): for `matching_losses`.

    Raises:
        ValueError: if shapes don't fit.

    Source:
        Xu et al. 2018, eq. 7-11, arXiv:1711.10485. Ours differs: as in the
        released code, the sum over words is not raised to 1 / gamma2, so the
        third gamma counts gamma2 times; the scores of all pairs come from a
        few large products of matrices.
    """
    look, best, most = gammas
    scores = _in_chunks(
        lambda *inputs: _scores(*inputs, look=look, best=best, divided=True),
        *_flattened(regions, words, mask),
        chunk,
    )
    return most * scores


def word_region_scores(
    regions, words, mask, gammas=(5.0, 5.0, 50.0), chunk=None
):
    """Scores every caption with every picture as XMC-GAN does it.

    A word looks at the places most like it, whatever other words there are.

    Args:
        regions: (B, R, C) or (B, H, W, C) float. Features of places.
        words: (N, T, C) float.
        mask: (N, T) bool, True at real words. Padding adds nothing.
        gammas: three floats > 0: how sharply words look, how much a
            caption's best words count, and how much the scores do.
        chunk: int; see `word_scores`.

    Returns:
        (B, N) float32 (float64 if an input is). The paper's loss is the sum
        of both `matching_losses`.

    Raises:
        ValueError: if shapes don't fit.

    Source:
        Zhang et al. 2021, eq. 5-7, arXiv:2101.04702, vectors scaled to length
        1 as in the released code. Ours differs: a vector shorter than 1e-8
        has cosine 0, where the code divides by its length.
    """
    look, best, most = gammas
    regions, words, mask = _flattened(regions, words, mask)
    scores = _in_chunks(
        lambda *inputs: _scores(*inputs, look=look, best=best, divided=False),
        vectors.unit(regions),
        vectors.unit(words),
        mask,
        chunk,
    )
    return most / best * scores


def sentence_scores(codes, sentences, gamma3=10.0):
    """Scores every sentence with every picture by their angle.

    Args:
        codes: (B, C) float. Of pictures.
        sentences: (N, C) float.
        gamma3: float > 0. What cosines are multiplied by.

    Returns:
        (B, N) float32 (float64 if an input is): for `matching_losses`.

    Source:
        Xu et al. 2018, section 3.2, arXiv:1711.10485. Ours differs: a vector
        shorter than 1e-8 has cosine 0 and gets no gradient.
    """
    return gamma3 * vectors.cosines(codes, sentences)


def matching_losses(scores, labels=None):
    """Finds each picture's caption in the batch, and each caption's picture.

    Args:
        scores: (B, B) float: picture k and caption k belong together.
        labels: (B,) int. Others of the same label are neither right nor
            wrong, so they are left out; -1 is a row without a label. None:
            all others are wrong.

    Returns:
        image_to_text: () float32 >= 0: mean cross-entropy over pictures.
        text_to_image: () float32 >= 0: over captions.

    Source:
        Xu et al. 2018, eq. 12-13, arXiv:1711.10485. Ours differs: means over
        the batch as in the released code, where the paper has sums.
    """
    (scores,) = vectors.widened(scores)
    if labels is not None:
        itself = ops.eye(ops.shape(scores)[0], dtype="bool")
        alike = ops.cast(contrastive.same(labels), "bool") & ~itself
        scores = ops.where(alike, _NEVER, scores)
    return contrastive.both_directions(scores)


def _scores(regions, words, mask, *, look, best, divided):
    """Scores chunk (N, T, C) with pictures (B, R, C): (B, N), no third gamma.

    Places and words stay two axes, (B, R, N T), so that matrices are large.
    """
    images, places, width = ops.shape(regions)
    captions, length = ops.shape(mask)
    scores = ops.matmul(
        ops.reshape(regions, (-1, width)),
        ops.transpose(ops.reshape(words, (-1, width))),
    )
    if divided:
        scores = ops.reshape(scores, (-1, captions, length))
        scores = ops.softmax(ops.where(mask, scores, _NEVER), axis=-1)
    scores = ops.reshape(look * scores, (images, places, captions * length))
    # Words see sums, not means: for angles their length doesn't matter.
    highest = ops.stop_gradient(ops.max(scores, axis=1, keepdims=True))
    weights = ops.transpose(ops.exp(scores - highest), (0, 2, 1))
    contexts = ops.matmul(weights, regions)
    contexts = ops.reshape(contexts, (images, captions, length, width))
    products = ops.sum(contexts * vectors.unit(words), axis=-1)
    squares = ops.sum(ops.square(contexts), axis=-1)
    short = squares < 1e-16  # What sees nothing at all fits nothing.
    fit = best * products * ops.rsqrt(ops.where(short, 1.0, squares))
    fit = ops.where(short, 0.0, fit)
    return ops.logsumexp(ops.where(mask, fit, _NEVER), axis=-1)


def _in_chunks(score, regions, words, mask, chunk):
    """Scores a few captions at a time: (B, N)."""
    sizes = (*regions.shape[:2], words.shape[1])
    if chunk is None:
        chunk = _UNKNOWN
        if None not in sizes:
            chunk = max(1, _MOST // (sizes[0] * sizes[1] * sizes[2]))
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; it takes 1 or more captions.")
    known = words.shape[0]
    if known is not None:
        pieces = max(1, -(-known // chunk))
        if pieces == 1:
            return score(regions, words, mask)
        chunk = -(-known // pieces)  # None is left nearly empty.
    count = ops.shape(words)[0]
    missing = -count % chunk
    words = ops.pad(words, [[0, missing], [0, 0], [0, 0]])
    mask = ops.pad(mask, [[0, missing], [0, 0]])
    scores = _one_by_one(score)(
        regions,
        ops.reshape(words, (-1, chunk, *ops.shape(words)[1:])),
        ops.reshape(mask, (-1, chunk, ops.shape(mask)[1])),
    )
    scores = ops.reshape(
        ops.transpose(scores, (1, 0, 2)), (ops.shape(regions)[0], -1)
    )
    return scores[:, :count]


def _one_by_one(score):
    """Makes a function of chunks that keeps nothing for its gradient."""

    @tf.custom_gradient
    def scored(regions, pieces, masks):
        def slopes(upstream):
            def backward(total, given):
                piece, mask, slope = given
                with tf.GradientTape() as tape:
                    tape.watch((regions, piece))
                    value = score(regions, piece, mask)
                found = tape.gradient(value, (regions, piece), slope)
                return total + found[0], found[1]

            total, rest = _scan(
                backward, tf.zeros_like(regions), (pieces, masks, upstream)
            )
            return total, rest, None

        def forward(total, given):
            return total, score(regions, *given)

        _, scores = _scan(forward, tf.zeros((), regions.dtype), (pieces, masks))
        return scores, slopes

    return scored


def _scan(step, total, rows):
    """Takes steps one after the other: total and stacked results."""
    count = tf.shape(rows[0])[0]
    kept = tf.TensorArray(total.dtype, count)

    def body(number, total, kept):
        total, made = step(total, tuple(each[number] for each in rows))
        return number + 1, total, kept.write(number, made)

    _, total, kept = tf.while_loop(
        lambda number, *_: number < count,
        body,
        (tf.constant(0), total, kept),
        parallel_iterations=1,
    )
    return total, kept.stack()


def _flattened(regions, words, mask):
    """Widens inputs and makes one axis of places; checks what is known."""
    regions, words = vectors.widened(regions, words)
    mask = ops.cast(mask, "bool")
    ranks = [len(each.shape) for each in (regions, words, mask)]
    if ranks not in ([3, 3, 2], [4, 3, 2]):
        raise ValueError(
            f"regions, words and mask have shapes {tuple(regions.shape)}, "
            f"{tuple(words.shape)} and {tuple(mask.shape)}; they take "
            "(B, R, C) or (B, H, W, C), (N, T, C) and (N, T)."
        )
    if regions.shape[-1] != words.shape[-1]:
        raise ValueError(
            f"Places have {regions.shape[-1]} features and words "
            f"{words.shape[-1]}; to be compared, both need as many."
        )
    if ranks[0] == 4:
        images, height, width, features = ops.shape(regions)
        regions = ops.reshape(regions, (images, height * width, features))
    return regions, words, mask
