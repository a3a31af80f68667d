r"""Lets people rank pictures of several systems, and tells what they said.

Two verbs. The first makes pages that a browser opens from the disk:

    python -m tools.human_study make --out=study --captions=1000 --raters=5 \
        --systems=ours=pictures/ours,theirs=pictures/theirs

The folders hold PNG or JPEG files of one size (else give --size) that are
called alike: one picture of each caption from each system, from which
--captions are drawn. Captions stand in captions.jsonl, captions.csv or .txt
files of the same names in one of the folders, or in --captions_file.

study/sheets goes to the raters; each opens the pages with their number, half
of which ask how real pictures look, without the words, the other half how
well they fit the words. Which system is which stands in study/key.json alone,
which stays with you. A second call finishes what a broken one began.

What raters save and send back is read by the second:

    python -m tools.human_study read --study=study answers/*.json

It prints for each question mean ranks, shares ranked first and pairwise wins
with intervals over captions, and how far raters agree. The last line is JSON;
--rows writes a line a figure into a file that recipes.compare takes; those
that an earlier call wrote there for the same study are replaced.

Source: Zhang et al. 2021 (XMC-GAN), arXiv:2101.04702: 1,000 captions, five
raters, all systems side by side, realism and alignment apart. Ours differs:
who rates, and that the words are hidden while realism is ranked.
"""

import json

from absl import app, flags

from recipes import messages, quiet
from tools.studies import making, reading

_VERBS = ("make", "read")
_WORDS = []  # Of the command line that are no flags.


def main(_):
    """Runs the verb that was typed."""
    options, (verb, *paths) = flags.FLAGS, _WORDS or [None]
    if verb == "make":
        _refuse(paths)
        _make(options)
    elif verb == "read":
        _read(options, paths)
    else:
        raise ValueError(
            "Say `python -m tools.human_study make` or `... read`, with flags; "
            f"{verb or 'none'} came.{messages.near(verb or '', _VERBS)}"
        )


def _refuse(words):
    if words:
        raise ValueError(
            f"{' '.join(words)!r} belongs to no flag; a value with spaces "
            "needs quotes."
        )


def _make(options):
    for name in ("systems", "out"):
        _needed(options, name)
    systems = {}
    for word in options.systems:
        name, sign, folder = word.partition("=")
        if not (name and sign and folder) or name in systems:
            raise ValueError(
                f"--systems takes NAME=FOLDER,NAME=FOLDER, each name once; "
                f"{word!r} came."
            )
        systems[name] = messages.folder("systems", folder)
    key = making.make(
        systems,
        options.out,
        captions=options.captions,
        raters=options.raters,
        per_page=options.per_page,
        size=options.size,
        captions_file=options.captions_file,
        seed=options.seed,
        progress=True,
    )
    print(
        f"{len(key['sheets'])} pages for {options.raters} raters are in "
        f"{options.out}/sheets; send that folder. {options.out}/key.json says "
        "which system is which: keep it. What comes back: python -m "
        f"tools.human_study read --study={options.out} FILES"
    )
    made = {name: len(key[name]) for name in ("tasks", "sheets")}
    print(json.dumps({"study": key["study"], **made}))


def _read(options, paths):
    _needed(options, "study")
    told = reading.read(messages.folder("study", options.study), paths)
    print(reading.table(told))
    if options.rows:
        reading.write_rows(told, options.rows)
    print(json.dumps(told))


def _needed(options, name):
    if not options[name].value:
        raise ValueError(f"--{name} is needed.")


def _parse(words):
    """Keeps the verb and files, which other tools have none of."""
    program, *rest = messages.parse(words)
    _WORDS[:] = rest
    return [program]


if __name__ == "__main__":
    flags.DEFINE_list("systems", [], "make: NAME=FOLDER of each system.")
    flags.DEFINE_string("out", None, "make: the study's folder.")
    flags.DEFINE_integer("captions", 1000, "make: how many.", lower_bound=1)
    flags.DEFINE_integer("raters", 5, "make: how many.", lower_bound=1)
    flags.DEFINE_integer(
        "per_page", 100, "make: captions a page of the rater's.", lower_bound=1
    )
    flags.DEFINE_integer(
        "size", None, "make: cut and resize pictures to this.", lower_bound=1
    )
    flags.DEFINE_string(
        "captions_file", None, "make: a listing of pictures and captions."
    )
    flags.DEFINE_integer("seed", 0, "make: of all orders.", lower_bound=0)
    flags.DEFINE_string("study", None, "read: the folder that make wrote.")
    flags.DEFINE_string(
        "rows", None, "read: JSON lines, into which figures are written."
    )
    quiet.lower()
    app.run(messages.told(main), flags_parser=_parse)
