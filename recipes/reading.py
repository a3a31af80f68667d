"""Wires readers of captions and pictures that learn to agree.

What `wiring` is for generators: the only place where a config's names become
readers, and a set's captions and pictures what they read.
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from keras_t2i import systems, weights
from keras_t2i.data import pipeline, source
from keras_t2i.encoders import heads, tokenizer
from keras_t2i.encoders import text as text_room
from keras_t2i.ops import files, noise
from keras_t2i.systems import damsm
from recipes import letters, looking, messages, optimizing, streams, wiring

_HEADS = ("linear", "none")
_PREFIXES = ("", *sorted(set(damsm.CONTRASTS.values())))
_WANTED = ("image", "caption", "words", "sentence", "mask", "label")


@dataclasses.dataclass(frozen=True)
class Readers:
    """What is read upon, and does not change.

    Attributes:
        text: frozen text encoder, or `encoders.tokenizer.Words` where words
            are learned.
        seen: frozen `encoders.features.Features` of pictures.
        classes: int. Classes of the training set.
        digest: str. Changes when anything of it does.
    """

    text: object
    seen: object
    classes: int
    digest: str


def opened(config) -> tuple[source.Pictures, Readers]:
    """Opens the training pictures and what they are read with.

    Args:
        config: made by `common.readers`.

    Returns:
        Pictures without those held out, and `Readers`.

    Raises:
        ValueError: if something is unknown or missing, or data and variant
            don't fit.
    """
    whole = streams.source(config, "train")
    pictures = whole.subset(parted(len(whole), config)[0])
    told = fault(config, pictures)
    if told:
        raise ValueError(told)
    for key, known in (("resize", heads.RESIZES), ("norms", heads.NORMS)):
        messages.choose(
            f"config.image.{key}", config.image[key], dict.fromkeys(known)
        )
    text = base(config, pictures)
    seen = weights.readers.trunk(config.image)
    digest = text.vocabulary.digest if _learns_words(text) else text.digest
    return pictures, Readers(
        text, seen, len(pictures.class_names), files.digest(digest, seen.digest)
    )


def base(config, pictures):
    """Opens what the text side reads upon.

    Args:
        config: made by `common.readers`.
        pictures: the training pictures, whose words a bi-LSTM knows.

    Returns:
        Frozen text encoder, or `encoders.tokenizer.Words`.

    Raises:
        ValueError: if it is unknown, or its weights are missing.
    """
    name = config.text.encoder
    known = dict.fromkeys((*weights.readers.TEXTS, "letters"))
    messages.choose("config.text.encoder", name, known)
    messages.choose("config.text.head", config.text.head, dict.fromkeys(_HEADS))
    if name == "letters":
        return letters.Letters()
    if name == "hub" and not config.text.source:
        raise ValueError(
            "config.text.encoder is 'hub', which needs config.text.source: a "
            "TF-Hub handle, or the folder of a SavedModel."
        )
    words = None
    if name == "bi_lstm":
        words = streams.vocabulary(config.data, pictures)
    return weights.readers.base_of(config, words)


def _learns_words(text) -> bool:
    return isinstance(text, tokenizer.Words)


def parted(count: int, config) -> tuple[np.ndarray, np.ndarray]:
    """Parts the training pictures from those by which an epoch is chosen.

    Args:
        count: of pictures in the training part.
        config: made by `common.readers`.

    Returns:
        Rows that are trained on and rows that are held out, both in order.

    Raises:
        ValueError: if too many are to be held out.
    """
    held = config.data.held_out
    if held < 0 or held == 1 or held > count // 2:
        raise ValueError(
            f"config.data.held_out is {held}; allowed: 0, and 2 to half of "
            f"the {count} training pictures."
        )
    order = noise.permutation(noise.key(0, salt="held out"), count).numpy()
    return np.sort(order[held:]), np.sort(order[:held])


def system(config, pictures, readers: Readers, rate: float = 1.0):
    """Builds and compiles the system.

    Args:
        config: made by `common.readers`.
        pictures: the training pictures.
        readers: what `opened` gave.
        rate: float > 0. All learning rates are so many times the config's.

    Returns:
        `systems.DAMSM`, compiled.

    Raises:
        ValueError: if a name or an argument is unknown.
    """
    with wiring.building(config.train):
        is_asked = config.system.contrast == "cross_entropy"
        players = weights.readers.build(
            config,
            readers.text,
            readers.seen,
            readers.classes if is_asked else 0,
        )
    section = wiring.given(config.system)
    messages.choose("config.system.name", section.pop("name"), {"DAMSM": 0})
    built = systems.DAMSM(
        players,
        loss_weights=wiring.given(config.loss_weights),
        seed=config.train.seed,
        **section,
    )
    optimizing.compile_players(built, config, rate)
    return built


def stream(
    config,
    pictures,
    readers: Readers,
    start_move: int = 0,
    batches_per_move: int = 1,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Streams what the players read, from the move where the run stands.

    Args:
        config: made by `common.readers`.
        pictures: the training pictures.
        readers: what `opened` gave.
        start_move: int. Moves already made.
        batches_per_move: int. Of `train.batch_size` rows each.
        shard: (i, n): only part i of n of each batch's rows.

    Returns:
        Endless dataset of batches.

    Raises:
        ValueError: if the batch does not fit the data.
    """
    prefix = damsm.CONTRASTS.get(config.system.contrast)
    batches = real(
        config,
        pictures,
        batches_per_move,
        start_move=start_move,
        twins=prefix == "twin_",
        partners="label" if prefix == "partner_" else None,
        shard=shard,
        **_words(config, pictures, readers),
    )
    seen = None
    if config.image.is_kept:
        seen = table(config, pictures, readers)
    return batches.map(
        functools.partial(_read, seen), tf.data.AUTOTUNE
    ).prefetch(2)


