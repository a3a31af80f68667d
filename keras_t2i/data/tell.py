"""Tells the captions of a batch: as text, ids and vectors."""

import numpy as np
import tensorflow as tf

from keras_t2i.data import draws as drawing
from keras_t2i.data import fetch, source
from keras_t2i.data import vocabulary as vocabularies
from keras_t2i.ops import feature_store


class Teller:
    """Adds what is known of chosen captions to a batch.

    Args:
        pictures: the set.
        draws: those of the stream.
        sentences: (N, K, C) floats or None.
        vocabulary: for word ids, or None.
        max_words: T of the ids.
        word_rule: "subset" or "truncate", for longer captions.
        words: stored vectors of words and sentences, or None.
        twins: whether two captions of a picture will be told.

    Raises:
        ValueError: if these do not fit the set or each other.
    """

    def __init__(
        self,
        pictures: source.Pictures,
        draws: drawing.Draws,
        *,
        sentences: np.ndarray | None = None,
        vocabulary: vocabularies.Vocabulary | None = None,
        max_words: int | None = None,
        word_rule: str = "subset",
        words: feature_store.Store | None = None,
        twins: bool = False,
    ):
        _check_captions(pictures, sentences, words, twins)
        _check_words(vocabulary, max_words, word_rule, words)
        self.per_picture = pictures.captions.shape[1]
        self._draws = draws
        self._strings = fetch.strings(pictures.captions)
        self._vectors = None if sentences is None else fetch.vectors(sentences)
        self._vocabulary, self._words = vocabulary, words
        self._max_words, self._word_rule = max_words, word_rule

    def tell(self, prefix: str, move, rows, chosen) -> dict[str, tf.Tensor]:
        """Tells the chosen captions of some pictures.

        Text and words are those of the first one, the sentence is the mean of
        all.

        Args:
            prefix: stands before the keys.
            move: () integer.
            rows: (b,) int64, the pictures.
            chosen: (b, k) int64, which of their captions.

        Returns:
            Tensors by key.
        """
        places = rows[:, None] * self.per_picture + chosen
        made = {"text": self._strings(places[:, 0])}
        if self._vectors is not None:
            made["sentence"] = tf.reduce_mean(self._vectors(places), axis=1)
        if self._vocabulary is not None:
            ids = self._ids(prefix, move, made["text"])
            made["caption"], made["mask"] = ids
        if self._words is not None:
            made |= self._stored(places)
        return {f"{prefix}{key}": value for key, value in made.items()}

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

    def _stored(self, places):
        def read(places):
            words, mask, _ = self._words.rows(places[:, 0])
            sentences = self._words.sentences(places)
            return words, mask, sentences.mean(1, dtype=np.float32)

        types = tf.float32, tf.bool, tf.float32
        words, mask, sentence = fetch.outside(read, places, types)
        length, dim = self._words.max_words, self._words.dim
        rows = self._draws.rows
        return {
            "words": tf.ensure_shape(words, (rows, length, dim)),
            "mask": tf.ensure_shape(mask, (rows, length)),
            "sentence": tf.ensure_shape(sentence, (rows, dim)),
        }


def _check_captions(pictures, sentences, words, twins):
    expected = pictures.captions.shape
    if sentences is not None and np.shape(sentences)[:2] != expected:
        raise ValueError(
            f"sentences has shape {np.shape(sentences)}; set "
            f"{pictures.name!r} needs {(*expected, 'C')}."
        )
    if words is not None and words.shape != expected:
        raise ValueError(
            f"words are stored for captions of {words.shape}; set "
            f"{pictures.name!r} has {expected}."
        )
    if words is not None and sentences is not None:
        raise ValueError("words hold sentences too; give one of the two.")
    if twins and expected[1] < 2:
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
