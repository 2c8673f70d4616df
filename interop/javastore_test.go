//go:build interop

package interop_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// javaSettings are the argument of the program.
type javaSettings struct {
	Directory    string `json:"directory"`
	LogFileSize  int64  `json:"logFileSize"`
	QueueEntries int64  `json:"queueEntries"`
	BatchTopic   string `json:"batchTopic"`
	IndexSlots   int32  `json:"indexSlots"`
	IndexItems   int32  `json:"indexItems"`
	Checksums    bool   `json:"checksums"`
	SyncFlush    bool   `json:"syncFlush"`
	Halt         bool   `json:"halt"`
}

// javaOrder is a line of its input; one field is set.
type javaOrder struct {
	Put  *letter   `json:"put,omitempty"`
	Find *keyQuery `json:"find,omitempty"`
}

// javaReport is a line of its output; one field is set.
type javaReport struct {
	Log        *javaLog     `json:"log"`
	Queue      *javaQueue   `json:"queue"`
	Message    *javaMessage `json:"message"`
	Unreadable *javaTrouble `json:"unreadable"`
	Stored     *javaStored  `json:"stored"`
	Found      *javaFound   `json:"found"`
	Ready      bool         `json:"ready"`
	Halted     bool         `json:"halted"`
	Closed     bool         `json:"closed"`
}

type javaLog struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}

type javaQueue struct {
	Topic string `json:"topic"`
	ID    int32  `json:"queue"`
	Min   int64  `json:"min"`
	Max   int64  `json:"max"`
}

// javaTrouble is where a queue could not be read.
type javaTrouble struct {
	Topic  string `json:"topic"`
	Queue  int32  `json:"queue"`
	Offset int64  `json:"offset"`
	Status string `json:"status"`
}

// javaMessage is a message as Java decoded it, its queue entry, and the bytes.
type javaMessage struct {
	Topic      string            `json:"topic"`
	Queue      int32             `json:"queue"`
	Offset     int64             `json:"offset"`
	LogOffset  int64             `json:"logOffset"`
	Size       int32             `json:"size"`
	StoredAt   int64             `json:"storedAt"`
	Entry      *queueEntry       `json:"entry"`
	BodyHash   string            `json:"bodyHash"` // SHA-256, hexadecimal
	Properties map[string]string `json:"properties"`
	Record     []byte            `json:"record"`
}

// javaStored is what became of a put.
type javaStored struct {
	Status    string `json:"status"`
	Offset    int64  `json:"offset"`
	LogOffset int64  `json:"logOffset"`
	Size      int32  `json:"size"`
	StoredAt  int64  `json:"storedAt"`
}

// javaFound is what a query by key returned.
type javaFound struct {
	keyQuery
	LogOffsets []int64 `json:"logOffsets"`
	IndexedTo  int64   `json:"indexedTo"`
}

// javaAnswers are all reports of one run, by kind.
type javaAnswers struct {
	inventory inventory // what was there when it was opened
	stored    []javaStored
	found     []javaFound
}

// runJava runs the program to its end. It fails the test unless the end is the demanded one.
func runJava(t *testing.T, command string, s javaSettings, orders []javaOrder) javaAnswers {
	t.Helper()
	settings, err := json.Marshal(s)
	require.NoError(t, err)
	var out, complaints bytes.Buffer
	java := javaStore.command("interop.Main", command, string(settings))
	java.Stdin, java.Stdout, java.Stderr = bytes.NewReader(lines(t, orders)), &out, &complaints
	javaSeats <- struct{}{}
	defer func() { <-javaSeats }()
	require.NoError(t, java.Start())
	timeout := time.AfterFunc(patience, func() { _ = java.Process.Kill() })
	err = java.Wait()
	timeout.Stop()
	answers, ended := parseJava(t, out.Bytes(), s.Halt)
	require.NoError(t, err, "java %s said\n%s", command, shortened(complaints.String()))
	require.True(t, ended, "java %s did not end as it should:\n%s", command, shortened(complaints.String()))
	return answers
}

// lines encodes each on a line.
func lines[T any](t *testing.T, all []T) []byte {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for i := range all {
		require.NoError(t, encoder.Encode(&all[i]))
	}
	return text.Bytes()
}

// parseJava sorts what the program printed. ended tells whether it came to the demanded end.
func parseJava(t *testing.T, out []byte, halt bool) (answers javaAnswers, ended bool) {
	t.Helper()
	answers.inventory = inventory{}
	for line := range bytes.Lines(out) {
		var r javaReport
		require.NoError(t, json.Unmarshal(line, &r), "%s", line)
		require.Nil(t, r.Unreadable, "%s", line)
		switch {
		case r.Queue != nil:
			answers.inventory.add(r.Queue)
		case r.Message != nil:
			answers.inventory.addJava(t, r.Message)
		case r.Stored != nil:
			answers.stored = append(answers.stored, *r.Stored)
		case r.Found != nil:
			answers.found = append(answers.found, *r.Found)
		}
		ended = ended || r.Closed && !halt || r.Halted && halt
	}
	answers.inventory.requireComplete(t)
	return answers, ended
}
