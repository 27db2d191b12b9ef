package wire

import "encoding/json"

// Protocol is the number of what docs/wire.md describes.
const Protocol = 1

// MaxExternal bounds an argument or a result that travels in a frame between a pool and a worker of another language:
// the key, of at most 255 bytes, is in the same frame.
const MaxExternal = MaxFrame - 255

// The JSON of the frames between a pool and workers of another language: see docs/wire.md.
type (
	externalHello struct {
		Protocol   int    `json:"protocol"`
		Pool       string `json:"pool"`
		Worker     string `json:"worker"`
		MaxPayload int64  `json:"max_payload"` // of what travels in a frame
		MaxShared  int64  `json:"max_shared"`  // of what travels by shared memory
	}
	Ready struct {
		Protocol int      `json:"protocol"`
		PID      int      `json:"pid"`
		Tasks    []string `json:"tasks"`
		SDK      string   `json:"sdk"`
		Can      []string `json:"can"`
	}
	Failure struct {
		Message  string `json:"message"`
		Type     string `json:"type"`
		Trace    string `json:"trace"`
		What     string `json:"what"`      // of FrameEncode: as in EncodeError
		TooLarge bool   `json:"too_large"` // of FrameEncode
	}
)

// Encode is the hello for a worker of another language.
func (h *Hello) Encode() []byte {
	// cannot fail: text and numbers
	data, _ := json.Marshal(externalHello{Protocol, h.Pool, h.Worker, min(h.MaxPayload, MaxExternal), h.MaxPayload})
	return data
}
