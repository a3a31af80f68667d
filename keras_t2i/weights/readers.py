"""Pairs of readers that were trained to agree, each with its card.

pair = readers.load("openmoji_damsm")
pair.text(tf.constant(["a red heart"]))["sentence"]    # (1, C)
pair.image(pictures)["code"]                           # (N, C), comparable
"""

import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import keras

from keras_t2i.data import vocabulary
from keras_t2i.encoders import bi_lstm, heads, pairs, text, tokenizer
from keras_t2i.ops import files
from keras_t2i.weights import judges, kept, pretrained

#: Where pairs lie that come with the package.
FOLDER = pathlib.Path(__file__).parent / "data" / "readers"
_CARD, _WEIGHTS = "reader.json", "reader.npz"
_WHAT = "a pair of readers"
#: image.encoder of a recipe -> the judge whose network it is.
TRUNKS = {
    "inception": "torchvision_inception",
    "inception_keras": "keras_inception_v3",
    "lite0": "lite0",
}
#: text.encoder of a recipe that is known here.
TEXTS = ("bi_lstm", "hub", "minilm")


class Pair(NamedTuple):
    """Readers that share one space.

    Attributes:
        text: (B,) string -> {"words" (B, T, C), "mask", "sentence" (B, C)};
            has `dim`, `max_words`, `digest` and `check`.
        image: (B, H, W, 3) uint8 or float [-1, 1] -> {"regions" (B, h, w, C),
            "code" (B, C)}; has `dim` and `digest`.
        card: dict: "recipe", "moves", "vocabulary", "data", "scores" ...
        classes: `keras.Model`, as `encoders.heads.classes` makes it, which
            tells the classes of codes and sentences; their names, by label,
            are "classes" of the card. None for a pair that learned none.
    """

    text: text.TextEncoder | pairs.TextReader
    image: pairs.ImageReader
    card: dict
    classes: keras.Model | None = None


class Learners(NamedTuple):
    """Readers that go on learning.

    Attributes:
        players: {"text", "image"}: `keras.Model`, as `build` makes them.
        text: as `Pair.text`; it reads with the player's weights.
        card: dict, as `Pair.card`.
        classes: as `Pair.classes`, frozen.
    """

    players: dict
    text: text.TextEncoder | pairs.TextReader
    card: dict
    classes: keras.Model | None = None


def names(folder: str | os.PathLike | None = None) -> list[str]:
    """Lists the pairs that can be loaded by name.

    Args:
        folder: where they lie; the package's own by default.

    Returns:
        Their names, sorted.
    """
    return kept.names(folder or FOLDER, _CARD)


def card(
    source: str | os.PathLike, folder: str | os.PathLike | None = None
) -> dict:
    """Reads the card of a pair, without its networks.

    Args:
        source: as for `load`.
        folder: as for `load`.

    Returns:
        As `Pair.card`.

    Raises:
        ValueError: if there is no such pair, or its card can't be read.
    """
    place = kept.place(source, folder or FOLDER, _CARD, _WHAT)
    return {"vocabulary": None, **kept.card(place / _CARD)}


def load(
    source: str | os.PathLike,
    folder: str | os.PathLike | None = None,
    base=None,
    length: float = 1.0,
) -> Pair:
    """Opens a pair of readers.

    Args:
        source: a name of `names`, or the folder where `save` put them.
        folder: where names are looked up; the package's own by default.
        base: the frozen text encoder below, if it is not one of `TEXTS`.
        length: what sentences are multiplied by, so that a generator hears
            them beside its noise; angles, which are matched, stay.

    Returns:
        The pair, frozen.

    Raises:
        ValueError: if there is no such pair, its files can't be read or don't
            fit each other, or the weights of a network below are missing.
    """
    players, base, seen, card = _opened(source, folder, base, _alone)
    if "classes" in players:
        players["classes"].trainable = False
    return join(players, base, seen, card, length)


def learners(
    source: str | os.PathLike,
    folder: str | os.PathLike | None = None,
    base=None,
    length: float = 1.0,
    max_words: int | None = None,
) -> Learners:
    """Opens a pair of readers that go on learning, from pictures on.

    Args:
        source: as for `load`.
        folder: as for `load`.
        base: as for `load`.
        length: as for `load`.
        max_words: ids of a caption, where words are learned; None: as many as
            when the pair was trained.

    Returns:
        Its players, and what reads strings with the weights that they have at
        the time; norms of the picture side move if they did when it learned.

    Raises:
        ValueError: as `load`.
    """
    players, base, _, card = _opened(source, folder, base, _unkept, max_words)
    classes = players.pop("classes", None)
    if classes is not None:
        classes.trainable = False
    told = reading(players["text"], base, card, length)
    return Learners(players, told, card, classes)


