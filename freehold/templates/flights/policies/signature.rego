# The package is signed, and the signature is good under this site's key.
package freehold.signature

import rego.v1

rules := {"not-valid"}

requires := {"input.signature.valid": "boolean"}

cleared contains "not-valid" if input.signature.valid == true

deny contains {
	"rule": "not-valid",
	"message": "the package's signature is missing or not good under this site's key",
} if {
	not "not-valid" in cleared
}
