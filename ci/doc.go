// Package ci turns many runs into one decision: the gate. A run that did not PASS is red, and so is one that is
// missing. Against a baseline it compares one figure by statistics, never by a single noisy measurement.
package ci
