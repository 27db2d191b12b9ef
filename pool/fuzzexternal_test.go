package pool

import (
	"encoding/json"
	"testing"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"
)

// someProcess is a process of which only the number is asked.
type someProcess struct{ process.Process }

func (someProcess) PID() int { return 4711 }

// FuzzReadyOfAnotherLanguage holds that a worker is taken only if it says who it is, and has each task once.
func FuzzReadyOfAnotherLanguage(f *testing.F) {
	for _, text := range []string{
		`{"protocol":1,"pid":4711,"tasks":["square","echo"],"can":["cancel","arena"],"sdk":"x"}`, `{"protocol":1,"pid":4711,"tasks":["a","a"]}`,
		`{"protocol":2,"pid":4711}`, `{"protocol":1,"pid":1}`, `{"protocol":"1"}`, `[]`, `null`, `{"protocol":1,"pid":4711,"tasks":[null,""]}`, "\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := &worker{name: "Worker-1", proc: someProcess{}}
		refused := w.introduced(data)
		if refused != nil {
			if refused.Error() == "" {
				t.Fatal("refused without a word")
			}
			return
		}
		var said wire.Ready
		if err := json.Unmarshal(data, &said); err != nil || said.PID != 4711 || said.Protocol != wire.Protocol || len(said.Tasks) != len(w.tasks) {
			t.Fatalf("%q was taken for a worker: %+v, %v", data, said, err)
		}
		for i, name := range said.Tasks {
			if w.tasks[name] != uint16(i) {
				t.Fatalf("task %q is number %d, and was said to be %d", name, w.tasks[name], i)
			}
		}
		if someNames(w.tasks) == "" {
			t.Fatal("no names for a message")
		}
	})
}

// FuzzFailureOfAnotherLanguage holds that whatever a worker says of a failure is an error.
func FuzzFailureOfAnotherLanguage(f *testing.F) {
	f.Add([]byte(`{"message":"no good","type":"ValueError","trace":"…"}`), uint8(wire.FrameError))
	f.Add([]byte(`{"message":"5 bytes","type":"ValueError","what":"encode result","too_large":true}`), uint8(wire.FrameEncode))
	f.Add([]byte(`{"message":7}`), uint8(wire.FrameUnknown))
	f.Add([]byte("\xff"), uint8(wire.FrameEncode))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		c := &call{def: &definition{name: "square", external: true}, data: data, raw: wire.Kind(kind)}
		if err := c.externalFailure(); err == nil || err.Error() == "" {
			t.Fatalf("%q is no error: %v", data, err)
		}
	})
}
