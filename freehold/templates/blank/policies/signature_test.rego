package freehold.signature_test

import rego.v1

import data.freehold.signature

test_clears_a_good_signature if {
	count(signature.deny) == 0 with input as {"signature": {"valid": true}}
	signature.cleared == signature.rules with input as {"signature": {"valid": true}}
}

test_denies_a_bad_signature if {
	some denial in signature.deny with input as {"signature": {"valid": false}}
	denial.rule == "not-valid"
}

test_denies_what_is_only_like_true if {
	count(signature.deny) == 1 with input as {"signature": {"valid": "true"}}
	count(signature.cleared) == 0 with input as {"signature": {"valid": "true"}}
}
