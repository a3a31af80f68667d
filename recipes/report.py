"""Lays what was measured and drawn on one HTML page that needs no other file.

The page holds no script and asks no server for anything; pictures are inside
it. It can be read on a phone, in light and in dark, and mailed.
"""

import base64
import dataclasses
import html
import io
import json
import math
import os
import string
from collections.abc import Mapping, Sequence

import numpy as np

from keras_t2i import version
from keras_t2i.metrics import protocols
from keras_t2i.ops import files, images

#: What is shown at most, so that a page stays below 20 MB.
SAMPLES, NEIGHBOURS, RETRIEVALS, BARS = 36, 12, 12, 250
NEAR, RETRIEVED = 6, 5
#: Longest sides in pixels: of samples, and of other pictures.
LARGE, SMALL = 256, 128
#: Letters of a caption, of a name, of an entry on a card.
LETTERS = 300

_LOWER = ("fid", "kid")
_HIGHER = (
    "clip",
    "colour_truth",
    "coverage",
    "density",
    "is",
    "precision",
    "r_precision",
    "recall",
    "soa",
)
_JUDGED = tuple(key for key in protocols.CANDIDATE if key != "seeds")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A picture and its words.

    Attributes:
        picture: (H, W, 3) uint8, or (H, W, 1) for grey.
        caption: a string; empty without.
    """

    picture: np.ndarray
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """The training pictures that a sample is most like.

    Attributes:
        sample: the sample.
        near: training pictures, nearest first.
        distances: one each, in the unit of the features.
    """

    sample: Shown
    near: Sequence[Shown]
    distances: Sequence[float]


@dataclasses.dataclass(frozen=True)
class Retrieval:
    """What a picture was taken to show.

    Attributes:
        shown: the picture with its own caption.
        retrieved: captions, the most similar first.
        rank: int > 0. Place of its own caption among all candidates.
        candidates: int. How many there were.
    """

    shown: Shown
    retrieved: Sequence[str]
    rank: int
    candidates: int


@dataclasses.dataclass(frozen=True)
class Bars:
    """A figure of each class.

    Attributes:
        title: what was measured.
        values: name of a class -> value, 0 and more; NaN where nothing was
            to be measured.
        whole: float. The value of a full bar; None for the largest one.
    """

    title: str
    values: Mapping[str, float]
    whole: float | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """All that stands on the page; parts that are empty are left out.

    Attributes:
        title: the headline.
        rows: rows of `metrics.evaluator.Judge`.
        notes: sentences below the table.
        samples: pictures with the captions they were drawn from.
        neighbours: of some samples.
        best: retrievals that went well.
        worst: those that did not.
        bars: figures of classes.
    """

    title: str
    rows: Sequence[Mapping]
    notes: Sequence[str] = ()
    samples: Sequence[Shown] = ()
    neighbours: Sequence[Neighbours] = ()
    best: Sequence[Retrieval] = ()
    worst: Sequence[Retrieval] = ()
    bars: Sequence[Bars] = ()


def write(path: str | os.PathLike, report: Report) -> None:
    """Writes the page.

    The same report gives the same bytes. Of more pictures, words and classes
    than `SAMPLES` and its neighbours allow the first ones are shown, with a
    sentence; larger pictures are scaled down. So a page stays below 20 MB,
    whatever comes.

    Args:
        path: where it is to lie.
        report: what it holds. Strings may hold anything; they are shown as
            they are and run nothing.

    Raises:
        ValueError: if there are no rows, a value is not finite, a picture is
            none, or neighbours have not one distance each.
        OSError: if it can't be written; what was there stays.
    """
    files.atomic_write(path, page(report).encode("utf-8", "replace"))


def page(report: Report) -> str:
    """Lays out the page.

    Args:
        report: what it holds.

    Returns:
        HTML.

    Raises:
        ValueError: as `write`.
    """
    if not report.rows:
        raise ValueError("A report needs rows of figures; there are none.")
    cards = _Cards(report.rows)
    parts = {
        "Figures": _figures(report, cards),
        "Samples": _samples(report.samples),
        "Nearest training pictures": _neighbours(report.neighbours),
        "Best and worst retrievals": _retrievals(report),
        "Classes": "".join(map(_bars, report.bars)),
        "How it was measured": cards.told(),
    }
    parts = {name: body for name, body in parts.items() if body}
    links = [f'<a href="#{_id(name)}">{name}</a>' for name in parts]
    sections = [
        f'<section id="{_id(name)}"><h2>{name}</h2>{body}</section>'
        for name, body in parts.items()
    ]
    return _PAGE.substitute(
        title=_text(report.title),
        links=" ".join(links),
        sections="\n".join(sections),
        style=_STYLE,
        version=version.VERSION,
    )


class _Cards:
    """Numbers the cards of rows; those that say the same are one."""

    def __init__(self, rows):
        self.numbers, self.methods, self.users = [], [], []
        self.judged = {}
        for row in rows:
            card = protocols.flat(row["protocol"])
            about = {k: card.pop(k) for k in _JUDGED if k in card}
            self.judged.setdefault(row["candidate"], {}).update(about)
            if card not in self.methods:
                self.methods.append(card)
                self.users.append({})
            number = self.methods.index(card)
            self.numbers.append(number + 1)
            users = self.users[number].setdefault(row["name"], [])
            users.append(row["candidate"])
        first = self.methods[0]
        self.shared = {
            key: value
            for key, value in first.items()
            if all(key in c and c[key] == value for c in self.methods)
        }

    def told(self):
        parts = [
            "<p>Two figures can be compared where their cards say the "
            "same.</p>",
            _details("What all figures share", _entries(self.shared)),
        ]
        for number, card in enumerate(self.methods, 1):
            own = {k: v for k, v in card.items() if k not in self.shared}
            parts.append(
                _details(
                    f"<b>{number}</b> {self._users(number)}",
                    _entries(own) or "<p>Nothing else.</p>",
                    f' id="card-{number}"',
                )
            )
        for name, about in self.judged.items():
            if about:
                parts.append(_details(_text(name), _entries(about)))
        return "".join(parts)

    def _users(self, number):
        """Names the figures of a card, and of whom they are."""
        by_whom = {}
        for name, candidates in self.users[number - 1].items():
            by_whom.setdefault(tuple(candidates), []).append(name)
        return "; ".join(
            f"{', '.join(f'<code>{_text(n)}</code>' for n in names)} of "
            f"{', '.join(map(_text, candidates))}"
            for candidates, names in by_whom.items()
        )


def _figures(report, cards):
    """The table: a line a figure, a column a candidate."""
    cells = {
        (row["name"], row["candidate"]): _cell(row, number)
        for row, number in zip(report.rows, cards.numbers, strict=True)
    }
    names = dict.fromkeys(name for name, _ in cells)
    candidates = dict.fromkeys(candidate for _, candidate in cells)
    head = "".join(f'<th scope="col">{_text(c)}</th>' for c in candidates)
    lines = []
    for name in names:
        found = "".join(
            cells.get((name, candidate), "<td>–</td>")
            for candidate in candidates
        )
        lines.append(f'<tr><th scope="row">{_name(name)}</th>{found}</tr>')
    notes = "".join(f"<p>{_text(note)}</p>" for note in report.notes)
    return (
        '<div class="wide" tabindex="0"><table><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
        f"{notes}<p class=dim>{_legend(report.rows)}</p>"
    )


def _cell(row, number):
    value = row["value"]
    if not math.isfinite(value):
        raise ValueError(
            f"{row['name']} of {row['candidate']!r} is {value}; a report "
            "takes finite numbers only."
        )
    spread = f" <small>± {row['std']:.2g}</small>" if row.get("std") else ""
    low, high = _range(row)
    return (
        f'<td><a href="#card-{number}">{value:.4g}</a>{spread}'
        f"<br><small>{low:.4g} to {high:.4g}</small></td>"
    )


def _range(row):
    found = row.get("sampling")
    return (found["low"], found["high"]) if found else row["interval"]


def _legend(rows):
    kinds = {bool(row.get("sampling")) for row in rows}
    below = {
        True: "the interval of subsamples",
        False: "the range in which a repetition must fall",
    }
    told = " or ".join(below[kind] for kind in sorted(kinds, reverse=True))
    return (
        "±: the standard deviation over noises. Below: "
        f"{told}. Each number leads to the card of its protocol."
    )


def _name(name):
    """A figure's name, and which way is better."""
    sign = ""
    if any(name == k or name.startswith(f"{k}_") for k in _LOWER):
        sign = ' <span class=dim title="lower is better">↓</span>'
    elif any(name == k or name.startswith(f"{k}_") for k in _HIGHER):
        sign = ' <span class=dim title="higher is better">↑</span>'
    return f"<code>{_text(name).replace('_', '_<wbr>')}</code>{sign}"


