"""The judgement at the end of a leg.

Three questions, three independent answers:

- Was every alert told once? Each alert has a number of its customer's (ce_sequence), and the state says how many there were:
  the numbers a consumer read (committed) must be 1 to n, each once, under ids that differ.
- Is it the right set, and the right state? Under `clock: event` a second application folds the same log from nothing, with a
  control topic, an alerts topic and a Redis of its own, undisturbed: the same ids, the same dead letters, the same state field by
  field. Under `clock: wall` its ticks would be others; there Redis is emptied and the application rebuilds itself from the log
  and its own recorded ticks: the same state, and not one alert more.
- Under `clock: wall` every lead whose time had come was told of.
"""
import time
from dataclasses import dataclass, field

from harness import headers_of, read_topic
from load import SPREAD_S
from watch import Watched, until


SETTLE_S = 5  # wall clock: how long after its time a timer may be told at the end of a leg


@dataclass
class Verdict:
    lost: int = 0
    duplicate: int = 0
    wrong_state: int = 0
    alerts: int = 0
    customers: int = 0
    times: int = 0     # of faults that are a leg of their own: what one leg counts besides one
    reported: int = 0  # and how many of them an operator was told of
    recovery: list = field(default_factory=list)
    words: list = field(default_factory=list)  # what is wrong, for people

    @property
    def right(self):
        return not (self.lost or self.duplicate or self.wrong_state or self.words)


def read_alerts(ground, topic):
    return [(m.key().decode(), headers_of(m)) for m in read_topic(ground.cluster.bootstrap, topic, timeout=60)]


def count_sequences(verdict, alerts, rows):
    """1 to n of every customer, each once."""
    told, ids = {}, set()
    for customer, h in alerts:
        told.setdefault(customer, []).append(int(h["ce_sequence"]))
        if h["ce_id"] in ids:
            verdict.duplicate += 1
            verdict.words.append(f"alert {h['ce_id']} of {customer} ({h['ce_type']}) came twice")
        ids.add(h["ce_id"])
    for customer in rows.keys() | told.keys():
        want = int(rows[customer]["alerts"]) if customer in rows else max(told[customer])  # forgotten since
        got = told.get(customer, [])
        missing, surplus = want - len(set(got) & set(range(1, want + 1))), len(got) - len(set(got) & set(range(1, want + 1)))
        verdict.lost += missing
        verdict.duplicate += surplus if len(set(got)) != len(got) or surplus else 0
        if missing or surplus:
            verdict.words.append(f"{customer}: {want} alerts by its state, numbers read: {sorted(got)[:40]}")
    return ids


def compare_rows(verdict, rows, want, who):
    for customer in rows.keys() | want.keys():
        a, b = rows.get(customer), want.get(customer)
        if a != b:
            verdict.wrong_state += 1
            if len(verdict.words) < 20:
                differ = {k: (a[k], b[k]) for k in a if a[k] != b.get(k)} if a and b else (a, b)
                verdict.words.append(f"{customer} differs from {who}: {differ}")


def reference_config(ground, topics):
    config = ground.direct_config()
    config.update(app=f"{ground.name}-ref", name=f"{ground.name}-ref")
    config["kafka"].update(alerts_topic=topics["alerts"], dead_letter_topic=topics["dead"], control_topic=topics["control"])
    return config


def dead_letters(ground, topic):
    return sorted((h["lc-partition"], int(h["lc-offset"]), h["lc-error"]) for _, h in read_alerts(ground, topic))


def fold_again(verdict, ground, rows, ids):
    """The reference: another application on the same input."""
    topics = {k: f"{ground.name}-ref-{k}" for k in ("alerts", "dead", "control")}
    ground.cluster.create(topics.values(), ground.partitions, 1)
    config = reference_config(ground, topics)
    daemon = Watched(ground.work, "reference", config).start()
    try:
        ground.wait_applied(300, config)
        compare_rows(verdict, rows, ground.export(config), "the reference")
        want = {h["ce_id"] for _, h in read_alerts(ground, topics["alerts"])}
        verdict.lost += len(want - ids)
        verdict.duplicate += len(ids - want)
        if want != ids:
            verdict.words.append(f"{len(want - ids)} alerts of the reference were not told, {len(ids - want)} only here")
        dead, dead_want = dead_letters(ground, ground.topics["dead"]), dead_letters(ground, topics["dead"])
        verdict.lost += len(set(dead_want) - set(dead))
        verdict.duplicate += len(dead) - len(set(dead)) + len(set(dead) - set(dead_want))
        if dead != dead_want:
            verdict.words.append(f"{len(dead)} dead letters, {len(dead_want)} by the reference")
    finally:
        daemon.kill()
        daemon.notify.close()
        ground.cluster.delete(topics.values())


def flush_all(ground):
    import redis
    server = ground.sentinels.primary() if ground.sentinels else ground.redis
    redis.Redis(unix_socket_path=server.socket).flushall()


def rebuild(verdict, ground):
    """Emptied and built anew from the log and the recorded ticks. The daemons are stopped while the state is looked at, since their
    clock goes on; the new state may be ahead by alerts that fell due meanwhile, and is looked at by its customers without any."""
    for daemon in ground.daemons:
        daemon.stop()
    rows, before = ground.export(), read_alerts(ground, ground.topics["alerts"])
    flush_all(ground)
    for daemon in ground.daemons:
        daemon.start()
    until(lambda: any(r["R"] is not None for r in ground.positions()), 60, 0.3)
    ground.wait_applied(300)
    for daemon in ground.daemons:
        daemon.stop()
    after = read_alerts(ground, ground.topics["alerts"])
    known = {h["ce_id"] for _, h in before}
    news = {c for c, h in after if h["ce_id"] not in known}
    again = ground.export()
    compare_rows(verdict, {c: r for c, r in rows.items() if c not in news}, {c: r for c, r in again.items() if c not in news},
                 "its own rebuild")
    count_sequences(verdict, after, again)


def check_leads(verdict, ground, alerts):
    told = {c for c, h in alerts if h["ce_type"] == "lifecycled.alert.prospect_stalled.raised.v1"}
    overdue = time.time() - SPREAD_S - SETTLE_S
    missing = [c for c, due in ground.load.leads.items() if due < overdue and c not in told]
    verdict.lost += len(missing)
    if missing:
        verdict.words.append(f"{len(missing)} leads fell due and nobody was told, such as {missing[0]}, due at {ground.load.leads[missing[0]]}: "
                             f"W {[(r['partition'], r['W']) for r in ground.positions()]}, {ground.tool('explain', '--json', missing[0])}")


def judge(ground):
    verdict = Verdict()
    ground.load.stop()
    if ground.clock == "wall":
        time.sleep(SETTLE_S)
    ground.wait_applied()
    rows = ground.export()
    alerts = read_alerts(ground, ground.topics["alerts"])
    verdict.alerts, verdict.customers = len(alerts), len(rows)
    ids = count_sequences(verdict, alerts, rows)
    if ground.clock == "event":
        fold_again(verdict, ground, rows, ids)
    else:
        check_leads(verdict, ground, alerts)
        rebuild(verdict, ground)
    return verdict
