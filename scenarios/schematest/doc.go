// Package schematest reads scenarios with a validator of JSON schemas. It is a package of its own since the validator
// takes milliseconds to initialise, which every worker of the tests of package scenarios would pay for: they are
// started from the tests' own program.
package schematest
