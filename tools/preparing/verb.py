"""The flags that all tools share, and what their main programs do."""

import functools
import os
import resource
import sys
import time
from collections.abc import Callable

from absl import flags

from recipes import messages
from tools.preparing import asked, engine, plan, report, target

_STOPPED = 130  # 128 and SIGINT


def define(
    source: str = "What the download unpacked to.",
    *,
    shares: bool = False,
    required: bool = True,
) -> None:
    """Defines the flags; called under `if __name__ == "__main__"`.

    Args:
        source: what --source is to name.
        shares: whether this tool draws splits, by --val_share, --test_share.
        required: whether --source must be given.
    """
    flags.DEFINE_string("source", None, source, required=required)
    flags.DEFINE_string("out", None, "The folder to make.")
    flags.DEFINE_integer(
        "size",
        0,
        "Scale pictures down until the shorter side has so many pixels; 0 "
        "keeps them as they are.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "min_size",
        16,
        "Refuse pictures whose shorter side has fewer pixels.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "captions",
        None,
        "Captions a picture; those with fewer repeat theirs in turn.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "limit",
        None,
        "Take so many pictures only, of every split its share.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "workers", None, "Threads; usually one a core.", lower_bound=1
    )
    flags.DEFINE_integer(
        "shard_size", 1000, "Pictures a file at most.", lower_bound=1
    )
    flags.DEFINE_string(
        "encoding", "utf-8", "Of text files without a byte order mark."
    )
    flags.DEFINE_bool(
        "follow_links",
        False,
        "Follow links out of the folders that are named by flags; else what "
        "they show is left out.",
    )
    flags.DEFINE_integer("seed", 0, "Of drawn splits and of the sheet.")
    flags.DEFINE_bool(
        "dry_run", False, "Read and check everything, but write nothing."
    )
    if shares:
        for name, share in (("val", 0.0), ("test", 0.1)):
            flags.DEFINE_float(
                f"{name}_share",
                share,
                f"About so much of the pictures is kept for {name}.",
                lower_bound=0.0,
                upper_bound=0.9,
            )


def run(planned: Callable) -> None:
    """Is the main program of a tool.

    Args:
        planned: callable of the flags, gives the `plan.Plan`.
    """
    from tqdm import tqdm

    def main(_):
        prepare(
            planned,
            flags.FLAGS,
            lambda rows: tqdm(rows, unit=" pictures", smoothing=0.05),
        )

    messages.run(stoppable(main))


def stoppable(main: Callable) -> Callable:
    """Wraps a command so that Ctrl-C ends it with a sentence.

    Args:
        main: callable of the words that are no flags.

    Returns:
        The same; its exit code is then 130.
    """

    @functools.wraps(main)
    def wrapped(words):
        try:
            return main(words)
        except KeyboardInterrupt:
            print(
                "\nStopped. Whole files are kept; the same command goes on "
                "from there.",
                file=sys.stderr,
            )
            return _STOPPED

    return wrapped


def prepare(planned: Callable, options, bar: Callable = iter) -> dict:
    """Plans, prepares and reports a set.

    Args:
        planned: callable of the flags, gives the `plan.Plan`.
        options: the flags, or anything with such attributes.
        bar: wraps a list of as many things as pictures, to show progress.

    Returns:
        The manifest.

    Raises:
        ValueError: if the source or the folder is not usable.
        OSError: if the set can't be written; another try goes on from there.
    """
    settings = asked.Settings.of(options)
    if not settings.out and not settings.dry_run:
        raise ValueError("--out is missing; name the folder to make.")
    if settings.out:
        target.check(settings.out, settings.source)
    clock = _Clock(bar)
    try:
        found = planned(options)
    except plan.Refused as error:
        where = f"{error.file}: " if error.file else ""
        raise ValueError(f"{where}{error}.") from error
    manifest = engine.run(found, options, clock.bar)
    out = None if settings.dry_run else settings.out
    print(report.summary(manifest, out, clock.cost()))
    if out:
        if manifest["counts"]["train"]:
            print(f"Look at {out}/sheet.png, and train on it with")
            print("\n" + report.command(manifest, out))
        else:
            print(f"Look at {out}/sheet.png; it has none to train on.")
    return manifest


class _Clock:
    """Takes the time that pictures need apart from that before and after.

    Args:
        bar: wraps the pictures.
    """

    def __init__(self, bar):
        self._bar = bar
        self._marks = [_now()]
        self._pictures = 0

    def bar(self, rows):
        """Is the bar of the engine; pictures that are kept are not among it."""
        self._pictures = len(rows)
        self._marks.append(_now())
        yield from self._bar(rows)
        self._marks.append(_now())

    def cost(self) -> report.Cost | None:
        """Sums up; nothing if no picture was opened."""
        if len(self._marks) < 3:
            return None
        (start, _), (before, idle), (after, busy) = self._marks
        return report.Cost(
            pictures=self._pictures,
            seconds=after - before,
            busy=busy - idle,
            cores=len(os.sched_getaffinity(0)),
            planning=before - start,
            ending=_now()[0] - after,
        )


def _now() -> tuple[float, float]:
    """Reads the clock, and the CPU seconds of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime
