package reports

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WriteFile writes a file that appears whole or not at all: it is written beside its place and moved there. Symbolic
// links are followed and stay. What is there and is no regular file (a device, a pipe, a descriptor of /dev or /proc)
// is written into, and so is a file whose directory takes no other beside it.
func WriteFile(path string, write func(io.Writer) error) error {
	at, info, err := follow(path)
	if err != nil {
		return err
	}
	if writtenInto(at, info) {
		return writeInto(at, os.O_APPEND, write)
	}
	f, err := os.CreateTemp(filepath.Dir(at), ".respawn-*")
	if err != nil && info != nil {
		return writeInto(at, os.O_TRUNC, write)
	}
	if err != nil {
		return noRoom(at, err)
	}
	defer os.Remove(f.Name()) // does nothing once it was moved
	mode := fs.FileMode(0o644)
	if info != nil {
		mode = info.Mode().Perm()
	}
	_ = f.Chmod(mode) // some file systems refuse, and the file is as good
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	err = os.Rename(f.Name(), at)
	if err != nil && info != nil { // a mount point of its own, as of a container's volume
		return writeInto(at, os.O_TRUNC, write)
	}
	return err
}

// Writable tells in advance why WriteFile could not write the file, nil if it could. It leaves nothing behind, and
// opens neither devices nor pipes.
func Writable(path string) error {
	at, info, err := follow(path)
	if err != nil || writtenInto(at, info) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(at), ".respawn-*")
	if err == nil {
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if info == nil {
		return noRoom(at, err)
	}
	if f, err = os.OpenFile(at, os.O_WRONLY, 0); err != nil {
		return err
	}
	return f.Close()
}

// follow is where the path leads, and what is there, nil if nothing is. It stops at what the kernel only shows as a
// link: behind a descriptor there may be no file, or one that is not to be replaced.
func follow(path string) (at string, info fs.FileInfo, err error) {
	const mostLinks = 40 // the kernel's own limit
	at = path
	for range mostLinks {
		if info, err = os.Stat(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return at, nil, err
		}
		if info != nil && info.IsDir() {
			return at, nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("it is a directory: want a file")}
		}
		to, err := os.Readlink(at)
		if err != nil || kernels(at) {
			return at, info, nil
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(at), to)
		}
		at = to
	}
	return at, nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("too many symbolic links")}
}

// kernels tells whether the path is of the kernel's own making.
func kernels(path string) bool {
	abs, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(abs, "/proc/") || strings.HasPrefix(abs, "/dev/fd/"))
}

// writtenInto tells whether what is there must stay what it is.
func writtenInto(at string, info fs.FileInfo) bool {
	return info != nil && (!info.Mode().IsRegular() || kernels(at))
}

func writeInto(at string, how int, write func(io.Writer) error) error {
	f, err := os.OpenFile(at, os.O_WRONLY|how, 0)
	if err != nil {
		return err
	}
	err = write(f)
	return errors.Join(err, f.Close())
}

// noRoom says why no file can be made there.
func noRoom(at string, err error) error {
	dir := filepath.Dir(at)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be written: there is no directory %s", at, dir)
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s cannot be written: no file can be made in %s: %w", at, dir, err)
}
