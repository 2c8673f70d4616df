package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// settingsKeeper keeps what tools change of a broker's settings while it runs, in the configuration file that it was started with.
type settingsKeeper struct {
	path  string        // of the file; "" without one
	typed config.Source // wins over the file at the next start
}

func (f *nodeFlags) keeper(cmd *cobra.Command, settings any) settingsKeeper {
	return settingsKeeper{path: f.file, typed: config.FromFlags(cmd.Flags(), settings)}
}

// save writes the file anew, whole or not at all, if the broker could start with it. Comments and other keys stay as they are. The note tells
// of changes that the next start will not see.
func (k settingsKeeper) save(changes proto.ConfigText) (note string, err error) {
	if k.path == "" {
		err := k.accept(asSource(changes))
		return "in force until the broker stops: it was started without a configuration file (-c)", err
	}
	// Where the path is a link, what it leads to is replaced.
	path, err := filepath.EvalSymlinks(k.path)
	if err != nil {
		return "", err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if err := k.replace(path, changeProperties(string(old), changes)); err != nil {
		return "", err
	}
	return k.overruled(changes), nil
}

func asSource(changes proto.ConfigText) config.Source {
	source := config.Source{Name: "the request", Keys: map[string]string{}}
	for _, change := range changes {
		source.Keys[change.Key] = change.Value
	}
	return source
}

// overruled names keys that the command line sets to something else.
func (k settingsKeeper) overruled(changes proto.ConfigText) string {
	var keys []string
	for _, change := range changes {
		if _, typed := k.typed.Keys[change.Key]; typed {
			keys = append(keys, change.Key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return "in force until the broker stops: its command line sets " + strings.Join(keys, ", ") + ", which wins over the file"
}

// replace gives the file another content, if that can be read as settings. After a crash it has the old or the new one.
func (k settingsKeeper) replace(path, content string) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// What is left behind does no harm.
			_ = os.Remove(fresh.Name())
		}
	}()
	_, err = fresh.WriteString(content)
	err = errors.Join(err, fresh.Chmod(info.Mode().Perm()), fresh.Sync(), fresh.Close())
	if err == nil {
		err = k.check(fresh.Name(), path)
	}
	if err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func (k settingsKeeper) check(fresh, path string) error {
	source, err := config.ReadFile(fresh)
	if err != nil {
		return err
	}
	source.Name = path
	return k.accept(source)
}

// accept finds what the next start would: it reads the file of encryption, too, with which keys of the other places may have to go together.
func (k settingsKeeper) accept(source config.Source) error {
	sources, err := config.TLSFile(source, k.typed)
	if err != nil {
		return err
	}
	_, _, err = config.LoadBroker(thisMachine(), sources...)
	return err
}

func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// changeProperties sets keys in the text of a properties file: where a key is set already, there, and at the end otherwise.
func changeProperties(text string, changes proto.ConfigText) string {
	var out strings.Builder
	var done []string
	for text != "" {
		line, rest := cutSetting(text)
		text = rest
		i := slices.IndexFunc(changes, func(c proto.ConfigEntry) bool { return c.Key == keyOf(line) })
		if i < 0 {
			out.WriteString(line)
			continue
		}
		out.Write(changes[i : i+1].Marshal())
		done = append(done, changes[i].Key)
	}
	if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
		out.WriteByte('\n')
	}
	for i, change := range changes {
		if !slices.Contains(done, change.Key) {
			out.Write(changes[i : i+1].Marshal())
		}
	}
	return out.String()
}

// cutSetting cuts off a line with its end, and those that continue it.
func cutSetting(text string) (line, rest string) {
	comment := strings.HasPrefix(strings.TrimLeft(text, " \t\f"), "#") || strings.HasPrefix(strings.TrimLeft(text, " \t\f"), "!")
	end := 0
	for {
		n := strings.IndexByte(text[end:], '\n')
		if n < 0 {
			return text, ""
		}
		natural := strings.TrimSuffix(text[end:end+n], "\r")
		end += n + 1
		backslashes := len(natural) - len(strings.TrimRight(natural, `\`))
		if comment || backslashes%2 == 0 {
			return text[:end], text[end:]
		}
	}
}

// keyOf is the key that a line sets, "" without one.
func keyOf(line string) string {
	set, err := proto.ParseConfigText([]byte(line))
	if err != nil || len(set) == 0 {
		return ""
	}
	return set[0].Key
}

// String tells where settings are kept.
func (k settingsKeeper) String() string { return fmt.Sprintf("settings kept in %q", k.path) }
