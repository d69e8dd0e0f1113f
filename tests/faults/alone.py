"""Faults that end a history: what Kafka should still hold is gone. Each round has topics and an application of its own, orders that
are counted, and ends with what an operator decides.

There is no reference fold for a log with a hole. What has to hold is told by the records themselves, read before they are gone: a
customer's orders are those outside of the lost range, and no alert came twice.
"""
import glob
import json
import os
import re

import time

from confluent_kafka.admin import NewPartitions
from ground import Ground, Stuck
from harness import headers_of, read_topic
from load import Load

from watch import until

TOLD_S = 60
EXIT_OPERATOR = 76


class Quiet(Ground):
    """One daemon, no steady load: orders are published on demand."""

    missing = ()  # topics that are not made
    replicas = 3

    def __enter__(self):
        try:
            self.redis.start()
            self.cluster.create([t for k, t in self.topics.items() if k not in self.missing], self.partitions, self.replicas)
            self.load = Load(self.cluster.bootstrap, self.topics["events"], self.partitions, self.seed)
            self.daemon = self.add("a")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.load = None
        super().__exit__()

    def orders(self, count, customers=30):
        for _ in range(count):
            customer = f"c{self.chance.randrange(customers):03}"
            self.load.publish(*self.load._order(customer, self.load.clock.now()))
        if self.load.producer.flush(60):
            raise AssertionError("orders could not be published")

    def seen(self, words, page="log"):
        """Seconds until an operator sees it."""
        begun = time.monotonic()

        def there():
            self.daemon.look()
            text = self.daemon.text()[self.mark:] if page == "log" else "\n".join(self.daemon.ready)
            return re.search(words, text)
        if not until(there, TOLD_S, 0.1):
            raise AssertionError(f"nobody saw {words}")
        return time.monotonic() - begun

    def again(self, **more):
        """The daemon started anew, perhaps with another setting; what it logged before does not count."""
        self.daemon.stop()
        self.mark = len(self.daemon.text())
        self.daemon.config.update(more)
        self.daemon.start()

    mark = 0

    def records(self):
        return read_topic(self.cluster.bootstrap, self.topics["events"], "read_uncommitted")


def check_alerts(verdict, ground):
    ids = [headers_of(m)["ce_id"] for m in read_topic(ground.cluster.bootstrap, ground.topics["alerts"])]
    verdict.alerts += len(ids)
    if len(ids) != len(set(ids)):
        verdict.duplicate += len(ids) - len(set(ids))
        verdict.words.append(f"{len(ids) - len(set(ids))} alerts came twice")


def check_orders(verdict, ground, records, lost):
    """`lost`: partition to (first, end) of the offsets that were not applied."""
    want = {}
    for m in records:
        first, end = lost.get(m.partition(), (0, 0))
        if not first <= m.offset() < end:
            want[m.key().decode()] = want.get(m.key().decode(), 0) + 1
    rows = ground.export()
    verdict.customers += len(rows)
    got = {c: int(row["orders"]) for c, row in rows.items()}
    wrong = [c for c in want.keys() | got.keys() if want.get(c) != got.get(c)]
    verdict.wrong_state += len(wrong)
    if wrong:
        verdict.words.append(f"orders of {wrong[0]}: {got.get(wrong[0])} instead of {want.get(wrong[0])} ({len(wrong)} customers)")


def delete_before(ground, offsets):
    path = os.path.join(ground.work, "delete.json")
    with open(path, "w") as f:
        json.dump({"version": 1, "partitions": [{"topic": ground.topics["events"], "partition": p, "offset": o}
                                                for p, o in offsets.items()]}, f)
    ground.cluster.tool("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", path)


def retention(round_, verdict):
    """Half of the time the daemon was down meanwhile, half of the time only Redis was."""
    with Quiet(**round_, daemons=1, partitions=2) as ground:
        ground.orders(80)
        ground.wait_applied(60)
        down = ground.chance.random() < 0.5
        ground.daemon.stop() if down else ground.redis.kill()
        ground.orders(60)
        time.sleep(0 if down else 1)
        records = ground.records()
        ends = {p: max(m.offset() for m in records if m.partition() == p) + 1 for p in range(2)}
        if not down:
            ground.redis.start()
            ground.daemon.kill()  # or it would apply them before they are deleted
        at = {r["partition"]: r["R"] for r in ground.positions()}
        behind = [p for p in at if at[p] < ends[p]]
        hit = behind if ground.chance.random() < 0.5 else behind[:1]
        low = {p: ground.chance.randint(at[p] + 1, ends[p]) for p in hit}
        delete_before(ground, low)
        ground.again()
        for p in hit:
            ground.seen(f"code=range-lost.*offsets {at[p]} to {low[p] - 1},")
        if len(hit) == 2:
            if ground.daemon.process.wait(30) != EXIT_OPERATOR:
                raise AssertionError(f"exit status {ground.daemon.process.returncode}")
        else:
            ground.seen("503 range-lost", "ready")
        verdict.reported += 1
        begun = time.monotonic()
        ground.again(continue_after_loss=True)
        ground.wait_applied(60)
        verdict.recovery.append(time.monotonic() - begun)
        check_orders(verdict, ground, records, {p: (at[p], low[p]) for p in hit})
        ground.again(continue_after_loss=False)  # "for one start"
        ground.orders(20)
        ground.wait_applied(60)
        check_alerts(verdict, ground)
        return ground.daemons


