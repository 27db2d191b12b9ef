//go:build !linux

package procfs

import (
	"errors"
	"time"
)

var errNotLinux = errors.New("there is no /proc on this operating system")

// Read is not supported here.
func Read(int) (Proc, error) { return Proc{}, errNotLinux }

// Snapshot is not supported here.
func Snapshot() (Table, error) { return nil, errNotLinux }

// Stopped is not supported here.
func Stopped(int) (bool, error) { return false, errNotLinux }

// Marked is not supported here.
func Marked(int, string) bool { return false }

// Bare is unsupported here.
func Bare(int) bool { return false }

// Files is not supported here.
func Files(int) (int, error) { return 0, errNotLinux }

// ReadDispositions is not supported here.
func ReadDispositions(int) (Dispositions, error) { return Dispositions{}, errNotLinux }

// HostOOMKills is not supported here.
func HostOOMKills() (int64, error) { return 0, errNotLinux }

// Data is not supported here.
func Data(int) (int64, error) { return 0, errNotLinux }

// ReadCPUTimes is not supported here.
func ReadCPUTimes() (CPUTimes, error) { return CPUTimes{}, errNotLinux }

// ReadPressure is not supported here.
func ReadPressure(string) (time.Duration, error) { return 0, errNotLinux }

// Identify is not supported here.
func Identify(int) (Identity, error) { return Identity{}, errNotLinux }

// Args is not supported here.
func Args(int) []string { return nil }

// Name is not supported here.
func Name(int) string { return "" }

// IsInit is not supported here.
func IsInit(int) bool { return false }

// Groups is not supported here.
func Groups(int) (map[string]string, error) { return nil, errNotLinux }

// Listeners is not supported here.
func Listeners(int, int) (map[string]bool, error) { return nil, errNotLinux }

// PortsOf is not supported here.
func PortsOf(int) []int { return nil }

// HasSocket is not supported here.
func HasSocket(int, map[string]bool) bool { return false }

// NetworkOf is not supported here.
func NetworkOf(int) string { return "" }

var calls map[string]int

// InCall is not supported here.
func InCall(int, string) (bool, error) { return false, errNotLinux }
