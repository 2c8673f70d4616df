package namesrv

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func (p *peer) put(namespace, key, value string) *wire.Command {
	p.t.Helper()
	return p.ask(proto.ReqPutKVConfig, &proto.PutKVConfig{Namespace: namespace, Key: key, Value: value}, nil)
}

// get returns "" for what is not there.
func (p *peer) get(namespace, key string) string {
	p.t.Helper()
	response := p.ask(proto.ReqGetKVConfig, &proto.GetKVConfig{Namespace: namespace, Key: key}, nil)
	if response.Code == proto.RespQueryNotFound {
		return ""
	}
	require.Equal(p.t, int32(proto.RespSuccess), response.Code, response.Remark)
	return response.Fields.String("value")
}

// writeFile puts a file onto the disk of the name server before it starts.
func (w *world) writeFile(name, content string) {
	w.t.Helper()
	e := w.ns.Boot("installer")
	var err error
	w.do(e, func() { err = replaceFile(e.Disk, name, []byte(content)) })
	require.NoError(w.t, err)
	w.ns.Shutdown()
}

func TestKeyValueConfigIsPutReadListedAndDeleted(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	require.Empty(t, p.get("ns", "a"))
	require.Equal(t, int32(proto.RespSuccess), p.put("ns", "a", "1").Code)
	require.Equal(t, int32(proto.RespSuccess), p.put("ns", "b", `tab	"quote" <é>`).Code)
	require.Equal(t, "1", p.get("ns", "a"))
	require.JSONEq(t, `{"table":{"a":"1","b":"tab\t\"quote\" <é>"}}`,
		string(p.mustAsk(proto.ReqGetKVListByNamespace, &proto.GetKVListByNamespace{Namespace: "ns"}, nil)))
	p.mustAsk(proto.ReqDeleteKVConfig, &proto.DeleteKVConfig{Namespace: "ns", Key: "a"}, nil)
	p.mustAsk(proto.ReqDeleteKVConfig, &proto.DeleteKVConfig{Namespace: "ns", Key: "a"}, nil)
	require.Empty(t, p.get("ns", "a"))
	p.mustAsk(proto.ReqDeleteKVConfig, &proto.DeleteKVConfig{Namespace: "ns", Key: "b"}, nil)
	response := p.ask(proto.ReqGetKVListByNamespace, &proto.GetKVListByNamespace{Namespace: "ns"}, nil)
	require.Equal(t, int32(proto.RespQueryNotFound), response.Code)
}

func TestKeyValueConfigIsWrittenInTheLayoutOfTheOtherImplementation(t *testing.T) {
	w := newWorld(t, Options{})
	p := w.peer()
	p.put(proto.OrderTopicNamespace, "orders", "broker-a:8")
	content, ok := w.ns.Disk().Content("kvConfig.json")
	require.True(t, ok)
	require.Equal(t, "{\n\t\"configTable\": {\n\t\t\"ORDER_TOPIC_CONFIG\": {\n\t\t\t\"orders\": \"broker-a:8\"\n\t\t}\n\t}\n}\n", string(content))
}

