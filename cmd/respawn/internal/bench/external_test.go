package bench

import (
	"bytes"
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
)

func TestFiguresOfPythonWorkersStandBesideCPythons(t *testing.T) {
	g := NewWithT(t)
	r := &Result{
		External: &External{
			TasksSJSON: 80_000, TasksSBytes: 150_000, RoundtripUS: 60, TicketUS: 2.5, EchoMBS: 1500, RespawnSpareMS: 2,
			StormOK: 399,
		},
		CPython: &CPython{
			PoolTasksS: 20_000, ExecutorTasksS: 5_000, PoolRoundtripUS: 240, PoolEchoMBS: 200, SocketRoundtripUS: 40,
		},
	}
	text, err := json.Marshal(r)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(text)).To(And(
		ContainSubstring(`"external":{"tasks_s_json":80000,"tasks_s_bytes":150000,"roundtrip_us":60,"ticket_us":2.5,"echo_mb_s":1500,"respawn_spare_ms":2,"storm_ok":399}`),
		ContainSubstring(`"cpython":{"pool_tasks_s":20000,"executor_tasks_s":5000,"pool_roundtrip_us":240,"pool_echo_mb_s":200,"socket_roundtrip_us":40}`)))
	var table bytes.Buffer
	g.Expect(r.Table(&table)).To(Succeed())
	g.Expect(table.String()).To(And(
		MatchRegexp(`JSON, against its Pool +80,000/s +20,000/s +4.00× +≥ 4× +yes`),
		MatchRegexp(`bytes, against its Pool +150,000/s +20,000/s +7.50× +≥ 8× +NO`),
		MatchRegexp(`round trip, against its Pool +60µs +240µs +0.25× +≤ 1/3 +yes`),
		MatchRegexp(`between two Pythons +60µs +40µs +1.50× +– +–`),
		MatchRegexp(`ticket, of processor time +2\.5µs +– +– +≤ 2µs +NO`),
		MatchRegexp(`in a storm: values +399 +– +– +400 +NO`)))
}
