"""Examines what an evaluation's page shows of what was judged."""

import pathlib
import types
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import picture_files, shapes, source
from keras_t2i.metrics import statistics
from recipes import asking, folders, judging, letters, pages, report, trained
from tests.recipes import eyes, runs

COUNT = 20


def written(page):
    """What a page would lay out."""
    with mock.patch.object(report, "write") as write:
        path = page.write(pathlib.Path("out"))
    (made, content), _ = write.call_args
    assert made == path == pathlib.Path("out", "report.html"), path
    return content


def features(pictures):
    """What an eye reads of bytes."""
    return eyes.Eye()(np.float32(pictures) / 127.5 - 1.0)["pooled"]


class Copier:
    """Draws training pictures: seed 0 the one at `order[0]`, and so on."""

    text_encoder = letters.Letters()
    card = {"generator_digest": "of a copier", "parameters": 0}

    def __init__(self, pictures, order):
        self.pictures, self.order = pictures, order

    def generate(self, captions, seeds):
        """Answers (N, H, W, 3) uint8."""
        assert len(captions) == len(seeds)
        return self.pictures[self.order[np.asarray(seeds) % len(self.order)]]


class CopierTest(tf.test.TestCase):
    """A generator that learned by heart is found out."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        cls.config = runs.smoke()
        cls.train, cls.test = judging.parts(cls.config, COUNT)
        cls.order = np.random.RandomState(0).permutation(COUNT)
        painter = Copier(cls.train.images, cls.order)
        card = {"recipe": cls.config.to_dict(), "moves": 4000}
        cls.found = trained.Trained(painter, card)
        cls.page, cls.content = cls.shown()

    @classmethod
    def shown(cls, **more):
        """Judges the copier; gives the page and what it holds."""
        how = judging.How(
            seeds=1, most=COUNT, network=eyes.Eye(), beside=False, **more
        )
        page = pages.OfGenerator(cls.found, how)
        page.add([*judging.judge(cls.found, how, page.show)])
        return page, written(page)

    def test_headline_rows_and_notes_are_the_evaluations(self):
        content = self.content
        self.assertEqual(content.title, "gan_cls by GANINTCLS, 4,000 moves")
        self.assertEqual(content.rows, self.page.rows)
        self.assertEqual(content.rows[0]["name"], "fid_eye")
        self.assertStartsWith(content.notes[0], "20 pictures a row")
        self.assertStartsWith(content.notes[1], "R-precision: 1 of 20")

    def test_samples_are_spread_over_all_captions(self):
        places = np.linspace(0, COUNT - 1, 16).round().astype(int)
        self.assertLen(self.content.samples, 16)
        for place, shown in zip(places, self.content.samples, strict=True):
            expected = self.train.images[self.order[place]]
            self.assertAllEqual(shown.picture, expected)
            self.assertEqual(shown.caption, self.test.captions[place, 0])

    def test_nearest_is_the_picture_that_was_copied(self):
        table = features(self.train.images)
        far = np.linalg.norm(table[:, None] - table, axis=-1)
        places = np.linspace(0, COUNT - 1, 12).round().astype(int)
        self.assertLen(self.content.neighbours, 12)
        for place, found in zip(places, self.content.neighbours, strict=True):
            copied = self.order[place]
            rows = np.argsort(far[copied])[:3]
            self.assertEqual(rows[0], copied)
            self.assertAllEqual(found.sample.picture, self.train.images[copied])
            self.assertEqual(found.distances[0], 0.0)
            self.assertAllClose(found.distances, far[copied, rows], atol=1e-6)
            self.assertGreater(found.distances[1], 0.0)
            for row, near in zip(rows, found.near, strict=True):
                self.assertAllEqual(near.picture, self.train.images[row])
                self.assertEqual(near.caption, self.train.captions[row, 0])

    def test_retrievals_and_bars_stand_there(self):
        self.assertLen(self.content.best, 6)
        self.assertLen(self.content.worst, 6)
        for found in [*self.content.best, *self.content.worst]:
            self.assertEqual(found.candidates, COUNT)
            self.assertLen(found.retrieved, 3)
        (bars,) = self.content.bars
        labels = np.unique(self.test.labels)
        names = [self.test.class_names[label] for label in labels]
        self.assertEqual(list(bars.values), names)

    def test_neighbours_are_looked_for_among_training_pictures_only(self):
        def near(content):
            return [found.distances for found in content.neighbours]

        kept = statistics.Statistics.of(features(self.test.images))
        for how in ({"reference": "test"}, {"imported": kept}):
            _, content = self.shown(**how)
            self.assertAllClose(near(content), near(self.content), atol=1e-6)
            self.assertEqual(
                [found.rank for found in content.worst],
                [found.rank for found in self.content.worst],
            )


class Bench:
    """A judge to whom pictures and texts lie in one place already."""

    training, bridge, scale = None, "there is one", (1.0, 1.0)

    def vectors(self, seen, texts):
        """Answers them, longer or shorter."""
        return [
            rows * (scale if np.isscalar(scale) else scale[: len(rows)])
            for rows, scale in zip(
                (seen["pooled"], texts), self.scale, strict=True
            )
        ]


# Row i: how much picture i resembles texts 0 to 5; text i is its own.
LIKE = np.float32(
    [
        [0.9, 0.1, 0.2, 0.3, 0.0, 0.0],  # 1st
        [0.9, 0.8, 0.0, 0.1, 0.2, 0.3],  # 2nd
        [0.1, 0.2, 0.5, 0.0, 0.3, 0.4],  # 1st
        [0.9, 0.8, 0.7, 0.1, 0.6, 0.5],  # 6th
        [0.5, 0.6, 0.7, 0.1, 0.4, 0.2],  # 4th
        [0.5, 0.1, 0.2, 0.3, 0.4, 0.3],  # 3rd, beside another
    ]
)
RANKS = [1, 2, 1, 6, 4, 3]


class RetrievalTest(parameterized.TestCase, tf.test.TestCase):
    """Each picture looks for its text."""

    def setUp(self):
        super().setUp()
        runs.folder(self)
        config = runs.smoke()
        card = {"recipe": config.to_dict(), "moves": 4}
        drawn = shapes.load(6, 16).images
        found = trained.Trained(Copier(drawn, np.arange(6)), card)
        self.drawn = drawn
        self.page = pages.OfGenerator(found, judging.How(reference="test"))

    def shown(self, rows=range(6), labels=(0, 1, 0, 1, 2, -1), names="abcd"):
        """Shows pictures of known likeness."""
        test = source.Pictures(
            images=self.drawn,
            captions=np.array([[f"text {i}"] for i in range(6)]),
            labels=np.array(labels, np.int32),
            keys=np.array([str(i) for i in range(6)]),
            class_names=tuple(names),
            name="toy",
        )
        rows = np.array(rows)
        captions = [f"text {i}" for i in rows]
        asked = asking.Asked(rows, captions, 3.0 * np.eye(6)[: len(rows)])
        bench = Bench()
        bench.training = LIKE
        with mock.patch.object(judging, "parts", return_value=(test, test)):
            self.page.show(bench, asked, {"pooled": LIKE})
        self.page.add([_ROW])
        return written(self.page)

    def test_ranks_and_nearest_texts_are_right(self):
        content = self.shown()
        self.assertEqual(
            [(x.shown.caption, x.rank) for x in content.best],
            [("text 0", 1), ("text 2", 1), ("text 1", 2)],
        )
        self.assertEqual(
            [(x.shown.caption, x.rank) for x in content.worst],
            [("text 3", 6), ("text 4", 4), ("text 5", 3)],
        )
        for found in [*content.best, *content.worst]:
            place = int(found.shown.caption[-1])
            self.assertAllEqual(found.shown.picture, self.drawn[place])
            order = np.argsort(-LIKE[place], kind="stable")[:3]
            self.assertEqual(found.retrieved, [f"text {i}" for i in order])
            self.assertEqual(found.rank, RANKS[place])
            self.assertEqual(found.candidates, 6)

    def test_length_of_vectors_is_no_matter(self):
        before = [found.rank for found in self.shown().worst]
        scale = np.float32([[1], [9], [3], [0.1], [5], [2]])
        for scales in ((scale, 1.0), (1.0, scale)):
            with mock.patch.object(Bench, "scale", scales):
                after = [found.rank for found in self.shown().worst]
            self.assertEqual(after, before)

    def test_bars_are_means_of_classes(self):
        ahead = 1.0 - (np.array(RANKS) - 1) / 5
        (bars,) = self.shown().bars
        self.assertEqual(list(bars.values), ["a", "b", "c"])
        self.assertAllClose(
            list(bars.values.values()),
            [(ahead[0] + ahead[2]) / 2, (ahead[1] + ahead[3]) / 2, ahead[4]],
        )
        self.assertEqual(bars.whole, 1.0)

    def test_class_is_that_of_the_picture_a_caption_belongs_to(self):
        (bars,) = self.shown(rows=[4, 4, 4, 4, 1, 0]).bars
        ahead = 1.0 - (np.array(RANKS) - 1) / 5
        self.assertAllClose(
            bars.values, {"c": ahead[:4].mean(), "b": ahead[4], "a": ahead[5]}
        )

    def test_sets_without_classes_have_no_bars(self):
        self.assertEqual(self.shown(labels=[-1] * 6, names="").bars, [])

    def test_texts_are_looked_for_among_the_first_ones(self):
        with mock.patch.object(pages, "_MOST", 4):
            content = self.shown()
        found = [*content.best, *content.worst]
        self.assertEqual({x.candidates for x in found}, {4})
        self.assertEqual([x.rank for x in content.worst], [4, 2])
        self.assertEqual(list(content.bars[0].values), ["a", "b"])

    def test_nobody_reads_nothing_is_looked_for(self):
        asked = asking.Asked(np.arange(6), ["a"] * 6, None)
        bench = types.SimpleNamespace(training=LIKE, bridge=None)
        self.page.show(bench, asked, {"pooled": LIKE})
        self.page.add([_ROW])
        content = written(self.page)
        self.assertLen(content.samples, 6)
        self.assertEqual((content.best, content.bars), ((), ()))


_ROW = {
    "candidate": "trained",
    "name": "fid_eye",
    "value": 1.0,
    "values": [1.0],
    "std": 0.0,
    "interval": [0.0, 2.0],
    "protocol": {"counts": {"candidate": 600}, "seeds": [0]},
}


class FoldersTest(tf.test.TestCase):
    """Folders of pictures are shown beside the real ones."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        known = shapes.load(COUNT, 16)
        cls.known, cls.words = known.images, known.captions[:, 0].tolist()
        cls.order = np.random.RandomState(1).permutation(COUNT)
        cls.copies = cls.known[cls.order]
        eyes.save(cls.folder / "real", cls.known, cls.words)
        eyes.save(cls.folder / "told", cls.copies, cls.words)
        eyes.save(cls.folder / "bare", cls.copies[::-1])
        cls.real, cls.told, cls.bare = (
            picture_files.opened(cls.folder / name)
            for name in ("real", "told", "bare")
        )

    def shown(self, real, fakes, imported=None, **more):
        """Judges folders; gives what the page holds."""
        page = pages.OfFolders(real, fakes, **more)
        how = judging.How(network=eyes.Eye(), imported=imported)
        page.add([*folders.judge(real, fakes, how, None, page.show)])
        return written(page)

    def test_samples_come_with_their_captions(self):
        content = self.shown(self.real, {"told": self.told})
        self.assertEqual(content.title, "1 folder(s) of pictures")
        places = np.linspace(0, COUNT - 1, 16).round().astype(int)
        for place, shown in zip(places, content.samples, strict=True):
            self.assertAllEqual(shown.picture, self.copies[place])
            self.assertEqual(shown.caption, self.words[place])

    def test_nearest_is_the_picture_that_was_copied(self):
        content = self.shown(self.real, {"told": self.told})
        table = features(self.known)
        far = np.linalg.norm(table[:, None] - table, axis=-1)
        places = np.linspace(0, COUNT - 1, 12).round().astype(int)
        for place, found in zip(places, content.neighbours, strict=True):
            rows = np.argsort(far[self.order[place]])[:3]
            self.assertAllEqual(found.sample.picture, self.copies[place])
            self.assertEqual(found.distances[0], 0.0)
            self.assertGreater(found.distances[1], 0.0)
            for row, near in zip(rows, found.near, strict=True):
                self.assertAllEqual(near.picture, self.known[row])
                self.assertEqual(near.caption, self.words[row])

    def test_folders_share_the_page(self):
        content = self.shown(self.real, {"told": self.told, "bare": self.bare})
        captions = [shown.caption for shown in content.samples]
        self.assertEqual(
            captions[8:],
            [
                f"bare {place:03}.png"
                for place in np.linspace(0, COUNT - 1, 8).round().astype(int)
            ],
        )
        self.assertIn(captions[0], self.words)
        of_told, of_bare = content.neighbours[:6], content.neighbours[6:]
        self.assertLen(of_bare, 6)
        self.assertLessEqual(len(content.neighbours), report.NEIGHBOURS)
        for found in of_told:
            self.assertIn(found.sample.caption, self.words)
        for found in of_bare:
            self.assertStartsWith(found.sample.caption, "bare ")

    def test_captions_that_nobody_wants_are_not_shown(self):
        content = self.shown(self.real, {"told": self.told}, is_told=False)
        self.assertEqual(content.samples[0].caption, "told 000.png")
        row = self.order[0]
        near = content.neighbours[0].near[0]
        self.assertEqual(near.caption, f"{row:03}.png")

    def test_statistics_have_no_pictures_to_show(self):
        kept = statistics.Statistics.of(features(self.known))
        content = self.shown(None, {"told": self.told}, kept)
        self.assertEqual(content.neighbours, [])
        self.assertLen(content.samples, 16)


if __name__ == "__main__":
    tf.test.main()
