package procfs

// The two ways to see who listens.
var (
	Diagnosed = diagnosed
	Listed    = listed
)
