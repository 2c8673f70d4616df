package proto

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Releases whose bodies are in testdata.
const (
	java5 = "5.3.2"
	java4 = "4.9.4"
)

// golden returns a body as a release of Java wrote it.
func golden(t *testing.T, release, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/bodies_" + release + ".txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if found, body, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok && found == name {
			return body
		}
	}
	require.Fail(t, "no such body", "%s of %s", name, release)
	return ""
}

// requireRead reads a body of Java.
func requireRead[T any](t *testing.T, release, name string, read func([]byte) (T, error), want T) {
	t.Helper()
	got, err := read([]byte(golden(t, release, name)))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// requireSame reads a body of Java and writes it again to the letter.
func requireSame[T any](t *testing.T, name string, read func([]byte) (T, error), want T, written []byte) {
	t.Helper()
	requireRead(t, java5, name, read, want)
	require.Equal(t, golden(t, java5, name), string(written))
}

// The parts of the bodies in testdata.

func queueOfT(id int32) Queue { return Queue{Topic: "T", BrokerName: "b", QueueID: id} }

func subscriptionToT() SubscriptionData {
	return SubscriptionData{
		Topic: "T", Expression: "TagA", ExpressionType: ExpressionTag,
		Tags: []string{"TagA"}, TagHashes: []int32{2598919}, Version: 1700000000000,
	}
}

func thirdVersion() DataVersion { return DataVersion{Counter: 3, Timestamp: 1700000000000} }
