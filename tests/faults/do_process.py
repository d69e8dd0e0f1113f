"""Faults of the daemons' processes. Each returns when it was over, and what is left to mend (or None)."""
import os
import signal
import time

from ground import SESSION_S

# The named points of the commit protocol (crash_point() in pipeline/).
POINTS = ("before-begin", "after-produce", "before-commit", "after-commit", "before-redis", "after-redis")
EXTRA = "wxyz"
EXIT_FENCED = 77


def kill(ground):
    victim = ground.chance.choice(ground.living())
    begun = time.monotonic()
    victim.kill()
    victim.start()
    return begun, None


def crash(ground):
    """Its own hand (crash_at.c), so that it dies between two calls and not somewhere around them."""
    victim = ground.chance.choice(ground.living())
    point = POINTS[ground.number % len(POINTS)]
    victim.kill()
    victim.start(LC_CRASH_AT=f"{point}:{ground.chance.randint(1, 30)}")
    victim.process.wait(60)
    if victim.process.returncode != -signal.SIGKILL:
        raise AssertionError(f"the daemon was to die at {point} and ended with {victim.process.returncode}")
    begun = time.monotonic()
    victim.start()
    return begun, None


def pause(ground):
    victim = ground.chance.choice(ground.living())
    os.kill(victim.pid, signal.SIGSTOP)
    time.sleep(SESSION_S + ground.chance.uniform(0.5, 4))
    os.kill(victim.pid, signal.SIGCONT)
    return time.monotonic(), None


def join_and_leave(ground):
    """Two more daemons join, one a moment after the other; then both leave in order."""
    begun = time.monotonic()
    joined = []
    for name in ground.chance.sample(EXTRA, 2):
        known = [d for d in ground.daemons if d.short == name]
        joined.append(known[0].start() if known else ground.add(name))
        time.sleep(ground.chance.uniform(0, 1))
    ground.extra_recovery.append(ground.recovered(begun))
    for daemon in joined:
        daemon.process.terminate()
    for daemon in joined:
        if daemon.process.wait(20) != 0:
            raise AssertionError(f"a daemon that was asked to stop ended with {daemon.process.returncode}")
    return time.monotonic(), None


def take_over(ground):
    """A second process of one name: the older one ends, also when the connections to Kafka broke a moment ago."""
    older = ground.chance.choice(ground.living())
    if ground.number % 2 == 0:
        for relay in ground.cluster.relays:
            relay.cut()
    begun = time.monotonic()
    newer = ground.add(older.short, f"{older.short}-{ground.number}")
    if older.process.wait(60) != EXIT_FENCED:
        raise AssertionError(f"the older process ended with {older.process.returncode}, not {EXIT_FENCED}")
    took = ground.recovered(time.monotonic())
    if newer.process.poll() is not None:
        raise AssertionError(f"the newer process ended, too, with {newer.process.returncode}")
    ground.extra_recovery.append(took)
    return begun, None


def jump_clock(ground):
    """libfaketime reads the offset from a file each time: an hour ahead or back, and right again."""
    victim = ground.chance.choice(ground.living())

    def to(text):
        path = victim.environment["FAKETIME_TIMESTAMP_FILE"]
        with open(path + ".new", "w") as f:
            f.write(text + "\n")
        os.rename(path + ".new", path)
    to(ground.chance.choice(("+3600", "-3600")))
    time.sleep(ground.chance.uniform(1, 4))
    to("+0")
    return time.monotonic(), None
