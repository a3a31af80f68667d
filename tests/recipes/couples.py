"""Makes runs of readers that take seconds, upon a toy network of pictures."""

import importlib
from unittest import mock

import tensorflow as tf

from keras_t2i.encoders import features
from keras_t2i.weights import judges
from tests import harness

#: The configs that `recipes.pretrain` reads.
NAMES = ("damsm_coco", "damsm_cub", "damsm_folder", "damsm_openmoji")
#: Their variants at `smoke` -> what is added to the matching losses.
VARIANTS = {
    "smoke": None,
    "smoke_cl": "nt_xent",
    "smoke_scl": "supervised",
    "smoke_unicl": "unicl",
    "smoke_ce": "cross_entropy",
}


def config(name="damsm_openmoji", scale="smoke"):
    """Reads a config as the flag does.

    Args:
        name: one of `NAMES`.
        scale: what stands after the colon.

    Returns:
        The config.
    """
    module = importlib.import_module(f"recipes.configs.{name}")
    return module.get_config(scale)


def quickly(case):
    """Lets a test case look at pictures with a toy network.

    Args:
        case: `unittest.TestCase`; or its class, for all its tests.
    """
    enter = getattr(case, "enterContext", None)
    if isinstance(case, type):
        enter = case.enterClassContext
    enter(mock.patch.object(judges, "load", toy))


def toy(name, source, *, size, resize):
    """Stands for `judges.load`.

    Args:
        name: as there.
        source: as there; "random" gives other weights.
        size: as there.
        resize: as there.

    Returns:
        `encoders.features.Features`.
    """
    network = harness.toy_trunk(seed=1 if source == "random" else 0)
    way = features.Way(size, resize)
    return features.Features(network, way, name, f"{name} {source} {size}")


def arrays(workdir, move):
    """Reads all that a checkpoint holds.

    Args:
        workdir: the run directory.
        move: int.

    Returns:
        dict, name -> bytes.
    """
    folder = workdir / "checkpoints" / f"move_{move:08d}"
    reader = tf.train.load_checkpoint(folder / "arrays")
    names = set(reader.get_variable_to_shape_map())
    names.remove("_CHECKPOINTABLE_OBJECT_GRAPH")
    return {name: reader.get_tensor(name).tobytes() for name in names}
