#!/usr/bin/env python3
"""The benchmarks: `./dev bench [OPTIONS]`. What they mean and what they gave: bench/BENCHMARKS.md.

Without options: the operations one by one, the worker over ports in memory, then the whole system beside the floor
program, on a Kafka and a Redis started here. Figures of one run belong together; absolute times of two runs do not
compare unless the machine was as idle and as fast in both.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import servers  # noqa: E402

BUILD = os.path.join(ROOT, "build/release")
BASELINE = os.path.join(ROOT, "bench/baseline.json")
HERTZ = os.sysconf("SC_CLK_TCK")
WORSE = 1.15  # a ratio worse by more is flagged


def say(words):
    print(words, file=sys.stderr, flush=True)


# --- measuring -------------------------------------------------------------------------------------------------------

def cpu(pid):
    """CPU seconds of a process, user and system."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / HERTZ
    except OSError:
        return 0.0


def machine_cpu():
    """CPU seconds that the machine spent on anything."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(x) for x in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / HERTZ


def peak_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) / 1024


class Clocks:
    """CPU and wall time at one moment, of the parts of the system."""

    def __init__(self, pids):
        self.wall = time.monotonic()
        self.machine = machine_cpu()
        self.of = {name: sum(cpu(p) for p in group) for name, group in pids.items()}

    def since(self, before):
        row = {name: self.of[name] - before.of[name] for name in self.of}
        row["wall"] = self.wall - before.wall
        row["others"] = self.machine - before.machine - sum(row[name] for name in self.of)
        return row


# --- the system ------------------------------------------------------------------------------------------------------

class Bench:
    def __init__(self, options):
        self.options = options
        self.work = tempfile.mkdtemp(prefix="lifecycled-bench-")
        self.count = 0
        self.kafka = servers.Kafka(self.work)

    def __enter__(self):
        say("starting Kafka")
        self.kafka.start()
        from confluent_kafka.admin import AdminClient
        self.admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap})
        return self

    def __exit__(self, *_):
        self.kafka.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def topics(self, *names, partitions=4):
        from confluent_kafka.admin import NewTopic
        for future in self.admin.create_topics([NewTopic(n, partitions, 1) for n in names]).values():
            future.result(30)

    def drop(self, *names):
        for future in self.admin.delete_topics(list(names)).values():
            future.result(30)

    def program(self, name, *arguments):
        """One of our C programs to its end; its JSON."""
        run = subprocess.run([os.path.join(BUILD, "bench", "bench_" + name), *map(str, arguments)],
                             stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(run.stdout)

    def publish(self, topic, events, customers, *more, partitions=4):
        self.topics(topic, partitions=partitions)
        row = self.program("publish", self.kafka.bootstrap, topic, "-n", events, "-m", customers, *more)
        say(f"published {row['events']} events of {row['bytes_an_event']} bytes to {topic}")
        return row

    def redis(self):
        self.count += 1
        return servers.Redis(self.work, f"redis-{self.count}")

    def daemon(self, topic, redis, group, name, partitions=4, settings=""):
        return Daemon(self, topic, redis, group, name, partitions, settings)


class Daemon:
    """One lifecycled with the shipped defaults, its servers' addresses, and `settings` where a run says so."""

    def __init__(self, bench, topic, redis, group, name, partitions, settings):
        self.bench, self.group = bench, group
        self.topics = [f"{group}-{x}" for x in ("alerts", "dead", "control")]
        (port,) = servers.free_ports(1)
        self.metrics_url = f"http://127.0.0.1:{port}/metrics"
        self.config = os.path.join(bench.work, f"{group}-{name}.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"app: {group}\nname: {name}\nkafka:\n  brokers: \"{bench.kafka.bootstrap}\"\n"
                       f"  input_topic: {topic}\n  alerts_topic: {self.topics[0]}\n"
                       f"  dead_letter_topic: {self.topics[1]}\n  control_topic: {self.topics[2]}\n"
                       f"redis:\n  address: {redis.address}\nhttp:\n  listen: \"127.0.0.1:{port}\"\n{settings}")
        self.log = self.config + ".log"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([os.path.join(BUILD, "lifecycled"), "--config", self.config],
                                            stdout=log, stderr=log)
        return self

    @property
    def pid(self):
        return self.process.pid

    def metrics(self):
        """Sums by name; None while it does not answer."""
        try:
            text = urllib.request.urlopen(self.metrics_url, timeout=2).read().decode()
        except OSError:
            return None
        sums = {}
        for line in text.splitlines():
            found = re.match(r"lifecycled_([a-z_]+)(\{[^}]*\})? ([-+0-9.e]+)$", line)
            if found:
                sums[found[1]] = sums.get(found[1], 0) + float(found[3])
        return sums

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def done(metrics):
    return sum(metrics.get(k, 0) for k in ("events_total", "dead_letters_total", "duplicates_total", "ignored_total"))


