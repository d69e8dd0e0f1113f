"""Real servers for the tests: Apache Kafka (KRaft) and Redis, private, on 127.0.0.1, stopped by pid.

    with Kafka(work) as kafka, Redis(work) as redis: ...   kafka.bootstrap, redis.socket

Every server keeps its data and log under its own folder of `work`; a failed start prints the end of the log.
As a program: `servers.py kafka|redis WORKDIR` starts one, prints how to reach it, and stops it on Ctrl-C or end of input.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def free_ports(count):
    """Ports nobody listens on now, all different."""
    held = []
    for _ in range(count):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        held.append(s)
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def wait_port(port, seconds, process, log):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        except OSError:
            time.sleep(0.1)
    tail = open(log, errors="replace").read()[-2000:] if os.path.exists(log) else ""
    raise RuntimeError(f"nothing listens on port {port}: see {log}\n{tail}")


def kafka_libs():
    """The broker's jars, fetched once by maven into build/kafka/lib."""
    lib = os.environ.get("LC_KAFKA_LIB", os.path.join(ROOT, "build/kafka/lib"))
    mark = os.path.join(lib, ".complete")
    if not os.path.exists(mark):
        os.makedirs(lib, exist_ok=True)
        pom = os.path.join(ROOT, "tests/lib/pom.xml")
        subprocess.run(["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies",
                        f"-DoutputDirectory={lib}"], check=True, stdout=sys.stderr)
        open(mark, "w").close()
    return lib


class Process:
    """One server process of ours."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.log = os.path.join(folder, "log")

    def spawn(self, argv, **more):
        os.makedirs(self.folder, exist_ok=True)
        out = open(self.log, "ab")
        self.process = subprocess.Popen(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **more)

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=20):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Kafka(Process):
    """One node, broker and controller. `properties` adds to or overrides the broker's settings."""

    def __init__(self, work, name="kafka", node=1, quorum=None, ports=None, properties=None, heap="768m", fresh=True, users=None):
        super().__init__(os.path.join(work, name))
        self.users = users or {}  # SCRAM-SHA-512: name to password
        self.port, self.controller = ports or free_ports(2)
        self.node = node
        self.quorum = quorum or f"{node}@127.0.0.1:{self.controller}"
        self.properties = properties or {}
        self.heap = heap
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def settings(self):
        nodes = len(self.quorum.split(","))
        replicas = min(3, nodes)
        base = {
            "process.roles": "broker,controller",
            "node.id": self.node,
            "controller.quorum.voters": self.quorum,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": os.path.join(self.folder, "data"),
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": max(1, replicas - 1),
            "min.insync.replicas": max(1, replicas - 1),
            "default.replication.factor": replicas,
            "auto.create.topics.enable": "false",
            "log.retention.hours": -1,
            "log.message.timestamp.type": "CreateTime",
        }
        base.update(self.properties)
        return base

    def start(self):
        lib = kafka_libs()
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, "server.properties")
        with open(path, "w") as f:
            f.writelines(f"{k}={v}\n" for k, v in self.settings().items())
        java = ["java", f"-Xmx{self.heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1" if self.heap == "256m" else "-XX:+TieredCompilation", "-cp", lib + "/*"]
        if not os.path.exists(os.path.join(self.folder, "data/meta.properties")):
            subprocess.run(java + ["kafka.tools.StorageTool", "format", "-t", "bGlmZWN5Y2xlZC10ZXN0cw", "-c", path,
                                   *(word for user, password in self.users.items()
                                     for word in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"))],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.spawn(java + ["kafka.Kafka", path])
        wait_port(self.port, 60, self.process, self.log)
        return self


class Redis(Process):
    """One redis-server on a unix socket and a port, append-only as in service (everysec)."""

    def __init__(self, work, name="redis", options=(), fresh=True):
        super().__init__(os.path.join(work, name))
        (self.port,) = free_ports(1)
        self.options = list(options)
        self.socket = os.path.join(self.folder, "redis.sock")
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self):
        return f"unix:{self.socket}"

    @property
    def aof_folder(self):
        return os.path.join(self.folder, "appendonlydir")

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        self.spawn(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder,
                    "--unixsocket", self.socket, "--save", "", "--appendonly", "yes",
                    "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
                    "--hash-max-listpack-value", "512",
                    *(o.replace("{port}", str(self.port)) for o in self.options)])
        wait_port(self.port, 20, self.process, self.log)
        return self


class Sentinels:
    """A primary, its replicas and Sentinels (half of them have to agree), as in service but fast: down after `down_ms`."""

    def __init__(self, work, replicas=1, sentinels=3, master="customers", down_ms=1000, options=(), password=None):
        self.work, self.master, self.down_ms, self.password = work, master, down_ms, password
        self.redises = [Redis(work, f"redis-{i}", options) for i in range(1 + replicas)]
        for redis in self.redises[1:]:
            redis.options += ["--replicaof", "127.0.0.1", str(self.redises[0].port)]
        self.ports = free_ports(sentinels)
        self.sentinels = [Process(os.path.join(work, f"sentinel-{i}")) for i in range(sentinels)]

    @property
    def list(self):
        return ",".join(f"127.0.0.1:{p}" for p in self.ports)

    def start_sentinel(self, i):
        s = self.sentinels[i]
        os.makedirs(s.folder, exist_ok=True)
        path = os.path.join(s.folder, "sentinel.conf")
        if not os.path.exists(path):  # Sentinel rewrites it
            with open(path, "w") as f:
                f.write(f"port {self.ports[i]}\nbind 127.0.0.1\ndir {s.folder}\n"
                        f"sentinel monitor {self.master} 127.0.0.1 {self.redises[0].port} {len(self.ports) // 2 + 1}\n"
                        f"sentinel down-after-milliseconds {self.master} {self.down_ms}\n"
                        f"sentinel failover-timeout {self.master} 6000\nsentinel parallel-syncs {self.master} 1\n"
                        + (f"requirepass {self.password}\n" if self.password else ""))
        s.spawn(["redis-server", path, "--sentinel"])
        wait_port(self.ports[i], 20, s.process, s.log)

    def ask(self, i, *command):
        argv = ["redis-cli", "-p", str(self.ports[i]), *(["--no-auth-warning", "-a", self.password] if self.password else [])]
        return subprocess.run([*argv, *command], capture_output=True, text=True, timeout=10).stdout.split("\n")[:-1]

    def primary(self, i=0):
        """What Sentinel i says it is."""
        port = self.ask(i, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.master)[1:2]
        return next((r for r in self.redises if [str(r.port)] == port), None)

    def settled(self):
        """Every Sentinel knows the others and all replicas."""
        def told(i):
            lines = self.ask(i, "SENTINEL", "MASTER", self.master)
            return dict(zip(lines[::2], lines[1::2]))
        states = [told(i) for i in range(len(self.ports))]
        return all(s.get("num-other-sentinels") == str(len(self.ports) - 1) and
                   s.get("num-slaves") == str(len(self.redises) - 1) for s in states)

    def start(self):
        for redis in self.redises:
            redis.start()
        for i in range(len(self.sentinels)):
            self.start_sentinel(i)
        end = time.monotonic() + 30
        while not self.settled():
            if time.monotonic() > end:
                raise RuntimeError("the Sentinels do not find each other")
            time.sleep(0.2)
        return self

    def stop(self):
        for process in self.sentinels + self.redises:
            process.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def main():
    kind, work = sys.argv[1:3]
    server = {"kafka": Kafka, "redis": Redis}[kind](work)
    with server:
        print(server.bootstrap if kind == "kafka" else server.address, flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            sys.stdin.read()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
