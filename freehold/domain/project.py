"""A project: what `freehold.yaml` says. Unknown keys are errors; the reader reports all faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from freehold.domain.embedded import EMBEDDED
from freehold.domain.endpoint_spec import EndpointSpec


@dataclass(frozen=True)
class ContractSpec:
    """A data contract and the step whose output it is checked on."""

    step: str
    """Name of a step that returns a table."""
    suite: str
    """Path of a Great Expectations suite, relative to the project."""


@dataclass(frozen=True)
class ModelSpec:
    pipeline: str
    """Name of the pipeline that returns a Candidate of this model."""
    purpose: str = ""
    """One sentence for the model card."""
    retrain: Mapping[str, str] = field(default_factory=dict)
    """Pipeline parameters of a retraining; `today` stands for the day of the proposal."""


@dataclass(frozen=True)
class GuardrailSpec:
    """A release goes back by itself when one of these is crossed beyond chance."""

    error_rate: float = 0.01
    """Share of requests that the canary failed to answer."""
    latency_ratio: float = 2.0
    """The canary's time over the champion's on the same rows: of the median, the 90th or the 99th
    percentile, whichever is sure first."""
    score_shift: float = 0.25
    """PSI of the canary's scores against its own baseline, less the champion's."""
    quality_drop: float = 0.02
    """AUC lost against the champion on the same labelled rows."""


@dataclass(frozen=True)
class MetricSpec:
    """A figure of the project's own that follows from an answer, such as money earned. Its values
    come beside the labels, in a column of its name; the two variants' means are compared."""

    drop: float
    """What the canary's mean may at most be worse by than the champion's, in the metric's unit."""
    better: Literal["higher", "lower"] = "higher"
    """Which direction is good."""


@dataclass(frozen=True)
class FreezeSpec:
    """When no release begins and none goes on by itself. What must go back does so at any time."""

    time_zone: str = "UTC"
    """In which the windows stand: `Europe/Zurich`."""
    weekly: tuple[str, ...] = ()
    """Each week: `Fri 16:00 - Mon 08:00`, the end excluded."""
    dates: tuple[str, ...] = ()
    """Once: `2026-12-20 - 2027-01-03`, both days whole."""
    budgets: bool = True
    """Whether releases of a model freeze while a budget that pays for it, and blocks, is passed."""


@dataclass(frozen=True)
class ObjectiveSpec:
    """What callers were promised. Once more rows have failed than that leaves room for, releases
    of the model freeze, until the failures are older than `days`."""

    answered: float = 0.0
    """Share of the rows that are to be answered, of whichever version; 0: nothing was promised."""
    days: int = 28
    """The last ones."""
    rows: int = 1000
    """Asked in these days, below which nothing is said."""


@dataclass(frozen=True)
class BlueGreenSpec:
    """The version is loaded everywhere without traffic, then gets all of it at once."""

    keep_minutes: float = 60.0
    """After the switch, for which the champion stays loaded and guardrails look."""


@dataclass(frozen=True)
class RollingSpec:
    """Region after region; of a rolling release, all traffic of each at once. Sites of one provider
    and one `region` go together; a site without a region is one of its own."""

    batch: int = 1
    """Regions at a time."""
    at_most: float = 100.0
    """Per cent of the last week's rows of all sites of the release that go at a time. A region with
    more is taken apart; a site that alone has more goes alone."""
    soak_minutes: float = 30.0
    """That the version serves all of a batch before the next one begins."""
    order: Literal["declared", "traffic", "risk"] = "declared"
    """As the sites are named; or regions with the fewest rows of the last week first; or those with
    the least risk: their share of these rows times the chance, by past releases, of a failure."""
    reversal_minutes: float = 5.0
    """Going back, newest first, how long a batch waits at most for the next newer one to have gone
    back."""


