package bench

// Result is what a run found, as `respawn bench --json` prints it. A figure is the median over Environment.Runs; one
// that was not asked for, or cannot be had here, is absent.
type Result struct {
	Floor       Floor       `json:"floor"`
	Pool        Pool        `json:"pool"`
	Soak        *Soak       `json:"soak,omitempty"`
	Report      *Report     `json:"report,omitempty"`
	Storm       *Storm      `json:"storm,omitempty"`
	External    *External   `json:"external,omitempty"`
	CPython     *CPython    `json:"cpython,omitempty"`
	Environment Environment `json:"environment"`

	// Problems are wrong results: lost tasks, wrong values, slots that stay empty. There must be none.
	Problems []string `json:"-"`
}

// Floor is what this machine does with raw code: see package floor.
type Floor struct {
	SpawnMS    float64 `json:"spawn_ms,omitempty"`     // fork/exec to the child's first byte
	ReapMS     float64 `json:"reap_ms,omitempty"`      // SIGKILL to reaped
	RespawnMS  float64 `json:"respawn_ms,omitempty"`   // SIGKILL to a replacement's first byte
	PingPongUS float64 `json:"pingpong_us,omitempty"`  // eight bytes there and back
	EchoMBS    float64 `json:"echo_mb_s,omitempty"`    // 16 MiB there and back, in plus out
	PipeTasksS float64 `json:"pipe_tasks_s,omitempty"` // framed, batched, no bookkeeping
}

// Pool is what the pool does.
type Pool struct {
	TasksS         float64 `json:"tasks_s,omitempty"`            // one submitter, eight bytes
	TasksS64       float64 `json:"tasks_s_64_callers,omitempty"` // 64 blocking callers, four workers
	MapTasksS      float64 `json:"map_tasks_s,omitempty"`        // Map of a million, four workers
	MapTasksS512   float64 `json:"map_tasks_s_512,omitempty"`    // the same on 512 workers
	MapTasksS2048  float64 `json:"map_tasks_s_2048,omitempty"`   // and on 2,048
	RoundtripUS    float64 `json:"roundtrip_us,omitempty"`       // one task at a time
	RoundtripP99US float64 `json:"roundtrip_p99_us,omitempty"`
	EchoMBS        float64 `json:"echo_mb_s,omitempty"`      // 16 MiB there and back, in plus out
	EchoLentMBS    float64 `json:"echo_lent_mb_s,omitempty"` // the same with a result that the caller borrows
	// Curve is the rate of echoes by their size in KiB, there and back.
	Curve          map[int]float64 `json:"echo_curve_mb_s,omitempty"`
	RespawnMS      float64         `json:"respawn_ms,omitempty"`       // SIGKILL to a probe answered by the replacement
	RespawnSpareMS float64         `json:"respawn_spare_ms,omitempty"` // the same with a hot spare
	// SIGKILL to the dead worker's task running elsewhere
	RequeueMS   float64 `json:"requeue_ms,omitempty"`
	WorkerPSSKB float64 `json:"worker_pss_kb,omitempty"` // an idle worker among 1,000, kibibytes
	Start1000S  float64 `json:"start_1000_s,omitempty"`  // New to 1,000 ready workers
}

// Soak is many tasks through one pool.
type Soak struct {
	Tasks        int     `json:"tasks"`
	TailOverHead float64 `json:"tail_over_head"` // throughput of the last tenth over that of the first
	RSSGrowthMB  float64 `json:"rss_growth_mb"`  // of parent and workers, from the end of the first tenth to the end
}

// Report is the rendering of a history.
type Report struct {
	Events  int     `json:"events"`  // of the history
	Seconds float64 `json:"seconds"` // from the history's file to the last of the report's files
	HTMLMB  float64 `json:"html_mb"` // of the page
}

// Storm is tasks on four workers, one of which is killed every 50 ms. Of several runs: the median of kills and wall,
// and the worst of the rest.
type Storm struct {
	Tasks       int     `json:"tasks"`
	OK          int     `json:"ok"`
	Failed      int     `json:"failed"`
	Lost        int     `json:"lost"`       // without any outcome
	Duplicated  int     `json:"duplicated"` // outcomes beyond a task's first
	Kills       int     `json:"kills"`
	WallS       float64 `json:"wall_s"`
	IdealS      float64 `json:"ideal_s"`
	UsableAfter bool    `json:"usable_after"` // every slot answered a probe
}

// Environment is where the figures are from.
type Environment struct {
	OS          string         `json:"os"`
	Arch        string         `json:"arch"`
	Kernel      string         `json:"kernel,omitempty"`
	CPU         string         `json:"cpu,omitempty"`
	CPUs        int            `json:"cpus"`
	Go          string         `json:"go"`
	Seed        uint64         `json:"seed"`
	Runs        map[string]int `json:"runs"` // by group: how many runs the medians are over
	Python      string         `json:"python,omitempty"`
	CPythonPool float64        `json:"cpython_pool_tasks_s,omitempty"` // multiprocessing.Pool, in the same run
	Notes       []string       `json:"notes,omitempty"`
}
