"""Examines how files are written and contents named."""

import hashlib
import os
import resource
import signal
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import files


class AtomicWriteTest(tf.test.TestCase):
    """A file is whole or not there."""

    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(self.folder, "deep", "er", "file.bin")

    def read(self):
        with open(self.path, "rb") as file:
            return file.read()

    def test_content_arrives_and_folders_are_made(self):
        files.atomic_write(self.path, b"one")
        files.atomic_write(self.path, b"two")
        self.assertEqual(self.read(), b"two")
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["file.bin"])

    def test_mode_follows_the_umask(self):
        old = os.umask(0o022)
        try:
            files.atomic_write(self.path, b"one")
        finally:
            os.umask(old)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o644)

    def test_file_in_the_place_of_a_folder_gives_a_sentence(self):
        blocked = os.path.join(self.folder, "blocked")
        files.atomic_write(blocked, b"here first")
        with self.assertRaisesRegex(OSError, "Cannot write.*blocked"):
            files.atomic_write(os.path.join(blocked, "x"), b"new")
        with open(blocked, "rb") as file:
            self.assertEqual(file.read(), b"here first")

    def test_folder_in_the_place_of_the_file_gives_a_sentence(self):
        os.makedirs(self.path)
        with self.assertRaisesRegex(OSError, "Cannot write.*file.bin"):
            files.atomic_write(self.path, b"new")
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["file.bin"])

    def test_failed_write_leaves_the_old_file_and_no_litter(self):
        files.atomic_write(self.path, b"old")
        with _file_size_limit(10):
            with self.assertRaisesRegex(OSError, "what was there is unchanged"):
                files.atomic_write(self.path, b"x" * 100)
        self.assertEqual(self.read(), b"old")
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["file.bin"])


class AppendLineTest(tf.test.TestCase):
    """A line is whole or not there."""

    def setUp(self):
        super().setUp()
        self.path = os.path.join(
            self.enterContext(tempfile.TemporaryDirectory()), "a", "log"
        )

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def test_lines_follow_each_other(self):
        files.append_line(self.path, "one")
        files.append_line(self.path, "zwei ä")
        self.assertEqual(self.read(), "one\nzwei ä\n")

    def test_line_cut_by_a_crash_is_closed_first(self):
        files.atomic_write(self.path, b'{"half": ')
        files.append_line(self.path, "whole")
        self.assertEqual(self.read(), '{"half": \nwhole\n')

    def test_line_break_inside_is_refused(self):
        with self.assertRaisesRegex(ValueError, "One line"):
            files.append_line(self.path, "one\ntwo")

    def test_failed_append_leaves_the_file_as_it_was(self):
        files.append_line(self.path, "one")
        with _file_size_limit(10):
            with self.assertRaisesRegex(OSError, "Cannot write.*log"):
                files.append_line(self.path, "x" * 100)
        self.assertEqual(self.read(), "one\n")


