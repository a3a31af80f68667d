"""Captions to vectors: in the graph, and once for a whole data set."""

import io
import os

import keras
import numpy as np
import tensorflow as tf

from keras_t2i.encoders import tokenizer as tokenizers
from keras_t2i.ops import feature_store, files

_CHECKED = 4096  # captions looked through at a time


class TextEncoder(tf.Module):
    """Reads captions with a tokenizer and a model of word-piece ids.

    A tf.Module: assigned to an exported module, its table and weights are
    saved along. Works eagerly and in graphs, for any number of captions.

    Args:
        tokenizer: callable: (B,) string -> ids (B, T) int32, mask (B, T)
            bool; has `max_words` and `check`.
        model: keras.Model: {"ids", "mask"} -> {"words", "sentence"}.
        name: str, a Python identifier.
        digest: str, or a callable that gives it, of a reader that learns.
            Changes when anything that changes a vector does.
        scale: float. What sentence vectors are multiplied by.

    Call arguments:
        captions: (B,) string.

    Returns of a call:
        words: (B, T, C) float32, T = `max_words`; 0 where there is no word.
        mask: (B, T) bool, True for a word.
        sentence: (B, C) float32.

    Raises:
        tf.errors.InvalidArgumentError: in a call, for a caption that is
            empty, too long or not UTF-8. `check` says which, in Python.
    """

    def __init__(self, tokenizer, model, name, digest, scale=1.0):
        super().__init__(name=name)
        self.scale = scale
        self.tokenizer = tokenizer
        self._digest = digest
        self.max_words = tokenizer.max_words
        self.dim = model.output["sentence"].shape[-1]
        # Session loaders find a Keras variable only by its TensorFlow one.
        self._held = [v.value for v in model.weights]
        # Past the tracking: it would be saved beside them a second time.
        object.__setattr__(self, "model", model)

    @property
    def digest(self):
        """Changes when anything that changes a vector does."""
        return self._digest() if callable(self._digest) else self._digest

    def __call__(self, captions):
        ids, mask = self.tokenizer(captions)
        lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        longest = tf.maximum(tf.reduce_max(lengths), 1)
        read = self.read_ids(ids[:, :longest], mask[:, :longest])
        words = tf.pad(
            read["words"], [[0, 0], [0, self.max_words - longest], [0, 0]]
        )
        words = tf.ensure_shape(words, (None, self.max_words, self.dim))
        return {"words": words, "mask": mask, "sentence": read["sentence"]}

    @property
    def vocabulary(self):
        """The words that have ids; None where captions are read in pieces."""
        is_of_words = isinstance(self.tokenizer, tokenizers.Words)
        return self.tokenizer.vocabulary if is_of_words else None

    def read_ids(self, ids, mask):
        """Reads captions whose words were looked up before.

        Args:
            ids: (B, T) int32, of any T; 0 is padding.
            mask: (B, T) bool, True for a word.

        Returns:
            words: (B, T, C) float32; 0 where there is no word.
            sentence: (B, C) float32.
        """
        read = self.model({"ids": ids, "mask": mask}, training=False)
        words = tf.where(mask[:, :, None], read["words"], 0.0)
        return {"words": words, "sentence": self.scale * read["sentence"]}

    def check(self, captions):
        """Refuses captions that cannot be read, naming the first.

        Args:
            captions: list of str.

        Raises:
            ValueError: if one is empty, too long or not UTF-8.
        """
        self.tokenizer.check(captions)

    def pieces(self, caption):
        """Lists the pieces that a caption is read in, for people.

        Args:
            caption: str.

        Returns:
            List of str, one for each True of the mask.
        """
        return self.tokenizer.pieces(caption)


