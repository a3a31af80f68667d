"""Plans become sets: the same bytes from any run, however often it dies."""

import dataclasses
import functools
import hashlib
import io
import json
import os
import pathlib
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.data import prepared, records
from recipes import messages
from tests import harness
from tests.recipes import command
from tests.tools import preparing_cases as cases
from tools.preparing import engine, plan, verb

ROOT = pathlib.Path(__file__).parents[2]


def contents(folder):
    """Lists all files beneath a folder with the hashes of their bytes."""
    folder = pathlib.Path(folder)
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class SetTest(parameterized.TestCase, tf.test.TestCase):
    """A folder of own pictures for each test."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.source = self.folder / "source"
        self.source.mkdir()
        self.out = self.folder / "out"
        self.partial = self.folder / ".out.partial"

    def fill(self, count=45, size=20):
        """Paints pictures, of which every third is a PNG."""
        for i in range(count):
            kind = "JPEG" if i % 3 else "PNG"
            data = cases.encoded(cases.painted(size + i, size), kind)
            (self.source / f"p{i:03d}.{kind.lower()}").write_bytes(data)

    def run_tool(self, planned=cases.planned, **changes):
        """Prepares in this process; returns the manifest and what it said."""
        usual = dict(source=str(self.source), out=str(self.out), shard_size=10)
        with mock.patch("sys.stdout", io.StringIO()) as printed:
            manifest = verb.prepare(planned, cases.options(**usual | changes))
        return manifest, printed.getvalue()

    def read(self, split, out=None):
        """Reads a part of the set, record by record."""
        paths = sorted((out or self.out).glob(f"{split}-*.tfrecord"))
        return records.read(paths)


class EngineTest(SetTest):
    """What a set holds."""

    def test_records_hold_what_the_plan_says(self):
        self.fill()
        manifest, _ = self.run_tool()
        train, test = self.read("train"), self.read("test")
        self.assertEqual((len(train), len(test)), (36, 9))
        self.assertEqual(train.keys[:2].tolist(), ["p000-png", "p001-jpeg"])
        self.assertEqual(
            train.captions[1].tolist(), ["picture 1", "a painted thing"]
        )
        self.assertEqual(train.labels[:4].tolist(), [0, 1, 0, 1])
        self.assertEqual(tuple(train.class_names), ("even", "odd"))
        self.assertEqual(
            train.images[1], (self.source / "p001.jpeg").read_bytes()
        )
        parts = manifest["splits"]
        self.assertEqual(list(parts), ["train", "test"])
        self.assertLen(parts["train"]["shards"], 4)
        self.assertEqual(parts["train"]["captions"], 72)

    def test_library_opens_and_verifies_the_set(self):
        self.fill()
        manifest, _ = self.run_tool()
        held = prepared.load(self.out, "train")
        self.assertAllEqual(held.keys[...], self.read("train").keys)
        self.assertEqual(prepared.verify(self.out), [])
        words = prepared.vocabulary(self.out)
        self.assertEqual(words[:4], ["a", "painted", "picture", "thing"])
        self.assertLen(words, manifest["vocabulary"])

    def test_every_hostile_file_is_told_and_the_rest_goes_through(self):
        made = cases.write(self.source)
        bad = {name: c.reason for name, c in made.items() if c.reason}
        manifest, said = self.run_tool()
        lines = (self.out / "refused.jsonl").read_text().splitlines()
        told = {row["file"]: row["reason"] for row in map(json.loads, lines)}
        self.assertEqual(told, bad)
        self.assertEqual(sum(manifest["refused"].values()), len(bad))
        self.assertEqual(manifest["counts"]["pictures"], len(made) - len(bad))
        mended = [m for case in made.values() for m in case.mended]
        self.assertEqual(sum(manifest["mended"].values()), len(mended))
        self.assertIn("half.jpg: a JPEG that is cut off", said)
        self.assertIn("turned upright", said)

    def test_bytes_depend_on_plan_and_settings_alone(self):
        cases.write(self.source)
        self.fill(90)
        self.run_tool(workers=1)
        first = contents(self.out)
        elsewhere = self.folder / "elsewhere"
        shutil.copytree(self.source, elsewhere / "source")
        again = elsewhere / "again"
        self.run_tool(
            workers=3, source=str(elsewhere / "source"), out=str(again)
        )
        second = contents(again)
        del first[".plan"], second[".plan"]  # That names the files' times.
        self.assertEqual(first, second)

    def test_manifest_has_the_hashes_of_its_files(self):
        self.fill()
        manifest, _ = self.run_tool()
        hashes = ""
        for part in manifest["splits"].values():
            for each in part["shards"]:
                data = (self.out / each["file"]).read_bytes()
                found = hashlib.sha256(data).hexdigest()
                self.assertEqual(
                    (each["sha256"], each["bytes"]), (found, len(data))
                )
                hashes += found
        self.assertEqual(
            manifest["digest"], hashlib.sha256(hashes.encode()).hexdigest()
        )

    def test_file_without_usable_pictures_is_left_out(self):
        self.fill(30)
        for path in self.source.glob("p01?.*"):  # The second file of train.
            path.write_bytes(b"")
        manifest, _ = self.run_tool(shard_size=8)
        names = [each["file"] for each in manifest["splits"]["train"]["shards"]]
        self.assertEqual(
            names, [f"train-0000{i}-of-00002.tfrecord" for i in range(2)]
        )
        self.assertEqual(prepared.verify(self.out), [])
        self.assertEqual(
            prepared.load(self.out, "train").keys[...].tolist()[7:9],
            ["p008-jpeg", "p020-jpeg"],
        )

    def test_sheet_shows_pictures(self):
        self.fill(30)
        self.run_tool()
        with Image.open(self.out / "sheet.png") as sheet:
            self.assertGreater(min(sheet.size), 5 * 144)
            colours = np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)
        self.assertGreater(len(colours), 4)

    def test_size_scales_pictures(self):
        self.fill(12, size=40)
        self.run_tool(size=24)
        for data in self.read("train").images:
            with Image.open(io.BytesIO(data)) as picture:
                self.assertEqual(min(picture.size), 24)

    def test_dry_run_writes_nothing(self):
        cases.write(self.source)
        before = contents(self.folder)
        dry, said = self.run_tool(dry_run=True)
        self.assertEqual(contents(self.folder), before)
        self.assertEqual(os.listdir(self.folder), ["source"])
        self.assertIn("A dry run; nothing was written", said)
        self.assertNotIn("recipes.train", said)
        wet, _ = self.run_tool()
        for part in ("counts", "refused", "mended", "vocabulary", "samples"):
            self.assertEqual(dry[part], wet[part])

    def test_limit_takes_of_every_part(self):
        self.fill(45)
        manifest, said = self.run_tool(limit=10)
        self.assertEqual(manifest["counts"]["train"], 8)
        self.assertEqual(manifest["counts"]["test"], 2)
        self.assertIn("--limit=10 took 10 of 45 pictures", said)

    def test_several_classes_are_kept(self):
        self.fill(10)

        def planned(options):
            found = cases.planned(options, multi_label=True)
            found.items = [
                dataclasses.replace(item, labels=(item.label, 1, 1)[: i % 4])
                for i, item in enumerate(found.items)
            ]
            return found

        self.run_tool(planned)
        labels = [
            tf.train.Example.FromString(data)
            .features.feature["labels"]
            .int64_list.value[:]
            for data in tf.data.TFRecordDataset(
                str(self.out / "train-00000-of-00001.tfrecord")
            ).as_numpy_iterator()
        ]
        self.assertEqual(labels[:4], [[], [1], [0, 1], [1]])


class WordsTest(SetTest):
    """Captions and keys."""

    def planned(self, *texts, **changes):
        """Plans one picture for each tuple of captions."""

        def planned(options):
            found = cases.planned(options, **changes)
            items = [
                dataclasses.replace(item, captions=words)
                for item, words in zip(found.items, texts, strict=True)
            ]
            return dataclasses.replace(found, items=items)

        self.fill(len(texts))
        return planned

    def own(self):
        """How many captions are each picture's own."""
        return prepared.load(self.out, "train").own.tolist()

    def test_captions_are_cleaned_and_repeated_in_turn(self):
        planned = self.planned(
            (" a  red\tbird ", "", "...", " ?! ", "two"),
            ("one", "two", "three"),
            ("caf\u0065\u0301",),
            ("🎉", "鳥", "\ud800"),
        )
        manifest, said = self.run_tool(planned)
        self.assertEqual(
            self.read("train").captions.tolist(),
            [
                ["a red bird", "two", "a red bird"],
                ["one", "two", "three"],
                ["café"] * 3,
                ["🎉", "鳥", "🎉"],
            ],
        )
        self.assertEqual(self.own(), [2, 3, 1, 2])
        self.assertEqual(
            manifest["captions_dropped"],
            {"empty": 1, "only punctuation": 2, "not text": 1},
        )
        self.assertIn("3 pictures have fewer, theirs are repeated", said)
        self.assertEqual(manifest["counts"]["captions"], 8)

    @parameterized.parameters((2, None), (None, 2), (2, 3))
    def test_first_captions_are_kept(self, flag, source):
        planned = self.planned(
            ("a", "b", "c"), ("d",), captions_per_picture=source
        )
        _, said = self.run_tool(planned, captions=flag)
        self.assertEqual(
            self.read("train").captions.tolist(), [["a", "b"], ["d", "d"]]
        )
        self.assertEqual(self.own(), [2, 1])
        self.assertIn("1 are beyond the first 2 and not kept", said)

    def test_picture_without_caption_is_refused(self):
        planned = self.planned((), ("...", " "), ("a",))
        manifest, _ = self.run_tool(planned)
        self.assertEqual(
            manifest["refused"], {"no caption": 1, "no usable caption": 1}
        )
        self.assertEqual(
            manifest["refused_first"][0], ["p000.png", "no caption"]
        )

    def test_second_of_a_name_is_refused(self):
        def planned(options):
            found = cases.planned(options)
            found.items[3] = dataclasses.replace(
                found.items[3], key="p001-jpeg "
            )
            found.items[7] = dataclasses.replace(found.items[7], key=" \t")
            return found

        self.fill(10)
        manifest, _ = self.run_tool(planned)
        self.assertEqual(
            manifest["refused"],
            {"a name that was there before": 1, "a name that is no text": 1},
        )

    def test_unknown_class_is_refused(self):
        self.fill(4)
        manifest, _ = self.run_tool(
            functools.partial(cases.planned, class_names=("even",))
        )
        self.assertEqual(
            manifest["refused"], {"a class beyond the 1 known ones": 2}
        )

    def test_given_vocabulary_is_kept(self):
        self.fill(4)
        self.run_tool(
            functools.partial(cases.planned, vocabulary=["zebra", "a"])
        )
        self.assertEqual(prepared.vocabulary(self.out), ["zebra", "a"])

    def test_given_vocabulary_of_no_words_is_told(self):
        self.fill(4)
        for words, reason in ((["a b"], "is no word"), (["a", "a"], "2 times")):
            with self.assertRaisesRegex(ValueError, reason):
                self.run_tool(
                    functools.partial(cases.planned, vocabulary=words)
                )

    def test_known_counts_are_compared(self):
        self.fill(45)
        known = {"pictures": 50, "train": 36, "test": 8, "captions": 90}
        _, said = self.run_tool(functools.partial(cases.planned, known=known))
        self.assertIn("known       50 pictures; here 45: 5 fewer", said)
        self.assertIn("8 pictures in test; here 9: 1 more", said)
        self.assertEqual(said.count("  known "), 2)

    def test_summary_says_what_it_took(self):
        self.fill(45)
        _, said = self.run_tool()
        self.assertRegex(
            said,
            r"took +\d+\.\d s: \d+\.\d s to plan, \d+\.\d s for 45 pictures "
            r"\([\d,]+ a second, \d+% of \d+ cores\), \d+\.\d s to end\n",
        )
        self.assertRegex(said, r"words +2 to 3 a caption, 2\.5 on average\n")
        self.assertIn("            3  " + 40 * "#" + " 45", said)

    def test_command_says_how_to_train(self):
        self.fill(10)
        _, said = self.run_tool(
            functools.partial(
                cases.planned, config=("--config.text.max_words=64",)
            )
        )
        self.assertIn("--config.data.name=records", said)
        self.assertIn(f"--config.data.path={self.out}", said)
        self.assertIn("--config.text.max_words=64", said)
        self.assertIn("""'("picture 4", "picture 9",)'""", said)

    def test_time_of_planning_is_not_that_of_pictures(self):
        clock = verb._Clock(iter)
        self.assertIsNone(clock.cost())
        times = [(5.0, 1.0), (9.0, 3.0), (10.0, 3.5)]
        with mock.patch.object(verb, "_now", side_effect=times):
            clock = verb._Clock(iter)
            list(clock.bar([1, 2, 3]))
        with mock.patch.object(verb, "_now", return_value=(12.0, 9.0)):
            cost = clock.cost()
        self.assertEqual(
            (
                cost.pictures,
                cost.planning,
                cost.seconds,
                cost.busy,
                cost.ending,
            ),
            (3, 4.0, 1.0, 0.5, 2.0),
        )

    @parameterized.parameters(
        ("a short one", ()),
        ("word " * 15, ()),
        ("word " * 16, ("truncate=True",)),
        ("word " * 21, ("truncate=True", "max_words=64")),
        ("Donaudampfschifffahrt " * 4, ("truncate=True",)),
        ("a bird " + "一只红色的小鸟" * 5, ("truncate=True",)),
    )
    def test_command_takes_captions_of_any_length(self, text, wanted):
        _, said = self.run_tool(self.planned(*[(text,)] * 25))
        found = [
            each.removesuffix(" \\")
            for each in said.split("--config.text.")[1:]
        ]
        self.assertEqual(tuple(each.split()[0] for each in found), wanted)
        self.assertNotIn("batch_size", said)

    def test_command_says_nothing_twice(self):
        given = (
            "--config.text.max_words=40",
            "--config.text.truncate=True",
            "--config.train.batch_size=2",
        )
        planned = self.planned(*[("word " * 30,)] * 8, config=given)
        _, said = self.run_tool(planned)
        for each in given:
            self.assertEqual(said.count(each.partition("=")[0]), 1)
            self.assertIn(each, said)

    def test_set_without_training_pictures_has_no_command(self):
        def planned(options):
            found = cases.planned(options)
            found.items = [i for i in found.items if i.split == "test"]
            return found

        self.fill(10)
        _, said = self.run_tool(planned)
        self.assertIn("sheet.png; it has none to train on.", said)
        self.assertNotIn("recipes.train", said)


