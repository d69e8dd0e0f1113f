"""Faults of the brokers."""
import os
import time

from ground import fill
from watch import until

HEALTHY_S = 120


def wait_healthy(ground):
    if not until(lambda: ground.cluster.healthy(ground.topics.values()), HEALTHY_S, 0.3):
        raise AssertionError("the cluster does not become healthy again")


def coordinator(ground):
    """The broker that coordinates the daemons' group."""
    groups = ground.cluster.admin().list_groups(ground.name, timeout=10)
    return next(b for b in ground.cluster.brokers if b.node == groups[0].broker.id)


def kill_broker(ground):
    wait_healthy(ground)
    victim = coordinator(ground) if ground.number % 2 == 0 else ground.chance.choice(ground.cluster.brokers)
    begun = time.monotonic()
    victim.kill()

    def mend():
        victim.come_back()
        wait_healthy(ground)
    return begun, mend


def disk_full(ground):
    """A broker whose only disk is full ends itself."""
    wait_healthy(ground)
    victim = next(b for b in ground.cluster.brokers if b.disk)
    filler = os.path.join(victim.disk, "filler")
    fill(filler)
    ended = until(lambda: victim.process.poll() is not None, 30)
    begun = time.monotonic()
    os.unlink(filler)
    if ended is None:
        raise AssertionError("the broker goes on with a full disk")

    def mend():
        victim.come_back()
        wait_healthy(ground)
    return begun, mend
