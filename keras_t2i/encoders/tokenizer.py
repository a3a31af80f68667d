"""Strings to ids of word pieces or of words, in the graph."""

import tensorflow as tf

_LONGEST_SHOWN = 60


class WordPiece(tf.Module):
    """Cuts captions into BERT's word pieces and looks up their ids.

    A tf.Module: assigned to an exported module, its table is saved along.
    Programs that load such a model must import `tensorflow_text` first.

    Args:
        vocabulary: list of str, one word piece each; its place is its id.
            Holds [PAD], [UNK], [CLS] and [SEP].
        max_words: int. Word pieces of the longest caption, [CLS] and [SEP]
            included.
        lower_case: bool. Fold case and strip accents first.
        truncate: bool. Cut a longer caption at the limit; otherwise it is
            refused.

    Call arguments:
        captions: (B,) string, UTF-8.

    Returns of a call:
        ids: (B, max_words) int32; 0 where there is no word.
        mask: (B, max_words) bool; True for a word piece, [CLS] and [SEP]
            included.

    Raises:
        ValueError: if the vocabulary lacks a special piece or repeats one.
        tf.errors.InvalidArgumentError: in a call, for a caption that is
            empty, too long or not UTF-8. `check` says which, in Python.

    Source:
        Devlin et al. 2018, arXiv:1810.04805; Wu et al. 2016, arXiv:1609.08144.
        Ours differs: "[SEP]" written in a caption is five characters of text,
        not the special piece; words of more than 100 letters are still cut
        into pieces.
    """

    def __init__(
        self, vocabulary, *, max_words=32, lower_case=True, truncate=False
    ):
        super().__init__(name="word_piece")
        import tensorflow_text  # Registers its operations; slow to import.

        _check_vocabulary(vocabulary)
        if max_words < 3:
            raise ValueError(
                f"max_words is {max_words}; it must be at least 3: [CLS], one "
                "word piece and [SEP]."
            )
        self.max_words = max_words
        self.lower_case = lower_case
        self.truncate = truncate
        # Past the tracking, which would save each piece beside the table.
        object.__setattr__(self, "vocabulary", list(vocabulary))
        self._start = vocabulary.index("[CLS]")
        self._end = vocabulary.index("[SEP]")
        self._padding = vocabulary.index("[PAD]")
        self._table = tf.lookup.StaticVocabularyTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(vocabulary),
                tf.range(len(vocabulary), dtype=tf.int64),
            ),
            num_oov_buckets=1,
        )
        self._pieces = tensorflow_text.BertTokenizer(
            self._table, max_bytes_per_word=400, token_out_type=tf.int64
        )

    def __call__(self, captions):
        captions = tf.convert_to_tensor(captions)
        ids = self._cut(captions)
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        checks = [
            (_is_utf8(captions), "A caption is not valid UTF-8 text."),
            (lengths > 0, "A caption is empty; it needs at least one word."),
        ]
        if not self.truncate:
            checks.append((lengths <= self.max_words - 2, self._too_long()))
        checks = [tf.debugging.Assert(tf.reduce_all(c), [t]) for c, t in checks]
        with tf.control_dependencies([c for c in checks if c is not None]):
            ids = ids[:, : self.max_words - 2]
            ends = tf.ones((tf.shape(captions)[0], 1), tf.int64)
            ids = tf.concat([ends * self._start, ids, ends * self._end], 1)
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        ids = ids.to_tensor(self._padding, shape=(None, self.max_words))
        mask = tf.sequence_mask(lengths, self.max_words)
        return tf.cast(ids, tf.int32), mask

    def check(self, captions):
        """Refuses captions that cannot be read, naming the first.

        Args:
            captions: list of str or bytes.

        Raises:
            ValueError: if one is empty, not UTF-8 or, unless `truncate` is
                set, too long.
        """
        captions = list(captions)
        check_text(captions)
        if not captions:
            return
        lengths = self._cut(tf.constant(captions)).row_lengths().numpy()
        for index, length in enumerate(lengths):
            if length == 0:
                raise ValueError(
                    f"{_name(index, captions[index])} is empty; it needs at "
                    "least one word."
                )
            if length > self.max_words - 2 and not self.truncate:
                raise ValueError(
                    f"{_name(index, captions[index])} has {length} word "
                    f"pieces; this encoder reads at most {self.max_words - 2}."
                )

    def pieces(self, caption):
        """Lists the word pieces of a caption, for people.

        Args:
            caption: str.

        Returns:
            List of str, one for each True of the mask, "[CLS]" the first.
        """
        ids, mask = self(tf.constant([caption]))
        return [self.vocabulary[i] for i in ids[mask].numpy()]

    def _too_long(self):
        return (
            f"A caption has more than {self.max_words - 2} word pieces, the "
            "most that this encoder reads."
        )

    def _cut(self, captions):
        """(B,) string -> ragged (B, words) int64 without the special ids."""
        text = _clean(captions)
        if self.lower_case:
            text = _fold(text)
        return self._pieces.tokenize(text).merge_dims(1, 2)


