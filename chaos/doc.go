// Package chaos injects faults into a pool of processes, makes sure from evidence that they happened, and records
// everything in a history that chaos/check judges.
//
// It knows a pool only as a [Target]. A run is a pipeline whose data flows one way:
//
//	steady state → nemesis (pick, inject, confirm, heal) → settle → history → check → verdict
package chaos
