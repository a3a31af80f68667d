"""Tells the captions of a batch: as text, ids and vectors."""

import numpy as np
import tensorflow as tf

from keras_t2i.data import draws as drawing
from keras_t2i.data import source, texts
from keras_t2i.data import vocabulary as vocabularies
from keras_t2i.ops import feature_store

_CHUNK = 65536  # captions looked at together


class Teller:
    """Adds what is known of chosen captions to a batch.

    Args:
        pictures: the set.
        draws: those of the stream.
        sentences: (N, K, C) floats, stored or held, or None.
        vocabulary: for word ids, or None.
        max_words: T of the ids.
        word_rule: "subset" or "truncate", for longer captions.
        words: stored vectors of words and sentences, or None.
        twins: whether two captions of a picture will be told.

    Raises:
        ValueError: if these do not fit the set or each other, or a caption
            has no word of the vocabulary.
    """

    def __init__(
        self,
        pictures: source.Pictures,
        draws: drawing.Draws,
        *,
        sentences: np.ndarray | feature_store.Store | None = None,
        vocabulary: vocabularies.Vocabulary | None = None,
        max_words: int | None = None,
        word_rule: str = "subset",
        words: feature_store.Store | None = None,
        twins: bool = False,
    ):
        held = not isinstance(sentences, feature_store.Store)
        if sentences is not None and held:
            sentences = np.asarray(sentences)
        _check_captions(pictures, sentences, words, twins)
        _check_words(vocabulary, max_words, word_rule, words)
        if vocabulary is not None:
            check_known(vocabulary, pictures)
        self.per_picture = pictures.captions.shape[1]
        self._draws = draws
        self._sentences = sentences
        if sentences is not None and held:
            flat = sentences.reshape(-1, sentences.shape[-1])
            self._sentences = tf.constant(flat)
        self._vocabulary, self._words = vocabulary, words
        self._max_words, self._word_rule = max_words, word_rule

    def tell(self, prefix: str, move, rows, captions, chosen) -> dict:
        """Tells the chosen captions of some pictures.

        Text and words are those of the first one, the sentence is the mean of
        all.

        Args:
            prefix: stands before the keys.
            move: () integer.
            rows: (b,) int64, the pictures.
            captions: (b, K) string, all of theirs.
            chosen: (b, k) int64, which of them.

        Returns:
            Tensors by key.
        """
        places = rows[:, None] * self.per_picture + chosen
        made = {"text": tf.gather(captions, chosen[:, 0], batch_dims=1)}
        if self._sentences is not None:
            made["sentence"] = self._mean(self._sentences, places)
        if self._vocabulary is not None:
            ids = self._ids(prefix, move, made["text"])
            made["caption"], made["mask"] = ids
        if self._words is not None:
            made |= self._words.rows(places[:, 0])
            if chosen.shape[1] > 1:
                made["sentence"] = self._mean(self._words, places)
        return {f"{prefix}{key}": value for key, value in made.items()}

    def _mean(self, sentences, places):
        if isinstance(sentences, feature_store.Store):
            found = sentences.sentences(places)
        else:
            found = tf.cast(tf.gather(sentences, places), tf.float32)
        return tf.reduce_mean(found, axis=1)

    def _ids(self, prefix, move, text):
        ids = self._vocabulary(text)
        if self._word_rule == "subset":
            longest = ids.bounding_shape(axis=1, out_type=tf.int32)
            salt = f"{prefix}words"
            shares = self._draws.long_shares(move, salt, longest)
            ids = vocabularies.subset(ids, self._max_words, shares)
        shape = (self._draws.rows, self._max_words)
        return [
            tf.ensure_shape(part, shape)
            for part in vocabularies.padded(ids, self._max_words)
        ]


def _check_captions(pictures, sentences, words, twins):
    expected = pictures.captions.shape
    if sentences is not None and tuple(sentences.shape[:2]) != expected:
        raise ValueError(
            f"sentences has shape {tuple(sentences.shape)}; set "
            f"{pictures.name!r} needs {(*expected, 'C')}."
        )
    if words is not None and words.shape != expected:
        raise ValueError(
            f"words are stored for captions of {words.shape}; set "
            f"{pictures.name!r} has {expected}."
        )
    if words is not None and not words.max_words:
        raise ValueError(
            f"{words.folder} holds no words; give it as sentences."
        )
    if words is not None and sentences is not None:
        raise ValueError("words hold sentences too; give one of the two.")
    if twins and pictures.own_counts.max() < 2:
        raise ValueError(
            f"Set {pictures.name!r} has one caption a picture; twins need two."
        )


def _check_words(vocabulary, max_words, word_rule, words):
    if word_rule not in vocabularies.RULES:
        raise ValueError(
            f"word_rule is {word_rule!r}; allowed are "
            f"{', '.join(map(repr, vocabularies.RULES))}."
        )
    if vocabulary is None:
        return
    if words is not None:
        raise ValueError(
            "Words come as ids of a vocabulary or as stored vectors; give one "
            "of the two."
        )
    if max_words is None or max_words < 1:
        raise ValueError(
            f"max_words is {max_words}; a vocabulary needs 1 or more."
        )


def check_known(
    vocabulary: vocabularies.Vocabulary, pictures: source.Pictures
) -> None:
    """Refuses captions without any word, of which a mask would be all False.

    Args:
        vocabulary: the words that are known.
        pictures: the set.

    Raises:
        ValueError: naming the first such caption.
    """
    table = pictures.captions

    def name(place):
        row, column = divmod(place, table.shape[1])
        return (
            f"Caption {column} of picture {str(pictures.keys[row])!r} in set "
            f"{pictures.name!r}"
        )

    for start in range(0, table.size, _CHUNK):
        some = _encoded(table, start, min(start + _CHUNK, table.size))
        vocabulary.check(some, lambda place, start=start: name(start + place))


def _encoded(table, start, end) -> list[bytes]:
    """Takes strings of a table as UTF-8, row after row."""
    if isinstance(table, texts.Texts):
        return table.encoded(np.arange(start, end))
    return [text.encode() for text in table.ravel()[start:end].tolist()]
