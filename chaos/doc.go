// Package chaos injects faults into a pool of processes, makes sure from evidence that they happened, and records
// everything in a history that chaos/check judges.
//
// It knows a pool only as a [Target]. A [Run] is a pipeline whose data flows one way:
//
//	steady state → nemesis (pick, inject, confirm, heal) → settle → history → check → verdict
//
// To add a fault, write its type in a file of its own: a struct with its parameters, whose doc tags become its
// documentation; the four methods of [Fault]; and an [Injection] with the steps it needs, the others from [Steps]. Then
// add a row to the table in faults/table.go. What it needs of a target it asks for by [Capability], which refuses the
// injection by name where the target cannot do that. In faults, close.go is a short one, signal.go one whose evidence
// comes in tiers, pause.go one that has to be healed.
package chaos
