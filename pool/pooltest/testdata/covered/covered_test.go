package covered

import (
	"os"
	"testing"

	"github.com/respawn-go/respawn/pool"
)

func TestMain(m *testing.M) { pool.Main(); os.Exit(m.Run()) }

func TestSquare(t *testing.T) {
	p, err := pool.New(t.Context(), pool.Config{Size: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if v, err := Square.Call(t.Context(), p, 7); v != 49 || err != nil {
		t.Fatal(v, err)
	}
}