func TestTheFileOfTheOtherImplementationIsLoaded(t *testing.T) {
	for name, content := range map[string]string{
		"pretty":  "{\n\t\"configTable\":{\n\t\t\"ORDER_TOPIC_CONFIG\":{\n\t\t\t\"orders\":\"broker-a:8\"\n\t\t}\n\t}\n}",
		"dialect": `{configTable:{'ORDER_TOPIC_CONFIG':{"orders":"broker-a:8","gone":null,},"empty":{}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newQuietWorld(t, 1, Options{})
			w.writeFile("kvConfig.json", content)
			require.NoError(t, w.boot())
			require.Equal(t, "broker-a:8", w.peer().get(proto.OrderTopicNamespace, "orders"))
			require.Equal(t, 1, w.server.Status().KVEntries)
		})
	}
}

func TestTheBackupIsLoadedIfThatIsAllACrashLeft(t *testing.T) {
	const backup = `{"configTable":{"ns":{"a":"old"}}}`
	for name, file := range map[string]string{"missing": "", "empty": " ", "torn": `{"configTable":{"ns":{"a":`} {
		t.Run(name, func(t *testing.T) {
			w := newQuietWorld(t, 1, Options{})
			w.writeFile("kvConfig.json.bak", backup)
			if file != "" {
				w.writeFile("kvConfig.json", strings.TrimSpace(file))
			}
			require.NoError(t, w.boot())
			p := w.peer()
			require.Equal(t, "old", p.get("ns", "a"))
			p.put("ns", "b", "new")
			require.NotContains(t, w.ns.Disk().Paths(), "kvConfig.json.bak", "it would bring back what is deleted later")
		})
	}
}

func TestADamagedFileWithoutABackupStopsTheStart(t *testing.T) {
	for _, name := range []string{"kvConfig.json", "kvConfig.json.bak"} {
		w := newQuietWorld(t, 1, Options{})
		w.writeFile(name, `{"configTable":`)
		err := w.boot()
		require.ErrorIs(t, err, errKVFile)
		require.ErrorContains(t, err, name+" is damaged")
		require.Equal(t, "closed", w.server.Status().State)
	}
}

func TestAnAnsweredChangeSurvivesALossOfPower(t *testing.T) {
	for seed := range uint64(60) {
		w := newSeededWorld(t, seed, Options{})
		p := w.peer()
		acknowledged, written := 0, 0
		p.env.Tasks.Go("writer", func() {
			conn, err := p.client.Conn(nil, nsAddress, p.env.Clock.Now().Add(time.Second))
			for i := 1; err == nil; i++ {
				written = i
				header := &proto.PutKVConfig{Namespace: "ns", Key: "counter", Value: fmt.Sprint(i)}
				_, err = conn.Call(nil, &transport.Request{Code: proto.ReqPutKVConfig, Header: header}, p.env.Clock.Now().Add(time.Second))
				if err == nil {
					acknowledged = i
				}
			}
		})
		w.wait(5*time.Millisecond + time.Duration(seed*37)*time.Microsecond)
		w.ns.Crash(sim.PowerLoss)
		require.Positive(t, acknowledged, "seed %d", seed)
		upTo, begun := acknowledged, written
		require.NoError(t, w.boot(), "seed %d", seed)
		value := w.server.kv.table["ns"]["counter"]
		require.Contains(t, []string{fmt.Sprint(upTo), fmt.Sprint(begun)}, value, "seed %d", seed)
	}
}

// failingDisk fails at its k-th call that changes something, and at no other.
type failingDisk struct {
	env.Disk
	calls, failAt int
}

var errInjected = errors.New("injected failure")

func (d *failingDisk) fails() error {
	d.calls++
	if d.calls == d.failAt {
		return errInjected
	}
	return nil
}

func (d *failingDisk) Create(path string) (env.File, error) {
	if err := d.fails(); err != nil {
		return nil, err
	}
	file, err := d.Disk.Create(path)
	return &failingFile{File: file, disk: d}, err
}

func (d *failingDisk) Rename(from, to string) error {
	if err := d.fails(); err != nil {
		return err
	}
	return d.Disk.Rename(from, to)
}

func (d *failingDisk) SyncDir(dir string) error {
	if err := d.fails(); err != nil {
		return err
	}
	return d.Disk.SyncDir(dir)
}

type failingFile struct {
	env.File
	disk *failingDisk
}

func (f *failingFile) WriteAt(p []byte, offset int64) error {
	if err := f.disk.fails(); err != nil {
		return err
	}
	return f.File.WriteAt(p, offset)
}

func (f *failingFile) Sync(from, to int64) error {
	if err := f.disk.fails(); err != nil {
		return err
	}
	return f.File.Sync(from, to)
}

func TestAChangeThatCannotBeKeptIsRefusedAndNotShown(t *testing.T) {
	const callsOfOneChange = 5 // create, write, sync, rename, sync of the directory
	for n := range 2 * callsOfOneChange {
		failAt, crash := 1+n/2, []sim.CrashStyle{sim.KillProcess, sim.PowerLoss}[n%2]
		w := newWorld(t, Options{})
		p := w.peer()
		p.put("ns", "a", "before")
		disk := &failingDisk{Disk: w.nsEnv.Disk, failAt: failAt}
		w.server.kv.env.Disk = disk
		response := p.put("ns", "a", "after")
		require.Equal(t, int32(proto.RespSystemError), response.Code)
		require.Contains(t, response.Remark, "injected failure")
		require.Equal(t, "before", p.get("ns", "a"), "failed at call %d", failAt)
		// What is on the disk is in doubt. Putting what is shown makes it certain.
		require.Equal(t, int32(proto.RespSuccess), p.put("ns", "a", "before").Code)
		w.ns.Crash(crash)
		require.NoError(t, w.boot())
		require.Equal(t, "before", w.server.kv.table["ns"]["a"], "failed at call %d, then %s", failAt, crash)
	}
}

func TestChangesAtTheSameTimeAreAllKept(t *testing.T) {
	w := newWorld(t, Options{})
	const writers = 20
	done := 0
	var failed error
	for i := range writers {
		p := w.peer()
		header := &proto.PutKVConfig{Namespace: "ns", Key: fmt.Sprint(i), Value: "x"}
		p.env.Tasks.Go("put", func() {
			_, err := p.client.Call(nil, nsAddress, &transport.Request{Code: proto.ReqPutKVConfig, Header: header}, 5*time.Second)
			failed = errors.Join(failed, err)
			done++
		})
	}
	w.kernel.Run(w.kernel.Now().Add(10*time.Second), func() bool { return done == writers })
	w.requireHealthy()
	require.NoError(t, failed)
	w.ns.Crash(sim.PowerLoss)
	require.NoError(t, w.boot())
	require.Equal(t, writers, w.server.Status().KVEntries)
}

func TestTheKeyValueConfigIsBounded(t *testing.T) {
	w := newWorld(t, Options{Limits: Limits{KVEntries: 2, KVBytes: 50}})
	p := w.peer()
	require.Equal(t, int32(proto.RespSuccess), p.put("ns", "a", "1").Code)
	require.Contains(t, p.put("ns", "b", strings.Repeat("x", 50)).Remark, "the limit is 50")
	require.Equal(t, int32(proto.RespSuccess), p.put("ns", "b", "1").Code)
	require.Contains(t, p.put("ns", "c", "1").Remark, "the limit is 2")
	require.Contains(t, p.put("", "c", "1").Remark, "must not be empty")
	require.Contains(t, p.put("ns", "", "1").Remark, "must not be empty")
	response := p.send(&transport.Request{
		Code: proto.ReqPutKVConfig, Header: &proto.PutKVConfig{Namespace: "ns", Key: "a", Value: "\xff"}, Encoding: wire.EncodingBinary})
	require.Contains(t, response.Remark, "is not UTF-8")
}

func FuzzDecodeKV(f *testing.F) {
	f.Add([]byte(`{"configTable":{"ns":{"a":"1","b":null},"empty":{}}}`))
	f.Add([]byte(`{configTable:{'ns':{1:'x'}}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, content []byte) {
		table, err := decodeKV(content)
		if err != nil {
			return
		}
		for namespace, entries := range table {
			require.NotEmpty(t, entries, "namespace %q", namespace)
		}
		again, err := encodeKV(table)
		require.NoError(t, err)
		reread, err := decodeKV(again)
		require.NoError(t, err)
		require.Equal(t, table, reread, "what was read is written so that it reads the same")
	})
}
