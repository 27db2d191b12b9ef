package server

import "time"

// StopWithin sets how long Stop waits for each of the server's programs.
func (s *Server) StopWithin(d time.Duration) { s.stopTimeout = d }
