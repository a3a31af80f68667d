"""Examines studies with people: their pages, and what comes back."""

import collections
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.ops import files
from recipes import comparing
from tests import harness
from tools.studies import making, reading

SYSTEMS = ("ours", "theirs", "thirds")
ROOT = pathlib.Path(__file__).parents[2]


def pictures(folder, shade, count=12, size=8):
    """Writes pictures whose pixels tell the system and the caption."""
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.full((size, size, 3), (shade, number, 9), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")


def data_of(page):
    """Reads what a page hands to its script."""
    found = re.search(
        r'<script type="application/json" id="sheet">(.*?)</script>',
        page.read_text(encoding="utf-8"),
        re.S,
    )
    return json.loads(found[1])


def answers_of(page, choose, count=None):
    """Does what the page's `saved` does; `choose` puts pictures in order."""
    data = data_of(page)
    tasks = data["tasks"][:count]
    return {
        "format": data["format"],
        "study": data["study"],
        "sheet": data["sheet"],
        "answers": {
            task["task"]: choose(task["pictures"], page) for task in tasks
        },
    }


def pixel(page, name):
    """Looks at a picture's corner: system's shade and caption's number."""
    path = page.parent / "pictures" / f"{name}.png"
    return np.asarray(Image.open(path))[0, 0].tolist()


def darkest_first(names, page):
    """Ranks as one who likes the dark."""
    return sorted(names, key=lambda name: pixel(page, name))


class StudyCase(parameterized.TestCase, tf.test.TestCase):
    """Has three systems, captions, and a study of them."""

    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        self.folders = {}
        for number, name in enumerate(SYSTEMS):
            self.folders[name] = self.root / "made" / name
            pictures(self.folders[name], shade=100 + 20 * number)
        rows = [
            {"file_name": f"{n:02d}.png", "caption": f"picture <{n}> & so on"}
            for n in range(12)
        ]
        lines = "\n".join(map(json.dumps, rows))
        (self.folders["ours"] / "captions.jsonl").write_text(lines)
        self.out = self.root / "study"

    def make(self, out=None, **settings):
        settings = dict(captions=10, raters=2, per_page=4) | settings
        return making.make(self.folders, out or self.out, **settings)

    def pages(self, criterion="*", out=None):
        folder = (out or self.out) / "sheets"
        return sorted(folder.glob(f"rater*_{criterion}_*.html"))

    def save(self, pages, choose, count=None):
        """Writes the files that raters would send back."""
        paths = []
        for page in pages:
            path = self.root / "back" / data_of(page)["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(answers_of(page, choose, count)))
            paths.append(path)
        return paths


class MakeTest(StudyCase):
    """What raters are shown."""

    def test_each_rater_sees_each_caption_once_for_each_question(self):
        key = self.make()
        # 10 captions in pages of 4, 4 and 2; 2 questions, 2 raters.
        self.assertLen(self.pages(), 12)
        for rater, criterion in itertools.product((1, 2), making.QUESTIONS):
            seen = []
            for page in self.pages(criterion):
                data = data_of(page)
                if key["sheets"][data["sheet"]]["rater"] == rater:
                    self.assertIn(f"Rater {rater}", data["title"])
                    seen += [task["task"] for task in data["tasks"]]
            self.assertCountEqual(seen, key["tasks"])

    def test_each_task_shows_one_picture_of_each_system(self):
        key = self.make()
        for page in self.pages():
            for task in data_of(page)["tasks"]:
                known = key["tasks"][task["task"]]
                self.assertCountEqual(task["pictures"], known["pictures"])
                self.assertCountEqual(known["pictures"].values(), SYSTEMS)
                for name, system in known["pictures"].items():
                    shade = 100 + 20 * SYSTEMS.index(system)
                    number = int(known["name"])
                    self.assertEqual(pixel(page, name), [shade, number, 9])

    def test_words_are_shown_for_alignment_alone(self):
        key = self.make()
        for page in self.pages("realism"):
            self.assertNotIn("so on", page.read_text())
        for page in self.pages("alignment"):
            for task in data_of(page)["tasks"]:
                number = int(key["tasks"][task["task"]]["name"])
                self.assertEqual(task["caption"], f"picture <{number}> & so on")

    def test_sheets_do_not_tell_systems(self):
        self.make()
        times = set()
        for path in (self.out / "sheets").rglob("*"):
            told = path.relative_to(self.out).as_posix().encode()
            if path.is_file():
                told += path.read_bytes()
            for word in (*SYSTEMS, str(self.root), "key.json"):
                self.assertNotIn(word.encode(), told, path)
            if path.suffix == ".png":
                times.add(path.stat().st_mtime)
        self.assertLen(times, 1)  # The order of writing tells nothing either.
        self.assertEqual(
            sorted(path.name for path in self.out.iterdir()),
            ["key.json", "sheets"],
        )

    def test_metadata_are_left_behind(self):
        path = self.folders["ours"] / "00.png"
        notes = Image.Exif()
        notes[0x010E] = "drawn by ours"
        Image.open(path).save(path, exif=notes)
        self.make(captions=12)
        for path in (self.out / "sheets" / "pictures").iterdir():
            self.assertEmpty(Image.open(path).getexif())

    def test_places_are_shuffled_for_each_caption_rater_and_question(self):
        key = self.make(captions=12, raters=20, per_page=12)
        places, orders = collections.Counter(), collections.Counter()
        for sheet in key["sheets"].values():
            orders[tuple(sheet["tasks"])] += 1
            for task, names in sheet["tasks"].items():
                owners = key["tasks"][task]["pictures"]
                places[tuple(owners[name] for name in names)] += 1
        self.assertLen(orders, 40)
        self.assertLen(places, 6)
        for count in places.values():  # 480 sixths: 80, deviation 8.2.
            self.assertBetween(count, 47, 113)

    def test_one_seed_one_order_whatever_the_names(self):
        def order(out, seed):
            key = self.make(self.root / out, seed=seed)
            return [
                [
                    (
                        key["tasks"][task]["name"],
                        [key["tasks"][task]["pictures"][n] for n in names],
                    )
                    for task, names in sheet["tasks"].items()
                ]
                for sheet in key["sheets"].values()
            ]

        first = order("a", 0)
        self.assertEqual(order("b", 0), first)
        self.assertNotEqual(order("c", 1), first)
        names = [
            {path.name for path in (self.root / out / "sheets").rglob("*.png")}
            for out in "ab"
        ]
        self.assertNoCommonElements(*names)  # Nobody can compute them.

    def test_page_needs_no_server_and_nothing_from_elsewhere(self):
        self.make()
        index = (self.out / "sheets" / "index.html").read_text()
        for page in self.pages():
            text = page.read_text()
            self.assertIn(f'href="{page.name}"', index)
            self.assertNotRegex(text + index, r"https?:|//[a-z]|import |fetch")
            self.assertNotIn("SHEET_DATA", text)
            self.assertIn('image.src = "pictures/" + name + ".png"', text)
            self.assertIn("localStorage", text)
            # Words stand in JSON, without what could end it.
            self.assertNotIn("<1>", text)

    def test_page_saves_what_is_read(self):
        text = (ROOT / "tools" / "studies" / "page.html").read_text()
        saved = re.search(r"function saved\(\) {(.*?)\n}", text, re.S)[1]
        body = " ".join(saved.split())
        self.assertIn("if (isDone(t)) whole[t.task] = answers[t.task];", body)
        self.assertIn(
            "format: sheet.format, study: sheet.study, sheet: sheet.sheet, "
            "answers: whole,",
            body,
        )

    def test_captions_come_from_sidecars_or_a_listing(self):
        (self.folders["ours"] / "captions.jsonl").unlink()
        for number in range(12):
            path = self.folders["theirs"] / f"{number:02d}.txt"
            path.write_text(f"text {number}\nanother")
        key = self.make(captions=12)
        self.assertEqual(
            {t["name"]: t["caption"] for t in key["tasks"].values()},
            {f"{n:02d}": f"text {n}" for n in range(12)},
        )
        listing = self.root / "told.csv"
        rows = [f"{n:02d}.png,line {n}" for n in range(11)]
        listing.write_text("\n".join(["file,caption", *rows]))
        key = self.make(
            self.root / "b", captions=11, captions_file=str(listing)
        )
        self.assertEqual(
            {t["name"]: t["caption"] for t in key["tasks"].values()},
            {f"{n:02d}": f"line {n}" for n in range(11)},
        )

    def test_endings_may_differ(self):
        for path in self.folders["theirs"].iterdir():
            Image.open(path).save(path.with_suffix(".jpg"))
            path.unlink()
        self.assertLen(self.make(captions=12)["tasks"], 12)

    def test_broken_run_is_finished_by_another(self):
        whole = files.atomic_write
        for count in (1, 5, 33, 38):
            out = self.root / f"broken{count}"
            left = iter(range(count))

            def some(path, data, left=left):
                if next(left, None) is None:
                    raise KeyboardInterrupt
                whole(path, data)

            with mock.patch.object(files, "atomic_write", some):
                with self.assertRaises(KeyboardInterrupt):
                    self.make(out)
            before = json.loads((out / "key.json").read_text())
            self.assertEqual(self.make(out), before)
            self.assertLen(list(out.rglob("*.png")), 30)
            self.assertLen(self.pages(out=out), 12)
            self.assertTrue((out / "sheets" / "index.html").exists())

    def test_second_call_changes_nothing(self):
        self.make()
        before = {p: p.read_bytes() for p in self.out.rglob("*.*")}
        self.make()
        after = {p: p.read_bytes() for p in self.out.rglob("*.*")}
        self.assertEqual(after, before)

    @parameterized.parameters(
        (dict(raters=3), "raters was 2, not 3"),
        (dict(seed=4, captions=9), "words.*captions was 10, not 9.*seed was 0"),
        (dict(size=4), "size was None, not 4"),
    )
    def test_study_with_other_settings_is_left_alone(self, other, sentence):
        self.make()
        before = {p: p.read_bytes() for p in self.out.rglob("*.*")}
        with self.assertRaisesRegex(
            ValueError, sentence.replace("words", "captions or names")
        ):
            self.make(**other)
        after = {p: p.read_bytes() for p in self.out.rglob("*.*")}
        self.assertEqual(after, before)

    def test_study_of_other_pictures_is_left_alone(self):
        self.make()
        path = self.folders["thirds"] / "03.png"
        Image.new("RGB", (8, 8)).save(path)
        with self.assertRaisesRegex(ValueError, "pictures of thirds differ"):
            self.make()
        del self.folders["thirds"]
        with self.assertRaisesRegex(
            ValueError, "systems were .*thirds, not ours, theirs"
        ):
            self.make()

    def test_folder_of_something_else_is_left_alone(self):
        self.out.mkdir()
        (self.out / "diary.txt").write_text("dear diary")
        with self.assertRaisesRegex(ValueError, "no study"):
            self.make()
        self.assertEqual([p.name for p in self.out.iterdir()], ["diary.txt"])

    def test_what_does_not_fit_gives_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "13 captions .* only 12"):
            self.make(captions=13)
        (self.folders["theirs"] / "05.png").unlink()
        with self.assertRaisesRegex(ValueError, "12 captions .* only 11"):
            self.make(captions=12)
        pictures(self.root / "large", shade=1, size=16)
        self.folders["large"] = self.root / "large"
        with self.assertRaisesRegex(
            ValueError, "large differ.*16 x 16.*--size"
        ):
            self.make()
        self.assertLen(self.make(size=8)["tasks"], 10)
        self.folders = {"ours": self.folders["ours"]}
        with self.assertRaisesRegex(ValueError, "2 to 9 systems; 1 came"):
            self.make()

    def test_captions_that_lack_or_disagree_give_a_sentence(self):
        for name in SYSTEMS[1:]:
            pictures_ = range(12)
            lines = [f"{n:02d}.png,other {n}" for n in pictures_]
            path = self.folders[name] / "captions.csv"
            path.write_text("\n".join(["file_name,caption", *lines]))
        with self.assertRaisesRegex(
            ValueError, "ours and theirs have different captions for 00"
        ):
            self.make()
        for folder in self.folders.values():
            for path in folder.glob("captions.*"):
                path.unlink()
        with self.assertRaisesRegex(ValueError, "No folder holds captions"):
            self.make()
        empty = self.root / "captions.txt"
        empty.write_text("")
        with self.assertRaisesRegex(ValueError, "has no captions"):
            self.make(captions_file=str(empty))

    def test_twins_but_for_their_endings_give_a_sentence(self):
        path = self.folders["theirs"] / "05.jpg"
        Image.new("RGB", (8, 8)).save(path)
        with self.assertRaisesRegex(ValueError, "05.jpg and .*05.png"):
            self.make()


class ReadTest(StudyCase):
    """What raters answered."""

    def setUp(self):
        super().setUp()
        self.key = self.make()

    def test_raters_of_one_mind(self):
        paths = self.save(self.pages(), darkest_first)
        told = reading.read(self.out, paths)
        for criterion in making.QUESTIONS:
            found = told["criteria"][criterion]
            self.assertEqual(found["systems"], list(SYSTEMS))
            self.assertEqual(found["mean_rank"], [1.0, 2.0, 3.0])
            self.assertEqual(found["mean_rank_interval"][1], [2.0, 2.0])
            self.assertEqual(found["first"], [1.0, 0.0, 0.0])
            self.assertEqual(found["wins"][0], [0.5, 1.0, 1.0])
            self.assertAllClose(found["agreement"], 1.0)
            self.assertEqual((found["answers"], found["asked"]), (20, 20))
            self.assertEqual((found["captions"], found["raters"]), (10, 2))
            self.assertEqual((found["pages"], found["pages_missing"]), (6, 0))

    def test_raters_at_random(self):
        self.out = self.root / "large"
        self.make(captions=12, raters=60, per_page=12)
        dice = np.random.default_rng(0)
        paths = self.save(
            self.pages("realism"),
            lambda names, _: dice.permutation(names).tolist(),
        )
        found = reading.read(self.out, paths, draws=50)["criteria"]["realism"]
        self.assertAllClose(found["first"], [1 / 3] * 3, atol=0.06)
        self.assertAllClose(found["mean_rank"], [2.0] * 3, atol=0.1)
        self.assertAllClose(found["agreement"], 0.0, atol=0.02)

    def test_questions_are_read_apart(self):
        paths = self.save(self.pages("realism"), darkest_first)
        paths += self.save(
            self.pages("alignment"), lambda *told: darkest_first(*told)[::-1]
        )
        criteria = reading.read(self.out, paths)["criteria"]
        self.assertEqual(criteria["realism"]["mean_rank"], [1.0, 2.0, 3.0])
        self.assertEqual(criteria["alignment"]["mean_rank"], [3.0, 2.0, 1.0])

    def test_order_of_files_does_not_count(self):
        paths = self.save(self.pages(), darkest_first)
        told = reading.read(self.out, paths)
        self.assertEqual(reading.read(self.out, paths[::-1]), told)
        self.assertEqual(reading.read(self.out, [paths[0].parent]), told)

    def test_what_is_not_finished_is_counted(self):
        pages = self.pages("realism")
        paths = self.save(pages[:1], darkest_first)  # 4 answers
        paths += self.save(pages[1:2], darkest_first, count=1)
        paths += self.save(pages[2:3], darkest_first, count=0)
        told = reading.read(self.out, paths)
        found = told["criteria"]["realism"]
        self.assertEqual((found["answers"], found["captions"]), (5, 5))
        self.assertEqual((found["raters"], found["raters_asked"]), (1, 2))
        counts = [found[f"pages{x}"] for x in ("", "_begun", "_missing")]
        self.assertEqual(counts, [1, 1, 4])
        self.assertIsNone(found["agreement"])  # One rater agrees with nobody.
        self.assertEqual(told["criteria"]["alignment"]["answers"], 0)
        text = reading.table(told)
        self.assertIn("realism: 5 of 20 answers", text)
        self.assertIn("alignment: 0 of 20 answers", text)
        self.assertIn("none can be told", text)
        names = {row["name"] for row in reading.rows(told)}
        self.assertEqual(
            names, {"human_realism_mean_rank", "human_realism_first"}
        )

    def test_table_has_the_best_first(self):
        paths = self.save(
            self.pages(), lambda *told: darkest_first(*told)[::-1]
        )
        told = reading.read(self.out, paths)
        lines = reading.table(told).splitlines()
        self.assertRegex(lines[1], "mean rank +ranked first +ahead of +thirds")
        self.assertRegex(lines[2], r"thirds +1.00 \[1.00, 1.00\] +100.0% \[")
        self.assertRegex(lines[4], r"ours +3.00 .* 0.0% \[0.0%, 0.0%\] +0.0%")
        self.assertIn("alpha, ordinal): 1.000", lines[5])

    def test_few_captions_have_no_intervals(self):
        paths = self.save(self.pages("realism")[:1], darkest_first)  # 4
        told = reading.read(self.out, paths)
        lines = reading.table(told).splitlines()
        self.assertRegex(lines[2], r"ours +1.00 +100.0% +100.0%")
        self.assertIn("intervals: none below 5 captions", lines[5])
        self.assertNotIn("[", "".join(lines))
        self.assertIsNone(reading.rows(told)[0]["interval"])

    def test_rows_are_scores_that_can_be_compared(self):
        path = self.root / "rows.jsonl"
        paths = self.save(self.pages(), lambda names, _: sorted(names))
        reading.write_rows(reading.read(self.out, paths), path)
        paths = self.save(self.pages(), darkest_first)
        reading.write_rows(reading.read(self.out, paths), path)
        rows = comparing.read(str(path))
        self.assertLen(rows, 2 * 2 * 3)
        found = {(row["candidate"], row["name"]): row["value"] for row in rows}
        self.assertEqual(found["theirs", "human_alignment_mean_rank"], 2.0)

    def test_rows_stand_beside_those_of_others(self):
        told = reading.read(self.out, self.save(self.pages(), darkest_first))
        path = self.root / "scores.jsonl"
        other = dict(candidate="ours", name="fid", value=1.0, protocol={})
        files.append_line(path, json.dumps(other))
        for _ in range(2):
            reading.write_rows(told, path)
            self.assertEqual(comparing.read(path), [other, *reading.rows(told)])
        reading.write_rows(told | {"study": "x"}, self.root / "x.jsonl")
        before = path.read_bytes()
        path.write_bytes(before + b"words\n")
        with self.assertRaisesRegex(ValueError, "scores.jsonl, line 14"):
            reading.write_rows(told, path)
        self.assertEqual(path.read_bytes(), before + b"words\n")

    def bad(self, change):
        """Saves one file, changed."""
        (path,) = self.save(self.pages()[:1], darkest_first)
        data = json.loads(path.read_text())
        path.write_text(json.dumps(change(data) or data))
        return path

    @parameterized.named_parameters(
        ("list", lambda data: [1], "holds no answers"),
        ("format", lambda data: data.update(format="x"), "holds no answers"),
        ("study", lambda data: data.update(study="x"), "another study, 'x'"),
        ("sheet", lambda data: data.update(sheet="x"), "no page of this"),
        ("odd sheet", lambda data: data.update(sheet=[]), "no page of this"),
        ("answers", lambda data: data.update(answers=[]), "no list of answers"),
        (
            "task",
            lambda data: data["answers"].update(x=["a"]),
            "not asked: 'x'",
        ),
        (
            "twice",
            lambda data: next(iter(data["answers"].values())).append("x"),
            "each picture of",
        ),
        (
            "short",
            lambda data: next(iter(data["answers"].values())).clear(),
            "each picture of",
        ),
        (
            "number",
            lambda data: data["answers"].update(
                {next(iter(data["answers"])): [1, 2, 3]}
            ),
            "no order for",
        ),
    )
    def test_strange_answers_are_refused_by_name(self, change, sentence):
        path = self.bad(change)
        with self.assertRaisesRegex(ValueError, f"{path.name}.* {sentence}"):
            reading.read(self.out, [path])

    def test_damaged_files_are_refused_by_name(self):
        (path,) = self.save(self.pages()[:1], darkest_first)
        whole = path.read_text()
        for text in ("", whole[:-9], "[" * 9999):
            path.write_text(text)
            with self.assertRaisesRegex(
                ValueError, f"{path.name} can't be read: "
            ):
                reading.read(self.out, [path])
        task = next(iter(json.loads(whole)["answers"]))
        path.write_text(
            whole.replace('"answers": {', f'"answers": {{"{task}": ["x"], ')
        )
        with self.assertRaisesRegex(ValueError, f"{path.name}.*{task}' twice"):
            reading.read(self.out, [path])
        with self.assertRaisesRegex(ValueError, "gone.json can't be read"):
            reading.read(self.out, [self.root / "gone.json"])

    def test_same_page_twice_is_refused_by_names(self):
        (path,) = self.save(self.pages()[:1], darkest_first)
        other = path.with_name("answers (1).json")
        other.write_bytes(path.read_bytes())
        with self.assertRaisesRegex(
            ValueError, r"answers \(1\).json answers .*same .*" + path.name
        ):
            reading.read(self.out, [path, other])

    def test_page_of_another_study_is_refused(self):
        other = self.root / "other"
        self.make(other)
        paths = self.save(self.pages(out=other)[:1], darkest_first)
        with self.assertRaisesRegex(ValueError, "another study"):
            reading.read(self.out, paths)

    def test_nothing_to_read_gives_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "Name files"):
            reading.read(self.out, [])
        with self.assertRaisesRegex(ValueError, "no .json file"):
            reading.read(self.out, [self.folders["ours"]])
        with self.assertRaisesRegex(ValueError, "no key.json"):
            reading.read(self.root, [])
        (self.out / "key.json").write_text("{")
        with self.assertRaisesRegex(ValueError, "key.json can't be read"):
            reading.read(self.out, [])
        (self.out / "key.json").write_text('{"format": "x"}')
        with self.assertRaisesRegex(ValueError, "of another kind: 'x'"):
            reading.read(self.out, [])


