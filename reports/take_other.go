//go:build !unix

package reports

import "os"

// taken is not known here.
func taken(*os.File) bool { return false }

// await does nothing here.
func await(*os.File) {}
