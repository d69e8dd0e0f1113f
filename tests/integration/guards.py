"""Time and its guards on real servers, with a clock of the workers that runs some ten thousand times as fast (LIFECYCLED_TEST_CLOCK):
an outage of a month beside a run without one, a mass event, and a partition rebuilt from nothing but Kafka.

    guards.py WORKDIR [CASE ...]
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import msgpack  # noqa: E402
import redis  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from harness import (BIN, Daemon, Kafka, World, alert_identity, check, create_topics, delete_topics,  # noqa: E402
                     headers_of, read_topic, wait_for)
from servers import free_ports  # noqa: E402

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
LEAD = 20 * HOUR  # events are published so long before their time: the way to the daemon takes real time, an hour of theirs


class Time:
    """The clock that the daemons get: at the machine's `real` it is `start`, and runs at `rate`."""

    def __init__(self, start, rate):
        self.real, self.start, self.rate = int(time.time() * 1000), start, rate

    def now(self):
        return self.start + int((time.time() * 1000 - self.real) * self.rate)

    def wait(self, until):
        left = (until - self.now()) / self.rate / 1000
        if left > 0:
            time.sleep(left)

    def environment(self):
        return f"{self.real}:{self.start}:{self.rate}"


def long_ago(days):
    """A midnight: brokers take no records of the future, so tests live in the past."""
    return (int(time.time() * 1000) // DAY - days) * DAY


def text_of(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms_of(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class FastDaemon(Daemon):
    """One lifecycled whose workers have the clock."""

    def begin(self, clock):
        os.environ["LIFECYCLED_TEST_CLOCK"] = clock.environment()
        try:
            return self.start()
        finally:
            del os.environ["LIFECYCLED_TEST_CLOCK"]


def topics_of(app):
    return {"input_topic": f"{app}-events", "alerts_topic": f"{app}-alerts", "dead_letter_topic": f"{app}-dead",
            "control_topic": f"{app}-control"}


def fast_daemon(world, app, clock, topics=None, **more):
    settings = {"app": app, "clock": "wall", "alerts": {"late_max": "7d"}, "batch": {"tick": "60s", "poll": "10ms", "lazy_commit": "60s"},
                **more}
    settings["kafka"] = {**(topics or topics_of(app)), **settings.get("kafka", {})}
    daemon = FastDaemon(world.work, f"daemon-{app}", world.config(app, **settings))
    world.daemons.append(daemon)
    return daemon.begin(clock)


def meta_of(world, app, partition):
    r = redis.Redis(unix_socket_path=world.redis.socket)
    fields = r.hgetall(f"{{{app}:{partition}}}:m")
    meta = {k.decode(): v.decode() for k, v in fields.items()}
    if "guard" in meta:
        names = ("held", "held_ms", "heard", "gap", "hour", "alerts", "mean")
        meta["guard"] = dict(zip(names, (int(n) for n in meta["guard"].split(","))))
    return meta


def records_of(world, app, partitions):
    """Customer to the bytes of its record."""
    r, found = redis.Redis(unix_socket_path=world.redis.socket), {}
    for p in range(partitions):
        for n in range(int(meta_of(world, app, p)["buckets"])):
            found.update(r.hgetall(f"{{{app}:{p}}}:b:{n}"))
    return found


def ends_of(kafka, topic):
    return {(m.partition(), m.offset()) for m in read_topic(kafka.bootstrap, topic)}


# --- customers ---

def histories(customers, first, last, seed):
    """(time, customer, event) of people who buy in rhythms of days, look around, complain, and stop one day; by time."""
    r, events = random.Random(seed), []

    def add(at, who, **event):
        events.append((at, who, {"messageId": f"{who}-{len(events)}", "userId": who, "timestamp": text_of(at), **event}))
    for c in range(customers):
        who, at, gap = f"g{c:04}", first + r.randrange(12 * DAY), r.uniform(1.5, 7) * DAY
        stops = at + r.expovariate(1 / 60) * DAY
        while at < min(last, stops):
            add(at, who, event="Order Completed", order_id=f"o-{c}-{at}", amount_minor=r.randrange(500, 9000), currency="EUR")
            for _ in range(r.randrange(3)):
                look = at + r.randrange(3 * DAY)
                if look < min(last, stops):
                    add(look, who, event=r.choice(("Page Viewed", "Email Opened", "Complaint Filed", "Complaint Resolved")))
            at += int(max(HOUR, r.gauss(gap, gap / 4)))
    return sorted(events, key=lambda e: e[0])


# Stages that move within days, so that a month of silence would be the end of most.
BRISK = {"stage": {"population_gap": "4d", "gap_min": "1d", "decline_min": "3d", "churn_min": "8d"}}


class Publisher:
    def __init__(self, kafka, clock):
        self.kafka, self.clock = kafka, clock
        self.producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random", "linger.ms": 2})

    def send(self, topic, event, stamp, producer=None):
        (self.producer if producer is None else producer).produce(topic, json.dumps(event[2]).encode(), event[1], timestamp=stamp)

    def flush(self):
        check(self.producer.flush(60) == 0, "producer could not flush")

    def send_at_once(self, topic, events):
        """What waited in an outage arrives in one transaction."""
        p = Producer({"bootstrap.servers": self.kafka.bootstrap, "partitioner": "murmur2_random", "transactional.id": f"backlog-{topic}"})
        p.init_transactions()
        p.begin_transaction()
        stamp = self.clock.now()
        for event in events:
            self.send(topic, event, stamp, p)
        check(p.flush(30) == 0, "the backlog could not be sent")
        p.commit_transaction()
        return stamp


def get(port, page):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=10) as answer:
        return answer.read().decode()


# --- an outage ---

def live(publisher, events, topics, until, waits=None):
    """Publish what is due, LEAD before its time, until the clock says `until`; `waits`: the topic whose publisher is away."""
    kept = []
    while events and events[0][0] - LEAD < until:
        event = events.pop(0)
        publisher.clock.wait(event[0] - LEAD)
        stamp = max(event[0] - LEAD, publisher.clock.start)
        for topic in topics:
            if topic == waits:
                kept.append(event)
            else:
                publisher.send(topic, event, stamp)
        publisher.producer.poll(0)
    publisher.clock.wait(until)
    publisher.flush()
    return kept


def watch_catching_up(world, clock, app, since, seconds):
    """W of each partition until nothing holds it: never ahead of a day an hour. How long it took, of our time."""
    begun = {p: meta_of(world, app, p)["guard"]["held_ms"] for p in range(2)}
    over, samples, end = {}, 0, time.monotonic() + seconds
    while len(over) < 2:
        check(time.monotonic() < end, f"{app} does not catch up: {begun}, {over}")
        for p in range(2):
            meta = meta_of(world, app, p)
            allowed = begun[p] + 24 * (clock.now() - since)
            check(int(meta["W"]) <= allowed, f"partition {p}: W is {(int(meta['W']) - allowed) / HOUR:.1f} h ahead of a day an hour")
            samples += 1
            if meta["guard"]["held"] == 0:
                over.setdefault(p, clock.now())
        time.sleep(0.02)
    return max(over.values()) - since, samples


def finish(world, kafka, names, topics, customers, clock):
    """Stop; a last sign of life of everybody, at one time; start on a clock as slow as ours, so that nothing else happens."""
    daemons = [d for d in world.daemons if d.config["app"] in names]
    for daemon in daemons:
        daemon.stop()
    at = clock.now() + 2 * HOUR
    slow = Time(at + MINUTE, 1)
    last = Publisher(kafka, slow)
    for who in customers:
        event = (at, who, {"messageId": f"{who}-last", "userId": who, "event": "Page Viewed", "timestamp": text_of(at)})
        for topic in topics:
            last.send(topic, event, at)
    last.flush()
    for daemon in daemons:
        daemon.begin(slow)
    return slow


def case_silence(kafka, work):
    """Producers stop for a month: nobody churns; then it agrees with a run that never stopped."""
    start, clock_rate, customers = long_ago(150), 30_000, 300
    with World(work, kafka, partitions=2) as w:
        for app in ("held", "never", "open"):
            create_topics(kafka.bootstrap, 2, topics=tuple(topics_of(app).values()))
        clock = Time(start, clock_rate)
        (port,) = free_ports(1)
        guards = {"silence_min": "24h", "silence_gaps": 1}
        fast_daemon(w, "held", clock, guards={**guards, "storm": False}, http={"listen": f"127.0.0.1:{port}"}, **BRISK)
        fast_daemon(w, "never", clock, guards={**guards, "storm": False}, **BRISK)
        fast_daemon(w, "open", clock, {**topics_of("open"), "input_topic": "held-events"}, guards={"silence": False, "storm": False}, **BRISK)
        wait_for("all three live", 60, lambda: all(d.text().count("code=live") == 2 for d in w.daemons))
        publisher, topics, now = Publisher(kafka, clock), ("held-events", "never-events"), clock.now()
        away, back, end = now + 14 * DAY, now + 44 * DAY, now + 50 * DAY
        events = histories(customers, now + LEAD + HOUR, end + 2 * DAY, 7)
        everybody = sorted({e[1] for e in events})
        # before the outage
        live(publisher, events, topics, away)
        check(not any(meta_of(w, "held", p)["guard"]["held"] for p in range(2)), "time is held although records come")
        # the month
        kept = live(publisher, events, topics, back - DAY, waits="held-events")
        for p in range(2):
            meta = meta_of(w, "held", p)
            check(meta["guard"]["held"] == 1, f"partition {p} has heard nothing for weeks and its time is not held: {meta}")
            check(int(meta["W"]) <= away + 30 * HOUR, "W went on in the outage")
        ready, metrics = get(port, "/readyz"), get(port, "/metrics")
        check("ok" in ready and "silence guard on 2 partitions" in ready, f"/readyz says {ready!r}")
        check(len(re.findall(r'lifecycled_partition_held{[^}]*guard="silence"} 1', metrics)) == 2, "the metric does not say it")
        held_log = next(d for d in w.daemons if d.config["app"] == "held").text()
        check(held_log.count("silence-guard") == 2, f"the log says it {held_log.count('silence-guard')} times, not once a partition")
        kept += live(publisher, events, topics, back, waits="held-events")
        # and back
        since = publisher.send_at_once("held-events", kept)
        with ThreadPoolExecutor(1) as watcher:
            watched = watcher.submit(watch_catching_up, w, clock, "held", since, 60)
            live(publisher, events, topics, end)
            took, samples = watched.result()
        for app in ("held", "never"):
            wait_for(f"{app} has all", 60, lambda: sum(int(meta_of(w, app, p)["R"]) for p in range(2)) > 0)
        finish(w, kafka, ("held", "never"), topics, everybody, clock)
        for app in ("held", "never"):
            wait_for(f"everybody's last sign of life in {app}", 60,
                     lambda: all(int(meta_of(w, app, p)["guard"]["heard"]) > end and lag_of(kafka, w, app, p) == 0 for p in range(2)))
        compare(w, kafka, away, back)
        for app in ("held", "never", "open"):
            for d in w.daemons:
                d.stop()
            delete_topics(kafka.bootstrap, topics_of(app).values())
    print(f"  a month of outage, {len(kept)} events late; caught up in {took / HOUR:.1f} h of its time ({samples} samples of W)")


def lag_of(kafka, world, app, partition):
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "lag"})
    try:
        _, high = consumer.get_watermark_offsets(TopicPartition(f"{app}-events", partition), timeout=10)
    finally:
        consumer.close()
    return high - int(meta_of(world, app, partition)["R"])