def follow(daemons, pids, events, limit=900):
    """Until all events are applied. Clocks at the start, at the half, at the end; the metrics at the half and the end."""
    begun, half, half_metrics = Clocks(pids), None, None
    first = None
    while True:
        time.sleep(0.05)
        metrics = [m for m in (d.metrics() for d in daemons) if m]
        total = {k: sum(m.get(k, 0) for m in metrics) for k in set().union(*metrics)} if metrics else {}
        applied = done(total)
        now = Clocks(pids)
        if first is None and applied > 0:
            first = now
        if half is None and applied >= events / 2:
            half, half_metrics = now, total
        if applied >= events:
            return {"begun": begun, "first": first, "half": half, "end": now, "half_metrics": half_metrics,
                    "metrics": total}
        if any(d.process.poll() is not None for d in daemons) or now.wall - begun.wall > limit:
            raise RuntimeError(f"{applied:.0f} of {events} events applied; see " + open(daemons[0].log).read()[-2000:])


def row_of(run, events):
    """Figures of the second half, in which nothing is new any more, and of the whole."""
    steady, whole = run["end"].since(run["half"]), run["end"].since(run["begun"])
    counted = done(run["metrics"]) - done(run["half_metrics"])
    delta = {k: v - run["half_metrics"].get(k, 0) for k, v in run["metrics"].items()}
    found = delta.get("cache_hits_total", 0) / max(1, delta.get("cache_hits_total", 0) + delta.get("cache_misses_total", 0))
    return {
        "us_an_event": steady["daemon"] / counted * 1e6,
        "redis_us_an_event": steady["redis"] / counted * 1e6,
        "broker_us_an_event": steady["broker"] / counted * 1e6,
        "k_events_s": counted / steady["wall"] / 1e3,
        "whole_us_an_event": whole["daemon"] / events * 1e6,
        "alerts_an_event": delta.get("alerts_total", 0) / counted,
        "events_a_commit": counted / max(1, delta.get("transactions_total", 0)),
        "cache_hit_rate": found,
        "others_cores": steady["others"] / steady["wall"],
    }


def throughput(bench, topic, events, customers, partitions=4, daemons=1, settings=""):
    group = f"bench-{bench.count}"
    with bench.redis() as redis:
        team = [bench.daemon(topic, redis, group, f"d{i}", partitions, settings) for i in range(daemons)]
        bench.topics(*team[0].topics, partitions=partitions)
        for daemon in team:
            daemon.start()
        pids = {"daemon": [d.pid for d in team], "redis": [redis.pid], "broker": [bench.kafka.pid]}
        try:
            run = follow(team, pids, events)
            row = row_of(run, events)
            row["resident_mb"] = max(peak_mb(d.pid) for d in team)
            row["redis_bytes_a_customer"], row["customers"] = redis_bytes(redis, run["metrics"])
            row["dead"] = run["metrics"].get("dead_letters_total", 0)
        finally:
            codes = [d.stop() for d in team]
        if any(codes):
            raise RuntimeError(f"exit {codes}: " + open(team[0].log).read()[-1500:])
    bench.drop(*team[0].topics)
    return row


