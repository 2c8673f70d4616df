package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// putFile makes a file that no broker makes.
func putFile(t *testing.T, directory, name, content string) {
	t.Helper()
	path := filepath.Join(directory, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func TestInspectShowsTheRestBesideAForeignFile(t *testing.T) {
	for name, commands := range map[string][]string{
		"commitlog/.DS_Store":                      {"log", "queue", "checkpoint"},
		"commitlog/00000000000000000000~":          {"log", "queue"},
		"consumequeue/orders/0/.DS_Store":          {"queue", "queue -t orders -q 0"},
		"consumequeue/orders/1/" + "notes.txt.swp": {"queue", "queue -t orders"},
		"index/.DS_Store":                          {"index", "index -t orders -k k2"},
	} {
		directory, _ := fillStore(t)
		settings := settingsFile(t, directory)
		for _, command := range commands {
			for _, where := range [][]string{{"--dir", directory}, {"-c", settings}} {
				line := append(strings.Fields(command), where...)
				want, said := inspected(t, exitDone, line...)
				require.Empty(t, said)
				putFile(t, directory, name, strings.Repeat("mine ", 40))
				out, said := inspected(t, exitDone, line...)
				require.Equal(t, want, out, "%s beside %s", command, name)
				if command != "checkpoint" || strings.HasPrefix(name, "commitlog/") {
					require.Equal(t, "warning: "+name+" is no file of a broker and was left out; move it elsewhere: the broker does not start with it\n", said)
				}
				require.NoError(t, os.Remove(filepath.Join(directory, filepath.FromSlash(name))))
			}
		}
	}
}

// A queue of which a file is missing hides no other one.
func TestInspectListsOtherQueuesBesideOneThatCannotBeRead(t *testing.T) {
	directory, _ := fillStore(t)
	putFile(t, directory, "consumequeue/orders/0/"+strings.Repeat("0", 17)+"400", strings.Repeat("\x00", 200))
	out, said := inspected(t, exitDone, "queue", "--dir", directory)
	require.Contains(t, out, "orders      1      0    2         2      1\n")
	require.NotContains(t, out, "orders      0")
	require.Contains(t, said, "warning: queue orders-0 was left out: ")
	require.Contains(t, said, "is missing")
}

func TestTheAdviceOfInspectFitsWhatWasGiven(t *testing.T) {
	directory, _ := fillStore(t)
	settings := settingsFile(t, directory)
	text, err := os.ReadFile(settings)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(settings, []byte(strings.ReplaceAll(string(text), "maxHashSlotNum=100\nmaxIndexNum=1000\n", "")), 0o600))
	for _, command := range []string{"index", "check", "repair"} {
		_, advice := inspected(t, exitFailed, command, "-c", settings)
		require.Contains(t, advice, "it was made with maxHashSlotNum 100 and maxIndexNum 1000: set these", command)
		require.Contains(t, advice, "compare the sizes of files in "+settings+" with those of the files", command)
		require.NotContains(t, advice, "with -c", command)
	}

	nowhere := filepath.Join(t.TempDir(), "nowhere")
	require.NoError(t, os.WriteFile(settings, []byte("storePathRootDir="+nowhere), 0o600))
	_, advice := inspected(t, exitUsage, "log", "-c", settings)
	require.Contains(t, advice, "correct storePathRootDir in "+settings)
	require.NotContains(t, advice, "with -c")
	_, advice = inspected(t, exitUsage, "log", "--dir", nowhere)
	require.Contains(t, advice, "or its configuration file with -c")
}

// The files lag behind a broker that runs: what they do not lead to may still be there.
func TestInspectSaysThatARunningBrokerKnowsMoreKeys(t *testing.T) {
	directory, _ := fillStore(t)
	require.NoError(t, os.WriteFile(filepath.Join(directory, "abort"), nil, 0o600))
	out, _ := inspected(t, exitDone, "index", "--dir", directory)
	require.Contains(t, out, "A broker runs, or has crashed. One that runs has the keys of newer messages in its memory")
	out, _ = inspected(t, exitDone, "index", "--dir", directory, "--json")
	require.Contains(t, out, `"running": true`)
	out, _ = inspected(t, exitDone, "index", "--dir", directory, "-t", "orders", "-k", "k")
	require.Contains(t, out, "A broker that runs may know newer ones: ask it with gantry admin queryMsgByKey.")
	_, advice := inspected(t, exitFailed, "index", "--dir", directory, "-t", "orders", "-k", "none")
	require.Contains(t, advice, "the files of the index lead to no message of topic orders with the key none")
	require.Contains(t, advice, "if the broker runs, it knows the keys of newer messages: ask it with gantry admin queryMsgByKey")
}
