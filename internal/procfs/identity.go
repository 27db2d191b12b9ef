package procfs

// Identity is what tells one process from another beside its number: a process that the number passes to has another.
type Identity struct {
	PID     int
	Started int64  // in clock ticks since the boot of the system
	UID     int    // whose it is
	Exe     string // the program's file; "" where that cannot be read
	File    string // device and inode of that file, which two programs under one name do not share; "" likewise
}

// Same tells whether the other is the same process still, in the same program.
func (i Identity) Same(other Identity) bool { return i == other }

// SameProgram tells whether the other runs the same program.
func (i Identity) SameProgram(other Identity) bool { return i.File != "" && i.File == other.File }