class Words(tf.Module):
    """Cuts captions into words and looks up their ids; others are left out.

    A tf.Module: assigned to an exported module, the vocabulary's table is
    saved along. Programs that load such a model need `tensorflow` alone.

    Args:
        vocabulary: `data.vocabulary.Vocabulary` or its like: called with (B,)
            strings it gives (B, words) int32, ragged, the first word's id
            being 1; has `check`, `digest` and a length.
        max_words: int. Known words of the longest caption.
        truncate: bool. Cut a longer caption at the limit; otherwise it is
            refused.

    Call arguments:
        captions: (B,) string, UTF-8.

    Returns of a call:
        ids: (B, max_words) int32; 0 where there is no word.
        mask: (B, max_words) bool; True for a word.

    Raises:
        ValueError: if `max_words` is not positive.
        tf.errors.InvalidArgumentError: in a call, for a caption that has no
            known word, is too long or not UTF-8. `check` says which, in
            Python.

    Source:
        Xu et al. 2018's code, arXiv:1711.10485. Ours differs: a caption
        without known words is refused, and long ones are cut at the end or
        refused rather than thinned out at random.
    """

    def __init__(self, vocabulary, *, max_words=18, truncate=False):
        super().__init__(name="words")
        if max_words < 1:
            raise ValueError(
                f"max_words is {max_words}; it must be at least 1."
            )
        self.vocabulary = vocabulary
        self.max_words = max_words
        self.truncate = truncate

    def __call__(self, captions):
        captions = tf.convert_to_tensor(captions)
        ids = self.vocabulary(captions)
        lengths = ids.row_lengths()
        checks = [
            (_is_utf8(captions), "A caption is not valid UTF-8 text."),
            (lengths > 0, "A caption has no word that this encoder knows."),
        ]
        if not self.truncate:
            checks.append(
                (
                    lengths <= self.max_words,
                    f"A caption has more than {self.max_words} known words, "
                    "the most that this encoder reads.",
                )
            )
        checks = [tf.debugging.Assert(tf.reduce_all(c), [t]) for c, t in checks]
        with tf.control_dependencies([c for c in checks if c is not None]):
            ids = ids.to_tensor(0, shape=(None, self.max_words))
        return ids, ids > 0

    def check(self, captions):
        """Refuses captions that cannot be read, naming the first.

        Args:
            captions: list of str or bytes.

        Raises:
            ValueError: if one is empty, not UTF-8, without a known word or,
                unless `truncate` is set, too long.
        """
        captions = list(captions)
        check_text(captions)
        self.vocabulary.check(captions)
        if self.truncate or not captions:
            return
        lengths = self.vocabulary(tf.constant(captions)).row_lengths().numpy()
        for index, length in enumerate(lengths):
            if length > self.max_words:
                raise ValueError(
                    f"{_name(index, captions[index])} has {length} known "
                    f"words; this encoder reads at most {self.max_words}."
                )

    def pieces(self, caption):
        """Lists the known words of a caption, for people.

        Args:
            caption: str.

        Returns:
            List of str, one for each True of the mask.
        """
        ids, mask = self(tf.constant([caption]))
        return [self.vocabulary.words[i - 1] for i in ids[mask].numpy()]


def check_text(captions):
    """Refuses captions that are no text, naming the first.

    Args:
        captions: list of str or bytes.

    Raises:
        ValueError: if one is of another type, blank, or not UTF-8.
    """
    for index, caption in enumerate(captions):
        name = _name(index, caption)
        if not isinstance(caption, (str, bytes)):
            raise ValueError(
                f"{name} is of type {type(caption).__name__}; a caption is "
                "text."
            )
        try:
            text = caption if isinstance(caption, str) else caption.decode()
            text.encode()  # A str may hold halves of characters.
        except UnicodeError:
            raise ValueError(f"{name} is not valid UTF-8 text.") from None
        if not text.strip():
            raise ValueError(f"{name} is empty; it needs at least one word.")


def _clean(captions):
    """Leaves out control characters; they must not cut a word in two."""
    captions = tf.strings.unicode_transcode(
        captions, "UTF-8", "UTF-8", errors="replace"
    )
    captions = tf.strings.regex_replace(captions, r"[\t\n\r\p{Z}]", " ")
    return tf.strings.regex_replace(captions, r"[\p{C}\x{FFFD}]", "")


def _fold(captions):
    """Strips accents and lowers the case, letter by letter."""
    import tensorflow_text

    captions = tensorflow_text.normalize_utf8(captions, "NFD")
    captions = tf.strings.regex_replace(captions, r"\p{Mn}", "")
    # Lowering whole words would make a sigma at the end a final one.
    captions = tf.strings.regex_replace(captions, "Σ", "σ")
    return tf.strings.lower(captions, "utf-8")


def _is_utf8(captions):
    """(B,) string -> (B,) bool."""
    kept = tf.strings.unicode_transcode(
        captions, "UTF-8", "UTF-8", errors="ignore"
    )
    return tf.equal(kept, captions)


def _check_vocabulary(vocabulary):
    for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]"):
        if piece not in vocabulary:
            raise ValueError(f"The vocabulary has no piece {piece}.")
    if len(set(vocabulary)) != len(vocabulary):
        seen = set()
        twice = next(p for p in vocabulary if p in seen or seen.add(p))
        raise ValueError(f"The vocabulary holds {twice!r} twice.")


def _name(index, caption):
    text = repr(caption)
    if len(text) > _LONGEST_SHOWN:
        text = text[: _LONGEST_SHOWN - 3] + "..."
    return f"Caption {index} ({text})"
