# Better than guessing: AUC above that of a model that learned nothing, whole interval, and accuracy
# not below that of always answering the more frequent class, by more than a margin.
package freehold.baseline

import rego.v1

rules := {"accuracy-below-majority", "auc-not-better"}

requires := {
	"input.evidence.overall.auc.low": "number",
	"input.evidence.overall.net_accuracy.high": "number",
	"data.limits.baseline.auc": "number",
	"data.limits.baseline.accuracy_margin": "number",
}

cleared contains "auc-not-better" if {
	input.evidence.overall.auc.low > data.limits.baseline.auc
}

deny contains {
	"rule": "auc-not-better",
	"message": sprintf("AUC is at least %.4f with confidence; it must be above %v", [
		input.evidence.overall.auc.low,
		data.limits.baseline.auc,
	]),
} if {
	not "auc-not-better" in cleared
}

cleared contains "accuracy-below-majority" if {
	input.evidence.overall.net_accuracy.high >= 0 - data.limits.baseline.accuracy_margin
}

deny contains {
	"rule": "accuracy-below-majority",
	"message": sprintf("accuracy less the majority class's is at most %.4f with confidence; it may be %v below", [
		input.evidence.overall.net_accuracy.high,
		data.limits.baseline.accuracy_margin,
	]),
} if {
	not "accuracy-below-majority" in cleared
}
