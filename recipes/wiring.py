"""Turns a config into objects: the only place where names become things."""

import difflib
import hashlib
import json
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf
from ml_collections import config_dict

from keras_t2i import callbacks, data, networks, systems, weights
from keras_t2i.data import catalog, pipeline
from keras_t2i.encoders import text as text_room
from keras_t2i.losses import adversarial

_PRECISIONS = ("float32", "mixed_bfloat16")


def cache_dir() -> pathlib.Path:
    """Finds where computed vectors are kept between runs.

    Returns:
        `$KERAS_T2I_CACHE`, else `~/.cache/keras_t2i`.
    """
    default = pathlib.Path.home() / ".cache" / "keras_t2i"
    return pathlib.Path(os.environ.get("KERAS_T2I_CACHE", default))


def choose(what: str, name: str, table):
    """Looks a name up and, if it is not there, names the nearest.

    Args:
        what: what is looked up, for the message.
        name: the name.
        table: mapping of the known names.

    Returns:
        `table[name]`.

    Raises:
        ValueError: if the name is unknown.
    """
    if name in table:
        return table[name]
    near = difflib.get_close_matches(str(name), list(table), 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"{what} is {name!r}; known: {', '.join(sorted(table))}.{hint}"
    )


def read_config(workdir: str | os.PathLike) -> config_dict.ConfigDict:
    """Reads the config that a run directory was made with.

    Args:
        workdir: the run directory.

    Returns:
        The locked config.

    Raises:
        ValueError: if there is none, or it can't be read.
    """
    path = pathlib.Path(workdir) / "config.json"
    try:
        return config_dict.ConfigDict(json.loads(path.read_text())).lock()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} can't be read ({error}); is {workdir} a run directory "
            "made by recipes.train?"
        ) from error


def source(config, split: str):
    """Opens the data.

    Args:
        config: the run's config.
        split: "train" or "test".

    Returns:
        `data.source.Pictures`.

    Raises:
        ValueError: if the data set is unknown.
    """
    choose("config.data.name", config.data.name, catalog.CATALOG)
    return catalog.load(
        config.data.name, split=split, image_size=config.data.image_size
    )


class Letters:
    """Reads captions without weights, for smoke runs: hashed words, summed.

    Args:
        dim: int. Length of the sentence vector.
    """

    def __init__(self, dim: int = 16):
        self.dim = dim
        self.max_words = 64
        self.digest = f"letters-{dim}"

    def __call__(self, captions):
        """Reads (N,) strings into {"sentence": (N, dim) float32}."""
        words = tf.strings.split(tf.strings.lower(captions))
        rows = tf.strings.to_hash_bucket_strong(words, 997, [7, 11])
        table = np.random.RandomState(0).randn(997, self.dim)
        read = tf.gather(tf.constant(table, tf.float32), rows)
        return {"sentence": tf.reduce_sum(read, axis=1)}

    def check(self, captions):
        """Refuses nothing but what is not text."""
        for caption in captions:
            data.captions.check(caption)


def text_encoder(config):
    """Opens the reader of captions.

    Args:
        config: the run's config.

    Returns:
        callable, (N,) strings -> {"sentence": (N, C), ...}, with `dim` and
        `digest`.

    Raises:
        ValueError: if the encoder is unknown or its weights are missing.
    """
    encoders = {
        "letters": Letters,
        "minilm": lambda: weights.pretrained.minilm(
            max_words=config.text.max_words, length=config.text.length
        ),
    }
    return choose("config.text.encoder", config.text.encoder, encoders)()


def sentences(pictures, encoder) -> np.ndarray:
    """Reads each caption once; kept by content between runs.

    Args:
        pictures: what `source` gave.
        encoder: what `text_encoder` gave.

    Returns:
        (N, K, C) float32.
    """
    return text_room.embed(
        encoder, pictures.captions, cache_dir(), progress=True
    )


def dataset(config, pictures, encoder, start_move: int = 0) -> tf.data.Dataset:
    """Streams training batches from the move where the run stands.

    Args:
        config: the run's config.
        pictures: what `source` gave.
        encoder: what `text_encoder` gave; each caption is read once and
            kept by content.
        start_move: int. Moves already made.

    Returns:
        Endless dataset of batches.

    Raises:
        ValueError: if the batch does not fit the data.
    """
    return pipeline.batches(
        pictures,
        batch_size=config.train.batch_size,
        image_size=config.data.image_size,
        seed=config.train.seed,
        sentences=sentences(pictures, encoder),
        start_move=start_move,
        captions_per_image=config.data.captions_per_image,
        mismatch=config.data.mismatch,
        crop=config.data.crop,
        flip=config.data.flip,
    )