class CommandTest(StudyCase):
    """The command line."""

    def run_tool(self, *words):
        done = subprocess.run(
            [sys.executable, "-m", "tools.human_study", *words],
            cwd=ROOT,
            env=harness.child_environment(),
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    def test_study_is_made_and_read(self):
        systems = [f"{name}={path}" for name, path in self.folders.items()]
        code, said, errors = self.run_tool(
            "make",
            f"--systems={','.join(systems)}",
            f"--out={self.out}",
            "--captions=6",
            "--raters=1",
        )
        self.assertEqual(code, 0, errors)
        told = json.loads(said.splitlines()[-1])
        self.assertEqual((told["tasks"], told["sheets"]), (6, 2))
        paths = self.save(self.pages(), darkest_first)
        rows = self.root / "rows.jsonl"
        code, said, errors = self.run_tool(
            "read", f"--study={self.out}", f"--rows={rows}", *map(str, paths)
        )
        self.assertEqual(code, 0, errors)
        found = json.loads(said.splitlines()[-1])["criteria"]["realism"]
        self.assertEqual(found["mean_rank"], [1.0, 2.0, 3.0])
        self.assertLen(files.read_lines(rows), 12)

    @parameterized.parameters(
        (("raed",), "raed came. Did you mean 'read'?"),
        (("make", "--out=x", "--systems=a"), "NAME=FOLDER.*'a' came"),
    )
    def test_what_is_wrong_is_told(self, words, sentence):
        code, _, errors = self.run_tool(*words)
        self.assertEqual(code, 2)
        self.assertRegex(errors, sentence.replace("?", r"\?"))


if __name__ == "__main__":
    tf.test.main()
