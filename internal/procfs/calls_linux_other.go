//go:build linux && !amd64

package procfs

var ownCalls map[string]int
