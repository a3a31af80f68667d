"""Protocols by flags: which ruler judges, and where its network lies."""

import dataclasses
import os
from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from keras_t2i import weights
from keras_t2i.metrics import protocols
from keras_t2i.ops import resizing


class Ruler(NamedTuple):
    """The flags of a command that judges.

    Attributes:
        name: --protocol.
        source: --network_weights.
        jpeg: --jpeg.
        resize: --resize.
    """

    name: flags.FlagHolder
    source: flags.FlagHolder
    jpeg: flags.FlagHolder
    resize: flags.FlagHolder

    def protocol(self) -> protocols.Protocol:
        """Looks up the protocol asked for, with what is changed of it."""
        asked = {"jpeg": self.jpeg.value, "resize": self.resize.value}
        changes = {k: v for k, v in asked.items() if v is not None}
        preset = protocols.preset(self.name.value)
        if self.jpeg.value and preset.rounding == "none":
            raise ValueError(
                f"Protocol {preset.name} judges floats; JPEG takes bytes. "
                "--jpeg goes with the others."
            )
        if not changes:
            return preset
        ending = "_".join(
            f"jpeg{value}" if key == "jpeg" else value
            for key, value in changes.items()
        )
        changes["name"] = f"{preset.name}_{ending}"
        changes["label"] = f"{preset.label}_{ending}"
        return dataclasses.replace(preset, **changes)

    def network(self, protocol: protocols.Protocol) -> Callable:
        """Opens the protocol's network.

        Args:
            protocol: the protocol.

        Returns:
            What `weights.judges.load` gives.

        Raises:
            ValueError: if its weights are missing or are others.
        """
        if protocol == protocols.PRESETS["offline"]:  # By lite0's own way.
            return weights.judges.load("lite0", self.source.value)
        network, normalise = protocol.network, protocol.normalise
        if network == "inception_2015" and _is_module(self.source.value):
            # TF-GAN's SavedModel of the same graph, which takes [-1, 1].
            network, normalise = "tfgan_inception", "symmetric"
        rounding = protocol.rounding
        return weights.judges.load(
            network,
            self.source.value,
            size=protocol.size,
            resize=protocol.resize,
            normalise=normalise,
            rounding=None if rounding in ("none", "given") else rounding,
            jpeg=protocol.jpeg,
        )


def _is_module(source):
    """Whether it is a hub handle or the folder of a SavedModel."""
    if not source:
        return False
    return source.startswith("https://") or os.path.isdir(source)


def define_flags() -> Ruler:
    """Defines --protocol, --network_weights, --jpeg and --resize.

    Returns:
        The flags.
    """
    return Ruler(
        flags.DEFINE_enum(
            "protocol",
            "offline",
            list(protocols.PRESETS),
            "How pictures are judged; each figure says it on its card.",
        ),
        flags.DEFINE_string(
            "network_weights",
            None,
            "File of the protocol's network, or folder or hub handle of "
            "TF-GAN's module; `random` tries the way without it, and its "
            "figures mean nothing.",
        ),
        flags.DEFINE_integer(
            "jpeg",
            None,
            "Send pictures through JPEG of this quality before judging.",
            lower_bound=1,
            upper_bound=95,
        ),
        flags.DEFINE_enum(
            "resize",
            None,
            list(resizing.RESIZES),
            "Another way to the network's size than the protocol's.",
        ),
    )
