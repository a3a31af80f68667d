"""Localized Narratives, from tiny official files to a prepared set."""

import json
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import prepared
from tests.tools import preparing_cases
from tools import prepare_narratives as tool
from tools.preparing import plan as plans

COCO = "coco_{}_localized_narratives{}.jsonl"
OPEN = "open_images_{}_localized_narratives{}.jsonl"


def line(
    image, caption="In this image.", who=93, of="mscoco_train2017", **more
):
    """A line with the fields of the official files, in their order."""
    value = {
        "dataset_id": of,
        "image_id": image,
        "annotator_id": who,
        "caption": caption,
        "timed_caption": [
            {"utterance": "In this", "start_time": 0.0, "end_time": 0.4},
            {"utterance": "image.", "start_time": 0.4, "end_time": 1.0},
        ],
        "traces": [[{"x": 0.2086, "y": -0.0533, "t": 0.022}] * 40] * 2,
        "voice_recording": f"{of}/{of}_{image}_{who}.ogg",
    }
    return json.dumps(value | more)


class Case(preparing_cases.ToolTest):
    """A folder of its own for each test."""

    TOOL = tool
    FLAGS = dict(each="narrative", val_as="auto")

    def setUp(self):
        super().setUp()
        self.pictures = self.folder / "pictures"
        self.source.mkdir()

    def options(self, **changes):
        """The flags."""
        usual = dict(pictures=str(self.pictures))
        return super().options(**usual | changes)

    def prepare(self, **changes):
        """Prepares the set; what is printed is kept."""
        self.printed = self.run_tool(**changes)
        return prepared.load(self.out)

    def lines(self, name, *rows, end="\n"):
        """Writes lines of JSON."""
        (self.source / name).write_text("\n".join(rows) + end, "utf-8")

    def picture(self, name):
        """Writes a picture."""
        path = self.pictures / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(preparing_cases.jpeg(len(name)))

    def coco(self):
        """Two pictures of train, one told twice, and one of val."""
        self.lines(
            COCO.format("train", "-00000-of-00004"),
            line("9", "In this image there is food.", 4),
            line("25", "Two giraffes stand.", 7),
        )
        self.lines(
            COCO.format("train", "-00001-of-00004"),
            line("9", "I see boxes.", 12),
        )
        self.lines(
            COCO.format("val", ""),
            line("139", "A room with chairs.", 5, "mscoco_val2017"),
        )
        self.picture("train2017/000000000009.jpg")
        self.picture("train2017/000000000025.jpg")
        self.picture("val2017/000000000139.jpg")


