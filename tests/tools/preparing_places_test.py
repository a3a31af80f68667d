"""Strangers' listings are read, but never followed out of their tree."""

import os
import pathlib
import tempfile
import unicodedata

import tensorflow as tf
from absl.testing import parameterized

from tools.preparing import places, plan


class PlacesTest(parameterized.TestCase, tf.test.TestCase):
    """A tree with a secret beside it."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.root = self.folder / "tree"
        (self.root / "deep").mkdir(parents=True)
        self.secret = self.folder / "secret.txt"
        self.secret.write_text("secret")
        (self.folder / "tree2").mkdir()

    def write(self, data, name="list.txt"):
        path = self.root / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def refused(self, reason):
        return self.assertRaisesRegex(plan.Refused, reason)

    @parameterized.parameters(
        "a.jpg", "deep/b c.jpg", "deep/ü 鳥.jpg", "deep/./d.jpg", "a..b", "deep"
    )
    def test_name_in_the_tree_is_found(self, name):
        if name != "deep":
            self.write("x", name)
        self.assertEqual(places.Tree(self.root).inside(name), self.root / name)

    @parameterized.product(here=("NFC", "NFD"), listed=("NFC", "NFD"))
    def test_either_form_of_unicode_is_found(self, here, listed):
        name = "deep/Zürich é.jpg"
        self.write("x", unicodedata.normalize(here, name))
        tree = places.Tree(self.root)
        found = tree.inside(unicodedata.normalize(listed, name))
        self.assertEqual(found.read_text(), "x")

    @parameterized.parameters(
        ("../secret.txt", r"a path with '\.\.'"),
        ("deep/../../secret.txt", r"a path with '\.\.'"),
        ("deep/..", r"a path with '\.\.'"),
        ("..\\secret.txt", r"a path with '\.\.'"),
        ("/etc/passwd", "an absolute path"),
        ("\\\\host\\secret", "an absolute path"),
        ("C:\\secret.txt", "an absolute path"),
        ("c:/secret.txt", "an absolute path"),
        ("", "an empty name"),
        ("a\0b", "a zero byte"),
        ("missing.jpg", "a missing file"),
        ("x" * 5000, "a missing file"),
        ("half \ud800 letter", "a missing file"),
    )
    def test_name_that_leads_away_is_refused(self, name, reason):
        with self.refused(reason):
            places.Tree(self.root).inside(name)

    def test_links_out_of_the_tree_are_not_followed(self):
        (self.root / "file").symlink_to(self.secret)
        (self.root / "up").symlink_to(self.folder)
        (self.root / "beside").symlink_to(self.folder / "tree2")
        (self.root / "gone").symlink_to(self.folder / "nothing")
        (self.root / "round").symlink_to(self.root / "round")
        for name in ("file", "up/secret.txt", "beside", "gone"):
            with self.refused("a link out of the folder"):
                places.Tree(self.root).inside(name)
        with self.refused("a missing file"):
            places.Tree(self.root).inside("round")

    def test_links_within_the_tree_are_followed(self):
        self.write("x", "a.jpg")
        (self.root / "b.jpg").symlink_to(self.root / "a.jpg")
        (self.folder / "also").symlink_to(self.root)
        found = places.Tree(self.folder / "also").inside("b.jpg")
        self.assertEqual(found.read_text(), "x")

    def test_links_out_of_the_tree_are_followed_if_asked(self):
        (self.root / "file").symlink_to(self.secret)
        (self.root / "up").symlink_to(self.folder)
        tree = places.Tree(self.root, follow=True)
        self.assertEqual(tree.inside("file").read_text(), "secret")
        self.assertEqual(
            tree.below("up").file("secret.txt").read_text(), "secret"
        )
        with self.refused(r"a path with '\.\.'"):
            tree.inside("../secret.txt")

    def test_folders_of_a_tree_end_where_it_ends(self):
        self.write("x", "a.jpg")
        (self.root / "deep/a.jpg").symlink_to(self.root / "a.jpg")
        (self.root / "deep/secret.txt").symlink_to(self.secret)
        (self.root / "up").symlink_to(self.folder)
        deep = places.Tree(self.root).below("deep")
        self.assertEqual(deep.inside("a.jpg").read_text(), "x")
        self.assertEqual(deep.file("a.jpg"), self.root / "deep/a.jpg")
        self.assertIsNone(deep.file("b.jpg"))
        self.assertIsNone(deep.below("b"))
        with self.refused("a link out of the folder") as caught:
            deep.file("secret.txt")
        self.assertEqual(caught.exception.file, self.root / "deep/secret.txt")
        with self.refused("without --follow_links"):
            places.Tree(self.root).below("up")

    def test_backslashes_may_part_folders(self):
        self.write("x", "deep/a.jpg")
        self.write("y", "b\\c.jpg")
        tree = places.Tree(self.root)
        self.assertEqual(tree.inside("deep\\a.jpg").read_text(), "x")
        self.assertEqual(tree.inside("b\\c.jpg").read_text(), "y")

    def test_pipe_is_refused(self):
        os.mkfifo(self.root / "pipe.jpg")
        with self.refused("neither a file nor a folder"):
            places.Tree(self.root).inside("pipe.jpg")

    @parameterized.parameters(
        "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"
    )
    def test_text_is_read_in_its_encoding(self, encoding):
        path = self.write("Grün\r\nund blau\n\nrot".encode(encoding))
        told = encoding if encoding in ("utf-16-le", "latin-1") else "utf-8"
        self.assertEqual(
            places.lines(path, told), ["Grün", "und blau", "", "rot"]
        )

    def test_mark_decides_over_the_flag(self):
        path = self.write("é".encode("utf-16"))
        self.assertEqual(places.lines(path, "latin-1"), ["é"])

    def test_rare_marks_end_no_line(self):
        path = self.write("a\u2028b\x85c\x0bd\n")
        self.assertEqual(places.lines(path), ["a\u2028b\x85c\x0bd"])

    def test_empty_file_has_no_lines(self):
        self.assertEqual(places.lines(self.write("")), [])

    def test_other_encodings_are_told(self):
        path = self.write(b"a bird in caf\xe9 \n")
        sentence = r"not UTF-8 \(byte 13 is 0xe9\); give --encoding"
        with self.refused(sentence) as caught:
            places.lines(path)
        self.assertEqual(caught.exception.file, path)
        with self.refused("--encoding=utf-9 is no encoding"):
            places.lines(path, "utf-9")
        with self.refused(r"not UTF-16 \(byte"):
            places.lines(self.write("\ufeffab".encode("utf-16-le") + b"c"))

    def test_json_is_read(self):
        path = self.write('\ufeff{"a": ["ü", 1]}')
        self.assertEqual(places.json_value(path), {"a": ["ü", 1]})

    @parameterized.parameters(
        ('{"a": 1,\n "b": }', r"not JSON \(line 2, column 7: "),
        ("", r"not JSON \(line 1, column 1: "),
        ("[" * 200_000, "JSON that is nested too deeply"),
        ("9" * 5000, "JSON with a number that is too long"),
    )
    def test_what_is_no_json_is_told(self, text, reason):
        with self.refused(reason) as caught:
            places.json_value(self.write(text))
        self.assertEqual(caught.exception.file, self.root / "list.txt")

    def test_tables_are_read(self):
        rows = [["name", "words"], ["a b.jpg", 'a "big", red\nbird']]
        path = self.write('name,words\r\n\na b.jpg,"a ""big"", red\nbird"\r\n')
        self.assertEqual(places.csv_rows(path), rows)
        tabbed = self.write('name\twords\na\tb, c "d"\n', "list.TSV")
        self.assertEqual(places.csv_rows(tabbed)[1], ["a", 'b, c "d"'])
        barred = self.write("a|b\n")
        self.assertEqual(places.csv_rows(barred, delimiter="|"), [["a", "b"]])

    def test_one_line_of_values_is_read_with_the_same_limit(self):
        self.assertEqual(places.csv_row('"a, b",c'), ["a, b", "c"])
        long = "x" * 200_000
        self.assertEqual(places.csv_row(f'a,"{long}"'), ["a", long])
        with self.refused("a line that can't be read .field larger"):
            places.csv_row('a,"' + "x" * ((1 << 24) + 1))

    def test_field_without_end_is_told(self):
        path = self.write('a,b\nc,"' + "x" * (1 << 24) + "y\n")
        with self.refused("a table whose line 2 can't be read"):
            places.csv_rows(path)


if __name__ == "__main__":
    tf.test.main()
