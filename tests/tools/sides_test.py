"""Examines programs that are timed in turns."""

import pathlib
import sys
import tempfile
import time

import tensorflow as tf

from tools import sides

#: Waits, and does nothing else.
_COUNTER = """
import sys, time
print(" here I am ", flush=True)
for line in sys.stdin:
    time.sleep(0.01 * int(line))
    print("done", flush=True)
"""


class SideTest(tf.test.TestCase):
    """A side works when it is asked to, and stands still else."""

    def setUp(self):
        super().setUp()
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        counter = folder / "counter.py"
        counter.write_text(_COUNTER)
        self.command = [sys.executable, str(counter)]

    def state(self, number):
        """Looks until it stands still, a second at most."""
        for _ in range(100):
            stat = pathlib.Path(f"/proc/{number}/stat").read_text()
            found = stat.rpartition(")")[2].split()[0]
            if found == "T":
                break
            time.sleep(0.01)
        return found

    def test_side_stands_still_until_its_next_turn(self):
        with sides.Side(self.command, warmup=1) as side:
            for _ in range(2):
                seconds, worked = side.timed(3)
                self.assertBetween(seconds, 0.03, 3.0)
                self.assertBetween(worked, 0.0, 3.0)
                self.assertEqual(self.state(side.number), "T")

    def test_warmup_is_not_timed(self):
        with sides.Side(self.command, warmup=50) as side:
            began = time.perf_counter()
            seconds, _ = side.timed(1)
            whole = time.perf_counter() - began
        self.assertGreater(whole - seconds, 0.5)

    def test_greeting_is_kept(self):
        with sides.Side(self.command, warmup=0) as side:
            self.assertEqual(side.greeting, "here I am")

    def test_memory_is_told(self):
        with sides.Side(self.command, warmup=0) as side:
            held, most = side.memory(), side.most_memory()
        self.assertBetween(held, 1e6, 1e9)
        self.assertBetween(most, 0.9 * held, 1e9)

    def test_program_that_ends_is_told(self):
        with self.assertRaisesRegex(ValueError, "ended with exit code 3"):
            sides.Side([sys.executable, "-c", "raise SystemExit(3)"], 0)


if __name__ == "__main__":
    tf.test.main()
