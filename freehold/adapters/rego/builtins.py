"""The built-in functions that a policy may call.

A list of what is allowed: the library lacks many of OPA's functions (`http.send`, `net.cidr_*`,
`json.match_schema`), and a call of one is undefined, so that `not http.send(...)` would be true.
Others are there and give other answers than OPA (`object.union` replaces nested objects whole,
`sum` of texts is undefined), read the process's environment (`opa.runtime`), the clock or chance
(`time.now_ns`, `rand.intn`, `uuid.rfc4122`), or write to the standard output (`print`). Each name
here has a test against OPA's documented answer.
"""

ALLOWED = frozenset(
    [
        "abs",
        "array.concat",
        "array.slice",
        "ceil",
        "concat",
        "contains",
        "count",
        "endswith",
        "floor",
        "format_int",
        "indexof",
        "is_array",
        "is_boolean",
        "is_null",
        "is_number",
        "is_object",
        "is_set",
        "is_string",
        "json.patch",
        "lower",
        "max",
        "min",
        "numbers.range",
        "object.get",
        "object.keys",
        "regex.match",
        "replace",
        "round",
        "sort",
        "split",
        "sprintf",
        "startswith",
        "substring",
        "to_number",
        "trim",
        "trim_prefix",
        "trim_suffix",
        "type_name",
        "upper",
    ]
)

REASONS = {
    "http.send": "a decision depends on its input only",
    "object.union": "this engine does not merge nested objects as OPA does",
    "opa.runtime": "it shows the environment of the process, secrets included",
    "print": "it writes to the standard output",
    "rand.intn": "a decision must be the same when it is asked again",
    "time.now_ns": "a decision must be the same when it is asked again",
    "trace": "it writes to the standard output",
    "uuid.rfc4122": "a decision must be the same when it is asked again",
}
"""Why, for those that people may miss; the others are not among what was tried."""
