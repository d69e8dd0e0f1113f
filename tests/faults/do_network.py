"""Faults between the daemons and their servers: relays (proxy.py) misbehave."""
import time

from proxy import END_TXN
from watch import until


def cut_kafka(ground):
    for relay in ground.cluster.relays:
        relay.cut()
    return time.monotonic(), None


def stall_kafka(ground):
    for relay in ground.cluster.relays:
        relay.stall(True)
    time.sleep(ground.chance.uniform(0.5, 4))
    for relay in ground.cluster.relays:
        relay.stall(False)
    return time.monotonic(), None


def swallow_kafka(ground):
    for relay in ground.cluster.relays:
        relay.swallow(True)
    time.sleep(ground.chance.uniform(0.5, 8))
    for relay in ground.cluster.relays:
        relay.swallow(False)
    return time.monotonic(), None


def no_kafka(ground):
    for relay in ground.cluster.relays:
        relay.refuse(True)
    time.sleep(ground.chance.uniform(12, 16))  # long enough that a commit under way is given up, too
    for relay in ground.cluster.relays:
        relay.refuse(False)
    return time.monotonic(), None


def hold_end_txn(ground):
    """Half of the time its sender is cut off while it is held, takes a new producer, and then the old request arrives."""
    relays = ground.cluster.relays
    before = sum(r.held for r in relays)
    for relay in relays:
        relay.hold(END_TXN)
    if not until(lambda: sum(r.held for r in relays) > before, 20):
        raise AssertionError("no transaction was ended")
    time.sleep(ground.chance.uniform(0.1, 3))
    if ground.number % 2 == 0:
        for relay in relays:
            relay.cut_clients()
        time.sleep(ground.chance.uniform(0, 1.5))
    for relay in relays:
        relay.hold(None)
    return time.monotonic(), None


def cut_redis(ground):
    ground.relay.cut()
    return time.monotonic(), None


def stall_redis(ground):
    ground.relay.stall(True)
    time.sleep(ground.chance.uniform(0.5, 6))
    ground.relay.stall(False)
    return time.monotonic(), None


def swallow_redis(ground):
    ground.relay.swallow(True)
    time.sleep(ground.chance.uniform(0.5, 6))
    ground.relay.swallow(False)
    return time.monotonic(), None
