//go:build interop

package interop_test

import (
	"strings"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/stretchr/testify/require"
)

// bench is what the tests of a client and servers share: the servers, whosever, and virtual machines with the Java client.
type bench struct {
	servers
	one   *javaProcess
	other *javaProcess // only where the Java client is what is tested
}

// part is a part of such a test, and the rows of the table that it shows.
type part struct {
	name string
	test func(t *testing.T, b *bench)
	rows []row
}

// run runs parts one after the other, for a column of the table.
func (b *bench) run(t *testing.T, column string, parts []part) {
	t.Helper()
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			covers(t, column, p.rows...)
			p.test(t, b)
		})
	}
}

// What is compared is the same, whichever client sends.

// compressible is a body that every compression makes shorter.
var compressible = []byte(strings.Repeat("compressible ", 8000))

// requireCompressible demands that the one message of a topic has that body for both clients. It returns what ours reads.
func (b *bench) requireCompressible(t *testing.T, java *javaProcess, topic string) *gantry.Received {
	t.Helper()
	stored := b.stored(t, topic)
	require.Len(t, stored, 1)
	require.Equal(t, compressible, stored[0].Body)
	consumer := java.begin(t, b.servers, "push", callWords{"group": topic, "topic": topic})
	require.Equal(t, hashOf(compressible), consumer.await(t, 1)[0].BodyHash)
	consumer.stop(t)
	return stored[0]
}

// unicode is a message of letters that take one to four bytes each.
var unicode = struct {
	body, tag  string
	keys       []string
	properties map[string]string
}{
	"größer als 大 🚀", "größe", []string{"k1", "schlüssel"},
	map[string]string{"colour": "red", "größe": "übergroß 大", "emoji": "🚀", "blank": "a b c"},
}

// requireUnicode compares that message as the Java client and as ours was given it.
func requireUnicode(t *testing.T, theirs received, ours *gantry.Received) {
	t.Helper()
	require.Equal(t, []string{unicode.body, unicode.body}, []string{string(theirs.Body), string(ours.Body)})
	require.Equal(t, []string{unicode.tag, unicode.tag}, []string{theirs.Tag, ours.Tags()})
	require.Equal(t, [][]string{unicode.keys, unicode.keys}, [][]string{theirs.Keys, ours.Keys()})
	for name, value := range unicode.properties {
		require.Equal(t, []string{value, value}, []string{theirs.Properties[name], ours.Properties.Get(name)})
	}
}

// sqlFilter passes sqlPassed out of 40 messages, of which every other has the tag b and the first 20 are red.
const sqlFilter = "(n BETWEEN 10 AND 29) AND colour IN ('red', 'green') AND TAGS = 'b' AND missing IS NULL"

var sqlPassed = []string{"sql 011", "sql 013", "sql 015", "sql 017", "sql 019"}

// awaitTraces waits until the sender and the consumer of a message have told of it, and returns what they told.
func (s servers) awaitTraces(t *testing.T, uniqueID string) (text string) {
	t.Helper()
	eventually(t, "the traces of both", func() bool {
		text = ""
		for _, m := range s.awaitStored(t, "RMQ_SYS_TRACE_TOPIC", 1) {
			require.Contains(t, m.Keys(), uniqueID)
			text += string(m.Body)
		}
		return containsAll(text, []string{"Pub\x01", "SubBefore\x01", "SubAfter\x01"})
	})
	return text
}
