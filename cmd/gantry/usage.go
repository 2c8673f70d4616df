package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// configurationKey is the annotation of flags that are keys of the configuration. Help
// texts list them apart from the options of the command.
const configurationKey = "configuration key"

// printUsage writes everything of a help text but the description.
func printUsage(cmd *cobra.Command, keys string) {
	var text strings.Builder
	section := func(title, content string) {
		if content != "" {
			fmt.Fprintf(&text, "\n%s:\n%s\n", title, strings.TrimRight(content, "\n"))
		}
	}
	section("Usage", "  "+usageLine(cmd))
	section("Examples", cmd.Example)
	section("Commands", commandList(cmd))
	section("Options", optionsOf(cmd).FlagUsages())
	section("Configuration keys, as in properties files", keys)
	cmd.Print(strings.TrimPrefix(text.String(), "\n"))
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

func commandList(cmd *cobra.Command) string {
	width := 0
	for _, below := range cmd.Commands() {
		width = max(width, len(below.Name()))
	}
	var text strings.Builder
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			fmt.Fprintf(&text, "  %-*s  %s\n", width, below.Name(), below.Short)
		}
	}
	return text.String()
}

// relabel makes the examples of a command and those below it speak of the tool they are called as.
func relabel(cmd *cobra.Command, old, name string) {
	cmd.Example = strings.ReplaceAll(cmd.Example, old+" ", name+" ")
	for _, below := range cmd.Commands() {
		relabel(below, old, name)
	}
}

// optionsOf are the flags of a command, those it inherits too, without keys.
func optionsOf(cmd *cobra.Command) *pflag.FlagSet {
	options := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	add := func(flag *pflag.Flag) {
		if flag.Annotations[configurationKey] == nil && options.Lookup(flag.Name) == nil {
			options.AddFlag(flag)
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return options
}

// setUsage makes a command print its usage this way; keys is the list of its configuration keys.
func setUsage(cmd *cobra.Command, keys string) {
	cmd.SetUsageFunc(func(shown *cobra.Command) error {
		if shown == cmd {
			printUsage(shown, keys)
		} else {
			printUsage(shown, "")
		}
		return nil
	})
}
