"""Pre-trains captioners: what `pretraining` is for pairs of readers."""

import dataclasses
import functools
import itertools
import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_t2i import systems, weights
from keras_t2i.data import pipeline, source, vocabulary
from keras_t2i.encoders import captioner, heads
from keras_t2i.losses import captioning
from keras_t2i.metrics import bleu
from keras_t2i.ops import files, sheets
from recipes import (
    messages,
    optimizing,
    pretraining,
    reading,
    streams,
    trained,
    training,
    wiring,
)
from recipes.configs import common

#: The folder of the finished captioner in a run directory, and its sheet.
CAPTIONER, FILE = "captioner", "captions.png"
#: What a captioner is chosen by -> whether the least is best.
SCORES = {"cross_entropy": True, "bleu_1": False, "bleu_4": False}
_KINDS = {"Captioning": systems.Captioning}
_CHUNK, _SHOWN, _COLUMNS = 64, 24, 6


@dataclasses.dataclass(frozen=True)
class Base:
    """What a captioner stands upon, and does not change.

    Attributes:
        words: `data.vocabulary.Vocabulary`.
        seen: frozen `encoders.features.Features` of pictures.
        digest: str. Changes when anything of it does.
    """

    words: vocabulary.Vocabulary
    seen: object
    digest: str


def train(config, workdir, **more):
    """Trains a captioner, or goes on, as `training.train` does.

    Args:
        config: made by `common.captioner`.
        workdir: the run directory.
        **more: as for `training.train`.

    Returns:
        The trained system.

    Raises:
        ValueError: as `training.train`.
    """
    return training.train(config, workdir, trade=CAPTIONERS, **more)


def finish(config, workdir: str | os.PathLike, system) -> dict:
    """Keeps a trained captioner in the run directory, with its scores.

    Args:
        config: the run's config.
        workdir: the run directory.
        system: what `train` gave.

    Returns:
        Its card.

    Raises:
        OSError: if it can't be written.
    """
    workdir = pathlib.Path(workdir)
    pictures, base = opened(config)
    test = streams.source(config, "test")
    teller = _teller(config, system, base)
    card = {
        "recipe": config.to_dict(),
        "moves": int(system.moves.numpy()),
        "vocabulary": list(base.words.words),
        "data": {"train": pictures.digest, "test": test.digest},
        "minutes": pretraining.minutes(workdir),
        "scores": scores(teller, config, test),
    }
    player = system.players["captioner"]
    weights.captioners.save(workdir / CAPTIONER, player, base.seen, card)
    write(teller, config, workdir, test)
    return card


def opened(config) -> tuple[source.Pictures, Base]:
    """Opens the training pictures and what a captioner stands upon.

    Args:
        config: made by `common.captioner`.

    Returns:
        Pictures without those held out, and `Base`.

    Raises:
        ValueError: if something is unknown or missing, or data and config
            don't fit.
    """
    whole = streams.source(config, "train")
    pictures = whole.subset(reading.parted(len(whole), config)[0])
    if pictures.channels != 3:
        raise ValueError(
            f"Pictures of {pictures.name} have {pictures.channels} colour(s); "
            "captioners look at three."
        )
    if told := reading.unsteady(config):
        raise ValueError(told)
    way = config.image.resize
    messages.choose("config.image.resize", way, dict.fromkeys(heads.RESIZES))
    seen = weights.readers.trunk(config.image)
    words = _words(config, pictures)
    return pictures, Base(words, seen, files.digest(words.digest, seen.digest))


def _words(config, pictures):
    """The words that have ids: a reader's, or the set's."""
    place = config.text.source
    if place is None:
        return streams.vocabulary(config.data, pictures)
    known = weights.readers.card(place)["vocabulary"]
    if known is None:
        raise ValueError(
            f"config.text.source is {place!r}, which reads captions in "
            "pieces and has no vocabulary: leave it out, and the captioner "
            "takes the words of the set."
        )
    return vocabulary.Vocabulary(known)


def built(config, pictures, base: Base, rate: float = 1.0):
    """Builds and compiles the system.

    Args:
        config: made by `common.captioner`.
        pictures: the training pictures.
        base: what `opened` gave.
        rate: float > 0. The learning rate is so many times the config's.

    Returns:
        `systems.Captioning`, compiled.

    Raises:
        ValueError: if a name or an argument is unknown.
    """
    kind = _KINDS[config.system.name]
    with wiring.building(config.train):
        player = weights.captioners.build(config, base.seen, base.words)
    system = kind(
        {"captioner": player},
        loss_weights=wiring.given(config.loss_weights),
        seed=config.train.seed,
    )
    optimizing.compile_players(system, config, rate)
    return system


