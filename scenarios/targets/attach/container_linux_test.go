package attach

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// Each engine's files, as docker 24, podman 4, runc 1.1 and crun 1.8 write them, shortened to what is read.
func TestContainersAreFoundByTheFilesOfTheirEngines(t *testing.T) {
	g := NewWithT(t)
	root = t.TempDir()
	t.Cleanup(func() { root = "" })
	const id = "4f2d8a7c9e0b1d3f5a6c8e9012345678"
	for path, text := range map[string]string{
		"/var/lib/docker/containers/" + id + "/config.v2.json": `{"ID":"` + id +
			`","Name":"/web","State":{"Running":true,"Pid":4711}}`,
		"/var/lib/docker/containers/0ff/config.v2.json":                   `{"ID":"0ff","Name":"/old","State":{"Running":false,"Pid":0}}`,
		"/var/lib/containers/storage/overlay-containers/containers.json":  `[{"id":"b0d","names":["db"]}]`,
		"/run/containers/storage/overlay-containers/b0d/userdata/pidfile": "4712\n",
		"/run/runc/batch/state.json":                                      `{"id":"batch","init_process_pid":4713}`,
		"/run/crun/cache/status":                                          `{"pid":4714}`,
		"/run/runc/torn/state.json":                                       `{"id":"to`,
	} {
		at := filepath.Join(root, path)
		g.Expect(os.MkdirAll(filepath.Dir(at), 0o755)).To(Succeed())
		g.Expect(os.WriteFile(at, []byte(text), 0o600)).To(Succeed())
	}
	for name, want := range map[string]int{
		"web": 4711, id: 4711, id[:12]: 4711, "db": 4712, "b0d": 4712, "batch": 4713, "cache": 4714,
	} {
		c, _, err := lookUp(name)
		g.Expect(err).NotTo(HaveOccurred(), name)
		g.Expect(c.init).To(Equal(want), name)
	}
	_, _, err := lookUp("old")
	g.Expect(err).To(MatchError("the container old of docker does not run: start it first"))
	for _, name := range []string{"torn", "we", id[:4]} {
		_, _, err = lookUp(name)
		g.Expect(err).To(MatchError("no container of docker, podman, runc or crun is named " + name))
	}
}
