package commandline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mqadmin is a part of RocketMQ's admin tool, with an option of two letters from its static topics.
var mqadmin = Command{
	Name: "mqadmin",
	Commands: []Command{
		{Name: "updateTopic", Options: []Option{
			{Long: "brokerAddr", Short: "b"},
			{Long: "clusterName", Short: "c"},
			{Long: "topic", Short: "t"},
			{Long: "totalQueueNum", Short: "qn"},
			{Long: "perm", Short: "p"},
			{Long: "list", Short: "l", Switch: true},
			{Long: "moreStats", Short: "m", Switch: true},
		}},
		{Name: "queryMsgTraceById", Aliases: []string{"traceOf"}, Options: []Option{{Long: "msgId", Short: "i"}}},
	},
}

func normalised(t *testing.T, line ...string) []string {
	t.Helper()
	words, err := mqadmin.Normalise(line)
	require.NoError(t, err)
	return words
}

func refused(t *testing.T, line ...string) string {
	t.Helper()
	_, err := mqadmin.Normalise(line)
	var usage *UsageError
	require.ErrorAs(t, err, &usage)
	return usage.Error()
}

func TestEverySpellingOfAnOptionBecomesItsLongForm(t *testing.T) {
	for _, spelling := range []string{
		"-t T", "-tT", "-t=T", "-topic T", "-topic=T", "-topicT", "--topic T", "--topic=T", "--top T", "-top T", "--top=T",
	} {
		line := append([]string{"updateTopic"}, strings.Fields(spelling)...)
		require.Equal(t, []string{"updateTopic", "--topic=T"}, normalised(t, line...), spelling)
	}
	for _, spelling := range []string{"-qn 8", "-qn=8", "-totalQueueNum 8", "--totalQueueNum=8", "-tot 8"} {
		line := append([]string{"updateTopic"}, strings.Fields(spelling)...)
		require.Equal(t, []string{"updateTopic", "--totalQueueNum=8"}, normalised(t, line...), spelling)
	}
}

func TestSwitchesTakeNoValue(t *testing.T) {
	require.Equal(t, []string{"updateTopic", "--list", "--topic=T"}, normalised(t, "updateTopic", "-l", "-t", "T"))
	require.Equal(t, []string{"updateTopic", "--list", "--moreStats", "--topic=T"}, normalised(t, "updateTopic", "-lmtT"))
	require.Equal(t, []string{"updateTopic", "--list=false"}, normalised(t, "updateTopic", "--list=false"))
}

func TestNamesOfCommandsMayBeInAnyCase(t *testing.T) {
	require.Equal(t, []string{"updateTopic"}, normalised(t, "UPDATETOPIC"))
	require.Equal(t, []string{"queryMsgTraceById", "--msgId=7F"}, normalised(t, "traceof", "-i", "7F"))
}

func TestHelpIsFoundAnywhere(t *testing.T) {
	for _, line := range []string{
		"updateTopic -h", "-h updateTopic", "updateTopic -t -h", "updateTopic -t T --help", "help updatetopic",
		"updateTopic -nosuch -h",
	} {
		require.Equal(t, []string{"updateTopic", "--help"}, normalised(t, strings.Fields(line)...), line)
	}
	require.Equal(t, []string{"--help"}, normalised(t, "help"))
	require.Equal(t, []string{"updateTopic", "--topic=-h"}, normalised(t, "updateTopic", "-t=-h"))
}

func TestAValueKeepsItsBlanksAndItsDashes(t *testing.T) {
	require.Equal(t, []string{"updateTopic", "--topic=a b = c"}, normalised(t, "updateTopic", "-t", "a b = c"))
	require.Equal(t, []string{"updateTopic", "--perm=-1"}, normalised(t, "updateTopic", "-p", "-1"))
	require.Equal(t, []string{"updateTopic", "--topic="}, normalised(t, "updateTopic", "-t", ""))
	require.Equal(t, []string{"updateTopic", "--topic=k=v"}, normalised(t, "updateTopic", "-tk=v"))
	require.Equal(t, []string{"updateTopic", "--", "-t", "x"}, normalised(t, "updateTopic", "--", "-t", "x"))
}

func TestAForgottenValueIsRefused(t *testing.T) {
	require.Equal(t, "option -t (-t, --topic) needs a value (see mqadmin updateTopic -h)", refused(t, "updateTopic", "-t"))
	require.Equal(t, "option -t (-t, --topic) needs a value: -b is read as an option; if it is the value, write --topic=-b (see mqadmin updateTopic -h)",
		refused(t, "updateTopic", "-t", "-b", "127.0.0.1:10911"))
}

func TestWhatIsUnknownOrAmbiguousIsRefusedWithAdvice(t *testing.T) {
	require.Equal(t, "option --to can mean --topic or --totalQueueNum: write more of its name (see mqadmin updateTopic -h)",
		refused(t, "updateTopic", "--to", "8"))
	require.Equal(t, "there is no option --tpoic: did you mean --topic? (see mqadmin updateTopic -h)", refused(t, "updateTopic", "--tpoic=8"))
	require.Equal(t, "there is no option -z (see mqadmin updateTopic -h)", refused(t, "updateTopic", "-z"))
	require.Equal(t, "there is no command updateTopics: did you mean updateTopic? (see mqadmin -h)", refused(t, "updateTopics"))
}

func TestNearestKeepsSilentWhenNothingIsNear(t *testing.T) {
	require.Equal(t, "listenPort", Nearest("listenport", []string{"brokerName", "listenPort"}))
	require.Equal(t, "listenPort", Nearest("lisntenPort", []string{"brokerName", "listenPort"}))
	require.Empty(t, Nearest("completely", []string{"brokerName", "listenPort"}))
	require.Equal(t, 3, distance("kitten", "sitting"))
}