def reading(player, base, card: Mapping, length: float = 1.0):
    """Makes what reads strings out of a player that learns.

    Args:
        player: `keras.Model`, the text side.
        base: what `base_of` gave.
        card: of the pair, with "recipe".
        length: what sentences are multiplied by.

    Returns:
        As `Pair.text`; it reads with the player's weights of the moment, and
        its digest is theirs.
    """

    def digest():
        return _told(base, length, files.digest(*_numbers(player)))

    return _reader(player, base, card["recipe"], digest, length)


def _numbers(player):
    return [variable.numpy() for variable in player.weights]


def _opened(source, folder, base, changed, max_words=None):
    """Players with their weights, what they stand upon, and the card."""
    place = kept.place(source, folder or FOLDER, _CARD, _WHAT)
    card = kept.card(place / _CARD)
    try:
        config, words = card["recipe"], card["vocabulary"]
        if words is not None:
            words = vocabulary.Vocabulary(words)
            most = max_words or config["data"]["max_words"]
            config = {**config, "data": {**config["data"], "max_words": most}}
        base = base or base_of(config, words)
        seen = blank(config["image"])
        # Pairs of old have no entry.
        count = len(card.get("classes") or ())
        players = build(changed(config), base, seen, count)
        digest = card["weights"]
    except (OSError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{place / _CARD} describes no readers of this version: {error!r}."
        ) from error
    path = place / _WEIGHTS
    own = _named(_kept(players, seen, config))
    kept.fill(own, kept.read(path, digest), path, "readers")
    return players, base, seen, card


def save(
    folder: str | os.PathLike, players: Mapping, seen, card, half: bool = False
) -> None:
    """Keeps a pair of readers: weights and a card.

    The network below is kept too, unless it comes with the package.

    Args:
        folder: where; made if missing.
        players: {"text", "image"} and perhaps "classes", as `build` makes
            them, trained.
        seen: what `trunk` gave.
        card: dict with "recipe" (the config as a dict), "vocabulary" (list
            of words, or None) and, if there are players "classes", also
            "classes" (their names, by label).
        half: round weights to float16.

    Raises:
        ValueError: if the card names another number of classes than the
            player tells.
        OSError: if it can't be written.
    """
    _check_classes(players, card)
    own = _named(_kept(players, seen, card["recipe"]))
    _write(pathlib.Path(folder), own, card, half)


def copy(
    source: str | os.PathLike,
    folder: str | os.PathLike,
    card: dict | None = None,
    half: bool = False,
) -> None:
    """Copies a kept pair, rounded if asked for.

    Args:
        source: as for `load`.
        folder: where the copy goes.
        card: what takes the place of its card's entries.
        half: round weights to float16.

    Raises:
        ValueError: as `load`.
        OSError: if it can't be written.
    """
    place = kept.place(source, FOLDER, _CARD, _WHAT)
    known = kept.card(place / _CARD)
    arrays = kept.read(place / _WEIGHTS, known.get("weights"))
    _write(pathlib.Path(folder), arrays, {**known, **(card or {})}, half)


def base_of(config: Mapping, words=None):
    """Opens what the text side reads upon.

    Args:
        config: mapping with the sections text and data, as
            `recipes.configs.common.readers` lays them out.
        words: `data.vocabulary.Vocabulary` of a bi-LSTM; else None.

    Returns:
        `tokenizer.Words`, or a frozen text encoder.

    Raises:
        ValueError: if it is unknown, or its weights are missing.
    """
    section, most = config["text"], config["data"]["max_words"]
    if section["encoder"] == "bi_lstm":
        return tokenizer.Words(words, max_words=most, truncate=True)
    if section["encoder"] == "minilm":
        return pretrained.minilm(
            section["source"],
            max_words=most,
            truncate=True,
            length=section["length"],
        )
    if section["encoder"] == "hub":
        return pretrained.hub(section["source"])
    raise ValueError(
        f"No reader of captions is called {section['encoder']!r}; known are "
        f"{', '.join(TEXTS)}."
    )


def trunk(section: Mapping):
    """Opens the network that pictures are read with, below the head.

    Args:
        section: mapping: "encoder" (a key of `TRUNKS`), "source" (as
            `judges.load` takes it; "random" must be said), "size" and
            "resize".

    Returns:
        `encoders.features.Features`.

    Raises:
        ValueError: if it is unknown, or its weights are missing.
    """
    if section["encoder"] not in TRUNKS:
        raise ValueError(
            f"No reader of pictures is called {section['encoder']!r}; known "
            f"are {', '.join(TRUNKS)}."
        )
    return judges.load(
        TRUNKS[section["encoder"]],
        section["source"],
        size=section["size"],
        resize=section["resize"],
    )


def trunk_of(card: Mapping) -> str | None:
    """Tells which network a pair sees pictures with, below its head.

    Args:
        card: of the pair.

    Returns:
        The judge of `judges.NAMES` whose network it is; None if the card
        doesn't say it.
    """
    section = (card.get("recipe") or {}).get("image") or {}
    return TRUNKS.get(section.get("encoder"))


