"""How Azure's entries of the price file are read: `lowpriority` is the spot price of its size."""

from tools.prices import azure

TABLE = {
    "standardd4sv3": {"eastus": 0.192, "westus": 0.224, "northeurope": 0.0},
    "lowpriorityd4sv3": {"eastus": 0.0384, "northeurope": 0.05},
    "standardnc6sv3": {"eastus": 3.06},
    "lowprioritync6sv3": {"eastus": 0.0},
    "lowpriorityd8sv3": {"eastus": 0.0768},
}


def test_low_priority_is_the_spot_price_of_the_size_that_it_names() -> None:
    known = azure.sizes(["d4sv3", "nc6sv3"], {})
    found = {(one.machine, one.region): one for one in azure.prices(TABLE, known)}
    d4 = found["Standard_D4s_v3", "eastus"]
    assert (d4.on_demand, d4.spot) == (0.192, 0.0384)
    assert found["Standard_D4s_v3", "westus"].spot is None


def test_zero_is_unknown_on_demand_and_as_spot() -> None:
    known = azure.sizes(["d4sv3", "nc6sv3"], {})
    found = {(one.machine, one.region): one for one in azure.prices(TABLE, known)}
    north = found["Standard_D4s_v3", "northeurope"]
    assert (north.on_demand, north.spot) == (None, 0.05)
    assert found["Standard_NC6s_v3", "eastus"].spot is None


def test_what_has_a_low_priority_entry_only_is_no_machine_that_is_offered() -> None:
    known = azure.sizes(["d4sv3", "nc6sv3"], {})
    machines = {one.machine for one in azure.prices(TABLE, known)}
    assert machines == {"Standard_D4s_v3", "Standard_NC6s_v3"}
