"""Published ways to judge pictures, and the cards that tell them apart.

Figures of text-to-image papers cannot be compared: their networks, resizes,
roundings and counts differ. A `Protocol` says all of that; its card stands
beside every figure, and figures with different cards are not put side by side.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from keras_t2i.metrics import features
from keras_t2i.ops import resizing

#: Keys of a card that say what was judged, not how.
CANDIDATE = (
    "alike",
    "generator",
    "generator_digest",
    "moves",
    "parameters",
    "seeds",
    "trained_with",
)
#: Keys that a reader should know but that change no number worth a refusal.
TOLD = ("intervals", "matcher", "versions", "source")
#: Everything that may be measured.
FIGURES = (
    "fid",
    "kid",
    "is",
    "precision",
    "recall",
    "density",
    "coverage",
    "r_precision",
)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Says how pictures are judged: all that changes a number.

    Attributes:
        name: what users ask for.
        label: the end of its figures' names, as in fid_clean.
        network: which one looks, a name of `weights.judges`.
        resize: how pictures reach its size, a name of `ops.resizing`.
        size: that size, in pixels.
        normalise: what happens to pixels after that, a name of
            `encoders.features`.
        rounding: how a generator's floats become bytes: "round", "truncate",
            or "none" if they are judged as floats; "given" where they came as
            bytes. The network's way to pictures does it.
        jpeg: quality at which pictures are kept as JPEG before, or None.
        figures: what is measured, of `FIGURES`.
        splits: parts of the inception score.
        skipped: how many of the first logits are no class.
        batch: pictures a batch, of which only whole ones count; None if all
            pictures do.
        pictures: how many the published figures look at; None: as many as
            the test part has.
        reference: which part of the data published figures compare with.
        retrieval: R-precision's mode, "corrected" or "reference".
        source: where it is written.
    """

    name: str
    label: str
    network: str
    resize: str
    source: str
    size: int = 299
    normalise: str = "symmetric"
    rounding: str = "round"
    jpeg: int | None = None
    figures: tuple[str, ...] = FIGURES
    splits: int = 1
    skipped: int = 0
    batch: int | None = None
    pictures: int | None = 30_000
    reference: str = "test"
    retrieval: str = "corrected"

    def __post_init__(self):
        unknown = sorted(set(self.figures) - set(FIGURES))
        if unknown:
            raise ValueError(
                f"Protocol {self.name!r} asks for {', '.join(unknown)}; known "
                f"figures are {', '.join(FIGURES)}."
            )
        allowed = *resizing.ROUNDINGS, "none", "given"
        if self.rounding not in allowed:
            raise ValueError(
                f"Protocol {self.name!r} has rounding {self.rounding!r}; "
                f"allowed are {', '.join(allowed)}."
            )

    def shown(self, batches: Iterable) -> Iterator:
        """Lets through what counts.

        Args:
            batches: yields (B, H, W, D) pictures or `features.Later`.

        Yields:
            The same; with `batch`, batches of as many pictures. What fills
            none is left out.
        """
        if self.batch is None:
            yield from batches
        else:
            yield from _whole(batches, self.batch)

    @property
    def compares(self) -> bool:
        """Whether a figure compares with real pictures."""
        return bool(set(self.figures) - {"is", "r_precision"})

    @property
    def captions(self) -> str:
        """Which captions are drawn, in words."""
        if self.pictures is None:
            return "each test picture's first"
        return "one drawn a picture, in rounds until there are enough"

    def card(self) -> dict:
        """Lists what stands beside its figures, fit for JSON."""
        kept = ("rounding", "jpeg", "splits", "skipped", "batch", "retrieval")
        return {
            "preset": self.name,
            **{key: getattr(self, key) for key in kept},
            "source": self.source,
        }


def preset(name: str) -> Protocol:
    """Looks a protocol up.

    Args:
        name: one of `PRESETS`.

    Returns:
        The protocol.

    Raises:
        ValueError: naming the known ones.
    """
    if name not in PRESETS:
        raise ValueError(
            f"There is no protocol {name!r}; known are {', '.join(PRESETS)}."
        )
    return PRESETS[name]


def differences(one: Mapping, other: Mapping) -> list[str]:
    """Lists what makes figures of two cards incomparable.

    Args:
        one: a row's "protocol".
        other: another's.

    Returns:
        A phrase for each entry that differs, in the order of the keys; what
        `CANDIDATE` and `TOLD` name may differ.
    """
    one, other = flat(one), flat(other)
    return [
        f"{key} is {_word(one, key)} and {_word(other, key)}"
        for key in sorted(one | other)
        if key.split(".")[0] not in CANDIDATE + TOLD
        and (key not in one or key not in other or one[key] != other[key])
    ]


def flat(card: Mapping, above: str = "") -> dict:
    """Lists the entries of a card, inner ones by dotted names.

    Args:
        card: a row's "protocol".
        above: what stands before each name.

    Returns:
        name -> value, no mapping among them.
    """
    found = {}
    for key, value in card.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found


def _word(card, key):
    return repr(card[key]) if key in card else "not told"


def _whole(batches, size):
    """Cuts a stream anew; what fills no batch is left out."""
    held = []
    for batch in batches:
        if isinstance(batch, features.Later):
            if batch.count == size:
                yield batch
            continue
        held.extend(np.asarray(batch))
        while len(held) >= size:
            yield np.stack(held[:size])
            del held[:size]


#: The protocols by name. Ours differs: "xmc" compares with the test part's
#: pictures as they are, where the authors' evaluation mirrors half of the first
#: 30,000 of a shuffled stream; JPEG of "galip"'s and "xmc"'s floats is refused.
PRESETS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="offline",
            label="lite0",
            network="lite0",
            resize="bilinear_antialiased",
            size=224,
            pictures=None,
            reference="train",
            source="this library: no download; compare with itself only",
        ),
        Protocol(
            name="clean",
            label="clean",
            network="inception_2015",
            resize="bicubic_antialiased",
            normalise="tf_2015",
            source="Parmar et al. 2022, arXiv:2104.11222 (clean-fid)",
        ),
        Protocol(
            name="tf_2015",
            label="tf_2015",
            network="inception_2015",
            resize="tf1_bilinear",
            normalise="tf_2015",
            splits=10,
            source="Heusel et al. 2017, arXiv:1706.08500 (TTUR)",
        ),
        Protocol(
            name="dm_gan",
            label="dm_gan",
            network="torchvision_inception",
            resize="pillow_bilinear",
            normalise="dm_gan",
            rounding="truncate",
            figures=("fid", "r_precision"),
            batch=50,
            retrieval="reference",
            source="Zhu et al. 2019, arXiv:1904.01310, eval/FID",
        ),
        Protocol(
            name="galip",
            label="galip",
            network="torchvision_inception",
            resize="bilinear",
            normalise="dm_gan",
            rounding="none",
            figures=("fid",),
            source="Tao et al. 2023, arXiv:2301.12959, code/lib",
        ),
        Protocol(
            name="xmc",
            label="xmc",
            network="keras_inception_v3",
            resize="bilinear_antialiased",
            rounding="none",
            figures=("fid", "is"),
            source="Zhang et al. 2021, arXiv:2101.04702",
        ),
        Protocol(
            name="cub_is",
            label="cub",
            network="inception_cub",
            resize="pillow_bilinear",
            rounding="truncate",
            figures=("is",),
            splits=10,
            skipped=1,
            batch=64,
            source="Zhang et al. 2017, arXiv:1612.03242 (StackGAN-inception)",
        ),
    )
}
