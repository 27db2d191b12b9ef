package pool

func (p *Pool) info(msg string, args ...any) {
	if p.cfg.Logger != nil {
		p.cfg.Logger.Info(msg, args...)
	}
}

func (p *Pool) warn(msg string, args ...any) {
	if p.cfg.Logger != nil {
		p.cfg.Logger.Warn(msg, args...)
	}
}

// logExit tells an exit at the level it deserves.
func (p *Pool) logExit(w *worker, x Exit) {
	tell := p.info
	if x.Kind != KindClean && x.Reason != ReasonStop && x.Reason != ReasonRecycle && x.Reason != ReasonRestart {
		tell = p.warn
	}
	args := []any{"worker", x.Worker, "pid", x.PID, "exit", x.String(), "settled", w.settled}
	if x.TaskID != 0 {
		args = append(args, "task", x.TaskID)
	}
	if tail := lastLine(x.Stderr); tail != "" {
		args = append(args, "tail", tail)
	}
	tell("worker exited", args...)
}
