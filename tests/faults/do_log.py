"""Bad records among good ones."""
import time

HOSTILE = (b"not json", b"{", b"[1,2,3]", b"\xdd\xff\xff\xff\xff", b'{"event":"Page Viewed","event":"Page Viewed","messageId":"1","userId":"x"}',
           b'{"event":"Order Completed","messageId":"2","userId":"x","properties":{"amount":"1.234","currency":"EUR"}}',
           b'{"event":"Page Viewed","messageId":"3","userId":"somebody else"}', b"", None)


def poison(ground):
    """Forty bad records and an oversize one in every partition the keys fall into; the reference has to bury the same."""
    for _ in range(40):
        key = f"x{ground.chance.randrange(1000)}"
        ground.load.publish(key, ground.chance.choice(HOSTILE))
    big = b'{"event":"Page Viewed","messageId":"4","userId":"big","filler":"' + b"y" * 600_000 + b'"}'
    ground.load.publish("big", big)
    return time.monotonic(), None
