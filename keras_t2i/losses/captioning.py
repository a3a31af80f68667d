"""Asks what says captions whether it would say the true ones."""

from keras import ops

from keras_t2i.ops import vectors


def cross_entropy(scores, ids, *, has_end=False):
    """Compares each word that was told with the true one.

    Args:
        scores: (B, T, V) float, before the softmax, of word t.
        ids: (B, T) int, 0 after the last word.
        has_end: bool. Whether the first 0 after a caption's words is to be
            told, too, where there is room: so is learned where to end.

    Returns:
        (B,) float32 (float64 if the scores are), the sum over a caption's
        words, and (B,) of the same, how many they are. The mean over all
        words of a batch is the one's sum through the other's.

    Source:
        Qiao et al. 2019, eq. 8, arXiv:1903.05854, as the authors' code has
        it: the mean over all words, without start or end; Ahmed et al. 2023,
        eq. 3, arXiv:2312.10854.
    """
    (scores,) = vectors.widened(scores)
    losses = ops.sparse_categorical_crossentropy(ids, scores, from_logits=True)
    counts = ops.cast(ids > 0, scores.dtype)
    if has_end:  # What follows a word is told, and the first one is.
        counts = ops.pad(counts[:, :-1], ((0, 0), (1, 0)), constant_values=1)
    return ops.sum(losses * counts, axis=1), ops.sum(counts, axis=1)
