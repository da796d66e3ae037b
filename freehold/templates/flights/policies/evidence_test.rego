package freehold.evidence_test

import rego.v1

import data.freehold.evidence

figure := {"value": 0.5, "low": 0.4, "high": 0.6}

good := {
	"freehold": 2,
	"model": "flight-delay",
	"version": 2,
	"attachments": ["bom.cdx.json", "card.md"],
	"evidence": {
		"features": [{"name": "hour"}],
		"overall": {"rows": 20000, "auc": figure, "log_loss": figure},
	},
}

test_clears_what_is_complete if {
	count(evidence.deny) == 0 with input as json.patch(good, []) with data.limits.evidence.attachments as ["card.md"] with data.limits.evidence.figures as ["auc", "log_loss"]
	evidence.cleared == evidence.rules with input as json.patch(good, []) with data.limits.evidence.attachments as ["card.md"] with data.limits.evidence.figures as ["auc", "log_loss"]
}

test_denies_a_missing_attachment if {
	some denial in evidence.deny with input as json.patch(good, []) with data.limits.evidence.attachments as ["lineage.json"] with data.limits.evidence.figures as []
	denial.rule == "attachment-missing"
}

test_denies_a_figure_without_an_interval if {
	some denial in evidence.deny with input as json.patch(good, [{"op": "replace", "path": "/evidence/overall/auc/low", "value": null}]) with data.limits.evidence.attachments as [] with data.limits.evidence.figures as ["auc"]
	denial.rule == "figure-missing"
}

test_denies_a_figure_that_is_not_there if {
	some denial in evidence.deny with input as json.patch(good, []) with data.limits.evidence.attachments as [] with data.limits.evidence.figures as ["calibration_error"]
	denial.rule == "figure-missing"
}

test_denies_a_model_that_nobody_explained if {
	some denial in evidence.deny with input as json.patch(good, [{"op": "replace", "path": "/evidence/features", "value": []}]) with data.limits.evidence.minimum_features as 1
	denial.rule == "not-explained"
}

test_denies_evidence_from_few_rows if {
	some denial in evidence.deny with input as json.patch(good, [{"op": "replace", "path": "/evidence/overall/rows", "value": 999}]) with data.limits.evidence.minimum_rows as 1000
	denial.rule == "too-few-rows"
}

test_denies_a_question_of_another_shape if {
	some denial in evidence.deny with input as json.patch(good, [{"op": "replace", "path": "/freehold", "value": 0}])
	denial.rule == "other-question"
}