class DigestTest(parameterized.TestCase, tf.test.TestCase):
    """A name stands for one content."""

    def test_one_bytes_part_by_hand(self):
        self.assertEqual(
            files.digest(b"abc"), hashlib.sha256(b"bytes:3:abc").hexdigest()
        )

    @parameterized.parameters(
        (("ab", "c"), ("a", "bc")),
        (("ab",), (b"ab",)),
        ((np.zeros(4),), (np.zeros((2, 2)),)),
        ((np.zeros(4, "float32"),), (np.zeros(4, "int32"),)),
        ((np.array(["ab", "c"]),), (np.array(["a", "bc"]),)),
        ((np.array([1.0, 2.0]),), (np.array([2.0, 1.0]),)),
        ((1,), (2,)),
    )
    def test_other_parts_give_other_names(self, ours, theirs):
        self.assertNotEqual(files.digest(*ours), files.digest(*theirs))

    def test_storage_does_not_count(self):
        words = np.array([["a", "bcd"]])
        for other in (words.astype("U99"), words.astype(object)):
            self.assertEqual(files.digest(words), files.digest(other))
        table = np.arange(12).reshape(3, 4)
        self.assertEqual(
            files.digest(table), files.digest(np.asfortranarray(table))
        )

    def test_another_process_gives_the_same_name(self):
        code = (
            "import numpy as np; from keras_t2i.ops import files; "
            "print(files.digest('x', np.arange(3.0), ['a', 'b']))"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.assertEqual(
            answer.stdout.strip(),
            files.digest("x", np.arange(3.0), ["a", "b"]),
        )

    @parameterized.parameters((object(),), ([None],), ({"a": 1},))
    def test_python_objects_are_refused(self, part):
        with self.assertRaisesRegex(TypeError, "A digest is taken of"):
            files.digest(part)


class _file_size_limit:
    """No file may grow beyond `size` bytes, even for the superuser."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.old = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.old[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.old)
        signal.signal(signal.SIGXFSZ, self.handler)


class ReasonTest(tf.test.TestCase):
    """An error is told in one line."""

    def test_error_of_the_disk_keeps_its_file_and_loses_its_number(self):
        error = OSError(28, "No space left on device", "a/b")
        self.assertEqual(files.reason(error), "No space left on device: a/b")

    def test_tensorflows_marks_go(self):
        with self.assertRaises(tf.errors.OpError) as caught:
            tf.io.read_file("nowhere")
        self.assertEqual(
            files.reason(caught.exception), "nowhere; No such file or directory"
        )
        graph = tf.function(tf.io.read_file, autograph=False)
        with self.assertRaises(tf.errors.OpError) as caught:
            graph("nowhere")
        self.assertEqual(
            files.reason(caught.exception), "nowhere; No such file or directory"
        )

    def test_errors_of_python_inside_a_stream_keep_their_sentence(self):
        errors = {
            "The file a.b {x} is short.": ValueError(
                "The file a.b {x} is short."
            ),
            "No such file or directory: 'a/b'": FileNotFoundError(
                2, "No such file or directory", "a/b"
            ),
        }
        for expected, error in errors.items():

            def fail(row, error=error):
                raise error

            stream = tf.data.Dataset.range(3).map(
                lambda row, fail=fail: tf.numpy_function(fail, [row], tf.int64)
            )
            with self.assertRaises(tf.errors.OpError) as caught:
                list(stream)
            self.assertEqual(files.reason(caught.exception), expected)

    def test_cause_inside_a_stream_is_told_whoever_runs_it(self):
        path = os.path.join(tempfile.mkdtemp(dir=self.get_temp_dir()), "x")
        with tf.io.TFRecordWriter(path) as writer:
            writer.write(b"content")
        with open(path, "r+b") as file:
            file.seek(14)
            file.write(b"damage")

        def read(_):
            stored = tf.data.TFRecordDataset(path)
            return stored.get_single_element()

        stream = tf.data.Dataset.range(3).map(read)
        graph = tf.function(lambda made: next(made))
        for take in (next, graph):
            with self.assertRaises(tf.errors.OpError) as caught:
                take(iter(stream))
            self.assertEqual(
                files.reason(caught.exception), "corrupted record at 12"
            )

    def test_first_of_several_causes_is_told(self):
        message = (
            "Graph execution error:\n\nDetected at node A defined at (most "
            "recent call last):\n<stack traces unavailable>\nDetected at node "
            "B defined at (most recent call last):\n<stack traces unavailable>"
            "\n2 root error(s) found.\n  (0) DATA_LOSS:  corrupted record at 7"
            "\n\t [[{{node A}}]]\n  (1) DATA_LOSS:  corrupted record at 9\n"
            "0 successful operations."
        )
        error = tf.errors.DataLossError(None, None, message)
        self.assertEqual(files.reason(error), "corrupted record at 7")

    def test_names_of_temporary_files_go(self):
        message = (
            "{{function_node __wrapped__SaveV2_device_/job:localhost}} "
            "my runs/arrays_temp/part-0.data.tempstate12; File too large "
            "[Op:SaveV2]"
        )
        error = tf.errors.OutOfRangeError(None, None, message)
        self.assertEqual(files.reason(error), "File too large")

    def test_first_line_is_taken_and_silence_gives_the_class(self):
        self.assertEqual(files.reason(ValueError("one\ntwo")), "one")
        self.assertEqual(files.reason(KeyError()), "KeyError()")


if __name__ == "__main__":
    tf.test.main()