def build(config: Mapping, base, seen, classes: int = 0) -> dict:
    """Builds the readers that learn.

    Args:
        config: mapping with the sections text and image, as
            `recipes.configs.common.readers` lays them out.
        base: what `base_of` gave.
        seen: what `trunk` gave.
        classes: how many classes codes and sentences are asked for; 0 asks
            for none.

    Returns:
        {"text", "image"} and, if there are classes, "classes": `keras.Model`
        each. The image side reads "image", or, where `image.is_kept`,
        "regions" and "pooled" of the trunk.
    """
    section, image = config["text"], config["image"]
    width = section["width"]
    if isinstance(base, tokenizer.Words):
        told = bi_lstm.encoder(
            len(base.vocabulary) + 1,
            embedding=section["embedding"],
            width=width,
            dropout=section["dropout"],
            max_words=base.max_words,
        )
    else:
        is_raw = section["head"] == "none"
        width = base.dim if is_raw else width
        told = heads.text(base.dim, None if is_raw else width)
    outputs = seen.model.output
    dims = [outputs[key].shape[-1] for key in ("regions", "pooled")]
    head = heads.image(*dims, width)
    if not image["is_kept"]:
        way = {key: image[key] for key in ("size", "resize", "norms")}
        head = heads.over(seen.model, head, **way)
    players = {"text": told, "image": head}
    if classes:
        players["classes"] = heads.classes(width, classes)
    return players


def join(players: Mapping, base, seen, card: dict, length: float = 1.0) -> Pair:
    """Makes what reads strings and pictures out of trained players.

    Args:
        players: as `build` made them.
        base: what `base_of` gave.
        seen: what `trunk` gave.
        card: of the pair, with "recipe".
        length: what sentences are multiplied by.

    Returns:
        The pair, frozen. It shares its weights with the players.
    """
    config, player = card["recipe"], players["text"]
    image = _whole(players["image"], seen, config["image"])
    weights = [*_numbers(player), *_numbers(image)]
    digest = files.digest("readers 1", seen.resize, *weights)
    own = _told(base, length, digest)
    told = _reader(player, base, config, own, length)
    name = f"damsm_{config['image']['encoder']}"
    shown = pairs.ImageReader(image, name, digest)
    return Pair(told, shown, card, players.get("classes"))


def _told(base, length, digest) -> str:
    """The digest of a text side."""
    is_of_words = isinstance(base, tokenizer.Words)
    below = base.vocabulary.digest if is_of_words else base.digest
    stretch = () if length == 1.0 else (f"length {length}",)
    return files.digest(digest, below, *stretch)


def _reader(player, base, config, digest, length):
    """The text side from strings on."""
    name = f"damsm_{config['text']['encoder']}"
    if isinstance(base, tokenizer.Words):
        plain = bi_lstm.plain(player)
        return text.TextEncoder(base, plain, name, digest, scale=length)
    return pairs.TextReader(base, player, name, digest, scale=length)


def _whole(image, seen, section):
    """The image side from pictures on."""
    if "image" in image.input:
        return image
    return heads.over(
        seen.model,
        image,
        size=section["size"],
        resize=section["resize"],
        norms="running",
    )


def is_packaged(section: Mapping) -> bool:
    """Tells whether a network of pictures comes with the package.

    Args:
        section: as for `trunk`.

    Returns:
        bool; others' weights are kept with what stands upon them.
    """
    return section["encoder"] == "lite0" and section["source"] is None


def _kept(players, seen, config) -> dict:
    """What of a pair is written down."""
    image, section = players["image"], config["image"]
    if not is_packaged(section) or section["norms"] == "batch":
        image = _whole(image, seen, section)
    elif "image" in image.input:
        image = image.get_layer("image_head")
    return {**players, "image": image}


def blank(section: Mapping):
    """Opens a network of pictures that kept weights will fill, if need be.

    Args:
        section: as for `trunk`.

    Returns:
        As `trunk`; drawn at random unless it comes with the package.
    """
    source = None if is_packaged(section) else "random"
    return trunk({**section, "source": source})


def _alone(config):
    """The recipe without what only training needs."""
    image = {**config["image"], "norms": "running"}
    return {**config, "image": image}


def _unkept(config):
    """The recipe of a pair that looks at pictures themselves."""
    image = {**config["image"], "is_kept": False}
    return {**config, "image": image}


def _named(players) -> dict:
    found = {}
    for side, player in players.items():
        found |= kept.named(player, f"{side}/")
    return found


def _check_classes(players, card):
    told = len(card.get("classes") or ())
    has = 0
    if "classes" in players:
        has = players["classes"].output["text"].shape[-1]
    if told != has:
        raise ValueError(
            f"The card names {told} classes, but {has} are told apart."
        )


def _write(folder, arrays, card, half) -> None:
    kept.write(folder / _WEIGHTS, folder / _CARD, arrays, card, half)