def compare(world, kafka, away, back):
    held, never = (read_topic(kafka.bootstrap, f"{app}-alerts") for app in ("held", "never"))
    open_ = read_topic(kafka.bootstrap, "open-alerts")

    def during(records, churned_only):
        found = 0
        for m in records:
            h = headers_of(m)
            told = ms_of(h["ce_recordedtime"])
            if away + 36 * HOUR < told < back:
                found += not churned_only or json.loads(m.value())["stage"]["to"] == "churned"
        return found
    check(during(held, False) == 0, f"{during(held, False)} alerts went out in the outage")
    check(during(open_, True) > 50, f"without the guard only {during(open_, True)} would have churned: the test shows nothing")
    one, other = alert_identity(held), alert_identity(never)
    for name, records, only in (("after the outage", held, one - other), ("without one", never, other - one)):
        for m in [m for m in records if headers_of(m)["ce_id"] in only][:5]:
            h = headers_of(m)
            print(f"  only {name}: {m.key().decode()} {h['ce_type']} at {h['ce_time']} recorded {h['ce_recordedtime']} by {h['ce_causationid']}")
    check(one == other, f"alerts: {len(one)} and {len(other)}; {len(one - other)} only after the outage, {len(other - one)} only without")
    left, right = (records_of(world, app, 2) for app in ("held", "never"))
    check(set(left) == set(right), "the customers differ")
    differ = [c for c in left if left[c] != right[c]]
    check(not differ, f"{len(differ)} of {len(left)} states differ, such as {differ[:3]}")
    print(f"  {len(left)} states and {len(one)} alerts equal those of the run without an outage; without the guard {during(open_, True)} "
          "alerts of churn would have gone out meanwhile")


