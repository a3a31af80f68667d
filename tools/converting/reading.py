"""Makes a pair of readers of AttnGAN's files."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import numpy as np

from keras_t2i import weights
from keras_t2i.data import vocabulary as vocabularies
from keras_t2i.encoders import heads
from keras_t2i.ops import pickles
from keras_t2i.weights.families import damsm
from recipes import messages
from recipes.configs import common
from tools.preparing import attngan, plan

#: Flags that name a reader's file.
FLAGS = ("text", "image", "captions")


@dataclasses.dataclass(frozen=True)
class Readers:
    """A pair of readers that is not kept yet.

    Attributes:
        text: reads captions, as `weights.readers.Pair`'s.
        reports: flag -> `weights.Report` of its file.
        players: as `weights.readers.build` makes them.
        seen: the network below.
        card: of the pair.
    """

    text: object
    reports: dict
    players: dict
    seen: object
    card: dict

    def save(self, folder: str | os.PathLike) -> None:
        """Keeps the pair where `weights.readers.load` finds it.

        Args:
            folder: where; made if missing.

        Raises:
            OSError: if it can't be written.
        """
        weights.readers.save(folder, self.players, self.seen, self.card)


def of_files(
    paths: Mapping, found: Mapping, max_words: int, resize: str
) -> Readers:
    """Makes a pair of readers of released files.

    Args:
        paths: flag -> file, for each of `FLAGS`.
        found: "text" and "image" -> dict of str -> array, the files' content.
        max_words: of a caption that is read; its end is cut off.
        resize: how pictures reach the network: see `encoders.heads.over`.

    Returns:
        The pair.

    Raises:
        OSError: if the vocabulary can't be opened.
        ValueError: naming the file, if it is damaged, unsafe, or does not
            belong to the others.
    """
    messages.choose("--resize", resize, dict.fromkeys(heads.RESIZES))
    plain = damsm.text_of(found["text"])
    reports = {"text": load("damsm/text", plain, "text", paths, found)}
    words = vocabulary(paths["captions"])
    rows, embedding = plain.get_layer("embedding").embeddings.shape
    if rows != len(words) + 1:
        raise ValueError(
            f"--captions={paths['captions']} has {len(words)} words beside "
            f"its filling, --text={paths['text']} has vectors of {rows - 1}: "
            "they don't belong together."
        )
    width = plain.output["sentence"].shape[-1]
    code = np.shape(found["image"].get("emb_cnn_code.bias"))
    if len(code) == 1 and code != (width,):
        raise ValueError(
            f"--image={paths['image']} says pictures in {code[0]} numbers, "
            f"--text={paths['text']} captions in {width}: they don't belong "
            "together."
        )
    recipe = common.readers(
        data=dict(max_words=max_words),
        text=dict(width=width, embedding=embedding),
        image=dict(resize=resize),
    ).to_dict()
    base = weights.readers.base_of(recipe, words)
    seen = weights.readers.trunk({**recipe["image"], "source": "random"})
    players = weights.readers.build(recipe, base, seen)
    weights.load("damsm/text", players["text"], found["text"])
    image = players["image"]
    reports["image"] = load("damsm/image", image, "image", paths, found)
    card = {"recipe": recipe, "vocabulary": list(words.words), "moves": None}
    text = weights.readers.join(players, base, seen, card).text
    return Readers(text, reports, players, seen, card)


def vocabulary(path: str | os.PathLike) -> vocabularies.Vocabulary:
    """Reads the words that a reader knows.

    Args:
        path: AttnGAN's captions.pickle, or a text file of one word a line.

    Returns:
        The vocabulary, in the file's order.

    Raises:
        OSError: if it can't be opened.
        ValueError: if it is damaged, unsafe or something else.
    """
    if pathlib.Path(path).suffix == ".txt":
        return vocabularies.Vocabulary.load(path)
    value = pickles.read(path)
    try:
        return attngan.parse(value).vocabulary()
    except plan.Refused as error:
        raise ValueError(f"--captions={path} is {error}.") from error
    except ValueError as error:
        raise ValueError(
            f"The words of --captions={path} can't be used: {error}"
        ) from error


def load(family: str, model, flag: str, paths: Mapping, found: Mapping):
    """Puts a file's arrays into a model; the complaint names the file.

    Args:
        family: key of `weights.families.FAMILIES`.
        model: of that family.
        flag: which file.
        paths: flag -> file.
        found: flag -> dict of str -> array, its content.

    Returns:
        `weights.Report`.

    Raises:
        ValueError: as `weights.load`, with its `report`.
    """
    try:
        return weights.load(family, model, found[flag])
    except ValueError as error:
        told = ValueError(f"--{flag}={paths[flag]} is refused. {error}")
        told.report = getattr(error, "report", None)
        raise told from error
