"""Turns a config into readers, networks and systems."""

import contextlib
import contextvars
import functools
import inspect
import os
import pathlib
import random

import keras
import numpy as np

from keras_t2i import layers, networks, systems, weights
from keras_t2i.encoders import captioner as captioners
from keras_t2i.encoders import tokenizer
from keras_t2i.losses import adversarial
from keras_t2i.systems import contrasts
from keras_t2i.systems.matching import KINDS
from recipes import letters, messages, optimizing

#: What `train.precision` may say.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_SHARED = contextvars.ContextVar("shared", default=None)


def cache_dir() -> pathlib.Path:
    """Finds where computed vectors are kept between runs.

    Returns:
        `$KERAS_T2I_CACHE`, else `~/.cache/keras_t2i`.
    """
    default = pathlib.Path.home() / ".cache" / "keras_t2i"
    return pathlib.Path(os.environ.get("KERAS_T2I_CACHE", default))


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
        "damsm": lambda: _pair(source, length=section.length).text,
        "hub": lambda: weights.pretrained.hub(source),
        "letters": letters.Letters,
        "minilm": lambda: weights.pretrained.minilm(
            source,
            max_words=section.max_words,
            length=section.length,
            truncate=bool(section.get("truncate")),
        ),
        "none": Nobody,
    }
    encoder = messages.choose("config.text.encoder", section.encoder, encoders)
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


def system(config, encoder, rate: float = 1.0, readers: dict | None = None):
    """Builds and compiles the system.

    Args:
        config: the run's config.
        encoder: what `text_encoder` gave.
        rate: float > 0. All learning rates are so many times the config's.
        readers: "image_reader", "class_head" and "captioner", as
            `systems.System` takes them; those of the config if None. `NOBODY`
            for a system that draws and is not played.

    Returns:
        `systems.System`, compiled.

    Raises:
        ValueError: if a name, a precision or an argument is unknown, or a
            size or the seed is out of range.
    """
    if readers is None:
        readers = _looking(config, encoder)
    with building(config.train):
        players = _players(config, encoder)
        if is_tuned(config):
            learning = learners(config)
            players |= learning.players
            encoder = learning.text
            readers = {**readers, "class_head": learning.classes}
        built = _system(config, players, encoder, readers)
    optimizing.compile_players(built, config, rate)
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
    messages.choose(
        "config.train.precision", precision, dict.fromkeys(PRECISIONS)
    )
    if not 0 <= section.seed < 2**32:
        raise ValueError(
            f"config.train.seed is {section.seed}; allowed: 0 to {2**32 - 1}."
        )
    # Layers take their seeds of Python's generator. TensorFlow's has no part in
    # it, and to set that one makes all that is compiled be compiled again.
    random.seed(section.seed)
    np.random.seed(section.seed)
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


def _players(config, encoder) -> dict:
    """Builds the networks: one discriminator for each picture's size."""
    players = {"discriminator": _network(config, "discriminator", encoder)}
    for size in smaller_sizes(config):
        name = f"discriminator_{size}"
        players[name] = _network(config, "discriminator", encoder, size)
    return players | {"generator": _network(config, "generator", encoder)}


def smaller_sizes(config) -> list[int]:
    """Lists the sizes that a generator draws before the last.

    Args:
        config: the run's config.

    Returns:
        Sizes, small to large; none unless it draws in stages, or if the last
        of them draws alone.

    Raises:
        ValueError: if the sizes are missing or impossible.
    """
    earlier = earlier_stages(config)
    is_last_alone = config.networks.generator.get("smaller_images") is False
    return [] if is_last_alone else earlier


def earlier_stages(config) -> list[int]:
    """Lists the sizes of pictures that are drawn on the way to the last.

    Args:
        config: the run's config.

    Returns:
        Sizes, small to large, whether or not they are shown; none unless the
        generator draws in stages.

    Raises:
        ValueError: as `smaller_sizes`.
    """
    name = config.networks.generator.name
    room = getattr(networks, name, None)
    if room is None or "base_size" not in _takes(room.generator):
        return []
    base, size = config.data.get("base_size"), config.data.image_size
    if base is None:
        raise ValueError(
            f"config.networks.generator.name is {name!r}, which draws in "
            "stages: set config.data.base_size, the size of the first."
        )
    return layers.stages.sizes(size, base)[:-1]


