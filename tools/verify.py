r"""Measures a preset again and says whether its card tells the truth.

    python tools/verify.py --preset=openmoji_64

The data must be those of the card, and each score must fall into the interval
that the card gives for a repetition. Exits 0 if all do, 1 if one does not.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import flags  # noqa: E402

from recipes import judging, messages, scores, streams, trained  # noqa: E402

_PRESET = flags.DEFINE_string(
    "preset", None, "The preset to verify.", required=True
)
_FOLDER = flags.DEFINE_string(
    "folder", None, "Where the preset lies; else in the package."
)


def main(_):
    """Verifies from the flags."""
    found = trained.preset(_PRESET.value, _FOLDER.value)
    check(found.card, _PRESET.value)
    if not confirm_data(found):
        sys.exit(1)
    rows = judging.judge(found, beside=False, **found.card["judged"])
    sys.exit(0 if scores.confirm(found.card["scores"], rows) else 1)


def check(card, name):
    """Refuses a card that does not say how to measure it again.

    Args:
        card: the preset's card.
        name: the preset.

    Raises:
        ValueError: naming what it lacks.
    """
    for key in ("moves", "data", "judged", "scores"):
        if not card.get(key):
            raise ValueError(
                f"The card of {name} claims no {key}; tools/make_preset.py "
                "writes cards that do."
            )


def confirm_data(found) -> bool:
    """Prints the digests of the data beside the card's.

    Args:
        found: the preset, as `trained.preset` opens it.

    Returns:
        True if the data are those of the card.
    """
    passed = True
    for split in ("train", "test"):
        digest = streams.source(found.config, split).digest
        claim = found.card["data"].get(split)
        passed = passed and digest == claim
        print(
            f"{'pass' if digest == claim else 'FAIL'}  data {split}: {digest}, "
            f"the card says {claim}"
        )
    return passed


if __name__ == "__main__":
    messages.run(main)
