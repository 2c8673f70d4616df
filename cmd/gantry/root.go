package main

import (
	"github.com/spf13/cobra"
)

// newGantry is the command that holds all others.
func newGantry(c *console) *cobra.Command {
	root := &cobra.Command{
		Use:   "gantry",
		Short: "A message broker that speaks RocketMQ's protocol",
		Long: `Gantry is a message broker that speaks RocketMQ's protocol: name server, broker, controller and admin
tools in one binary. Called as mqnamesrv, mqbroker, mqcontroller or mqadmin (a link is enough) it
behaves as that tool.`,
		Example: `  gantry standalone                                 a name server and a broker, to try it out
  gantry namesrv                                    a name server on port 9876
  gantry broker -n localhost:9876 -c broker.conf    a broker on port 10911
  gantry admin topicList -n localhost:9876          ask what is there
  gantry inspect check --dir ~/store                verify the files of a broker that is stopped`,
	}
	setUsage(root, "")
	root.AddCommand(newStandalone(c), newNameServer(c), newBroker(c), newController(c), newAdmin(c), newInspect(c), newBench(c), newVersion(c))
	return asRoot(root, c)
}

// asRoot sets what the topmost command decides for all below it. Errors are printed by run.
func asRoot(root *cobra.Command, c *console) *cobra.Command {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(explainFlag)
	return root
}

// noArguments refuses words that are neither options nor values.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return wrongUsage("%q is neither an option nor the value of one: write values with blanks in quotes (see %s -h)", args[0], cmd.CommandPath())
	}
	return nil
}
