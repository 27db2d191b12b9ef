// Package reports renders what a run showed: one offline HTML page, and the same for programs (JSON), CI systems
// (JUnit) and pull requests (Markdown). It reads histories and verdicts and touches nothing that lives.
package reports
