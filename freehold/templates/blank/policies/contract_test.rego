package freehold.contract_test

import rego.v1

import data.freehold.contract

test_clears_contracts_that_hold if {
	count(contract.deny) == 0 with input as {"contract": {"checked": 2, "failed": 0}}
	contract.cleared == contract.rules with input as {"contract": {"checked": 2, "failed": 0}}
}

test_denies_a_failed_contract if {
	some denial in contract.deny with input as {"contract": {"checked": 2, "failed": 1}}
	denial.rule == "failed"
}

test_denies_data_that_nobody_checked if {
	some denial in contract.deny with input as {"contract": {"checked": 0, "failed": 0}} with data.limits.contract.minimum_checked as 1
	denial.rule == "not-checked"
}
