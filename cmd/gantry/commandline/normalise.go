package commandline

import (
	"slices"
	"strings"
)

// UsageError says what is wrong with a command line.
type UsageError struct {
	// Path is the command it was found at, such as "gantry admin updateTopic".
	Path string
	// Problem and Advice are sentences without a full stop; Advice may be empty.
	Problem, Advice string
}

// Error is the problem, the advice, and where to read more.
func (e *UsageError) Error() string {
	text := e.Problem
	if e.Advice != "" {
		text += ": " + e.Advice
	}
	if e.Path != "" {
		text += " (see " + e.Path + " -h)"
	}
	return text
}

// Normalise rewrites the words after the name of the program. In the result every command
// is spelt as declared, every option is --long or --long=value, and words that are neither are
// kept. A request for help anywhere becomes the path of the command and --help,
// whatever else is typed. The error is a *UsageError.
func (c *Command) Normalise(words []string) ([]string, error) {
	w := walk{at: c, path: []string{c.Name}, words: words, wantsHelp: asksForHelp(words)}
	err := w.run()
	if w.wantsHelp {
		return append(slices.Clone(w.path[1:]), "--help"), nil
	}
	if err != nil {
		return nil, err
	}
	return w.done, nil
}

// asksForHelp looks at all words that may be options.
func asksForHelp(words []string) bool {
	if end := slices.Index(words, "--"); end >= 0 {
		words = words[:end]
	}
	return slices.ContainsFunc(words, isHelp)
}

// walk goes over the words from left to right.
type walk struct {
	at        *Command
	path      []string // names of the commands from the root to at
	words     []string // not yet read
	done      []string
	wantsHelp bool
}

func (w *walk) run() error {
	for len(w.words) > 0 {
		word := w.take()
		var err error
		switch {
		case word == "--":
			w.done = append(append(w.done, word), w.words...)
			return nil
		case isHelp(word):
		case len(word) > 1 && word[0] == '-':
			err = w.option(word)
		case len(w.at.Commands) > 0:
			err = w.command(word)
		default:
			w.done = append(w.done, word)
		}
		if err != nil && !w.wantsHelp {
			return w.explain(err)
		}
	}
	return nil
}

func (w *walk) take() string {
	word := w.words[0]
	w.words = w.words[1:]
	return word
}

func (w *walk) option(word string) error {
	r, err := w.at.read(word)
	if err != nil {
		return err
	}
	last := len(r.options) - 1
	for _, option := range r.options[:last] {
		w.done = append(w.done, "--"+option.Long)
	}
	return w.lastOption(word, r.options[last], r.value, r.hasValue)
}

// lastOption writes an option that may have a value, which may be the next word.
func (w *walk) lastOption(word string, option Option, value string, hasValue bool) error {
	if !hasValue && option.Switch {
		w.done = append(w.done, "--"+option.Long)
		return nil
	}
	if !hasValue {
		if len(w.words) == 0 || w.at.looksLikeOption(w.words[0]) {
			return w.missing(word, option)
		}
		value = w.take()
	}
	w.done = append(w.done, "--"+option.Long+"="+value)
	return nil
}

func (w *walk) missing(word string, option Option) error {
	err := &UsageError{Problem: "option " + word + " (" + option.String() + ") needs a value"}
	if len(w.words) > 0 && w.words[0] != "--" {
		err.Advice = w.words[0] + " is read as an option; if it is the value, write --" + option.Long + "=" + w.words[0]
	}
	return err
}

// command steps down to the command that a word names; "help" turns the rest into a
// request for help.
func (w *walk) command(word string) error {
	next := w.at.find(word)
	switch {
	case next != nil:
		w.at, w.path, w.done = next, append(w.path, next.Name), append(w.done, next.Name)
		return nil
	case strings.EqualFold(word, "help"):
		w.wantsHelp = true
		return nil
	}
	err := &UsageError{Problem: "there is no command " + word}
	if nearest := Nearest(word, w.at.names()); nearest != "" {
		err.Advice = "did you mean " + nearest + "?"
	}
	return err
}

func (w *walk) explain(err error) error {
	if usage, ok := err.(*UsageError); ok {
		usage.Path = strings.Join(w.path, " ")
	}
	return err
}
