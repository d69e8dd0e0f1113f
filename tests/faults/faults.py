#!/usr/bin/env python3
"""Real processes, real servers, real faults: three brokers, Redis (with a replica and Sentinels), daemons, a steady load, and an
independent client that reads committed alerts.

    ./dev faults                             the full battery (more than an hour)
    ./dev faults --quick                     every fault once; part of ./dev test
    ./dev faults --only kill,flushall --count 100 --seed 7
    ./dev faults --list

Faults of one kind share a leg: topics of their own, the load, faults one after the other, and then the judgement (oracle.py). With
--quick all faults that stand on the same ground share one. A failure prints the seed and the command that runs the leg again.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster import Cluster  # noqa: E402  (puts tests/lib and tests/integration on the path)
from alarms import Alarms  # noqa: E402
from catalogue import FAULTS  # noqa: E402
from ground import Ground  # noqa: E402
from harness import BIN  # noqa: E402
from oracle import Verdict, judge  # noqa: E402
from watch import missing_words  # noqa: E402

GROUNDS = {
    "redis": {},
    "crash": {"program": os.path.join(BIN, "tests/faults/lifecycled_crashing")},
    "sentinel": {"store": "sentinel"},
    "disk": {"store": "disk"},
    "relay": {"relayed": True},
    "wall": {"clock": "wall"},
}


@dataclass
class Outcome:
    """Of one kind of fault, over all its legs."""
    fault: object
    times: int = 0
    recovery: list = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    skipped: str = ""

    def add(self, verdict):
        for name in ("lost", "duplicate", "wrong_state", "alerts", "customers", "reported"):
            setattr(self.verdict, name, getattr(self.verdict, name) + getattr(verdict, name))
        self.verdict.words += verdict.words

    @property
    def right(self):
        return self.verdict.right

    def quantile(self, share):
        ordered = sorted(self.recovery)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def log(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def one_fault(ground, outcome):
    """Act, measure, mend."""
    fault = outcome.fault
    since, mend = fault.act(ground)
    took = ground.recovered(since, fault.limit_s)
    outcome.times += fault.each
    outcome.recovery += ground.extra_recovery + [took]
    ground.extra_recovery.clear()
    if mend:
        mend()
        ground.recovered(time.monotonic(), fault.limit_s)
    time.sleep(ground.chance.uniform(0.05, 0.6))
    return took


def alone(cluster, work, name, plan, outcomes, seed, options):
    """Rounds that have a ground of their own each."""
    outcome, chance = outcomes[plan[0].name], random.Random(seed)
    for number, fault in enumerate(plan):
        verdict = Verdict(times=1)
        begun = time.monotonic()
        try:
            daemons = fault.act({"cluster": cluster, "work": work, "name": f"{name}r{number}", "seed": chance.randrange(1 << 30),
                                 "alarms": options.alarms}, verdict)
            verdict.words += [f"nobody saw {w}" for w in missing_words(fault, daemons)]
        except Exception as e:
            traceback.print_exc()
            verdict.words.append(f"{type(e).__name__}: {e}")
        outcome.add(verdict)
        outcome.times += verdict.times
        outcome.recovery += verdict.recovery
        log(f"{name}: {fault.name} {number + 1}/{len(plan)}, {time.monotonic() - begun:.0f} s: {'right' if verdict.right else 'WRONG'}")
        for words in verdict.words[:6]:
            log(f"  {words}")


def leg(cluster, work, name, plan, outcomes, seed, options):
    """`plan`: faults in order. One ground, one judgement, charged to every fault of the leg."""
    kind = plan[0].ground
    verdict = Verdict()
    begun = time.monotonic()
    try:
        with Ground(cluster, work, name, seed=seed, rate=options.rate, alarms=options.alarms, **GROUNDS[kind]) as ground:
            ground.hold_s = options.hold or (8 if options.quick else 0)
            for ground.number, fault in enumerate(plan):
                took = one_fault(ground, outcomes[fault.name])
                if options.verbose:
                    log(f"  {ground.number + 1}/{len(plan)} {fault.name}: progress after {took:.2f} s")
            verdict = judge(ground)
            for fault in dict.fromkeys(plan):
                verdict.words += [f"{fault.name}: nobody saw {w}" for w in missing_words(fault, ground.daemons)]
    except Exception as e:  # a leg that breaks is a finding, and the others still run
        traceback.print_exc()
        verdict.words.append(f"{type(e).__name__}: {e}")
    for fault in dict.fromkeys(plan):
        outcomes[fault.name].add(verdict)
    log(f"{name}: {len(plan)} faults ({', '.join(dict.fromkeys(f.name for f in plan))}), {verdict.alerts} alerts, "
        f"{verdict.customers} customers, {time.monotonic() - begun:.0f} s: {'right' if verdict.right else 'WRONG'}")
    for words in verdict.words[:12]:
        log(f"  {words}")
    if not verdict.right:
        log(f"  again: ./dev faults --only {','.join(dict.fromkeys(f.name for f in plan))} --count {len(plan)} --seed {options.seed}")
    return verdict.right


def legs_of(faults, options):
    """Lists of faults, each the plan of one leg."""
    if options.quick:
        grounds = {}
        for fault in faults:
            grounds.setdefault(fault.ground if fault.ground != "alone" else fault.name, []).append(fault)
        return list(grounds.values())
    left = {f.name: options.counts[f.name] for f in faults}
    legs = []
    while any(left.values()):  # one leg of each, then the next: what is cut short has seen everything
        for fault in faults:
            now = min(left[fault.name], fault.leg)
            if now > 0:
                legs.append([fault] * -(-now // fault.each))
                left[fault.name] -= now
    return legs


def table(outcomes):
    head = f"{'fault':<17}{'times':>7}{'lost':>6}{'duplicate':>11}{'wrong state':>13}{'p50 s':>8}{'p99 s':>8}{'max s':>8}"
    lines = [head]
    for o in outcomes:
        if o.skipped:
            lines.append(f"{o.fault.name:<17}{'-':>7}  {o.skipped}")
            continue
        figures = "".join(f"{o.quantile(q):>8.2f}" if o.recovery else f"{'-':>8}" for q in (0.5, 0.99, 1))
        wrong = "" if o.right else "   WRONG: " + (o.verdict.words or ["see above"])[0][:100]
        lines.append(f"{o.fault.name:<17}{o.times:>7}{o.verdict.lost:>6}{o.verdict.duplicate:>11}{o.verdict.wrong_state:>13}{figures}{wrong}")
    return "\n".join(lines)


def as_json(outcomes, options):
    return {"seed": options.seed, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "faults": [
        {"fault": o.fault.name, "times": o.times, "lost": o.verdict.lost, "duplicate": o.verdict.duplicate,
         "wrong_state": o.verdict.wrong_state, "alerts": o.verdict.alerts, "recovery_s": [round(r, 3) for r in o.recovery],
         "skipped": o.skipped, "words": o.verdict.words[:20]} for o in outcomes]}


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", default="", help="faults by name, comma between; NAME:COUNT for so many")
    ap.add_argument("--count", type=int, help="so many of each (default: those of the full battery, see --list)")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--quick", action="store_true", help="every fault once, those of one ground in one leg, with a Prometheus that has to raise the alarms")
    ap.add_argument("--rate", type=int, default=40, help="events a second besides the beacons (default 40)")
    ap.add_argument("--hold", type=float, default=0, help="seconds that faults with a duration last (default: by chance)")
    ap.add_argument("--json", metavar="FILE", help="the table for programs, with every recovery time")
    ap.add_argument("--work", help="keep logs and data here")
    ap.add_argument("--list", action="store_true", help="the table of faults")
    ap.add_argument("--verbose", action="store_true", help="a line a fault")
    options = ap.parse_args()
    counts = dict(n.partition(":")[::2] for n in options.only.split(",") if n)
    unknown = set(counts) - {f.name for f in FAULTS}
    if unknown:
        ap.error(f"no fault {', '.join(sorted(unknown))}; see --list")
    options.counts = {f.name: int(counts.get(f.name) or options.count or f.count) for f in FAULTS}
    return options, [f for f in FAULTS if not counts or f.name in counts]


def sanitized():
    return "libasan" in subprocess.run(["ldd", os.path.join(BIN, "lifecycled")], capture_output=True, text=True, check=True).stdout


def check_alarms(alarms, outcomes):
    fired = alarms.fired()
    log(f"alarms that fired: {', '.join(sorted(fired)) or 'none'}")
    for outcome in outcomes:
        silent = [a for a in outcome.fault.alarms if a not in fired]
        if outcome.times and silent:
            outcome.verdict.words.append(f"{', '.join(silent)} did not fire (fired: {', '.join(sorted(fired))})")
            log(f"{outcome.fault.name}: {outcome.verdict.words[-1]}")


def run(options, faults, work):
    outcomes = {f.name: Outcome(f) for f in faults}
    able = []
    for fault in faults:
        if fault.root and os.geteuid() != 0:
            outcomes[fault.name].skipped = "needs root (mount)"
        elif fault.ground == "wall" and sanitized():
            outcomes[fault.name].skipped = "libfaketime does not go with the address sanitizer: ./dev faults --only clock"
        else:
            able.append(fault)
    seeds = random.Random(options.seed)
    with contextlib.ExitStack() as stack:
        cluster = Cluster.started(work)
        stack.callback(cluster.__exit__)
        options.alarms = stack.enter_context(Alarms(work)) if options.quick else None
        for number, plan in enumerate(legs_of(able, options)):
            run_leg = alone if plan[0].ground == "alone" else leg
            run_leg(cluster, work, f"leg{number}", plan, outcomes, seeds.randrange(1 << 30), options)
            cluster.heal()
            if options.json:
                with open(options.json, "w") as f:
                    json.dump(as_json(outcomes.values(), options), f, indent=1)
        if options.alarms:
            check_alarms(options.alarms, outcomes.values())
    return list(outcomes.values())


def main():
    options, faults = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every server is stopped
    if options.list:
        for f in faults:
            print(f"{f.name:<17}{f.count:>5}  {f.does}")
        return
    work = options.work or tempfile.mkdtemp(prefix="lifecycled-faults-")
    shutil.rmtree(work, ignore_errors=True)
    outcomes = run(options, faults, work)
    print(table(outcomes))
    if not options.work:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(0 if all(o.right for o in outcomes) else 1)


if __name__ == "__main__":
    main()
