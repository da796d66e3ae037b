package freehold.champion_test

import rego.v1

import data.freehold.champion

alone := {"champion": null, "evidence": {"champion": null}}

beside(difference) := {
	"champion": {"version": 1},
	"evidence": {"champion": {"difference": {"value": difference}}},
}

test_clears_the_first_version if {
	count(champion.deny) == 0 with input as json.patch(alone, [])
	champion.cleared == champion.rules with input as json.patch(alone, [])
}

test_clears_a_better_version if {
	count(champion.deny) == 0 with input as beside(0.02)
	champion.cleared == champion.rules with input as beside(0.02)
}

test_clears_a_version_worse_within_the_tolerance if {
	count(champion.deny) == 0 with input as beside(-0.004) with data.limits.champion.tolerance as 0.005
}

test_denies_a_worse_version if {
	some denial in champion.deny with input as beside(-0.006) with data.limits.champion.tolerance as 0.005
	denial.rule == "worse-than-champion"
}

test_denies_a_comparison_without_a_figure if {
	count(champion.deny) == 1 with input as beside(null)
	count(champion.cleared) == 0 with input as beside(null)
}

test_denies_what_was_not_compared if {
	count(champion.deny) == 1 with input as {"champion": {"version": 1}, "evidence": {"champion": null}}
}
