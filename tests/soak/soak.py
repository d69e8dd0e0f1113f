#!/usr/bin/env python3
"""The soak: one real broker, one real Redis and the release daemon at a steady load for hours; does anything grow?

The population is bounded and full after the first minutes: every customer lives through the same number of events, is deleted and
born again under a new name, and the first fill leaves lives of every age. The cache is too small for it, so it is full early and evicts
for the rest; and in the first minutes the daemon is stopped for a while now and then, so that the largest batches come early too. What
grows after that is a leak. Every sample is a row of samples.csv; the last line is the verdict on the *floor* of resident memory: the lowest
of the last ten minutes against the lowest of the ten minutes after the first ten. A burst (the machine stood still, a large batch followed)
takes memory and gives it back, and says nothing; a leak raises the floor. Medians are shown too. File descriptors and threads likewise.

    ./dev soak [--hours 2] [--rate 400] [--work DIR] [--json FILE]
    ./dev soak --samples FILE       judges the samples of another run, or of one under way
"""
import argparse
import csv
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import urllib.request
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from harness import DEAD, INPUT, Kafka, World, check, producer, read_topic, wait_for  # noqa: E402
from servers import free_ports  # noqa: E402

LIFE = 30          # events of one customer
SETTLE_S = 600     # what fills may fill until then
STALL_S = 10       # the daemon stands still for so long, once a minute, in the first half of that
WINDOW_S = 600     # a floor is the lowest value of so long
GROWTH_MAX = 0.01  # of the floor of resident memory


