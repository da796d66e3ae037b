"""All of one endpoint but its socket."""

from collections.abc import Callable

from freehold.domain.errors import FreeholdError
from freehold.domain.signature import PublicKey
from freehold.endpoint.application import Application
from freehold.endpoint.batching import Batching
from freehold.endpoint.events import Events
from freehold.endpoint.inference import Inference
from freehold.endpoint.kin import Kin
from freehold.endpoint.loading import KEY, LoadedTable, Loader, read
from freehold.endpoint.metrics import Metrics
from freehold.endpoint.replica import Replica
from freehold.endpoint.request_log import LogState, RequestLog
from freehold.endpoint.settings import EndpointSettings
from freehold.endpoint.warming import unheard, warm
from freehold.endpoint.watcher import Watcher
from freehold.ports.clock import Clock
from freehold.ports.model_runtime import ModelRuntime
from freehold.ports.model_signing import ModelSigning
from freehold.serving.response import Identity

LOG = "log"
EVENTS = "events"


class Endpoint:
    def __init__(
        self,
        settings: EndpointSettings,
        runtime: ModelRuntime,
        signing: ModelSigning,
        clock: Clock,
        kin: Kin | None = None,
        shared: LoadedTable | None = None,
        defers: Callable[[], bool] = lambda: False,
    ) -> None:
        """`kin`: the other processes, if several share the port. `shared`: what was loaded before
        this process was forked. `defers`: whether a model that a release brings is left to another
        process, which takes over.

        Raises FreeholdError if the folder's routing table, or a variant of it, does not verify:
        an endpoint that can answer nothing does not start.
        """
        self.settings, folder = settings, settings.folder
        self.events = Events(folder / EVENTS, clock)
        key = PublicKey(read(folder / KEY))
        self.identity = Identity(key.fingerprint, str(folder.resolve()))
        batching = Batching(settings.batch_delay)
        loader = Loader(folder, key, runtime, signing, batching, defers=defers)
        self._log = RequestLog(folder / LOG, clock, settings.log, self._log_failed)
        self.metrics = Metrics(self._log, batching)
        self.events.on_lost = self.metrics.events_lost.inc
        # However many processes share it, a machine's hour is one hour.
        is_counted = kin is None or kin.place == 0
        self._replica = Replica(folder, clock, self.metrics.events_lost.inc) if is_counted else None
        if shared is not None:
            shared.start()
        try:
            self.watcher = Watcher(loader, self._loaded, self._refused, shared)
        except FreeholdError as exc:
            self._refused(exc)
            self._log.close()
            raise
        self.inference = Inference(self._log, self.metrics, clock)
        self.application = Application(
            self.watcher,
            self.inference,
            self._log,
            self.metrics,
            self.identity,
            settings.limits,
            kin,
        )

    @property
    def is_ready(self) -> bool:
        """As `/v2/health/ready` says it."""
        return self.application.is_ready

    def warm(self) -> None:
        """The last thing before it answers."""
        warm(self.watcher, self._log, self.inference.clock, self.identity)

    def unheard(self) -> Inference:
        """Answers as `inference` does; it is neither logged nor counted."""
        return unheard(self._log, self.inference.clock)[0]

    def counts_open(self, count: Callable[[], int]) -> None:
        """Whoever has the socket says how many requests are open."""
        self.metrics.counts_open(count)

    def retire(self, seconds: float) -> None:
        """Another process answers what comes. This one should end within so many seconds, in which
        it keeps nothing back."""
        self._log.hasten(seconds)
        if self._replica is not None:
            self._replica.end()

    def close(self) -> LogState:
        """Stops watching and writes the log's rest. Raises StorageFailed if that fails."""
        self.watcher.close()
        self.application.parquet.close()
        while self.inference.shadows.next():
            pass
        try:
            return self._log.close()
        finally:
            if self._replica is not None:
                self._replica.end()
            state = self._log.state
            lost = state.dropped + state.waiting
            self.events.tell("endpoint.stopped", rows=state.written, dropped=lost)

    def _loaded(self, loaded: LoadedTable) -> None:
        self.metrics.swapped(loaded.table)
        table = loaded.table
        self.events.tell(
            "endpoint.loaded",
            model=table.model,
            routing=table.version,
            variants=[variant.as_json() for variant in table.variants],
        )
        if self._replica is not None:
            self._replica.serves(table)

    def _refused(self, error: FreeholdError) -> None:
        self.metrics.refused.labels(error.code).inc()
        self.events.tell("endpoint.refused", code=error.code)

    def _log_failed(self, code: str) -> bool:
        return self.events.tell("endpoint.log-failed", code=code)
