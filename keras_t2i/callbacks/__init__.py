"""What goes on around a running system."""

from keras_t2i.callbacks.checkpoint import Best, Checkpoint, newest, restore
from keras_t2i.callbacks.cost import Cost
from keras_t2i.callbacks.epochs import FreshEpochs
from keras_t2i.callbacks.health import Health
from keras_t2i.callbacks.journal import Journal
from keras_t2i.callbacks.sample_grid import SampleGrid

__all__ = [
    "Best",
    "Checkpoint",
    "Cost",
    "FreshEpochs",
    "Health",
    "Journal",
    "SampleGrid",
    "newest",
    "restore",
]