class Population:
    """Customers in every stage of a life of LIFE events; the next event of one of them is asked for again and again."""

    def __init__(self, size, seed):
        self.chance = random.Random(seed)
        self.name = list(range(size))
        self.age = [0] * size
        self.born = size
        self.number = 0
        self.poison = 0

    def step(self, slot):
        """(key, value) of the next event in the life of this customer."""
        self.number += 1
        customer, age = f"s{self.name[slot]:08}", self.age[slot]
        event = {"type": "track", "messageId": f"m{self.number}", "userId": customer,
                 "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "properties": {}}
        self.age[slot] += 1
        if age == 0:
            event["event"] = "Signed Up"
        elif age == LIFE - 1:
            event["event"] = "Delete"
            self.name[slot], self.age[slot], self.born = self.born, 0, self.born + 1
        elif age % 7 == 3:
            event["event"], event["properties"] = "Complaint Filed", {"ticket_id": f"t{age}"}
        elif age % 7 == 5:
            event["event"], event["properties"] = "Complaint Resolved", {"ticket_id": f"t{age - 2}"}
        elif age % 3 == 1:
            event["event"] = "Order Completed"
            event["properties"] = {"order_id": f"{customer}-{age}", "amount": f"{10 + age}.50", "currency": "EUR"}
        elif age % 11 == 2:
            event["event"], event["properties"] = "Survey Responded", {"metric": "nps", "score": self.chance.randrange(11)}
        else:
            event["event"] = "Page Viewed"
        return customer, json.dumps(event).encode()

    def any(self):
        """The next event of the stream: one in two hundred is poison."""
        if self.chance.random() < 0.005:
            self.poison += 1
            return f"p{self.poison % 1000}", self.chance.choice((b"not json", b"{", b"\xdd\xff\xff\xff\xff", b"[1,2,3]", b"{}"))
        return self.step(self.chance.randrange(len(self.name)))


class Load:
    """Publishes at a rate, without falling into bursts after a stall."""

    def __init__(self, world, population):
        self.producer = producer(world.kafka.bootstrap)
        self.population = population
        self.sent = 0

    def send(self, pair):
        while True:
            try:
                self.producer.produce(INPUT, pair[1], pair[0])
                break
            except BufferError:
                self.producer.poll(0.1)
        self.sent += 1
        self.producer.poll(0)

    def fill(self):
        """Every age of life is there from the first minutes on."""
        for slot in range(len(self.population.name)):
            for _ in range(1 + slot % (LIFE - 1)):
                self.send(self.population.step(slot))
        check(self.producer.flush(120) == 0, "the fill could not be published")

    def run(self, rate, seconds):
        begun, sent = time.monotonic(), 0
        while (now := time.monotonic() - begun) < seconds:
            due = min(int(now * rate), sent + rate // 4)
            for _ in range(due - sent):
                self.send(self.population.any())
            sent = max(sent, due)
            time.sleep(0.05)


def proc_status(pid):
    with open(f"/proc/{pid}/status") as f:
        rows = dict(line.split(":", 1) for line in f)
    return {k: int(rows[k].split()[0]) * 1024 for k in ("VmRSS", "RssAnon")} | {"threads": int(rows["Threads"])}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def metric(text, name):
    """The sum over its labels."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith(f"lifecycled_{name}{{") or line.startswith(f"lifecycled_{name} "))


METRICS = ("heap_bytes", "worker_memory_bytes", "cache_bytes", "cache_entries", "cache_evictions_total", "events_total",
           "alerts_total", "dead_letters_total", "partition_customers", "partition_lag_events", "worker_restarts_total")


def sample(world, daemon, port, begun):
    import redis
    pid = daemon.pid
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20).read().decode()
    info = redis.Redis(unix_socket_path=world.redis.socket).info("memory")
    row = {"seconds": round(time.monotonic() - begun), **proc_status(pid), "fds": len(os.listdir(f"/proc/{pid}/fd")),
           "cpu_s": round(cpu_seconds(pid), 2), "redis_used": info["used_memory"], "redis_rss": info["used_memory_rss"]}
    return row | {name: int(metric(text, name)) for name in METRICS}


def verdict(rows):
    """The window after the first ten minutes against the last one."""
    last = rows[-1]["seconds"]
    settle = min(SETTLE_S, last / 3)
    width = min(WINDOW_S, (last - settle) / 2)
    table = {}
    for name in ("VmRSS", "RssAnon", "heap_bytes", "worker_memory_bytes", "cache_bytes", "fds", "threads", "redis_used"):
        before = [row[name] for row in rows if settle <= row["seconds"] <= settle + width]
        after = [row[name] for row in rows if row["seconds"] >= last - width]
        table[name] = {"floor": min(before), "floor_end": min(after), "growth": (min(after) - min(before)) / max(1, min(before)),
                       "median": statistics.median(before), "median_end": statistics.median(after),
                       "highest": max(row[name] for row in rows if row["seconds"] >= settle)}
    return table


def show(table):
    print(f"\n{'':<22}{'floor':>13}{'at the end':>13}{'growth':>9}{'median':>13}{'at the end':>13}{'highest':>13}")
    for name, row in table.items():
        print(f"{name:<22}{row['floor']:>13.0f}{row['floor_end']:>13.0f}{row['growth']:>9.2%}{row['median']:>13.0f}"
              f"{row['median_end']:>13.0f}{row['highest']:>13.0f}")


def steady(table):
    return table["VmRSS"]["growth"] < GROWTH_MAX and table["fds"]["growth"] <= 0 and table["threads"]["growth"] <= 0


def stall(daemon, load, rate):
    daemon.process.send_signal(signal.SIGSTOP)
    load.run(rate, STALL_S)
    daemon.process.send_signal(signal.SIGCONT)


def soak(world, options):
    (port,) = free_ports(1)
    daemon = world.daemon("a", clock="wall", http={"listen": f"127.0.0.1:{port}"}, cache={"bytes_max": options.cache},
                          rules={"complaint_open": "60s"}, alerts={"late_max": "7d"})
    population = Population(options.customers, options.seed)
    load = Load(world, population)
    rows, begun = [], time.monotonic()
    load.fill()
    world.wait_applied(600)
    print(f"filled: {load.sent} events of {options.customers} customers in {time.monotonic() - begun:.0f} s", flush=True)
    with open(os.path.join(world.work, "samples.csv"), "w", newline="") as f:
        out = None
        while time.monotonic() - begun < options.hours * 3600:
            row = sample(world, daemon, port, begun)
            rows.append(row)
            out = out or csv.DictWriter(f, row.keys())
            if len(rows) == 1:
                out.writeheader()
            out.writerow(row)
            f.flush()
            check(daemon.process.poll() is None, "the daemon ended")
            if len(rows) % 2 and time.monotonic() - begun < SETTLE_S / 2:
                stall(daemon, load, options.rate)
            load.run(options.rate, min(options.every, max(0.1, options.hours * 3600 - (time.monotonic() - begun))))
    load.producer.flush(60)
    world.wait_applied(300)
    rows.append(sample(world, daemon, port, begun))
    dead = len(read_topic(world.kafka.bootstrap, DEAD))
    return rows, load, dead


def report(rows, load, dead, options):
    table = verdict(rows)
    first = next(row for row in rows if row["seconds"] >= min(SETTLE_S, rows[-1]["seconds"] / 3))
    seconds = rows[-1]["seconds"] - first["seconds"]
    show(table)
    print(f"{load.sent} events in {rows[-1]['seconds']} s, then {options.rate} a second; {(rows[-1]['cpu_s'] - first['cpu_s']) / seconds:.1%} "
          f"of a core; {rows[-1]['alerts_total']} alerts; {dead} dead letters of {load.population.poison} poison records")
    good = steady(table) and dead == load.population.poison and rows[-1]["worker_restarts_total"] == 0
    print("PASSED: nothing grows" if good else "FAILED")
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"passed": good, "events": load.sent, "poison": load.population.poison, "dead": dead, "table": table,
                       "last": rows[-1]}, f, indent=1)
    return good


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--hours", type=float, default=2)
    ap.add_argument("--rate", type=int, default=400, help="events a second")
    ap.add_argument("--customers", type=int, default=20000, help="alive at any time")
    ap.add_argument("--cache", default="6MiB", help="cache.bytes_max of the daemon: too small for all of them")
    ap.add_argument("--every", type=float, default=30, help="seconds between samples")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--work", help="keep logs, data and samples.csv here")
    ap.add_argument("--samples", help="judge this samples.csv only")
    ap.add_argument("--json", help="write the result here too")
    options = ap.parse_args()
    if options.samples:
        with open(options.samples) as f:
            table = verdict([{k: float(v) for k, v in row.items()} for row in csv.DictReader(f)])
        show(table)
        sys.exit(0 if steady(table) else 1)
    work = options.work or tempfile.mkdtemp(prefix="lifecycled-soak-")
    properties = {"log.segment.bytes": 64 << 20, "log.retention.check.interval.ms": 30000}
    with Kafka(work, "kafka", heap="512m", properties=properties) as kafka, World(work, kafka) as world:
        good = report(*soak(world, options), options)
    if not options.work:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