class HubEncoder(tf.Module):
    """Reads captions with a foreign SavedModel, such as one of TF-Hub.

    The model, or `preprocess` before it, takes (B,) strings. It answers with
    (B, C) sentences, or with a dict:

    - "pooled_output" or "default": (B, C), the sentence;
    - "sequence_output": (B, T, C), the words; may be absent;
    - "input_mask": (B, T), not 0 for a word, from the model or from
      `preprocess`; needed beside "sequence_output".

    A model that tells no words has one: the sentence. Its own limit cuts long
    captions; T of the first answer is `max_words`.

    Args:
        model: callable, as `hub.load` gives it.
        preprocess: callable or None: (B,) strings -> what `model` takes.
        name: str, a Python identifier.
        digest: str. Changes when anything that changes a vector does.

    Call arguments:
        captions: (B,) string.

    Returns of a call:
        words, mask, sentence: as `TextEncoder`.

    Raises:
        ValueError: if the answer is not as above.
    """

    def __init__(self, model, preprocess, name, digest):
        super().__init__(name=name)
        self.model = model
        self.preprocess = preprocess
        self.digest = digest
        words = self(tf.constant(["a word"]))["words"]
        self.max_words, self.dim = words.shape[1:]

    def __call__(self, captions):
        inputs = tf.convert_to_tensor(captions)
        mask = None
        if self.preprocess is not None:
            inputs = self.preprocess(inputs)
            mask = inputs.get("input_mask")
        outputs = self.model(inputs)
        if not isinstance(outputs, dict):
            outputs = {"default": outputs}
        sentence = outputs.get("pooled_output", outputs.get("default"))
        if sentence is None or sentence.shape.rank != 2:
            raise ValueError(
                f"{self.name} answers {_shapes(outputs)}; wanted is "
                "'pooled_output' or 'default' of shape (B, C)."
            )
        words = outputs.get("sequence_output")
        mask = outputs.get("input_mask", mask)
        if words is None:
            words = sentence[:, None]
            mask = tf.ones(tf.shape(words)[:2], tf.int32)
        if mask is None:
            raise ValueError(
                f"{self.name} answers 'sequence_output' without an "
                "'input_mask' that says which words are real."
            )
        mask = tf.cast(mask, tf.bool)
        words = tf.where(mask[:, :, None], words, 0.0)
        return {"words": words, "mask": mask, "sentence": sentence}

    def check(self, captions):
        """Refuses captions that cannot be read, naming the first.

        Args:
            captions: list of str.

        Raises:
            ValueError: if one is empty or not UTF-8.
        """
        tokenizers.check_text(list(captions))

    def pieces(self, caption):
        """Numbers the pieces that a caption is read in.

        Args:
            caption: str.

        Returns:
            List of str, one for each True of the mask: "1", "2" ..., since
            the model does not tell what they are.
        """
        (mask,) = self(tf.constant([caption]))["mask"]
        return [str(i + 1) for i in range(np.count_nonzero(mask))]


def embed(
    encoder,
    captions,
    cache_dir=None,
    batch_size=256,
    progress=False,
    dtype="float32",
):
    """Reads every caption of a data set once.

    Args:
        encoder: `TextEncoder` or its like: a call gives "sentence"; has
            `dim`, `digest` and `check`.
        captions: table of str of any shape, such as (N, K), an array or
            packed.
        cache_dir: path or None. Where the vectors are kept, named by the
            content of the captions and the encoder's digest. A damaged or
            foreign file there is written anew.
        batch_size: int. Captions read at a time.
        progress: bool. Show a bar.
        dtype: "float32", held in memory; or "float16" for large sets of
            (N, K) captions, which stay on the disk.

    Returns:
        float32 array of the shape of `captions` with one more axis (C); for
        "float16" a `ops.feature_store.Store`, which `data.pipeline` and NumPy
        take for such an array.

    Raises:
        ValueError: if a caption is empty, too long or not UTF-8, or "float16"
            has no `cache_dir`.
    """
    if dtype not in ("float32", "float16"):
        raise ValueError(
            f"dtype is {dtype!r}; allowed are 'float32' and 'float16'."
        )
    if dtype == "float16":
        if cache_dir is None:
            raise ValueError(
                "Vectors of float16 stay in files; name their cache_dir."
            )
        return _stored(
            encoder, captions, cache_dir, dtype, 0, batch_size, progress
        )
    texts, shape = _decoded(captions)
    if cache_dir is None:
        return _embed(encoder, texts, shape, batch_size, progress)
    digest = files.digest(
        repr(shape).encode(),
        b"\0".join(text.encode("utf-8", "surrogatepass") for text in texts),
        encoder.digest.encode(),
    )
    path = os.path.join(os.fspath(cache_dir), f"sentences_{digest[:24]}.npy")
    vectors = _cached(path, (*shape, encoder.dim))
    if vectors is None:
        vectors = _embed(encoder, texts, shape, batch_size, progress)
        os.makedirs(cache_dir, exist_ok=True)
        files.atomic_write(path, _npy(vectors))
    return vectors


