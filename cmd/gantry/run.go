package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/commandline"
	"github.com/spf13/cobra"
)

// Exit codes of all commands.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartly      = 3
	exitUnreachable = 4
)

// run is the whole program: it returns the exit code.
func run(args []string, c *console) int {
	root := toolFor(args[0], c)
	err := execute(root, args[1:])
	if err == nil {
		return exitDone
	}
	// The error could only not be written because standard error is gone, and then nobody reads it.
	_, _ = fmt.Fprintln(c.err, root.Name()+": "+describe(err))
	return exitCode(err)
}

// toolFor chooses by the name of the program, as links to the binary have it.
func toolFor(program string, c *console) *cobra.Command {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(program)), ".exe")
	root := newGantry(c)
	switch name {
	case "mqnamesrv":
		root = newNameServer(c)
	case "mqbroker":
		root = newBroker(c)
	case "mqcontroller":
		root = newController(c)
	case "mqadmin":
		root = newAdmin(c)
	default:
		return root
	}
	relabel(root, "gantry "+root.Name(), name)
	root.Use = name
	return asRoot(root, c)
}

// execute reads the arguments as RocketMQ's tools do and runs the command they name.
func execute(root *cobra.Command, args []string) error {
	words, err := normalise(root, args)
	if err != nil {
		return err
	}
	root.SetArgs(words)
	return root.Execute()
}

// normalise leaves alone what shells ask for completion, because it ends in half a word.
func normalise(root *cobra.Command, args []string) ([]string, error) {
	root.InitDefaultHelpFlag()
	root.InitDefaultCompletionCmd(args...)
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		return args, nil
	}
	described := commandline.FromCobra(root)
	return described.Normalise(args)
}

// exitCode finds the code in the error, if it carries one.
func exitCode(err error) int {
	var failed *failure
	var usage *commandline.UsageError
	switch {
	case errors.As(err, &failed):
		return failed.code
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}
