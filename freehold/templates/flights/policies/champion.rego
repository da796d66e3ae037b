# A new version may be worse than the champion by no more than a tolerance, on the same rows.
# Where there is no champion, there is nothing to be worse than.
package freehold.champion

import rego.v1

rules := {"worse-than-champion"}

requires := {
	"input.champion": "object|null",
	"input.evidence.champion?.difference.value": "number|null",
	"data.limits.champion.tolerance": "number",
}

compared if is_number(input.evidence.champion.difference.value)

cleared contains "worse-than-champion" if input.champion == null

cleared contains "worse-than-champion" if {
	compared
	input.evidence.champion.difference.value >= 0 - data.limits.champion.tolerance
}

deny contains {
	"rule": "worse-than-champion",
	"message": "there is a champion, but no difference of AUC to it on the same rows",
} if {
	input.champion != null
	not compared
}

deny contains {
	"rule": "worse-than-champion",
	"message": sprintf("AUC differs from the champion's by %v; it may fall by %v", [
		input.evidence.champion.difference.value,
		data.limits.champion.tolerance,
	]),
} if {
	compared
	not "worse-than-champion" in cleared
}
