"""The independent checker: reads alerts as they are committed, knows nothing of the daemon, and remembers when each came."""
import bisect
import threading
import time

from confluent_kafka import Consumer, TopicPartition
from harness import headers_of


class Listener(threading.Thread):
    def __init__(self, bootstrap, topic, partitions):
        super().__init__(name="listener", daemon=True)
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"listener-{time.time_ns()}",
                                  "isolation.level": "read_committed", "enable.auto.commit": False,
                                  "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50, "topic.metadata.refresh.interval.ms": 2000,
                                  "reconnect.backoff.max.ms": 500, "log_level": 0})
        self.consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.errors = []
        self.alerts = []    # (customer, ce_id, ce_sequence, kind and phase)
        self.arrived = {}   # customer: when its first alert came

    def run(self):
        while not self.ending.is_set():
            messages = self.consumer.consume(500, 0.05)
            now = time.monotonic()
            with self.lock:
                for m in messages:
                    if m.error():
                        self.errors.append(str(m.error()))
                        continue
                    h = headers_of(m)
                    customer = m.key().decode()
                    self.alerts.append((customer, h["ce_id"], int(h["ce_sequence"]), h["ce_type"]))
                    self.arrived.setdefault(customer, now)
        self.consumer.close()

    def first_after(self, beacons, since, partitions):
        """When the first beacon published after `since` was told, in each partition; None where it was not yet."""
        first, found = [None] * partitions, set()
        for i in range(bisect.bisect_left(beacons, (since,)), len(beacons)):
            _, name, partition = beacons[i]
            if partition not in found:
                found.add(partition)
                first[partition] = self.arrived.get(name)
                if len(found) == partitions:
                    break
        return first

    def stop(self):
        self.ending.set()
        self.join()
