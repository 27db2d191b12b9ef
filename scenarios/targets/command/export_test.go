package command

import "time"

// AskVersionsFor bounds how long a program may take to print its version, until restore is called.
func AskVersionsFor(d time.Duration) (restore func()) {
	was := versionTimeout
	versionTimeout = d
	return func() { versionTimeout = was }
}