@dataclass(frozen=True)
class ABTestSpec:
    """Two versions side by side for a while, keys shared by chance, told apart by one metric."""

    metric: str = ""
    """One of `release.metrics`."""
    share: int = 50
    """Per cent of the keys that the new version gets."""
    days: float = 14.0
    """After which the result is told."""
    rows: int = 0
    """With a value of the metric, of each version, after which it is told earlier; 0: never."""
    early: bool = False
    """Whether it is told as soon as one of them is better for sure."""
    risk: float = 0.05
    """Chance at most that one is called better that is not, however often it is looked at."""
    then: Literal["person", "winner"] = "person"
    """Who acts on the result: `winner` makes the better one the champion by itself. An undecided
    result always waits for a person."""


@dataclass(frozen=True)
class BanditSpec:
    """Two versions side by side; whichever earns more by one metric gets more of the keys."""

    metric: str = ""
    """One of `release.metrics`: what an answer earns."""
    share: int = 50
    """Per cent of the keys that the new version gets at first."""
    floor: int = 5
    """Per cent of the keys that each version keeps, so that it can still be told what it earns."""
    window_hours: float = 24.0
    """After an answer, in which what it earns comes in. Only answers whose window has closed count:
    what comes soon is often not like what comes late."""
    absent: Literal["ignored", "zero"] = "ignored"
    """What an answer earns for which nothing came in its window: nothing is known, or nothing."""
    every_minutes: float = 60.0
    """Between two changes of the shares."""
    days: float = 14.0
    """After which the result is told."""
    sure: float = 0.95
    """Chance of being the better one from which on a version is called so."""
    then: Literal["person", "winner"] = "person"
    """As in `ab_test`."""


@dataclass(frozen=True)
class ShadowSpec:
    """The version scores rows that the champion answers, and answers none itself, before it goes on
    as a canary."""

    share: float = 10.0
    """Per cent of the keys whose rows it scores: what a shadow may cost."""
    hours: float = 24.0
    """For which it stays a shadow at least."""
    then: Literal["person", "canary"] = "person"
    """Whether it waits for `freehold release promote` then, or goes on by itself."""


@dataclass(frozen=True)
class ReleaseSpec:
    steps: tuple[int, ...] = (5, 25, 100)
    """Of a canary: per cent of traffic, growing, the last 100."""
    minimum_rows: int = 300
    """Rows that the canary answers before a step may be left upwards."""
    guardrails: GuardrailSpec = GuardrailSpec()
    false_rollbacks: float = 0.01
    """Chance at most that a release with nothing wrong goes back by itself, however often it is
    looked at; all guardrails and steps share it. Smaller takes more rows to tell what is wrong."""
    metrics: Mapping[str, MetricSpec] = field(default_factory=dict)
    """Name → a figure of the project's own that a release must not make worse."""
    blue_green: BlueGreenSpec = BlueGreenSpec()
    by_region: bool = False
    """Whether a release at several sites goes region after region, as `rolling` says, whatever its
    strategy: within each region's traffic first, then soaking, then the next."""
    rolling: RollingSpec = RollingSpec()
    ab_test: ABTestSpec = ABTestSpec()
    bandit: BanditSpec = BanditSpec()
    shadow: ShadowSpec = ShadowSpec()
    objective: ObjectiveSpec = ObjectiveSpec()
    """What callers were promised: while it is missed, releases freeze."""
    freeze: FreezeSpec = FreezeSpec()
    """As the file has it when a release is looked at, not when it began."""


@dataclass(frozen=True)
class MonitoringSpec:
    window_days: int = 7
    score_psi: float = 0.3
    """Propose to retrain when the score's PSI over the window is above this."""
    net_accuracy_drop: float = 0.05
    """Propose to retrain when accuracy net of the majority class fell by more than this."""
    feature_psi: float = 0.2
    """Warn when a feature's PSI over the window is above this."""
    cool_down_days: int = 14
    minimum_rows: int = 500
    act: Literal["automatic", "approve"] = "approve"
    """Whether a proposal waits for `freehold approve`."""


