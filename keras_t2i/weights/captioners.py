"""Captioners that were trained on real pictures, each with its card.

captioner = captioners.load("openmoji_captioner")
captioner.describe(captioner.see(pictures))            # ["a red heart", ...]
captioner(pictures, captioner.ids(captions))           # (N, T, V) scores
"""

import json
import os
import pathlib
from collections.abc import Mapping

import keras

from keras_t2i.data import vocabulary
from keras_t2i.encoders import captioner, folding, tokenizer
from keras_t2i.ops import files
from keras_t2i.weights import kept, readers

#: Where those lie that come with the package.
FOLDER = pathlib.Path(__file__).parent / "data" / "captioners"
_CARD, _WEIGHTS = "captioner.json", "captioner.npz"
_WHAT = "a captioner"


def names(folder: str | os.PathLike | None = None) -> list[str]:
    """Lists the captioners that can be loaded by name.

    Args:
        folder: where they lie; the package's own by default.

    Returns:
        Their names, sorted.
    """
    return kept.names(folder or FOLDER, _CARD)


def card(
    source: str | os.PathLike, folder: str | os.PathLike | None = None
) -> dict:
    """Reads what is known about a captioner, without its weights.

    Args:
        source: as for `load`.
        folder: as for `load`.

    Returns:
        Its card.

    Raises:
        ValueError: if there is no such captioner, or its card can't be read.
    """
    return _described(source, folder)[1]


def load(
    source: str | os.PathLike, folder: str | os.PathLike | None = None
) -> captioner.Captioner:
    """Opens a captioner.

    Args:
        source: a name of `names`, or the folder where `save` put it.
        folder: where names are looked up; the package's own by default.

    Returns:
        The captioner, frozen; its network of pictures is folded.

    Raises:
        ValueError: if there is none, its files can't be read or don't fit
            each other, or the weights of a network below are missing.
    """
    place, known, told = _described(source, folder)
    config = known["recipe"]
    try:
        seen = readers.blank(config["image"])
        whole = {**config, "image": _whole(config)}
        player = build(whole, seen, told.vocabulary)
        digest = known["weights"]
    except (OSError, TypeError, KeyError, AttributeError) as error:
        raise _foreign(place, error) from error
    path = place / _WEIGHTS
    arrays = kept.read(path, digest)
    kept.fill(_named(player, config), arrays, path, "captioner")
    return join(player, seen, told.vocabulary, config)


def words(
    source: str | os.PathLike, folder: str | os.PathLike | None = None
) -> tokenizer.Words:
    """Opens what numbers words as a captioner does, without the captioner.

    Args:
        source: as for `load`.
        folder: as for `load`.

    Returns:
        (B,) string -> ids (B, T) int32, mask (B, T); long captions are cut.

    Raises:
        ValueError: if there is no such captioner, or its card can't be read.
    """
    return _described(source, folder)[2]


def _described(source, folder):
    """The place of a captioner, its card and what numbers its words."""
    place = kept.place(source, folder or FOLDER, _CARD, _WHAT)
    found = kept.card(place / _CARD)
    try:
        most = found["recipe"]["data"]["max_words"]
        known = vocabulary.Vocabulary(found["vocabulary"])
    except (TypeError, KeyError, AttributeError) as error:
        raise _foreign(place, error) from error
    return place, found, tokenizer.Words(known, max_words=most, truncate=True)


def _foreign(place, error):
    return ValueError(
        f"{place / _CARD} describes no captioner of this version: {error!r}."
    )


def save(
    folder: str | os.PathLike, player, seen, card, half: bool = False
) -> None:
    """Keeps a captioner: weights and a card.

    The network below is kept too, unless it comes with the package.

    Args:
        folder: where; made if missing.
        player: `keras.Model`, as `build` makes it, trained.
        seen: what `readers.trunk` gave.
        card: dict with "recipe" (the config as a dict) and "vocabulary" (list
            of words).
        half: round weights to float16.

    Raises:
        OSError: if it can't be written.
    """
    config, folder = card["recipe"], pathlib.Path(folder)
    arrays = _named(_over(player, seen, config), config)
    kept.write(folder / _WEIGHTS, folder / _CARD, arrays, card, half)


def copy(
    source: str | os.PathLike,
    folder: str | os.PathLike,
    card: dict | None = None,
    half: bool = False,
) -> dict:
    """Copies a kept captioner, rounded if asked for.

    Args:
        source: as for `load`.
        folder: where the copy goes.
        card: what takes the place of its card's entries.
        half: round weights to float16.

    Returns:
        The copy's card, but for the digest of its weights.

    Raises:
        ValueError: as `load`.
        OSError: if it can't be written.
    """
    place = kept.place(source, FOLDER, _CARD, _WHAT)
    folder = pathlib.Path(folder)
    known = kept.card(place / _CARD)
    arrays = kept.read(place / _WEIGHTS, known.get("weights"))
    card = {**known, **(card or {})}
    kept.write(folder / _WEIGHTS, folder / _CARD, arrays, card, half)
    return card


def build(config: Mapping, seen, words: vocabulary.Vocabulary) -> keras.Model:
    """Builds the captioner that learns.

    Args:
        config: mapping with the sections decoder and image, as
            `recipes.configs.common.captioner` lays them out.
        seen: what `readers.trunk` gave.
        words: its words.

    Returns:
        `keras.Model`, as `encoders.captioner.over` makes it, or, where
        `image.is_kept`, as `decoder`.
    """
    section, outputs = config["decoder"], seen.model.output
    dims = {key: outputs[key].shape[-1] for key in ("regions", "pooled")}
    decoder = captioner.decoder(
        len(words) + 1,
        dims["pooled"],
        regions_dim=dims["regions"] if section["attends"] else None,
        embedding=section["embedding"],
        width=section["width"],
    )
    is_kept = config["image"]["is_kept"]
    return decoder if is_kept else _over(decoder, seen, config)


def join(
    player, seen, words: vocabulary.Vocabulary, config: Mapping
) -> captioner.Captioner:
    """Makes what reads pictures out of a trained player.

    Args:
        player: as `build` made it.
        seen: what `readers.trunk` gave.
        words: its words.
        config: as for `build`, with data.max_words.

    Returns:
        The captioner. It has copies of the weights, in float32.
    """
    whole = _over(player, seen, config)
    digest = files.digest(
        "captioner 1",
        words.digest,
        json.dumps(
            [
                *(config["image"][key] for key in ("size", "resize")),
                config["data"]["max_words"],
            ]
        ),
        *[v.numpy() for v in whole.weights],
    )
    frozen = build({**config, "image": _whole(config)}, seen, words)
    frozen.set_weights(whole.get_weights())
    # Its eyes' norms become part of their kernels; the decoder has loops.
    eyes = folding.folded(frozen.get_layer("eyes"))
    frozen = captioner.join(eyes, frozen.get_layer("decoder"))
    frozen.trainable = False
    return captioner.Captioner(
        frozen, words, config["data"]["max_words"], digest
    )


def _whole(config):
    return {**config["image"], "is_kept": False}


def _over(player, seen, config):
    """The captioner from pictures on."""
    if "image" in player.input:
        return player
    way = {key: config["image"][key] for key in ("size", "resize")}
    return captioner.over(seen.model, player, **way)


def _named(player, config) -> dict:
    """What of a captioner is written down."""
    if readers.is_packaged(config["image"]):
        player = player.get_layer("decoder")
    return kept.named(player)
