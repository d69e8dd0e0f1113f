"""Upgrade and roll-back with daemons of two versions in one group, on real servers.

The version after this one is a build of its own (`cmake --preset next`, LC_BIN_NEXT): its fold level 2 counts the events of a customer in
a record of version 2. Step by step as docs/OPERATIONS.md says; the state must be what a rebuild from Kafka gives, byte by byte, and every alert
once.

    upgrade.py WORKDIR
"""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from datetime import datetime, timedelta, timezone  # noqa: E402

import harness  # noqa: E402
from harness import ROOT, Kafka, World, alert_identity, check, wait_for  # noqa: E402

NOW = harness.BIN
NEXT = os.environ.get("LC_BIN_NEXT", os.path.join(ROOT, "build/next"))
START = datetime(2025, 1, 1, tzinfo=timezone.utc)
CUSTOMERS = 300


class Stream:
    """Orders and views, every customer again in every stretch; time goes on."""

    def __init__(self):
        self.number = 0

    def stretch(self, count):
        for _ in range(count):
            self.number += 1
            customer = f"u{self.number * 7 % CUSTOMERS:04}"
            when = (START + timedelta(minutes=17 * self.number)).strftime("%Y-%m-%dT%H:%M:%SZ")
            event = {"messageId": f"m{self.number}", "userId": customer, "timestamp": when}
            if self.number % 4 == 0:
                event |= {"event": "Order Completed",
                          "properties": {"order_id": f"o{self.number}", "amount": "20.00", "currency": "EUR"}}
            else:
                event |= {"event": "Page Viewed"}
            yield customer, event


def run_as(daemon, binaries, level=None):
    """Stops the daemon and starts it again as the build in this folder, on this level."""
    daemon.stop()
    harness.BIN = binaries
    daemon.config.pop("upgrade", None)
    if level is not None:
        daemon.config["upgrade"] = {"fold_level": level}
    daemon.start()


def records(world):
    """Every record and ledger as stored, and the level of each partition."""
    import redis
    r = redis.Redis(unix_socket_path=world.redis.socket)
    state = {}
    for p in range(world.partitions):
        for kind in "bl":
            for n in range(int(r.hget(f"{{test:{p}}}:m", "buckets") or 0)):
                state.update({(kind, k): v for k, v in r.hgetall(f"{{test:{p}}}:{kind}:{n}").items()})
    levels = {p: int((r.hget(f"{{test:{p}}}:m", "cfg") or b"")[16:] or b"1", 16) for p in range(world.partitions)}
    return state, levels


def versions(state):
    """How many records are of each version: the second item of the array."""
    count = {}
    for (kind, _), value in state.items():
        if kind == "b":
            count[value[1]] = count.get(value[1], 0) + 1
    return count


def ctl_of(binaries, world, *args):
    harness.BIN = binaries
    return world.ctl(*args)


def at_level(world, level, record_versions):
    state, levels = records(world)
    return set(levels.values()) == {level} and set(versions(state)) <= record_versions


def publish(world, stream, count=1500):
    world.publish(stream.stretch(count))
    harness.BIN = NEXT
    world.wait_applied()


def rebuilt(world, a, b, alerts):
    """The records after a rebuild from Kafka by the next version on level 1."""
    a.stop()
    b.stop()
    subprocess.run(["redis-cli", "-s", world.redis.socket, "FLUSHALL"], check=True, stdout=subprocess.DEVNULL)
    for d in (a, b):
        run_as(d, NEXT, 1)
    harness.BIN = NEXT
    world.wait_applied()
    check(alert_identity(world.alerts()) == alerts, "the rebuild told something")
    return records(world)[0]


def drill(world):
    stream = Stream()
    a, b = world.daemon("a"), world.daemon("b")
    publish(world, stream)
    before = records(world)[1]
    run_as(b, NEXT, 1)
    publish(world, stream)
    check(records(world)[1] == before and versions(records(world)[0]).keys() == {1}, "the next version on level 1 wrote something else")
    switches = sum(r["C"] for r in world.status())
    for d in (a, b):  # partitions move between the versions
        d.stop()
        publish(world, stream, 300)
        harness.BIN = NOW if d is a else NEXT
        d.start()
        publish(world, stream, 300)
    check(sum(r["C"] for r in world.status()) == switches, "two versions on one level switched parameters")
    print("  both versions on level 1: same parameters, same records, partitions moved both ways", flush=True)

    run_as(a, NEXT, 1)
    publish(world, stream)
    run_as(a, NEXT)
    run_as(b, NEXT)
    publish(world, stream)
    wait_for("level 2 everywhere", 60, lambda: set(records(world)[1].values()) == {2})
    publish(world, stream)
    state, _ = records(world)
    check(versions(state).get(2, 0) == CUSTOMERS, f"records: {versions(state)}")
    print(f"  level 2: {versions(state)[2]} records of version 2", flush=True)

    a.stop()
    harness.BIN = NOW
    a.config.pop("upgrade", None)
    a.start()  # an old one by mistake
    wait_for("the old version to say that it waits", 60, lambda: "version-newer" in a.text().rsplit("code=starting", 1)[-1], 0.5)
    world.publish(stream.stretch(300))
    time.sleep(3)
    check(set(records(world)[1].values()) == {2} and "rebuild" not in a.text().rsplit("code=starting", 1)[-1],
          "the old version touched a newer state")
    run_as(a, NEXT)
    harness.BIN = NEXT
    world.wait_applied()
    print("  the old version waits with version-newer and touches nothing", flush=True)

    run_as(a, NEXT, 1)
    run_as(b, NEXT, 1)
    wait_for("level 1 everywhere, no record of version 2", 90, lambda: (publish(world, stream, 20) or at_level(world, 1, {1})), 0.5)
    publish(world, stream)
    run_as(a, NOW)
    publish(world, stream, 600)
    run_as(b, NOW)
    publish(world, stream)
    harness.BIN = NOW
    world.wait_applied()
    for d in (a, b):
        check("rebuild" not in d.text().rsplit("code=starting", 1)[-1], "the old version rebuilt")
    state, alerts = records(world)[0], alert_identity(world.alerts())
    check(versions(state).keys() == {1}, f"records after the roll-back: {versions(state)}")
    again = rebuilt(world, a, b, alerts)
    different = [k for k in state.keys() | again.keys() if state.get(k) != again.get(k)]
    check(not different, f"{len(different)} records differ from a rebuild, such as {different[:2]}")
    print(f"  back on the old version: {len(state)} records equal to a rebuild from Kafka, {len(alerts)} alerts once each", flush=True)


def main():
    work = sys.argv[1]
    shutil.rmtree(work, ignore_errors=True)
    check(os.path.exists(os.path.join(NEXT, "lifecycled")), f"no build of the next version in {NEXT}: ./dev build next")
    with Kafka(work, "kafka") as kafka, World(os.path.join(work, "upgrade"), kafka, partitions=2) as world:
        drill(world)
    print("passed")


if __name__ == "__main__":
    main()