def _samples(samples):
    if not samples:
        return ""
    drawn = [_picture(each, LARGE) for each in samples[:SAMPLES]]
    return _told(samples, SAMPLES) + f"<div class=grid>{''.join(drawn)}</div>"


def _neighbours(found):
    if not found:
        return ""
    parts = [
        "<p>Each sample, and the training pictures whose features are nearest "
        "to its own, with their distances. A sample that is one of them was "
        "learned by heart.</p>",
        _told(found, NEIGHBOURS),
    ]
    for each in found[:NEIGHBOURS]:
        if len(each.near) != len(each.distances):
            raise ValueError(
                f"{len(each.near)} neighbours came with "
                f"{len(each.distances)} distances; each needs one."
            )
        near = [
            _picture(picture, SMALL, f"{distance:.4g}")
            for picture, distance in zip(
                each.near[:NEAR], each.distances[:NEAR], strict=True
            )
        ]
        parts.append(
            f"<div class=near>{_picture(each.sample, SMALL)}"
            f"<div class=grid>{''.join(near)}</div></div>"
        )
    return "".join(parts)


def _retrievals(report):
    parts = []
    for name, found in (("Best", report.best), ("Worst", report.worst)):
        if found:
            lines = "".join(map(_retrieval, found[:RETRIEVALS]))
            parts.append(
                f"<h3>{name}</h3>{_told(found, RETRIEVALS)}"
                f"<div class=pairs>{lines}</div>"
            )
    return "".join(parts)


