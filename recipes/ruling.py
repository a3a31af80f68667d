"""Protocols by flags: which ruler judges, and where its network lies."""

from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from keras_t2i import weights
from keras_t2i.metrics import protocols


class Ruler(NamedTuple):
    """The flags of a command that judges.

    Attributes:
        name: --protocol.
        source: --network_weights.
    """

    name: flags.FlagHolder
    source: flags.FlagHolder

    def protocol(self) -> protocols.Protocol:
        """Looks up the protocol asked for."""
        return protocols.preset(self.name.value)

    def network(self, protocol: protocols.Protocol) -> Callable:
        """Opens the protocol's network.

        Args:
            protocol: the protocol.

        Returns:
            What `weights.judges.load` gives.

        Raises:
            ValueError: if its weights are missing or are others.
        """
        if protocol.network == "lite0":  # Its own way; the preset's too.
            return weights.judges.load("lite0", self.source.value)
        rounding = protocol.rounding
        return weights.judges.load(
            protocol.network,
            self.source.value,
            size=protocol.size,
            resize=protocol.resize,
            normalise=protocol.normalise,
            rounding=None if rounding in ("none", "given") else rounding,
            jpeg=protocol.jpeg,
        )


def define_flags() -> Ruler:
    """Defines --protocol and --network_weights.

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
            "File, folder or hub handle of the protocol's network; `random` "
            "tries the way without it, and its figures mean nothing.",
        ),
    )
