# No gap in AUC between groups that is above the limit beyond chance. Groups with too few rows are
# not judged: the evidence lists them.
package freehold.fairness

import rego.v1

rules := {"group-gap", "group-not-measured"}

requires := {
	"input.evidence.groups": "object",
	"input.evidence.groups.*.gap?.best": "string|null",
	"input.evidence.groups.*.gap?.worst": "string|null",
	"input.evidence.groups.*.gap?.difference.low": "number|null",
	"data.limits.fairness.auc_gap": "number",
	"data.limits.fairness.columns": "array",
}

fair(grouping) if grouping.gap == null

fair(grouping) if {
	is_number(grouping.gap.difference.low)
	grouping.gap.difference.low <= data.limits.fairness.auc_gap
}

cleared contains "group-gap" if {
	every column, grouping in input.evidence.groups {
		fair(grouping)
	}
}

deny contains {
	"rule": "group-gap",
	"message": sprintf("by %s, AUC for %v is above that for %v by at least %v with confidence; the limit is %v", [
		column,
		grouping.gap.best,
		grouping.gap.worst,
		grouping.gap.difference.low,
		data.limits.fairness.auc_gap,
	]),
} if {
	some column, grouping in input.evidence.groups
	not fair(grouping)
}

measured(column) if is_object(input.evidence.groups[column].gap)

cleared contains "group-not-measured" if {
	every column in data.limits.fairness.columns {
		measured(column)
	}
}

deny contains {
	"rule": "group-not-measured",
	"message": sprintf("no groups of %v were compared", [column]),
} if {
	some column in data.limits.fairness.columns
	not measured(column)
}
