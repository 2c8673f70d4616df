package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
)

func brokers(count int) []client.Broker {
	var list []client.Broker
	for i := range count {
		list = append(list, client.Broker{Cluster: "c", Name: fmt.Sprintf("broker-%02d", i), Address: fmt.Sprintf("10.0.0.%d:10911", i)})
	}
	return list
}

func TestAllBrokersAreAskedAFewAtATimeAndTheirOrderIsKept(t *testing.T) {
	var now, most atomic.Int32
	answers, failed := askAll(brokers(40), func(b client.Broker) (string, error) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		if strings.HasSuffix(b.Name, "7") {
			return "", fmt.Errorf("no: %w", env.ErrRefused)
		}
		return b.Name, nil
	})
	require.LessOrEqual(t, most.Load(), int32(askedAtOnce))
	require.Len(t, answers, 36)
	require.Len(t, failed, 4)
	require.Equal(t, "broker-00", answers[0].value)
	require.Equal(t, "broker-39", answers[35].value)
	require.Equal(t, []string{"broker-07", "broker-37"}, []string{failed[0].Broker, failed[3].Broker})
}

func TestTheExitCodeTellsWhetherSomeOrAllFailed(t *testing.T) {
	require.NoError(t, failures(nil).because(3))
	one := failures{{Broker: "broker-a", Address: "10.0.0.1:10911", err: env.ErrRefused}}
	partly := one.because(1)
	require.Equal(t, exitPartly, exitCode(explainAdmin(partly, "n")))
	require.Equal(t, "1 of 2 failed\n  broker-a 10.0.0.1:10911: "+env.ErrRefused.Error()+"\n  to fix it: repeat the command once all of them can do it", partly.Error())
	require.Equal(t, exitUnreachable, exitCode(explainAdmin(one.because(0), "n")), "nobody could be reached")
	refused := failures{{Address: "10.0.0.1:10911", err: errors.New("no")}, {Address: "10.0.0.2:10911", err: errors.New("never")}}
	require.Equal(t, exitFailed, exitCode(explainAdmin(refused.because(0), "n")))
	require.ErrorContains(t, refused.because(0), "2 of 2 failed\n  10.0.0.1:10911: no\n  10.0.0.2:10911: never")
	require.NotContains(t, describe(refused.because(0)), "mistakes")
}

func TestNothingIsShownIfNobodyAnsweredButJSONIs(t *testing.T) {
	failed := failures{{Address: "10.0.0.1:10911", Error: "no", err: errors.New("no")}}
	for asJSON, want := range map[bool]string{false: "", true: `{"done":[],"failed":[{"address":"10.0.0.1:10911","error":"no"}]}`} {
		var out bytes.Buffer
		f := &adminFlags{console: &console{out: &out}, asJSON: asJSON}
		require.ErrorContains(t, f.report(newDoneView(nil, failed, "at %s"), 0, failed), "no")
		if asJSON {
			require.JSONEq(t, want, out.String())
		} else {
			require.Equal(t, want, out.String())
		}
	}
}

func TestChangesAreListedWithTheirNotes(t *testing.T) {
	v := newDoneView([]string{"a:1", "b:2"}, nil, "changed %s.")
	v.Notes, v.last = map[string]string{"b:2": "until it stops"}, "all of it"
	require.Equal(t, lines("changed a:1.", "changed b:2.", "  until it stops", "all of it"), shown(t, v, false))
	require.JSONEq(t, `{"done":["a:1","b:2"],"notes":{"b:2":"until it stops"}}`, shown(t, v, true))
}

func TestSeveralServersHaveALineAboveTheirTables(t *testing.T) {
	answers := []brokerAnswer[map[string]string]{
		{client.Broker{Name: "broker-a", Address: "10.0.0.1:10911"}, map[string]string{"b": "2", "a": "1"}},
		{client.Broker{Name: "broker-a", ID: 1, Address: "10.0.0.2:10911"}, map[string]string{"a": "3"}},
	}
	require.Equal(t, lines(
		"============broker-a at 10.0.0.1:10911============",
		"Key  Value",
		"a    1",
		"b    2",
		"",
		"============broker-a (slave 1) at 10.0.0.2:10911============",
		"Key  Value",
		"a    3",
	), shown(t, newServersView(answers, nil), false))
	answers[0].broker.Name = ""
	require.Equal(t, lines("Key  Value", "a    1", "b    2"), shown(t, newServersView(answers[:1], nil), false))
	require.JSONEq(t, `{"servers":[{"address":"10.0.0.1:10911","values":{"a":"1","b":"2"}}]}`, shown(t, newServersView(answers[:1], nil), true))
}
