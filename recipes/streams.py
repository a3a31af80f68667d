"""Turns a config into data: pictures, what is read of them, and batches."""

import functools
import pathlib
import warnings

import numpy as np
import tensorflow as tf

from keras_t2i import data
from keras_t2i.data import catalog, pipeline, tell
from keras_t2i.encoders import text as text_room
from keras_t2i.systems import contrasts
from recipes import messages, wiring

_WORDS = ("ids", "float16", "int8")


def source(config, split: str):
    """Opens the data.

    Args:
        config: the run's config.
        split: "train" or "test".

    Returns:
        `data.source.Pictures`.

    Raises:
        ValueError: if the data set is unknown or can't be opened.
    """
    section = config.data
    messages.choose(
        "config.data.name", section.name, dict.fromkeys(catalog.NAMES)
    )
    return catalog.load(
        section.name,
        split,
        section.image_size,
        section.get("path"),
        section.get("labels") or None,  # A flag can't say None.
    )


def sentences(pictures, encoder) -> np.ndarray | None:
    """Reads each caption once; kept by content between runs.

    Args:
        pictures: what `source` gave.
        encoder: what `text_encoder` gave.

    Returns:
        (N, K, C) float32; None if nobody reads.
    """
    if encoder.dim is None:
        return None
    return text_room.embed(
        encoder, pictures.captions, wiring.cache_dir(), progress=True
    )


