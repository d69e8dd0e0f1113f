"""The doors: Redis through Sentinel, encrypted and authenticated Kafka and Redis, secrets that change while the daemon runs.

    doors.py WORKDIR [CASE ...]
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date, datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BIN, Kafka, World, alert_identity, check, create_topics, wait_for  # noqa: E402
from main_job import compare_with_models, data_file, made_log, order  # noqa: E402
from servers import Sentinels  # noqa: E402


class SentinelWorld(World):
    """A World whose Redis is a primary with a replica behind Sentinels."""

    def __init__(self, work, kafka, password=None, **more):
        super().__init__(work, kafka, **more)
        self.redis = self.sentinels = Sentinels(work, password=password)

    def config(self, name, **more):
        redis = {"sentinels": self.sentinels.list, "master": self.sentinels.master, "connect_timeout": "500ms", **more.pop("redis", {})}

        class Nowhere:
            address = None
        self.redis = Nowhere
        try:
            config = super().config(name, **more)
        finally:
            self.redis = self.sentinels
        config["redis"] = {**redis, **self.settings.get("redis", {})}
        return config


def secret_file(folder, name, text):
    """Written whole or not at all; readable by us alone."""
    path = os.path.join(folder, name)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(text + "\n")
    os.rename(path + ".new", path)
    return path


def case_sentinel(kafka, work):
    """Sentinel: discovery, a primary killed, a planned failover, the old primary back; every figure right, no alert twice."""
    with SentinelWorld(work, kafka, settings={"events": {"future_max": "365d"}}) as w:
        s = w.sentinels
        path = os.path.join(work, "log.csv")
        made_log(path, 600, 11)
        with open(path) as f:
            head, *rows = f.readlines()
        parts = [os.path.join(work, f"part-{i}.csv") for i in range(4)]
        for i, part in enumerate(parts):
            with open(part, "w") as f:
                f.writelines([head] + rows[i * len(rows) // 4:(i + 1) * len(rows) // 4])
        daemon = w.daemon("a")
        w.ctl("import", parts[0])
        w.wait_applied(60)
        old = s.primary()
        check(old is s.redises[0], "the first Redis is not the primary")

        s.sentinels[1].kill()  # two of three are enough
        old.kill()
        w.ctl("import", parts[1])
        began = time.monotonic()
        new = wait_for("another primary", 30, lambda: (lambda p: p if p is not old else None)(s.primary()))
        elected = time.monotonic() - began
        w.wait_applied(60)
        print(f"  primary killed: elected after {elected:.1f} s, all applied after {time.monotonic() - began:.1f} s")
        check("redis-away" in daemon.text() or "redis-sentinel-away" in daemon.text(), "no word about the loss of Redis")
        s.start_sentinel(1)

        old.start()  # comes back as a primary of the past, until Sentinel has told it
        w.ctl("import", parts[2])
        w.wait_applied(60)
        check(s.primary() is new, "the old primary is the primary again")

        wait_for("the old primary is a replica", 60, s.settled)
        wait_for("a planned failover", 60, lambda: "OK" in s.ask(0, "SENTINEL", "FAILOVER", s.master) or s.primary() is old, 0.5)
        w.ctl("import", parts[3])
        wait_for("the planned failover", 60, lambda: s.primary() is old)
        w.wait_applied(60)

        count = compare_with_models(w, path, date(2024, 7, 1))
        alerts = alert_identity(w.alerts())
        daemon.stop()
        again = w.daemon("b")  # a process that knows nothing finds it too
        w.wait_applied(60)
        check(again.process.poll() is None, "the second daemon ended")
        check(alert_identity(w.alerts()) == alerts, "a second process raised alerts")
        print(f"  {count} customers, {len(alerts)} alerts")


def case_sentinel_refused(kafka, work):
    """Wrong password at the Sentinels, a minority of them, an unknown master: the words; then the password file is put right."""
    with SentinelWorld(work, kafka, password="watchman") as w:
        path = secret_file(work, "sentinel-password", "wrong")
        daemon = w.daemon("a", redis={"sentinel_password_file": path})
        wait_for("the refusal", 30, lambda: "redis-sentinel-refused" in daemon.text())
        check("watchman" not in daemon.text() and "wrong\n" not in daemon.text(), "a password in the log")
        secret_file(work, "sentinel-password", "watchman")
        daemon.process.send_signal(signal.SIGHUP)
        w.settings = {"redis": {"sentinel_password_file": path}}
        w.publish([order("anna", datetime(2024, 1, 1), 10, 1)])
        w.wait_applied(60)
        for i in (1, 2):
            w.sentinels.sentinels[i].kill()
        second = w.daemon("b", redis={"sentinel_password_file": path})
        wait_for("the words about a minority", 30, lambda: "1 of 3 Sentinels answered, 2 have to" in second.text())
        w.publish([order("anna", datetime(2024, 1, 2), 10, 2)])
        for i in (1, 2):
            w.sentinels.start_sentinel(i)
        w.wait_applied(60)
        third = w.daemon("c", redis={"sentinel_password_file": path, "master": "nobody"})
        wait_for("the words about the name", 30, lambda: "No such master" in third.text() and "redis.master" in third.text())


CASES = [case_sentinel, case_sentinel_refused]
OWN_KAFKA = []  # cases that start a broker of their own


def main():
    work, *names = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    cases = [c for c in CASES + OWN_KAFKA if not names or c.__name__[5:] in names]
    kafka = Kafka(work).start() if any(c in CASES for c in cases) else None
    try:
        for case in cases:
            print(f"{case.__name__[5:]}: {case.__doc__.splitlines()[0]}", flush=True)
            began = time.monotonic()
            case(kafka, os.path.join(work, case.__name__[5:]))
            print(f"  ok ({time.monotonic() - began:.0f} s)", flush=True)
    finally:
        if kafka:
            kafka.stop()


if __name__ == "__main__":
    main()
