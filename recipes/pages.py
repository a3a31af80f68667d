"""Fills the page of an evaluation: what was drawn, and what it resembles."""

import pathlib

import numpy as np

from keras_t2i.metrics import evaluator, neighbours
from recipes import asking, judging, report, scores, trained

FILE = "report.html"
_SAMPLES, _NEAR, _RETRIEVED = 16, 3, 3
_MOST = 2000  # pictures among whose texts retrievals are looked for
_CLASSES = 40


class OfGenerator:
    """Gathers what the page of a generator shows.

    Args:
        found: what was trained.
        how: how it is judged.

    Attributes:
        bench: the judge, once it has judged.
        rows: its rows.
    """

    def __init__(self, found: trained.Trained, how: judging.How):
        self._found, self._how = found, how
        self._parts = {}
        self.bench, self.rows = None, []

    def show(
        self,
        bench: evaluator.Judge,
        asked: asking.Asked,
        seen: dict[str, np.ndarray],
    ) -> None:
        """Takes what was measured of the trained generator.

        Args:
            bench: the judge.
            asked: what was drawn.
            seen: what it read of the pictures of the first noise.
        """
        self.bench = bench
        train, test = judging.parts(self._found.config, self._how.most)
        drawn = _Drawn(self._found.painter, asked)
        self._parts["samples"] = drawn.some(_spread(asked.captions, _SAMPLES))
        self._parts["neighbours"] = _copies(
            drawn, seen, bench.training, self._training(train)
        )
        if asked.sentences is None or bench.bridge is None:
            return
        some = {key: rows[:_MOST] for key, rows in seen.items()}
        ranks, order = _retrieved(*bench.vectors(some, asked.sentences[:_MOST]))
        self._parts |= _retrievals(drawn, ranks, order)
        classes = [test.class_names, test.labels[asked.rows[: len(ranks)]]]
        self._parts["bars"] = _bars(*classes, ranks)

    def add(self, rows: list[dict]) -> None:
        """Takes the rows.

        Args:
            rows: the judge's.
        """
        self.rows = rows

    def write(self, out: pathlib.Path) -> pathlib.Path:
        """Writes the page.

        Args:
            out: the folder.

        Returns:
            The file.

        Raises:
            OSError: if it can't be written.
        """
        card = self._found.card
        config = self._found.config
        title = (
            f"{config.networks.generator.name} by {config.system.name}, "
            f"{card['moves']:,} moves"
        )
        return _written(out, title, self.rows, self._parts)

    def _training(self, train):
        def pictures(rows):
            some = train.subset(np.asarray(rows))
            shown = judging.decoded(self._found.config, some)
            return shown, asking.first_captions(some)

        return pictures


class OfFolders:
    """Gathers what the page of folders shows.

    Args:
        real: `picture_files.PictureFiles` of real pictures, or None.
        fakes: name -> those that are judged.
        is_told: whether captions beside the pictures are shown.

    Attributes:
        bench: the judge, once it has judged.
        rows: its rows.
    """

    def __init__(self, real, fakes, is_told: bool = True):
        self._real, self._fakes, self._is_told = real, fakes, is_told
        self._parts = {"samples": [], "neighbours": []}
        self.bench, self.rows = None, []

    def show(self, bench: evaluator.Judge, name: str, seen: dict) -> None:
        """Takes what was measured of a folder.

        Args:
            bench: the judge.
            name: of the folder.
            seen: what it read of its pictures.
        """
        self.bench = bench
        each = max(1, _SAMPLES // len(self._fakes))
        drawn = _Kept(self._fakes[name], name, self._is_told)
        some = _spread(self._fakes[name], each)
        self._parts["samples"] += drawn.some(some)
        if self._real is not None and bench.reference is not None:
            real = _Kept(self._real, "", self._is_told)
            self._parts["neighbours"] += _copies(
                drawn, seen, bench.reference, real.pictures, len(self._fakes)
            )

    add = OfGenerator.add

    def write(self, out: pathlib.Path) -> pathlib.Path:
        """Writes the page.

        Args:
            out: the folder.

        Returns:
            The file.

        Raises:
            OSError: if it can't be written.
        """
        title = f"{len(self._fakes)} folder(s) of pictures"
        return _written(out, title, self.rows, self._parts)


class _Drawn:
    """Draws a few pictures again."""

    def __init__(self, painter, asked):
        self._painter, self.captions = painter, asked.captions

    def some(self, places):
        captions = [self.captions[place] for place in places]
        made = judging.draw_some(self._painter, captions, np.array(places))
        return [report.Shown(*x) for x in zip(made, captions, strict=True)]


class _Kept:
    """Opens a few pictures of a folder."""

    def __init__(self, files, name, is_told):
        self._files, self._name = files, name
        self._told = files.captions if is_told else None

    def some(self, places):
        shown = zip(*self.pictures(places), strict=True)
        return [report.Shown(picture, caption) for picture, caption in shown]

    def pictures(self, rows):
        told = self._told or [
            f"{self._name} {path.name}".strip() for path in self._files.paths
        ]
        return self._files.some(rows), [told[row] for row in rows]


def _spread(among, count):
    """Places at equal distances: sets are often in order of their classes."""
    count = min(count, len(among))
    return np.linspace(0, len(among) - 1, count).round().astype(int)


def _copies(drawn, seen, real, pictures, sets=1):
    """Real pictures that samples are most like; all sets' share one page."""
    places = _spread(seen["pooled"], max(1, report.NEIGHBOURS // sets))
    near = min(_NEAR, len(real))
    far, rows = neighbours.nearest(seen["pooled"][places], real, near)
    made, captions = pictures(rows.ravel())
    shown = [report.Shown(*x) for x in zip(made, captions, strict=True)]
    return [
        report.Neighbours(
            sample, shown[i * near : (i + 1) * near], far[i].tolist()
        )
        for i, sample in enumerate(drawn.some(places))
    ]


def _retrieved(*vectors):
    """Rank of each picture's own text, and the nearest texts."""
    images, texts = (
        x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        for x in vectors
    )
    near = images @ texts.T
    own = np.diagonal(near)[:, None]
    ranks = 1 + (near > own).sum(axis=1)
    count = min(_RETRIEVED, len(texts))
    return ranks, np.argsort(-near, axis=1, kind="stable")[:, :count]


def _retrievals(drawn, ranks, order):
    """Pictures that found their text at once, and those that never would."""
    count = min(report.RETRIEVALS // 2, len(ranks) // 2)
    places = np.argsort(ranks, kind="stable")
    captions = drawn.captions
    told = {}
    for name, some in (
        ("best", places[:count]),
        ("worst", places[::-1][:count]),
    ):
        told[name] = [
            report.Retrieval(
                shown,
                [captions[row] for row in order[place]],
                int(ranks[place]),
                len(ranks),
            )
            for place, shown in zip(some, drawn.some(some), strict=True)
        ]
    return told


def _bars(names, labels, ranks):
    """How far ahead of others' texts the own ones are, class by class."""
    if len(ranks) < 2 or not names:
        return []
    ahead = 1.0 - (ranks - 1) / (len(ranks) - 1)
    values = {
        names[label]: float(ahead[labels == label].mean())
        for label in np.unique(labels[labels >= 0])
    }
    title = (
        "Share of other captions that are farther from a picture than its own "
        "(0.5 is chance)"
    )
    return [report.Bars(title, values, whole=1.0)]


def _written(out, title, rows, parts):
    path = out / FILE
    notes = scores.told(rows).split("\n\n")[1:]
    report.write(path, report.Report(title, rows, notes, **parts))
    return path
