// Package commandline rewrites command lines as RocketMQ's users type them into
// the one form that cobra reads without doubt.
//
// RocketMQ's tools read their arguments with commons-cli. The same option may be
// typed as
//
//	-t orders   -torders   -t=orders   -topic orders   --topic orders   --topic=orders   --top orders
//
// short names may have several letters (-qn 8), names of commands may be in any case, and -h
// may stand anywhere. No Go library accepts all of that, so Normalise turns each
// option into --topic=orders, each command into its own spelling, and every
// request for help into "COMMAND --help".
//
// Where a word could be read in two ways, it is read as commons-cli reads it: an exact short
// name, then a long name or the start of one, then a long name with the value
// behind it, then short names run together.
//
// A value that looks like an option of the same command is refused, as commons-cli does:
// more often a value was forgotten. Written with = it is accepted: -p=-test.
//
// The package is pure: it keeps no state, waits for nothing and prints nothing.
//
// # Files
//
//	command.go     Command and Option: what may be typed
//	match.go       which option a word means
//	normalise.go   the walk over the words
//	cobra.go       Commands made of cobra's, so that options are written down once
//	suggest.go     the name that was probably meant
package commandline
