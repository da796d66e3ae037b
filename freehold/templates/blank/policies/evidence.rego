# The evidence is complete: enough rows, every figure with its interval, an explanation, and the
# documents that lie beside the package. The question has all that these policies know of: later
# versions only add to it.
package freehold.evidence

import rego.v1

rules := {"attachment-missing", "figure-missing", "not-explained", "other-question", "too-few-rows"}

requires := {
	"input.attachments": "array",
	"input.freehold": "number",
	"input.model": "string",
	"input.package": "string",
	"input.version": "number",
	"input.evidence.features": "array",
	"input.evidence.overall": "object",
	"input.evidence.overall.rows": "number",
	"data.limits.evidence.attachments": "array",
	"data.limits.evidence.figures": "array",
	"data.limits.evidence.minimum_features": "number",
	"data.limits.evidence.minimum_rows": "number",
}

cleared contains "attachment-missing" if {
	every name in data.limits.evidence.attachments {
		name in input.attachments
	}
}

deny contains {
	"rule": "attachment-missing",
	"message": sprintf("%v is not beside the package", [name]),
} if {
	some name in data.limits.evidence.attachments
	not name in input.attachments
}

known(name) if {
	is_number(input.evidence.overall[name].value)
	is_number(input.evidence.overall[name].low)
	is_number(input.evidence.overall[name].high)
}

cleared contains "figure-missing" if {
	every name in data.limits.evidence.figures {
		known(name)
	}
}

deny contains {
	"rule": "figure-missing",
	"message": sprintf("%v has no value with an interval", [name]),
} if {
	some name in data.limits.evidence.figures
	not known(name)
}

cleared contains "not-explained" if {
	count(input.evidence.features) >= data.limits.evidence.minimum_features
}

deny contains {
	"rule": "not-explained",
	"message": sprintf("%v features are explained; at least %v must be", [
		count(input.evidence.features),
		data.limits.evidence.minimum_features,
	]),
} if {
	not "not-explained" in cleared
}

cleared contains "too-few-rows" if {
	input.evidence.overall.rows >= data.limits.evidence.minimum_rows
}

deny contains {
	"rule": "too-few-rows",
	"message": sprintf("measured on %v rows; at least %v are needed", [
		input.evidence.overall.rows,
		data.limits.evidence.minimum_rows,
	]),
} if {
	not "too-few-rows" in cleared
}

cleared contains "other-question" if input.freehold >= 1

deny contains {
	"rule": "other-question",
	"message": sprintf("the question for %v@%v has shape %v; these policies need 1 or a later one", [
		input.model,
		input.version,
		input.freehold,
	]),
} if {
	not "other-question" in cleared
}
