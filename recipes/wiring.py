"""Turns a config into objects: the only place where names become things."""

import contextlib
import inspect
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import data, networks, systems, weights
from keras_t2i.data import catalog, pipeline
from keras_t2i.encoders import text as text_room
from keras_t2i.losses import adversarial
from recipes import messages

_WORDS = ("ids", "float16", "int8")
#: What `train.precision` may say.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


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
    raise ValueError(
        f"{what} is {name!r}; known: {', '.join(sorted(table)) or 'none'}."
        f"{messages.near(str(name), table)}"
    )


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
    choose("config.data.name", section.name, dict.fromkeys(catalog.NAMES))
    return catalog.load(
        section.name,
        split,
        section.image_size,
        section.get("path"),
        section.get("labels"),
    )


class Letters:
    """Reads captions without weights, for smoke runs: hashed words, summed.

    Args:
        dim: int. Length of the sentence vector.
    """

    name = "letters"
    max_words = 64

    def __init__(self, dim: int = 16):
        self.dim = dim
        self.digest = f"letters-{dim}"

    def __call__(self, captions):
        """Reads (N,) strings into "words", "mask" and "sentence"."""
        words = tf.strings.split(tf.strings.lower(captions))
        rows = tf.strings.to_hash_bucket_strong(words, 997, [7, 11])
        table = np.random.RandomState(0).randn(997, self.dim)
        read = tf.gather(tf.constant(table, tf.float32), rows)
        lengths = tf.minimum(words.row_lengths(), self.max_words)
        return {
            "words": read.to_tensor(shape=(None, self.max_words, self.dim)),
            "mask": tf.sequence_mask(lengths, self.max_words),
            "sentence": tf.reduce_sum(read, axis=1),
        }

    def pieces(self, caption):
        """Lists the words of a caption."""
        return caption.lower().split()[: self.max_words]

    def check(self, captions):
        """Refuses nothing but what is not text."""
        for caption in captions:
            data.captions.check(caption)


class Nobody:
    """Stands for the reader of captions where none are read."""

    name = digest = "none"
    dim = None

    def check(self, captions):
        """Refuses captions, which would change nothing.

        Args:
            captions: list of str.

        Raises:
            ValueError: if there are any.
        """
        if captions:
            raise ValueError(
                f"The caption {captions[0]!r} came, but this model draws from "
                "noise alone (config.text.encoder is 'none')."
            )


def text_encoder(config):
    """Opens the reader of captions.

    Args:
        config: the run's config.

    Returns:
        callable, (N,) strings -> {"sentence": (N, C), ...}, with `dim` and
        `digest`; or `Nobody`, whose dim is None.

    Raises:
        ValueError: if the encoder is unknown, its weights are missing, or
            its source is missing or of no use.
    """
    section = config.text
    source = section.get("source")  # Runs of old have none.
    encoders = {
        "damsm": lambda: weights.readers.load(source).text,
        "hub": lambda: weights.pretrained.hub(source),
        "letters": Letters,
        "minilm": lambda: weights.pretrained.minilm(
            source,
            max_words=section.max_words,
            length=section.length,
            truncate=bool(section.get("truncate")),
        ),
        "none": Nobody,
    }
    encoder = choose("config.text.encoder", section.encoder, encoders)
    wanted = {
        "damsm": "a pair of readers by name, or the folder of one",
        "hub": "a TF-Hub handle, or the folder of a SavedModel",
    }
    if section.encoder in wanted and not source:
        raise ValueError(
            f"config.text.encoder is {section.encoder!r}, which needs "
            f"config.text.source: {wanted[section.encoder]}."
        )
    if section.encoder in ("letters", "none") and source:
        raise ValueError(
            f"config.text.source is {source!r}, but {section.encoder!r} reads "
            "without one."
        )
    return encoder()


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
        encoder, pictures.captions, cache_dir(), progress=True
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
    return pipeline.batches(
        pictures,
        batch_size=config.train.batch_size * batches_per_move,
        image_size=config.data.image_size,
        seed=config.train.seed,
        start_move=start_move,
        shard=shard,
        **_choices(config.data),
        **_ids(config.data, pictures),
        **_vectors(config.data, pictures, encoder),
    )


