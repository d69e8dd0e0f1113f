"""The population: what the running daemons learn of CDNOW against an exact computation that shares no code with them; tiers; a key
that is lost; a rebuild across insights; tiers that fall in silence.

    population.py WORKDIR
"""
import json
import math
import os
import re
import shutil
import sys
import time
import xml.dom.minidom
from datetime import datetime, timedelta, timezone
from decimal import Decimal

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import models  # noqa: E402
from harness import (ROOT, Kafka, World, alert_identity, check, headers_of, wait_for)  # noqa: E402
from main_job import made_log, order  # noqa: E402

import redis as redis_client  # noqa: E402

KEY = "{test:insight}"
SHARES = (("A", 80), ("B", 50), ("C", 20), ("D", 0))


def data_file(world):
    """CDNOW when it lies beside the checkout or in LC_DATA, else a log made up."""
    for folder in (os.environ.get("LC_DATA", ""), os.path.join(ROOT, "../shared/data")):
        path = os.path.join(folder, "cdnow_master.csv")
        if os.path.exists(path):
            return path
    path = os.path.join(world.work, "made.csv")
    made_log(path, 4000, 7)
    return path


def insight_of(client):
    """The proposal as text: name -> list of numbers or names."""
    text = client.hget(KEY, "text")
    check(text, "no insight in Redis")
    out = dict(line.split("=", 1) for line in text.decode().splitlines())
    return {name: value.split(",") for name, value in out.items()}


def numbers(insight, name):
    return [float(v) for v in insight[name]]


def exact_values(transactions, insight):
    mbg, gg = numbers(insight, "insight.mbg"), numbers(insight, "insight.gg")
    at_days = float(insight["insight.made"][0]) / 86400000
    return {c: models.value_minor(mbg, gg, days, at_days) for c, days in transactions.items()}


def check_cuts(insight, values):
    """Each cut is the value of rank ceil(p n / 100), within the bucket's half per cent and a minor unit."""
    ordered = sorted(values.values())
    cuts = numbers(insight, "insight.cuts")
    worst = 0.0
    for p, cut in enumerate(cuts):
        want = ordered[max(0, math.ceil(p * len(ordered) / 100) - 1)]
        worst = max(worst, abs(cut - want) / max(want, 100))
        check(abs(cut - want) <= 0.00501 * want + 1, f"the cut at percentile {p} is {cut}, exactly {want:.2f}")
    return worst


def check_concentration(insight, values, transactions):
    value_gini, value_top, revenue_gini, revenue_top = numbers(insight, "insight.spread")
    revenue = [float(models.spend(days)) for days in transactions.values()]
    for name, got, want in (("Gini of value", value_gini, models.gini(values.values())),
                            ("value of the top 20 %", value_top, 1 - models.lorenz(values.values(), 0.8)),
                            ("Gini of revenue", revenue_gini, models.gini(revenue)),
                            ("revenue of the top 20 %", revenue_top, 1 - models.lorenz(revenue, 0.8))):
        check(abs(got - want) <= 2e-5, f"{name} is {got}, exactly {want}")
        print(f"  {name}: {got:.6f}, exactly {want:.6f}")


def check_tiers(rows, values):
    """Whoever is not within a point of a border stands in the tier of the exact percentile."""
    ordered = sorted(values.values())
    place = {}
    for i, v in enumerate(ordered):
        place[v] = 100.0 * (i + 1) / len(ordered)
    wrong, clear = [], 0
    for customer, value in values.items():
        percentile = place[value]
        if any(abs(percentile - floor) < 1 for _, floor in SHARES[:3]):
            continue
        clear += 1
        want = next(tier for tier, floor in SHARES if percentile >= floor)
        if rows[customer]["tier"] != want:
            wrong.append((customer, percentile, rows[customer]["tier"]))
    check(not wrong, f"{len(wrong)} of {clear} stand in another tier than their value says, such as {wrong[:3]}")
    shares = {t: sum(rows[c]["tier"] == t for c in values) / len(values) for t, _ in SHARES}
    print("  tiers " + ", ".join(f"{t} {100 * s:.1f} %" for t, s in shares.items()) + f"; {clear} checked one by one")