class CocoTest(Case):
    """LN-COCO."""

    def test_each_narrative_is_an_example(self):
        self.coco()
        found = self.prepare()
        self.assertEqual(list(found.keys), ["9#4", "25#7", "9#12", "139#5"])
        self.assertEqual(found.captions.shape, (4, 1))
        self.assertEqual(found.captions[[2]][0][0], "I see boxes.")
        self.assertEqual(list(prepared.load(self.out, "test").keys), ["139#5"])
        self.assertIn("ln_coco, Localized Narratives", self.printed)
        self.assertIn("4 of 3 pictures as listed, which are", self.printed)

    def test_or_all_narratives_of_a_picture_are_its_captions(self):
        self.coco()
        found = self.prepare(each="picture")
        self.assertEqual(list(found.keys), ["9", "25", "139"])
        self.assertEqual(
            [list(row) for row in found.captions[[0, 1]]],
            [
                ["In this image there is food.", "I see boxes."],
                ["Two giraffes stand.", "Two giraffes stand."],
            ],
        )

    def test_known_counts_are_compared(self):
        self.coco()
        self.prepare()
        self.assertIn("134,272 pictures in train; here 3", self.printed)
        self.assertIn("8,573 pictures in test; here 1", self.printed)
        self.assertIn("3 train (134,272 are known)", self.printed)

    def test_the_command_limits_and_cuts_long_narratives(self):
        self.coco()
        self.lines(
            "more.jsonl",
            line("9", "word " * 64, 1),
            line("9", "word " * 65, 2),
        )
        self.prepare()
        self.assertIn("1 of 6 narratives have more than 64", self.printed)
        self.assertIn("--config.text.max_words=64", self.printed)
        self.assertIn("--config.text.truncate=True", self.printed)

    def test_validation_is_for_tests_unless_asked(self):
        self.coco()
        self.assertEqual(self.plan().items[-1].split, "test")
        self.assertEqual(self.plan(val_as="val").items[-1].split, "val")
        self.assertIn("the split 'test': papers", " ".join(self.plan().notes))

    @parameterized.parameters("images/", "")
    def test_pictures_may_lie_in_a_folder_images_or_beside(self, folder):
        self.coco()
        plan = self.plan()
        self.pictures.rename(self.folder / "old")
        target = self.pictures / folder
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / "old").rename(target)
        self.assertLen(self.plan().items, len(plan.items))

    def test_without_pictures_they_lie_in_the_source(self):
        self.coco()
        for part in ("train2017", "val2017"):
            (self.pictures / part).rename(self.source / part)
        self.assertLen(self.plan(pictures=None).items, 4)

    def test_one_file_alone_is_read(self):
        self.coco()
        path = self.source / COCO.format("val", "")
        self.assertLen(self.plan(source=str(path)).items, 1)

    def test_bad_lines_are_refused_by_file_and_line(self):
        self.coco()
        good = line("9", "The last one.", 99)
        self.lines(
            "zz.jsonl",
            "{no json",
            "[1, 2]",
            line("9", of="ADE20k_train"),
            json.dumps({"image_id": "9", "caption": "x"}),
            json.dumps({"dataset_id": "mscoco_train2017", "caption": "x"}),
            json.dumps({"dataset_id": "mscoco_train2017", "image_id": 9}),
            line("9", caption=["x"]),
            line("../9"),
            line("1" * 13),
            "",
            good,
            line("25", "cut off", 3)[:-120],
            end="",
        )
        plan = self.plan()
        self.assertLen(plan.items, 5)
        self.assertEqual(
            plan.refused,
            [
                (f"zz.jsonl:{number}", reason)
                for number, reason in (
                    (1, "a line of no JSON"),
                    (2, "a line of JSON that is no object"),
                    (3, "a dataset_id of neither COCO 2017 nor Open Images"),
                    (4, "a line without dataset_id"),
                    (5, "a line without image_id"),
                    (6, "a line without caption"),
                    (7, "a caption that is no text"),
                    (8, "an image_id that is no number of COCO"),
                    (9, "an image_id that is no number of COCO"),
                    (12, "a last line that is cut off"),
                )
            ],
        )

    def test_a_narrative_that_comes_twice_is_taken_once(self):
        self.coco()
        again = line("9", "I see boxes.", 12)
        other = line("9", "I see more boxes.", 12)
        self.lines("zz_captions.jsonl", again, other)
        plan = self.plan()
        self.assertEqual(
            plan.refused,
            [("zz_captions.jsonl:1", "a narrative that comes twice")],
        )
        self.assertEqual(plan.items[-1].key, "9#12#2")

    def test_files_without_traces_and_without_annotators_are_read(self):
        self.picture("train2017/000000000009.jpg")
        self.lines(
            "coco_train_captions.jsonl",
            *(
                json.dumps(
                    {
                        "dataset_id": "mscoco_train2017",
                        "image_id": 9,
                        "caption": text,
                    }
                )
                for text in ("one", "two")
            ),
        )
        self.assertEqual(
            [(item.key, item.captions) for item in self.plan().items],
            [("9#1", ("one",)), ("9#2", ("two",))],
        )

    def test_missing_pictures_are_named_once_with_what_they_cost(self):
        self.coco()
        (self.pictures / "train2017/000000000009.jpg").unlink()
        plan = self.plan()
        self.assertLen(plan.items, 2)
        self.assertEqual(
            plan.refused, [("train2017/000000000009.jpg", "a missing file")]
        )
        self.assertIn("2 narratives are left out", " ".join(plan.notes))
        (self.pictures / "val2017").rename(self.folder / "gone")
        self.assertIn(
            ("val2017/", "a folder of pictures that is missing"),
            self.plan().refused,
        )
        (self.pictures / "train2017/000000000025.jpg").unlink()
        with self.assertRaisesRegex(
            ValueError, "none of the pictures of 4 narratives, such as train"
        ):
            self.plan()

    def test_links_out_of_the_tree_are_not_followed(self):
        self.coco()
        path = self.pictures / "train2017/000000000025.jpg"
        path.rename(self.folder / "secret.jpg")
        path.symlink_to(self.folder / "secret.jpg")
        self.assertEqual(
            self.plan().refused,
            [
                (
                    str(path),
                    "a link out of the folder, not followed without "
                    "--follow_links",
                )
            ],
        )

    def test_a_tree_that_is_a_link_is_followed_only_if_asked(self):
        self.coco()
        tree = self.pictures / "train2017"
        tree.rename(self.folder / "disk")
        tree.symlink_to(self.folder / "disk")
        plan = self.plan()
        self.assertLen(plan.items, 1)
        self.assertEqual([file for file, _ in plan.refused], [str(tree)])
        self.assertIn("3 narratives are left out", " ".join(plan.notes))
        self.assertLen(self.plan(follow_links=True).items, 4)

    def test_what_a_flag_names_may_be_a_link(self):
        self.coco()
        for name in ("source", "pictures"):
            (self.folder / f"{name} link").symlink_to(self.folder / name)
        plan = self.plan(
            source=str(self.folder / "source link"),
            pictures=str(self.folder / "pictures link"),
        )
        self.assertLen(plan.items, 4)

    def test_narratives_that_are_links_are_followed_only_if_asked(self):
        self.coco()
        path = self.source / COCO.format("val", "")
        path.rename(self.folder / "val.jsonl")
        path.symlink_to(self.folder / "val.jsonl")
        plan = self.plan()
        self.assertLen(plan.items, 3)
        self.assertEqual([file for file, _ in plan.refused], [str(path)])
        self.assertLen(self.plan(follow_links=True).items, 4)
        for other in self.source.glob("coco_train*"):
            other.unlink()
        with self.assertRaisesRegex(ValueError, "jsonl is a link out of the"):
            self.plan()

    def test_sources_without_narratives_are_named(self):
        self.pictures.mkdir()
        with self.assertRaisesRegex(ValueError, "holds no .jsonl file"):
            self.plan()
        with self.assertRaisesRegex(ValueError, "nowhere is no file or"):
            self.plan(source=str(self.folder / "nowhere"))
        near = str(self.folder / "picture")
        with self.assertRaisesRegex(ValueError, "Did you mean 'pictures'"):
            self.plan(pictures=near)
        self.lines("bad.jsonl", "x")
        with self.assertRaisesRegex(ValueError, "bad.jsonl:1: a line of no"):
            self.plan()

    def test_captions_in_other_scripts_and_a_mark_are_read(self):
        self.coco()
        data = line("9", "Ein Café, 猫", 1).encode() + b"\n"
        (self.source / "zz.jsonl").write_bytes(b"\xef\xbb\xbf" + data)
        row = json.loads(line("9", "猫 und Bär", 2))
        data = json.dumps(row, ensure_ascii=False)
        (self.source / "zzz.jsonl").write_text(f"{data}\r\n", "utf-8")
        plan = self.plan()
        self.assertEqual(
            [item.captions[0] for item in plan.items[-2:]],
            ["Ein Café, 猫", "猫 und Bär"],
        )

    def test_other_encodings_are_refused_or_asked_for(self):
        self.coco()
        row = {
            "dataset_id": "mscoco_train2017",
            "image_id": "9",
            "caption": "Café",
        }
        data = json.dumps(row, ensure_ascii=False) + "\n"
        (self.source / "zz.jsonl").write_bytes(data.encode("latin-1"))
        (self.source / "zzz.jsonl").write_bytes(data.encode("utf-16"))
        plan = self.plan()
        self.assertRegex(plan.refused[0][1], "not UTF-8 .*give --encoding")
        self.assertEqual(
            plan.refused[1], ("zzz.jsonl", "not UTF-8 but UTF-16 or UTF-32")
        )
        plan = self.plan(encoding="latin-1")
        self.assertEqual(plan.items[-1].captions, ("Café",))

    def test_an_empty_narrative_is_left_out_by_the_engine(self):
        self.coco()
        self.lines("zz.jsonl", line("25", " ", 1), line("25", "...", 2))
        self.assertLen(self.prepare(), 4)
        self.assertIn("2  no usable caption", self.printed)


