"""The ground of the integration tests and the fault battery: real Kafka, real Redis, the real daemon, an independent client.

Everything lives under one work folder and is stopped by pid. Binaries come from LC_BIN (default build/release)."""
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))

from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from servers import Kafka, Process, Redis  # noqa: E402, F401

BIN = os.environ.get("LC_BIN", os.path.join(ROOT, "build/release"))
INPUT, ALERTS, DEAD, CONTROL = "customer-events", "customer-alerts", "customer-events-dead", "lifecycled.control"


def check(fact, text):
    if not fact:
        raise AssertionError(text)


def wait_for(what, seconds, test, every=0.1):
    """Until test() is true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what}")


def create_topics(bootstrap, partitions=4, replicas=1, topics=(INPUT, ALERTS, DEAD, CONTROL)):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = [NewTopic(t, num_partitions=partitions, replication_factor=replicas) for t in topics]
    for topic, future in admin.create_topics(new).items():
        future.result(30)
    # A broker tells of a topic before it leads it: wait until every leader answers.
    def led():
        meta = admin.list_topics(timeout=10).topics
        return all(t in meta and not meta[t].error and all(p.leader >= 0 for p in meta[t].partitions.values()) for t in topics)
    wait_for("leaders of the topics", 30, led)


def delete_topics(bootstrap, topics):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.delete_topics(list(topics)).values():
        future.result(30)


def producer(bootstrap, **more):
    return Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "enable.idempotence": True,
                     "linger.ms": 5, **more})


def read_topic(bootstrap, topic, isolation="read_committed", timeout=20):
    """Every record of the topic up to its present end, by a client that knows nothing of us."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"checker-{time.time_ns()}", "isolation.level": isolation,
                         "enable.auto.commit": False, "auto.offset.reset": "earliest", "enable.partition.eof": True})
    try:
        count = len(consumer.list_topics(topic, timeout=timeout).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, p, 0) for p in range(count)])
        ended, records, last = set(), [], time.monotonic()
        while len(ended) < count:
            for m in consumer.consume(5000, 0.5):
                last = time.monotonic()
                if m.error():
                    if m.error().code() == -191:  # _PARTITION_EOF
                        ended.add(m.partition())
                    else:
                        raise RuntimeError(m.error())
                else:
                    records.append(m)
            check(time.monotonic() - last < timeout, f"reading {topic} stands still")
        return records
    finally:
        consumer.close()


def headers_of(message):
    return {k: (v.decode() if v is not None else None) for k, v in (message.headers() or [])}


class Daemon(Process):
    """One lifecycled process."""

    def __init__(self, work, name, config):
        super().__init__(os.path.join(work, name))
        self.config = config
        self.name = name

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, "lifecycled.yaml")
        with open(path, "w") as f:
            json.dump(self.config, f, indent=1)  # JSON is YAML
        self.spawn([os.path.join(BIN, "lifecycled"), "--config", path], env={**os.environ, "NOTIFY_SOCKET": ""})
        return self

    def text(self):
        return open(self.log, errors="replace").read() if os.path.exists(self.log) else ""


