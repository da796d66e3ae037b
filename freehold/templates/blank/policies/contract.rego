# The data that the model was made from satisfied their contracts.
package freehold.contract

import rego.v1

rules := {"failed", "not-checked"}

requires := {
	"input.contract.checked": "number",
	"input.contract.failed": "number",
	"data.limits.contract.minimum_checked": "number",
}

cleared contains "failed" if input.contract.failed == 0

deny contains {
	"rule": "failed",
	"message": sprintf("%v of %v contracts failed", [input.contract.failed, input.contract.checked]),
} if {
	not "failed" in cleared
}

cleared contains "not-checked" if {
	input.contract.checked >= data.limits.contract.minimum_checked
}

deny contains {
	"rule": "not-checked",
	"message": sprintf("%v contracts were checked; at least %v must be", [
		input.contract.checked,
		data.limits.contract.minimum_checked,
	]),
} if {
	not "not-checked" in cleared
}
