package commandline

import "strings"

// Option is one option of a command.
type Option struct {
	// Long is the name after two dashes, the one that Normalise writes.
	Long string
	// Short is the name after one dash, of one letter or more; empty if there is none.
	Short string
	// Switch says that the option is complete without a value.
	Switch bool
}

// String shows the option as help texts do.
func (o Option) String() string {
	if o.Short == "" {
		return "--" + o.Long
	}
	return "-" + o.Short + ", --" + o.Long
}

// Command is a command with the options that may follow it, inherited ones too, and the
// commands below it.
type Command struct {
	Name     string
	Aliases  []string
	Options  []Option
	Commands []Command
}

// find returns the command below c that a word names, in any case.
func (c *Command) find(word string) *Command {
	for i := range c.Commands {
		if c.Commands[i].isCalled(word) {
			return &c.Commands[i]
		}
	}
	return nil
}

func (c *Command) isCalled(word string) bool {
	if strings.EqualFold(c.Name, word) {
		return true
	}
	for _, alias := range c.Aliases {
		if strings.EqualFold(alias, word) {
			return true
		}
	}
	return false
}

// names are those of the commands below c.
func (c *Command) names() []string {
	var names []string
	for i := range c.Commands {
		names = append(names, c.Commands[i].Name)
	}
	return names
}

// longNames are those of the options, with their dashes.
func (c *Command) longNames() []string {
	var names []string
	for _, option := range c.Options {
		names = append(names, "--"+option.Long)
	}
	return names
}
