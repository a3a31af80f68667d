r"""Measures a preset again and says whether its card tells the truth.

    python tools/verify.py --preset=openmoji_64

Each score on the card carries the interval in which a repetition must fall.
Exits 0 if all do, 1 if one does not.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import flags  # noqa: E402

from keras_t2i.metrics import evaluator  # noqa: E402
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
    sys.exit(0 if report(claims, rows) else 1)


def report(claims, rows) -> bool:
    """Prints each score beside the card's claim.

    Args:
        claims: rows on the card.
        rows: rows measured now.

    Returns:
        True if every claim was measured and holds.
    """
    measured = {row["name"]: row for row in rows}
    passed = True
    for claim in claims:
        row = measured.get(claim["name"])
        good = row is not None and evaluator.holds(claim, row)
        passed = passed and good
        low, high = claim["interval"]
        value = "not measured" if row is None else f"{row['value']:.4f}"
        print(
            f"{'pass' if good else 'FAIL'}  {claim['name']}: {value}, the "
            f"card says {claim['value']:.4f} ({low:.4f} to {high:.4f})"
        )
    return passed


if __name__ == "__main__":
    messages.run(main)
