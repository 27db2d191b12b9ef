// Package deep has what a handler of another package reads.
package deep

// Offset is set by main.
var Offset int