class TrainTest(SetTest):
    """The command that is printed."""

    @parameterized.parameters(1, 8)
    def test_any_set_can_be_trained_on(self, count):
        def planned(options):
            found = cases.planned(options)
            long = " ".join(f"word{i}" for i in range(47))
            found.items[0] = dataclasses.replace(
                found.items[0], captions=("a thing", long)
            )
            return found

        self.fill(10 if count == 8 else count)
        _, said = self.run_tool(planned)
        self.assertIn(f"--config.train.batch_size={count}", said)
        words = shlex.split(said[said.index("python -m") :].replace("\\\n", ""))
        self.assertEqual(words[:3], ["python", "-m", "recipes.train"])
        work, cache = self.folder / "work", str(self.folder / "cache")
        self.enterContext(
            mock.patch.dict(os.environ, {"KERAS_T2I_CACHE": cache})
        )
        code, printed, complained = command.run(
            "train",
            *words[3:],
            f"--workdir={work}",
            "--config.networks.generator.width=2",
            "--config.networks.discriminator.width=2",
            "--config.train.moves=1",
            "--config.train.moves_per_epoch=1",
        )
        self.assertEqual((code, complained), (0, ""))
        self.assertIn("1 moves made", printed)


class NamesTest(SetTest):
    """Names that are no text, or would change a terminal."""

    def test_half_letters_stop_nothing(self):
        half = "\ud800"

        def planned(options):
            found = cases.planned(options, class_names=("ev\udce9n", "odd"))
            path = self.source / "p000.png"
            change = [
                {"picture": pathlib.Path(f"{path}{half}")},
                {"picture": plan.Bytes(f"p{half}", path.read_bytes)},
                {"key": f"key{half}"},
                {"captions": (f"a {half}",)},
                {"split": half},
            ]
            for place, changes in enumerate(change):
                old = found.items[place]
                found.items[place] = dataclasses.replace(old, **changes)
            found.refused = [(f"x{half}", f"a row without {half}")]
            found.notes = [f"note {half}"]
            return found

        self.fill(12)
        manifest, said = self.run_tool(planned)
        self.assertEqual(
            manifest["refused"],
            {
                "a row without ?": 1,
                "a name that is no text": 2,
                "no usable caption": 1,
                "a split '\\ud800'": 1,
            },
        )
        self.assertEqual(manifest["refused_first"][0][0], "x\ufffd")
        self.assertEqual(manifest["class_names"], ["ev\ufffdn", "odd"])
        self.assertIn("1 names of classes are no text: ev\ufffdn.", said)
        self.assertEqual(manifest["counts"]["pictures"], 8)
        self.assertIn("is prepared already", self.run_tool(planned)[1])

    def test_classes_that_become_one_are_told(self):
        self.fill(4)
        names = ("b\ud800", "b\ud801")
        with self.assertRaisesRegex(ValueError, "Several classes are named 'b"):
            self.run_tool(functools.partial(cases.planned, class_names=names))

    def test_control_letters_are_shown_by_number(self):
        self.fill(3)
        name = "\x1b[2Jnew\nline\u202e.jpg"
        (self.source / name).write_bytes(b"")
        manifest, said = self.run_tool()
        self.assertIn("\\x1b[2Jnew\\nline\\u202e.jpg: an empty file\n", said)
        told = (self.out / "refused.jsonl").read_text()
        self.assertIn('{"file": "\\u001b[2Jnew\\nline', told)
        self.assertEqual(manifest["refused_first"], [[name, "an empty file"]])