# --- a mass event ---

def case_storm(kafka, work):
    """Ten thousand cross in an hour: one storm alert a partition, killed in the middle, nothing lost."""
    start, customers = long_ago(60), 10_000
    clock = Time(start, 3600)
    with World(work, kafka, partitions=2) as w:
        create_topics(kafka.bootstrap, 2, topics=tuple(topics_of("storm").values()))
        guards = {"silence_min": "720h"}  # nothing else comes: that is not the matter here
        daemon = fast_daemon(w, "storm", clock, guards=guards)
        publisher, r = Publisher(kafka, clock), random.Random(3)
        wait_for("it is live", 60, lambda: daemon.text().count("claimed") >= 2)
        crossing = clock.now() + 6 * HOUR  # prospect_stalled: 14 days after the last step
        for c in range(customers):
            at = crossing - 14 * DAY + r.randrange(HOUR)
            publisher.send("storm-events", (at, f"s{c:05}", {"messageId": f"s{c}", "userId": f"s{c:05}", "event": "Lead Created",
                                                             "timestamp": text_of(at)}), clock.now())
        publisher.flush()
        wait_for("both partitions brake", 60, lambda: daemon.text().count("storm-brake") >= 2)
        check(clock.now() < crossing + 6 * HOUR, "the machine is too slow for this rate")
        time.sleep(1.0)
        daemon.kill()  # kill -9, in the middle
        before = len(read_topic(kafka.bootstrap, "storm-alerts"))
        check(before < customers / 2, f"{before} of {customers} were out already: no brake")
        daemon.begin(clock)
        wait_for("the storm is over", 120, lambda: daemon.text().count("storm-over") >= 2, every=0.5)
        alerts = read_topic(kafka.bootstrap, "storm-alerts")
        alert_identity(alerts)
        kinds = [(headers_of(m)["ce_type"], m) for m in alerts]
        storms = [m for t, m in kinds if t == "lifecycled.alert.storm.raised.v1"]
        stalled = {m.key() for t, m in kinds if t == "lifecycled.alert.prospect_stalled.raised.v1"}
        check(sorted(json.loads(m.value())["partition"] for m in storms) == [0, 1], f"{len(storms)} storm alerts, not one a partition")
        check(len(stalled) == customers, f"{customers - len(stalled)} of the held ones are lost")
        per_partition = {}
        for t, m in kinds:
            if "prospect_stalled" in t:
                per_partition.setdefault(murmur2_partition(m.key(), 2), []).append(ms_of(headers_of(m)["ce_recordedtime"]))
        for p, times in per_partition.items():
            times.sort()
            first_hour = sum(t < times[0] + HOUR for t in times)
            check(first_hour <= 101 + 100 + 20, f"partition {p}: {first_hour} in the first hour")
            check(times[-1] - times[0] > 4 * HOUR, f"partition {p}: all out within {(times[-1] - times[0]) / HOUR:.1f} h")
            # found late by the brake, and yet no history: the last waited for hours
        daemon.stop()
        delete_topics(kafka.bootstrap, topics_of("storm").values())
        lasted = max(t[-1] - t[0] for t in per_partition.values()) / HOUR
    print(f"  {customers} crossed within an hour: {len(storms)} storm alerts, {len(stalled)} let out over {lasted:.1f} h, killed after {before}")