def _choices(section) -> dict:
    """Reads how batches are made; runs of old lack some of it."""
    names = (
        *("captions_per_image", "mismatch", "other_label", "twins", "partners"),
        *("crop", "flip", "fit", "base_size"),
    )
    return {name: section[name] for name in names if name in section}


def _ids(section, pictures) -> dict:
    kind = section.get("words")
    if kind is not None:
        choose("config.data.words", kind, dict.fromkeys(_WORDS))
    elif section.get("max_words") is not None:
        raise ValueError(
            f"config.data.max_words is {section.max_words}, but "
            "config.data.words is None: batches hold no words."
        )
    if kind != "ids":
        return {}
    return {
        "vocabulary": vocabulary(section, pictures),
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
    if has_words:
        stored = text_room.embed_words(
            encoder,
            pictures.captions,
            cache_dir(),
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
        cache_dir(),
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


def system(config, encoder, rate: float = 1.0):
    """Builds and compiles the system.

    Args:
        config: the run's config.
        encoder: what `text_encoder` gave.
        rate: float > 0. All learning rates are so many times the config's.

    Returns:
        `systems.System`, compiled.

    Raises:
        ValueError: if a name, a precision or an argument is unknown, or a
            size or the seed is out of range.
    """
    with building(config.train):
        players = {
            name: _network(config, name, encoder)
            for name in ("discriminator", "generator")
        }
        built = _system(config, players, encoder)
    moves = config.train.moves
    built.compile(
        {
            name: optimizer(section, name, built.steps_of(name), moves, rate)
            for name, section in config.optimizers.items()
        },
        xla=config.train.xla,
        micro_batches=config.train.get("micro_batches") or 1,
        is_watched=True,
    )
    return built


@contextlib.contextmanager
def building(section):
    """Sets seed and precision while networks are built.

    Args:
        section: the config's train section.

    Yields:
        Nothing.

    Raises:
        ValueError: if the precision is unknown or the seed out of range.
    """
    precision = section.precision
    choose("config.train.precision", precision, dict.fromkeys(PRECISIONS))
    if not 0 <= section.seed < 2**32:
        raise ValueError(
            f"config.train.seed is {section.seed}; allowed: 0 to {2**32 - 1}."
        )
    keras.utils.set_random_seed(section.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def given(section) -> dict:
    """Takes what a section says; None leaves the default.

    Args:
        section: a section of the config.

    Returns:
        dict without the keys that are None.
    """
    return {key: value for key, value in section.items() if value is not None}


def _network(config, player, encoder):
    rooms = {
        name: getattr(networks, name)
        for name in networks.__all__
        if inspect.ismodule(getattr(networks, name))
    }
    build, section = _chosen(
        f"config.networks.{player}",
        config.networks[player],
        {name: getattr(room, player) for name, room in rooms.items()},
    )
    for key, value in section.items():
        if type(value) is int and value < 1:
            raise ValueError(
                f"config.networks.{player}.{key} is {value}; allowed: 1 and "
                "more."
            )
    if "text_dim" in _takes(build):
        if encoder.dim is None:
            raise ValueError(
                f"config.networks.{player}.name is "
                f"{config.networks[player].name!r}, which reads text, but "
                "config.text.encoder is 'none'."
            )
        section["text_dim"] = encoder.dim
    return build(image_size=config.data.image_size, **section)


def systems_by_name() -> dict:
    """Lists the systems that a config may name.

    Returns:
        dict, name -> class.
    """
    return {n: getattr(systems, n) for n in systems.__all__ if n != "System"}


def _system(config, players, encoder):
    kind, section = _chosen("config.system", config.system, systems_by_name())
    game = _game(config.game)
    if game is not None:
        if "game" not in _takes(kind):
            raise ValueError(
                f"config.game.name is {config.game.name!r}, but "
                f"{kind.__name__} has a game of its own."
            )
        section["game"] = game
    return kind(
        players,
        loss_weights=given(config.loss_weights),
        seed=config.train.seed,
        text_encoder=encoder,
        **section,
    )


def _game(section):
    if not given(section):
        return None  # The system's own.
    games = {"bce": adversarial.bce, "hinge": adversarial.hinge}
    game, section = _chosen("config.game", section, games)
    return game(**section)


def optimizer(
    section,
    player: str,
    steps: int = 1,
    moves: int | None = None,
    factor: float = 1.0,
) -> keras.optimizers.Optimizer:
    """Makes an optimizer.

    Args:
        section: one of `config.optimizers`.
        player: whose it is, for messages.
        steps: how many steps it takes in a move.
        moves: of the whole run; needed for a decay without length.
        factor: the learning rate is so many times the section's.

    Returns:
        `keras.optimizers.Adam` or `RMSprop`, with the schedule, the clipping
        and the decay of weights that the section asks for.

    Raises:
        ValueError: if it is unknown, its schedule is longer than the run, or
            two ways of clipping are asked for.
    """
    what = f"config.optimizers.{player}.name"
    kinds = {"Adam": keras.optimizers.Adam, "RMSprop": keras.optimizers.RMSprop}
    kind = choose(what, section.name, kinds)
    what = f"config.optimizers.{player}"
    rate = _rate(section, what, section.learning_rate * factor, steps, moves)
    clip = {
        "global_clipnorm": section.get("clip_norm"),
        "clipvalue": section.get("clip_value"),
    }
    for key in ("clip_norm", "clip_value", "weight_decay"):
        if section.get(key) is not None and section[key] <= 0.0:
            raise ValueError(
                f"config.optimizers.{player}.{key} is {section[key]}; "
                "allowed: above 0."
            )
    if None not in clip.values():
        raise ValueError(
            f"config.optimizers.{player} has clip_norm and clip_value; one of "
            "them is allowed."
        )
    more = {**clip, "weight_decay": section.get("weight_decay")}
    if section.name == "RMSprop":
        return kind(rate, rho=section.beta_2, epsilon=section.epsilon, **more)
    return kind(
        rate,
        beta_1=section.beta_1,
        beta_2=section.beta_2,
        epsilon=section.epsilon,
        **more,
    )


def _rate(section, what, rate, steps, moves):
    """The learning rate, or its schedule over the optimizer's own steps."""
    schedules = keras.optimizers.schedules
    decay = section.get("decay")
    if section.halve_every and decay:
        raise ValueError(
            f"{what} has halve_every and decay; one of them is allowed."
        )
    if section.halve_every:
        every = section.halve_every * steps
        return schedules.ExponentialDecay(rate, every, 0.5, staircase=True)
    given_length = section.get("decay_moves")
    if given_length is not None and (not decay or given_length < 1):
        raise ValueError(
            f"{what}.decay_moves is {given_length} and decay is {decay!r}; "
            "allowed: 1 and more, with decay 'linear' or 'cosine'."
        )
    if not decay:
        return rate
    ways = {
        "linear": lambda n: schedules.PolynomialDecay(rate, n, 0.0),
        "cosine": lambda n: schedules.CosineDecay(rate, n),
    }
    way = choose(f"{what}.decay", decay, ways)
    length = given_length or moves
    if moves is not None and length > moves:
        raise ValueError(
            f"{what}.decay_moves is {length}, but the run has {moves} moves; "
            "allowed: up to that."
        )
    return way(length * steps)


def _chosen(what, section, table):
    """Finds the thing a section names and what it is to be called with."""
    section = given(section)
    thing = choose(f"{what}.name", section.pop("name", None), table)
    takes = _takes(thing)
    for key in section:
        if key not in takes:
            raise ValueError(
                f"{what}.{key} is {section[key]!r}, but "
                f"{thing.__name__} takes no {key}."
            )
    return thing, section


def _takes(thing) -> set:
    """Lists the arguments of a function, or of a class and its bases."""
    makers = [thing]
    if inspect.isclass(thing):
        is_ours = [k for k in thing.__mro__ if issubclass(k, systems.System)]
        makers = [kind.__init__ for kind in is_ours]
    return {name for x in makers for name in inspect.signature(x).parameters}
