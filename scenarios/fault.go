package scenarios

// Fault is what is done to a victim. Exactly one field is set; a plain word stands for the field marked scalar.
type Fault struct {
	Signal     *SignalFault     `yaml:"signal" doc:"Send a signal."`
	Pause      *PauseFault      `yaml:"pause" doc:"SIGSTOP, and SIGCONT after a while."`
	OOM        *OOMFault        `yaml:"oom" doc:"Exhaust the victim's memory until the kernel's OOM killer, or a limit, ends it."`
	Memory     *MemoryFault     `yaml:"memory" doc:"Hold the victim's memory near its limit without killing it."`
	CPU        *CPUFault        `yaml:"cpu" doc:"Throttle the victim's CPU."`
	FDs        *FDsFault        `yaml:"fds" doc:"Use up the victim's file descriptors."`
	PIDs       *PIDsFault       `yaml:"pids" doc:"Use up the processes the victim may have."`
	Exit       *ExitFault       `yaml:"exit" doc:"Make the victim exit in the middle of a task."`
	Panic      *PanicFault      `yaml:"panic" doc:"Make the victim's program panic outside any recovery."`
	Crashpoint *CrashpointFault `yaml:"crashpoint" doc:"Make the victim die at an exact point of its protocol loop."`
	Spawn      *SpawnFault      `yaml:"spawn" doc:"Make new members fail to boot, or boot slowly."`
	Poison     *PoisonFault     `yaml:"poison" doc:"Submit a task that kills its worker each time it runs."`
	Supervisor *SupervisorFault `yaml:"supervisor" doc:"SIGKILL the parent of all members."`
	Resize     *ResizeFault     `yaml:"resize" doc:"Change the target's size."`
	Restart    *OperationFault  `yaml:"restart" doc:"Restart every member, one after the other."`
	Close      *OperationFault  `yaml:"close" doc:"Close the target: finish what is queued, then stop."`
	Terminate  *OperationFault  `yaml:"terminate" doc:"Stop the target now."`
	Mixed      []Weighted       `yaml:"mixed" doc:"One of several each time, by weight."`
}

// SignalFault sends a signal.
type SignalFault struct {
	Name string `yaml:"name,scalar" doc:"The signal without SIG: KILL, TERM, SEGV, ABRT, …"`
}

// PauseFault stops the victim for a while.
type PauseFault struct {
	For Duration `yaml:"for,scalar" zero:"no pause: want a time such as 1s" doc:"Until SIGCONT. Default 1s."`
}

// OOMFault exhausts memory.
type OOMFault struct {
	Limit     Bytes  `yaml:"limit" zero:"no memory at all: want a size such as 64MiB" doc:"The limit to run into. Default: the victim's own, else 64MiB above what it uses."`
	Mechanism string `yaml:"mechanism,scalar" enum:"any cgroup rlimit rss" doc:"Default any: the strongest that can be had here."`
}

// MemoryFault is memory pressure.
type MemoryFault struct {
	Of  Percent  `yaml:"of,scalar" zero:"no pressure: want up to 95%" doc:"Of the victim's limit. Default 80%."`
	For Duration `yaml:"for" zero:"no time: want a time such as 1s" doc:"Default 1s."`
}

// CPUFault throttles.
type CPUFault struct {
	Quota Percent  `yaml:"quota,scalar" zero:"no CPU at all: want at least 1% (or the fault pause)" doc:"Of one CPU. Default 5%."`
	For   Duration `yaml:"for" zero:"no time: want a time such as 1s" doc:"Default 1s."`
}

// FDsFault uses up descriptors.
type FDsFault struct {
	Limit Count `yaml:"limit,scalar" zero:"no descriptor at all: want at least 1" doc:"RLIMIT_NOFILE of the victim meanwhile. Default 64."`
}

// PIDsFault uses up processes.
type PIDsFault struct {
	Limit Count `yaml:"limit,scalar" zero:"no room at all: want at least 1" doc:"Processes and threads that the victim's cgroup may have more than it has. Default 2."`
}

// ExitFault exits.
type ExitFault struct {
	Code Count `yaml:"code,scalar" doc:"The exit code."`
}

// PanicFault panics.
type PanicFault struct {
	Text string `yaml:"text,scalar" doc:"What it panics with."`
}

// CrashpointFault arms a crash point.
type CrashpointFault struct {
	At string `yaml:"at,scalar" enum:"before-read after-read mid-exec mid-write after-write during-boot during-drain" doc:"Where in the protocol loop."`
}

// SpawnFault hurts the boots to come.
type SpawnFault struct {
	Fail  Count    `yaml:"fail,scalar" doc:"So many boots fail."`
	Delay Duration `yaml:"delay" doc:"Boots take at least so long."`
	For   Duration `yaml:"for" zero:"no time: want a time such as 5s" doc:"How long slow boots last. Default: until the other faults are over and the target has recovered."`
}

// PoisonFault submits a deadly task.
type PoisonFault struct {
	Code Count `yaml:"code,scalar" zero:"no death: want 1 to 255" doc:"The exit code its workers die with. Default 1."`
}

// SupervisorFault kills the parent.
type SupervisorFault struct {
	Signal string `yaml:"signal,scalar" doc:"Default KILL."`
}

// ResizeFault resizes.
type ResizeFault struct {
	To Count `yaml:"to,scalar" doc:"The new size."`
}

// OperationFault is an operation without parameters.
type OperationFault struct {
	Within Duration `yaml:"within" zero:"no time: want a time such as 30s" doc:"It must return in this time. Default 30s."`
}

// Weighted is one of several faults.
type Weighted struct {
	Weight Count `yaml:"weight" zero:"never: want at least 1" doc:"Default 1."`
	Fault  Fault `yaml:"fault" doc:"The fault."`
}
