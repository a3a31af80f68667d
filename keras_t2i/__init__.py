"""Text-to-image GANs for TensorFlow and Keras 3, on one set of bricks.

The rooms open when they are first named, so that `import keras_t2i` is light:

    import keras_t2i
    system = keras_t2i.systems.GANCLS(...)
"""

import importlib

from keras_t2i.version import VERSION as __version__

_ROOMS = (
    "callbacks",
    "data",
    "encoders",
    "layers",
    "losses",
    "metrics",
    "networks",
    "ops",
    "serving",
    "systems",
    "weights",
)

__all__ = ["__version__", *_ROOMS]


def __getattr__(name: str):
    if name in _ROOMS:
        return importlib.import_module(f"keras_t2i.{name}")
    raise AttributeError(
        f"keras_t2i has no room {name!r}; its rooms are {', '.join(_ROOMS)}."
    )


def __dir__():
    return sorted(__all__)
