"""Makes runs of systems in stages that take seconds, and readers for them."""

import importlib
import pathlib

import keras

from keras_t2i import weights
from keras_t2i.data import shapes, vocabulary
from keras_t2i.encoders import tokenizer
from tests.recipes import couples

#: The configs of systems that draw in stages.
NAMES = (
    "attngan_coco",
    "attngan_cub",
    "attngan_openmoji",
    "dm_gan_coco",
    "dm_gan_cub",
    "dm_gan_openmoji",
)
#: Those of systems that draw at once and score once.
ONE_WAY = (
    "df_gan_coco",
    "df_gan_cub",
    "df_gan_openmoji",
    "ssa_gan_coco",
    "ssa_gan_cub",
    "ssa_gan_openmoji",
)
#: What they share; no configs.
SHARED = ("staged", "one_way")
#: Their variants -> the terms that are added, and what these weigh.
VARIANTS = {
    "paper": {},
    "cl": {"fake_to_fake": 0.2},
    "f2r": {"fake_to_real": 0.2},
    "scl": {"supervised": 0.2},
    "unicl": {"unicl": 0.2},
    "ce": {"cross_entropy": 0.2},
    "recap": {"recaptioning": 1.0},
    "all": {"fake_to_fake": 0.2, "fake_to_real": 0.2, "recaptioning": 1.0},
}


def config(name="attngan_cub", scale="smoke"):
    """Reads a config as the flag does.

    Args:
        name: one of `NAMES`.
        scale: what stands after the colon; None for what that leaves out.

    Returns:
        The config, locked.
    """
    module = importlib.import_module(f"recipes.configs.{name}")
    return module.get_config() if scale is None else module.get_config(scale)


def keep_pair(folder: pathlib.Path, classes=(), width=8, max_words=6, seed=0):
    """Keeps a small pair of readers, whose captions are read word by word.

    `couples.quickly` must hold: pictures are seen by a toy.

    Args:
        folder: where the pair goes.
        classes: names of the classes that it tells.
        width: numbers of a word, a sentence and a code.
        max_words: that its captions are cut off at.
        seed: of the weights that aren't the toy's.

    Returns:
        The pair, as it is opened again.
    """
    recipe = couples.config("damsm_cub", "smoke")
    recipe.text.width = width
    recipe.data.max_words = max_words
    captions = shapes.load(48, 16).captions.ravel().tolist()
    words = vocabulary.Vocabulary.of(captions)
    base = tokenizer.Words(words, max_words=max_words, truncate=True)
    seen = weights.readers.trunk(recipe.image)
    keras.utils.set_random_seed(seed)  # The toy has its own.
    players = weights.readers.build(recipe, base, seen, len(classes))
    card = {
        "recipe": recipe.to_dict(),
        "vocabulary": list(words.words),
        "moves": 0,
        "classes": list(classes),
    }
    weights.readers.save(folder, players, seen, card)
    return weights.readers.load(folder)


def reads_ids(config, folder: pathlib.Path):
    """Lets a config of `smoke` read by a kept pair with a vocabulary.

    Args:
        config: the run's config.
        folder: where the pair lies.

    Returns:
        The same config.
    """
    config.text.update(encoder="damsm", source=str(folder))
    config.image.source = None
    config.data.words = "ids"
    return config
