"""A TCP relay that can be told to misbehave: between the daemons and the brokers, or between the daemons and Redis.

    relay = Relay(target_port); relay.port   ...   relay.cut(); relay.stall(True); relay.swallow(True); relay.hold(26)

All relays of a process live in one thread with one event loop; every method may be called from any thread. What a relay can do
to a connection is what networks do: break it, keep it and carry nothing, keep it and lose what is sent, carry one
request late.
"""
import asyncio
import struct
import threading

END_TXN = 26  # API keys of Kafka's protocol


class Loop:
    """The thread of the relays, started when the first one is made."""

    _loop, _lock = None, threading.Lock()

    @classmethod
    def get(cls):
        with cls._lock:
            if cls._loop is None:
                cls._loop = asyncio.new_event_loop()
                threading.Thread(target=cls._loop.run_forever, name="relays", daemon=True).start()
            return cls._loop


class Pair:
    """One connection of a client and the one to the server behind it."""

    def __init__(self, relay, client, server):
        self.relay, self.client, self.server = relay, client, server

    def abort(self):
        for _, writer in (self.client, self.server):
            writer.transport.abort()


class Relay:
    def __init__(self, target, kafka=False):
        self.target, self.kafka = target, kafka
        self.pairs = set()
        self.stalled = self.swallowing = self.refusing = False
        self.held_key, self.held = None, 0
        self._call(self._open())

    # --- from other threads ---

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, Loop.get()).result(20)

    def cut(self):
        """Every connection is reset; new ones work."""
        self._call(self._cut())

    def refuse(self, on):
        """Every connection is reset and no new one comes about."""
        self.refusing = on
        if on:
            self.cut()

    def stall(self, on):
        """Connections stay and carry nothing; what is sent waits."""
        self.stalled = on
        if not on:
            self._call(self._wake())

    def swallow(self, on):
        """Half open: connections stay, what is sent is lost. When it ends they are reset, since bytes are missing."""
        self.swallowing = on
        if not on:
            self.cut()

    def hold(self, key):
        """The next request with this API key is kept back; what comes after it on its connection, too. None: let it go."""
        self.held_key = key
        if key is None:
            self._call(self._wake())

    def cut_clients(self):
        """Clients are cut off from what they sent; the server still gets what was held back (a late EndTxn)."""
        self._call(self._cut_clients())

    def close(self):
        self._call(self._close())

    # --- in the loop ---

    async def _open(self):
        self.moved = asyncio.Event()
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _close(self):
        self.server.close()
        await self._cut()

    async def _wake(self):
        self.moved.set()
        self.moved = asyncio.Event()

    async def _cut(self):
        for pair in list(self.pairs):
            pair.abort()
        await self._wake()

    async def _cut_clients(self):
        for pair in list(self.pairs):
            pair.client[1].transport.abort()

    async def _accept(self, reader, writer):
        if self.refusing:
            writer.transport.abort()
            return
        try:
            server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = Pair(self, (reader, writer), server)
        self.pairs.add(pair)
        up = self._requests if self.kafka else self._bytes
        await asyncio.gather(up(reader, server[1], pair), self._bytes(server[0], writer, pair), return_exceptions=True)
        pair.abort()
        self.pairs.discard(pair)

    async def _pass(self, data, writer):
        while self.stalled:
            await self.moved.wait()
        if self.swallowing:
            return
        writer.write(data)
        await writer.drain()

    async def _bytes(self, reader, writer, _):
        while data := await reader.read(65536):
            await self._pass(data, writer)

    async def _requests(self, reader, writer, pair):
        """Client to broker, request by request: four bytes of length, two of API key."""
        while True:
            try:
                head = await reader.readexactly(4)
                body = await reader.readexactly(struct.unpack(">i", head)[0])
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if struct.unpack(">h", body[:2])[0] == self.held_key:
                self.held += 1
                while self.held_key is not None:
                    await self.moved.wait()
            await self._pass(head + body, writer)
