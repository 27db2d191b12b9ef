package fleet

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// TestWhatTravelsInColumnsArrivesAsItWasSaid: values and acceptances are many to a message, and between them what is
// neither keeps its place.
func TestWhatTravelsInColumnsArrivesAsItWasSaid(t *testing.T) {
	g := NewWithT(t)
	result := func(no uint64, o *pool.Reply) report {
		return report{
			Node: "n", Kind: reportResult, Items: []item{{No: no, Seq: 10 + no, State: done}}, Outcome: o, Run: 20 + no,
		}
	}
	value := func(no uint64, payload []byte) report {
		return result(no, &pool.Reply{Kind: pool.ReplyValue, Payload: payload, Attempts: 2, PID: 3, Run: time.Second})
	}
	note := report{Node: "n", Kind: reportHand, Items: []item{{No: 3, Seq: 13, Ack: "here"}}}
	failure := result(4, &pool.Reply{Kind: pool.ReplyError, Payload: []byte("oh no"), Attempts: 1})
	said := []report{value(1, []byte("one")), value(2, nil), note, failure, value(5, []byte("five"))}
	heard, err := decodeReports(encodeReports(said))
	g.Expect(err).NotTo(HaveOccurred())
	for i := range heard {
		heard[i].Wire = nil
	}
	g.Expect(heard).To(Equal(said))

	told := []order{
		{Owner: "o", Kind: orderAccept, No: 1, Seq: 11},
		{Owner: "o", Kind: orderAccept, No: 2, Seq: 12},
		{Owner: "o", Kind: orderDrop, No: 3},
	}
	g.Expect(decodeOrders(encodeOrders(told))).To(Equal(told))

	for _, columns := range []values{{No: []uint64{1}}, {}} {
		_, err = decodeReports(encode([]report{{Node: "n", Kind: reportResult, Values: &columns}}))
		g.Expect(err).To(MatchError(ContainSubstring("not whole")))
	}
	_, err = decodeOrders(encode([]order{{Owner: "o", Kind: orderAccept, Accepted: &accepted{No: []uint64{1}}}}))
	g.Expect(err).To(MatchError(ContainSubstring("not whole")))
}

func TestWhereADeliveryIsAcknowledgedSaysWhichItIs(t *testing.T) {
	g := NewWithT(t)
	for ack, want := range map[string]struct {
		count int
		seq   uint64
	}{
		"$JS.ACK.fleet.default-0f.3.17.25.1764500000000000000.9":      {3, 17},
		"$JS.ACK._.hash.fleet.default-0f.1.4.5.1764500000000000000.0": {1, 4},
		"3.17.25.1.9": {},
		"":            {},
	} {
		count, seq := position(ack)
		g.Expect([]any{count, seq}).To(Equal([]any{want.count, want.seq}), ack)
	}
}
