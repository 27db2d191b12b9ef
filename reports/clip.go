package reports

import (
	"fmt"
	"maps"
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// maxLedger bounds the ledgers of one report.
const maxLedger = 5000

// The most bytes of what a target, a task or a file may say at any length.
const (
	maxName = 200
	maxText = 2 << 10
)

// maxStderr bounds the last words of one process, which a target may tell of at any length.
const maxStderr = 16 << 10

// allStderr bounds the last words of all processes together.
const allStderr = 512 << 10

// maxEvidence bounds the facts of one receipt.
const maxEvidence = 32

func clipReceipt(r *history.Receipt) *history.Receipt {
	if r == nil {
		return nil
	}
	c := *r
	c.Tier, c.Mechanism, c.Evidence = ledger.Clip(r.Tier, maxName), ledger.Clip(r.Mechanism, maxName),
		clipMap(r.Evidence, maxEvidence)
	c.PIDs = r.PIDs[:min(len(r.PIDs), maxText)]
	return &c
}

// clipMap keeps the first entries by name, and the beginning of each.
func clipMap(m map[string]string, most int) map[string]string {
	if m == nil {
		return nil
	}
	c := make(map[string]string, min(len(m), most))
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i == most {
			c["…"] = fmt.Sprintf("%d more are in the history", len(m)-most)
			break
		}
		c[ledger.Clip(k, maxName)] = ledger.Clip(m[k], maxText)
	}
	return c
}
