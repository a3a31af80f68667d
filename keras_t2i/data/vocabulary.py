"""Numbers the words of captions, as AttnGAN's code does, in the graph."""

import collections
import functools
import itertools
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from keras_t2i.ops import files

RULES = ("subset", "truncate")
_WORD = re.compile(r"\w+")
_SHOWN = 60  # letters of a caption in an error
_CHUNK = 8192  # captions looked at together


class Vocabulary(tf.Module):
    """Turns captions into word ids: the first word has id 1, 0 is padding.

    A tf.Module: assigned to an exported module, its table is saved along.

    Args:
        words: str each, as `tokens` gives them, all different.

    Raises:
        ValueError: if there is no word, one comes twice, or one is no word.

    Source:
        Xu et al. 2018, arXiv:1711.10485, and their code: lower case, runs of
        letters, digits and "_", letters beyond ASCII left out of each run,
        unknown words left out. Ours differs: id 0 is padding only, it has no
        word "<end>".
    """

    def __init__(self, words: Sequence[str]):
        super().__init__(name="vocabulary")
        words = tuple(words)
        _check(words)
        # Past the tracking, which would save each word beside the table.
        object.__setattr__(self, "words", words)
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(words), tf.range(1, len(words) + 1, dtype=tf.int64)
            ),
            default_value=0,
        )

    @classmethod
    def of(cls, captions: Iterable[str]) -> "Vocabulary":
        """Collects the words of captions, the most frequent first.

        Words that come equally often stand in alphabetical order, so that the
        same captions give the same ids everywhere.

        Args:
            captions: str each.

        Returns:
            `Vocabulary`.

        Raises:
            ValueError: if there is no word in them.
        """
        counts = collections.Counter(
            itertools.chain.from_iterable(map(tokens, captions))
        )
        return cls(sorted(counts, key=lambda word: (-counts[word], word)))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads a list of words.

        Args:
            path: a text file, one word a line, that of id 1 first.

        Returns:
            `Vocabulary`.

        Raises:
            ValueError: if the file is missing or a line is no word.
        """
        path = pathlib.Path(path)
        if not path.is_file():
            raise ValueError(f"There is no vocabulary {path}.")
        try:
            return cls(path.read_text(encoding="utf-8").splitlines())
        except ValueError as error:
            raise ValueError(f"{path} is no vocabulary: {error}") from error

    def save(self, path: str | os.PathLike) -> None:
        """Writes the words, one a line, whole or not at all.

        Args:
            path: the file.

        Raises:
            OSError: if it cannot be written.
        """
        files.atomic_write(path, "".join(f"{w}\n" for w in self.words).encode())

    def __len__(self):
        return len(self.words)

    @functools.cached_property
    def digest(self) -> str:
        """Changes when any caption may get other ids."""
        return files.digest("vocabulary 1", "\n".join(self.words))

    def __call__(self, captions) -> tf.RaggedTensor:
        """Looks the words of captions up.

        Args:
            captions: (B,) string, UTF-8.

        Returns:
            (B, words) int32, ragged; unknown words are left out.
        """
        ids = self._table.lookup(_cut(tf.convert_to_tensor(captions)))
        known = tf.ragged.boolean_mask(ids, ids > 0)
        return tf.cast(known, tf.int32)

    def check(
        self,
        captions: Iterable[str | bytes],
        name: Callable[[int], str] = "Caption {}".format,
    ) -> None:
        """Refuses captions of which no word is left, naming the first.

        Args:
            captions: str each, or UTF-8.
            name: what a caption is called, by its place.

        Raises:
            ValueError: if a caption has no word of this vocabulary.
        """
        captions = [
            text.encode() if isinstance(text, str) else text
            for text in captions
        ]
        place = self._wordless(captions)
        if place is not None:
            shown = captions[place].decode()[:_SHOWN]
            raise ValueError(
                f"{name(place)} ({shown!r}) has no word of the vocabulary, "
                f"which knows {len(self)}."
            )

    def _wordless(self, captions: list[bytes]) -> int | None:
        """Finds the first caption of which no word is left."""
        known = {word.encode() for word in self.words}
        # Most have a word between spaces, which needs no graph to be seen.
        doubtful = [
            place
            for place, text in enumerate(captions)
            if known.isdisjoint(text.lower().split())
        ]
        for start in range(0, len(doubtful), _CHUNK):
            places = doubtful[start : start + _CHUNK]
            ids = self([captions[place] for place in places])
            empty = np.flatnonzero(ids.row_lengths().numpy() == 0)
            if len(empty):
                return places[empty[0]]
        return None


def tokens(text: str) -> list[str]:
    """Cuts a caption into words; the graph of a `Vocabulary` does the same.

    Args:
        text: the caption.

    Returns:
        Words of a-z, 0-9 and "_".
    """
    runs = _WORD.findall(text.lower())
    words = [run.encode("ascii", "ignore").decode() for run in runs]
    return [word for word in words if word]


def subset(ids: tf.RaggedTensor, max_words: int, shares) -> tf.RaggedTensor:
    """Leaves at most so many words of each caption, chosen evenly, in order.

    Args:
        ids: (B, words), ragged.
        max_words: how many stay at most.
        shares: (B, L) draws from [0, 1), L the words of the longest caption;
            those with the least share stay.

    Returns:
        (B, words), ragged.

    Source:
        Xu et al. 2018's code, for captions beyond their limit.
    """
    real = tf.sequence_mask(ids.row_lengths(), tf.shape(shares)[1])
    shares = tf.where(real, shares, tf.ones_like(shares))  # after all others
    order = tf.argsort(shares, axis=1, stable=True)
    rank = tf.argsort(order, axis=1)
    stays = real & (rank < max_words)
    padded = ids.to_tensor()  # as wide as `shares`
    return tf.ragged.boolean_mask(padded, stays)


def padded(ids: tf.RaggedTensor, max_words: int):
    """Lays ids out in rows of one length; what is beyond it is cut.

    Args:
        ids: (B, words), ragged.
        max_words: T.

    Returns:
        caption (B, T) int32, 0 is padding; mask (B, T) bool, True at a word.
    """
    caption = ids.to_tensor(shape=[None, max_words])
    return caption, caption > 0


def _check(words):
    if not words:
        raise ValueError("A vocabulary needs at least one word.")
    for word in words:
        if tokens(word) != [word]:
            raise ValueError(
                f"{word!r} is no word: words are runs of a-z, 0-9 and _."
            )
    if len(set(words)) < len(words):
        (word, count), *_ = collections.Counter(words).most_common(1)
        raise ValueError(
            f"The word {word!r} comes {count} times; words must differ."
        )


def _cut(captions):
    """(B,) string -> (B, words) string, ragged: `tokens` in the graph."""
    text = tf.strings.unicode_transcode(captions, "UTF-8", "UTF-8")
    # The two letters beyond ASCII whose lower case is in it.
    text = tf.strings.regex_replace(text, "\u0130", "i ")
    text = tf.strings.regex_replace(text, "\u212a", "k")
    text = tf.strings.lower(text)
    text = tf.strings.regex_replace(text, _foreign_letters(), "")
    text = tf.strings.regex_replace(text, "[^a-z0-9_]+", " ")
    return tf.strings.split(text)


@functools.cache
def _foreign_letters():
    r"""A class of all letters and digits beyond ASCII, as Python's \w has them.

    Spelt out, since TensorFlow may know of another Unicode than Python.
    """
    codes = range(0x80, 0x110000)
    letters = [code for code in codes if chr(code).isalnum()]
    gaps = np.flatnonzero(np.diff(letters) > 1)
    starts = [letters[0], *(letters[gap + 1] for gap in gaps)]
    ends = [*(letters[gap] for gap in gaps), letters[-1]]
    spans = zip(starts, ends, strict=True)
    return "[%s]+" % "".join(f"\\x{{{a:x}}}-\\x{{{b:x}}}" for a, b in spans)
