package chaos

// HasExitInfo tells whether this kernel remembers how a reaped process ended.
func HasExitInfo() bool { return hasExitInfo() }

// OutOfMemory is outOfMemory.
var OutOfMemory = outOfMemory
