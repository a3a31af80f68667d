r"""Judges a generator and writes a table that says how it was measured.

    python -m recipes.evaluate --workdir=runs/mine
    python -m recipes.evaluate --preset=openmoji_64 --out=scores

Rows of the table: an untrained generator of the same shape, the mean training
picture, the trained generator and the real test pictures, all against the
training pictures (or the test pictures, with --reference=test) and in equal
numbers. Each figure becomes one line of scores.jsonl, with the card of its
protocol; scores.md is the table. A quick look takes --pictures=100 --seeds=1.
Scores that lie there and would only be measured again are printed as they are.
"""

import pathlib

from absl import flags

from recipes import judging, messages, trained

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "A run directory of recipes.train; its newest checkpoint."
)
_CHECKPOINT = messages.checkpoint()
_PRESET = flags.DEFINE_string(
    "preset", None, "A trained model that comes with the package."
)
_OUT = flags.DEFINE_string(
    "out", None, "Folder of scores.jsonl and scores.md; else the run directory."
)
_SEEDS = flags.DEFINE_integer(
    "seeds", 3, "Noises each test caption is drawn with.", lower_bound=1
)
_PICTURES = flags.DEFINE_integer(
    "pictures",
    None,
    "Look at so many pictures of each part at most, for a quick look.",
    lower_bound=2,
)
_REFERENCE = flags.DEFINE_enum(
    "reference",
    "train",
    ["train", "test"],
    "Which pictures all are compared with. With test, real training pictures "
    "are the last row, and R-precision is left out.",
)


def main(_):
    """Judges from the flags and prints the table."""
    flag, name = messages.one_of(workdir=_WORKDIR.value, preset=_PRESET.value)
    if flag == "preset" and not _OUT.value:
        raise ValueError("Say with --out=FOLDER where the scores go.")
    found = trained.opened(flag, name, _CHECKPOINT.value)
    out = pathlib.Path(_OUT.value or name)
    how = dict(
        seeds=_SEEDS.value, most=_PICTURES.value, reference=_REFERENCE.value
    )
    rows = judging.kept(found, out, **how)
    if not rows:
        judging.write(judging.judge(found, **how), out)
        return
    print(
        f"{judging.told(rows)}\n\nThis generator was judged like this before; "
        f"remove {out / 'scores.jsonl'} to measure again."
    )


if __name__ == "__main__":
    messages.run(main)
