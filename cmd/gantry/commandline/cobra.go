package commandline

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// shortName is the annotation that carries a short name of several letters, for which pflag has no place.
const shortName = "short name"

// SetShortName gives a flag a short name of several letters, such as "qn". It panics if
// there is no such flag, as a definition that cannot work.
func SetShortName(flags *pflag.FlagSet, long, short string) {
	if err := flags.SetAnnotation(long, shortName, []string{short}); err != nil {
		panic(err)
	}
}

// FromCobra describes a cobra command and all below it.
func FromCobra(c *cobra.Command) Command {
	command := Command{Name: c.Name(), Aliases: c.Aliases}
	seen := map[string]bool{}
	add := func(flag *pflag.Flag) {
		if !seen[flag.Name] {
			seen[flag.Name] = true
			command.Options = append(command.Options, option(flag))
		}
	}
	c.LocalFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	for _, below := range c.Commands() {
		command.Commands = append(command.Commands, FromCobra(below))
	}
	return command
}

// option describes one flag. pflag marks switches by the value they have when none is typed.
func option(flag *pflag.Flag) Option {
	short := flag.Shorthand
	if annotated := flag.Annotations[shortName]; len(annotated) > 0 {
		short = annotated[0]
	}
	return Option{Long: flag.Name, Short: short, Switch: flag.NoOptDefVal != ""}
}
