"""The main job on real servers, one broker for all cases: import, figures against an independent computation, a second import, silence,
bad input, sharing of partitions, refusals. (tests/faults breaks things.)

    main_job.py WORKDIR [CASE ...]
"""
import csv
import json
import os
import random
import subprocess
import sys
import time
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import models  # noqa: E402
from harness import (ALERTS, BIN, DEAD, INPUT, ROOT, Daemon, World, alert_identity, check, headers_of, producer,  # noqa: E402
                     read_topic, run_cases, wait_for)


def made_log(path, customers, seed):
    """A transaction log like the real ones: several orders a customer, zero amounts, same-day rows."""
    r = random.Random(seed)
    start = date(2023, 1, 1)
    rows = []
    for c in range(customers):
        day = start + timedelta(days=r.randrange(200))
        rate = r.gammavariate(0.8, 1 / 30)
        while day < start + timedelta(days=540):
            for _ in range(1 + (r.random() < 0.05)):
                rows.append((f"m{c:05}", day.isoformat(), f"{r.choice([0, 1, 1, 1, 1, 1, 1, 1]) * r.gammavariate(6, 5):.2f}"))
            if r.random() < 0.2:
                break
            day += timedelta(days=max(1, int(r.expovariate(max(rate, 1e-3)))))
    rows.sort(key=lambda row: row[1])
    with open(path, "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(("customer", "date", "amount"))
        out.writerows(rows)


def compare_with_models(world, path, at, refunds_path=None):
    """export against the independent computation; the number of customers."""
    want = models.transactions(path)
    returns = models.transactions(refunds_path, refunds=True) if refunds_path else {}
    got = world.export(at.isoformat())
    check(set(want) <= set(got), f"{len(set(want) - set(got))} customers are missing")
    extra = set(got) - set(want) - set(returns)
    check(not extra, f"{len(extra)} customers nobody sent, such as {sorted(extra)[:3]}")
    for customer, days in want.items():
        row = got[customer]
        total = models.spend(days) - models.spend(returns.get(customer, {}))
        check(int(row["purchase_days"]) == len(days), f"{customer}: {row['purchase_days']} purchase days, not {len(days)}")
        check(Decimal(row["spend"]) == total, f"{customer}: spend {row['spend']}, not {total}")
        x, t_x, T, alive, risk = models.figures(days, at)
        for name, value in (("x", x), ("t_x", t_x), ("T", T), ("p_alive", alive), ("churn_risk", risk)):
            check(models.close(row[name], value), f"{customer}: {name} is {row[name]}, not {value}")
    return len(got)


def data_file(world, name):
    """A real log when the checkout has them beside it, else one made up."""
    real = os.path.join(ROOT, "../shared/data", name)
    if os.path.exists(real):
        return real
    path = os.path.join(world.work, name)
    made_log(path, 2000, 7)
    return path


def case_import(kafka, work):
    """cdnow_master by two processes; every figure right; a second import changes nothing."""
    with World(work, kafka) as w:
        w.daemon("a")
        w.daemon("b")
        path = data_file(w, "cdnow_master.csv")
        at = date(1998, 7, 1) if "shared" in path else date(2024, 7, 1)
        w.ctl("import", path)
        w.wait_applied(180)
        count = compare_with_models(w, path, at)
        before, alerts = w.export(at.isoformat()), alert_identity(w.alerts())
        w.ctl("import", path)
        w.wait_applied(180)
        check(w.export(at.isoformat()) == before, "a second import changed something")
        check(alert_identity(w.alerts()) == alerts, "a second import raised alerts")
        print(f"  {count} customers, {len(alerts)} alerts")


def case_refunds(kafka, work):
    """online_retail and its returns: refunds without an order id."""
    real = os.path.join(ROOT, "../shared/data/online_retail_returns.csv")
    with World(work, kafka) as w:
        w.daemon("a")
        path = data_file(w, "online_retail.csv")
        at = date(2011, 12, 10) if "shared" in path else date(2024, 7, 1)
        w.ctl("import", path)
        if os.path.exists(real):
            w.ctl("import", "--refunds", real)
        w.wait_applied(180)
        count = compare_with_models(w, path, at, real if os.path.exists(real) else None)
        print(f"  {count} customers")


def order(customer, when, amount, number):
    return customer, {"type": "track", "event": "Order Completed", "messageId": f"{customer}-{number}", "userId": customer,
                      "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
                      "properties": {"order_id": f"{customer}-o{number}", "amount": f"{amount:.2f}", "currency": "EUR"}}


def case_silence(kafka, work):
    """A customer who sends nothing gets churn_risk at the time explain had predicted."""
    with World(work, kafka, partitions=1, settings={}) as w:
        w.daemon("a")
        start = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)
        w.publish([order("quiet", start, 40, 1)])
        w.wait_applied()
        told = json.loads(w.ctl("explain", "quiet", "--json").stdout)
        steps = [s for s in told["if_silent"] if s["kind"] == "churn_risk" and s["phase"] == "raised"]
        check(steps, f"explain predicts no churn_risk: {told['if_silent']}")
        predicted = steps[0]["at"]
        w.publish([order("other", start + timedelta(days=i), 10, i) for i in range(1, 300)])
        w.wait_applied()
        raised = [headers_of(m) for m in w.alerts() if m.key() == b"quiet" and b'"churn_risk"' in m.value()]
        raised = [h for h in raised if h["ce_type"].endswith("churn_risk.raised.v1")]
        check(len(raised) == 1, f"{len(raised)} churn_risk alerts instead of 1")
        check(raised[0]["ce_time"] == predicted, f"raised at {raised[0]['ce_time']}, predicted {predicted}")
        print(f"  churn_risk at {predicted}, as predicted")


