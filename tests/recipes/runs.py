"""Makes run directories without training."""

import os
import pathlib
import tempfile
from unittest import mock

from keras_t2i import callbacks
from keras_t2i.ops import files
from recipes import trained, wiring
from recipes.configs import gan_cls_openmoji

#: The configs, and in which precision recipes.train is proven on them.
CASES = (
    ("gan_cls_openmoji", "float32"),
    ("gan_cls_openmoji", "mixed_bfloat16"),
    ("openmoji", "mixed_bfloat16"),
    ("gan_cls_cub", "float32"),
    ("wgan_openmoji", "float32"),
    ("wgan_gp_openmoji", "float32"),
    ("wgan_gp_fashion_mnist", "float32"),
)


def smoke():
    """Describes the smallest run.

    Returns:
        The config of GAN-INT-CLS at `smoke`, unlocked.
    """
    return gan_cls_openmoji.get_config("smoke")


def make(folder: pathlib.Path, config=None):
    """Leaves in a folder what four moves leave, without playing them.

    Args:
        folder: the run directory.
        config: the run's config; else `smoke`.

    Returns:
        The system, which draws in float32 as commands do.
    """
    config = config or smoke()
    files.atomic_write(folder / "config.json", config.to_json().encode())
    system = wiring.system(trained.exact(config), wiring.text_encoder(config))
    system.moves.assign(4)
    keep(system, folder)
    return system


def keep(system, folder: pathlib.Path):
    """Saves a checkpoint.

    Args:
        system: the system.
        folder: the run directory.
    """
    keeper = callbacks.Checkpoint(folder / "checkpoints")
    keeper.set_model(system)
    keeper.on_train_end()


def folder(case) -> pathlib.Path:
    """Gives a test case a folder, and a cache that is not the user's.

    Args:
        case: `unittest.TestCase`; or its class, for all its tests.

    Returns:
        The folder; it goes with the case.
    """
    enter = getattr(case, "enterContext", None)
    if isinstance(case, type):
        enter = case.enterClassContext
    here = pathlib.Path(enter(tempfile.TemporaryDirectory()))
    cache = {"KERAS_T2I_CACHE": str(here / "cache")}
    enter(mock.patch.dict(os.environ, cache))
    return here


def contents(folder: pathlib.Path) -> dict:
    """Reads all that lies in a folder.

    Args:
        folder: where.

    Returns:
        dict, path -> bytes; None for a folder.
    """
    return {
        path.relative_to(folder): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }
