"""Opens the object stores in which sites meet."""

from collections.abc import Mapping
from typing import cast

from freehold.app import adapters
from freehold.app.project.reading import may_hold_secret
from freehold.domain.embedded import STORES
from freehold.domain.errors import ProjectInvalid
from freehold.domain.project import StoreSpec
from freehold.ports.key_service import KeyService, KeySettings
from freehold.ports.object_store import STORE_SECRETS, ObjectStore, StoreSettings

KEY_SECRETS = ("access_key_id", "secret_access_key", "session_token", "token", "namespace")


def open_store(spec: StoreSpec, site_name: str, environment: Mapping[str, str]) -> ObjectStore:
    """Talks to nobody yet.

    Secrets are read from `FREEHOLD_<SITE>_<NAME>`, those of the key service from
    `FREEHOLD_<SITE>_KEY_<NAME>`, and its URL from `FREEHOLD_<SITE>_KEY_ENDPOINT`; what is absent
    is left to the vendors' own ways. Raises ProjectInvalid, WrongUsage, AdapterMissing,
    StorageFailed.
    """
    for key, value in (("at", spec.at), ("endpoint", spec.endpoint)):
        if may_hold_secret(value):
            raise ProjectInvalid(
                f"'store: {key}' of site '{site_name}' has more than an address in it",
                why="a user, a password, a query or a fragment may be a secret, and addresses are"
                " shown",
                hint="give secrets by the environment: FREEHOLD_<SITE>_<NAME>",
                code="project.secret-in-address",
            )
    settings = StoreSettings(
        spec.at,
        spec.endpoint,
        spec.region,
        secrets=secrets_of(site_name, STORE_SECRETS, environment),
    )
    store = cast(
        ObjectStore, adapters.load("object_store", adapter_of(spec.at, site_name)).open(settings)
    )
    if not spec.encryption:
        return store
    keys = open_keys(spec, site_name, environment)
    return cast(ObjectStore, adapters.embedded("store_encryption")(store, keys))


def open_keys(spec: StoreSpec, site_name: str, environment: Mapping[str, str]) -> KeyService:
    """The service that wraps the keys of this store's objects. Raises ProjectInvalid, WrongUsage,
    AdapterMissing."""
    kind, _, key = spec.encryption.partition(":")
    known = adapters.names("key_service")
    if kind not in known or not key:
        raise ProjectInvalid(
            f"'{spec.encryption}' names no key for the store of site '{site_name}'",
            why=f"kinds of keys are: {', '.join(known)}",
            hint="write encryption: KIND:KEY, such as file:/etc/freehold/store.key",
            code="project.unknown-encryption",
        )
    prefix = f"{site_name}-key"
    settings = KeySettings(
        key,
        endpoint=environment.get(_variable(prefix, "endpoint"), ""),
        region=spec.region,
        secrets=secrets_of(prefix, KEY_SECRETS, environment),
    )
    return cast(KeyService, adapters.load("key_service", kind).open(settings))


def secrets_of(
    site_name: str, names: tuple[str, ...], environment: Mapping[str, str]
) -> dict[str, str]:
    """Those that are set, by name."""
    found = {name: environment.get(_variable(site_name, name), "") for name in names}
    return {name: value for name, value in found.items() if value}


def _variable(site_name: str, name: str) -> str:
    return f"FREEHOLD_{site_name}_{name}".upper().replace("-", "_")


def adapter_of(location: str, site_name: str) -> str:
    """The name of the one that opens this address; a stranger's opens the scheme that it is named
    after. Raises ProjectInvalid."""
    scheme, colon, _ = location.partition(":")
    if colon and scheme in STORES:
        return STORES[scheme]
    others = set(adapters.names("object_store")) - set(STORES.values())
    if colon and scheme in others:
        return scheme
    raise ProjectInvalid(
        f"the store of site '{site_name}' has an address that nothing here opens",
        why=f"stores are opened by: {', '.join(sorted([*STORES, *others]))}",
        hint="write an address such as file:///srv/models or s3://bucket/prefix under `store: at:`",
        code="project.unknown-store",
    )