def recreated(round_, verdict):
    """Deleting a topic makes Kafka forget the group's offsets of it, too."""
    with Quiet(**round_, daemons=1, partitions=2) as ground:
        ground.orders(80)
        ground.wait_applied(60)
        running = ground.chance.random() < 0.5
        if not running:
            ground.daemon.stop()
        ground.cluster.delete([ground.topics["events"]])
        time.sleep(1 if running else 0)
        ground.cluster.create([ground.topics["events"]], 2)
        ground.orders(ground.chance.randint(20, 160))
        if not running:
            ground.again()
        ground.seen("code=(topic-recreated|topic-truncated|position-lost|replay-diverged)")
        if ground.daemon.process.wait(60) != EXIT_OPERATOR:
            raise AssertionError(f"exit status {ground.daemon.process.returncode}")
        verdict.reported += 1
        check_alerts(verdict, ground)
        return ground.daemons


def cut_log(ground, broker, partitions):
    """The newest part of the log files is gone, as after a crash of a disk without a write barrier. Lengths by partition."""
    broker.kill()
    for p in partitions:
        folder = os.path.join(broker.data, f"{ground.topics['events']}-{p}")
        for path in glob.glob(os.path.join(folder, "*.log")):
            os.truncate(path, int(os.path.getsize(path) * ground.chance.uniform(0.05, 0.9)))
        for path in glob.glob(os.path.join(folder, "*.snapshot")) + glob.glob(os.path.join(folder, "*index")):
            os.unlink(path)
    broker.come_back()


def truncated(round_, verdict):
    """Twelve partitions of one replica each, so that a broker holds some alone. Half of the time new records fill the hole before
    the daemon looks: the log is long enough again and another one."""
    class Single(Quiet):
        replicas = 1
    with Single(**round_, daemons=1, partitions=12) as ground:
        ground.orders(400, customers=120)
        ground.wait_applied(60)
        at = {r["partition"]: r["R"] for r in ground.positions()}
        fill = ground.chance.random() < 0.5
        ground.daemon.stop()
        meta = ground.cluster.admin().list_topics(timeout=10).topics[ground.topics["events"]]
        broker = ground.chance.choice([b for b in ground.cluster.brokers if not b.disk])
        hit = [p for p, m in meta.partitions.items() if m.leader == broker.node]
        cut_log(ground, broker, hit)
        if not until(lambda: ground.cluster.healthy(ground.topics.values()), 60, 0.3):
            raise Stuck("the cluster does not come back")
        ground.load.anew()
        if fill:
            while any(end_of(ground, p) < at[p] + 3 for p in hit):
                ground.orders(100, customers=120)
        ground.again()
        for p in hit:
            ground.seen(f"code=topic-{'recreated' if fill else 'truncated'} partition={p} ")
        ground.seen("503 topic-", "ready")
        time.sleep(3 if ground.alarms else 0)
        verdict.reported += len(hit)
        verdict.times += len(hit) - 1
        check_alerts(verdict, ground)
        return ground.daemons


def end_of(ground, partition):
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": ground.cluster.bootstrap, "group.id": "ends", "log_level": 0})
    try:
        return consumer.get_watermark_offsets(TopicPartition(ground.topics["events"], partition), timeout=10)[1]
    finally:
        consumer.close()


def partitions_added(round_, verdict):
    with Quiet(**round_, daemons=1, partitions=2) as ground:
        ground.orders(80)
        ground.wait_applied(60)
        admin = ground.cluster.admin()
        for future in admin.create_partitions([NewPartitions(ground.topics["events"], 3)]).values():
            future.result(20)
        ground.again()
        ground.seen("code=partition-count")
        if ground.daemon.process.wait(30) != EXIT_OPERATOR:
            raise AssertionError(f"exit status {ground.daemon.process.returncode}")
        verdict.reported += 1
        check_alerts(verdict, ground)
        return ground.daemons


def alerts_missing(round_, verdict):
    """The log has the command that makes it; made, work begins by itself."""
    class Without(Quiet):
        missing = ("alerts",)
    with Without(**round_, daemons=1, partitions=2) as ground:
        ground.orders(80)
        ground.seen("code=topic-missing")
        ground.seen("503 topic-missing", "ready")
        time.sleep(1.5)
        ground.daemon.look()
        begun = time.monotonic()
        ground.cluster.create([ground.topics["alerts"]], 2)
        ground.wait_applied(60)
        verdict.recovery.append(time.monotonic() - begun)
        check_orders(verdict, ground, ground.records(), {})
        check_alerts(verdict, ground)
        return ground.daemons


