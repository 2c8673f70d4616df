package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// console is where a command reads and writes.
type console struct {
	out io.Writer // what was asked for
	err io.Writer // errors and logs
	// width is that of out's terminal in characters, 0 if it is none.
	width int
	// colour says that err is a terminal.
	colour bool
}

// systemConsole is the process's own.
func systemConsole() *console {
	c := &console{out: os.Stdout, err: os.Stderr, colour: term.IsTerminal(int(os.Stderr.Fd()))}
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		c.width = width
	}
	return c
}