def redis_bytes(redis, metrics):
    """Memory of the data set without what an empty server has, a customer."""
    info = subprocess.run(["redis-cli", "-s", redis.socket, "info", "memory"], capture_output=True, text=True,
                          check=True).stdout
    of = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    customers = metrics.get("partition_customers", 0)
    return float(of["used_memory_dataset"]) / max(1, customers), customers


def floor(bench, topic, events):
    with bench.redis() as redis:
        alerts = f"floor-{bench.count}"
        bench.topics(alerts)
        argv = [os.path.join(BUILD, "bench/bench_floor"), bench.kafka.bootstrap, topic, alerts, str(events), redis.socket]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        pids = {"daemon": [process.pid], "redis": [redis.pid], "broker": [bench.kafka.pid]}
        begun = Clocks(pids)
        half = end = None
        for line in process.stdout:
            if line.startswith("half"):
                half = Clocks(pids)
            else:
                end, row = Clocks(pids), json.loads(line)
        process.wait()
        steady = end.since(half)
        counted = events - row["half"]
        bench.drop(alerts)
        return {
            "us_an_event": steady["daemon"] / counted * 1e6, "redis_us_an_event": steady["redis"] / counted * 1e6,
            "broker_us_an_event": steady["broker"] / counted * 1e6, "k_events_s": counted / steady["wall"] / 1e3,
            "alerts_an_event": row["alerts_an_event"], "events_a_commit": row["events_a_commit"],
            "others_cores": steady["others"] / steady["wall"],
            "whole_us_an_event": end.since(begun)["daemon"] / events * 1e6,
        }


