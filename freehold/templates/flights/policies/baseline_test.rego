package freehold.baseline_test

import rego.v1

import data.freehold.baseline

good := {"evidence": {"overall": {
	"auc": {"value": 0.73, "low": 0.72, "high": 0.74},
	"net_accuracy": {"value": 0.01, "low": 0.005, "high": 0.015},
}}}

test_clears_a_model_that_learned if {
	count(baseline.deny) == 0 with input as json.patch(good, [])
	baseline.cleared == baseline.rules with input as json.patch(good, [])
}

# A model trained on shuffled labels came to 0.5355 on 20,185 flights, interval 0.527 to 0.544.
test_denies_a_model_of_shuffled_labels if {
	some denial in baseline.deny with input as json.patch(good, [{"op": "replace", "path": "/evidence/overall/auc/low", "value": 0.527}]) with data.limits.baseline.auc as 0.55
	denial.rule == "auc-not-better"
}

test_denies_at_the_limit_itself if {
	count(baseline.deny) == 1 with input as json.patch(good, [{"op": "replace", "path": "/evidence/overall/auc/low", "value": 0.6}]) with data.limits.baseline.auc as 0.6
}

test_denies_accuracy_below_the_majority if {
	some denial in baseline.deny with input as json.patch(good, [{"op": "replace", "path": "/evidence/overall/net_accuracy/high", "value": -0.006}]) with data.limits.baseline.accuracy_margin as 0.005
	denial.rule == "accuracy-below-majority"
}

test_clears_accuracy_within_the_margin if {
	count(baseline.deny) == 0 with input as json.patch(good, [{"op": "replace", "path": "/evidence/overall/net_accuracy/high", "value": -0.004}]) with data.limits.baseline.accuracy_margin as 0.005
}
