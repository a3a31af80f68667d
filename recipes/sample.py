r"""Draws pictures from captions.

One picture from a trained model that comes with the package:

    python -m recipes.sample --preset=openmoji_64 --caption="a red heart"

Three pictures for each line of a file, on one sheet, from a run of your own:

    python -m recipes.sample --workdir=runs/mine --captions_file=lines.txt \
        --count=3 --out=sheet.png

Pictures of all stages and what they look at, of a model that attends to words:

    python -m recipes.sample --workdir=runs/attngan --caption="a red heart" \
        --attention

Pictures and the masks that say where the sentence was heard, of SSA-GAN:

    python -m recipes.sample --workdir=runs/ssa --caption="a red heart" --masks

A model that reads no text takes --count and --seed alone.

The model comes from one of --preset, --workdir and --saved_model. The same
caption with the same seed always gives the same picture.
"""

import pathlib

from absl import flags

from keras_t2i import serving
from keras_t2i.data import captions as texts
from recipes import attending, drawing, messages, trained

_SHEET = "samples.png"
_PRESET = flags.DEFINE_string(
    "preset", None, "A trained model that comes with the package."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "A run directory of recipes.train; its newest checkpoint."
)
_CHECKPOINT = messages.checkpoint()
_SAVED_MODEL = flags.DEFINE_string(
    "saved_model", None, "A folder that recipes.export wrote."
)
_CAPTION = flags.DEFINE_multi_string(
    "caption", [], "What to draw. Repeat the flag for more."
)
_CAPTIONS_FILE = flags.DEFINE_string(
    "captions_file", None, "Text file (UTF-8) with a caption a line."
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Chooses the noise.", lower_bound=0, upper_bound=2**62
)
_COUNT = flags.DEFINE_integer(
    "count", 1, "Pictures a caption, of seed, seed + 1, ...", lower_bound=1
)
_OUT = flags.DEFINE_string(
    "out",
    None,
    f"PNG file for one captioned sheet; else {_SHEET}, or with --attention "
    f"{attending.FILE}, with --masks {attending.MASKS_FILE}.",
)
_EACH = flags.DEFINE_string(
    "each", None, "Folder for one plain PNG a picture, instead of a sheet."
)
_TRUNCATION = flags.DEFINE_float(
    "truncation",
    None,
    "Keep the noise within so many standard deviations: 1 gives safer and "
    "less varied pictures.",
)
_ATTENTION = flags.DEFINE_bool(
    "attention",
    False,
    "Show the picture of each stage and, for each word (the first "
    f"{attending.MOST}), where places look at it.",
)
_MASKS = flags.DEFINE_bool(
    "masks",
    False,
    "Show beside each picture, size by size, where its sentence was heard: "
    "white everything, black nothing.",
)
_CAPTION_STEPS = flags.DEFINE_integer(
    "interpolate_captions",
    None,
    "Draw so many pictures on the way between two captions, with one noise.",
    lower_bound=2,
)
_NOISE_STEPS = flags.DEFINE_integer(
    "interpolate_noise",
    None,
    "Draw so many pictures on the way between the noises seed and seed + 1, "
    "with one caption.",
    lower_bound=2,
)


def main(_):
    """Draws from the flags."""
    captions = read_captions(_CAPTION.value, _CAPTIONS_FILE.value)
    check_flags(len(captions))
    painter = open_painter()
    captions = check_captions(captions, painter)
    if _inside():
        write_inside(painter, captions)
        return
    seed, bound = _SEED.value, _TRUNCATION.value
    columns = _CAPTION_STEPS.value or _NOISE_STEPS.value
    if _CAPTION_STEPS.value:
        names = _ends(captions, columns)
        drawn = drawing.between_captions(
            painter, captions, columns, seed, bound
        )
    elif _NOISE_STEPS.value:
        first = f"{captions[0]}, seed {seed}".removeprefix(", ")
        ends = [first, f"seed {seed + 1}"]
        names = _ends(ends, columns)
        drawn = drawing.between_noises(
            painter, captions[0], columns, seed, bound
        )
    else:
        count = _COUNT.value
        columns = count if count > 1 else min(len(captions), 6)
        names = [text for text in captions for _ in range(count)]
        seeds = list(range(seed, seed + count)) * len(captions)
        if not painter.text_names:
            columns = min(count, 8)
            names = [f"seed {each}" for each in seeds]
        drawn = drawing.paint(painter, names, seeds, bound)
    if _EACH.value:
        drawing.write_each(_EACH.value, drawn, names)
    else:
        drawing.write_sheet(_OUT.value or _SHEET, drawn, names, columns)
    print(f"{len(drawn)} picture(s) in {_EACH.value or _OUT.value or _SHEET}")