def system(config, encoder):
    """Builds and compiles the system.

    Args:
        config: the run's config.
        encoder: what `text_encoder` gave.

    Returns:
        `systems.System`, compiled.

    Raises:
        ValueError: if a name or a precision is unknown.
    """
    precision = config.train.precision
    choose("config.train.precision", precision, dict.fromkeys(_PRECISIONS))
    keras.utils.set_random_seed(config.train.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        players = _players(config, encoder)
        built = _system(config, players, encoder)
    finally:
        keras.config.set_dtype_policy(before)
    rates = config.optimizers
    built.compile(
        {name: optimizer(rates[name]) for name in players},
        xla=config.train.xla,
    )
    return built


def _players(config, encoder):
    rooms = {
        name: getattr(networks, name)
        for name in networks.__all__
        if name != "Painter"
    }
    players = {}
    for player in ("discriminator", "generator"):
        section = given(config.networks[player])
        what = f"config.networks.{player}.name"
        room = choose(what, section.pop("name"), rooms)
        players[player] = getattr(room, player)(
            image_size=config.data.image_size, text_dim=encoder.dim, **section
        )
    return players


def given(section) -> dict:
    """Takes what a section says; None leaves the default.

    Args:
        section: a section of the config.

    Returns:
        dict without the keys that are None.
    """
    return {key: value for key, value in section.items() if value is not None}


def _system(config, players, encoder):
    known = {n: getattr(systems, n) for n in systems.__all__ if n != "System"}
    section = given(config.system)
    kind = choose("config.system.name", section.pop("name"), known)
    return kind(
        players,
        game=game(config.game),
        loss_weights=given(config.loss_weights),
        seed=config.train.seed,
        text_encoder=encoder,
        **section,
    )


def game(section) -> adversarial.Game | None:
    """Chooses the adversarial game.

    Args:
        section: `config.game`.

    Returns:
        `losses.adversarial.Game`, or None for the system's own.

    Raises:
        ValueError: if it is unknown.
    """
    chosen = given(section)
    if "name" not in chosen:
        return None
    games = {"bce": adversarial.bce, "hinge": adversarial.hinge}
    return choose("config.game.name", chosen.pop("name"), games)(**chosen)


def optimizer(section) -> keras.optimizers.Optimizer:
    """Makes an optimizer.

    Args:
        section: one of `config.optimizers`.

    Returns:
        `keras.optimizers.Adam`, its rate halved in steps if asked.

    Raises:
        ValueError: if it is unknown.
    """
    kind = choose(
        "optimizer name", section.name, {"Adam": keras.optimizers.Adam}
    )
    rate = section.learning_rate
    if section.halve_every:
        rate = keras.optimizers.schedules.ExponentialDecay(
            rate, section.halve_every, 0.5, staircase=True
        )
    return kind(
        rate,
        beta_1=section.beta_1,
        beta_2=section.beta_2,
        epsilon=section.epsilon,
    )


def restored(workdir: str | os.PathLike):
    """Rebuilds a run's system as its newest checkpoint left it.

    Args:
        workdir: the run directory.

    Returns:
        (system, config).

    Raises:
        ValueError: if there is no checkpoint, or it can't be read.
    """
    config = read_config(workdir)
    built = system(config, text_encoder(config))
    folder = pathlib.Path(workdir) / "checkpoints"
    if not callbacks.restore(built, folder):
        raise ValueError(
            f"{folder} holds no checkpoint; train first: python -m "
            f"recipes.train --workdir={workdir}"
        )
    return built, config


def painter(workdir: str | os.PathLike) -> networks.Painter:
    """Rebuilds a run's generator with its reader, to draw with.

    Args:
        workdir: the run directory.

    Returns:
        `networks.Painter`, the averaged generator if there is one.

    Raises:
        ValueError: if there is no checkpoint, or it can't be read.
    """
    return restored(workdir)[0].painter


def preset(name: str) -> networks.Painter:
    """Opens a trained generator that came with the package.

    Args:
        name: for instance "openmoji_64".

    Returns:
        `networks.Painter`.

    Raises:
        ValueError: if it is unknown, or its reader's weights are missing.
    """
    return preset_with_card(name)[0]


def preset_with_card(name: str):
    """Opens a preset together with its card.

    Args:
        name: for instance "openmoji_64".

    Returns:
        (`networks.Painter`, card dict).

    Raises:
        ValueError: if it is unknown, or its reader's weights are missing.
    """
    choose("--preset", name, dict.fromkeys(weights.presets.names()))
    generator, card = weights.presets.load(name)
    encoder = text_encoder(preset_config(card))
    return networks.Painter(generator, encoder), card


def preset_config(card) -> config_dict.ConfigDict:
    """Reads the config that a preset was trained with off its card.

    Args:
        card: a preset's card.

    Returns:
        The locked config.
    """
    return config_dict.ConfigDict(card["recipe"]).lock()


def digest(config) -> str:
    """Names a config by its content.

    Args:
        config: a ConfigDict.

    Returns:
        12 hexadecimal digits.
    """
    text = config.to_json(sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
