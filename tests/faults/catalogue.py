"""The table of faults: what each does, on which ground, and which words an operator sees while it lasts.

The words are held twice: a leg in which a fault ran fails when nobody saw them (log, /readyz, STATUS=, /metrics), and
the page of docs/OPERATIONS.md whose heading is `page` has to name them. `alarms` are rules of deploy/prometheus that have to fire
in the drill (./dev faults --drills).
"""
from dataclasses import dataclass

import alone
import do_kafka
import do_log
import do_network
import do_process
import do_redis


@dataclass(frozen=True)
class Fault:
    name: str
    does: str
    ground: str           # redis, sentinel, disk, relay, wall, crash: a leg under load; alone: its function is the whole leg
    act: object           # act(ground): when the fault was over (monotonic), and what is left to mend after recovery
    page: str             # heading in docs/OPERATIONS.md
    count: int            # of the full battery
    leg: int = 25         # at most so many in one leg
    each: int = 1         # as many as this count one call for
    log: tuple = ()       # regular expressions
    ready: tuple = ()
    status: tuple = ()
    metrics: tuple = ()   # above zero at some time
    alarms: tuple = ()
    root: bool = False    # needs mount
    limit_s: float = 90   # recovery must not take longer


FAULTS = (
    Fault("kill", "kill -9 of a daemon, started again at once", "redis", do_process.kill, "A daemon dies", 500, leg=100,
          log=("code=starting", "code=claimed"), ready=("503 joining: no partition owned yet", "200 ok"), metrics=("lifecycled_assigned_total",)),
    Fault("crash", "a daemon dies at a named point of the commit protocol", "crash", do_process.crash, "A daemon dies", 60, leg=30,
          log=("code=claimed",), metrics=("lifecycled_assigned_total",)),
    Fault("stop", "SIGSTOP beyond the session, then SIGCONT", "redis", do_process.pause, "A daemon stands still", 50,
          log=("code=lost",), metrics=("lifecycled_lost_total",), alarms=("LifecycledDown",)),
    Fault("join-leave", "two daemons join, two leave (SIGTERM)", "redis", do_process.join_and_leave, "Machines come and go", 200, each=4,
          leg=100, log=("code=revoked", "code=assigned", "code=stopping .*SIGTERM"), metrics=("lifecycled_revoked_total",)),
    Fault("takeover", "a second process of the same name joins (half of the time just after connections to Kafka broke)", "relay",
          do_process.take_over, "Two processes of one name", 10, log=("code=instance-fenced", "code=stopped .*status 77")),
    Fault("redis-cut", "Redis killed, restarted on an append-only file cut at a random byte", "redis", do_redis.cut_aof,
          "Redis lost its tail", 100, log=("code=redis-away", "code=rollback"), ready=("503 redis-",),
          metrics=("lifecycled_rollbacks_total", "lifecycled_events_replayed_total"), alarms=("LifecycledRedisRollback",)),
    Fault("failover", "Sentinel promotes a replica that lacks the newest writes", "sentinel", do_redis.fail_over,
          "Redis fails over", 50, log=("code=rollback", "code=redis-"), ready=("503 redis-",),
          metrics=("lifecycled_rollbacks_total",), alarms=("LifecycledRedisRollback",)),
    Fault("backup", "Redis restarted on an older copy of its files", "redis", do_redis.old_backup, "Redis lost its tail", 20,
          log=("code=rollback",), metrics=("lifecycled_rollbacks_total", "lifecycled_events_replayed_total")),
    Fault("flushall", "FLUSHALL", "redis", do_redis.flush, "Redis lost everything", 20, log=("code=rebuild",),
          metrics=("lifecycled_rebuilds_total", "lifecycled_events_replayed_total")),
    Fault("redis-oom", "Redis at its maxmemory for a while", "redis", do_redis.out_of_memory, "Redis is full", 20,
          log=("code=redis-oom",), ready=("503 redis-oom",), status=("waiting: redis-oom",), metrics=("lifecycled_store_retries_total",),
          alarms=("LifecycledNotReady",)),
    Fault("redis-disk", "the disk of Redis is full for a while", "disk", do_redis.disk_full, "The disk of Redis is full", 20,
          log=("code=redis-misconf",), ready=("503 redis-misconf",), status=("waiting: redis-misconf",), root=True),
    Fault("broker", "kill -9 of a broker (half of the time the group's coordinator), started again after recovery", "redis",
          do_kafka.kill_broker, "A broker dies", 30, leg=15, log=("code=kafka-client",)),
    Fault("kafka-disk", "the disk of a broker is full: it stops; freed, started again", "redis", do_kafka.disk_full,
          "A broker dies", 20, leg=10, root=True),
    Fault("kafka-cut", "every connection to Kafka is reset", "relay", do_network.cut_kafka, "The network to Kafka", 15,
          log=("code=coordinator-lost",), metrics=("lifecycled_producer_reopened_total",)),
    Fault("kafka-stall", "connections to Kafka carry nothing for a while", "relay", do_network.stall_kafka, "The network to Kafka", 15),
    Fault("kafka-half", "connections to Kafka lose what is sent, then are reset", "relay", do_network.swallow_kafka,
          "The network to Kafka", 15, log=("code=(coordinator-lost|commit-unknown|kafka-away)",)),
    Fault("kafka-away", "no broker can be reached for a while", "relay", do_network.no_kafka, "The network to Kafka", 10,
          log=("code=kafka-away",), ready=("503 (kafka-away|stalled)",), status=("waiting: (kafka-away|stalled)",), alarms=("LifecycledNotReady",)),
    Fault("end-txn", "the request that ends a transaction arrives late, or after its sender has given up", "relay",
          do_network.hold_end_txn, "The network to Kafka", 25, log=("code=(coordinator-lost|commit-unknown)",)),
    Fault("redis-net-cut", "every connection to Redis is reset", "relay", do_network.cut_redis, "The network to Redis", 10,
          log=("code=redis-away",)),
    Fault("redis-net-stall", "connections to Redis carry nothing for a while", "relay", do_network.stall_redis, "The network to Redis",
          5),
    Fault("redis-net-half", "connections to Redis lose what is sent, then are reset", "relay", do_network.swallow_redis,
          "The network to Redis", 5, log=("code=redis-away",)),
    Fault("clock", "the clock of one daemon jumps by an hour, and back", "wall", do_process.jump_clock, "The clock jumps", 20,
          metrics=("lifecycled_ticks_total",)),
    Fault("poison", "records that break the contract, and oversize ones, among good ones", "redis", do_log.poison, "Bad records", 20,
          metrics=("lifecycled_dead_letters_total",), alarms=("LifecycledDeadLetters",)),
    Fault("alerts-missing", "the alerts topic does not exist yet", "alone", alone.alerts_missing, "A topic is missing", 5,
          log=("code=topic-missing", "kafka-topics.sh .*--create --topic"), ready=("503 topic-missing",), status=("waiting: topic-missing",)),
    Fault("retention", "retention (DeleteRecords) passes the replay point", "alone", alone.retention, "Kafka lost what the state needs", 20,
          log=("code=range-lost",)),
    Fault("recreated", "the input topic is deleted and created again, with other records", "alone", alone.recreated,
          "Kafka lost what the state needs", 20, log=("code=(topic-recreated|topic-truncated|position-lost)", "code=stopped .*status 76")),
    Fault("truncated", "the input topic comes back without its newest records", "alone", alone.truncated,
          "Kafka lost what the state needs", 20, log=("code=topic-(truncated|recreated)",), ready=("503 topic-(truncated|recreated)",), metrics=('lifecycled_partition_phase{phase="stopped"}',),
          alarms=("LifecycledPartitionStopped",)),
    Fault("partitions", "partitions are added to the input topic", "alone", alone.partitions_added, "Kafka lost what the state needs", 5,
          log=("code=partition-count", "code=stopped .*status 76")),
)
