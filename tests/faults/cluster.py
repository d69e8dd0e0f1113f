"""Three brokers that are controllers as well (KRaft), and a second way to each of them through a relay."""
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from confluent_kafka.admin import AdminClient  # noqa: E402
from harness import Kafka, create_topics, wait_for  # noqa: E402
from proxy import Relay  # noqa: E402
from servers import free_ports, wait_port  # noqa: E402

NODES = 3


class Broker(Kafka):
    """One of three. `direct` is for tools and brokers; a client that comes by the relay is led by relays to every broker."""

    def __init__(self, work, node, ports, quorum, heap):
        self.direct, controller, self.door = ports
        self.relay = Relay(self.door, kafka=True)
        listeners = (f"PLAINTEXT://127.0.0.1:{self.direct},RELAYED://127.0.0.1:{self.door},"
                     f"CONTROLLER://127.0.0.1:{controller}")
        super().__init__(work, f"broker-{node}", node, quorum, (self.direct, controller), heap=heap, properties={
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.direct},RELAYED://127.0.0.1:{self.relay.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            # A dead broker is noticed in seconds, as befits a test of many dead brokers.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "controller.quorum.election.timeout.ms": 500,
            "controller.quorum.fetch.timeout.ms": 1000,
            "controlled.shutdown.enable": "false",
            "unclean.leader.election.enable": "false",
            "leader.imbalance.check.interval.seconds": 5,
            "leader.imbalance.per.broker.percentage": 0,
            "log.retention.check.interval.ms": 1000,
            "delete.topic.enable": "true",
        })
        self.disk = None

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def small_disk(self, megabytes):
        """Its data on a file system of its own that can be filled (root only)."""
        os.makedirs(self.data, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.data], check=True)
        self.disk = self.data

    def come_back(self):
        """Started again on its data, and listening."""
        self.spawn_java()
        wait_port(self.direct, 90, self.process, self.log)

    def spawn_java(self):
        from servers import kafka_libs
        path = os.path.join(self.folder, "server.properties")
        self.spawn(["java", f"-Xmx{self.heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", kafka_libs() + "/*",
                    "kafka.Kafka", path], preexec_fn=lambda: os.nice(2))

    def release(self):
        self.kill()
        self.relay.close()
        if self.disk:
            subprocess.run(["umount", self.disk], check=False)


class Cluster:
    def __init__(self, work, heap="512m", small_disk=True):
        ports = free_ports(3 * NODES)
        ports = [ports[3 * i:3 * i + 3] for i in range(NODES)]
        quorum = ",".join(f"{i + 1}@127.0.0.1:{ports[i][1]}" for i in range(NODES))
        self.brokers = [Broker(work, i + 1, ports[i], quorum, heap) for i in range(NODES)]
        if small_disk and os.geteuid() == 0:
            self.brokers[NODES - 1].small_disk(768)

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{b.direct}" for b in self.brokers)

    @property
    def relayed(self):
        return ",".join(f"127.0.0.1:{b.relay.port}" for b in self.brokers)

    @property
    def relays(self):
        return [b.relay for b in self.brokers]

    def __enter__(self):
        failed = []

        def start(broker):
            try:
                broker.start()
            except Exception as e:  # told below, in the thread that waits
                failed.append(e)
        threads = [threading.Thread(target=start, args=(b,)) for b in self.brokers]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if failed:
            self.__exit__()
            raise failed[0]
        wait_for("three brokers", 60, lambda: len(self.alive()) == NODES)
        return self

    def __exit__(self, *_):
        for broker in self.brokers:
            broker.release()

    @classmethod
    def started(cls, work):
        """Ports are free when they are looked for and may be taken when they are needed: then with others."""
        for _ in range(3):
            try:
                return cls(work).__enter__()
            except RuntimeError as e:
                failure = e
                shutil.rmtree(work, ignore_errors=True)
        raise failure

    def admin(self):
        return AdminClient({"bootstrap.servers": self.bootstrap, "socket.timeout.ms": 10000, "log_level": 0})

    def alive(self):
        try:
            return {b.id for b in self.admin().list_topics(timeout=5).brokers.values()}
        except Exception:  # nobody answers
            return set()

    def create(self, topics, partitions, replicas=NODES):
        create_topics(self.bootstrap, partitions, replicas, topics)

    def delete(self, topics):
        admin = self.admin()  # a name, or it is gone before its futures are
        for future in admin.delete_topics(list(topics), operation_timeout=15).values():
            try:
                future.result(20)
            except Exception as e:  # it was deleted by the fault itself
                if "UNKNOWN_TOPIC" not in str(e):
                    raise

    def healthy(self, topics):
        """Every replica of these topics and of Kafka's own is in sync."""
        try:
            meta = self.admin().list_topics(timeout=5)
        except Exception:
            return False
        if len(meta.brokers) < NODES:
            return False
        names = [t for t in meta.topics if t in topics or t.startswith("__")]
        return all(len(p.isrs) == len(p.replicas) and p.leader >= 0 for t in names for p in meta.topics[t].partitions.values())

    def heal(self):
        """Brokers that a broken leg left dead come back."""
        dead = [b for b in self.brokers if b.process.poll() is not None]
        for broker in dead:
            broker.come_back()
        if dead:
            wait_for("three brokers", 60, lambda: len(self.alive()) == NODES)

    def tool(self, java_class, *arguments, seconds=60):
        """One of Kafka's own command line tools."""
        from servers import kafka_libs
        done = subprocess.run(["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", kafka_libs() + "/*",
                               java_class, "--bootstrap-server", self.bootstrap, *arguments], capture_output=True, text=True,
                              timeout=seconds)
        if done.returncode != 0:
            raise RuntimeError(f"{java_class}: {done.stdout}{done.stderr}")
        return done.stdout


if __name__ == "__main__":
    work, begun = sys.argv[1], time.monotonic()
    with Cluster(work) as cluster:
        print(cluster.bootstrap, f"{time.monotonic() - begun:.1f} s", flush=True)
        sys.stdin.read()