def embed_words(
    encoder,
    captions,
    cache_dir,
    dtype="float16",
    max_words=None,
    batch_size=256,
    progress=False,
):
    """Reads every caption once and keeps the vectors of its words.

    Word vectors of a large set don't fit into memory, nor on many disks when
    they are kept as usual, padded and as float32: COCO's 414,113 training
    captions take 21.6 GB as 17 words of 768 numbers. Only real words are kept
    here, as half floats or as bytes with one scale a word. For COCO's captions
    of 14.2 word pieces that is, by `tools.measure_features`,

        numbers a word   float16   int8
        384 (MiniLM)      4.8 GB   2.6 GB    11.7 and 6.3 kB a caption
        768 (BERT-base)   9.7 GB   5.2 GB

    and MiniLM's numbers, of mean size 0.32, are wrong by 0.00006 on average
    and 0.002 at most as float16, by 0.003 and 0.023 as int8, whose words have
    a cosine of 0.9999 with the exact ones, 0.9993 at least.

    Args:
        encoder: `TextEncoder` or its like: a call gives "words", "mask" and
            "sentence"; has `dim`, `digest`, `max_words` and `check`.
        captions: (N, K) table of str, an array or packed.
        cache_dir: path. Where the vectors are kept, named by the content of
            the captions and the encoder's digest. An interrupted call goes
            on where it was.
        dtype: "float16" or "int8".
        max_words: int or None. Word vectors of a caption, its end cut off;
            None for the encoder's own limit.
        batch_size: int. Captions read at a time.
        progress: bool. Show a bar.

    Returns:
        `ops.feature_store.Store`.

    Raises:
        ValueError: if a caption is empty, too long or not UTF-8, `dtype` is
            another one, or the encoder tells no words.
    """
    length = encoder.max_words if max_words is None else max_words
    return _stored(
        encoder, captions, cache_dir, dtype, length, batch_size, progress
    )


def _stored(encoder, captions, cache_dir, dtype, length, batch_size, progress):
    """A store with so many words a caption; with 0, of sentences only."""
    texts = _encoded(captions)
    digest = files.digest(
        "vectors 1",
        repr(tuple(captions.shape)),
        files.digest(*texts),
        encoder.digest,
        f"{dtype} {length}",
    )
    kind = "words" if length else "sentences"
    parts = ("words", "mask", "sentence") if length else ("sentence",)
    graph = tf.function(
        lambda batch: _parts(encoder(batch), parts),
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )

    def check(distinct):
        told = graph.get_concrete_function().structured_outputs
        _check_parts(encoder, told, parts)
        _check(encoder, distinct)

    def read(some):
        made = {k: v.numpy() for k, v in graph(tf.constant(some)).items()}
        if not length:
            none = np.zeros((len(some), 0))
            return none[..., None], none.astype(bool), made["sentence"]
        words, mask = (made[part][:, :length] for part in ("words", "mask"))
        return words, mask, made["sentence"]

    bar = keras.utils.Progbar(None, verbose=1) if progress else None
    return feature_store.write(
        os.path.join(os.fspath(cache_dir), f"{kind}_{digest[:24]}"),
        texts,
        captions.shape,
        read,
        dim=encoder.dim,
        max_words=length,
        dtype=dtype,
        chunk=batch_size,
        check=check,
        told=bar.add if bar else lambda count: None,
    )


def _parts(answer, parts):
    return {part: answer[part] for part in parts if part in answer}


def _decoded(captions):
    """All captions in a flat list, and the shape of their table."""
    if hasattr(captions, "encoded"):  # packed: never all in wide letters
        texts = [text.decode() for text in _encoded(captions)]
        return texts, tuple(captions.shape)
    table = np.asarray(captions, dtype=np.str_)
    return table.ravel().tolist(), table.shape


def _encoded(captions):
    """All captions in a flat list of UTF-8."""
    if hasattr(captions, "encoded"):  # packed: never all in wide letters
        return captions.encoded(np.arange(captions.size))
    return [text.encode() for text in np.ravel(captions).tolist()]


def _check_parts(encoder, told, parts):
    lacking = [part for part in parts if part not in told]
    if lacking:
        name = getattr(encoder, "name", type(encoder).__name__)
        raise ValueError(
            f"Text encoder {name!r} answers captions without "
            f"{' and '.join(map(repr, lacking))}; needed are "
            f"{', '.join(map(repr, parts))}."
        )


def _check(encoder, texts):
    """Refuses bad captions before hours go into the good ones."""
    for start in range(0, len(texts), _CHECKED):
        some = texts[start : start + _CHECKED]
        encoder.check([text.decode() for text in some])


def _embed(encoder, texts, shape, batch_size, progress):
    encoder.check(texts)
    distinct = sorted(set(texts))
    number = {text: row for row, text in enumerate(distinct)}
    # Rows of like length together: little padding is read.
    order = np.argsort([len(text) for text in distinct], kind="stable")
    read = tf.function(
        lambda batch: encoder(batch)["sentence"],
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )
    vectors = np.empty((len(distinct), encoder.dim), np.float32)
    bar = keras.utils.Progbar(len(distinct), verbose=1) if progress else None
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        some = [distinct[row] for row in rows]
        vectors[rows] = read(tf.constant(some)).numpy()
        if bar:
            bar.add(len(rows))
    places = np.array([number[text] for text in texts], np.int64)
    return vectors[places].reshape(*shape, encoder.dim)


def _shapes(outputs):
    return {key: tuple(value.shape) for key, value in outputs.items()}


def _cached(path, shape):
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = vectors.shape == shape and vectors.dtype == np.float32
    return vectors if fits else None


def _npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
