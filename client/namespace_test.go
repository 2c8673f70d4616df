package client

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The pairs are those of Java's NamespaceUtil: what wrapNamespace makes of a name.
func TestNamesGetANamespaceAsInJava(t *testing.T) {
	for bare, full := range map[string]string{
		"orders":                     "MQ_INST%orders",
		"%RETRY%billing":             "%RETRY%MQ_INST%billing",
		"%DLQ%billing":               "%DLQ%MQ_INST%billing",
		"a%b":                        "MQ_INST%a%b",
		"MQ_INST2":                   "MQ_INST%MQ_INST2",
		"":                           "",
		"TBW102":                     "TBW102",
		"RMQ_SYS_TRACE_TOPIC":        "RMQ_SYS_TRACE_TOPIC",
		"SCHEDULE_TOPIC_XXXX":        "SCHEDULE_TOPIC_XXXX",
		"rmq_sys_anything":           "rmq_sys_anything",
		"CID_RMQ_SYS_TRANS":          "CID_RMQ_SYS_TRANS",
		"TOOLS_CONSUMER":             "MQ_INST%TOOLS_CONSUMER",
		"%RETRY%CID_RMQ_SYS_x":       "%RETRY%MQ_INST%CID_RMQ_SYS_x",
		"DefaultCluster_REPLY_TOPIC": "MQ_INST%DefaultCluster_REPLY_TOPIC",
	} {
		n := namespace("MQ_INST")
		require.Equal(t, full, n.full(bare))
		require.Equal(t, full, n.full(full), "wrapping again changes nothing")
		require.Equal(t, bare, n.bare(full))
		require.Equal(t, bare, namespace("").full(bare))
		require.Equal(t, full, namespace("").bare(full))
	}
	require.Equal(t, "OTHER%orders", namespace("MQ_INST").bare("OTHER%orders"), "that of another namespace stays")
	require.Equal(t, "%RETRY%OTHER%g", namespace("MQ_INST").bare("%RETRY%OTHER%g"))
}

func TestPropTakingANamespaceOutUndoesPuttingItIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := namespace(rapid.StringMatching(`[A-Za-z0-9_-]{1,10}`).Draw(t, "namespace"))
		name := rapid.StringMatching(`(%RETRY%|%DLQ%)?[A-Za-z0-9_-]{1,20}`).Draw(t, "name")
		require.Equal(t, name, n.bare(n.full(name)))
	})
}