def murmur2_partition(key, partitions):
    """Kafka's murmur2, which the topics are partitioned by."""
    data, m, mask = key, 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    for i in range(0, len(data) - len(data) % 4, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    tail = data[len(data) - len(data) % 4:]
    for i in reversed(range(len(tail))):
        h ^= tail[i] << 8 * i
    if tail:
        h = h * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return (h & 0x7FFFFFFF) % partitions


# --- rebuilt from nothing but Kafka ---

def tool(daemon, *args):
    path = os.path.join(daemon.folder, "lifecycled.yaml")
    done = subprocess.run([os.path.join(BIN, "lifecyclectl"), args[0], "--config", path, *args[1:]], capture_output=True, text=True,
                          timeout=120)
    check(done.returncode == 0, f"lifecyclectl {' '.join(args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def told(daemon, who, at):
    """What explain says, but for when it looks next: a timer may be early."""
    text = json.loads(tool(daemon, "explain", who, "--json", "--at", at))
    return {k: v for k, v in text.items() if k != "next_timer_at"}


KEPT = ("R", "C", "W", "cfg", "params", "switched", "customers", "last", "hash", "guard")


def control_kinds(kafka, app):
    kinds = {}
    for m in read_topic(kafka.bootstrap, f"{app}-control"):
        kind = {1: "births", 2: "switches", 3: "ticks", 4: "guards"}[msgpack.unpackb(m.value(), raw=True)[1]]
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def drive(world, kafka, daemon, clock):
    """Days with everything in them: another configuration, an insight, an outage, storms."""
    publisher, topics, now = Publisher(kafka, clock), ("rebuilt-events",), clock.now()
    events = histories(250, now + LEAD + HOUR, now + 40 * DAY, 11)
    live(publisher, events, topics, now + 6 * DAY)
    daemon.stop()
    daemon.config["stage"] = {**BRISK["stage"], "churn_min": "5d", "decline_min": "2d"}
    daemon.begin(clock)
    live(publisher, events, topics, now + 11 * DAY)
    tool(daemon, "insight", "--now")
    live(publisher, events, topics, now + 15 * DAY)
    clock.wait(now + 19 * DAY)  # nothing is published
    live(publisher, events, topics, now + 24 * DAY)


def case_rebuild(kafka, work):
    """Ticks, another configuration, an insight, guards; then Redis is emptied: the same state, and nothing is told again."""
    clock = Time(long_ago(100), 40_000)
    with World(work, kafka, partitions=2) as w:
        create_topics(kafka.bootstrap, 2, topics=tuple(topics_of("rebuilt").values()))
        daemon = fast_daemon(w, "rebuilt", clock, guards={"silence_min": "24h", "silence_gaps": 1, "storm_min": 5, "storm_factor": 1},
                             insight={"every": "0s"}, **BRISK)
        wait_for("it is live", 60, lambda: daemon.text().count("code=live") == 2)
        drive(w, kafka, daemon, clock)
        wait_for("it has applied all", 60, lambda: all(lag_of(kafka, w, "rebuilt", p) == 0 for p in range(2)))
        daemon.stop()
        at = clock.now()
        slow = Time(at, 1)
        metas = [meta_of(w, "rebuilt", p) for p in range(2)]
        before, alerts = records_of(w, "rebuilt", 2), ends_of(kafka, "rebuilt-alerts")
        kinds = control_kinds(kafka, "rebuilt")
        check(kinds["births"] == 2 and kinds["switches"] >= 4, f"not what was to be shown: {kinds}")
        check(kinds["ticks"] > 20 and kinds["guards"] >= 4, f"not what was to be shown: {kinds}")
        explained = {c: told(daemon, c.decode(), text_of(at)) for c in before}
        redis.Redis(unix_socket_path=w.redis.socket).flushall()
        # its clock at the last W, so that nothing becomes due meanwhile
        slow.start = max(int(m["W"]) for m in metas)
        log = len(daemon.text())
        daemon.begin(slow)
        wait_for("it is live again", 60, lambda: daemon.text()[log:].count("code=live") == 2)
        daemon.stop()
        after = records_of(w, "rebuilt", 2)
        check(set(before) == set(after), "the customers differ")
        for p in range(2):
            meta = meta_of(w, "rebuilt", p)
            for field in KEPT:
                check(meta[field] == metas[p][field], f"partition {p}: {field} is {meta[field]}, it was {metas[p][field]}")
        bytes_differ = [c for c in before if before[c] != after[c]]
        for c in bytes_differ:
            check(told(daemon, c.decode(), text_of(at)) == explained[c], f"the state of {c} differs")
        check(ends_of(kafka, "rebuilt-alerts") == alerts, "something was told again")
        alert_identity(read_topic(kafka.bootstrap, "rebuilt-alerts"))
        daemon.stop()
        delete_topics(kafka.bootstrap, topics_of("rebuilt").values())
    print(f"  {len(before)} customers, {len(alerts)} alerts, control records {kinds}: the same again, {len(bytes_differ)} of them with "
          "another time to look next; nothing told twice")


CASES = {"silence": case_silence, "storm": case_storm, "rebuild": case_rebuild}


def main():
    work = sys.argv[1]
    names = sys.argv[2:] or list(CASES)
    os.makedirs(work, exist_ok=True)
    failed = 0
    with Kafka(work) as kafka:
        for name in names:
            began = time.monotonic()
            print(f"{name}: {CASES[name].__doc__}", flush=True)
            shutil.rmtree(os.path.join(work, name), ignore_errors=True)
            try:
                CASES[name](kafka, os.path.join(work, name))
                print(f"  ok ({time.monotonic() - began:.0f} s)", flush=True)
            except AssertionError as why:
                failed += 1
                print(f"  FAILED: {why}", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
