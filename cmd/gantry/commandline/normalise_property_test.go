package commandline

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The alphabets of long names, short names and values do not overlap at their first
// letter, and none begins like -h or --help, so that every spelling drawn here has one meaning and the test knows it
// without reading words as Normalise does.
var (
	longNames  = rapid.StringMatching(`[a-gi-m]{3,8}`)
	shortNames = rapid.StringMatching(`[n-z]`)
	pairNames  = rapid.StringMatching(`[n-z][a-m]`)
	values     = rapid.StringMatching(`[A-Z0-9][ -~]{0,8}`)
)

func drawCommand(t *rapid.T) *Command {
	longs := rapid.SliceOfNDistinct(longNames, 1, 6, rapid.ID[string]).Draw(t, "long names")
	shorts := rapid.SliceOfNDistinct(shortNames, len(longs), len(longs), rapid.ID[string]).Draw(t, "short names")
	command := &Command{Name: "tool"}
	for i, long := range longs {
		option := Option{Long: long, Short: shorts[i], Switch: rapid.Bool().Draw(t, "switch")}
		if !option.Switch && rapid.Bool().Draw(t, "two letters") {
			option.Short = pairNames.Draw(t, "pair")
		}
		command.Options = append(command.Options, option)
	}
	return command
}

// shortIsClear says that no other option can be meant by o's short name.
func shortIsClear(command *Command, o Option) bool {
	for _, other := range command.Options {
		if other != o && strings.HasPrefix(other.Short, o.Short[:1]) {
			return false
		}
	}
	return true
}

// start draws a beginning of o's long name that no other long name shares.
func start(t *rapid.T, command *Command, o Option) string {
	least := 1
	for _, other := range command.Options {
		for other != o && least < len(o.Long) && strings.HasPrefix(other.Long, o.Long[:least]) {
			least++
		}
	}
	return o.Long[:rapid.IntRange(least, len(o.Long)).Draw(t, "length of the start")]
}

// spell draws one way to type an option; the value is ignored for switches.
func spell(t *rapid.T, command *Command, o Option, value string) []string {
	name := rapid.SampledFrom([]string{"-", "--"}).Draw(t, "dashes") + start(t, command, o)
	if shortIsClear(command, o) && rapid.Bool().Draw(t, "use the short name") {
		name = "-" + o.Short
		if len(o.Short) == 1 && !o.Switch && rapid.Bool().Draw(t, "attach the value") {
			return []string{name + value}
		}
	}
	switch {
	case o.Switch:
		return []string{name}
	case rapid.Bool().Draw(t, "use an equals sign"):
		return []string{name + "=" + value}
	}
	return []string{name, value}
}

func TestAnySpellingOfAnyOptionsNormalisesToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		command := drawCommand(t)
		var line, want []string
		for range rapid.IntRange(0, 5).Draw(t, "number of options") {
			option := rapid.SampledFrom(command.Options).Draw(t, "option")
			value := values.Draw(t, "value")
			line = append(line, spell(t, command, option, value)...)
			canonical := "--" + option.Long
			if !option.Switch {
				canonical += "=" + value
			}
			want = append(want, canonical)
		}
		got, err := command.Normalise(line)
		if err != nil {
			t.Fatalf("%q of %v: %v", line, command.Options, err)
		}
		if strings.Join(got, "\x00") != strings.Join(want, "\x00") {
			t.Fatalf("%q of %v: got %q, want %q", line, command.Options, got, want)
		}
	})
}

func TestWhatWasNormalisedStaysAsItIs(t *testing.T) {
	word := rapid.OneOf(
		rapid.StringMatching(`-{0,3}[a-m]{0,5}(=[ -~]{0,3})?`),
		rapid.StringMatching(`-[n-z][ -~]{0,3}`),
		rapid.SampledFrom([]string{"", "-", "--", "-h", "help", "-1"}),
	)
	rapid.Check(t, func(t *rapid.T) {
		command := drawCommand(t)
		line := rapid.SliceOfN(word, 0, 5).Draw(t, "line")
		once, err := command.Normalise(line)
		if err != nil {
			return
		}
		twice, err := command.Normalise(once)
		if err != nil || strings.Join(once, "\x00") != strings.Join(twice, "\x00") {
			t.Fatalf("%q of %v became %q and then %q, %v", line, command.Options, once, twice, err)
		}
	})
}