def dataset(
    config,
    pictures,
    encoder,
    start_move: int = 0,
    batches_per_move: int = 1,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Streams training batches from the move where the run stands.

    Args:
        config: the run's config.
        pictures: what `source` gave.
        encoder: what `text_encoder` gave; each caption is read once and
            kept by content.
        start_move: int. Moves already made.
        batches_per_move: int. How many times config.train.batch_size rows a
            batch holds: the system's own number.
        shard: (i, n): only part i of n of each batch's rows.

    Returns:
        Endless dataset of batches.

    Raises:
        ValueError: if the batch does not fit the data.
    """
    _check_branches(config, pictures)
    _check_words(config, encoder)
    reads = wiring.is_tuned(config)
    if reads and not _reads_ids(config.data, encoder):
        # Of its words the text side is to read.
        encoder = getattr(encoder, "base", encoder)
    stream = pipeline.batches(
        pictures,
        batch_size=config.train.batch_size * batches_per_move,
        image_size=config.data.image_size,
        seed=config.train.seed,
        start_move=start_move,
        shard=shard,
        **_choices(config),
        **_ids(config.data, pictures, encoder),
        **_vectors(config.data, pictures, encoder),
    )
    if not reads and _reads_ids(config.data, encoder):
        read = functools.partial(_with_read_words, encoder)
    elif _asks_for_ids(config, encoder):
        words = wiring.captioner_words(config)
        tell.check_known(words.vocabulary, pictures)
        read = functools.partial(_with_numbered_words, words)
    else:
        return stream
    plain = tf.autograph.experimental.do_not_convert(read)
    return stream.map(plain, tf.data.AUTOTUNE).prefetch(2)


def _choices(config) -> dict:
    """Reads how batches are made; runs of old lack some of it."""
    section = config.data
    names = (
        *("captions_per_image", "mismatch", "other_label", "twins", "partners"),
        *("crop", "flip", "fit", "base_size"),
    )
    found = {name: section[name] for name in names if name in section}
    branch = second_branch(config)
    if branch == "twin_":
        found["twins"] = True
    if branch == "partner_":
        found["partners"] = found.get("partners") or "label"
    return found


def second_branch(config) -> str | None:
    """Tells which second branch a system's batches have.

    Args:
        config: the run's config.

    Returns:
        "twin_", "partner_" or None.

    Raises:
        ValueError: as `systems.contrasts.second`.
    """
    wanted = config.system.get("branches")
    return contrasts.second(wiring.given(config.loss_weights), wanted)


def _check_branches(config, pictures):
    """Refuses branches that a set can't give."""
    branch = second_branch(config)
    if branch == "twin_" and pictures.captions.shape[1] < 2:
        raise ValueError(
            "Two captions of a picture are compared (twins), and those of "
            f"{pictures.name} have one: weigh fake_to_fake 0 and leave "
            "config.system.branches out, or take a set with more."
        )
    if branch == "twin_" and (lonely := np.sum(pictures.own_counts < 2)):
        warnings.warn(
            f"{lonely:,} of {len(pictures.own_counts):,} pictures of "
            f"{pictures.name} have one caption, which is its own twin: their "
            "fakes are told by noise alone.",
            stacklevel=2,
        )
    if branch == "partner_" and not has_pairs(pictures.labels):
        raise ValueError(
            "Pictures of one class are compared (partners), and no two "
            f"pictures of {pictures.name} share one: weigh supervised, unicl "
            "and cross_entropy 0 and leave config.system.branches out, or "
            "take a set with classes."
        )


def _check_words(config, encoder):
    """Refuses batches without the words that somebody reads."""
    if wiring.is_tuned(config):
        why = f"config.system.name is {config.system.name!r}"
        _check_learned_words(config, encoder)
    elif wiring.earlier_stages(config):
        name = config.networks.generator.name
        why = f"config.networks.generator.name is {name!r}"
    elif "words" in wiring.matched(config):
        why = "config.loss_weights.words is not 0"
    else:
        return
    kind = config.data.get("words")
    if kind is None or (kind == "ids" and not _reads_ids(config.data, encoder)):
        raise ValueError(
            f"{why}, which takes captions word by word, and config.data.words "
            f"is {kind!r}: set 'float16' or 'int8', or 'ids' where the reader "
            f"has a vocabulary (config.text.encoder is "
            f"{config.text.encoder!r})."
        )


def _check_learned_words(config, encoder):
    """Refuses words that a reader has read, where it is to learn to."""
    has_ids = getattr(encoder, "vocabulary", None) is not None
    if has_ids and config.data.words != "ids":
        raise ValueError(
            f"config.data.words is {config.data.words!r}, but the reader "
            f"{config.text.source!r}, which goes on learning, takes ids: set "
            "'ids'."
        )


def has_pairs(labels) -> bool:
    """Tells whether any two pictures share a class.

    Args:
        labels: (N,) int; -1 is none.

    Returns:
        bool.
    """
    counts = np.unique(labels[labels >= 0], return_counts=True)[1]
    return bool((counts > 1).any())


def _reads_ids(section, encoder) -> bool:
    """Whether the reader of captions reads the ids of each batch anew."""
    is_able = getattr(encoder, "vocabulary", None) is not None
    return section.get("words") == "ids" and is_able


def _with_read_words(encoder, batch):
    """Reads a batch's ids; captions that lost words lost others before."""
    read = dict(batch)
    for key in batch:
        if key.endswith("caption"):
            prefix = key.removesuffix("caption")
            told = encoder.read_ids(batch[key], batch[f"{prefix}mask"])
            read |= {f"{prefix}{name}": value for name, value in told.items()}
    return read


def _asks_for_ids(config, encoder) -> bool:
    """Whether a captioner's words are to be numbered beside the reader's."""
    is_asked = bool(config.loss_weights.get("recaptioning"))
    return is_asked and not _reads_ids(config.data, encoder)


def _with_numbered_words(words, batch):
    """Numbers the words of a batch's captions as a captioner does."""
    prefixes = [k.removesuffix("text") for k in batch if k.endswith("text")]
    made = dict(batch)
    for prefix in prefixes:
        texts = batch[f"{prefix}text"]
        shape = (texts.shape[0], words.max_words)
        made[f"{prefix}caption"] = tf.ensure_shape(words(texts)[0], shape)
    return made


def _ids(section, pictures, encoder) -> dict:
    kind, most = section.get("words"), section.get("max_words")
    if most is not None and most < 1:
        raise ValueError(
            f"config.data.max_words is {most}; allowed: 1 and more, or None."
        )
    if kind is not None:
        messages.choose("config.data.words", kind, dict.fromkeys(_WORDS))
    elif section.get("max_words") is not None:
        raise ValueError(
            f"config.data.max_words is {section.max_words}, but "
            "config.data.words is None: batches hold no words."
        )
    if kind != "ids":
        return {}
    words = None
    if _reads_ids(section, encoder):
        words = encoder.vocabulary
    return {
        "vocabulary": words or vocabulary(section, pictures),
        "max_words": section.max_words,
        "word_rule": section.word_rule,
    }


def _vectors(section, pictures, encoder) -> dict:
    """Readies what the encoder says of captions, and of their words."""
    kind = section.get("words")
    has_words = kind not in (None, "ids")
    if encoder.dim is None:
        if has_words:
            raise ValueError(
                f"config.data.words is {kind!r}, but config.text.encoder is "
                "'none'."
            )
        return {}
    if _reads_ids(section, encoder):
        return {}
    if has_words:
        stored = text_room.embed_words(
            encoder,
            pictures.captions,
            wiring.cache_dir(),
            kind,
            section.max_words,
            progress=True,
        )
        return {"words": stored}
    if not isinstance(pictures.images, data.source.Shards):
        return {"sentences": sentences(pictures, encoder)}
    stored = text_room.embed(  # Sets in files may be of any size.
        encoder,
        pictures.captions,
        wiring.cache_dir(),
        progress=True,
        dtype="float16",
    )
    return {"sentences": stored}


def vocabulary(section, pictures):
    """Finds the words that have ids.

    Args:
        section: the config's data section.
        pictures: the training pictures.

    Returns:
        `data.vocabulary.Vocabulary`: that of the prepared set, or one of the
        captions.
    """
    if section.name == catalog.RECORDS:
        folder = pathlib.Path(section.path)
        return data.vocabulary.Vocabulary.load(folder / "vocabulary.txt")
    return data.vocabulary.Vocabulary.of(pictures.captions.ravel().tolist())
