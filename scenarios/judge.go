package scenarios

import (
	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/reports"
)

// Judge reads a history file, judges it and makes its report, in one pass. The same file gives the same report whenever and
// wherever that is done. A history that was cut short or edited is judged for what it is; an error means that the file is
// no history at all.
func Judge(path string) (*reports.Report, error) {
	in, err := history.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	c := reports.NewCollector(in.Header)
	result := check.Judge(in.Header, c.Tee(in.Events()))
	return c.Report(result), nil
}
