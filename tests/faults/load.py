"""The load: a seeded stream of every kind of event, and beacons.

A beacon is the first order of a customer nobody has heard of, in a partition of our choice: it raises an alert at once. The
time from publishing it to reading its alert (committed) is what recovery is measured with.

Two clocks. `event`: event time runs 40,000 times as fast as ours, so that weeks of silence pass in seconds and timers fire.
`wall`: leads are dated so that their timers fall due within a minute of real time.
"""
import json
import random
import threading
import time
from datetime import datetime, timedelta, timezone

from harness import producer

BEACONS_A_SECOND = 6  # in each partition
SPEED = 40_000
LEAD_DAYS = 14  # rules.prospect_stalled
SPREAD_S = 60   # worker_due_ms() in pipeline/worker.h: a timer fires at most so much behind its time


def murmur2(data):
    """The hash of Java clients: partition = (murmur2(key) & 0x7fffffff) % partitions."""
    m, mask = 0x5bd1e995, 0xffffffff
    h = 0x9747b28c ^ len(data)
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    return (murmur2(key.encode()) & 0x7fffffff) % partitions


class Clock:
    """The time of events."""

    def __init__(self, kind):
        self.kind, self.begun = kind, time.monotonic()
        self.start = datetime(2023, 1, 1, tzinfo=timezone.utc)

    def now(self):
        if self.kind == "wall":
            return datetime.now(timezone.utc)
        return self.start + timedelta(seconds=(time.monotonic() - self.begun) * SPEED)


class Load(threading.Thread):
    """Publishes until stopped. `sent` counts what Kafka has acknowledged; `leads` are the wall clock's expectations."""

    def __init__(self, bootstrap, topic, partitions, seed, clock="event", rate=100, customers=400):
        super().__init__(name="load", daemon=True)
        self.bootstrap, self.topic, self.partitions, self.rate, self.customers = bootstrap, topic, partitions, rate, customers
        self.chance = random.Random(seed)
        self.clock = Clock(clock)
        self.anew()
        self.ending = threading.Event()
        self.number = 0
        self.beacons = []    # (when published, customer, partition)
        self.leads = {}      # customer: due, Unix time
        self.failed = 0
        self.recent = []

    def anew(self):
        """Another producer: a truncated log has forgotten where the old one was."""
        self.producer = producer(self.bootstrap, **{"message.timeout.ms": 300000, "message.max.bytes": 2000000, "log_level": 0})

    # --- one event ---

    def _event(self, customer, kind, when, **properties):
        self.number += 1
        return customer, {"type": "track", "event": kind, "messageId": f"e{self.number}", "userId": customer,
                          "timestamp": when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z", "properties": properties}

    def _order(self, customer, when):
        return self._event(customer, "Order Completed", when, order_id=f"o{self.number}", channel="web",
                           amount=f"{self.chance.gammavariate(4, 10):.2f}", currency="EUR")

    def _any(self):
        r, when = self.chance, self.clock.now()
        customer = f"c{int(self.customers * r.random() ** 2):04}"
        what = r.random()
        if what < 0.03 and self.recent:
            return r.choice(self.recent)  # a publisher's retry
        if what < 0.08 and self.clock.kind == "event":
            when -= timedelta(days=r.uniform(0, 25))  # late
        if what < 0.45:
            return self._order(customer, when)
        kind, properties = r.choice((
            ("Product Viewed", {}), ("Application Opened", {}), ("Email Opened", {}), ("Lead Created", {"channel": "store"}),
            ("Trial Started", {"trial_ends_at": (when + timedelta(days=14)).strftime("%Y-%m-%dT%H:%M:%SZ")}),
            ("Survey Responded", {"metric": "csat", "score": r.randint(1, 5)}), ("Complaint Filed", {"ticket_id": f"t{customer}"}),
            ("Complaint Resolved", {"ticket_id": f"t{customer}"}), ("Referral Made", {}),
            ("Order Refunded", {"order_id": f"o{max(1, self.number - r.randint(1, 400))}"})))
        return self._event(customer, kind, when, **properties)

    def _lead(self):
        """Its prospect_stalled is due some time between a minute ago and in five seconds; the daemon spreads timers over a minute."""
        wait = self.chance.uniform(-SPREAD_S, 5)
        when = self.clock.now() - timedelta(days=LEAD_DAYS) + timedelta(seconds=wait)
        customer = f"lead{self.number}"
        self.leads[customer] = time.time() + wait
        return self._event(customer, "Lead Created", when)

    def _beacon(self, partition):
        while True:
            self.number += 1
            name = f"b{self.number}"
            if partition_of(name, self.partitions) == partition:
                break
        self.beacons.append((time.monotonic(), name, partition))
        return self._order(name, self.clock.now())

    # --- publishing ---

    def publish(self, key, value, topic=None):
        data = value if isinstance(value, (bytes, type(None))) else json.dumps(value).encode()
        while True:
            try:
                self.producer.produce(topic or self.topic, data, key, on_delivery=self._delivered)
                return
            except BufferError:
                self.producer.poll(0.1)

    def _delivered(self, error, _):
        self.failed += error is not None

    def run(self):
        begun, done, beacons = time.monotonic(), 0, 0
        while not self.ending.is_set():
            passed = time.monotonic() - begun
            while beacons < passed * BEACONS_A_SECOND * self.partitions:
                self.publish(*self._beacon(beacons % self.partitions))
                beacons += 1
            while done < passed * self.rate:
                event = self._lead() if self.clock.kind == "wall" and done % 20 == 0 else self._any()
                self.recent = (self.recent + [event])[-50:]
                self.publish(*event)
                done += 1
            self.producer.poll(0)
            self.ending.wait(0.02)

    def stop(self):
        """Everything published is in Kafka."""
        self.ending.set()
        self.join()
        left = self.producer.flush(300)
        if left or self.failed:
            raise RuntimeError(f"the load could not be published: {left} left, {self.failed} failed")
