package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// answered notes the outcome of an append.
type answered struct{ result *store.AppendResult }

func (a answered) Appended(result store.AppendResult) {
	result.Places = append([]store.Place{}, result.Places...)
	*a.result = result
}

func fillOptions() store.Options {
	return store.Options{
		LogSegmentSize: 131072, BodySizeMax: 16 << 10, QueueSegmentEntries: 10, Index: index.Sizes{Slots: 100, Items: 1000}, Zone: time.Local,
	}
}

// fillStore makes a directory with messages: five of "orders" in turns in queues 0 and 1, with the keys k and k0 to k4. It returns
// their places in the log.
func fillStore(t *testing.T) (directory string, places []int64) {
	t.Helper()
	directory = t.TempDir()
	world, err := osenv.New(osenv.Options{Root: directory})
	require.NoError(t, err)
	var outcomes [5]store.AppendResult
	world.Run(func(e env.Env) {
		var s *store.Store
		if s, err = store.Open(e, fillOptions()); err != nil {
			return
		}
		for i := range outcomes {
			properties := fmt.Sprintf("KEYS\x01k k%d\x02TAGS\x01red\x02UNIQ_KEY\x01U%d\x02", i, i)
			s.Append(store.QueueKey{Topic: "orders", ID: int32(i % 2)}, []message.Record{{
				Topic: []byte("orders"), QueueID: int32(i % 2), Body: fmt.Appendf(nil, "body %d", i), Properties: []byte(properties), BornAt: 1,
				BornHost: netip.MustParseAddrPort("10.0.0.2:1"), StoreHost: netip.MustParseAddrPort("10.0.0.1:10911"),
			}}, answered{&outcomes[i]})
		}
		s.Kick()
		err = s.Close()
	})
	world.Wait()
	require.NoError(t, err)
	for _, outcome := range outcomes {
		require.Equal(t, store.AppendOK, outcome.Status, outcome.Reason)
		places = append(places, int64(outcome.Places[0].Log))
	}
	return directory, places
}

// settingsFile is a configuration with the sizes of fillStore.
func settingsFile(t *testing.T, directory string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "broker.conf")
	text := "storePathRootDir=" + directory + "\nmappedFileSizeCommitLog=131072\nmaxMessageSize=16384\nmappedFileSizeConsumeQueue=200\nmaxHashSlotNum=100\nmaxIndexNum=1000\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// inspected runs gantry inspect and demands an exit code.
func inspected(t *testing.T, want int, line ...string) (out, problem string) {
	t.Helper()
	code, out, problem := called(t, append([]string{"gantry", "inspect"}, line...)...)
	require.Equal(t, want, code, "%q: %s%s", line, out, problem)
	return out, problem
}

