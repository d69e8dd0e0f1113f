"""Bad records among good ones."""
import time

HOSTILE = (b"not json", b"{", b"[1,2,3]", b"\xdd\xff\xff\xff\xff", b'{"event":"Page Viewed","event":"Page Viewed","messageId":"1","userId":"x"}',
           b'{"event":"Order Completed","messageId":"2","userId":"x","properties":{"amount":"1.234","currency":"EUR"}}',
           b'{"event":"Page Viewed","messageId":"3","userId":"somebody else"}', b"", None)

ALARM_S = 20  # LifecycledDeadLetters wants fifteen hurried minutes


def poison(ground):
    """Forty bad records and an oversize one in every partition the keys fall into; the reference has to bury the same. Where alarms
    are watched, for as long as the rule wants it."""
    begun = time.monotonic()
    while True:
        for _ in range(40):
            key = f"x{ground.chance.randrange(1000)}"
            ground.load.publish(key, ground.chance.choice(HOSTILE))
        if not ground.alarms or time.monotonic() - begun > ALARM_S:
            break
        time.sleep(1)
    big = b'{"event":"Page Viewed","messageId":"4","userId":"big","filler":"' + b"y" * 600_000 + b'"}'
    ground.load.publish("big", big)
    return time.monotonic(), None
