#!/usr/bin/env python3
"""Real processes, real servers, real faults: kill -9 at random moments, Redis killed and restored to an older prefix of its log.

One fixed stream of events is folded twice: undisturbed, and under the faults. Afterwards an independent client reads the alerts
(read_committed) and the state is exported: alerts must be the same set, none twice, and the state the same to the byte.

    ./dev faults [--kills 50] [--rollbacks 10] [--customers 3000] [--seed 1] [--work DIR] [--csv FILE]
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from harness import BIN, Kafka, World, alert_identity, check, wait_for  # noqa: E402

AT = "2026-06-01"


class Feed:
    """Events published at a steady rate by `lifecyclectl simulate` or `import`, so that faults fall into a moving stream."""

    def __init__(self, world, options):
        path = os.path.join(world.work, "feed.yaml")
        import json
        with open(path, "w") as f:
            json.dump(world.config("feed"), f)
        self.process = subprocess.Popen([os.path.join(BIN, "lifecyclectl"), options[0], "--config", path, *options[1:]],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def running(self):
        return self.process.poll() is None

    def wait(self):
        check(self.process.wait(900) == 0, "the feed failed")


def feed_options(customers, seed, path, rate):
    pace = ["--rate", str(rate)] if rate else []
    if path:
        return ["import", path, *pace]
    return ["simulate", "--customers", str(customers), "--seed", str(seed), *pace]


def outcome(world):
    world.wait_applied(300)
    rows = world.export(AT)
    return rows, alert_identity(world.alerts())


def undisturbed(work, kafka, options):
    with World(work, kafka) as w:
        w.daemon("a")
        w.daemon("b")
        Feed(w, options).wait()
        return outcome(w)


def kill_one(world, chance):
    """kill -9 one of the daemons, at once started again under the same name, as systemd would; seconds until it lives again."""
    victim = chance.choice(world.daemons)
    victim.process.send_signal(signal.SIGKILL)
    victim.process.wait()
    victim.start()


def cut(path, share):
    """Cuts an append-only file to `share` of it, most often inside of a transaction. Redis 7.0 then forgets the half transaction
    but leaves its MULTI in the file, and the restart after that runs the half: the daemon must notice (state/store_inner.h)."""
    with open(path, "r+b") as f:
        f.truncate(int(os.path.getsize(path) * share))


def roll_back(world, chance):
    """Redis dies and comes back with an older prefix of its append-only file."""
    world.redis.kill()
    folder = world.redis.aof_folder
    for name in sorted(os.listdir(folder)):
        if name.endswith(".incr.aof"):
            cut(os.path.join(folder, name), chance.uniform(0.0, 0.98))
    world.redis.start()


def disturbed(work, kafka, options, kills, rollbacks, seed, progress):
    chance = random.Random(seed)
    recoveries = []
    with World(work, kafka, redis_options=["--aof-load-truncated", "yes"]) as w:
        w.daemon("a")
        w.daemon("b")
        feed = Feed(w, options)
        plan = ["kill"] * kills + ["rollback"] * rollbacks
        chance.shuffle(plan)
        for number, what in enumerate(plan, 1):
            time.sleep(chance.uniform(0.05, 1.2))
            begun = time.monotonic()
            if what == "kill":
                kill_one(w, chance)
            else:
                roll_back(w, chance)
            recoveries.append((what, time.monotonic() - begun))
            progress(number, len(plan), what, feed.running())
        feed.wait()
        return outcome(w)


def battery(work, kafka, kills, rollbacks, customers, seed, path=None, rate=0, progress=lambda *_: None):
    """Runs both and compares; a dictionary for the table."""
    rate = rate or max(200, int(customers * 30 / max(10, (kills + rollbacks) * 0.8)))
    plain_rows, plain_alerts = undisturbed(os.path.join(work, "plain"), kafka, feed_options(customers, seed, path, 0))
    rows, alerts = disturbed(os.path.join(work, "faults"), kafka, feed_options(customers, seed, path, rate), kills, rollbacks,
                             seed, progress)
    wrong_rows = [c for c in plain_rows.keys() | rows.keys() if plain_rows.get(c) != rows.get(c)]
    missing, surplus = plain_alerts - alerts, alerts - plain_alerts
    for c in wrong_rows[:3]:
        print(f"  {c}: undisturbed {plain_rows.get(c)}\n  {c}: with faults {rows.get(c)}", file=sys.stderr)
    return {"kills": kills, "rollbacks": rollbacks, "customers": len(rows), "alerts": len(alerts), "missing": len(missing),
            "surplus": len(surplus), "wrong_state": len(wrong_rows), "wrong": len(missing) + len(surplus) + len(wrong_rows)}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--kills", type=int, default=50, help="kill -9 of a daemon (default 50)")
    ap.add_argument("--rollbacks", type=int, default=10, help="Redis killed and restored to an older prefix (default 10)")
    ap.add_argument("--customers", type=int, default=3000)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--rate", type=int, default=0, help="events a second of the disturbed run (default: fits the faults)")
    ap.add_argument("--csv", help="import this transaction log instead of simulating customers")
    ap.add_argument("--work", help="keep logs and data here")
    a = ap.parse_args()
    work = a.work or tempfile.mkdtemp(prefix="lifecycled-faults-")

    def progress(number, total, what, feeding):
        if sys.stderr.isatty():
            print(f"\r{number} of {total}: {what}{'' if feeding else ' (feed ended)'}      ", end="", file=sys.stderr, flush=True)

    with Kafka(work, "kafka") as kafka:
        result = battery(work, kafka, a.kills, a.rollbacks, a.customers, a.seed, a.csv, a.rate, progress)
    print(f"\n{'fault':<22}{'times':>7}{'lost':>7}{'duplicate':>11}{'wrong state':>13}")
    print(f"{'kill -9':<22}{result['kills']:>7}{result['missing']:>7}{result['surplus']:>11}{result['wrong_state']:>13}")
    print(f"{'Redis rolled back':<22}{result['rollbacks']:>7}{'(the same run)':>20}")
    print(f"{result['customers']} customers, {result['alerts']} alerts, each once; seed {a.seed}")
    if not a.work:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if result["wrong"] else 0)


if __name__ == "__main__":
    main()