class FieldsTest(Case):
    """How little of a line is parsed."""

    def test_traces_are_not_parsed(self):
        text = line("9", 'says ", "traces": [\\ and }').encode() + b"\n"
        read = []
        loads = json.loads
        with mock.patch.object(
            tool.json, "loads", lambda data: read.append(data) or loads(data)
        ):
            value = tool.fields(text)
        self.assertEqual(value["caption"], 'says ", "traces": [\\ and }')
        self.assertLen(read, 1)
        self.assertLess(len(read[0]), 200)

    def test_fields_in_any_order_are_found(self):
        row = json.loads(line("9", "late"))
        data = json.dumps(dict(sorted(row.items(), reverse=True)))
        value = tool.fields(data.encode() + b"\n")
        self.assertEqual(value["caption"], "late")

    @parameterized.parameters(range(10, 600, 59))
    def test_a_line_that_is_cut_anywhere_is_refused(self, count):
        data = line("9", "cut")[:-1].encode()[:count]
        with self.assertRaisesRegex(plans.Refused, "last line that is cut"):
            tool.fields(data)

    def test_lines_that_never_end_are_skipped(self):
        path = self.source / "zz.jsonl"
        path.write_bytes(b"ab\n" + b"x" * 25 + b"\ncd\n" + b"y" * 8)
        with mock.patch.object(tool, "_LONGEST", 10):
            self.assertEqual(
                list(tool.lines(path)),
                [(1, b"ab\n"), (2, None), (3, b"cd\n"), (4, b"y" * 8)],
            )


