"""Ids that become one, erasure, and plans, on real servers.

    identity.py WORKDIR [CASE ...]
"""
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import redis as redis_client

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BIN, DEAD, INPUT, World, alert_identity, check, headers_of, read_topic, run_cases, wait_for  # noqa: E402

START = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)
FIGURES = ("purchase_days", "orders", "spend", "first_day", "last_day", "x", "t_x", "T", "p_alive", "churn_risk", "clv_12")


def stamp(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def event(customer, name, when, number, **properties):
    return customer, {"type": "track", "event": name, "messageId": f"{name}-{number}", "userId": customer, "timestamp": stamp(when),
                      "properties": properties}


def order(customer, when, amount, number, name=None):
    return event(customer, "Order Completed", when, f"{name or customer}-{number}", order_id=f"{name or customer}-o{number}",
                 amount=f"{amount:.2f}", currency="EUR", category="shoes")


def alias(previous, into, when):
    return into, {"type": "alias", "messageId": f"{previous}-{into}", "userId": into, "previousId": previous, "timestamp": stamp(when)}


def client_of(world):
    if world.redis.address.startswith("unix:"):
        return redis_client.Redis(unix_socket_path=world.redis.address[5:])
    return redis_client.Redis(*world.redis.address.split(":"))


def internal_events(world):
    return [m for m in read_topic(world.kafka.bootstrap, INPUT) if "lc-offset" in headers_of(m)]


def settled(world):
    """All published is applied, and so is what it made the daemon publish."""
    last = None
    wait_for("the group's coordinator", 60, lambda: world.ctl("status", check_status=False).returncode == 0, 0.5)
    while True:
        world.wait_applied()
        now = [r["log_end"] for r in world.status()]
        if now == last:
            return
        last = now
        time.sleep(0.5)


def case_alias(kafka, work):
    """Two ids joined across partitions, kill -9 meanwhile: the figures are those of one id that did it all."""
    pairs, rounds = 60, random.Random(7)
    with World(work, kafka) as w:
        daemon = w.daemon("a")
        log = []
        for i in range(pairs):
            for n in range(6):
                when = START + timedelta(days=rounds.randrange(100))
                amount, who = rounds.randrange(100, 9000) / 100, rounds.choice("pn")
                log += [order(f"{who}{i}", when, amount, n, f"j{i}"), order(f"all{i}", when, amount, n)]
        middle = START + timedelta(days=101)
        log += [alias(f"p{i}", f"n{i}", middle) for i in range(pairs)]
        log += [alias(f"n{i}", f"q{i}", middle + timedelta(hours=1)) for i in range(0, pairs, 3)]  # a chain
        log += [alias(f"p{i}", f"n{i}", middle) for i in range(0, pairs, 2)]  # told again
        after = []
        for i in range(pairs):
            when = START + timedelta(days=102, minutes=i)
            after += [order(f"p{i}", when, 11, 7, f"j{i}"), order(f"all{i}", when, 11, 7)]
            after += [order(f"p{i}", when, 11, 7, f"j{i}")]  # a publisher's retry, to the old id
        log += after[:pairs]  # while they are being joined
        for at in range(0, len(log), 150):
            w.publish(log[at:at + 150])
            if at in (600, 900):
                daemon.process.send_signal(signal.SIGKILL)
                daemon.process.wait()
                daemon.start()
        settled(w)
        w.publish(after[pairs:])
        settled(w)
        rows = w.export(stamp(START + timedelta(days=103)))
        for i in range(pairs):
            whole, joined = rows[f"all{i}"], rows[f"q{i}" if i % 3 == 0 else f"n{i}"]
            for name in FIGURES:
                check(whole[name] == joined[name], f"pair {i}: {name} is {joined[name]}, of one id {whole[name]}")
            check(f"p{i}" not in rows, f"p{i} is still a customer")
        check(not read_topic(kafka.bootstrap, DEAD), "dead letters")
        told = alert_identity([m for m in w.alerts() if b"lifecycled.alert" in dict(m.headers())["ce_type"]])
        internal = [headers_of(m) for m in internal_events(w)]
        states = [h["ce_id"] for h in internal if h.get("ce_type") == "lifecycled.alias.moved.v1" and "lc-hops" not in h]
        check(len(states) == len(set(states)), "a state was sent twice")
        sent_on = [(h["lc-partition"], h["lc-offset"]) for h in internal if "lc-hops" in h]
        check(len(sent_on) == len(set(sent_on)), "an event was sent on twice")
        print(f"  {pairs} pairs joined, {pairs // 3} chains; {len(states)} states moved, {len(sent_on)} events sent on, {len(told)} alerts, "
              f"each once; {len(FIGURES)} figures equal")


def case_refused(kafka, work):
    """A circle and a third id: dead letters, and the customers stay what they were."""
    with World(work, kafka) as w:
        w.daemon("a")
        log = [order(c, START, 10, 1) for c in ("a", "b", "c")]
        log += [alias("a", "b", START + timedelta(days=1))]
        w.publish(log)
        settled(w)
        w.publish([alias("b", "a", START + timedelta(days=2)),   # b is a's customer already
                   alias("a", "c", START + timedelta(days=2))])  # a is b, and c is somebody else
        settled(w)
        errors = sorted(headers_of(m)["lc-error"] for m in read_topic(kafka.bootstrap, DEAD))
        check(errors == ["contract", "contract"], f"dead letters: {errors}")
        rows = w.export(stamp(START + timedelta(days=3)))
        check(set(rows) == {"b", "c"} and rows["b"]["orders"] == "2" and rows["c"]["orders"] == "1", f"customers: {rows}")
        print("  a circle and a third id refused, b and c stay two")


def texts_in_redis(client):
    """Every key, field and value there is."""
    out = []
    for key in client.scan_iter("*"):
        out.append(key)
        kind = client.type(key)
        if kind == b"hash":
            for field, value in client.hgetall(key).items():
                out += [field, value]
        elif kind == b"zset":
            out += [m for m, _ in client.zrange(key, 0, -1, withscores=True)]
        elif kind == b"string":
            out.append(client.get(key))
        out.append(client.dump(key))
    return out


def case_erase(kafka, work):
    """Erased by one id: the other follows, a receipt each, nothing readable left in Redis, what was before stays ignored."""
    secrets = [b"Erika.Mustermann@example.org", b"anonymous-cookie-4711"]
    # Short texts of a record are kept as words of eight bytes, so backwards in MessagePack.
    secrets += [text[:8][::-1] for text in (b"geheimer-plan", b"Fritzphone", b"Sonderschuhe")]
    new, old = secrets[0].decode(), secrets[1].decode()
    with World(work, kafka) as w:
        w.daemon("a")
        client = client_of(w)
        properties = {"channel": "Fritzphone", "plan": "geheimer-plan", "subscription_id": "s1"}
        log = [event(old, "Subscription Started", START, "sub", **properties),
               order(old, START + timedelta(days=1), 10, 1), order(new, START + timedelta(days=2), 20, 1)]
        log[2][1]["properties"]["category"] = "Sonderschuhe"
        w.publish(log + [order("other", START, 5, 1), alias(old, new, START + timedelta(days=3))])
        settled(w)
        before = b"\n".join(texts_in_redis(client))
        missing = [s for s in secrets if s not in before]
        check(not missing, f"the test looks for what never was there: {missing}")
        done = w.ctl("erase", old, "--yes", "--timeout", "60s")
        check(done.stdout.count("erased ") == 2 and old in done.stdout and new in done.stdout, f"receipts: {done.stdout!r}")
        check(INPUT in done.stderr and "retention" in done.stderr, "it does not say what remains")
        settled(w)
        left = texts_in_redis(client)
        for secret in secrets:
            for text in left:
                check(secret not in (text or b"") and secret.lower() not in (text or b"").lower(), f"{secret} is left in Redis: {text!r}")
        marks = [f for k in client.scan_iter("{test:*}:b:*") for f in client.hkeys(k) if f[0] == 0xff]
        check(len(marks) == 2 and all(len(m) == 17 for m in marks), f"marks: {marks}")
        receipts = [m for m in w.alerts() if headers_of(m)["ce_type"] == "lifecycled.receipt.erased.v1"]
        check(sorted(m.key().decode() for m in receipts) == sorted([old, new]), "receipts on the topic")
        w.publish(log)  # sent again: from before
        settled(w)
        check(set(w.export(stamp(START))) == {"other"}, "what was before the erasure came back")
        w.publish([event(new, "Signed Up", datetime.now(timezone.utc) + timedelta(hours=1), "again")])
        settled(w)
        check(new in w.export(stamp(START)), "a later event begins nobody new")
        refused = w.ctl("erase", "x", check_status=False, stdin="")
        check(refused.returncode == 64 and "--yes" in refused.stderr, f"asks nobody: {refused.returncode} {refused.stderr!r}")
        for daemon in w.daemons:
            daemon.stop()
        waited = w.ctl("erase", "nobody", "--yes", "--timeout", "2s", check_status=False)
        check(waited.returncode == 1 and "no receipt" in waited.stderr, f"no daemon: {waited.returncode} {waited.stderr!r}")
        print(f"  {len(left)} keys, fields, values and dumps searched for {len(secrets)} texts; 2 marks left")


# --- plan ---

CHANGE = {"rules": {"prospect_stalled": "40d", "churn_risk_high": 0.5, "upsell_growth": 0.05},
          "stage": {"decline_gaps": 0.8, "churn_gaps": 1.6, "loyal_days": 6}}


def population(seed, customers):
    """Buyers of many rhythms, and prospects, over 300 days."""
    draw, log = random.Random(seed), []
    for c in range(customers):
        name = f"c{c:04d}"
        at = START + timedelta(days=draw.random() * 150)
        log.append(event(name, "Lead Created", at, f"{name}-0", channel=draw.choice(["web", "store"])))
        rhythm = draw.choice([0, 5, 12, 25, 40, 70])
        for n in range(draw.randrange(12) if rhythm else 0):
            at += timedelta(days=rhythm * (0.5 + draw.random()))
            if at < START + timedelta(days=300):
                log.append(order(name, at, draw.randrange(500, 20000) / 100, n))
    return sorted(log, key=lambda e: e[1]["timestamp"])


def movers(when, number):
    """One at least for every partition moves its W there."""
    return [event(f"mover{i}", "Lead Created", when, f"mover{i}-{number}") for i in range(64)]


def told(message):
    h, data = headers_of(message), json.loads(message.value())
    kind, phase = h["ce_type"].split(".")[2:4]
    tier = data["tier"] or {"from": None, "to": None}
    return (h["ce_subject"], kind, phase, data["stage"]["from"], data["stage"]["to"], tier["from"] or "none", tier["to"] or "none",
            h["ce_time"])


def planned(row):
    return (row["customer"], row["kind"], row["phase"], row["from"], row["to"], row["tier_from"], row["tier_to"], row["at"])


def case_plan(kafka, work):
    """A plan on changed thresholds predicts exactly what happens when they are deployed."""
    with World(work, kafka) as w:
        daemon = w.daemon("a")
        w.publish(population(11, 1500))
        settled(w)
        end = START + timedelta(days=301)
        w.publish(movers(end, 0))
        settled(w)
        before = {headers_of(m)["ce_id"] for m in w.alerts()}
        path = os.path.join(w.work, "new.yaml")
        with open(path, "w") as f:
            json.dump(w.config("a", **CHANGE), f)

        def plan(*more):
            done = subprocess.run([os.path.join(BIN, "lifecyclectl"), "plan", "--config", path, *more], capture_output=True, text=True,
                                  timeout=300)
            check(done.returncode == 0, f"plan: {done.returncode} {done.stderr}")
            return done.stdout

        lines = [json.loads(line) for line in plan("--json", "--customers", "1000000").splitlines()]
        rows, sums = lines[:-1], lines[-1]
        print("  " + "\n  ".join(plan().splitlines()))
        daemon.stop()
        w.daemon("b", **CHANGE)
        wait_for("the switch", 60, lambda: len({r["parameters"] for r in w.status()}) == 1 and
                 all(r["phase"] == "live" if "phase" in r else True for r in w.status()))
        settled(w)
        w.publish(movers(end + timedelta(milliseconds=sums["window_ms"]), 1))
        settled(w)
        happened = {told(m) for m in w.alerts() if headers_of(m)["ce_id"] not in before and not m.key().startswith(b"mover")}
        expected = {planned(r) for r in rows if not r["customer"].startswith("mover")}
        check(len(expected) > 100, f"only {len(expected)} alerts are planned: the test shows nothing")
        check(happened == expected, f"{len(happened - expected)} not planned, such as {sorted(happened - expected)[:3]}; "
              f"{len(expected - happened)} did not happen, such as {sorted(expected - happened)[:3]}")
        moves = {r["customer"] for r in rows if r["kind"] == "stage_changed" and not r["anyway"]}
        check(len(moves) >= 20, f"only {len(moves)} customers move because of the change")
        print(f"  {len(expected)} alerts of {len({e[0] for e in expected})} customers planned, each happened at its time, and no other; "
              f"{len(moves)} moved stage because of the change")


if __name__ == "__main__":
    run_cases(globals())
