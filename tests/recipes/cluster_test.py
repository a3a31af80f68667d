"""Examines runs on several replicas and in several processes."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from recipes import cluster
from tests import harness
from tests.recipes import runs

ROOT = pathlib.Path(cluster.__file__).parents[1]
#: No batch statistics: those of half a batch are not those of the whole.
WORDS = (
    f"--config={ROOT}/recipes/configs/openmoji.py:smoke",
    "--config.networks.generator.name=df_gan",
    "--config.networks.discriminator.name=df_gan",
    "--config.train.precision=float32",
)


def ports(count=2):
    """Finds ports that nobody uses."""
    with tempfile.TemporaryDirectory():
        doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        found = [door.getsockname()[1] for door in doors]
        for door in doors:
            door.close()
    return found


def environment(index, places):
    """Tells a process its place among the workers."""
    workers = [f"127.0.0.1:{port}" for port in places]
    task = {"type": "worker", "index": index}
    told = {"cluster": {"worker": workers}, "task": task}
    return harness.child_environment() | {"TF_CONFIG": json.dumps(told)}


class TaskTest(parameterized.TestCase, tf.test.TestCase):
    """What TF_CONFIG may say."""

    def refused(self, text, sentence):
        with (
            mock.patch.dict(os.environ, {"TF_CONFIG": text}),
            self.assertRaisesRegex(ValueError, sentence),
        ):
            cluster.strategy("multi_worker")

    def test_it_must_be_there(self):
        self.refused("", "needs the environment variable TF_CONFIG; it reads")

    @parameterized.parameters("no json", "[]", "{}", '{"cluster": {}}', "3")
    def test_it_must_have_its_form(self, text):
        self.refused(text, r'TF_CONFIG is .*; it reads {"cluster"')

    @parameterized.parameters(
        (["a:1", "a:1"],),
        (["a"],),
        (["a:b"],),
        ("a:1",),
        ([3],),
        (["a:99999"],),
    )
    def test_workers_must_be_different_places(self, workers):
        task = {"type": "worker", "index": 0}
        told = {"cluster": {"worker": workers}, "task": task}
        self.refused(json.dumps(told), "a list of different host:port")

    @parameterized.parameters(2, -1, "0", None, True)
    def test_this_worker_must_be_one_of_them(self, index):
        task = {"type": "worker", "index": index}
        told = {"cluster": {"worker": ["a:1", "b:1"]}, "task": task}
        self.refused(
            json.dumps(told), f"this is worker {index}; .* workers 0 to 1"
        )

    def test_other_kinds_of_machines_are_refused(self):
        task = {"type": "worker", "index": 0}
        told = {"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": task}
        self.refused(json.dumps(told), "names ps; every machine is a worker")

    def test_worker_that_does_not_come_is_named(self):
        here, there = ports()
        told = environment(0, (here, there))["TF_CONFIG"]
        with (
            mock.patch.dict(os.environ, {"TF_CONFIG": told}),
            mock.patch.object(cluster, "_PATIENCE", 1),
            self.assertRaisesRegex(
                ConnectionError,
                f"127.0.0.1:{there} did not answer worker 0 within 1",
            ),
        ):
            cluster.strategy("multi_worker")

    def test_unknown_strategy_is_told(self):
        with self.assertRaisesRegex(ValueError, "'miror'; known: none, mirr"):
            cluster.strategy("miror")


class TellingTest(tf.test.TestCase):
    """Only what another worker did is blamed on it."""

    def raised(self, error, count):
        with (
            mock.patch.object(cluster, "workers", return_value=count),
            self.assertRaises(Exception) as caught,
            cluster.telling(tf.distribute.get_strategy()),
        ):
            raise error
        return caught.exception

    def test_lost_workers_are_told(self):
        for error in (
            tf.errors.UnavailableError(None, None, "Connection refused"),
            tf.errors.InternalError(None, None, "Collective ops is aborted"),
        ):
            self.assertIsInstance(self.raised(error, 2), ConnectionError)

    def test_other_errors_stay_what_they_are(self):
        full = tf.errors.ResourceExhaustedError(None, None, "OOM")
        self.assertIs(self.raised(full, 2), full)
        gone = tf.errors.UnavailableError(None, None, "Connection refused")
        self.assertIs(self.raised(gone, 1), gone)


class WorkersTest(tf.test.TestCase):
    """Two processes that train one run."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)

    def start(self, *more, workdir, each=((), ())):
        """Starts both workers of a run."""
        places = ports()
        found = []
        for index in range(2):
            log = (self.folder / f"{workdir.name}.{index}.log").open("w+")
            self.addCleanup(log.close)
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "recipes.train", *WORDS, *more),
                    *("--strategy=multi_worker", f"--workdir={workdir}"),
                    *each[index],
                ],
                cwd=ROOT,
                env=environment(index, places),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            self.addCleanup(process.kill)
            process.log = pathlib.Path(log.name)
            found.append(process)
        return found

    def ends(self, processes, code, seconds=150):
        """Waits for the end of processes; answers what they printed."""
        printed = []
        for process in processes:
            found = process.wait(seconds)
            printed.append(process.log.read_text())
            self.assertEqual(found, code, printed[-1][-3000:])
        return printed

    def arrays(self, workdir, move):
        folder = workdir / "checkpoints" / f"move_{move:08d}"
        reader = tf.train.load_checkpoint(str(folder / "arrays"))
        return {
            name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if not name.startswith("_CHECK") and "trackers" not in name
        }

    def alone(self, workdir, *more):
        """Trains in one process; answers what it printed."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "recipes.train", *WORDS, *more),
                f"--workdir={workdir}",
            ],
            cwd=ROOT,
            env=harness.child_environment(),
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def wait_for_a_checkpoint(self, workdir, process):
        """Waits until a run has saved; answers the newest move."""
        end = time.monotonic() + 120
        while not list((workdir / "checkpoints").glob("move_*")):
            self.assertLess(time.monotonic(), end)
            self.assertIsNone(process.poll(), process.log.read_text()[-2000:])
            time.sleep(0.1)

    def newest(self, workdir):
        kept = sorted((workdir / "checkpoints").glob("move_*"))[-1]
        return int(kept.name.removeprefix("move_"))

    def assert_learned_alike(self, ours, theirs):
        self.assertEqual(set(ours), set(theirs))
        for name, array in theirs.items():
            gap = np.abs(np.float64(ours[name]) - array).max()
            self.assertLess(gap, 2e-4, name)  # a tenth of one of Adam's steps

    def test_processes_and_replicas_learn_what_one_does(self):
        shared = self.folder / "shared"
        best = "--config.best.keep=1", "--config.best.pictures=4"
        self.ends(self.start(*best, workdir=shared), 0)
        alone, mirrored = self.folder / "alone", self.folder / "mirrored"
        self.assertEqual(self.alone(alone)[0], 0)
        halves = "--strategy=mirrored", "--replicas=2"
        code, printed = self.alone(mirrored, *halves)
        self.assertEqual(code, 0, printed)
        self.assertIn("in float32 on CPU:0, CPU:1; run directory", printed)
        theirs = self.arrays(alone, 4)
        self.assert_learned_alike(self.arrays(shared, 4), theirs)
        self.assert_learned_alike(self.arrays(mirrored, 4), theirs)
        # What only the first worker measures is kept by it alone.
        scores = (shared / "best" / "scores.jsonl").read_text().splitlines()
        self.assertLen(scores, 2)
        self.assertLen(list((shared / "best").glob("move_*")), 1)
        # A worker that sees another run directory would go another way.
        each = (), (f"--workdir={self.folder / 'elsewhere'}",)
        more = (*best, "--config.train.moves=6")
        for printed in self.ends(
            self.start(*more, workdir=shared, each=each), 2
        ):
            self.assertIn(
                "Error: The workers differ in newest checkpoint in --workdir, "
                "which all must share: worker 0 has move 4, worker 1 has move "
                "0.",
                printed,
            )
        start = self.arrays(alone, 2)
        moved = [n for n, a in theirs.items() if not np.allclose(a, start[n])]
        self.assertGreater(len(moved), 20)

    def test_workers_with_other_configs_are_refused_by_key(self):
        workdir = self.folder / "torn"
        each = ((), ("--config.train.seed=5",))
        for printed in self.ends(self.start(workdir=workdir, each=each), 2):
            self.assertIn(
                "Error: The workers differ in config.train.seed: worker 0 has "
                "0, worker 1 has 5.",
                printed,
            )
        self.assertFalse(workdir.exists())

    def test_deaths_end_all_and_the_run_goes_on_until_it_is_stopped(self):
        workdir = self.folder / "killed"
        more = "--config.train.moves=2000"
        for killed in (1, 0):
            workers = self.start(more, workdir=workdir)
            self.wait_for_a_checkpoint(workdir, workers[0])
            before = self.newest(workdir)
            end = time.monotonic() + 120
            while self.newest(workdir) == before:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.1)
            workers[killed].send_signal(signal.SIGKILL)
            (printed,) = self.ends([workers[1 - killed]], 75, seconds=30)
            self.assertIn("Error: Another worker stopped", printed)
            self.assertIn("goes on from its last checkpoint", printed)
        move = self.newest(workdir)
        chief, other = self.start(more, workdir=workdir)
        end = time.monotonic() + 120
        while self.newest(workdir) == move:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        other.send_signal(signal.SIGTERM)  # and the chief hears nothing
        printed = self.ends([chief, other], 128 + signal.SIGTERM, seconds=60)
        self.assertIn(f"Going on from move {move:,}.", printed[0])
        now = self.newest(workdir)
        for each in printed:
            self.assertIn(f"Stopped by SIGTERM after move {now:,};", each)
        rest = f"--config.train.moves={now // 2 * 2 + 2}"
        printed, _ = self.ends(self.start(rest, workdir=workdir), 0)
        self.assertIn(f"Going on from move {now:,}.", printed)


if __name__ == "__main__":
    tf.test.main()
