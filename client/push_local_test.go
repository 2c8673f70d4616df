package client_test

import (
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// offsetsPath is the file of the group on the machine of the application, less the end of its name.
const offsetsPath = "10.0.9.1@DEFAULT/consumers/"

// writeFile replaces a file on the disk of the application.
func (c *cluster) writeFile(name, text string) {
	full := path.Join(offsetsPath, name)
	if err := c.app.Disk.Remove(full); err != nil && !errors.Is(err, env.ErrNotExist) {
		panic(err)
	}
	f := must1(c.app.Disk.Create(full))
	must(f.WriteAt([]byte(text), 0))
	must(f.Close())
}

func (c *cluster) readFile(name string) string {
	f := must1(c.app.Disk.Open(path.Join(offsetsPath, name)))
	text := make([]byte, f.Size())
	must1(f.ReadAt(text, 0))
	must(f.Close())
	return string(text)
}

func TestInBroadcastingEachMemberGetsAllAndGoesOnWhereItWas(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.a.put(orders(0), 3)
	c.b.put(orders(1), 3)
	boxes := []*inbox{{}, {}, {}}
	boxes[0].fail = func(*client.Received) error { return errors.New("failures are not repeated") }
	other := c.boot("other")
	options := func(i int) []client.PushOption {
		return []client.PushOption{client.WithModel(client.Broadcasting), client.WithHandler(boxes[i].handle)}
	}
	c.run(time.Minute, func() {
		p := c.push(options(0)...)
		other.Tasks.Go("other member", func() { c.pushAt(other, options(1)...) })
		c.eventually("both have all", func() bool { return len(boxes[0].bodies) == 6 && len(boxes[1].bodies) == 6 })
		c.app.Tasks.Sleep(time.Second)
		must(p.Close(background))
		c.a.put(orders(0), 1)
		p = c.push(options(2)...)
		c.app.Tasks.Sleep(8 * time.Second)
		must(p.Close(background))
	})
	require.Equal(t, []string{"orders@a:0 #3"}, boxes[2].bodies)
	require.Empty(t, c.a.groups.back)
	require.Empty(t, c.a.committed, "brokers keep no offsets of broadcasting")
	require.Equal(t, proto.Broadcasting, c.a.heartbeats[0].Consumers[0].Model)
	for _, pull := range c.a.pulls {
		require.False(t, pull.Flags.Has(proto.PullCommit))
	}
}

func TestTheFileOfOffsetsHasTheFormOfGoClients(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.a.put(orders(0), 2)
	box := &inbox{}
	var text, before string
	c.run(time.Minute, func() {
		p := c.push(client.WithModel(client.Broadcasting), client.WithHandler(box.handle))
		c.app.Tasks.Sleep(6 * time.Second)
		c.a.put(orders(0), 1)
		c.app.Tasks.Sleep(6 * time.Second)
		must(p.Close(background))
		text, before = c.readFile("offsets.json"), c.readFile("offsets.json.bak")
	})
	want := "{\n\t\"offsetTable\": {\n\t\t\"{\\\"brokerName\\\":\\\"a\\\",\\\"queueId\\\":0,\\\"topic\\\":\\\"orders\\\"}\": 3\n\t}\n}"
	require.Equal(t, want, text)
	require.Equal(t, strings.Replace(want, ": 3", ": 2", 1), before)
}

func TestFilesOfOffsetsOfOtherClientsAreRead(t *testing.T) {
	for name, files := range map[string]struct {
		main, backup string
		want         int64 // of the first pull; -1: Start fails
	}{
		"Java's":                    {`{"offsetTable":{{"brokerName":"a","queueId":0,"topic":"orders"}:2}}`, "", 2},
		"Go's":                      {`{"offsetTable":{"{\"topic\":\"orders\",\"brokerName\":\"a\",\"queueId\":0}":2}}`, "", 2},
		"a damaged one and a spare": {`{"offsetTa`, `{"offsetTable":{{"brokerName":"a","queueId":0,"topic":"orders"}:1}}`, 1},
		"only a spare":              {"", `{"offsetTable":{{"brokerName":"a","queueId":0,"topic":"orders"}:1}}`, 1},
		"a damaged one alone":       {`{"offsetTa`, "", -1},
		"two damaged ones":          {`{"offsetTa`, "{{", -1},
		"none":                      {"", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroupCluster(t, 1)
			c.names.routes["orders"] = route(1, c.a)
			c.a.put(orders(0), 3)
			var failure error
			c.run(time.Minute, func() {
				if files.main != "" {
					c.writeFile("offsets.json", files.main)
				}
				if files.backup != "" {
					c.writeFile("offsets.json.bak", files.backup)
				}
				p := must1(client.NewPushConsumer(c.app, client.WithGroup("consumers"), c.nameServers(), client.WithModel(client.Broadcasting),
					client.WithSubscription("orders", client.Tags("*")), client.WithConsumeFrom(client.FromFirst), client.WithHandler((&inbox{}).handle)))
				failure = p.Start(background)
				c.app.Tasks.Sleep(time.Second)
				must(p.Close(background))
			})
			if files.want < 0 {
				require.ErrorContains(t, failure, "offsets.json")
				return
			}
			require.NoError(t, failure)
			require.Equal(t, files.want, c.a.pulls[0].QueueOffset)
		})
	}
}

func TestOffsetsOfQueuesThatAreNotHeldStayInTheFile(t *testing.T) {
	c := newGroupCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.a.put(orders(0), 3)
	var text string
	c.run(time.Minute, func() {
		c.writeFile("offsets.json", `{"offsetTable":{{"brokerName":"gone","queueId":7,"topic":"orders"}:12}}`)
		p := c.push(client.WithModel(client.Broadcasting), client.WithHandler((&inbox{}).handle))
		c.app.Tasks.Sleep(time.Second)
		must(p.Close(background))
		text = c.readFile("offsets.json")
	})
	require.Contains(t, text, `gone`)
	require.Contains(t, text, `: 12`)
	require.Contains(t, text, `: 3`)
}

func TestACrashAtAnyWriteLeavesOffsetsThatCanBeRead(t *testing.T) {
	for operations := range 14 {
		c := newGroupCluster(t, uint64(operations))
		c.names.routes["orders"] = route(1, c.a)
		consume := func() {
			c.push(client.WithModel(client.Broadcasting), client.WithHandler((&inbox{}).handle), client.WithOffsetStoring(time.Second))
		}
		c.pass(time.Second)
		c.app.Tasks.Go("application", func() {
			consume()
			for range 10 {
				c.a.put(orders(0), 1)
				c.app.Tasks.Sleep(1500 * time.Millisecond)
			}
		})
		count := func() int { s := c.machine.Disk().Stats(); return s.Writes + s.Syncs }
		c.kernel.Run(c.kernel.Now().Add(time.Minute), func() bool { return count() >= operations })
		require.GreaterOrEqual(t, count(), operations)
		stored := len(c.a.queues[orders(0)])
		c.machine.Crash(sim.PowerLoss)
		before := len(c.a.pulls)
		c.app = c.machine.Boot("app again")
		c.app.Tasks.Go("application", consume)
		c.pass(3 * time.Second)
		require.Greater(t, len(c.a.pulls), before, "it consumes again")
		from := c.a.pulls[before].QueueOffset
		require.LessOrEqual(t, from, int64(stored))
		// Each new file takes a write and two syncs. What was stored before the one under way is still known.
		require.GreaterOrEqual(t, from, int64(max(0, operations/4-2)), "after %d operations", operations)
	}
}
