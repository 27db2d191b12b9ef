// Package scenarios reads experiments from YAML and runs them: against our pool, or any target that chaos can reach.
//
// A file is read by [ReadFile] or [Parse], which report every mistake at once with its position. The format is
// described by the struct tags of [Scenario]; the JSON Schema and docs/scenario-format.md are made from them.
package scenarios
