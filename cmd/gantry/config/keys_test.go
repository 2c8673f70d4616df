package config

import (
	"bytes"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTagsOfAllKeysAreWhole(t *testing.T) {
	for _, settings := range []any{new(Broker), new(NameServer), new(Controller)} {
		setDefaults(settings)
		seen := map[string]bool{}
		for _, f := range fieldsOf(settings) {
			require.NotEmpty(t, f.doc(), f.key())
			require.False(t, seen[f.key()], f.key())
			seen[f.key()] = true
			if f.alias() != "" {
				seen[f.alias()] = true
			}
			switch f.value.Kind() {
			case reflect.Int, reflect.Int64:
				low, high := f.bounds()
				require.Less(t, low, high+1, f.key())
			}
		}
	}
}

func TestNoKeyIsBothHonouredAndIdle(t *testing.T) {
	for settings, known := range map[any]rules{new(Broker): brokerRules.with(tlsRules).with(metricsRules).with(accessRules), new(NameServer): nameServerRules.with(controllerRules).with(tlsRules).with(metricsRules).with(accessRules), new(Controller): controllerNodeRules()} {
		var honoured []string
		for _, f := range fieldsOf(settings) {
			honoured = append(honoured, f.key())
		}
		reasons := map[string]bool{}
		for _, row := range known.idle {
			require.False(t, reasons[row.because], "two rows have the reason %q", row.because)
			reasons[row.because] = true
			for _, pattern := range strings.Fields(row.keys) {
				for _, key := range honoured {
					matches, err := path.Match(pattern, key)
					require.NoError(t, err, pattern)
					require.False(t, matches, "%s matches %s", pattern, key)
				}
			}
		}
	}
}

// drawBroker draws settings that LoadBroker accepts.
func drawBroker(t *rapid.T) Broker {
	var b Broker
	setDefaults(&b)
	for _, f := range fieldsOf(&b) {
		switch f.value.Kind() {
		case reflect.Bool:
			f.value.SetBool(rapid.Bool().Draw(t, f.key()))
		case reflect.Int, reflect.Int64:
			if f.key() != "mappedFileSizeCommitLog" && f.key() != "maxMessageSize" && f.tag.Get("unit") == "" {
				low, high := f.bounds()
				f.value.SetInt(rapid.Int64Range(low, high).Draw(t, f.key()))
			}
		}
	}
	drawCopies(t, &b)
	b.BrokerName = strings.TrimSpace(rapid.StringMatching(`[ -~\t]{1,12}`).Draw(t, "brokerName"))
	b.StorePathRootDir = "/" + strings.TrimSpace(rapid.StringMatching(`[ -~éß]{1,12}`).Draw(t, "storePathRootDir"))
	b.ServerCert = "/server.pem"
	b.MappedFileSizeConsumeQueue -= b.MappedFileSizeConsumeQueue % 20
	b.MapperFileSizeBatchConsumeQueue -= b.MapperFileSizeBatchConsumeQueue % 46
	b.complete(testMachine)
	return b
}

// drawCopies draws what goes together.
func drawCopies(t *rapid.T, b *Broker) {
	b.BrokerRole = rapid.SampledFrom([]string{asyncMaster, syncMaster, slave}).Draw(t, "brokerRole")
	b.BrokerID, b.InSyncReplicas, b.MinInSyncReplicas, b.TotalReplicas = 0, 0, 1, 0
	if b.BrokerRole == slave {
		b.BrokerID = rapid.Int64Range(1, 9).Draw(t, "brokerId")
	}
	if b.BrokerRole == syncMaster {
		b.InSyncReplicas = rapid.IntRange(2, 5).Draw(t, "inSyncReplicas")
		b.MinInSyncReplicas = rapid.IntRange(1, b.InSyncReplicas).Draw(t, "minInSyncReplicas")
	}
	b.ListenPort = rapid.IntRange(0, 60_000).Draw(t, "listenPort")
	b.HAListenPort = rapid.SampledFrom([]int{-1, 60_001, 65_535}).Draw(t, "haListenPort")
	if b.ControllerMode {
		b.BrokerRole, b.BrokerID, b.ControllerAddr = asyncMaster, 0, "10.0.0.1:9878"
		b.InSyncReplicas, b.MinInSyncReplicas, b.TotalReplicas = 1, 1, 1
		b.DeadAfter = max(b.DeadAfter, 3*b.BeatInterval)
	}
	b.AllAck, b.Learner = b.AllAck && b.ControllerMode, b.Learner && b.ControllerMode
}

func TestWhatIsPrintedReadsBackAsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawBroker(t)
		var printed bytes.Buffer
		if err := Print(&printed, &want, false); err != nil {
			t.Fatal(err)
		}
		source, err := parse("printed", printed.Bytes())
		if err != nil {
			t.Fatalf("%s\n%v", printed.String(), err)
		}
		got, warnings, err := LoadBroker(testMachine, source)
		if err != nil || len(warnings) > 0 || got != want {
			t.Fatalf("%s\n%v %v\ngot  %+v\nwant %+v", printed.String(), warnings, err, got, want)
		}
	})
}

func TestOnlyImportantKeysArePrintedWhenAskedFor(t *testing.T) {
	var n NameServer
	setDefaults(&n)
	var printed bytes.Buffer
	require.NoError(t, Print(&printed, &n, true))
	require.Contains(t, printed.String(), "listenPort=9876\n")
	var b Broker
	var all, important bytes.Buffer
	require.NoError(t, Print(&all, &b, false))
	require.NoError(t, Print(&important, &b, true))
	require.NotContains(t, important.String(), "regionId")
	require.Contains(t, all.String(), "regionId")
}

func TestFlagsHaveTheNamesOfTheKeys(t *testing.T) {
	var b Broker
	flags := pflag.NewFlagSet("broker", pflag.ContinueOnError)
	AddFlags(flags, &b)
	require.NoError(t, flags.Parse([]string{"-n", "a:1;b:2", "--autoCreateTopicEnable=false"}))
	source := FromFlags(flags, &b)
	require.Equal(t, map[string]string{"namesrvAddr": "a:1;b:2", "autoCreateTopicEnable": "false"}, source.Keys)
	loaded, _, err := LoadBroker(testMachine, source)
	require.NoError(t, err)
	require.Equal(t, "a:1;b:2", loaded.NamesrvAddr)
	require.False(t, loaded.AutoCreateTopicEnable)
}

func TestNameServersAreListedWithSemicolons(t *testing.T) {
	list, err := NameServers(" a:9876; [::1]:9876 ;")
	require.NoError(t, err)
	require.Equal(t, []string{"a:9876", "[::1]:9876"}, list)
	for _, wrong := range []string{"a", "a:b", ":9876", "a:0", "a:70000", "a:1,b:2"} {
		_, err := NameServers(wrong)
		require.ErrorContains(t, err, "is not host:port", wrong)
	}
}