def real(config, pictures, batches_per_move: int = 1, **more):
    """Streams real pictures and captions for what learns from these alone.

    Args:
        config: with data and train as `common.readers` lays them out.
        pictures: the training pictures.
        batches_per_move: int. Of `train.batch_size` rows each.
        **more: of `data.pipeline.batches`.

    Returns:
        `tf.data.Dataset`, as there.

    Raises:
        ValueError: as there.
    """
    section = config.data
    return pipeline.batches(
        pictures,
        batch_size=config.train.batch_size * batches_per_move,
        image_size=section.image_size,
        seed=config.train.seed,
        crop=section.crop,
        flip=section.flip,
        fit=section.fit,
        **more,
    )


def _words(config, pictures, readers) -> dict:
    section = config.data
    if _learns_words(readers.text):
        return {
            "vocabulary": readers.text.vocabulary,
            "max_words": section.max_words,
            "word_rule": section.word_rule,
        }
    stored = text_room.embed_words(
        readers.text,
        pictures.captions,
        wiring.cache_dir(),
        max_words=section.max_words,
        progress=True,
    )
    return {"words": stored}


def _read(seen, batch):
    """Leaves what players read; pictures become what was seen in them."""
    found = {
        prefix + key: batch[prefix + key]
        for prefix in _PREFIXES
        for key in _WANTED
        if prefix + key in batch
    }
    if seen is None:
        return found
    for prefix in _PREFIXES:
        if f"{prefix}image" in found:
            rows = seen(batch[f"{prefix}key"])
            del found[f"{prefix}image"]
            found |= {f"{prefix}{key}": row for key, row in rows.items()}
    return found


def table(config, pictures, readers: Readers) -> looking.Table:
    """Looks at each picture once and keeps what the network says.

    Args:
        config: with data.image_size and data.fit.
        pictures: the set.
        readers: has `seen`, the network.

    Returns:
        Where that is found by the pictures' names.
    """
    shown = pipeline.in_order(pictures, config.data.image_size, config.data.fit)
    found = looking.look(
        readers.seen, shown, len(pictures), wiring.cache_dir() / "regions"
    )
    return looking.Table(pictures.keys, found)


def fault(config, pictures: source.Pictures) -> str:
    """Tells why a variant can't learn from a set.

    Args:
        config: made by `common.readers`.
        pictures: the training pictures.

    Returns:
        A sentence; empty if it can.
    """
    if pictures.channels != 3:
        return (
            f"Pictures of {pictures.name} have {pictures.channels} colour(s); "
            "readers look at three."
        )
    prefix = damsm.CONTRASTS.get(config.system.contrast)
    what = f"config.system.contrast is {config.system.contrast!r}"
    if prefix == "twin_" and pictures.captions.shape[1] < 2:
        return (
            f"{what}, which compares two captions of a picture; those of "
            f"{pictures.name} have one."
        )
    if prefix == "partner_" and not streams.has_pairs(pictures.labels):
        return (
            f"{what}, which compares pictures of one class; no two pictures "
            f"of {pictures.name} share one."
        )
    if config.image.is_kept and config.image.norms != "running":
        return (
            f"config.image.norms is {config.image.norms!r}, which takes each "
            "batch's numbers; with config.image.is_kept it is 'running'."
        )
    return unsteady(config)


def unsteady(config) -> str:
    """Tells why pictures can't be looked at once for all.

    Args:
        config: with the sections data and image.

    Returns:
        A sentence; empty if they can, or needn't.
    """
    if config.image.is_kept and (config.data.crop or config.data.flip):
        return (
            "config.image.is_kept looks at each picture once; with "
            "config.data.crop or flip no two looks are alike."
        )
    return ""