def _retrieval(found):
    own = found.shown.caption
    lines = "".join(
        f"<li{' class=own' if text == own else ''}>{_words(text)}</li>"
        for text in found.retrieved[:RETRIEVED]
    )
    return (
        f"<div class=found>{_picture(found.shown, SMALL)}<div>"
        f"<p>Its own caption has rank <b>{found.rank:,}</b> of "
        f"{found.candidates:,}. The most similar:</p><ol>{lines}</ol>"
        "</div></div>"
    )


def _bars(bars):
    """A line a class, the highest first."""
    finite = {k: v for k, v in bars.values.items() if math.isfinite(v)}
    empty = [name for name in bars.values if name not in finite]
    whole = bars.whole or max(finite.values(), default=0.0) or 1.0
    order = sorted(finite, key=finite.get, reverse=True)
    names = [*order, *empty]
    lines = []
    for name in names[:BARS]:
        value = finite.get(name)
        bar, told = "", "–"
        if value is not None:
            share = 100 * min(max(value / whole, 0.0), 1.0)
            bar = f'<span class=bar style="width:{share:.1f}%"></span>'
            told = f"{value:.3g}"
        lines.append(
            f'<dt title="{_text(name)}">{_text(name)}</dt>'
            f"<dd>{bar}<span>{told}</span></dd>"
        )
    return (
        f"<h3>{_text(bars.title)}</h3>{_told(names, BARS)}"
        f"<dl class=bars>{''.join(lines)}</dl>"
    )


