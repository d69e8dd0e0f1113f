"""Faults of Redis."""
import os
import shutil
import signal
import time

import redis
from watch import until


def client(server):
    return redis.Redis(unix_socket_path=server.socket, socket_timeout=10)


def told(server, section, field):
    """A field of INFO; None while the server does not answer."""
    try:
        return client(server).info(section).get(field)
    except redis.RedisError:
        return None


def cut_aof(ground):
    """Most often inside of a transaction. Redis 7.0 then forgets the half transaction but leaves its MULTI in the file, and the
    restart after that runs the half: the daemon must notice (state/store_inner.h)."""
    ground.redis.kill()
    folder = ground.redis.aof_folder
    for name in sorted(os.listdir(folder)):
        if name.endswith(".incr.aof"):
            path = os.path.join(folder, name)
            with open(path, "r+b") as f:
                f.truncate(int(os.path.getsize(path) * ground.chance.uniform(0.0, 0.99)))
    ground.redis.start()
    return time.monotonic(), None


def old_backup(ground):
    server = ground.redis
    copy = os.path.join(ground.work, "old-backup")
    shutil.rmtree(copy, ignore_errors=True)
    os.kill(server.pid, signal.SIGSTOP)
    shutil.copytree(server.aof_folder, copy)
    os.kill(server.pid, signal.SIGCONT)
    time.sleep(ground.chance.uniform(0.5, 3))
    server.kill()
    shutil.rmtree(server.aof_folder)
    shutil.copytree(copy, server.aof_folder)
    server.start()
    return time.monotonic(), None


def flush(ground):
    client(ground.redis).flushall()
    return time.monotonic(), None


def out_of_memory(ground):
    server = client(ground.redis)
    server.config_set("maxmemory", 1)
    time.sleep(ground.hold_s or ground.chance.uniform(0.5, 3))
    server.config_set("maxmemory", 0)
    return time.monotonic(), None


def disk_full(ground):
    """Redis rewrites nothing and appends nothing; under everysec it refuses writes as soon as one failed."""
    ground.disk.fill()
    if not until(lambda: told(ground.redis, "persistence", "aof_last_write_status") == "err", 15):
        raise AssertionError("Redis did not notice that its disk is full")
    time.sleep(ground.hold_s or ground.chance.uniform(0.5, 2))
    ground.disk.free()
    if not until(lambda: told(ground.redis, "persistence", "aof_last_write_status") == "ok", 15):
        raise AssertionError("Redis did not notice that its disk has room again")
    return time.monotonic(), None


def fail_over(ground):
    """The replica is cut off (it may not log in any more), writes go on, the primary dies: what the replica did not get is lost."""
    sentinels = ground.sentinels
    if not until(sentinels.settled, 30, 0.3):
        raise AssertionError("the Sentinels do not know primary and replica")
    old = sentinels.primary()
    replica = next(r for r in sentinels.redises if r is not old)
    if not until(lambda: told(replica, "replication", "master_link_status") == "up", 20):
        raise AssertionError("the replica does not follow its primary")
    client(replica).config_set("masteruser", "nobody")
    client(replica).config_set("masterauth", "wrong")
    client(old).execute_command("CLIENT", "KILL", "TYPE", "REPLICA")
    time.sleep(ground.chance.uniform(0.3, 1.5))
    old.kill()
    if not until(lambda: sentinels.primary() is replica, 40):
        raise AssertionError("Sentinel promoted nobody")
    begun = time.monotonic()
    client(replica).config_set("masterauth", "")
    client(replica).config_set("masteruser", "")

    def mend():
        old.start()  # with its old role; Sentinel makes it a replica
        if not until(lambda: told(old, "replication", "role") == "slave", 40):
            raise AssertionError("the old primary was not made a replica")
    return begun, mend
