"""How AWS's entries of the price file and libcloud's constants are read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.adapters.price_tables import tables
from tools.prices import aws

TABLE = {
    "c5": {"us-east-1": 3.366, "eu-west-1": 0.0},
    "dl1.24xlarge": {"us-east-1": 13.10904, "us-west-2": 0.0},
    "m5.large": {"us-east-1": 0.096, "eu-west-1": 0.107},
    "m5.xlarge": {"us-east-1": 0.192, "eu-west-1": 0.214},
    "m5.2xlarge": {"us-east-1": 0.40704, "eu-west-1": 0.428},
    "m5.4xlarge": {"us-east-1": 0.0, "eu-west-1": 0.856},
    "p3.2xlarge": {"us-east-1": 3.06, "us-west-2": 0.0},
}
"""In Virginia the m5.2xlarge is that of a dedicated machine: 6 % above the shared one."""
FAMILY = {"m5.large", "m5.xlarge", "m5.2xlarge", "m5.4xlarge"}
KNOWN = {*FAMILY, "p3.2xlarge"}


def constant(cpus: str, mebibytes: int, processor: str, **extra: str) -> dict[str, Any]:
    """One type as libcloud has it, but for what nobody asks."""
    told = {"vcpu": cpus, "physicalProcessor": processor, "gpuMemory": "NA", **extra}
    return {"bandwidth": 10, "disk": 0, "ram": mebibytes, "extra": told}


CONSTANTS = {
    "m5.large": constant("2", 8192, "Intel Xeon Platinum 8175"),
    "p3.2xlarge": constant("8", 62464, "Intel Xeon E5-2686 v4 (Broadwell)", gpu="1"),
    "g4dn.12xlarge": constant("48", 196608, "Intel Xeon Family", gpu="4"),
    "u-6tb1.metal": constant("NA", 6291456, "Intel Xeon Scalable (Skylake)"),
    "trn9.2xlarge": constant("8", 32768, "Intel Xeon Family", gpu="1"),
}


def read(table: dict[str, dict[str, float]]) -> dict[tuple[str, str], Any]:
    return {(one.machine, one.region): one for one in aws.prices(table, KNOWN)}


class TestPrices:
    def test_an_entry_is_the_price_of_its_type_and_region_on_demand(self) -> None:
        found = read(TABLE)["m5.large", "eu-west-1"]
        assert (found.provider, found.on_demand) == ("aws", 0.107)
        assert found.spot is None
        assert found.listed is None

    def test_zero_is_unknown_and_its_machine_is_kept(self) -> None:
        for key in (("p3.2xlarge", "us-west-2"), ("m5.4xlarge", "us-east-1")):
            assert read(TABLE)[key].on_demand is None

    def test_zero_takes_no_price_of_its_familys_other_sizes(self) -> None:
        """Which mend the entry beside it: that is dearer than shared ones, and says what it was."""
        found = read(TABLE)
        assert found["m5.2xlarge", "us-east-1"].on_demand == pytest.approx(0.384)
        assert found["m5.2xlarge", "us-east-1"].listed == 0.40704
        zero = found["m5.4xlarge", "us-east-1"]
        assert (zero.on_demand, zero.listed) == (None, None)

    def test_a_dedicated_host_and_types_of_unknown_size_are_left_out(self) -> None:
        assert {machine for machine, _ in read(TABLE)} == KNOWN

    @given(
        st.dictionaries(
            st.sampled_from(sorted(KNOWN)),
            st.dictionaries(
                st.sampled_from(["us-east-1", "eu-west-1", "sa-east-1"]),
                st.just(0.0) | st.floats(0.001, 100),
            ),
        )
    )
    def test_unknown_is_what_is_zero_and_nothing_else(
        self, table: dict[str, dict[str, float]]
    ) -> None:
        entries = {(name, at): price for name, one in table.items() for at, price in one.items()}
        found = read(table)
        assert found.keys() == entries.keys()
        for key, price in entries.items():
            assert (found[key].on_demand is None) == (price == 0), key
            assert found[key].on_demand is None or 0 < found[key].on_demand <= price, key
            assert found[key].spot is None, key


class TestSizes:
    def test_processors_memory_and_accelerators_are_those_of_the_constants(self) -> None:
        found = {one.machine: one for one in aws.sizes(CONSTANTS)}
        told = {
            name: (one.cpus, one.memory, one.accelerators, one.accelerator, one.processor)
            for name, one in found.items()
        }
        assert told == {
            "m5.large": (2.0, 8.0, 0, "", "skylake"),
            "p3.2xlarge": (8.0, 61.0, 1, "v100", "broadwell"),
            "g4dn.12xlarge": (48.0, 192.0, 4, "t4", ""),
        }

    @pytest.mark.parametrize(
        ("called", "processor"),
        [
            ("AMD EPYC 7R32", "epyc-2"),
            ("AMD EPYC 9R14 Processor", ""),
            ("AWS Graviton Processor", "graviton"),
            ("AWS Graviton2 Processor", "graviton2"),
            ("AWS Graviton3 Processor", ""),
            ("High Frequency Intel Xeon E7-8880 v3 (Haswell)", "haswell"),
            ("Intel Xeon 8375C (Ice Lake)", ""),
            ("Intel Xeon E5-2670", "sandy-bridge"),
            ("Intel Xeon E5-2670 v2 (Ivy Bridge)", "ivy-bridge"),
            ("Intel Xeon E5-2670 v2 (Ivy Bridge/Sandy Bridge)", ""),
            ("Intel Xeon Platinum 8259CL", "cascade-lake"),
            ("Variable", ""),
        ],
    )
    def test_a_processor_that_was_not_measured_is_the_average(
        self, called: str, processor: str
    ) -> None:
        (size,) = aws.sizes({"x9.large": constant("2", 8192, called)})
        assert size.processor == processor

    def test_every_processor_and_accelerator_that_is_named_has_its_watts(self) -> None:
        known = tables.keyed("processors", "provider", "processor")
        measured = {name for provider, name in known if provider == "aws"}
        assert {name for _, name in aws.PROCESSORS} <= measured
        cards = {name for (name,) in tables.keyed("accelerators", "accelerator")}
        assert set(aws.ACCELERATORS.values()) <= cards