def write_inside(painter, captions):
    """Draws the sheet of --attention or --masks.

    Args:
        painter: `networks.Painter`.
        captions: list of str.

    Raises:
        ValueError: if the model has no such thing inside.
        OSError: if it can't be written.
    """
    seed, count = _SEED.value, _COUNT.value
    asked = [text for text in captions for _ in range(count)]
    seeds = list(range(seed, seed + count)) * len(captions)
    draw, path, what = {
        "attention": (attending.stages, attending.FILE, "what they look at"),
        "masks": (attending.masks, attending.MASKS_FILE, "their masks"),
    }[_inside()]
    tiles, names, columns = draw(painter, asked, seeds, _TRUNCATION.value)
    path = _OUT.value or path
    drawing.write_sheet(path, tiles, names, columns)
    print(f"{len(asked)} picture(s) and {what} in {path}")


def _inside():
    """Which flag asks to look into the model, or ""."""
    asked = {"attention": _ATTENTION.value, "masks": _MASKS.value}
    return next((name for name, value in asked.items() if value), "")


def read_captions(given, path):
    """Collects and cleans the captions of the flags.

    Args:
        given: list of str.
        path: a file with a caption a line, or None. Blank lines are skipped.

    Returns:
        List of str.

    Raises:
        ValueError: if one is empty or not UTF-8.
        OSError: if the file can't be read.
    """
    read = [texts.clean(x, f"--caption={x!r}") for x in given]
    lines = pathlib.Path(path).read_bytes().splitlines() if path else []
    for number, line in enumerate(lines, 1):
        if line.strip():
            read.append(texts.clean(line, f"Line {number} of {path}"))
    return read


def check_captions(captions, painter):
    """Refuses captions that don't fit the model.

    Args:
        captions: list of str.
        painter: `networks.Painter` or `serving.Served`.

    Returns:
        The captions; one empty string for a model that reads none.

    Raises:
        ValueError: if there is none, or one can't be read, or any came for a
            model that reads none.
    """
    if not painter.text_names:
        if captions or _CAPTION_STEPS.value:
            raise ValueError(
                "This model draws from noise alone: give --count and --seed, "
                "no captions."
            )
        return [""]
    if not captions:
        raise ValueError(
            'Say what to draw: --caption="a red heart", or --captions_file='
            "FILE with a caption a line."
        )
    getattr(painter, "text_encoder", painter).check(captions)
    return captions


def check_flags(count):
    """Refuses flags that don't fit together, before anything slow starts.

    Args:
        count: how many captions there are.

    Raises:
        ValueError: naming the flag.
    """
    if _OUT.value and _EACH.value:
        raise ValueError("Give --out for a sheet or --each for files.")
    if _OUT.value and not _OUT.value.lower().endswith(".png"):
        raise ValueError(f"--out={_OUT.value} must end in .png.")
    if _TRUNCATION.value is not None and not _TRUNCATION.value > 0:
        raise ValueError(
            f"--truncation={_TRUNCATION.value} must be greater than 0."
        )
    if _ATTENTION.value and _MASKS.value:
        raise ValueError(
            "Give --attention or --masks: each draws a sheet of its own."
        )
    inside = _inside()
    if inside and _SAVED_MODEL.value:
        raise ValueError(
            f"A SavedModel gives pictures alone; --{inside} looks into a "
            "--workdir or --preset."
        )
    if inside and (_EACH.value or _CAPTION_STEPS.value or _NOISE_STEPS.value):
        raise ValueError(
            f"--{inside} draws a sheet of its own, without --each, "
            "--interpolate_captions and --interpolate_noise."
        )
    for flag, steps, wanted in (
        ("interpolate_captions", _CAPTION_STEPS.value, 2),
        ("interpolate_noise", _NOISE_STEPS.value, 1),
    ):
        # None at all may be right for a model that reads none.
        if steps and (count not in (0, wanted) or _COUNT.value > 1):
            raise ValueError(
                f"--{flag} takes {wanted} caption(s) and no --count; "
                f"{count} caption(s) came."
            )
    if _CAPTION_STEPS.value and _NOISE_STEPS.value:
        raise ValueError("Interpolate captions or noise, not both.")


def open_painter():
    """Opens the model of the flags.

    Returns:
        `networks.Painter` or `serving.Served`.

    Raises:
        ValueError: if there is not exactly one, or it can't be opened.
    """
    flag, name = messages.one_of(
        preset=_PRESET.value,
        workdir=_WORKDIR.value,
        saved_model=_SAVED_MODEL.value,
    )
    if flag == "saved_model" and not _CHECKPOINT.value:
        return serving.load(messages.folder(flag, name))
    return trained.opened(flag, name, _CHECKPOINT.value).painter


def _ends(names, steps):
    return [names[0], *[""] * (steps - 2), names[1]]


if __name__ == "__main__":
    messages.run(main)
