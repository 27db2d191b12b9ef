// Package browsertest looks at the reports' pages in a real browser, headless Chromium. It has tests only.
package browsertest
