package commandline

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestCobraReadsWhatWasNormalised(t *testing.T) {
	var topic, queues, server string
	var list, ran bool
	root := &cobra.Command{Use: "tool"}
	below := &cobra.Command{Use: "updateTopic", Run: func(*cobra.Command, []string) { ran = true }}
	root.AddCommand(below)
	root.PersistentFlags().StringVarP(&server, "namesrvAddr", "n", "", "")
	below.Flags().StringVarP(&topic, "topic", "t", "", "")
	below.Flags().StringVar(&queues, "totalQueueNum", "", "")
	below.Flags().BoolVarP(&list, "list", "l", false, "")
	SetShortName(below.Flags(), "totalQueueNum", "qn")

	described := FromCobra(root)
	words, err := described.Normalise([]string{"UpdateTopic", "-n", "a:1;b:2", "-tT", "-qn", "8", "-l"})
	require.NoError(t, err)
	root.SetArgs(words)
	require.NoError(t, root.Execute())
	require.True(t, ran)
	require.Equal(t, []string{"T", "8", "a:1;b:2"}, []string{topic, queues, server})
	require.True(t, list)
}
