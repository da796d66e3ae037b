package freehold.fairness_test

import rego.v1

import data.freehold.fairness

gap(low) := {"gap": {"best": "B6", "worst": "FL", "difference": {"value": 0.2, "low": low, "high": 0.3}}}

groups(low) := {"evidence": {"groups": {"carrier": gap(low), "origin": gap(0.01)}}}

test_clears_a_gap_that_may_be_chance if {
	count(fairness.deny) == 0 with input as groups(0.05) with data.limits.fairness.auc_gap as 0.1 with data.limits.fairness.columns as ["carrier", "origin"]
	fairness.cleared == fairness.rules with input as groups(0.05) with data.limits.fairness.auc_gap as 0.1 with data.limits.fairness.columns as ["carrier", "origin"]
}

test_denies_a_gap_beyond_chance if {
	some denial in fairness.deny with input as groups(0.11) with data.limits.fairness.auc_gap as 0.1 with data.limits.fairness.columns as []
	denial.rule == "group-gap"
}

test_denies_a_gap_without_a_figure if {
	count(fairness.cleared) == 1 with input as groups(null) with data.limits.fairness.columns as []
	some denial in fairness.deny with input as groups(null) with data.limits.fairness.columns as []
	denial.rule == "group-gap"
}

test_denies_a_column_that_was_not_measured if {
	some denial in fairness.deny with input as groups(0) with data.limits.fairness.columns as ["carrier", "dest"]
	denial.rule == "group-not-measured"
}

test_denies_a_column_whose_groups_are_all_too_small if {
	some denial in fairness.deny with input as {"evidence": {"groups": {"carrier": {"gap": null}}}} with data.limits.fairness.columns as ["carrier"]
	denial.rule == "group-not-measured"
}

test_asks_for_no_column_that_the_limits_do_not_name if {
	count(fairness.deny) == 0 with input as {"evidence": {"groups": {}}} with data.limits.fairness.columns as []
	fairness.cleared == fairness.rules with input as {"evidence": {"groups": {}}} with data.limits.fairness.columns as []
}
