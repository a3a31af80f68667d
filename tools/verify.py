r"""Measures a preset again and says whether its card tells the truth.

    python tools/verify.py --preset=openmoji_64

Each score on the card carries the interval in which a repetition must fall.
Exits 0 if all do, 1 if one does not.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import flags  # noqa: E402

from recipes import judging, messages, trained  # noqa: E402

_PRESET = flags.DEFINE_string(
    "preset", None, "The preset to verify.", required=True
)
_FOLDER = flags.DEFINE_string(
    "folder", None, "Where the preset lies; else in the package."
)


def main(_):
    """Verifies from the flags."""
    found = trained.preset(_PRESET.value, _FOLDER.value)
    claims = found.card.get("scores")
    if not claims:
        raise ValueError(f"The card of {_PRESET.value} claims no scores.")
    rows = judging.judge(found, beside=False, **found.card["judged"])
    sys.exit(0 if judging.confirm(claims, rows) else 1)


if __name__ == "__main__":
    messages.run(main)
