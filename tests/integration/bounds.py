"""Memory, file descriptors and threads stay within bounds: under hostile input, with servers that stand still, after reconnects.

Looks at the release build (sanitizers take memory of their own).

    bounds.py WORKDIR [CASE ...]
"""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import INPUT, Kafka, World, check, producer, run_cases, wait_for  # noqa: E402
from servers import free_ports  # noqa: E402

MIB = 1 << 20
# The settings below (a batch has two arenas), librdkafka's fetch queue, a response that was on its way, a poll, and what a process
# takes without anything: docs/OPERATIONS.md, "Memory".
SETTINGS = {"cache": {"bytes_max": "8MiB"}, "batch": {"bytes_max": "16MiB"}}
RSS_MAX = (8 + 2 * 16 + 128 + 50 + 32 + 64) * MIB
START = datetime(2025, 1, 1, tzinfo=timezone.utc)


def highest_rss(daemon):
    with open(f"/proc/{daemon.pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def counts(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd")), len(os.listdir(f"/proc/{daemon.pid}/task"))


def event(customer, number, **more):
    when = (START + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"event": "Order Completed", "messageId": f"b{number}", "userId": customer, "timestamp": when,
            "properties": {"order_id": f"o{number}", "amount": "5.00", "currency": "EUR"}} | more


def hostile(chance, number):
    """One record that tries to make its reader allocate."""
    key = f"h{number % 500}"
    sort = number % 8
    if sort == 0:
        return key, json.dumps(event(key, number, filler="x" * 200000)).encode()  # large, and good
    if sort == 1:
        return key, b"\xdd\xff\xff\xff\xff" + b"\xc0" * 1000  # an array of four billion
    if sort == 2:
        return key, b"\x81\xa1a\xdb\xff\xff\xff\xff" + b"x" * 1000  # a text of four gigabytes
    if sort == 3:
        return key, b"[" * 200000
    if sort == 4:
        return key, b"\x91" * 200000
    if sort == 5:
        return key, json.dumps(event(key, number, filler="y" * 900000)).encode()  # beyond events.bytes_max
    if sort == 6:
        return key, ('{"a":' * 100 + "1" + "}" * 100 + " " * chance.randrange(100000)).encode()
    return key, json.dumps(event(key, number, **{f"f{i}": i for i in range(8000)})).encode()


def publish(world, records):
    p = producer(world.kafka.bootstrap, **{"message.max.bytes": 1000000, "queue.buffering.max.kbytes": 200000})
    for key, value in records:
        while True:
            try:
                p.produce(INPUT, value, key)
                break
            except BufferError:
                p.poll(0.1)
    check(p.flush(120) == 0, "publishing failed")


def case_hostile(kafka, work):
    """Records made to be expensive, 500 MB of them: memory stays within the configured bounds."""
    chance = random.Random(1)
    with World(work, kafka, settings=SETTINGS) as w:
        a = w.daemon("a")
        publish(w, (hostile(chance, i) for i in range(2500)))
        w.wait_applied(180)
        check(a.process.poll() is None, "the daemon ended")
        check(highest_rss(a) < RSS_MAX, f"{highest_rss(a) / MIB:.0f} MiB of memory, above {RSS_MAX / MIB:.0f}")
        print(f"  at most {highest_rss(a) / MIB:.0f} MiB, bound {RSS_MAX / MIB:.0f}")


def case_slow(kafka, work):
    """Redis, then Kafka stand still under a flood: memory stays within bounds, and everything is applied afterwards."""
    with World(work, kafka, settings=SETTINGS) as w:
        a = w.daemon("a")
        publish(w, ((f"s{i % 3000}", json.dumps(event(f"s{i % 3000}", i)).encode()) for i in range(2000)))
        w.wait_applied()
        for server in (w.redis, kafka):
            server.process.send_signal(signal.SIGSTOP)
            if server is w.redis:
                publish(w, ((f"s{i % 3000}", json.dumps(event(f"s{i % 3000}", i, filler="z" * 2000)).encode())
                            for i in range(2000, 60000)))
            time.sleep(8)
            server.process.send_signal(signal.SIGCONT)
            wait_for("the servers to answer", 60, lambda: w.ctl("status", check_status=False).returncode == 0, 1)
        w.wait_applied(180)
        check(highest_rss(a) < RSS_MAX, f"{highest_rss(a) / MIB:.0f} MiB of memory, above {RSS_MAX / MIB:.0f}")
        check(len(w.export("2026-06-01")) == 3000, "customers are missing")
        print(f"  at most {highest_rss(a) / MIB:.0f} MiB, bound {RSS_MAX / MIB:.0f}")


def knock(port, times):
    """HTTP clients that come and go, some without a word."""
    for i in range(times):
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            if i % 3:
                s.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if i % 3 == 1 else b""))


def case_reconnects(kafka, work):
    """Redis cut, killed and restarted, producers replaced, HTTP clients: file descriptors and threads are as many as before."""
    (port,) = free_ports(1)
    with World(work, kafka, settings={"http": {"listen": f"127.0.0.1:{port}"}}) as w:
        a = w.daemon("a")
        number = 0

        def more():
            nonlocal number
            w.publish([(f"r{i}", event(f"r{i}", number + i)) for i in range(200)])
            number += 200
            w.wait_applied()

        def disturb(rounds):
            for round_ in range(rounds):
                subprocess.run(["redis-cli", "-s", w.redis.socket, "CLIENT", "KILL", "TYPE", "normal"], stdout=subprocess.DEVNULL)
                more()
                knock(port, 30)
                if round_ % 2:
                    w.redis.kill()
                    time.sleep(0.5)
                    w.redis.start()
                    more()
            kafka.process.send_signal(signal.SIGSTOP)
            time.sleep(10)  # beyond the session: the consumer, and perhaps the producer, begin anew
            kafka.process.send_signal(signal.SIGCONT)
            wait_for("the servers to answer", 60, lambda: w.ctl("status", check_status=False).returncode == 0, 1)
            more()
        more()
        disturb(2)  # every connection there can be was made once
        time.sleep(5)
        before = counts(a)
        disturb(2)
        last = [before]

        def back():
            last[0] = counts(a)
            return last[0] == before
        try:
            wait_for("file descriptors and threads to be as many as before", 45, back, 1)
        except AssertionError as e:
            raise AssertionError(f"{e}: {before} before, {last[0]} now") from None
        print(f"  {before[0]} file descriptors and {before[1]} threads, before and after")


if __name__ == "__main__":
    run_cases(globals(), {"message.max.bytes": 2000000})
