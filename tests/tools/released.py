"""Makes small files as AttnGAN's authors release them."""

import pathlib
import pickle
from unittest import mock

import keras
import numpy as np

from keras_t2i import networks, weights
from keras_t2i.encoders import bi_lstm, features, heads, inception
from keras_t2i.weights import judges
from recipes.configs import attngan_cub, dm_gan_cub

WORDS = (
    "a the in on of small large red green blue yellow purple orange circle "
    "square triangle cross top bottom left right at"
).split()
TEXT = 8  # numbers of a sentence
SIZES = dict(image_size=16, base_size=8, width=4, residuals=1)


def narrow(case):
    """Puts a sixteenth of Inception in the place of the whole.

    Args:
        case: `unittest.TestCase`, or its class.
    """
    enter = getattr(case, "enterContext", None)
    if isinstance(case, type):
        enter = case.enterClassContext
    whole = judges.load

    def load(name, source=None, *, size=None, resize=None):
        if name != "torchvision_inception":
            return whole(name, source, size=size, resize=resize)
        network = inception.inception_v3(width=1 / 16)
        way = features.Way(size, resize)
        return features.Features(network, way, name, f"{name} {source}")

    enter(mock.patch.object(judges, "load", load))


def config():
    """Describes the smallest run of AttnGAN, whose readers come from files.

    Returns:
        The config, locked.
    """
    found = attngan_cub.get_config("smoke")
    found.image.source = None
    return found


def dm_gan_config():
    """Describes the smallest run of DM-GAN, read by letters.

    Returns:
        The config, locked.
    """
    return dm_gan_cub.get_config("smoke")


def networks_of(name="attngan", text=TEXT, **sizes):
    """Builds networks of the smallest run, with drawn statistics too.

    Args:
        name: "attngan" or "dm_gan".
        text: numbers of a sentence.
        **sizes: of the generator, what differs.

    Returns:
        dict, player -> `keras.Model`.
    """
    room = getattr(networks, name)
    players = {
        "generator": room.generator(
            noise_dim=8, condition_dim=4, text_dim=text, **{**SIZES, **sizes}
        )
    }
    for ending, size in (("_8", 8), ("", 16)):
        players[f"discriminator{ending}"] = room.discriminator(
            image_size=size, width=4, text_dim=text
        )
    for player in players.values():
        moved(player)
    return players


def readers_of(text=TEXT, image=TEXT):
    """Builds both readers.

    Args:
        text: numbers of a sentence.
        image: numbers of a picture.

    Returns:
        {"text", "image"} -> `keras.Model`.
    """
    trunk = inception.inception_v3(width=1 / 16)
    told = (trunk.output[key].shape[-1] for key in ("regions", "pooled"))
    players = {
        "text": bi_lstm.encoder(
            len(WORDS) + 1, embedding=3, width=text, dropout=0
        ),
        "image": heads.over(trunk, heads.image(*told, image)),
    }
    return {name: moved(player) for name, player in players.items()}


def moved(player):
    """Moves all that a network holds away from where it starts.

    Args:
        player: `keras.Model`.

    Returns:
        The same.
    """
    draws = np.random.default_rng(0)
    for variable in player.weights:
        if not isinstance(variable, keras.Variable) or variable.ndim == 0:
            continue
        draw = draws.uniform(0.8, 1.2, variable.shape)
        variable.assign(variable * draw.astype("float32") + 0.01)
    return player


def write(folder: pathlib.Path, players: dict, name="attngan") -> dict:
    """Writes each network's arrays by the authors' names.

    Args:
        folder: where.
        players: flag -> `keras.Model`.
        name: "attngan" or "dm_gan".

    Returns:
        dict, flag -> file.
    """
    paths = {}
    for flag, player in players.items():
        part = flag.partition("_")[0]
        room = "damsm" if flag in ("text", "image") else name
        arrays = weights.export(f"{room}/{part}", player)
        paths[flag] = folder / f"{flag}.npz"
        np.savez(paths[flag], **arrays)
    return paths


def table(folder: pathlib.Path, words=WORDS) -> pathlib.Path:
    """Writes captions.pickle.

    Args:
        folder: where.
        words: from number 1 on.

    Returns:
        The file.
    """
    by_number = dict(enumerate(["<end>", *words]))
    numbers = {word: number for number, word in by_number.items()}
    path = folder / "captions.pickle"
    value = [[[1, 2]], [[1]], by_number, numbers]
    path.write_bytes(pickle.dumps(value, 2))
    return path