def check_learned(world, client, insight):
    """Nobody noted at the first survey bought in the half year since: the learned layer has seen that, and is in force."""
    learned = json.loads(client.hget(KEY, "story"))["learned"]
    check(learned["in_force"] and learned["lessons"] >= 1000, f"the learned layer: {learned}")
    check(learned["log_loss"] < learned["log_loss_plain"], f"it does worse than the model: {learned}")
    check(numbers(insight, "insight.features") == list(learned["weights"].values())[:6], "other weights than the story's")
    check(client.exists("{test:notes}"), "no notes are kept")
    check("learned      in force" in world.ctl("insight").stdout, "lifecyclectl insight does not tell of it")
    print(f"  learned layer: {learned['lessons']:.0f} lessons, log loss {learned['log_loss']:.3f}, alone {learned['log_loss_plain']:.3f}")


def one_each(world, when, number):
    """An event for every partition moves its watermark there; prospects, so that nobody's value changes."""
    world.publish([(f"mover{i}", {"type": "track", "event": "Lead Created", "messageId": f"mover{i}-{number}", "userId": f"mover{i}",
                                  "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "properties": {}}) for i in range(64)])
    world.wait_applied(240)


def records(client):
    """Every customer's record, byte by byte, whatever bucket it is in."""
    out = {}
    for key in client.scan_iter("{test:*}:[bl]:*"):
        kind = key.split(b":")[-2]
        for customer, value in client.hgetall(key).items():
            out[kind, customer] = value
    return out


def switched(world, version):
    """Every partition folds with that version: all have one fingerprint, and another than before."""
    rows = world.status()
    return len({r["parameters"] for r in rows}) == 1 and rows[0]["parameters"] != version


def check_report(world, made, values):
    """The report's figures are those of the export; its page is whole and needs nothing from outside."""
    report = json.loads(world.ctl("report", "--json", "--moves", "--at", made.isoformat()).stdout)
    rows = world.export(made.isoformat())
    check(report["all"]["customers"] == len(rows), f"{report['all']['customers']} customers in the report, {len(rows)} in the export")
    for field, groups in (("stage", report["stages"]), ("tier", report["tiers"])):
        for name, group in groups.items():
            mine = [r for r in rows.values() if r[field] == name]
            revenue = sum(Decimal(r["spend"]) for r in mine)
            check(group["customers"] == len(mine), f"{field} {name}: {group['customers']} in the report, {len(mine)} in the export")
            check(Decimal(group["revenue_minor"]) / 100 == revenue, f"{field} {name}: revenue {group['revenue_minor']}, not {revenue}")
    check(abs(report["value"]["gini"] - models.gini(values.values())) < 2e-5, "the report's Gini is another")
    told = sum(b'"stage_changed"' in m.value() and headers_of(m)["ce_type"].endswith("raised.v1") for m in world.alerts())
    moves = sum(m["number"] for m in report["moves"])
    check(moves == told, f"{moves} moves in the report, {told} told")
    page = world.ctl("report", "--at", made.isoformat()).stdout
    pictures = re.findall(r"<svg.*?</svg>", page, re.S)
    for picture in pictures:
        xml.dom.minidom.parseString(picture)
    check(len(pictures) == 3 and page.endswith("</html>\n") and "http" not in page and "src=" not in page, "the page is not whole")
    print(f"  report: {len(page)} bytes, {len(pictures)} pictures, {moves} moves between stages")


def run(kafka, work):
    settings = {"insight": {"every": "0s", "look": "200ms", "buyers_min": 100}}
    with World(work, kafka, settings=settings) as w:
        w.daemon("a")
        w.daemon("b")
        client = redis_client.Redis(unix_socket_path=w.redis.address[5:]) if w.redis.address.startswith("unix:") else \
            redis_client.Redis(*w.redis.address.split(":"))
        path = data_file(w)
        transactions = models.transactions(path)
        w.ctl("import", path)
        w.wait_applied(300)
        last = max(day for days in transactions.values() for day in days)
        one_each(w, datetime(last.year, last.month, last.day, 12, tzinfo=timezone.utc), 0)  # one watermark for all
        before = w.status()[0]["parameters"]

        # 1. the figures
        text = w.ctl("insight", "--now", "--wait", "120s").stdout
        print("  " + text.strip().replace("\n", "\n  "))
        insight = insight_of(client)
        check(insight["insight.version"] == ["1"] and int(insight["insight.buyers"][0]) == len(transactions), str(insight)[:200])
        values = exact_values(transactions, insight)
        print(f"  cuts: the worst is {100 * check_cuts(insight, values):.3f} % off the exact one")
        check_concentration(insight, values, transactions)

        # 2. the tiers
        wait_for("every partition to take it over", 60, lambda: switched(w, before))
        made = datetime.fromtimestamp(int(insight["insight.made"][0]) / 1000, timezone.utc)
        one_each(w, made + timedelta(hours=2), 1)
        check_tiers(w.export(made.isoformat()), values)
        check_report(w, made, values)
        initial = [m for m in w.alerts() if b'"tier_changed"' in m.value()]
        check(not initial, f"{len(initial)} told of a tier that is their first one")

        # 3. a lost key: offered again, and nothing else happens
        fingerprint = w.status()[0]["parameters"]
        client.delete(KEY)
        wait_for("the insight to be offered again", 30, lambda: client.hget(KEY, "version") == b"1")
        check(insight_of(client) == insight, "another insight is offered than was lost")
        time.sleep(1)
        check(all(r["parameters"] == fingerprint for r in w.status()), "a lost key changed parameters")

        # 4. values decay in silence: half a year on, nobody buys
        one_each(w, made + timedelta(days=200), 2)
        moved = [m for m in w.alerts() if b'"tier_changed"' in m.value()]
        by_timer = [m for m in moved if headers_of(m)["ce_causationid"].startswith("timer")]
        down = [m for m in by_timer if (t := json.loads(m.value())["tier"])["to"] > t["from"]]
        check(len(down) > 0.9 * len(by_timer), f"only {len(down)} of {len(by_timer)} fell")
        check(len(by_timer) > len(transactions) / 100, f"{len(by_timer)} tiers changed in silence")
        print(f"  {len(by_timer)} of {len(moved)} changes of tier were caused by silence alone")

        # 5. a second one, then everything again from nothing
        w.ctl("insight", "--now", "--wait", "120s")
        check(insight_of(client)["insight.version"] == ["2"], "no second version")
        check_learned(w, client, insight_of(client))
        wait_for("every partition to take it over", 60, lambda: switched(w, fingerprint))
        one_each(w, made + timedelta(days=201), 3)
        newest, state, alerts = insight_of(client), records(client), alert_identity(w.alerts())
        for daemon in w.daemons:
            daemon.stop()
        client.flushall()
        w.daemon("a")
        w.daemon("b")
        w.wait_applied(300)
        wait_for("the insight to be offered again", 30, lambda: client.hget(KEY, "version") == b"2")
        check(insight_of(client) == newest, "another insight after the rebuild")
        again = records(client)
        check(again == state, f"{sum(again.get(k) != v for k, v in state.items())} of {len(state)} records differ after the rebuild")
        check(alert_identity(w.alerts()) == alerts, "the rebuild told something")
        print(f"  rebuilt from nothing across two insights: {len(state)} records to the byte, none of {len(alerts)} alerts again")


def run_by_itself(kafka, work):
    """In service (clock: wall) the first insight comes by itself, and a restart without the key keeps it."""
    settings = {"clock": "wall", "insight": {"every": "24h", "look": "200ms", "buyers_min": 100}}
    with World(work, kafka, settings=settings) as w:
        daemon = w.daemon("a")
        client = redis_client.Redis(unix_socket_path=w.redis.address[5:])
        now = datetime.now(timezone.utc)
        w.publish([order(f"n{i}", now - timedelta(days=300 - 40 * n, hours=i % 24), 5 + i % 90, n) for i in range(2000) for n in range(1 + i % 5)])
        w.wait_applied()
        wait_for("an insight nobody asked for", 60, lambda: client.hget(KEY, "version") == b"1")
        wait_for("the first tiers", 90, lambda: any(r["tier"] for r in w.export(now.isoformat()).values()), every=1)
        fingerprint = w.status()[0]["parameters"]
        daemon.stop()
        client.delete(KEY)
        w.daemon("a")
        wait_for("the insight to be offered again", 60, lambda: client.hget(KEY, "version") == b"1")
        time.sleep(1)
        check(all(r["parameters"] == fingerprint for r in w.status()), "a restart without the key changed parameters")
        check(client.hget(KEY, "version") == b"1", "a second one within the day")
        print("  by itself at 2000 buyers; kept over a restart without its key")


def main():
    work = os.path.abspath(sys.argv[1])
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    begun = time.monotonic()
    with Kafka(work) as kafka:
        run(kafka, os.path.join(work, "population"))
        run_by_itself(kafka, os.path.join(work, "by-itself"))
    print(f"ok ({time.monotonic() - begun:.0f} s)")


if __name__ == "__main__":
    main()
