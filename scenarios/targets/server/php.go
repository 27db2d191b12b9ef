package server

import (
	"path/filepath"

	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

var (
	phpFPM = foreign.Tool{
		Name: "php-fpm", Others: []string{"/usr/sbin/php-fpm[0-9]*"}, // some distributions have the version in the name
		Version: []string{"-v"}, Install: "apt-get install php-fpm", Use: "the php-fpm target",
	}
	nginx = foreign.Tool{
		Name: "nginx", Version: []string{"-v"}, Install: "apt-get install nginx", Use: "the php-fpm target",
	}
)

// startPHP starts php-fpm and nginx in front of it. The workers are php-fpm's.
func startPHP(s *Server, _ Config) error {
	fpm, err := phpFPM.Find()
	if err != nil {
		return err
	}
	proxy, err := nginx.Find()
	if err != nil {
		return err
	}
	s.version = versionOf(fpm, phpFPM) + " behind nginx " + versionOf(proxy, nginx)
	for _, file := range []string{"app.php", "nginx.conf", "php-fpm.conf"} {
		if err := s.place(file); err != nil {
			return err
		}
	}
	if err := s.run(nil, fpm, "--nodaemonize", "--fpm-config", filepath.Join(s.dir, "php-fpm.conf")); err != nil {
		return err
	}
	return s.run(nil, proxy, "-p", s.dir, "-e", "stderr", "-c", filepath.Join(s.dir, "nginx.conf"))
}
