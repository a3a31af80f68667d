"""Lets programs be timed in turns, none disturbed by the others.

What is held beside another may live in another Python, and mustn't work while
the other is timed: each is a process of its own that stands still between its
turns. Needs /proc, hence Linux.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

_ROOT = pathlib.Path(__file__).parents[1]


class Side:
    """Talks to a program that takes as many turns as it is asked for.

    Such a program prints a line when it is there; then each line that it
    reads is a number of turns to take, and it prints a line after them.

    Args:
        command: starts it, in the tree's root.
        warmup: int. Turns taken before others are timed.

    Attributes:
        greeting: the first line it printed.
    """

    def __init__(self, command: list[str], warmup: int):
        self._warmup = warmup
        self._process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.greeting = self._hear()

    @property
    def number(self) -> int:
        """Of its process."""
        return self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Killed where it stands: its own end may wait for turns.
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def ask(self, count: int) -> None:
        """Waits until so many turns are taken.

        Args:
            count: how many.

        Raises:
            ValueError: if the program ends instead.
        """
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{count}\n")
            self._process.stdin.flush()
        self._hear()

    def timed(self, count: int) -> tuple[float, float]:
        """Times turns, after those that warm it up.

        Until it is timed again the program stands still: it may not work
        ahead while another is timed.

        Args:
            count: how many.

        Returns:
            Seconds on the clock and of processors.
        """
        self._signal(signal.SIGCONT)
        self.ask(self._warmup)
        began, worked = time.perf_counter(), self._worked()
        self.ask(count)
        seconds = time.perf_counter() - began, self._worked() - worked
        self._signal(signal.SIGSTOP)
        return seconds

    def memory(self) -> int:
        """Tells how many bytes the program holds in memory."""
        told = pathlib.Path(f"/proc/{self.number}/statm").read_text()
        return int(told.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def most_memory(self) -> int:
        """Tells how many bytes the program held at most so far."""
        told = pathlib.Path(f"/proc/{self.number}/status").read_text()
        (line,) = [x for x in told.splitlines() if x.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def _hear(self):
        line = self._process.stdout.readline()
        if not line:
            raise ValueError(
                f"{' '.join(self._process.args[:3])} ended with exit code "
                f"{self._process.wait()}; its words stand above."
            )
        return line.strip()

    def _signal(self, which):
        for number in reversed(self._family()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, which)

    def _worked(self):
        """Seconds that processors spent on it and on its children."""
        ticks = 0
        for number in self._family():
            stat = pathlib.Path(f"/proc/{number}/stat").read_text()
            user, system = stat.rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(system)
        return ticks / os.sysconf("SC_CLK_TCK")

    def _family(self):
        """Numbers of its processes, parents first."""
        found = [self.number]
        for number in found:
            tasks = pathlib.Path(f"/proc/{number}/task")
            for task in tasks.glob("*/children"):
                found += map(int, task.read_text().split())
        return found