@dataclass(frozen=True)
class RetentionSpec:
    """What `freehold gc` leaves alone. What is live, open or on hold stays in any case."""

    runs_days: int = 90
    """Days that what a run's steps made is kept, for the cache and for looking back."""
    versions: int = 10
    """Newest versions of each model that stay whole, beside those that are live or on hold. Of
    older ones the evidence stays and the package goes."""
    reports_days: int = 365
    """Days that reports of contracts and of monitoring are kept; 0 is for ever."""
    logs_days: int = 0
    """Days that labels and parts of the request log are kept; 0 is for ever. `freehold compare`
    reads all of them."""
    grace_hours: int = 24
    """Hours for which nothing may have referred to an object before it goes."""


@dataclass(frozen=True)
class ReplaySpec:
    """A recorded period that can be played against the endpoint as if it were live."""

    pipeline: str
    """Returns one table, a row per request."""
    id: str
    asked_at: str
    label: str
    """Null where no label ever comes."""
    labelled_at: str


@dataclass(frozen=True)
class TrackingSpec:
    tracker: str
    """Name of a tracker adapter."""
    location: str = ""
    """Empty: a file in the project's own state folder."""
    site: str = ""
    """The site that a tracker on another machine counts as, by whose rules labelled models go there
    or do not; without one, they do not."""


@dataclass(frozen=True)
class StoreSpec:
    """An object store in which sites meet."""

    at: str
    """`file:///srv/models`, `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix`."""
    endpoint: str = ""
    """URL of the service where it is not the vendor's own."""
    region: str = ""
    """Of the service, where it has regions."""
    encryption: str = ""
    """The key that wraps the objects' keys: `file:PATH`, `kms:KEY`, `vault:KEY`; empty for none."""


@dataclass(frozen=True)
class OwnedSpec:
    """What a machine of one's own costs; its price per hour is derived from it."""

    purchase: float
    """Money for one machine, in the project's currency."""
    years: float
    """Its life."""
    watts: float
    """That it draws at work."""
    kwh_price: float
    """Money per kWh."""
    pue: float = 1.5
    """Power of the building over power of its machines."""
    utilisation: float = 0.5
    """Share of its life's hours in which it works; idle hours are paid by those."""
    upkeep: float = 0.0
    """Money per year for space, people and repair."""


@dataclass(frozen=True)
class MachineSpec:
    """A machine type on which a site runs steps. The provider's own types need only their name:
    `m5.xlarge: {}`."""

    cpus: float = 0.0
    memory: str = ""
    """`64 GiB`."""
    accelerators: int = 0
    accelerator: str = ""
    """Kind: `a100-80gb`, `t4`."""
    price: float | None = None
    """Money per hour of one machine; the provider's list price where it is not given."""
    spot: bool = False
    """Whether its spot price may be used, for steps that resume."""
    spot_price: float | None = None
    """Money per hour; the provider's where it is not given."""
    interruptions: float = 0.05
    """Expected per hour of spot."""
    owned: OwnedSpec | None = None
    """A machine of one's own: its price is derived."""
    count: int = 0
    """How many there are at a time; 0: as many as the site's quota allows."""
    boot_seconds: float = 0.0
    """From asking for one to its first step, paid for."""
    watts: float | None = None
    """At work; from the table of the provider's types where it is not given."""


@dataclass(frozen=True)
class PlacementSpec:
    """How a plan chooses sites and machines."""

    minimise: Literal["money", "carbon", "both"] = "money"
    """What is made small: money, carbon, or money and the price of carbon together."""
    carbon_price: float = 0.1
    """Money for a kilogram of CO2e, where both are made small."""
    deadline_hours: float = 0.0
    """From start to end of a run; 0: none."""
    budget: float = 0.0
    """Money for a run; 0: none."""
    policies: str = ""
    """Folder of Rego files that are asked for each step and site; empty: labels and hardware
    decide."""
    consent: str = ""
    """Folder of Rego files that are asked whether a step may lower labels; empty: none may."""
    assumed_seconds: float = 60.0
    """Of a step that neither ran before nor says how long it takes."""
    solver: str = EMBEDDED["solver"]
    """The solver adapter."""