def stream(
    config,
    pictures,
    base: Base,
    start_move: int = 0,
    batches_per_move: int = 1,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Streams what a captioner learns from, from where the run stands.

    Args:
        config: made by `common.captioner`.
        pictures: the training pictures.
        base: what `opened` gave.
        start_move: int. Moves already made.
        batches_per_move: int. Of `train.batch_size` rows each.
        shard: (i, n): only part i of n of each batch's rows.

    Returns:
        Endless dataset of batches.

    Raises:
        ValueError: if the batch does not fit the data.
    """
    section = config.data
    batches = reading.real(
        config,
        pictures,
        batches_per_move,
        start_move=start_move,
        vocabulary=base.words,
        max_words=section.max_words,
        word_rule=section.word_rule,
        shard=shard,
    )
    table = None
    if config.image.is_kept:
        table = reading.table(config, pictures, base)
    attends = config.decoder.attends
    read = functools.partial(_read, table, attends)
    return batches.map(read, tf.data.AUTOTUNE).prefetch(2)


def _read(table, attends, batch):
    if table is None:
        return {key: batch[key] for key in ("image", "caption")}
    seen = table(batch["key"])
    if not attends:
        del seen["regions"]
    return {**seen, "caption": batch["caption"]}


def scores(
    teller: captioner.Captioner, config, pictures: source.Pictures
) -> dict[str, float]:
    """Measures what a captioner says, and what it would say blindly.

    Args:
        teller: the captioner.
        config: made by `common.captioner`.
        pictures: the test part.

    Returns:
        "cross_entropy", nats a word of all captions (words that it doesn't
        know are left out), "bleu_1" and "bleu_4" of what it says beside all
        captions, and the same with "_blank": of a grey picture instead of
        each, so that what is better comes of seeing.
    """
    found = _measured(teller, _shown(config, pictures), pictures)
    grey = np.full((1, *[config.data.image_size] * 2, 3), 127, np.uint8)
    chunks = (
        np.repeat(grey, min(_CHUNK, len(pictures) - start), 0)
        for start in range(0, len(pictures), _CHUNK)
    )
    blind = _measured(teller, chunks, pictures)
    return found | {f"{name}_blank": x for name, x in blind.items()}


def _shown(config, pictures):
    """Yields all pictures, some at once."""
    section = config.data
    for batch in pipeline.in_order(pictures, section.image_size, section.fit):
        for start in range(0, len(batch), _CHUNK):
            yield batch[start : start + _CHUNK]


def _measured(teller, chunks, pictures):
    pairs = zip(pictures.captions.tolist(), pictures.own_counts, strict=True)
    table = [_plain(row[:count]) for row, count in pairs]
    told, sums, start = [], np.zeros(2), 0
    for images in chunks:
        seen = teller.see(images)
        told += teller.describe(seen)
        rows = table[start : start + len(images)]
        for captions in itertools.zip_longest(*rows, fillvalue=""):
            ids = teller.ids(tf.constant(captions))
            scored = captioning.cross_entropy(teller.tell(seen, ids), ids)
            sums += [np.sum(each) for each in scored]
        start += len(images)
    loss = float(sums[0] / max(sums[1], 1.0))
    return {"cross_entropy": loss} | bleu.scores(told, table)


def _plain(captions):
    """Captions as the words that a vocabulary may know."""
    return [" ".join(vocabulary.tokens(one)) for one in captions]


def write(teller, config, workdir, pictures) -> pathlib.Path:
    """Draws test pictures and what a captioner says of them.

    Args:
        teller: the captioner.
        config: made by `common.captioner`.
        workdir: the folder.
        pictures: the test part.

    Returns:
        The PNG.

    Raises:
        OSError: if it can't be written.
    """
    count = min(_SHOWN, len(pictures))
    places = np.linspace(0, len(pictures) - 1, count).round().astype(int)
    some = pictures.subset(places)
    shown = np.concatenate([*_shown(config, some)])
    words = [one or "(nothing)" for one in teller.describe(teller.see(shown))]
    scale = max(1, 128 // shown.shape[1])
    path = pathlib.Path(workdir) / FILE
    sheet = sheets.captioned_grid(shown, words, _COLUMNS, scale=scale)
    files.atomic_write(path, sheet)
    return path


def _teller(config, system, base):
    """The captioner as the system stands, in float32."""
    player = system.players["captioner"]
    return weights.captioners.join(player, base.seen, base.words, config)


def _check(config):
    messages.choose("config.system.name", config.system.name, _KINDS)
    messages.choose("config.best.by", config.best.by, SCORES)
    pretraining.check_best(config, SCORES)


def _around(config, workdir, system, pictures, base):
    """Lists what goes on around the moves of a captioner."""

    def glance():
        whole = streams.source(config, "train")
        held = whole.subset(reading.parted(len(whole), config)[1])

        def measure():
            teller = _teller(config, system, base)
            return _measured(teller, _shown(config, held), held)

        return measure

    is_lower_better = SCORES.get(config.best.by)  # Only what is kept has to.
    return pretraining.observers(config, workdir, glance, is_lower_better)


def reader(workdir: str | os.PathLike) -> captioner.Captioner:
    """Opens the captioner that a finished run left.

    Args:
        workdir: the run directory.

    Returns:
        The captioner.

    Raises:
        ValueError: if there is none.
    """
    trained.read_config(workdir, common.captioner)
    return weights.captioners.load(pathlib.Path(workdir) / CAPTIONER)


#: How captioners are trained.
CAPTIONERS = training.Trade(
    template=common.captioner,
    check=_check,
    opened=opened,
    system=built,
    fits=lambda config, pictures, system: None,
    stream=stream,
    around=_around,
)
