// Package takes is how a test says that it takes long, so that a run of all tests stays short.
package takes

import (
	"flag"
	"strconv"
	"testing"
)

// Every package that imports this one has the flag: .ci/run every finds them by that.
var every = flag.Bool("every", false, "run what takes long too, and in its whole length")

// Every tells whether all is to be run, in its whole length. Not before the flags are parsed.
func Every() bool { return *every }

// skipper is a test, or ginkgo's.
type skipper interface {
	Helper()
	Skip(args ...any)
}

// Seconds leaves the test out with -short.
func Seconds(t skipper) {
	t.Helper()
	if testing.Short() && !*every {
		t.Skip("takes seconds: run without -short")
	}
}

// SideBySide lets n tests of the package run at a time, unless -parallel says how many: they wait more than they work.
// TestMain calls it. The flag does not count as given then, which ginkgo would refuse.
func SideBySide(n int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Lookup("test.parallel").Value.Set(strconv.Itoa(n))
	}
}

// Long leaves the test out but with -every.
func Long(t skipper) {
	t.Helper()
	if !*every {
		t.Skip("takes long: run with -args -every")
	}
}