def case_bad_input(kafka, work):
    """Unreadable, oversized, hostile, contradictory records become dead letters with reasons; the stream goes on."""
    start = datetime(2024, 1, 1, tzinfo=timezone.utc)
    bad = [
        ("x1", b"not json"), ("x2", b"{"), ("x3", b"[1,2,3]"), ("x4", b"\xdd\xff\xff\xff\xff"),
        ("x5", {"event": "Order Completed", "messageId": "1", "userId": "somebody else"}),
        ("x6", {"event": "Order Completed", "messageId": "1", "userId": "x6", "properties": {"amount": "1.234", "currency": "EUR"}}),
        ("x7", {"event": "Order Completed", "messageId": "1", "userId": "x7", "properties": {"amount": "1", "currency": "XXX"}}),
        ("x8", b'{"event":"Page Viewed","event":"Page Viewed","messageId":"1","userId":"x8"}'),
        ("x9", {"event": "Page Viewed", "userId": "x9"}),
        ("x10", {"event": "Page Viewed", "messageId": "1", "userId": "x10", "timestamp": "2999-01-01T00:00:00Z"}),
        ("x11", {"event": "Page Viewed", "messageId": "1", "userId": "x11", "filler": "y" * 600000}),
        ("x12", None),
    ]
    with World(work, kafka) as w:
        w.daemon("a")
        good = [order(f"g{i}", start + timedelta(days=i % 50), 5, i) for i in range(200)]
        mixed = good + bad
        random.Random(3).shuffle(mixed)
        w.publish(mixed)
        w.wait_applied()
        dead = read_topic(w.kafka.bootstrap, DEAD)
        reasons = {m.key().decode(): headers_of(m) for m in dead}
        check(set(reasons) == {k for k, _ in bad}, f"dead letters of {sorted(reasons)}")
        originals = {k: (v if isinstance(v, (bytes, type(None))) else json.dumps(v).encode()) for k, v in bad}
        for m in dead:
            h = headers_of(m)
            check(m.value() == originals[m.key().decode()], f"{m.key()}: the value is not the original")
            check(h["lc-topic"] == INPUT and h["lc-error"] and h["lc-partition"].isdigit() and h["lc-offset"].isdigit(), f"headers {h}")
        check(len(w.export("2024-07-01")) == 200, "a good customer is missing")
        print("  " + ", ".join(f"{k} {v['lc-error']}" for k, v in sorted(reasons.items())))


def case_waits(kafka, work):
    """Starts before its servers answer; Redis away, full or read-only: waits, says so, resumes, loses nothing."""
    with World(work, kafka) as w:
        w.redis.stop()
        d = w.daemon("a")
        wait_for("the log to say that Redis is away", 30, lambda: "redis" in d.text().lower())
        w.redis.start()
        start = datetime(2024, 1, 1, tzinfo=timezone.utc)
        w.publish([order(f"w{i}", start, 5, i) for i in range(100)])
        w.wait_applied()
        import redis
        r = redis.Redis(unix_socket_path=w.redis.socket)
        r.config_set("maxmemory", 1)
        w.publish([order(f"w{i}", start + timedelta(days=1), 5, i + 1000) for i in range(100)])
        wait_for("the log to say that Redis is full", 30, lambda: "redis-oom" in d.text())
        r.config_set("maxmemory", 0)
        w.wait_applied()
        w.redis.kill()
        w.publish([order(f"w{i}", start + timedelta(days=2), 5, i + 2000) for i in range(100)])
        time.sleep(1)
        w.redis.start()
        w.wait_applied()
        rows = w.export("2024-07-01")
        check(len(rows) == 100 and all(row["purchase_days"] == "3" for row in rows.values()), "something was lost")


def case_fenced(kafka, work):
    """Of two daemons with one instance name the older is fenced: it says so and exits 77. A bad configuration exits 78."""
    with World(work, kafka) as w:
        first = w.daemon("a")
        start = datetime(2024, 1, 1, tzinfo=timezone.utc)
        w.publish([order("f1", start, 5, 1)])
        w.wait_applied()
        second = Daemon(w.work, "daemon-second", w.config("a")).start()
        w.daemons.append(second)
        wait_for("the first to end", 60, lambda: first.process.poll() is not None)
        check(first.process.returncode == 77, f"exit status {first.process.returncode}, not 77")
        check("fenced" in first.text(), "the log does not say fenced")
        w.publish([order("f2", start, 5, 2)])
        w.wait_applied()
        bad = os.path.join(w.work, "bad.yaml")
        with open(bad, "w") as f:
            f.write("kafka:\n  broker: localhost:9092\n")
        done = subprocess.run([os.path.join(BIN, "lifecycled"), "--check", bad], capture_output=True, text=True)
        check(done.returncode == 78, f"--check: exit status {done.returncode}, not 78")
        check("bad.yaml:2:3" in done.stderr and "brokers" in done.stderr, f"--check says: {done.stderr}")


if __name__ == "__main__":
    run_cases(globals())
