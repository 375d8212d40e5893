# SPDX-License-Identifier: Apache-2.0
"""The power goes: what a disk image holds at any moment is all that is left."""
import copy
import os
import subprocess
import tempfile

import rig

IMAGE_MIB = 64


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise rig.Skip(f"{' '.join(words)}: {done.stderr.strip()}")


class Disk:
    """An ext4 of its own in a file. A copy of the file is what a power cut leaves. Needs root."""

    def __init__(self, folder, image=None):
        self.image = image or os.path.join(folder, "disk.img")
        self.path = tempfile.mkdtemp(prefix="stint-power-")
        if image is None:
            with open(self.image, "wb") as file:
                file.truncate(IMAGE_MIB << 20)
            command("mkfs.ext4", "-q", "-F", self.image)
        try:
            command("mount", "-o", "loop", self.image, self.path)
        except rig.Skip:
            os.rmdir(self.path)
            raise

    def cut(self, to):
        command("cp", "--sparse=always", self.image, to)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        subprocess.run(["umount", self.path], check=True)
        os.rmdir(self.path)


class Cut:
    """A copy of the disk, and what was acknowledged and seen before it was made."""

    def __init__(self, world, disk, number):
        self.image = world.place.path(f"cut-{number}.img")
        disk.cut(self.image)
        self.books = copy.deepcopy(world.books)
        self.lines = world.tool.lines()
        self.marks = world.marks()

    def judge(self, world, report):
        """As the power left it; and after the recovery."""
        kept = world.books, world.place.store
        with Disk(None, self.image) as disk:
            store = os.path.join(disk.path, "stint.db")
            world.books, world.place.store = self.books, "sqlite:" + store
            try:
                report.laws.update(rig.oracle.judge(store, self.lines, self.books, self.marks,
                                                    at_rest=False))
                world.settle_down()
                self.books.granted, self.books.resolved = set(self.books.granted), set()
                report.laws.update(rig.oracle.judge(store, [], self.books, {}))
            finally:
                world.books, world.place.store = kept
        os.unlink(self.image)


def power_cuts(rng, size, report):
    """I21, I4, I1: every acknowledged row is in the image that a power cut leaves (Z3)."""
    lives, cuts_of_one = {"short": (3, 5), "long": (12, 10)}[size]
    if os.geteuid() != 0:
        raise rig.Skip("a disk image cannot be mounted without root")
    with tempfile.TemporaryDirectory(prefix="stint-power-") as folder, Disk(folder) as disk, \
            rig.World(rng, folder=disk.path) as world:
        cuts, acknowledged = [], 0
        report.plan("cut", lives * cuts_of_one)
        for _ in range(lives):
            with world.life() as daemon:
                for _ in range(cuts_of_one):
                    for _ in range(rng.randrange(1, 5)):
                        world.submit(daemon)
                    if rng.random() < 0.3:
                        world.approve(daemon)
                    daemon.signal(rig.signal.SIGSTOP)
                    cuts.append(Cut(world, disk, len(cuts)))
                    daemon.signal(rig.signal.SIGCONT)
                    report.fire("cut")
                daemon.kill()
        world.settle_down()
        report.judged(world, world.judge())
        for cut in cuts:
            acknowledged += len(cut.books.runs)
            cut.judge(world, report)
    report.figure(acknowledged_runs_looked_for=acknowledged)