def is_tuned(config) -> bool:
    """Tells whether a system's pair of readers goes on learning.

    Args:
        config: the run's config.

    Returns:
        bool.
    """
    kind = systems_by_name().get(config.system.name)
    return kind is not None and issubclass(kind, systems.SSAGANFineTuned)


def learners(config) -> weights.readers.Learners:
    """Opens the pair of readers that goes on learning.

    Args:
        config: the run's config.

    Returns:
        What `weights.readers.learners` gives.

    Raises:
        ValueError: if none is named, or another one is to look at fakes.
    """
    section, other = config.text, (config.get("image") or {}).get("source")
    if section.encoder == "letters":
        return letters.learners()
    if section.encoder != "damsm" or other is not None:
        raise ValueError(
            f"config.system.name is {config.system.name!r}, whose readers go "
            "on learning: set config.text.encoder to 'damsm' with its source, "
            f"and config.image.source to None (they are {section.encoder!r} "
            f"and {other!r})."
        )
    return weights.readers.learners(
        section.source,
        length=section.length,
        max_words=config.data.get("max_words"),
    )


class _Nobody:
    """Stands for readers where no move is played."""

    def __call__(self, pictures):
        """Refuses to look."""
        raise ValueError("This system was opened to draw, not to be played.")


#: Readers of a system that is not played.
NOBODY = dict.fromkeys(("image_reader", "class_head", "captioner"), _Nobody())


def looker(config) -> weights.readers.Pair | None:
    """Opens the readers that look at fakes in training.

    Args:
        config: the run's config.

    Returns:
        The pair; None if no term needs it.

    Raises:
        ValueError: if nobody is named, or the pair can't be opened.
    """
    others = [t for t in contrasts.READ if t not in KINDS]
    terms = [t for t in others if config.loss_weights.get(t)]
    terms += matched(config)
    if not terms:
        return None
    place = (config.get("image") or {}).get("source")
    if place is None and config.text.encoder == "damsm":
        place = config.text.source
    if place is None:
        raise ValueError(
            f"config.loss_weights.{terms[0]} is not 0, so fakes are looked "
            "at, and nobody is named who does: set config.image.source to a "
            "pair of readers by name or folder, or text.encoder to 'damsm' "
            f"with its text.source; or {terms[0]} to 0."
        )
    return letters.pair() if place == "letters" else _pair(place)


def network():
    """Opens the network that judges where nobody names another.

    Returns:
        `weights.pretrained.lite0()`, anew or, while `sharing`, the same.
    """
    return _opened(weights.pretrained.lite0)


def captioner(config) -> captioners.Captioner | None:
    """Opens what is asked for the captions of fakes in training.

    Args:
        config: the run's config.

    Returns:
        The captioner; None if recaptioning weighs nothing.

    Raises:
        ValueError: if none is named, or it can't be opened.
    """
    if not config.loss_weights.get("recaptioning"):
        return None
    place = _captioner_place(config)
    if place == "letters":
        return letters.captioner()
    return _opened(weights.captioners.load, place)


def captioner_card(config) -> dict | None:
    """Reads the card of what is asked for the captions of fakes.

    Args:
        config: the run's config.

    Returns:
        The card, empty of one without weights; None if recaptioning weighs
        nothing.

    Raises:
        ValueError: as `captioner`.
    """
    if not config.loss_weights.get("recaptioning"):
        return None
    place = _captioner_place(config)
    return {} if place == "letters" else weights.captioners.card(place)


def captioner_words(config) -> tokenizer.Words:
    """Opens the words that a captioner numbers, without the captioner.

    Args:
        config: the run's config.

    Returns:
        What turns captions into its ids.

    Raises:
        ValueError: as `captioner`.
    """
    place = _captioner_place(config)
    if place == "letters":
        return letters.words()
    return weights.captioners.words(place)


