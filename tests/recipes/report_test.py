"""Examines the page: what stands on it, and what can't happen there."""

import base64
import html.parser
import io
import math
import pathlib
import re
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from recipes import report

HOSTILE = (
    "<script>alert('x')</script>\"' onload=x </figure> $title &amp; \ud800"
)


def noise(seed, size=16, colours=3):
    """Draws noise, which no PNG makes small."""
    numbers = np.random.default_rng(seed)
    return numbers.integers(0, 256, (size, size, colours), np.uint8)


def row(name="fid_lite0", candidate="trained", value=3.25, **protocol):
    """Makes a row as the judge does."""
    return {
        "candidate": candidate,
        "name": name,
        "value": value,
        "values": [value],
        "std": 0.5,
        "interval": [value - 1.5, value + 1.5],
        "protocol": {"data": "shapes", "network": {"name": "n"}, **protocol},
    }


class Page(html.parser.HTMLParser):
    """Reads a page: its elements, its words, its pictures."""

    VOID = ("br", "img", "meta", "wbr")

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        """All words, as people read them."""
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag):
        """The attributes of all elements of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]

    def pictures(self):
        """Decodes all pictures."""
        for attrs in self.all("img"):
            kind, data = attrs["src"].split(",")
            assert kind == "data:image/png;base64", kind
            yield np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def whole(text="a red circle", picture=None):
    """Makes a report with every part."""
    picture = noise(0) if picture is None else picture
    shown = report.Shown(picture, text)
    return report.Report(
        title=text,
        rows=[row(), row(text, text, source=text)],
        notes=[text],
        samples=[shown],
        neighbours=[report.Neighbours(shown, [shown, shown], [0.5, 1.0])],
        best=[report.Retrieval(shown, [text, "b"], 1, 100)],
        worst=[report.Retrieval(shown, ["b", "c"], 100, 100)],
        bars=[report.Bars(text, {text: 0.25, "none": math.nan}, 1.0)],
    )


class PageTest(parameterized.TestCase, tf.test.TestCase):
    """One file says it all."""

    def page(self, **parts):
        """Lays out and reads a page."""
        parts = {"title": "Scores", "rows": [row()], **parts}
        return Page(report.page(report.Report(**parts)))

    def test_all_parts_stand_there_in_order(self):
        page = Page(report.page(whole()))
        names = [
            "Figures",
            "Samples",
            "Nearest training pictures",
            "Best and worst retrievals",
            "Classes",
            "How it was measured",
        ]
        places = [page.text.index(f"{name}") for name in names]
        self.assertEqual(places, sorted(places))
        ids = {a["id"] for a in page.all("section")}
        links = {a["href"][1:] for a in page.all("a")}
        cards = {a["id"] for a in page.all("details") if "id" in a}
        self.assertEqual(links, ids | cards)
        self.assertLen(list(page.pictures()), 6)

    def test_parts_that_are_empty_are_left_out(self):
        page = self.page()
        self.assertEqual(
            [a["id"] for a in page.all("section")],
            ["figures", "how-it-was-measured"],
        )

    def test_page_needs_nothing_from_elsewhere(self):
        page = Page(report.page(whole()))
        tags = {tag for tag, _ in page.elements}
        self.assertNoCommonElements(
            tags, {"script", "link", "iframe", "object", "form", "base"}
        )
        for _, attrs in page.elements:
            for name in ("src", "href"):
                self.assertRegex(attrs.get(name, "#"), "^(#|data:image/png;)")
        self.assertNotRegex(report.page(whole()), r"https?:|url\(|@import")
        (rule,) = [
            a["content"]
            for a in page.all("meta")
            if a.get("http-equiv") == "Content-Security-Policy"
        ]
        self.assertStartsWith(rule, "default-src 'none'; img-src data:;")

    def test_hostile_words_are_shown_and_do_nothing(self):
        plain = Page(report.page(whole()))
        page = Page(report.page(whole(HOSTILE)))
        kinds = [
            [
                (tag, sorted(attrs))
                for tag, attrs in each.elements
                if tag != "wbr"
            ]
            for each in (page, plain)
        ]
        self.assertEqual(*kinds)
        self.assertGreater(page.text.count("<script>alert('x')</script>"), 9)
        self.assertIn("$title &amp;", page.text)

    def test_table_has_a_line_a_figure_and_a_column_a_candidate(self):
        page = self.page(
            rows=[
                row(),
                row("is_lite0", value=2.0),
                row(candidate="real", value=1.0),
                row("other", "real"),
            ]
        )
        self.assertLen(page.all("tr"), 4)
        self.assertLen(page.all("td"), 6)
        self.assertIn("fid_lite0 ↓", page.text)
        self.assertIn("is_lite0 ↑", page.text)
        self.assertNotRegex(page.text, "other [↑↓]")
        self.assertIn("3.25 ± 0.51.75 to 4.75", page.text)

    def test_intervals_of_subsamples_are_shown_where_they_are(self):
        rows = [row() | {"sampling": {"low": 3.0, "high": 3.5}}]
        page = self.page(rows=rows)
        self.assertIn("3 to 3.5", page.text)
        self.assertIn("Below: the interval of subsamples.", page.text)
        page = self.page(rows=[*rows, row("other")])
        self.assertIn("subsamples or the range in which a rep", page.text)

    def test_equal_cards_are_told_once(self):
        page = self.page(
            rows=[
                row(moves=7, seeds=[0, 1]),
                row("kid_lite0", moves=7, seeds=[0, 1]),
                row("other", moves=7, seeds=[5]),
                row(candidate="real", seeds=[0, 1]),
            ]
        )
        cards = [a["id"] for a in page.all("details") if "id" in a]
        self.assertEqual(cards, ["card-1", "card-2"])
        links = [a["href"] for a in page.all("a")][2:]
        self.assertEqual(
            links, ["#card-1", "#card-1", "#card-1", "#card-2"]
        )  # by lines of the table
        self.assertEqual(page.text.count("network.name"), 1)
        self.assertEqual(page.text.count("moves"), 1)
        self.assertIn("1 fid_lite0 of trained, real; kid_lite0 of", page.text)

    @parameterized.parameters(
        (16, 3, (16, 16), 128),
        (300, 3, (256, 256), 256),
        (16, 1, (16, 16), 128),
    )
    def test_pictures_are_inside_as_they_are_or_smaller(
        self, size, colours, held, wide
    ):
        drawn = noise(1, size, colours)
        page = self.page(samples=[report.Shown(drawn, "a cat")])
        (found,) = page.pictures()
        self.assertEqual(found.shape, (*held, 3))
        (attrs,) = page.all("img")
        self.assertEqual((attrs["width"], attrs["alt"]), (str(wide), "a cat"))
        if size == held[0]:
            self.assertAllEqual(found, np.broadcast_to(drawn, found.shape))

    def test_aspect_of_large_pictures_stays(self):
        drawn = np.zeros((100, 400, 3), np.uint8)
        (found,) = self.page(samples=[report.Shown(drawn)]).pictures()
        self.assertEqual(found.shape, (64, 256, 3))

    def test_own_caption_is_marked_among_the_retrieved(self):
        page = Page(report.page(whole()))
        marked = [a for a in page.all("li") if a.get("class") == "own"]
        self.assertLen(marked, 1)
        self.assertIn("has rank 1 of 100", page.text)
        self.assertIn("has rank 100 of 100", page.text)

    def test_bars_are_in_order_and_as_long_as_their_values(self):
        values = {"low": 1.0, "none": math.nan, "high": 4.0, "zero": 0.0}
        page = self.page(bars=[report.Bars("what", values)])
        widths = [
            a["style"] for a in page.all("span") if a.get("class") == "bar"
        ]
        self.assertEqual(widths, ["width:100.0%", "width:25.0%", "width:0.0%"])
        self.assertIn("high4low1zero0none–", page.text)
        page = self.page(bars=[report.Bars("what", {"a": 1.0}, whole=2.0)])
        self.assertIn('"width:50.0%"', str(page.all("span")).replace("'", '"'))
        self.page(bars=[report.Bars("what", {"a": 0.0, "b": math.nan})])

    def test_size_is_bounded_whatever_comes(self):
        long = "word " * 10_000
        shown = report.Shown(noise(0, 300), long)
        near = report.Neighbours(shown, [shown] * 50, [1.0] * 50)
        found = report.Retrieval(shown, [long] * 100, 1, 100)
        values = {f"{place} {long}": 1.0 for place in range(1000)}
        text = report.page(
            report.Report(
                title=long,
                rows=[row()],
                samples=[shown] * 500,
                neighbours=[near] * 50,
                best=[found] * 50,
                worst=[found] * 50,
                bars=[report.Bars(long, values)],
            )
        )
        self.assertLess(len(text.encode()), 20e6)
        page = Page(text)
        count = report.NEIGHBOURS * (1 + report.NEAR) + 2 * report.RETRIEVALS
        self.assertLen(page.all("img"), report.SAMPLES + count)
        self.assertIn(f"The first {report.SAMPLES} of 500.", page.text)
        self.assertIn(f"The first {report.BARS} of 1,000.", page.text)


class WriteTest(parameterized.TestCase, tf.test.TestCase):
    """A page is written whole or not at all."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder, "deep", "report.html")

    def test_same_report_gives_the_same_bytes(self):
        report.write(self.path, whole(HOSTILE))
        first = self.path.read_bytes()
        self.assertStartsWith(first.decode(), "<!DOCTYPE html>")
        report.write(self.path, whole(HOSTILE))
        self.assertEqual(self.path.read_bytes(), first)

    @parameterized.parameters(
        (dict(rows=[]), "needs rows of figures"),
        (dict(rows=[row(value=math.nan)]), "fid_lite0 of 'trained' is nan"),
        (
            dict(samples=[report.Shown(np.zeros((4, 4, 3)))]),
            r"uint8; this is \(4, 4, 3\) float64",
        ),
        (dict(samples=[report.Shown(noise(0)[None])]), r"this is \(1, 16, 16"),
        (dict(samples=[report.Shown(noise(0)[:0])]), r"this is \(0, 16, 3"),
        (
            dict(
                neighbours=[
                    report.Neighbours(
                        report.Shown(noise(0)), [report.Shown(noise(0))], []
                    )
                ]
            ),
            "1 neighbours came with 0 distances",
        ),
    )
    def test_mistake_gives_a_sentence_and_no_page(self, parts, sentence):
        parts = {"title": "Scores", "rows": [row()], **parts}
        with self.assertRaisesRegex(ValueError, sentence):
            report.write(self.path, report.Report(**parts))
        self.assertFalse(self.path.exists())


if __name__ == "__main__":
    tf.test.main()
