"""Backup and restore on real servers: taken under load, restored into an empty Redis, refused when it cannot be right.

    keep.py WORKDIR [CASE ...]
"""
import glob
import json
import os
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BIN, CONTROL, INPUT, Feed, World, alert_identity, check, run_cases, wait_for  # noqa: E402
from servers import free_ports, kafka_libs  # noqa: E402

AT = "2026-06-01"


def backup(world, folder):
    return [json.loads(line) for line in world.ctl("backup", folder, "--json").stdout.splitlines()]


def refused(world, code, *args):
    done = world.ctl(*args, check_status=False)
    check(done.returncode == 65 and code in done.stderr, f"{' '.join(args)}: status {done.returncode}, {done.stderr!r}, not {code}")
    return done.stderr


def stop(world):
    for daemon in world.daemons:
        daemon.stop()


def delete_records(kafka, partition, before, topic=INPUT):
    """What retention does, at once."""
    path = os.path.join(kafka.folder, "delete.json")
    with open(path, "w") as f:
        json.dump({"version": 1, "partitions": [{"topic": topic, "partition": partition, "offset": before}]}, f)
    subprocess.run(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", kafka_libs() + "/*",
                    "org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", kafka.bootstrap,
                    "--offset-json-file", path], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def case_backup(kafka, work):
    """Backups under load; Redis emptied; the oldest of them restored: state equal, no alert twice."""
    with World(work, kafka, partitions=2) as w:
        w.daemon("a")
        feed = Feed(w, 600, 3, 1000)
        folder, rounds = os.path.join(w.work, "backups"), []
        while feed.running() and len(rounds) < 6:
            wait_for("a state of some size", 60, lambda: all((r["customers"] or 0) > 20 for r in w.status()))
            rounds.append(backup(w, folder))
            time.sleep(0.5)
        feed.wait()
        w.wait_applied()
        check(len(rounds) >= 2, f"only {len(rounds)} backups while the stream moved")
        rows, alerts = w.export(AT), alert_identity(w.alerts())
        check(not glob.glob(os.path.join(folder, "*.draft")), "a draft was left")
        oldest = rounds[0]
        refused(w, "group-running", "restore", oldest[0]["file"])
        stop(w)
        subprocess.run(["redis-cli", "-s", w.redis.socket, "FLUSHALL"], check=True, stdout=subprocess.DEVNULL)
        wait_for("the group to be empty", 30, lambda: w.ctl("restore", oldest[0]["file"], check_status=False).returncode == 0, 0.5)
        w.ctl("restore", oldest[1]["file"])
        check({r["partition"]: r["R"] for r in w.status()} == {b["partition"]: b["R"] for b in oldest}, "R is not the backup's")
        w.daemons[0].start()
        w.wait_applied()
        check("rebuild" not in w.daemons[0].text().rsplit("code=starting", 1)[-1], "the daemon rebuilt what was restored")
        check(w.export(AT) == rows, "the state is not what it was")
        check(alert_identity(w.alerts()) == alerts, "alerts are not the same")
        held = sorted(b["held_ms"] for r in rounds for b in r)
        print(f"  {len(rounds)} backups of 2 partitions at up to {rounds[-1][0]['customers']} customers under load, held {held[0]}"
              f" to {held[-1]} ms; restored at R {oldest[0]['R']} and {oldest[1]['R']}; {len(alerts)} alerts once each")


def case_refusals(kafka, work):
    """Wrong application, damaged, past the log's start, control records gone: refused, and the daemon warns."""
    (port,) = free_ports(1)
    with World(work, kafka, partitions=1, settings={"http": {"listen": f"127.0.0.1:{port}"}, "kafka": {"session_timeout": "6s"}}) as w:
        a = w.daemon("a")
        Feed(w, 200, 4).wait()
        w.wait_applied()
        first = backup(w, os.path.join(w.work, "backups"))[0]
        Feed(w, 200, 5).wait()
        w.wait_applied()
        second = backup(w, os.path.join(w.work, "backups"))[0]
        rows, alerts = w.export(AT), alert_identity(w.alerts())
        a.stop()
        path = os.path.join(w.work, "other.yaml")
        with open(path, "w") as f:
            json.dump(w.config("ctl", app="other"), f)
        done = subprocess.run([os.path.join(BIN, "lifecyclectl"), "restore", first["file"], "--config", path], capture_output=True, text=True)
        check(done.returncode == 65 and "backup-foreign" in done.stderr, f"another application: {done.stderr}")
        broken = os.path.join(w.work, "broken")
        with open(first["file"], "rb") as f, open(broken, "wb") as g:
            g.write(f.read()[:-3])
        refused(w, "backup-damaged", "restore", broken)
        check(w.status()[0]["R"] == second["R"], "a refused restore touched the state")
        delete_records(kafka, 0, first["R"] + 10)
        wait_for("the group to be empty", 30, lambda: "group-running" not in
                 w.ctl("restore", first["file"], check_status=False).stderr, 0.5)
        words = refused(w, "range-lost", "restore", first["file"])
        check(f"{first['R']} to {first['R'] + 9}" in words, f"the lost range is not named: {words}")
        w.ctl("restore", second["file"])
        a.start()
        w.wait_applied()
        check(w.export(AT) == rows and alert_identity(w.alerts()) == alerts, "the state is not what it was")
        delete_records(kafka, 0, second["R"] - 1)  # the backup is in the oldest fifth of nothing
        a.stop()
        a.start()
        w.publish([("late", {"event": "Page Viewed", "messageId": f"late-{i}", "userId": "late", "timestamp": "2026-05-01T00:00:00Z"})
                   for i in range(50)])
        wait_for("the warning that the backup is near", 40, lambda: "backup-near" in a.text())
        w.wait_applied()
        delete_records(kafka, 0, second["R"] + 5)
        a.stop()
        a.start()
        wait_for("the error that the backup was passed", 40, lambda: "backup-passed" in a.text())
        wait_for("/readyz to say so", 20, lambda: "ok\nbackup-passed: partition 0" in (readyz(port) or ""))
        third = backup(w, os.path.join(w.work, "backups"))[0]
        a.stop()
        delete_records(kafka, 0, -1, CONTROL)  # all of them
        wait_for("the group to be empty", 30, lambda: "group-running" not in
                 w.ctl("restore", third["file"], check_status=False).stderr, 0.5)
        refused(w, "control-lost", "restore", third["file"])
        print(f"  refused with: {words.strip()}")


def case_killed_tool(kafka, work):
    """A backup that was killed in the middle: the partition waits until its hold expires, and goes on."""
    with World(work, kafka, partitions=1) as w:
        a = w.daemon("a")
        Feed(w, 50, 6).wait()
        w.wait_applied()

        def redis(*words):
            subprocess.run(["redis-cli", "-s", w.redis.socket, *words], check=True, stdout=subprocess.DEVNULL)
        redis("SET", "{test:0}:hold", "lifecyclectl:elsewhere", "PX", "4000")  # what the tool leaves behind
        redis("HSET", "{test:0}:m", "token", "lifecyclectl:elsewhere")
        begun = time.monotonic()
        w.publish([("k", {"event": "Page Viewed", "messageId": f"k{i}", "userId": "k", "timestamp": "2026-05-01T00:00:00Z"}) for i in range(9)])
        wait_for("the daemon to say that it waits", 20, lambda: "partition-held" in a.text())
        done = w.ctl("backup", os.path.join(w.work, "backups"), check_status=False)
        check("partition-held" in done.stderr or time.monotonic() - begun > 4, f"a second tool: {done.stderr}")
        w.wait_applied()
        check("k" in w.export(AT), "what came meanwhile is missing")
        print(f"  went on {time.monotonic() - begun:.1f} s after the tool was gone")


def readyz(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10).read().decode()
    except OSError:
        return None


if __name__ == "__main__":
    run_cases(globals())
