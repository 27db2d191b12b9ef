package scratch

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Files finds a folder of this project here or in a parent of the working directory, with what its install.sh
// installed, by a file that it has. Elsewhere files is written into the directory into, which is returned.
func Files(folder, has, into string, files fs.FS) (string, error) {
	here, err := os.Getwd()
	for ; err == nil; here = filepath.Dir(here) {
		dir := filepath.Join(here, filepath.FromSlash(folder))
		if _, err := os.Stat(filepath.Join(dir, has)); err == nil {
			return dir, nil
		}
		if here == filepath.Dir(here) {
			break
		}
	}
	return into, os.CopyFS(into, files)
}