class World:
    """One Kafka, one Redis, any number of daemons of one application."""

    def __init__(self, work, kafka=None, partitions=4, settings=None, redis_options=()):
        self.work = work
        os.makedirs(work, exist_ok=True)
        self.own_kafka = kafka is None
        self.kafka = kafka or Kafka(work)
        self.redis = Redis(work, options=redis_options)
        self.partitions = partitions
        self.settings = settings or {}
        self.daemons = []

    def __enter__(self):
        if self.own_kafka:
            self.kafka.start()
        self.redis.start()
        create_topics(self.kafka.bootstrap, self.partitions)
        return self

    def __exit__(self, kind, *_):
        for daemon in self.daemons:
            daemon.stop()
            if kind:
                print(f"--- {daemon.name}: end of its log ---\n{daemon.text()[-3000:]}", file=sys.stderr)
        self.redis.stop()
        if self.own_kafka:
            self.kafka.stop()
        else:
            delete_topics(self.kafka.bootstrap, (INPUT, ALERTS, DEAD, CONTROL))

    def config(self, name, **more):
        config = {
            "app": "test",
            "name": name,
            "clock": "event",
            "kafka": {"brokers": self.kafka.bootstrap, "session_timeout": "6s"},
            "redis": {"address": self.redis.address},
            "alerts": {"late_max": "36500d"},
            "http": {"listen": ""},
            "insight": {"every": "0s"},  # only when asked: figures stay those of the shipped parameters
        }
        for layer in (self.settings, more):
            for key, value in layer.items():
                config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
        return config

    def daemon(self, name="a", **more):
        daemon = Daemon(self.work, f"daemon-{name}", self.config(name, **more)).start()
        self.daemons.append(daemon)
        return daemon

    def ctl(self, *args, check_status=True, stdin=None):
        path = os.path.join(self.work, "ctl.yaml")
        with open(path, "w") as f:
            json.dump(self.config("ctl"), f)
        done = subprocess.run([os.path.join(BIN, "lifecyclectl"), args[0], "--config", path, *args[1:]], capture_output=True,
                              text=True, input=stdin, timeout=300)
        if check_status and done.returncode != 0:
            raise AssertionError(f"lifecyclectl {' '.join(args)}: status {done.returncode}\n{done.stderr}")
        return done

    def status(self):
        return [json.loads(line) for line in self.ctl("status", "--json").stdout.splitlines()]

    def applied(self):
        """Is everything published applied in Redis and delivered in Kafka?"""
        rows = self.status()
        return all(r["R"] is not None and r["R"] >= r["log_end"] and (r["K"] or 0) >= r["log_end"] for r in rows)

    def wait_applied(self, seconds=120):
        wait_for("all events applied and delivered", seconds, self.applied, every=0.3)

    def export(self, at, *more):
        text = self.ctl("export", "--at", at, *more).stdout
        return {row["customer"]: row for row in csv.DictReader(io.StringIO(text))}

    def alerts(self):
        return read_topic(self.kafka.bootstrap, ALERTS)

    def publish(self, events):
        """events: (key, JSON object or bytes) in order."""
        p = producer(self.kafka.bootstrap)
        for key, value in events:
            data = value if isinstance(value, (bytes, type(None))) else json.dumps(value).encode()
            while True:
                try:
                    p.produce(INPUT, data, key)
                    break
                except BufferError:
                    p.poll(0.1)
        check(p.flush(60) == 0, "producer could not flush")


def alert_identity(records):
    """ce_id of each alert; fails when one came twice, showing some of them."""
    seen, twice = {}, []
    for m in records:
        h = headers_of(m)
        if h["ce_id"] in seen:
            twice.append((seen[h["ce_id"]], m))
        else:
            seen[h["ce_id"]] = m
    for pair in twice[:3]:
        for m in pair:
            h = headers_of(m)
            print(f"  twice: {m.key()} [{m.partition()}] offset {m.offset()} sent {m.timestamp()[1]} {h['ce_type']} ce_time {h['ce_time']} "
                  f"recorded {h.get('ce_recordedtime')} cause {h.get('ce_causationid')} sequence {h.get('ce_sequence')}", file=sys.stderr)
    check(not twice, f"{len(twice)} alerts came twice")
    return set(seen)


class Feed:
    """Simulated customers, published beside the test by `lifecyclectl simulate`; at so many events a second, or flat out."""

    def __init__(self, world, customers, seed, rate=0):
        path = os.path.join(world.work, "feed.yaml")
        with open(path, "w") as f:
            json.dump(world.config("feed"), f)
        self.process = subprocess.Popen([os.path.join(BIN, "lifecyclectl"), "simulate", "--config", path,
                                         "--customers", str(customers), "--seed", str(seed), *(["--rate", str(rate)] if rate else [])],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def running(self):
        return self.process.poll() is None

    def wait(self):
        check(self.process.wait(900) == 0, "the feed failed")


# --- a suite ---

def run_cases(names_in, properties=None):
    """The whole of a suite: WORK [CASE ...]; runs the functions case_* of names_in (a module's globals()) on one broker."""
    work = sys.argv[1]
    shutil.rmtree(work, ignore_errors=True)
    cases = {k[5:]: v for k, v in names_in.items() if k.startswith("case_")}
    names = sys.argv[2:] or list(cases)
    failed = []
    with Kafka(work, "kafka", **({"properties": properties} if properties else {})) as kafka:
        for name in names:
            begun = time.monotonic()
            print(f"{name}: {cases[name].__doc__.splitlines()[0]}", flush=True)
            try:
                cases[name](kafka, os.path.join(work, name))
                print(f"  ok ({time.monotonic() - begun:.0f} s)", flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as e:
                print(f"  FAILED: {e}", flush=True)
                failed.append(name)
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)