def _picture(shown, most, below=None):
    """A figure: the picture inside the page, and its words."""
    pixels = _checked(shown.picture)
    height, width = pixels.shape[:2]
    larger = max(1, SMALL // max(height, width))
    scale = min(1.0, most / max(height, width))
    if scale < 1.0:
        height, width = (max(1, round(n * scale)) for n in (height, width))
    words = "" if below is None else f"<b>{_text(below)}</b> "
    words += _words(shown.caption)
    caption = f"<figcaption>{words}</figcaption>" if words.strip() else ""
    title = _text(shown.caption)
    return (
        f'<figure title="{title}" style="width:{larger * width}px"><img'
        f'{" class=pixels" if larger > 1 else ""} alt="{title}"'
        f' width="{larger * width}" height="{larger * height}" '
        f'src="{_inside(pixels, height, width)}">{caption}</figure>'
    )


def _checked(picture):
    picture = np.asarray(picture)
    is_shaped = picture.ndim == 3 and picture.shape[-1] in (1, 3)
    if picture.dtype != np.uint8 or not is_shaped or not picture.size:
        raise ValueError(
            "A picture of a report must be (H, W, 3) or (H, W, 1) uint8; this "
            f"is {picture.shape} {picture.dtype}."
        )
    return images.in_colour(picture)


def _inside(pixels, height, width):
    """The picture itself, where HTML wants an address."""
    from PIL import Image

    image = Image.fromarray(pixels)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    data = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/png;base64,{data}"


def _told(found, most):
    if len(found) <= most:
        return ""
    return f"<p class=dim>The first {most:,} of {len(found):,}.</p>"


def _entries(card):
    if not card:
        return ""
    lines = [
        f"<dt>{_text(k)}</dt><dd>{_value(v)}</dd>" for k, v in card.items()
    ]
    return f"<dl class=card>{''.join(lines)}</dl>"


def _value(value):
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    elif value is None or isinstance(value, bool):
        value = {None: "none", True: "yes", False: "no"}[value]
    elif not isinstance(value, str):
        value = json.dumps(value)
    return _text(value)


def _details(summary, body, more=""):
    return f"<details{more}><summary>{summary}</summary>{body}</details>"


def _words(text):
    """A caption in a box of its own: what turns its letters ends there."""
    return f"<bdi>{_text(text)}</bdi>" if text.strip() else ""


def _text(text) -> str:
    """Any string, shortened, as HTML that shows it and does nothing."""
    text = " ".join(str(text).split())
    if len(text) > LETTERS:
        text = f"{text[: LETTERS - 1]}…"
    return html.escape(text)


def _id(name):
    return name.lower().replace(" ", "-")


_STYLE = """
:root { color-scheme: light dark; --paper: #fcfcfa; --ink: #1c1c20;
  --dim: #62626c; --line: #dcdcd6; --soft: #f2f2ee; --blue: #1a5fb4; }
@media (prefers-color-scheme: dark) { :root { --paper: #17181b;
  --ink: #e6e6e8; --dim: #a0a0aa; --line: #36373d; --soft: #212227;
  --blue: #8ab8f4; } }
* { box-sizing: border-box; }
body { max-width: 75rem; margin: 0 auto; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 50rem; }
a { color: var(--blue); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
code { font: .92em ui-monospace, monospace; }
small, .dim { color: var(--dim); font-size: .85em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; overflow-wrap: normal; }
th, td { padding: .45rem .8rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); line-height: 1.3; }
td { white-space: nowrap; font-variant-numeric: tabular-nums; }
td a { text-decoration: none; color: inherit; font-weight: 600; }
td a:hover { text-decoration: underline; }
thead th { vertical-align: bottom; font-size: .9em; min-width: 7rem; }
tbody th { position: sticky; left: 0; background: var(--paper);
  text-align: left; font-weight: normal; padding-left: 0; }
.grid { display: flex; flex-wrap: wrap; gap: 1rem .75rem; }
figure { margin: 0; max-width: 100%; }
img { display: block; max-width: 100%; height: auto; border-radius: 3px;
  background: var(--soft); outline: 1px solid var(--line); }
.pixels { image-rendering: pixelated; }
figcaption { font-size: .8rem; line-height: 1.35; margin-top: .3rem;
  color: var(--dim); }
figcaption { display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 8; overflow: hidden; }
figcaption b { color: var(--ink); font-weight: 600; }
.near, .found { display: flex; gap: .75rem 1.5rem; padding: .9rem 0;
  border-bottom: 1px solid var(--line); }
.near > figure, .found > figure { flex: none; max-width: 40%; }
.near > figure img { outline: 3px solid var(--blue); }
.pairs { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }
.found p { margin-top: 0; font-size: .9rem; }
ol { margin: .3rem 0; padding-left: 1.5rem; font-size: .9rem; }
.own { font-weight: 600; }
.own::after { content: " ✓"; color: var(--blue); }
dl { margin: .5rem 0; }
dd { margin: 0; }
.bars { display: grid; gap: .2rem .75rem; font-size: .85rem;
  max-width: 45rem;
  grid-template-columns: fit-content(min(14rem, 40vw)) 1fr; }
.bars dt { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars dd { display: flex; align-items: center; gap: .5rem;
  font-variant-numeric: tabular-nums; padding-right: 3rem; }
.bars dd span:last-child { margin-right: -3rem; }
.bar { background: var(--blue); height: .8rem; border-radius: 2px;
  min-width: 1px; }
details { border: 1px solid var(--line); border-radius: 6px;
  margin: .5rem 0; background: var(--soft); }
summary { padding: .5rem .75rem; cursor: pointer; }
details:target { border-color: var(--blue); }
.card { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr;
  gap: .2rem 1rem; font-size: .85rem; margin: 0;
  padding: .25rem .75rem .75rem; }
.card dt { color: var(--dim); }
footer { margin-top: 3rem; }
@media (max-width: 40rem) { .card { grid-template-columns: 1fr; gap: 0; }
  .card dd { margin-bottom: .4rem; } figure { max-width: 47%; }
  .near > figure { max-width: 32%; }
  .near .grid figure { max-width: 30%; }
  tbody th { max-width: 32vw; }
  th, td { padding: .45rem .5rem; } }
"""

_PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header><h1><bdi>$title</bdi></h1><nav>$links</nav></header>
$sections
<footer class=dim>Made by keras_t2i $version.</footer>
</body>
</html>
""")
