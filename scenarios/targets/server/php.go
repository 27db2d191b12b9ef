package server

import (
	"path/filepath"
	"slices"

	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// startPHP starts php-fpm and nginx in front of it. The workers are php-fpm's.
func startPHP(s *Server, _ Config) error {
	fpm, err := findFPM()
	if err != nil {
		return err
	}
	nginx, err := foreign.Find("nginx", "apt-get install nginx")
	if err != nil {
		return err
	}
	s.version = versionOf(fpm, "-v") + " behind nginx " + versionOf(nginx, "-v")
	for _, file := range []string{"app.php", "nginx.conf", "php-fpm.conf"} {
		if err := s.place(file); err != nil {
			return err
		}
	}
	if err := s.run(nil, fpm, "--nodaemonize", "--fpm-config", filepath.Join(s.dir, "php-fpm.conf")); err != nil {
		return err
	}
	return s.run(nil, nginx, "-p", s.dir, "-e", "stderr", "-c", filepath.Join(s.dir, "nginx.conf"))
}

// findFPM finds php-fpm, whose name has its version in some distributions.
func findFPM() (string, error) {
	path, err := foreign.Find("php-fpm", "apt-get install php-fpm")
	if err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/sbin/php-fpm[0-9]*")
	if len(found) == 0 {
		return "", err
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}