class OutTest(SetTest):
    """Folders that can't become a set are told before anything is read."""

    def refused(self, out, reason, **changes):
        with self.assertRaisesRegex(ValueError, reason):
            self.run_tool(self.fail, out=str(out), **changes)

    def test_link(self):
        (self.folder / "real").mkdir()
        for name, goal in (("out", "real"), (".out.partial", "nowhere")):
            link = self.folder / name
            link.symlink_to(goal)
            self.refused(self.out, f"out can't be made: .*{name} is a link")
            link.unlink()

    def test_folder_that_can_not_be_replaced(self):
        self.refused("/proc", "--out=/proc is a folder that can't be replaced")
        self.refused(".", "--out=. is a folder that can't be replaced")

    def test_name_of_no_folder(self):
        for out in ("/", self.out / ".."):
            self.refused(out, "names no folder of its own")
        self.refused("caf\udce9", "is no text in UTF-8")

    def test_place_that_can_not_be_made(self):
        (self.folder / "file").write_bytes(b"")
        self.refused(self.folder / "file" / "out", "made: .*file is no folder")
        with mock.patch.object(os, "access", return_value=False):
            self.refused(self.folder / "a" / "out", "can't be written")

    def test_folder_in_the_source(self):
        for out in (self.source, self.source / "a" / "out"):
            self.refused(out, "lies in --source=.*source; name a folder outsi")
        (self.folder / "way").symlink_to("source")
        self.refused(self.folder / "way" / "out", "lies in --source")
        self.fill(3)
        self.run_tool(out=str(self.folder / "source2"))