class OpenImagesTest(Case):
    """LN-OpenImages."""

    def open_images(self, test=False):
        """A picture of train, one of validation and, if wanted, of test."""
        self.lines(
            OPEN.format("train_v6", "-00000-of-00010"),
            line("0a1b2c3d4e5f6071", "a", 1, "open_images_train"),
            line("f123456789abcdef", "b", 1, "open_images_train"),
            line("e123456789abcdef", "c", 1, "open_images_train"),
        )
        self.lines(
            OPEN.format("validation", ""),
            line("1a1b2c3d4e5f6071", "d", 1, "open_images_validation"),
        )
        self.picture("train/0a1b2c3d4e5f6071.jpg")
        self.picture("train_f/f123456789abcdef.jpg")
        self.picture("train/train_e/e123456789abcdef.jpg")
        self.picture("validation/1a1b2c3d4e5f6071.jpg")
        if test:
            self.lines(
                OPEN.format("test", ""),
                line("2a1b2c3d4e5f6071", "e", 1, "open_images_test"),
            )
            self.picture("test/2a1b2c3d4e5f6071.jpg")

    def test_it_is_prepared_from_any_unpacking(self):
        self.open_images()
        found = self.prepare()
        self.assertLen(prepared.load(self.out, "train"), 3)
        self.assertLen(prepared.load(self.out, "test"), 1)
        self.assertEqual(found.keys[1], "f123456789abcdef#1")
        self.assertIn("3 train (about 507,444 are known)", self.printed)
        self.assertIn("1 val (about 41,691 are known)", self.printed)

    def test_validation_gives_way_to_test_narratives(self):
        self.open_images(test=True)
        splits = [item.split for item in self.plan().items]
        self.assertCountEqual(
            splits, ["test", "train", "train", "train", "val"]
        )
        splits = [item.split for item in self.plan(val_as="test").items]
        self.assertEqual(splits.count("test"), 2)

    @parameterized.parameters(
        ("../0a", "a path with '..', which is not followed"),
        ("/etc/passwd", "an absolute path, which is not followed"),
        ("", "a missing file"),
        ("ff", "a missing file"),
        ("猫 1", None),
    )
    def test_hostile_ids_are_never_followed(self, image, reason):
        self.open_images()
        self.picture("0a.jpg")
        self.picture("train/猫 1.jpg")
        self.lines("zz.jsonl", line(image, "x", 1, "open_images_train"))
        reasons = [reason for _, reason in self.plan().refused]
        self.assertEqual(reasons, [reason] if reason else [])

    def test_both_sets_may_lie_in_one_folder(self):
        self.coco()
        self.open_images()
        plan = self.plan()
        self.assertLen(plan.items, 8)
        self.assertEqual(plan.name, "narratives")
        self.assertIn("COCO 2017 and Open Images", plan.about)
        self.assertEqual(plan.known, {})


if __name__ == "__main__":
    tf.test.main()
