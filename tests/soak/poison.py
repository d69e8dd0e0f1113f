#!/usr/bin/env python3
"""Poison among good records: every bad one in the dead-letter topic once, and the stream not slowed down by more than half.

The same good events are applied twice by the release daemon on a real broker and Redis: alone, and with as many bad records of every
sort between them. Everything is published before the daemon starts, so what is measured is the daemon.

    ./dev poison [--records 1000000] [--partitions 4] [--json FILE]
"""
import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from harness import DEAD, INPUT, Kafka, World, alert_identity, check, headers_of, producer, read_topic  # noqa: E402
from servers import free_ports  # noqa: E402
from soak import metric  # noqa: E402

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
RATIO_MIN = 0.5

# Each with the reason it must be given; %d is its number, so that no two are equal.
POISON = (
    (b"not json %d", "syntax"),
    (b'{"event":"Order Completed","messageId":"%d","userId":"somebody else","properties":{"amount":"1","currency":"EUR"}}', "key-mismatch"),
    (b"\xdd\xff\xff\xff\xff%d", "syntax"),
    (b'{"event":"Order Completed","messageId":"%d","userId":"KEY","properties":{"amount":"1.234","currency":"EUR"}}', "bad-field"),
    (b'{"event":"Order Completed","messageId":"%d","userId":"KEY","properties":{"amount":"1","currency":"XXX"}}', "unknown-currency"),
    (b'{"event":"Page Viewed","event":"Page Viewed","messageId":"%d","userId":"KEY"}', "duplicate-key"),
    (b'{"event":"Page Viewed","userId":"KEY","n":%d}', "missing-field"),
    (b'{"event":"Page Viewed","messageId":"%d","userId":"KEY","timestamp":"2150-01-01T00:00:00Z"}', "future"),
    (b"[[[[[[[[[[[[[[[[%d]]]]]]]]]]]]]]]]", "syntax"),
    (b'{"event":"Page Viewed","messageId":"%d\xff\xfe","userId":"KEY"}', "utf8"),
)


def good(number, customers):
    customer = f"c{number * 7919 % customers}"
    when = START + timedelta(seconds=number * 20)
    event = {"messageId": f"g{number}", "userId": customer, "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
    if number % 3 == 0:
        event |= {"event": "Order Completed", "properties": {"order_id": f"o{number}", "amount": "12.50", "currency": "EUR"}}
    else:
        event |= {"event": "Page Viewed"}
    return customer, json.dumps(event).encode()


def bad(number):
    key = f"p{number}"
    return key, POISON[number % len(POISON)][0].replace(b"KEY", key.encode()).replace(b"%d", b"%d" % number)


def publish(world, count, poisoned):
    """Good records in order; between two of them one bad when poisoned."""
    p = producer(world.kafka.bootstrap, **{"linger.ms": 50, "batch.num.messages": 10000, "queue.buffering.max.messages": 500000})
    for number in range(count):
        for key, value in ((good(number, max(1, count // 50)),) + ((bad(number),) if poisoned else ())):
            while True:
                try:
                    p.produce(INPUT, value, key)
                    break
                except BufferError:
                    p.poll(0.2)
    check(p.flush(300) == 0, "publishing failed")


def applied(port):
    try:
        return metric(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode(), "partition_applied_offset")
    except OSError:
        return 0


def throughput(world, port, total):
    """Records a second between the first hundredth and the last."""
    first, seen, moved = None, 0, time.monotonic()
    begun = moved
    while True:
        at, now = applied(port), time.monotonic()
        if at > seen:
            seen, moved = at, now
        check(now - moved < 120, f"stands still at {seen} of {total}")
        if at >= total:
            return (at - (first or 0)) / (now - begun)
        if first is None and at >= total / 100:
            first, begun = at, now
        time.sleep(0.1)


def run(kafka, work, options, poisoned):
    (port,) = free_ports(1)
    with World(work, kafka, partitions=options.partitions) as w:
        publish(w, options.records, poisoned)
        a = w.daemon("a", http={"listen": f"127.0.0.1:{port}"})
        total = options.records * (2 if poisoned else 1)
        rate = throughput(w, port, total)
        w.wait_applied(120)
        check(a.process.poll() is None, "the daemon ended")
        rows, alerts = w.export("2026-06-01"), alert_identity(w.alerts())
        dead = read_topic(w.kafka.bootstrap, DEAD, timeout=120)
        reasons = Counter(headers_of(m)["lc-error"] for m in dead)
        keys = Counter(m.key() for m in dead)
        wrong = [m.key() for m in dead if headers_of(m)["lc-error"] != POISON[int(m.key()[1:]) % len(POISON)][1]]
        for key in wrong[:len(POISON)]:
            print(f"  {key}: another reason than {POISON[int(key[1:]) % len(POISON)][1]}", file=sys.stderr)
        return {"records": total, "rate": rate, "rows": rows, "alerts": alerts, "dead": len(dead), "reasons": reasons,
                "exact": len(keys) == len(dead) and not wrong}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--records", type=int, default=1000000, help="good ones, and as many bad ones")
    ap.add_argument("--partitions", type=int, default=4)
    ap.add_argument("--work", help="keep logs and data here")
    ap.add_argument("--json", help="write the result here too")
    options = ap.parse_args()
    work = options.work or tempfile.mkdtemp(prefix="lifecycled-poison-")
    with Kafka(work, "kafka") as kafka:
        clean = run(kafka, os.path.join(work, "clean"), options, False)
        print(f"clean:    {clean['records']:>9} records, {clean['rate']:>9.0f} a second, {clean['dead']} dead letters", flush=True)
        mixed = run(kafka, os.path.join(work, "poisoned"), options, True)
        print(f"poisoned: {mixed['records']:>9} records, {mixed['rate']:>9.0f} a second, {mixed['dead']} dead letters: "
              + ", ".join(f"{k} {v}" for k, v in mixed["reasons"].most_common()), flush=True)
    ratio = mixed["rate"] / clean["rate"]
    equal = clean["rows"] == mixed["rows"] and clean["alerts"] == mixed["alerts"]
    passed = clean["dead"] == 0 and mixed["dead"] == options.records and mixed["exact"] and equal and ratio >= RATIO_MIN
    print(f"throughput {ratio:.2f} of clean; {len(mixed['rows'])} customers and {len(mixed['alerts'])} alerts "
          f"{'the same' if equal else 'DIFFERENT'}; each bad record {'once' if mixed['exact'] else 'NOT once'} in the dead-letter topic: "
          f"{'PASSED' if passed else 'FAILED'}")
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"passed": passed, "ratio": ratio, "clean_rate": clean["rate"], "poisoned_rate": mixed["rate"],
                       "dead": mixed["dead"], "reasons": mixed["reasons"]}, f, indent=1)
    if not options.work:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