class ResumeTest(SetTest):
    """Runs that end in the middle."""

    def killed(self, fatal):
        """Runs a process that SIGKILL ends at a picture."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.tools.preparing_cases",
                self.source,
                self.out,
                fatal,
            ],
            cwd=ROOT,
            env=harness.child_environment(),
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)

    def times(self):
        return {
            p.name: p.stat().st_mtime_ns
            for p in self.partial.glob("t*.tfrecord")
        }

    def test_killed_run_is_taken_up(self):
        self.fill(45)
        self.run_tool(out=str(self.folder / "straight"))
        self.killed("p031.jpeg")
        self.assertFalse(self.out.exists())
        made = self.times()
        self.assertLen(made, 2)  # Of four; the third was half written.
        self.assertLen(list(self.partial.glob(".*.part")), 1)
        manifest, said = self.run_tool()
        self.assertIn("its 2 whole files with 18 pictures are kept", said)
        for name, time in made.items():
            self.assertEqual((self.out / name).stat().st_mtime_ns, time)
        self.assertEqual(contents(self.out), contents(self.folder / "straight"))
        self.assertEqual(
            sorted(os.listdir(self.folder)), ["out", "source", "straight"]
        )

    def failed(self, limit=20_000, **changes):
        """Runs the tool on a disk that takes no file of more bytes."""
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, kept[1]))
        try:
            with mock.patch("sys.stderr", io.StringIO()) as complained:
                main = messages.told(lambda _: self.run_tool(**changes))
                code = main(["tool"])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        return code, complained.getvalue()

    @parameterized.parameters(1, 2)
    def test_full_disk_is_told_and_whole_files_are_kept(self, workers):
        self.fill(40)
        large = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
        data = cases.encoded(Image.fromarray(large), "PNG")
        (self.source / "p025.jpeg").write_bytes(data)  # Of the third file.
        code, complained = self.failed(workers=workers)
        self.assertEqual(code, 2)
        self.assertRegex(
            complained,
            r"^Error: Cannot write .*train-00002-of-00004.tfrecord, what was "
            r"there is unchanged: [^\n]*\. Whole files are kept; the same "
            r"command goes on from there\.\n$",
        )
        self.assertFalse(self.out.exists())
        made = self.times()
        if workers == 1:
            self.assertLen(made, 2)
        self.assertNotEmpty(made)
        self.assertNotIn("train-00002-of-00004.tfrecord", made)
        self.assertEqual(list(self.partial.rglob("*.part")), [])
        _, said = self.run_tool()
        self.assertRegex(said, r"its \d whole files with")
        self.assertLen(self.read("train"), 32)

    def test_damaged_file_is_made_again(self):
        self.fill(40)
        with mock.patch.object(engine, "_finish", side_effect=OSError(28, "x")):
            with self.assertRaises(OSError):
                self.run_tool()
        path = self.partial / "train-00001-of-00004.tfrecord"
        data = bytearray(path.read_bytes())
        data[100] ^= 1
        path.write_bytes(data)
        _, said = self.run_tool()
        self.assertIn("its 4 whole files with", said)
        self.assertEqual(prepared.verify(self.out), [])
        self.assertLen(self.read("train"), 32)

    @parameterized.parameters(
        dict(size=24), dict(shard_size=9), dict(captions=1), dict(limit=30)
    )
    def test_other_settings_begin_anew(self, **changes):
        self.fill(40, size=30)
        with mock.patch.object(engine, "_finish", side_effect=OSError(28, "x")):
            with self.assertRaises(OSError):
                self.run_tool()
        _, said = self.run_tool(**changes)
        self.assertIn("settings have changed since; it is begun anew", said)
        self.run_tool(**changes, out=str(self.folder / "straight"))
        self.assertEqual(contents(self.out), contents(self.folder / "straight"))

    def test_changed_picture_begins_anew(self):
        self.fill(40)

        def planned(options):
            found = cases.planned(options)
            items = [
                dataclasses.replace(i, picture=pathlib.Path(str(i.picture)))
                for i in found.items
            ]
            return dataclasses.replace(found, items=items)

        self.run_tool(planned)
        self.assertIn("is prepared already", self.run_tool(planned)[1])
        (self.source / "p001.jpeg").write_bytes(b"")
        with self.assertRaisesRegex(ValueError, "other files or settings"):
            self.run_tool(planned)

    def test_finished_set_is_left_as_it_is(self):
        self.fill(12)
        self.run_tool()
        before = contents(self.out)
        _, said = self.run_tool(workers=2)
        self.assertRegex(
            said, "^.*out is prepared already, with these settings"
        )
        self.assertIn("python -m recipes.train", said)
        self.assertNotIn("pictures a second", said)
        self.assertEqual(contents(self.out), before)
        with self.assertRaisesRegex(ValueError, "prepared from other files"):
            self.run_tool(size=17)
        self.assertEqual(contents(self.out), before)

    @parameterized.parameters(
        ("train-00000-of-00001.tfrecord", b"x", r"has 1 bytes; it was made wi"),
        ("train-00000-of-00001.tfrecord", None, "is missing"),
        ("test.index.npz", b"", "has 0 bytes"),
        ("vocabulary.txt", None, "is missing"),
        ("refused.jsonl", b"x", "has 1 bytes"),
        ("manifest.json", b"{", "is damaged"),
    )
    def test_damaged_set_is_told(self, name, data, reason):
        self.fill(12)
        self.run_tool()
        path = self.out / name
        path.unlink() if data is None else path.write_bytes(data)
        end = "Remove the folder and run the same command"
        with self.assertRaisesRegex(
            ValueError, rf"it is damaged: .*{name} {reason}.* {end}"
        ):
            self.run_tool()

    def test_damaged_set_before_the_last_move_is_made_again(self):
        self.fill(12)
        with mock.patch.object(os, "replace", self.refuse_folders):
            with self.assertRaises(KeyboardInterrupt):
                self.run_tool()
        (self.partial / "train-00000-of-00001.tfrecord").write_bytes(b"x")
        self.run_tool()
        self.assertLen(self.read("train"), 10)
        self.assertEqual(prepared.verify(self.out), [])

    def test_changed_source_of_bytes_begins_anew(self):
        self.fill(12)
        archive = self.folder / "archive"
        archive.write_bytes(b"one")

        def planned(options):
            found = cases.planned(options)
            found.items = [
                dataclasses.replace(
                    i, picture=dataclasses.replace(i.picture, source=archive)
                )
                for i in found.items
            ]
            return found

        self.run_tool(planned)
        self.assertIn("is prepared already", self.run_tool(planned)[1])
        os.utime(archive, (1, 1))
        with self.assertRaisesRegex(ValueError, "other files or settings"):
            self.run_tool(planned)

    def test_folder_with_something_else_is_left_as_it_is(self):
        self.fill(4)
        self.out.mkdir()
        (self.out / "thesis.txt").write_text("words")
        with self.assertRaisesRegex(ValueError, "holds something else; name"):
            self.run_tool()
        self.assertEqual(os.listdir(self.out), ["thesis.txt"])

    def test_empty_folder_is_filled(self):
        self.fill(4)
        self.out.mkdir()
        self.run_tool()
        self.assertLen(self.read("train"), 4)

    def test_run_killed_before_the_last_move_is_ended(self):
        self.fill(12)
        with mock.patch.object(os, "replace", self.refuse_folders):
            with self.assertRaises(KeyboardInterrupt):
                self.run_tool()
        self.assertFalse((self.partial / ".work").exists())
        self.run_tool()
        self.assertLen(self.read("train"), 10)
        self.assertFalse(self.partial.exists())

    def refuse_folders(self, old, new, replace=os.replace):
        if pathlib.Path(old).is_dir():
            raise KeyboardInterrupt
        replace(old, new)

    def test_second_run_at_once_is_told(self):
        self.fill(4)
        with engine._held(self.partial):
            with self.assertRaisesRegex(ValueError, "Another run is writing"):
                self.run_tool()

    def test_stop_from_outside_ends_all_threads(self):
        self.fill(45)

        def bar(rows):
            yield from rows[:5]
            raise KeyboardInterrupt

        options = cases.options(
            source=str(self.source), out=str(self.out), shard_size=5, workers=2
        )
        with self.assertRaises(KeyboardInterrupt):
            engine.run(cases.planned(options), options, bar)
        self.assertEqual(list(self.partial.rglob("*.part")), [])
        self.run_tool(shard_size=5)
        self.assertLen(self.read("train"), 36)

    def test_stop_by_keyboard_is_told_in_a_sentence(self):
        def main(_):
            raise KeyboardInterrupt

        with mock.patch("sys.stderr", io.StringIO()) as complained:
            self.assertEqual(verb.stoppable(main)(["tool"]), 130)
        self.assertEqual(
            complained.getvalue().strip(),
            "Stopped. Whole files are kept; the same command goes on from "
            "there.",
        )


class NothingTest(SetTest):
    """Sets that can't be."""

    def test_source_without_usable_picture_is_told(self):
        (self.source / "a.jpg").write_bytes(b"")
        for dry_run in (False, True):
            with self.assertRaisesRegex(
                ValueError, "holds no usable picture; the first, a.jpg: an emp"
            ):
                self.run_tool(dry_run=dry_run)

    def test_source_without_pictures_is_told(self):
        with self.assertRaisesRegex(ValueError, "holds no picture"):
            self.run_tool()

    def test_bad_listing_is_named(self):
        def planned(_):
            raise plan.Refused("not JSON (line 2)", "captions.json")

        with self.assertRaisesRegex(
            ValueError, r"^captions.json: not JSON \(line 2\).$"
        ):
            self.run_tool(planned)

    def test_out_is_needed(self):
        with self.assertRaisesRegex(ValueError, "--out is missing"):
            self.run_tool(out=None)

    def test_huge_file_is_not_read(self):
        self.fill(3)
        with open(self.source / "q.jpg", "wb") as file:
            file.truncate(1 << 40)

        def planned(options, **changes):
            found = cases.planned(options)
            items = [
                dataclasses.replace(i, picture=pathlib.Path(str(i.picture)))
                for i in found.items
            ]
            return dataclasses.replace(found, items=items)

        manifest, _ = self.run_tool(planned)
        self.assertEqual(manifest["refused"], {"a file of more than 200 MB": 1})

    def test_picture_too_large_for_the_memory_is_refused(self):
        def planned(options):
            found = cases.planned(options)
            picture = plan.Bytes("huge", mock.Mock(side_effect=MemoryError))
            found.items[1] = dataclasses.replace(
                found.items[1], picture=picture
            )
            return found

        self.fill(3)
        manifest, _ = self.run_tool(planned)
        self.assertEqual(
            manifest["refused"], {"a picture too large for the memory": 1}
        )

    def test_folder_and_unreadable_picture_are_refused(self):
        self.fill(3)
        (self.source / "q.jpg").mkdir()
        manifest, _ = self.run_tool()
        self.assertEqual(
            manifest["refused"],
            {"a file that can't be read (Is a directory)": 1},
        )


if __name__ == "__main__":
    tf.test.main()
