// Package workers has what this project gives workers of other languages: their SDKs, which are files to be copied, and
// the tasks by which such a worker is proved.
package workers

import (
	"embed"
	"os"
	"path"
	"path/filepath"
)

//go:embed python/respawn.py
var pythonSDK []byte

// WritePython writes the SDK for Python, respawn.py, into a directory, which must exist.
func WritePython(dir string) error {
	return os.WriteFile(filepath.Join(dir, "respawn.py"), pythonSDK, 0o644)
}

//go:embed python/respawn_proof.py node/respawn_proof.mjs
var proofs embed.FS

// WriteProof writes the tasks of docs/wire.md, "To be proved", for each language that there is an SDK for, into a
// directory, which must exist. A worker with an SDK that is started with the entry it returns in its environment has
// them beside its own.
func WriteProof(dir string) (env string, err error) {
	for _, name := range []string{"python/respawn_proof.py", "node/respawn_proof.mjs"} {
		data, err := proofs.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, path.Base(name)), data, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return "RESPAWN_PROOF=" + dir, nil
}