@dataclass(frozen=True)
class SiteSpec:
    """A place that can store, run or serve."""

    store: StoreSpec
    """Where it publishes, and where others leave things for it."""
    endpoint: str = ""
    """Where its endpoint answers, `https://…`, as a gateway reaches it; empty: it is not asked."""
    private: bool = False
    """Nobody else reaches its store: it meets the others in theirs."""
    provider: str = ""
    """`aws`, `azure`, `gcp`; empty for a place of one's own."""
    region: str = ""
    """Where it is, as its provider calls it."""
    machines: Mapping[str, MachineSpec] = field(default_factory=dict)
    """Machine type → what it is; with none at any site, steps run where the plan is made."""
    quota: Mapping[str, float] = field(default_factory=dict)
    """`cpus`, `accelerators` → how many may be in use at a time; what is not named has no limit."""
    carbon: float | None = None
    """gCO2e per kWh of its grid; from the table of regions where it is not given."""
    carbon_hours: tuple[float, ...] = ()
    """gCO2e per kWh in each of the 24 hours of a day, UTC: a run may wait for the best."""
    storage_price: float | None = None
    """Money for keeping a GB (10⁹ bytes) a month; from the table of regions where it is not
    given."""
    jurisdiction: str = ""
    """Data labelled `residency=EU` stays where this is EU."""
    accepts: tuple[str, ...] = ()
    """Labels of data that may come here, beside residency: `pii`, `team=fraud`."""
    keeps: tuple[Literal["aliases", "models", "results", "spending"], ...] = ("aliases",)
    """What is copied here without being asked for, so that it is there when all others are gone:
    versions that have an alias, every version that policy allows, what runs made, what was
    metered and billed."""
    keys: tuple[str, ...] = ()
    """Fingerprints of the keys whose history is believed, `sha256:…`; a person may add others."""


@dataclass(frozen=True)
class BudgetSpec:
    """What may be spent in a calendar month (UTC), of all that the filters let through."""

    limit: float
    """Money."""
    currency: str = ""
    """Empty: the project's; all budgets have one."""
    per: Literal["month"] = "month"
    team: str = ""
    """Only what is tagged with this team."""
    model: str = ""
    """Only what is spent on this model."""
    tag: Mapping[str, str] = field(default_factory=dict)
    """Only what has all these tags."""
    warn: float = 0.8
    """Share of the limit from which on it is told."""
    then: Literal["block", "approve"] = "block"
    """What becomes of a plan that would pass the limit: it is refused, or waits for
    `freehold approve`."""
    policies: str = ""
    """Folder of Rego files that say, with `then: approve`, for which plans a person may be asked:
    what they deny is refused. Empty: for all."""


@dataclass(frozen=True)
class Project:
    project: str
    """Its name."""
    pipelines: Mapping[str, str]
    """Name → `module:function`, relative to the project's folder."""
    site: str = "local"
    """Where this checkout works unless FREEHOLD_SITE says another."""
    sites: Mapping[str, SiteSpec] = field(default_factory=dict)
    """Name → place; none where there is but one."""
    engine: str = EMBEDDED["engine"]
    """The engine adapter that runs the steps."""
    parallel: int = 0
    """Steps at a time; 0 means as many as there are processors."""
    cache: bool = True
    policies: str = ""
    """Folder of Rego files; empty means none, and then nothing can be released."""
    contracts: tuple[ContractSpec, ...] = ()
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    endpoint: EndpointSpec | None = None
    release: ReleaseSpec = ReleaseSpec()
    monitoring: MonitoringSpec = MonitoringSpec()
    retention: RetentionSpec = RetentionSpec()
    replay: ReplaySpec | None = None
    tracking: TrackingSpec | None = None
    currency: str = "USD"
    """Of all money in this file, ISO 4217."""
    prices: str = ""
    """File with figures of the project's own, over the tables that come with Freehold."""
    placement: PlacementSpec = PlacementSpec()
    """Where steps run."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What all that this project spends is tagged with: `team: fraud`."""
    budgets: Mapping[str, BudgetSpec] = field(default_factory=dict)
