"""The doors: Redis through Sentinel, encrypted and authenticated Kafka and Redis, secrets that change while the daemon runs.

    doors.py WORKDIR [CASE ...]
"""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import date, datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BIN, ROOT, Kafka, World, alert_identity, check, wait_for  # noqa: E402
from main_job import compare_with_models, data_file, made_log, order  # noqa: E402
from servers import Sentinels, free_ports, kafka_libs  # noqa: E402


class SentinelWorld(World):
    """A World whose Redis is a primary with a replica behind Sentinels."""

    def __init__(self, work, kafka, password=None, **more):
        super().__init__(work, kafka, **more)
        self.redis = self.sentinels = Sentinels(work, password=password)

    def config(self, name, **more):
        redis = {"sentinels": self.sentinels.list, "master": self.sentinels.master, "connect_timeout": "500ms", **more.pop("redis", {})}

        class Nowhere:
            address = None
        self.redis = Nowhere
        try:
            config = super().config(name, **more)
        finally:
            self.redis = self.sentinels
        config["redis"] = {**redis, **self.settings.get("redis", {})}
        return config


def secret_file(folder, name, text):
    """Written whole or not at all; readable by us alone."""
    path = os.path.join(folder, name)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(text + "\n")
    os.rename(path + ".new", path)
    return path


