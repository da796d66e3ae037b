"""What stands behind each port on one machine with nothing installed: the one place where the code
outside adapters names them. A project file, or a further adapter, puts another in its place.
"""

from collections.abc import Mapping

EMBEDDED: Mapping[str, str] = {
    "bill_of_materials": "cyclonedx",
    "engine": "inline",
    "ledger": "sqlite",
    "locks": "filelock",
    "model_converter": "onnx",
    "model_runtime": "auto",
    "model_signing": "signing",
    "object_store": "disk",
    "policy_engine": "rego",
    "price_source": "shipped",
    "signer": "keys",
    "solver": "highs",
    "store_encryption": "envelope",
}
"""Port → name of its adapter."""

KILLING_ENGINE = "subprocess"
"""Runs the steps that have a timeout."""

STORES: Mapping[str, str] = {
    "az": "azure",
    "file": "disk",
    "gs": "gcs",
    "memory": "memory",
    "s3": "s3",
}
"""Scheme of a store's address → the adapter that opens it."""
