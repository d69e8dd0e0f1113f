"""What an operator sees: the log, /readyz, /livez, /metrics, and the STATUS= line of systemd, all remembered."""
import os
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from harness import BIN, Daemon
from servers import free_ports


def fetch(port, page):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=3) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except OSError:
        return 0, ""


class Watched(Daemon):
    """A daemon with HTTP and a notify socket of its own."""

    def __init__(self, work, name, config, environment=None, program=None):
        self.http = free_ports(1)[0]
        super().__init__(work, f"daemon-{name}", {**config, "http": {"listen": f"127.0.0.1:{self.http}"}})
        self.short = name
        self.environment = dict(environment or {})
        self.program = program or os.path.join(BIN, "lifecycled")
        self.statuses, self.ready, self.metrics = set(), set(), {}
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, "notify")
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.notify.setblocking(False)
        self.notify_path = path

    def start(self, **environment):
        import json
        path = os.path.join(self.folder, "lifecycled.yaml")
        with open(path, "w") as f:
            json.dump(self.config, f, indent=1)
        self.spawn([self.program, "--config", path],
                   env={**os.environ, "NOTIFY_SOCKET": self.notify_path, **self.environment, **environment})
        return self

    def look(self):
        """Once at everything."""
        while True:
            try:
                for line in self.notify.recv(4096).decode().split("\n"):
                    if line.startswith("STATUS="):
                        self.statuses.add(line[7:])
            except OSError:
                break
        status, text = fetch(self.http, "/readyz")
        if status:
            self.ready.add(f"{status} {text.strip()}")
        status, text = fetch(self.http, "/livez")
        if status:
            self.ready.add(f"livez {status} {text.strip()}")
        status, text = fetch(self.http, "/metrics")
        for line in text.splitlines() if status == 200 else ():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = re.sub(r',?(partition|worker)="[^"]*"', "", name).replace("{}", "").replace("{,", "{")
                value = float(value)
                if value > self.metrics.get(name, 0):
                    self.metrics[name] = value

    def release(self):
        self.stop()
        self.notify.close()


class Watch(threading.Thread):
    """Looks at all daemons a few times a second."""

    def __init__(self, daemons, every=0.3):
        super().__init__(name="watch", daemon=True)
        self.daemons, self.every, self.ending = daemons, every, threading.Event()

    def run(self):
        while not self.ending.wait(self.every):
            for daemon in list(self.daemons):
                daemon.look()

    def stop(self):
        self.ending.set()
        self.join()


def missing_words(fault, daemons):
    """Of the words an operator is promised, those that nobody saw."""
    logs = "\n".join(d.text() for d in daemons)
    ready = "\n".join(r for d in daemons for r in d.ready)
    status = "\n".join(s for d in daemons for s in d.statuses)
    missing = [f"log: {w}" for w in fault.log if not re.search(w, logs)]
    missing += [f"/readyz: {w}" for w in fault.ready if not re.search(w, ready)]
    missing += [f"STATUS=: {w}" for w in fault.status if not re.search(w, status)]
    for metric in fault.metrics:
        if not any(d.metrics.get(metric, 0) > 0 for d in daemons):
            missing.append(f"/metrics: {metric} above 0")
    return missing


def signal_wait(process, seconds):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def until(test, seconds, every=0.05):
    """test()'s value as soon as it is true; None when it does not become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(every)
    return None