def latency(bench, rate, seconds, customers):
    """Event sent to alert seen, read_committed; the first fifth is left out."""
    topic, group = "latency", "bench-latency"
    bench.topics(topic)
    with bench.redis() as redis:
        daemon = bench.daemon(topic, redis, group, "d0")
        bench.topics(*daemon.topics)
        daemon.start()
        while not (daemon.metrics() or {}).get("ready"):
            time.sleep(0.1)
        reader = subprocess.Popen([os.path.join(BUILD, "bench/bench_latency"), bench.kafka.bootstrap, daemon.topics[0],
                                   str(seconds + 2), str(seconds // 5)], stdout=subprocess.PIPE, text=True)
        before = Clocks({"daemon": [daemon.pid], "redis": [redis.pid], "broker": [bench.kafka.pid]})
        bench.program("publish", bench.kafka.bootstrap, topic, "-n", rate * seconds, "-m", customers, "-r", rate, "-u")
        spent = Clocks({"daemon": [daemon.pid], "redis": [redis.pid], "broker": [bench.kafka.pid]}).since(before)
        row = json.loads(reader.communicate()[0])
        metrics = daemon.metrics()
        row.update({"cores": spent["daemon"] / spent["wall"], "us_an_event": spent["daemon"] / (rate * seconds) * 1e6,
                    "events_a_commit": rate * seconds / metrics["transactions_total"],
                    "others_cores": spent["others"] / spent["wall"]})
        daemon.stop()
    bench.drop(topic, *daemon.topics)
    return row


def restart(bench, topic, events):
    """kill -9 to the first event applied again."""
    group = "bench-restart"
    with bench.redis() as redis:
        daemon = bench.daemon(topic, redis, group, "d0")
        bench.topics(*daemon.topics)
        daemon.start()
        while done(daemon.metrics() or {}) < events / 3:
            time.sleep(0.05)
        daemon.process.kill()
        daemon.process.wait()
        begun = time.monotonic()
        daemon.start()
        while True:
            metrics = daemon.metrics() or {}
            if done(metrics) + metrics.get("events_replayed_total", 0) > 0:
                break
            time.sleep(0.02)
        row = {"seconds": time.monotonic() - begun}
        daemon.stop()
    bench.drop(*daemon.topics)
    return row


# --- scale -----------------------------------------------------------------------------------------------------------

SCALE = {}  # name: what --scale runs


def scale(function):
    SCALE[function.__name__.replace("_", "-")] = function
    return function


@scale
def workers(bench, o):
    """One worker, two workers in a process, two processes in a group."""
    bench.publish("scale", o.events, o.customers)
    return {name: throughput(bench, "scale", o.events, o.customers, daemons=n, settings=s)
            for name, n, s in (("one worker", 1, ""), ("two workers", 1, "workers: 2\n"), ("two processes", 2, ""))}


@scale
def hot_key(bench, o):
    """One customer has a tenth of all events."""
    bench.publish("scale", o.events, o.customers, "-h", 0.1)
    return {"hot key": throughput(bench, "scale", o.events, o.customers)}


@scale
def skew(bench, o):
    """One partition of four is a hundred times busier than another."""
    n = bench.publish("scale", o.events * 3, o.customers, "-k", 100)["events"]
    return {"busy partition": throughput(bench, "scale", n, o.customers)}


@scale
def partitions(bench, o):
    """64 partitions on one worker."""
    bench.publish("scale", o.events, o.customers, "-p", 64, partitions=64)
    return {"64 partitions": throughput(bench, "scale", o.events, o.customers, partitions=64)}


@scale
def large(bench, o):
    """More customers than the cache holds: --customers of them, a cache of --cache."""
    bench.publish("scale", o.events, o.customers, "-u")
    return {f"{o.customers} customers, cache {o.cache}":
            throughput(bench, "scale", o.events, o.customers, settings=f"cache:\n  bytes_max: {o.cache}\n")}


# --- reports ---------------------------------------------------------------------------------------------------------

def versions():
    def first(*argv):
        try:
            run = subprocess.run(argv, capture_output=True, text=True, check=False)
            return (run.stdout + run.stderr).strip().splitlines()[0]
        except (OSError, IndexError):
            return "unknown"
    model = re.search(r"model name\s*:\s*(.*)", open("/proc/cpuinfo", encoding="utf-8").read())
    jars = [f for f in os.listdir(servers.kafka_libs()) if re.match(r"kafka-server-\d", f)] or ["unknown"]
    return {"lifecycled": first(os.path.join(BUILD, "lifecycled"), "--version"), "commit": first("git", "-C", ROOT, "rev-parse", "--short", "HEAD"),
            "compiler": first("cc", "--version"), "redis": first("redis-server", "--version"),
            "kafka": jars[0].removesuffix(".jar"), "kernel": os.uname().release,
            "processor": f"{os.cpu_count()} × {model[1] if model else 'unknown'}"}


def median(rows):
    return {k: statistics.median(r[k] for r in rows) for k in rows[0]}


def number(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" if isinstance(value, float) else str(value)


def table(title, rows):
    columns = list(dict.fromkeys(k for row in rows.values() for k in row))
    print(f"\n| {title} | " + " | ".join(c.replace("_", " ") for c in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(number(row[c]) if c in row else "" for c in columns) + " |")


def ratios(report):
    """What is compared with the baseline: no absolute times, but relations within one run, and counts."""
    out = {}
    system = report.get("system")
    if system:
        for key in ("us_an_event", "redis_us_an_event"):
            out[f"system {key} of the floor's"] = system["lifecycled"][key] / system["floor"][key]
        out["system floor's throughput of ours"] = system["floor"]["k_events_s"] / system["lifecycled"]["k_events_s"]
        out["redis bytes a customer"] = system["lifecycled"]["redis_bytes_a_customer"]
        out["resident MB"] = system["lifecycled"]["resident_mb"]
    micro = report.get("micro")
    if micro:
        unit = micro["unit"]["ns"]
        for name, row in micro.items():
            if name != "unit":
                out[f"micro {name} in units"] = row["ns"] / unit
    pipeline = report.get("pipeline")
    if pipeline:
        out["pipeline mallocs an event + 1"] = 1 + pipeline["worker in memory"]["mallocs_an_event"]
    return out


def compare(report):
    if not os.path.exists(BASELINE):
        say("no baseline: --save makes one")
        return 1
    with open(BASELINE, encoding="utf-8") as file:
        then = json.load(file)["ratios"]
    worse = 0
    for name, value in ratios(report).items():
        if name not in then:
            continue
        flag = value > then[name] * WORSE
        worse += flag
        print(f"{'WORSE' if flag else 'ok   '} {name}: {number(value)} (baseline {number(then[name])})")
    return 1 if worse else 0


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["micro", "pipeline", "system", "latency", "restart"], action="append")
    parser.add_argument("--scale", choices=[*SCALE, "all"], help="another shape of load instead")
    parser.add_argument("--events", type=int, default=2000000)
    parser.add_argument("--customers", type=int, default=200000)
    parser.add_argument("--cache", default="256MiB", help="of --scale large")
    parser.add_argument("--rounds", type=int, default=3, help="floor and lifecycled in turn, medians")
    parser.add_argument("--form", choices=["json", "msgpack", "segment"], default="json")
    parser.add_argument("--rate", type=int, default=2000, help="events a second of --only latency")
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--save", action="store_true", help="make this run the baseline")
    parser.add_argument("--compare", action="store_true", help="with the baseline; exit 1 when a ratio is 15 %% worse")
    parser.add_argument("--smoke", action="store_true", help="no servers, a second, no times: for ./dev test")
    o = parser.parse_args()
    if o.smoke:
        return smoke()
    parts = o.only or ["micro", "pipeline", "system", "latency", "restart"]
    report = {"versions": versions(), "command": "./dev bench " + " ".join(sys.argv[1:])}
    if o.scale:
        report["scale"] = {}
        for name in SCALE if o.scale == "all" else [o.scale]:
            with Bench(o) as bench:
                report["scale"].update(SCALE[name](bench, o))
        parts = []
    run_parts(report, parts, o)
    report["ratios"] = ratios(report)
    if o.save:
        with open(BASELINE, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
    show(report, o)
    return compare(report) if o.compare else 0


def run_parts(report, parts, o):
    program = Bench.program
    if "micro" in parts:
        report["micro"] = program(None, "micro")
    if "pipeline" in parts:
        report["pipeline"] = {"worker in memory": program(None, "pipeline", 400000, 40000, o.form)}
    if not {"system", "latency", "restart"} & set(parts):
        return
    with Bench(o) as bench:
        if {"system", "restart"} & set(parts):
            bench.publish("input", o.events, o.customers, "-f", o.form)
        if "system" in parts:
            rounds = []
            for i in range(o.rounds):
                rounds.append((floor(bench, "input", o.events), throughput(bench, "input", o.events, o.customers)))
                say(f"round {i + 1}: floor {rounds[-1][0]['us_an_event']:.2f} µs, lifecycled {rounds[-1][1]['us_an_event']:.2f} µs an event")
            report["system"] = {"floor": median([r[0] for r in rounds]), "lifecycled": median([r[1] for r in rounds])}
        if "restart" in parts:
            report["restart"] = {"kill -9 to the first event": restart(bench, "input", o.events)}
        if "latency" in parts:
            report["latency"] = {f"{o.rate} events/s": latency(bench, o.rate, o.seconds, 100000)}


def show(report, o):
    if o.json:
        print(json.dumps(report, indent=1))
        return
    print("\n".join(f"{k}: {v}" for k, v in report["versions"].items()))
    print(report["command"])
    for part in ("micro", "pipeline", "system", "latency", "restart", "scale"):
        if part in report:
            table(part, report[part])


def smoke():
    """Every benchmark runs, and what does not depend on time is right."""
    row = Bench.program(None, "pipeline", 40000, 4000)
    assert row["dead"] == 0, row
    assert row["mallocs_an_event"] < 0.01, row
    micro = Bench.program(None, "micro", "--smoke")
    loud = {name: m["mallocs"] for name, m in micro.items() if m["mallocs"] > 0}
    assert not loud, loud
    print("bench: smoke ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
