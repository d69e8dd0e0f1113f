"""The ground of one leg: topics of its own on the shared cluster, a Redis, daemons, a load, the checker, and who watches."""
import csv
import glob
import io
import json
import os
import random
import shutil
import subprocess
import time

from harness import BIN, read_topic
from listener import Listener
from load import Load
from proxy import Relay
from servers import Redis, Sentinels
from watch import Watch, Watched, until

SESSION_S = 6  # the shortest that config/config.def allows
RECOVERY_S_MAX = 90
EXIT_UNAVAILABLE = 69  # of lifecyclectl: a server does not answer


class Stuck(AssertionError):
    """No progress after a fault was over."""


class SmallDisk:
    """A file system of its own under a folder (root only); fill() leaves no byte."""

    def __init__(self, folder, megabytes):
        self.folder, self.filler = folder, os.path.join(folder, "filler")
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)

    def fill(self):
        fill(self.filler)

    def free(self):
        os.unlink(self.filler)

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=False)


def fill(path):
    with open(path, "ab", buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while f.write(b"\0" * size):
                    pass
            except OSError:
                pass


class Ground:
    """`store`: redis, sentinel, disk (a Redis on a file system that can be filled). `relayed`: daemons come through relays."""

    def __init__(self, cluster, work, name, store="redis", relayed=False, clock="event", daemons=2, partitions=4, seed=1, rate=100,
                 settings=None, program=None, alarms=None):
        self.cluster, self.work, self.name = cluster, os.path.join(work, name), name
        self.clock, self.partitions, self.seed, self.program = clock, partitions, seed, program
        self.chance = random.Random(seed)
        self.settings, self.alarms = settings or {}, alarms
        self.topics = {k: f"{name}-{k}" for k in ("events", "alerts", "dead", "control")}
        self.relayed, self.relay, self.disk, self.sentinels = relayed, None, None, None
        os.makedirs(self.work, exist_ok=True)
        if store == "disk":
            self.disk = SmallDisk(os.path.join(self.work, "redis"), 48)
        if store == "sentinel":
            self.sentinels = Sentinels(self.work, down_ms=1000)
        else:
            self.redis = Redis(self.work, options=["--aof-load-truncated", "yes"], fresh=store != "disk")
        self.count = daemons
        self.rate = rate
        self.daemons, self.extra_recovery, self.hold_s, self.number = [], [], 0, 0
        self.load = self.listener = self.watch = None

    # --- up and down ---

    def __enter__(self):
        try:
            (self.sentinels or self.redis).start()
            if self.relayed:
                self.relay = Relay(self.redis.port)
            self.cluster.create(self.topics.values(), self.partitions)
            for i in range(self.count):
                self.add("abcdefgh"[i], **(self.fake_time("abcdefgh"[i]) if self.clock == "wall" else {}))
            self.watch = Watch(self.daemons)
            self.watch.start()
            self.listener = Listener(self.cluster.bootstrap, self.topics["alerts"], self.partitions)
            self.listener.start()
            self.new_load(self.seed)
            self.recovered(time.monotonic(), 120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.load and not self.load.ending.is_set():
            self.load.ending.set()
            self.load.join()
            self.load.producer.purge()
        for part in (self.watch, self.listener):
            if part and part.is_alive():
                part.stop()
        if self.alarms:
            self.alarms.forget({d.http for d in self.daemons})
        for daemon in self.daemons:
            daemon.kill()
            daemon.notify.close()
        (self.sentinels or self.redis).stop()
        if self.relay:
            self.relay.close()
        if self.disk:
            self.disk.close()
        self.cluster.delete(self.topics.values())

    def new_load(self, seed):
        self.load = Load(self.cluster.bootstrap, self.topics["events"], self.partitions, seed, self.clock, self.rate)
        self.load.start()

    def config(self, name, **more):
        redis = {"address": f"127.0.0.1:{self.relay.port}" if self.relay else self.redis.address, "command_timeout": "3s"} \
            if not self.sentinels else {"sentinels": self.sentinels.list, "master": self.sentinels.master,
                                        "connect_timeout": "500ms", "command_timeout": "3s"}
        config = {
            "app": self.name, "name": f"{self.name}-{name}", "clock": self.clock,
            "kafka": {"brokers": self.cluster.relayed if self.relayed else self.cluster.bootstrap,
                      "session_timeout": f"{SESSION_S}s", "input_topic": self.topics["events"],
                      "alerts_topic": self.topics["alerts"], "dead_letter_topic": self.topics["dead"],
                      "control_topic": self.topics["control"]},
            "redis": redis, "alerts": {"late_max": "36500d"}, "batch": {"lazy_commit": "1s"},
            # The reference would learn at other times than the daemons do; only a rebuild, which replays what was learned, may learn.
            "insight": {"every": "5s" if self.clock == "wall" else "0s", "buyers_min": 50, "look": "1s"},
        }
        for layer in (self.settings, more):
            for key, value in layer.items():
                config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
        return config

    def fake_time(self, name):
        """The daemon's wall clock is true plus what stands in a file; its monotonic clock is true."""
        path = os.path.join(self.work, f"clock-{name}")
        with open(path, "w") as f:
            f.write("+0\n")
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not library:
            raise RuntimeError("libfaketime is not installed")
        return {"LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def add(self, name, folder=None, **environment):
        """`folder`: another than that of the daemon that has this name already."""
        daemon = Watched(self.work, folder or name, self.config(name), environment, self.program)
        daemon.short = name
        daemon.start()
        self.daemons.append(daemon)
        if self.alarms:
            self.alarms.watch(daemon.http)
        return daemon

    def living(self):
        return [d for d in self.daemons if d.process.poll() is None]

    # --- progress ---

    def recovered(self, since, seconds=RECOVERY_S_MAX):
        """Seconds from `since` until a beacon published after it was told in every partition."""
        def all_told():
            first = self.listener.first_after(self.load.beacons, since, self.partitions)
            return max(first) if None not in first else None
        last = until(all_told, seconds, 0.02)
        if last is None:
            self.backtraces()
            first = self.listener.first_after(self.load.beacons, since, self.partitions)
            raise Stuck(f"no alert within {seconds} s of partitions {[p for p, t in enumerate(first) if t is None]}: "
                        f"{[(r['partition'], r['K'], r['R'], r['log_end']) for r in self.positions()]} (K, R, end); {self.why_stuck(since)}")
        return last - since

    def backtraces(self):
        """Where every daemon stands, into a file beside its log, for a failure."""
        for daemon in self.daemons if shutil.which("gdb") else ():
            if daemon.process.poll() is None:
                with open(os.path.join(daemon.folder, "backtrace"), "w") as f:
                    subprocess.run(["gdb", "-p", str(daemon.pid), "-batch", "-ex", "thread apply all bt 20"], stdout=f,
                                   stderr=subprocess.DEVNULL, check=False, timeout=60)

    def why_stuck(self, since):
        """Does another consumer see the alerts that the listener waits for? For whoever reads the failure."""
        waited = {name for at, name, _ in self.load.beacons if at >= since and name not in self.listener.arrived}
        there = {m.key().decode() for m in read_topic(self.cluster.bootstrap, self.topics["alerts"])}
        unstable = {m.key().decode() for m in read_topic(self.cluster.bootstrap, self.topics["alerts"], "read_uncommitted")}
        return (f"{len(waited)} beacons not told; of them {len(waited & there)} are in the topic, {len(waited & unstable)} read uncommitted; "
                f"errors of the listener: {self.listener.errors[-3:]}")

    def tool(self, command, *options, config=None):
        path = os.path.join(self.work, f"ctl-{command}.yaml")
        with open(path, "w") as f:
            json.dump(config or self.direct_config(), f)
        for _ in range(10):  # a coordinator on the move is no fault of the tool
            done = subprocess.run([os.path.join(BIN, "lifecyclectl"), command, "--config", path, *options], capture_output=True,
                                  text=True, timeout=300)
            if done.returncode != EXIT_UNAVAILABLE:
                break
            time.sleep(1)
        if done.returncode != 0:
            raise AssertionError(f"lifecyclectl {command}: status {done.returncode}: {done.stderr[-500:]}")
        return done.stdout

    def direct_config(self, **more):
        """For the tools: past every relay."""
        config = self.config("tool", **more)
        config["kafka"]["brokers"] = self.cluster.bootstrap
        if self.relay:
            config["redis"]["address"] = self.redis.address
        return config

    def positions(self, config=None):
        return [json.loads(line) for line in self.tool("status", "--json", config=config).splitlines()]

    def applied(self, config=None):
        rows = self.positions(config)
        return all(r["R"] is not None and r["R"] >= r["log_end"] and (r["K"] or 0) >= r["log_end"] for r in rows)

    def wait_applied(self, seconds=180, config=None):
        if not until(lambda: self.applied(config), seconds, 0.5):
            self.backtraces()
            raise Stuck(f"not everything is applied and delivered after {seconds} s: {self.positions(config)}")

    def export(self, config=None):
        text = self.tool("export", "--at", "2027-06-01", config=config)
        return {row["customer"]: row for row in csv.DictReader(io.StringIO(text))}