def case_sentinel(kafka, work):
    """Sentinel: discovery, a primary killed, a planned failover, the old primary back; every figure right, no alert twice."""
    with SentinelWorld(work, kafka, settings={"events": {"future_max": "365d"}}) as w:
        s = w.sentinels
        path = os.path.join(work, "log.csv")
        made_log(path, 600, 11)
        with open(path) as f:
            head, *rows = f.readlines()
        parts = [os.path.join(work, f"part-{i}.csv") for i in range(4)]
        for i, part in enumerate(parts):
            with open(part, "w") as f:
                f.writelines([head] + rows[i * len(rows) // 4:(i + 1) * len(rows) // 4])
        daemon = w.daemon("a")
        w.ctl("import", parts[0])
        w.wait_applied(60)
        old = s.primary()
        check(old is s.redises[0], "the first Redis is not the primary")

        s.sentinels[1].kill()  # two of three are enough
        old.kill()
        w.ctl("import", parts[1])
        began = time.monotonic()
        new = wait_for("another primary", 30, lambda: (lambda p: p if p is not old else None)(s.primary()))
        elected = time.monotonic() - began
        w.wait_applied(60)
        print(f"  primary killed: elected after {elected:.1f} s, all applied after {time.monotonic() - began:.1f} s")
        check("redis-away" in daemon.text() or "redis-sentinel-away" in daemon.text(), "no word about the loss of Redis")
        s.start_sentinel(1)

        old.start()  # comes back as a primary of the past, until Sentinel has told it
        w.ctl("import", parts[2])
        w.wait_applied(60)
        check(s.primary() is new, "the old primary is the primary again")

        wait_for("the old primary is a replica", 60, s.settled)
        wait_for("a planned failover", 60, lambda: "OK" in s.ask(0, "SENTINEL", "FAILOVER", s.master) or s.primary() is old, 0.5)
        w.ctl("import", parts[3])
        wait_for("the planned failover", 60, lambda: s.primary() is old)
        w.wait_applied(60)

        count = compare_with_models(w, path, date(2024, 7, 1))
        alerts = alert_identity(w.alerts())
        daemon.stop()
        again = w.daemon("b")  # a process that knows nothing finds it too
        w.wait_applied(60)
        check(again.process.poll() is None, "the second daemon ended")
        check(alert_identity(w.alerts()) == alerts, "a second process raised alerts")
        print(f"  {count} customers, {len(alerts)} alerts")


def case_sentinel_refused(kafka, work):
    """Wrong password at the Sentinels, a minority of them, an unknown master: the words; then the password file is put right."""
    with SentinelWorld(work, kafka, password="watchman") as w:
        path = secret_file(work, "sentinel-password", "wrong")
        daemon = w.daemon("a", redis={"sentinel_password_file": path})
        wait_for("the refusal", 30, lambda: "redis-sentinel-refused" in daemon.text())
        check("watchman" not in daemon.text() and "wrong\n" not in daemon.text(), "a password in the log")
        secret_file(work, "sentinel-password", "watchman")
        daemon.process.send_signal(signal.SIGHUP)
        w.settings = {"redis": {"sentinel_password_file": path}}
        w.publish([order("anna", datetime(2024, 1, 1), 10, 1)])
        w.wait_applied(60)
        for i in (1, 2):
            w.sentinels.sentinels[i].kill()
        second = w.daemon("b", redis={"sentinel_password_file": path})
        wait_for("the words about a minority", 30, lambda: "1 of 3 Sentinels answered, 2 have to" in second.text())
        w.publish([order("anna", datetime(2024, 1, 2), 10, 2)])
        for i in (1, 2):
            w.sentinels.start_sentinel(i)
        w.wait_applied(60)
        third = w.daemon("c", redis={"sentinel_password_file": path, "master": "nobody"})
        wait_for("the words about the name", 30, lambda: "No such master" in third.text() and "redis.master" in third.text())


# --- certificates ---

def openssl(*argv, **more):
    subprocess.run(["openssl", *argv], check=True, capture_output=True, **more)


class Certificates:
    """Two authorities, and servers' certificates: good, of the other authority, expired, for another name."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        for ca in ("ca", "other"):
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.at(f"{ca}.key"), "-out", self.at(f"{ca}.pem"),
                    "-days", "2", "-subj", f"/CN={ca}")
        self.make("good", "ca")
        self.make("foreign", "other")
        self.make("expired", "ca", dates=("-not_before", "20200101000000Z", "-not_after", "20200102000000Z"))
        self.make("elsewhere", "ca", names="DNS:elsewhere.example")

    def at(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, ca, names="IP:127.0.0.1,DNS:localhost", dates=("-days", "2")):
        """NAME.key, NAME.pem, and NAME.store with both (a PEM keystore of Kafka)."""
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.at(f"{name}.key"), "-out", self.at(f"{name}.csr"),
                "-subj", f"/CN={name}")
        # A database of our own: `openssl x509` of OpenSSL 3.0 cannot make a certificate of the past.
        with open(self.at("ca.conf"), "w") as f:
            f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.at('index')}\nserial={self.at('serial')}\nnew_certs_dir={self.folder}\n"
                    f"default_md=sha256\npolicy=p\nx509_extensions=x\nunique_subject=no\n[p]\ncommonName=supplied\n"
                    f"[x]\nsubjectAltName={names}\n")
        open(self.at("index"), "a").close()
        if not os.path.exists(self.at("serial")):
            with open(self.at("serial"), "w") as f:
                f.write("1000\n")
        flags = [f"-{w.lstrip('-').replace('not_before', 'startdate').replace('not_after', 'enddate')}" if w.startswith("-") else w
                 for w in dates]
        openssl("ca", "-batch", "-config", self.at("ca.conf"), "-cert", self.at(f"{ca}.pem"), "-keyfile", self.at(f"{ca}.key"),
                "-in", self.at(f"{name}.csr"), "-out", self.at(f"{name}.pem"), "-notext", *flags)
        with open(self.at(f"{name}.store"), "w") as out:
            for part in ("key", "pem"):
                with open(self.at(f"{name}.{part}")) as f:
                    out.write(f.read())


def mechanism():
    """librdkafka before 2.6.1 cannot do SCRAM with Kafka 4 (its pull request 4895): then PLAIN, inside the same TLS."""
    text = subprocess.run([os.path.join(BIN, "lifecycled"), "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(n) for n in re.search(r"librdkafka (\d+)\.(\d+)\.(\d+)", text).groups())
    return "SCRAM-SHA-512" if version >= (2, 6, 1) else "PLAIN"


MECHANISM = mechanism()


class LockedKafka(Kafka):
    """A broker with one SASL_SSL listener for each certificate; the checker's own clients come in plainly by another door."""

    NAMES = ("good", "foreign", "expired", "elsewhere")

    def __init__(self, work, certificates, users):
        super().__init__(work, "kafka-locked", users=users)
        self.doors = dict(zip(self.NAMES, free_ports(len(self.NAMES))))
        self.properties = {
            "listeners": ",".join([f"PLAINTEXT://127.0.0.1:{self.port}", f"CONTROLLER://127.0.0.1:{self.controller}",
                                   *(f"{n.upper()}://127.0.0.1:{p}" for n, p in self.doors.items())]),
            "advertised.listeners": ",".join([f"PLAINTEXT://127.0.0.1:{self.port}",
                                              *(f"{n.upper()}://127.0.0.1:{p}" for n, p in self.doors.items())]),
            "listener.security.protocol.map": ",".join(["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT",
                                                        *(f"{n.upper()}:SASL_SSL" for n in self.NAMES)]),
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            # A client has to show its password anew after this: a rotation is felt without a restart.
            "connections.max.reauth.ms": 4000,
        }
        for name in self.NAMES:
            low = f"listener.name.{name}."
            self.properties[low + "ssl.keystore.type"] = "PEM"
            self.properties[low + "ssl.keystore.location"] = certificates.at(f"{name}.store")
            self.properties[low + "scram-sha-512.sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        self.plain_users(users)

    def plain_users(self, users):
        words = " ".join(f'user_{user}="{password}"' for user, password in users.items())
        for name in self.NAMES:
            self.properties[f"listener.name.{name}.plain.sasl.jaas.config"] = \
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {words};"

    def set_password(self, user, password):
        if MECHANISM == "PLAIN":  # stands in the broker's own file
            self.stop()
            self.plain_users({user: password})
            self.start()
            return
        subprocess.run(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", kafka_libs() + "/*", "kafka.admin.ConfigCommand",
                        "--bootstrap-server", self.bootstrap, "--alter", "--entity-type", "users", "--entity-name", user,
                        "--add-config", f"SCRAM-SHA-512=[password={password}]"], check=True, capture_output=True)


def kafka_door(kafka, certificates, password_file, door="good"):
    return {"brokers": f"127.0.0.1:{kafka.doors[door]}",
            "properties": {"security.protocol": "SASL_SSL", "sasl.mechanisms": MECHANISM, "sasl.username": "lifecycled",
                           "ssl.ca.location": certificates.at("ca.pem")},
            "secrets": {"sasl.password": password_file}}


def case_locked(_, work):
    """Kafka by SASL_SSL and SCRAM-SHA-512, Redis by an ACL user: wrong doors, the main job, both passwords rotated while it runs."""
    os.makedirs(work)
    certificates = Certificates(os.path.join(work, "certificates"))
    kafka_password = secret_file(work, "kafka-password", "first-scram")
    redis_password = secret_file(work, "redis-password", "first-redis")
    kafka = LockedKafka(work, certificates, {"lifecycled": "first-scram"}).start()
    try:
        settings = {"kafka": kafka_door(kafka, certificates, kafka_password),
                    "redis": {"username": "lifecycled", "password_file": redis_password}}
        tls = redis_has_tls(work)
        with World(work, kafka, settings=settings, redis_options=redis_acl(work, "first-redis") + redis_tls(certificates, tls)) as w:
            if tls:
                settings["redis"] |= {"address": f"127.0.0.1:{w.redis.port}", "tls": True, "tls_ca_file": certificates.at("ca.pem")}
            print(f"  Kafka by {MECHANISM} inside TLS, Redis by {'TLS' if tls else 'its socket (this hiredis has no TLS: skipped)'}")
            wrong_doors(w, kafka, certificates)
            scram_with_an_old_library(w, kafka, certificates)
            locked_job(w, work)
            rotate(w, work, kafka)
    finally:
        kafka.stop()


def redis_acl(work, password):
    """deploy/redis/lifecycled.acl with this password, for this application; the test itself comes in as `tester`."""
    with open(os.path.join(ROOT, "deploy/redis/lifecycled.acl")) as f:
        rule = next(line for line in f if line.startswith("user "))
    digest = hashlib.sha256(password.encode()).hexdigest()
    rule = re.sub(r"#[0-9a-f]{64}", "#" + digest, rule).replace("~{APP:*", "~{test:*")
    path = os.path.join(work, "users.acl")
    with open(path, "w") as f:
        f.write(f"user default off\n{rule}user tester on >tester ~* &* +@all\n")
    return ["--aclfile", path]


def redis_has_tls(work):
    path = os.path.join(work, "tls.yaml")
    with open(path, "w") as f:
        f.write("redis: {address: 'localhost:6379', tls: true}\n")
    done = subprocess.run([os.path.join(BIN, "lifecycled"), "--check", path], capture_output=True, text=True)
    check(done.returncode == 0 or "hiredis has no TLS" in done.stderr, f"neither TLS nor the words about it: {done.stderr}")
    return done.returncode == 0


def redis_tls(certificates, tls):
    if not tls:
        return []
    return ["--port", "0", "--tls-port", "{port}", "--tls-cert-file", certificates.at("good.pem"), "--tls-key-file",
            certificates.at("good.key"), "--tls-ca-cert-file", certificates.at("ca.pem"), "--tls-auth-clients", "no"]


WRONG_DOORS = {
    # door, password → words of the log
    "foreign": (None, ["kafka-refused", "authority"]),
    "expired": (None, ["kafka-refused", "expired"]),
    "elsewhere": (None, ["kafka-refused", "another name"]),
    "good": ("not-the-password", ["kafka-refused", "uthentication failed"]),
}


def wrong_doors(w, kafka, certificates):
    for door, (password, words) in WRONG_DOORS.items():
        path = secret_file(w.work, f"password-{door}", password or "first-scram")
        daemon = w.daemon(f"wrong-{door}", kafka=kafka_door(kafka, certificates, path, door))
        for word in words:
            wait_for(f"{word} at the door {door}", 20, lambda: word in daemon.text())
        check(daemon.process.poll() is None, f"the daemon ended at the door {door}")
        daemon.stop()
        check("claimed" not in daemon.text() and "joining" not in daemon.text().split("kafka-refused")[-1], f"it came in by {door}")
        check("not-the-password" not in daemon.text() and "first-scram" not in daemon.text(), "a password in the log")
    path = secret_file(w.work, "password-redis", "not-the-password")
    if w.settings["redis"].get("tls"):
        for name, settings, words in (
                ("authority", {"tls_ca_file": certificates.at("other.pem")}, ["redis-tls-certificate", "self-signed certificate"]),
                ("name", {"tls_server_name": "elsewhere.example"}, ["redis-tls-certificate", "ostname mismatch"]),
                ("plain", {"tls": False, "tls_ca_file": ""}, ["redis-away"])):
            daemon = w.daemon(f"wrong-redis-{name}", redis=settings)
            wait_for(f"words about Redis: {name}", 20, lambda: all(word in daemon.text() for word in words))
            daemon.stop()
    daemon = w.daemon("wrong-redis", redis={"password_file": path})
    wait_for("words about Redis' password", 20, lambda: "redis-auth" in daemon.text() and "WRONGPASS" in daemon.text())
    check("not-the-password" not in daemon.text(), "a password in the log")
    daemon.stop()


def scram_with_an_old_library(w, kafka, certificates):
    """The words say that it is not the password."""
    if MECHANISM != "PLAIN":
        return
    door = kafka_door(kafka, certificates, os.path.join(os.path.dirname(certificates.folder), "kafka-password"))
    door["properties"]["sasl.mechanisms"] = "SCRAM-SHA-512"
    daemon = w.daemon("scram", kafka=door)
    wait_for("the words about SCRAM", 20, lambda: "cannot do SCRAM with Kafka 4" in daemon.text())
    daemon.stop()


def locked_job(w, work):
    path = os.path.join(work, "log.csv")
    made_log(path, 400, 12)
    w.daemon("a")
    w.ctl("import", path)
    w.wait_applied(90)
    count = compare_with_models(w, path, date(2024, 7, 1))
    print(f"  {count} customers, {len(alert_identity(w.alerts()))} alerts")


def rotate(w, work, kafka):
    """A password changes at the server, then in the file, then SIGHUP: Redis' and Kafka's."""
    daemon = w.daemons[-1]

    def publish(name, day):
        w.publish([order(f"{name}{i}", datetime(2024, 2, day, 12), 10, 1) for i in range(50)])

    def rotated(server, word, name, secret):
        wait_for(f"words about the password of {server}", 40, lambda: word in daemon.text()[mark:])
        secret_file(work, name, secret)
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGHUP)
        w.wait_applied(60)
        print(f"  password of {server} rotated: all applied {time.monotonic() - began:.1f} s after the reload")
        check(daemon.process.poll() is None, "the daemon ended")

    mark = len(daemon.text())
    cli = ["redis-cli", "-s", w.redis.socket, "--user", "tester", "--pass", "tester", "--no-auth-warning"]
    subprocess.run([*cli, "ACL", "SETUSER", "lifecycled", "resetpass", ">second-redis"], check=True, capture_output=True)
    subprocess.run([*cli, "CLIENT", "KILL", "USER", "lifecycled"], check=True, capture_output=True)
    publish("r", 1)
    rotated("Redis", "redis-auth", "redis-password", "second-redis")

    mark = len(daemon.text())
    kafka.set_password("lifecycled", "second-scram")
    publish("k", 2)
    rotated("Kafka", "kafka-refused", "kafka-password", "second-scram")

    rows = w.export("2024-07-01")
    check(all(rows[f"{n}{i}"]["purchase_days"] == "1" for n in "rk" for i in range(50)), "events of the rotation are missing")
    alert_identity(w.alerts())
    check("second-" not in daemon.text() and "first-" not in daemon.text(), "a password in the log")


CASES = [case_sentinel, case_sentinel_refused]
OWN_KAFKA = [case_locked]  # cases that start a broker of their own


def main():
    work, *names = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    cases = [c for c in CASES + OWN_KAFKA if not names or c.__name__[5:] in names]
    kafka = Kafka(work).start() if any(c in CASES for c in cases) else None
    try:
        for case in cases:
            print(f"{case.__name__[5:]}: {case.__doc__.splitlines()[0]}", flush=True)
            began = time.monotonic()
            case(kafka, os.path.join(work, case.__name__[5:]))
            print(f"  ok ({time.monotonic() - began:.0f} s)", flush=True)
    finally:
        if kafka:
            kafka.stop()


if __name__ == "__main__":
    main()
