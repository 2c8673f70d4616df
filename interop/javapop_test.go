//go:build interop

package interop_test

import (
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// TestJavaPop lets push consumers of Apache's Java client, with setClientRebalance(false), pop from a broker of Gantry's.
func TestJavaPop(t *testing.T) {
	t.Parallel()
	javaClient.need(t)
	javaAdmin.need(t)
	takeJavaTurn(t)
	p := &popBench{directory: t.TempDir()}
	_, p.nameServer = startNameServer(t)
	p.names = pairNames[:1]
	p.startBroker(t, "0")
	p.one, p.other = startJava(t, soon), startJava(t, soon)
	p.admin = startJavaAdmin(t, p.servers)
	p.run(t, "java", []part{
		{"shared", p.testShared, []row{rowPop}},
		{"failing", p.testFailing, []row{rowPopAgain}},
		{"killed-member", p.testKilledMember, []row{rowPopAgain}},
		{"killed-broker", p.testKilledBroker, []row{rowPopCrash}},
	})
	p.one.finish(t)
	p.admin.finish(t)
}

// popBench is a bench with one broker, which can be killed.
type popBench struct {
	bench
	broker    *process
	directory string
	admin     *adminProcess
}

func (p *popBench) startBroker(t *testing.T, port string) {
	t.Helper()
	var address string
	p.broker, address = startBroker(t, p.names[0], p.nameServer, p.directory, port, "--mappedFileSizeCommitLog", "67108864")
	p.brokers = []string{address}
}

// popTopic makes a topic that a group of the same name pops, as a mqadmin has said: Apache's or ours.
func (p *popBench) popTopic(t *testing.T, name string, queues int32, official bool) string {
	t.Helper()
	p.makeTopic(t, name, queues)
	require.NoError(t, p.servers.admin(t).UpdateGroup(t.Context(), p.brokers[0], proto.NewSubscriptionGroupConfig(name)))
	words := []string{"setConsumeMode", "-c", clusterName, "-t", name, "-g", name, "-m", "POP"}
	var text string
	if official {
		text, _ = p.admin.run(t, words...)
	} else {
		output, err := tool(t, "gantry", append([]string{"admin"}, append(words, "-n", p.nameServer)...)...).CombinedOutput()
		require.NoError(t, err, string(output))
		text = string(output)
	}
	require.Contains(t, text, "consume mode[POP]")
	return name
}

// popWords are the arguments of a member that hides messages for so long.
func popWords(topic string, invisible int) callWords {
	return callWords{"group": topic, "topic": topic, "pop": true, "invisible": invisible, "popBatch": 4, "popLimit": 8}
}

// requireConsumed demands that a topic has so many messages, and waits until the group's offsets are at the ends of all its queues.
func (s servers) requireConsumed(t *testing.T, topic string, count int) {
	t.Helper()
	consumer := s.puller(t, topic)
	queues, err := consumer.Queues(t.Context(), topic)
	require.NoError(t, err)
	for _, queue := range queues {
		end, err := consumer.MaxOffset(t.Context(), queue)
		require.NoError(t, err)
		eventually(t, "the group is at the end of "+queue.String(), func() bool {
			committed, found, err := consumer.Committed(t.Context(), queue)
			return err == nil && (found || end == 0) && committed == end
		})
		count -= int(end)
	}
	require.Zero(t, count)
	// It must leave, or it would be a member.
	require.NoError(t, consumer.Close(t.Context()))
}

func (p *popBench) testShared(t *testing.T, _ *bench) {
	topic := p.popTopic(t, "pop-shared", 1, true)
	words := func() callWords {
		words := popWords(topic, 60_000)
		words["sleep"] = 20
		return words
	}
	one, other := p.one.begin(t, p.servers, "push", words()).ready(t), p.other.begin(t, p.servers, "push", words()).ready(t)
	sent := 0
	eventually(t, "both work on the queue at the same time", func() bool {
		p.mustSend(t, sendWords(topic, "sync", numbered("shared", 24)...))
		sent += 24
		return overlap(one.deliveries(t), other.deliveries(t))
	})
	eventually(t, "all messages are delivered", func() bool {
		return len(uniqueIDs(one.deliveries(t), other.deliveries(t))) == sent
	})
	p.requireConsumed(t, topic, sent)
	one.stop(t)
	other.stop(t)
	for id, times := range uniqueIDs(one.deliveries(t), other.deliveries(t)) {
		require.Equal(t, 1, times, id)
	}
}

// overlap reports whether one of the deliveries was under way while one of the others was.
func overlap(some, others []received) bool {
	return slices.ContainsFunc(some, func(a received) bool {
		return slices.ContainsFunc(others, func(b received) bool { return a.From < b.Until && b.From < a.Until })
	})
}

func (p *popBench) testFailing(t *testing.T, _ *bench) {
	topic := p.popTopic(t, "pop-failing", 4, false)
	words := popWords(topic, 60_000)
	words["failures"] = 1
	consumer := p.one.begin(t, p.servers, "push", words).ready(t)
	messages := numbered("failing", 3)
	p.mustSend(t, sendWords(topic, "sync", messages...))
	consumer.await(t, 6)
	p.requireConsumed(t, topic, 3)
	consumer.stop(t)
	tries := map[string][]received{}
	for _, d := range consumer.deliveries(t) {
		require.Equal(t, topic, d.Topic)
		tries[d.UniqueID] = append(tries[d.UniqueID], d)
	}
	require.Len(t, tries, 3)
	for id, all := range tries {
		require.Equal(t, []int32{0, 1}, []int32{all[0].Redeliveries, all[1].Redeliveries}, id)
		// The first of the times for which the client has the broker hide what failed (popDelayLevel).
		require.GreaterOrEqual(t, all[1].From-all[0].From, int64(10_000), id)
	}
}

func (p *popBench) testKilledMember(t *testing.T, _ *bench) {
	const invisible = 15_000
	topic := p.popTopic(t, "pop-killed", 4, true)
	words := popWords(topic, invisible)
	words["hang"] = true
	hanging := p.other.begin(t, p.servers, "push", words).ready(t)
	messages := numbered("killed", 6)
	p.mustSend(t, sendWords(topic, "sync", messages...))
	first := hanging.await(t, len(messages))
	p.other.Kill()
	member := p.one.begin(t, p.servers, "push", popWords(topic, invisible)).ready(t)
	p.requireConsumed(t, topic, len(messages))
	member.stop(t)
	requireComesAgain(t, member.deliveries(t), first, invisible)
}

// requireComesAgain demands that what was delivered first is delivered once more, after its time was over.
func requireComesAgain(t *testing.T, all, first []received, invisible int64) {
	t.Helper()
	again := map[string][]received{}
	for _, d := range all {
		again[d.UniqueID] = append(again[d.UniqueID], d)
	}
	for _, d := range first {
		poppedAt, err := strconv.ParseInt(d.Properties[message.PropertyFirstPoppedAtMillis], 10, 64)
		require.NoError(t, err)
		require.Len(t, again[d.UniqueID], 1, d.UniqueID)
		require.GreaterOrEqual(t, again[d.UniqueID][0].From, poppedAt+invisible, "%s was hidden", d.UniqueID)
		require.EqualValues(t, 1, again[d.UniqueID][0].Redeliveries, d.UniqueID)
	}
}

func (p *popBench) testKilledBroker(t *testing.T, _ *bench) {
	const invisible = 20_000
	topic := p.popTopic(t, "pop-crash", 1, false)
	p.other = startJava(t, soon)
	settled, held, fresh := numbered("settled", 6), numbered("held", 6), numbered("fresh", 6)
	consumer := p.one.begin(t, p.servers, "push", popWords(topic, invisible)).ready(t)
	p.mustSend(t, sendWords(topic, "sync", settled...))
	p.requireConsumed(t, topic, len(settled))
	consumer.stop(t)
	words := popWords(topic, invisible)
	words["hang"] = true
	hanging := p.other.begin(t, p.servers, "push", words).ready(t)
	p.mustSend(t, sendWords(topic, "sync", held...))
	first := hanging.await(t, len(held))
	p.other.Kill()

	p.broker.Kill()
	_, port, err := net.SplitHostPort(p.brokers[0])
	require.NoError(t, err)
	p.startBroker(t, port)
	eventually(t, "the broker stores again", func() bool {
		return p.send(t, sendWords(topic, "sync", fresh[0]))[0].Error == ""
	})
	p.mustSend(t, sendWords(topic, "sync", fresh[1:]...))
	member := p.one.begin(t, p.servers, "push", popWords(topic, invisible)).ready(t)
	p.requireConsumed(t, topic, len(p.stored(t, topic)))
	member.stop(t)
	all := member.deliveries(t)
	requireComesAgain(t, all, first, invisible)
	// A send may have been answered too late, and tried again.
	require.Equal(t, sortedTexts(texts(held), texts(fresh)), slices.Compact(bodiesSeen(all)))
}
