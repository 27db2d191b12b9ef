package shrink

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/respawn-go/respawn/reports"
)

// StateFile is the name of the file, beside the history, by which a search goes on that did not come to its end.
const StateFile = "shrink.json"

// State is what is kept of a search.
type State struct {
	History string  `json:"history"` // a digest of the history that it is of
	Vote    string  `json:"vote"`    // how often a candidate must fail
	Answers Answers `json:"answers"`
}

// Recall reads the answers of an earlier search for the same history with the same vote. There are none if there was no
// such search, or its file cannot be read.
func Recall(history, vote string) (*State, error) {
	text, err := os.ReadFile(history)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	s := &State{History: hex.EncodeToString(sum[:]), Vote: vote, Answers: Answers{}}
	old, err := os.ReadFile(filepath.Join(filepath.Dir(history), StateFile))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	var before State
	if err := json.Unmarshal(old, &before); err != nil {
		return nil, fmt.Errorf("%s: %w: remove it to begin anew", filepath.Join(filepath.Dir(history), StateFile), err)
	}
	if before.History == s.History && before.Vote == vote && before.Answers != nil {
		s.Answers = before.Answers
	}
	return s, nil
}

// Write keeps the state beside the history.
func (s *State) Write(history string) error {
	return reports.WriteFile(filepath.Join(filepath.Dir(history), StateFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(s)
	})
}

// Runs is how many runs there were.
func (a Answers) Runs() (n int) {
	for _, letters := range a {
		n += len(letters)
	}
	return n
}
