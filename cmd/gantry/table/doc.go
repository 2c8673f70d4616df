// Package table draws tables on a terminal: columns two blanks apart, numbers to the
// right, no lines. On a terminal that is too narrow the widest columns are wrapped, so that nothing is lost
// and no line breaks elsewhere. Anywhere else rows are as long as they need, one line each.
//
// The package keeps no state and waits for nothing but the writer.
//
// # Files
//
//	table.go   Table and how it is drawn
//	fit.go     how wide each column may be
package table