def _captioner_place(config):
    place = (config.get("captioner") or {}).get("source")
    if place is None:
        raise ValueError(
            "config.loss_weights.recaptioning is not 0, and nobody is named "
            "who says what fakes show: set config.captioner.source to a "
            "captioner by name, or the folder captioner/ of a run of "
            "recipes.pretrain; or recaptioning to 0."
        )
    return place


@contextlib.contextmanager
def sharing():
    """Opens each pair of readers once, however many ask; who judges, too.

    Captioners and `network` are shared as well. All are frozen and take a
    second or two to build. Only for runs in one process without a strategy:
    elsewhere variables belong to the scope in which they were made.

    Yields:
        Nothing.
    """
    before = _SHARED.set(functools.cache(_call))
    try:
        yield
    finally:
        _SHARED.reset(before)


def _pair(*which, **more) -> weights.readers.Pair:
    return _opened(weights.readers.load, *which, **more)


def _opened(load, *which, **more):
    return (_SHARED.get() or _call)(load, *which, **more)


def _call(load, *which, **more):
    return load(*which, **more)


def matched(config) -> list[str]:
    """Lists the terms that match fakes with captions.

    Args:
        config: the run's config.

    Returns:
        "words", "sentence", both or none.
    """
    kind = systems_by_name().get(config.system.name)
    told = {term: config.loss_weights.get(term) for term in KINDS}
    is_usual = kind is not None and kind.MATCHES
    return [t for t, w in told.items() if (is_usual if w is None else w)]


def _looking(config, encoder) -> dict:
    """Hands out what looks at fakes, if any term needs it."""
    told = captioner(config)
    found = {} if told is None else {"captioner": told}
    if is_tuned(config):
        return found  # Its own readers look.
    pair = looker(config)
    if pair is None:
        return found
    if matched(config) and pair.image.dim != encoder.dim:
        raise ValueError(
            f"Captions are read in {encoder.dim} numbers and pictures in "
            f"{pair.image.dim} (config.image.source is "
            f"{config.image.source!r}): they are compared, so take both sides "
            "of one pair, or weigh words and sentence 0."
        )
    reader = pair.image.folded()
    return found | dict(image_reader=reader, class_head=pair.classes)


def _network(config, player, encoder, image_size=None):
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
        least = 0 if key == "residuals" else 1
        if type(value) is int and value < least:
            raise ValueError(
                f"config.networks.{player}.{key} is {value}; allowed: {least} "
                "and more."
            )
    if "text_dim" in _takes(build):
        if encoder.dim is None:
            raise ValueError(
                f"config.networks.{player}.name is "
                f"{config.networks[player].name!r}, which reads text, but "
                "config.text.encoder is 'none'."
            )
        section["text_dim"] = encoder.dim
    if "base_size" in _takes(build):
        section["base_size"] = config.data.base_size
    return build(image_size=image_size or config.data.image_size, **section)


def systems_by_name() -> dict:
    """Lists the systems that a config may name.

    Returns:
        dict, name -> class.
    """
    return {n: getattr(systems, n) for n in systems.__all__ if n != "System"}


def _system(config, players, encoder, readers):
    kind, section = _chosen("config.system", config.system, systems_by_name())
    game = _game(config.game)
    if game is not None:
        if "game" not in _takes(kind):
            raise ValueError(
                f"config.game.name is {config.game.name!r}, but "
                f"{kind.__name__} has a game of its own."
            )
        section["game"] = game
    if is_tuned(config):
        section["length"] = config.text.length
        readers = {k: x for k, x in readers.items() if k != "image_reader"}
    return kind(
        players,
        loss_weights=given(config.loss_weights),
        seed=config.train.seed,
        text_encoder=encoder,
        **readers,
        **section,
    )


def _game(section):
    if not given(section):
        return None  # The system's own.
    games = {"bce": adversarial.bce, "hinge": adversarial.hinge}
    game, section = _chosen("config.game", section, games)
    return game(**section)


def _chosen(what, section, table):
    """Finds the thing a section names and what it is to be called with."""
    section = given(section)
    thing = messages.choose(f"{what}.name", section.pop("name", None), table)
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
