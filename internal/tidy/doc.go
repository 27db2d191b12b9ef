// Package tidy holds the rules of this house as tests: which package may import which, how long functions get,
// what must be documented, and what may not be in the repository. Each rule says why it is there and what to do
// instead, and each is shown to fail on a small piece of bad code.
//
// The rules run on the files of the working tree and on what go list says, so `go test ./internal/tidy` is all it
// takes.
package tidy