func TestInspectShowsTheLog(t *testing.T) {
	directory, places := fillStore(t)
	out, _ := inspected(t, exitDone, "log", "--dir", directory)
	end := places[4] + places[1] - places[0]
	require.Contains(t, out, "commitlog/00000000000000000000     0  131072  20")
	require.Contains(t, out, fmt.Sprintf("The log is [0, %d), %d bytes.\n", end, end))

	out, _ = inspected(t, exitDone, "log", "--dir", directory, "--from", "-1", "--limit", "2")
	require.Contains(t, out, "k k1  U1\n")
	require.NotContains(t, out, "k k2")
	require.Contains(t, out, fmt.Sprintf("begins, or will begin, at %d.\n", places[2]))

	var listed recordsView
	out, _ = inspected(t, exitDone, "log", "--dir", directory, "--from", fmt.Sprint(places[3]), "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &listed))
	require.Len(t, listed.Records, 2)
	require.Equal(t, places[4], listed.Records[1].LogOffset)
	require.Equal(t, int64(2), listed.Records[1].Offset)
	require.Equal(t, end, listed.Next)
}

func TestInspectShowsAllOfAMessage(t *testing.T) {
	directory, places := fillStore(t)
	at := fmt.Sprint(places[1])
	out, _ := inspected(t, exitDone, "log", "--dir", directory, "--at", at)
	for _, line := range []string{
		"topic                orders\n", "queue                1\n", "offset in the queue  0\n", "stored at            10.0.0.1:10911\n",
		"body                 body 1\n", "magic                v1\n", "KEYS=k k1, TAGS=red, UNIQ_KEY=U1",
	} {
		require.Contains(t, out, line)
	}
	out, _ = inspected(t, exitDone, "log", "--dir", directory, "--at", at, "--hex")
	require.Contains(t, out, " bytes from "+at+" on\n00000000  00 00 00 ")
	require.Contains(t, out, "body 1")

	var v bytesView
	out, _ = inspected(t, exitDone, "log", "--dir", directory, "--at", at, "--hex", "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	var r message.Record
	_, err := message.DecodeRecord(v.Bytes, &r, true)
	require.NoError(t, err)
	require.EqualValues(t, places[1], r.LogOffset)
}

func TestInspectSaysWhereTheNextMessageIs(t *testing.T) {
	directory, places := fillStore(t)
	inside := fmt.Sprint(places[1] + 1)
	for _, option := range []string{"--at", "--from"} {
		_, advice := inspected(t, exitFailed, "log", "--dir", directory, option, inside)
		require.Contains(t, advice, "no message begins at "+inside)
		require.Contains(t, advice, fmt.Sprintf("go on at the next place where one may begin, %d;", places[2]))
		_, advice = inspected(t, exitUsage, "log", "--dir", directory, option, "131072")
		require.Contains(t, advice, option+" 131072: the files of the log hold [0, 131072)")
	}
	out, _ := inspected(t, exitFailed, "log", "--dir", directory, "--at", inside, "--hex")
	require.Contains(t, out, "256 bytes from "+inside+" on\n")
}

func TestInspectShowsQueues(t *testing.T) {
	directory, places := fillStore(t)
	out, _ := inspected(t, exitDone, "queue", "--dir", directory)
	require.Equal(t, lines(
		"Topic   Queue  First  End  Messages  Files",
		"orders      0      0    3         3      1",
		"orders      1      0    2         2      1",
	), out)
	out, _ = inspected(t, exitDone, "queue", "--dir", directory, "-t", "orders", "-q", "0", "--from", "1", "--json")
	var v entriesView
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.Len(t, v.Entries, 2)
	size := int32(places[1] - places[0])
	require.Equal(t, entryView{Number: 2, LogOffset: places[4], Size: size, TagHash: message.TagHash([]byte("red"))}, v.Entries[1])
	out, _ = inspected(t, exitDone, "queue", "--dir", directory, "-t", "orders", "-q", "1", "--limit", "1")
	require.Contains(t, out, fmt.Sprintf("     0  %16d  ", places[1]))
	require.Contains(t, out, "Queue 1 of orders holds [0, 2).\n")
	_, advice := inspected(t, exitFailed, "queue", "--dir", directory, "-t", "orders", "-q", "7")
	require.Contains(t, advice, "there is no queue orders-7 here")
	_, advice = inspected(t, exitFailed, "queue", "--dir", directory, "-t", "bills")
	require.Contains(t, advice, "topic bills has no queue here")
}

func TestInspectSearchesTheIndex(t *testing.T) {
	directory, places := fillStore(t)
	settings := settingsFile(t, directory)
	out, _ := inspected(t, exitDone, "index", "-c", settings)
	require.Regexp(t, `index/\d{17}    15 +\d+ +0 +`+fmt.Sprint(places[4]), out)
	var v searchView
	for key, want := range map[string][]int64{"k": {places[4], places[3], places[2], places[1], places[0]}, "k2": {places[2]}, "U3": {places[3]}} {
		out, _ = inspected(t, exitDone, "index", "-c", settings, "-t", "orders", "-k", key, "--json")
		require.NoError(t, json.Unmarshal([]byte(out), &v))
		var found []int64
		for _, r := range v.Records {
			found = append(found, r.LogOffset)
		}
		require.Equal(t, want, found, key)
	}
	_, advice := inspected(t, exitFailed, "index", "-c", settings, "-t", "orders", "-k", "none")
	require.Contains(t, advice, "the index leads to no message of topic orders with the key none")
	// Without a configuration the sizes are those that fit the files.
	out, _ = inspected(t, exitDone, "index", "--dir", directory)
	require.Regexp(t, `index/\d{17}    15 `, out)
	require.NotContains(t, out, "A broker runs")
}

func TestInspectShowsTheCheckpoint(t *testing.T) {
	directory, places := fillStore(t)
	out, _ := inspected(t, exitDone, "checkpoint", "--dir", directory)
	end := places[4] + places[1] - places[0]
	require.Regexp(t, fmt.Sprintf(`queues are durable up to +%d\n`, end), out)
	require.Regexp(t, `entries of queues up to there +5\n`, out)
	require.Regexp(t, fmt.Sprintf(`the index is durable up to +%d, with 15 keys in index/\d{17}\n`, end), out)
	require.Regexp(t, fmt.Sprintf(`the log is durable up to +%d\n`, end), out)
	require.Regexp(t, fmt.Sprintf(`slot at byte \d+ +valid, sequence \d+, log durable up to %d, queues up to %d; this one counts\n`, end, end), out)
	require.Equal(t, 2, strings.Count(out, "slot at byte "))
	require.Contains(t, out, "closed in order")
	require.NoError(t, os.WriteFile(filepath.Join(directory, "abort"), nil, 0o600))
	out, _ = inspected(t, exitDone, "checkpoint", "--dir", directory, "--json")
	require.Contains(t, out, `"running": true`)
	var v checkpointView
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.Equal(t, end, v.Durable)
	require.Len(t, v.Slots, 2)
	newest, other := v.Slots[0], v.Slots[1]
	if other.Counts {
		newest, other = other, newest
	}
	require.Equal(t, slotEntry{At: newest.At, Written: true, Valid: true, Counts: true, Sequence: newest.Sequence, Saved: end, Durable: end}, newest)
	require.False(t, other.Counts)

	overwrite(t, filepath.Join(directory, "checkpoint"), other.At+20, []byte{0xff})
	out, _ = inspected(t, exitDone, "checkpoint", "--dir", directory)
	require.Regexp(t, fmt.Sprintf(`slot at byte %d +not valid`, other.At), out)
	require.Regexp(t, fmt.Sprintf(`slot at byte %d +valid, sequence %d,`, newest.At, newest.Sequence), out)
}

func TestInspectShowsTheTables(t *testing.T) {
	directory, _ := fillStore(t)
	config := filepath.Join(directory, "config")
	require.NoError(t, os.MkdirAll(config, 0o700))
	for name, text := range map[string]string{
		"topics.json": `{"topicConfigTable":{"orders":{"attributes":{"reserve.time":"5"},"perm":6,"readQueueNums":2,"topicName":"orders","writeQueueNums":1}}}`,
		"subscriptionGroup.json": `{"subscriptionGroupTable":{"billing":{"groupName":"billing","retryMaxTimes":3}},` +
			`"forbiddenTable":{"billing":{"secrets":4}}}`,
		"consumerOffset.json": `{"offsetTable":{"orders@billing":{0:2,1:1},"bills@other":{0:9}}}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(config, name), []byte(text), 0o600))
	}
	out, _ := inspected(t, exitDone, "config", "--dir", directory)
	require.Equal(t, lines(
		"Topics",
		"Topic   Read queues  Write queues  Perm  Ordered  Attributes",
		"orders            2             1  RW-   false    reserve.time=5",
		"",
		"Consumer groups",
		"Group    Consume  Broadcast  Ordered  Retries  Retry queues  Forbidden topics",
		"billing  true     true       false          3             1  secrets",
		"",
		"Consumer offsets",
		"Group    Topic   Queue  Offset  From",
		"billing  orders      0       2  consumerOffset.json",
		"billing  orders      1       1  consumerOffset.json",
		"other    bills       0       9  consumerOffset.json",
	), out)
	out, _ = inspected(t, exitDone, "config", "--dir", directory, "--only", "offsets", "-g", "other", "--json")
	require.JSONEq(t, `{"topics":null,"groups":null,"offsets":[{"group":"other","topic":"bills","queue":0,"offset":9}]}`, out)
	require.NoError(t, os.WriteFile(filepath.Join(config, "topics.json"), []byte("{"), 0o600))
	_, advice := inspected(t, exitFailed, "config", "--dir", directory)
	require.Contains(t, advice, "config/topics.json")
}

func TestInspectChecksAStoppedBroker(t *testing.T) {
	directory, places := fillStore(t)
	settings := settingsFile(t, directory)
	out, _ := inspected(t, exitDone, "check", "-c", settings)
	require.Contains(t, out, "with 5 messages, 2 queues with 5 entries, 15 keys in the index\nall is in order\n")

	// The queue's last entry goes missing in a crash: the next start makes it again.
	queue := filepath.Join(directory, "consumequeue", "orders", "0", strings.Repeat("0", 20))
	overwrite(t, queue, 40, make([]byte, 20))
	out, advice := inspected(t, exitDamaged, "check", "-c", settings)
	require.Contains(t, out, "damage: queue orders-0: messages [2, 3)")
	require.Contains(t, advice, "see what a repair would do with inspect repair")

	overwrite(t, filepath.Join(directory, "commitlog", strings.Repeat("0", 20)), places[2]+100, []byte{0xff})
	out, _ = inspected(t, exitDamaged, "check", "-c", settings, "--json")
	var v checkView
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.Equal(t, stateDamaged, v.State)
	require.Contains(t, strings.Join(v.Damage, "\n"), fmt.Sprintf("commit log [%d, %d)", places[2], places[3]))
}

func TestInspectChecksWhatAMemberOfAnElectedGroupKeeps(t *testing.T) {
	directory, _ := fillStore(t)
	settings := settingsFile(t, directory)
	epochs, identity := filepath.Join(directory, "epochFileCheckpoint"), filepath.Join(directory, "brokerIdentity")
	require.NoError(t, os.WriteFile(epochs, []byte("0\n0\n"), 0o600))
	require.NoError(t, os.WriteFile(identity, []byte("c#b#3"), 0o600))
	inspected(t, exitDone, "check", "-c", settings)
	require.NoError(t, os.WriteFile(epochs, []byte("rubbish"), 0o600))
	require.NoError(t, os.WriteFile(identity, []byte("c#b"), 0o600))
	out, _ := inspected(t, exitDamaged, "check", "-c", settings)
	require.Contains(t, out, "damage: epochFileCheckpoint: the file of epochs is damaged")
	require.Contains(t, out, "damage: brokerIdentity: want cluster#brokerName#id")
}

func TestInspectChecksAfterACrash(t *testing.T) {
	directory, _ := fillStore(t)
	settings := settingsFile(t, directory)
	// As if the last thing before the crash had been an empty checkpoint.
	require.NoError(t, os.WriteFile(filepath.Join(directory, "abort"), nil, 0o600))
	require.NoError(t, os.Remove(filepath.Join(directory, "checkpoint")))
	overwrite(t, filepath.Join(directory, "consumequeue", "orders", "0", strings.Repeat("0", 20)), 40, make([]byte, 20))
	out, advice := inspected(t, exitRepairs, "check", "-c", settings)
	require.Contains(t, out, "not closed in order: ")
	require.Contains(t, out, "repair: queue orders-0: messages [2, 3)")
	require.Contains(t, advice, "start it: it puts in order what is listed as repair")
}

func TestARepairOfACrashedStoreSaysThatAStartIsEnough(t *testing.T) {
	directory, _ := fillStore(t)
	settings := settingsFile(t, directory)
	require.NoError(t, os.WriteFile(filepath.Join(directory, "abort"), nil, 0o600))
	out, _ := inspected(t, exitDone, "repair", "-c", settings)
	require.Contains(t, out, "nothing is to be repaired: the broker has crashed, and its next start puts in order what a crash leaves\n")
}

// After a repair, or with a missing index, nothing has crashed.
func TestACheckOfAClosedStoreDoesNotSpeakOfACrash(t *testing.T) {
	directory, _ := fillStore(t)
	settings := settingsFile(t, directory)
	overwrite(t, filepath.Join(directory, "consumequeue", "orders", "0", strings.Repeat("0", 20)), 40, make([]byte, 20))
	inspected(t, exitDone, "repair", "-c", settings, "--apply")
	out, advice := inspected(t, exitRepairs, "check", "-c", settings)
	require.Contains(t, out, "repair: all queues are to be built again")
	require.NotContains(t, advice, "crashed")
	require.Contains(t, advice, "the next start has something to put in order")
	out, _ = inspected(t, exitDone, "repair", "-c", settings)
	require.Contains(t, out, "nothing is to be repaired: the next start puts in order what check lists as repair\nrepair: all queues are to be built again from the log\n")
}

func TestInspectRepairsOnlyWhenToldTo(t *testing.T) {
	for _, cut := range []bool{false, true} {
		directory, places := fillStore(t)
		settings := settingsFile(t, directory)
		repair := []string{"repair", "-c", settings}
		out, _ := inspected(t, exitDone, repair...)
		require.Equal(t, "nothing is to be repaired\n", out)
		overwrite(t, filepath.Join(directory, "commitlog", strings.Repeat("0", 20)), places[2]+100, []byte{0xff})
		left := 4
		if cut {
			repair, left = append(repair, "--cut"), 2
		}
		plan, _ := inspected(t, exitDone, repair...)
		require.Contains(t, plan, "1. ")
		require.Contains(t, plan, "this was not done: copy the directory, then run the command again with --apply\n")
		inspected(t, exitDamaged, "check", "-c", settings)

		out, _ = inspected(t, exitDone, append(repair, "--apply")...)
		require.Equal(t, strings.ReplaceAll(plan, "this was not done: copy the directory, then run the command again with --apply", "done: start the broker"), out)
		require.Len(t, storedIn(t, directory), left)
		out, _ = inspected(t, exitDone, "check", "-c", settings)
		require.Contains(t, out, "all is in order")
	}
}

// storedIn starts the store of a directory, and returns the bodies of the messages in its queues.
func storedIn(t *testing.T, directory string) (found []string) {
	t.Helper()
	world, err := osenv.New(osenv.Options{Root: directory})
	require.NoError(t, err)
	world.Run(func(e env.Env) {
		var s *store.Store
		if s, err = store.Open(e, fillOptions()); err != nil {
			return
		}
		for _, key := range s.Queues() {
			first, end := s.Bounds(key)
			for from := first; from < end && err == nil; {
				var result store.ReadResult
				result, err = s.Read(store.ReadRequest{Queue: key, From: from, CountMax: 32, BytesMax: 1 << 20}, nil)
				from = result.Next
				for r, failed := range message.DecodeRecords(result.Bytes, true) {
					err = errors.Join(err, failed)
					found = append(found, string(r.Body))
				}
			}
		}
		err = errors.Join(err, s.Close())
	})
	world.Wait()
	require.NoError(t, err)
	return found
}

// overwrite changes bytes of a file behind the store's back.
func overwrite(t *testing.T, path string, at int64, content []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(content, at)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestInspectMakesNothingWhereNoBrokerWas(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for _, command := range []string{"log", "queue", "index", "checkpoint", "config", "check"} {
		_, advice := inspected(t, exitUsage, command, "--dir", nowhere)
		require.Contains(t, advice, nowhere+" is no directory of a broker")
		require.NoDirExists(t, nowhere)
	}
}

func TestInspectRefusesWhatDoesNotGoTogether(t *testing.T) {
	for line, want := range map[string]string{
		"log --at 1 --from 2":           "give either --at for one message, or --from and --limit for many",
		"log --hex":                     "--hex shows the bytes of one message: say which with --at",
		"log --limit 0":                 "--limit: 0 is not a number of messages",
		"queue -q 1":                    "--queue 1: queues are numbered in each topic",
		"index -t orders":               "give both --topic and --key, or neither",
		"config --only tables":          "--only tables is none of topics, groups, offsets",
		"chekc":                         "there is no command chekc: did you mean check?",
		"check twice":                   `"twice" is neither an option nor the value of one`,
		"log -c /no/such/file":          "the configuration file cannot be read",
		"queue --topic orders --limit=": `option --limit: "" is not a whole number`,
	} {
		_, advice := inspected(t, exitUsage, strings.Fields(line)...)
		require.Contains(t, advice, want, line)
	}
}

func TestInspectLooksWhileABrokerRuns(t *testing.T) {
	directory, _ := fillStore(t)
	settings := settingsFile(t, directory)
	world, err := osenv.New(osenv.Options{Root: directory})
	require.NoError(t, err)
	var lock env.Lock
	world.Run(func(e env.Env) { lock, err = e.Disk.Lock("lock") })
	require.NoError(t, err)
	for _, command := range []string{"log", "queue", "index", "checkpoint", "config"} {
		inspected(t, exitDone, command, "-c", settings)
	}
	_, advice := inspected(t, exitFailed, "check", "-c", settings)
	require.Contains(t, advice, "stop the broker that uses "+directory+" first")
	require.NoError(t, lock.Unlock())
}
