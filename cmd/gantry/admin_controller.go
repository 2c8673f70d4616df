package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// controllerOption is the option -a of the commands for controllers.
type controllerOption struct{ address string }

func (o *controllerOption) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.address, "controllerAddress", "a", "", "`addresses` of controllers, host:port;host:port; required")
}

// list checks what was typed.
func (o *controllerOption) list(cmd *cobra.Command) ([]string, error) {
	if err := required(cmd, "controllerAddress"); err != nil {
		return nil, err
	}
	addresses, err := config.NameServers(o.address)
	if err == nil && len(addresses) == 0 {
		err = fmt.Errorf("%q names nobody", o.address)
	}
	if err != nil {
		return nil, wrongUsage("-a: %w", err)
	}
	return addresses, nil
}

// brokerNameOption is the option -bn, which has two letters: cobra takes it for a long one.
func brokerNameOption(cmd *cobra.Command, name *string, does string) {
	cmd.Flags().StringVar(name, "brokerName", "", does)
	cmd.Flags().StringVar(name, "bn", "", does)
	cmd.Flags().Lookup("bn").Hidden = true
}

// withController runs a command that speaks with controllers, which need not know of name servers. It asks the first one of the addresses that
// answers.
func (f *adminFlags) withController(cmd *cobra.Command, o *controllerOption, run func(ctx context.Context, s *session, controller string) error) error {
	addresses, err := o.list(cmd)
	if err != nil {
		return err
	}
	return f.withNames(cmd, cmp.Or(f.names, os.Getenv("NAMESRV_ADDR"), o.address), func(ctx context.Context, s *session) error {
		var failed []error
		for _, address := range addresses {
			err := noController(run(ctx, s, address))
			if !errors.Is(err, client.ErrNoLeader) && !errors.Is(err, client.ErrNotSent) && !isUnreachable(err) {
				return err
			}
			failed = append(failed, err)
		}
		return &failure{cause: errors.Join(failed...), code: exitUnreachable, advice: "see that most of the controllers run and reach each other (getControllerMetaData), and that they can be reached from here"}
	})
}

// noController tells whoever took a name server or a broker for a controller where controllers are. That a copy sends to its master helps nobody here.
func noController(err error) error {
	var failed *failure
	var answer *client.ResponseError
	if errors.As(err, &failed) || !errors.As(err, &answer) || answer.Code != proto.RespRequestCodeNotSupported && answer.Code != proto.RespServiceNotAvailable {
		return err
	}
	return &failure{cause: fmt.Errorf("%s is no controller: it does not serve %s", answer.Address, proto.RequestName(answer.Request)), code: exitFailed,
		advice: "name controllers with -a: they listen at the ports in controllerDLegerPeers, usually 9878"}
}

func newGetControllerMetaData(f *adminFlags) *cobra.Command {
	var o controllerOption
	cmd := &cobra.Command{
		Use:     "getControllerMetaData",
		Short:   "Show which controllers there are, and who leads",
		Long:    "Shows which controllers there are, and which of them leads as far as the one that is asked knows.",
		Example: "  gantry admin getControllerMetaData -a localhost:9878",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withController(cmd, &o, func(ctx context.Context, s *session, controller string) error {
				metadata, err := s.admin.ControllerMetadata(ctx, controller)
				if err != nil {
					return err
				}
				return f.show(newControllersView(metadata))
			})
		},
	}
	o.add(cmd)
	return cmd
}

func newGetSyncStateSet(f *adminFlags) *cobra.Command {
	var o controllerOption
	var cluster, broker string
	var interval int
	cmd := &cobra.Command{
		Use:   "getSyncStateSet",
		Short: "Show who is master and who is in sync",
		Long: `Shows of broker names who is master, which brokers are in sync, and which are alive. Give a broker name with -b, or a cluster of which
the name servers of -n know the broker names with -c.`,
		Example: `  gantry admin getSyncStateSet -a localhost:9878 -b broker-a
  gantry admin getSyncStateSet -a localhost:9878 -n localhost:9876 -c DefaultCluster -i 3`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(cmd, "brokerName", "clusterName"); err != nil {
				return err
			}
			if interval < 0 {
				return wrongUsage("-i: %d is not a number of seconds", interval)
			}
			return f.withController(cmd, &o, func(ctx context.Context, s *session, controller string) error {
				return repeat(ctx, time.Duration(interval)*time.Second, func() error { return f.syncStateSet(ctx, s, controller, broker, cluster) })
			})
		},
	}
	o.add(cmd)
	cmd.Flags().StringVarP(&cluster, "clusterName", "c", "", "all broker names of this `cluster`")
	cmd.Flags().StringVarP(&broker, "brokerName", "b", "", "this broker `name`")
	cmd.Flags().IntVarP(&interval, "interval", "i", 0, "repeat every so many `seconds`")
	return cmd
}

func (f *adminFlags) syncStateSet(ctx context.Context, s *session, controller, broker, cluster string) error {
	names := []string{broker}
	if broker == "" {
		info, err := s.admin.Cluster(ctx)
		if err != nil {
			return err
		}
		names = nil
		for _, one := range info.Clusters {
			if one.Name == cluster {
				names = append(names, one.BrokerNames...)
			}
		}
		if len(names) == 0 {
			return &failure{cause: fmt.Errorf("no broker of a cluster %q is known", cluster), code: exitFailed, advice: "see all with clusterList"}
		}
	}
	sets, err := s.admin.ReplicaSets(ctx, controller, names)
	if err != nil {
		return err
	}
	if len(sets.Groups) == 0 {
		return &failure{cause: fmt.Errorf("no controller knows of %s", strings.Join(names, ", ")), code: exitFailed, advice: "brokers register with controllers if they are started with enableControllerMode=true and controllerAddr"}
	}
	return f.show(newReplicasView(sets))
}

func newElectMaster(f *adminFlags) *cobra.Command {
	var o controllerOption
	var broker, cluster string
	var id int64
	var unclean bool
	cmd := &cobra.Command{
		Use:   "electMaster",
		Short: "Make a broker the master of its group",
		Long: `Makes a broker the master of its group, if it is alive and in sync. The present master stops first, which takes as long as it may serve without
hearing from the controller, a second or two.

With --unclean a broker is elected that may lack messages, which are lost then: others that come back cut off what the new master does not have. That is
refused while somebody who is in sync is alive, and for a moment after another controller has begun to lead; with -b -1 the controller chooses who has
most.`,
		Example: `  gantry admin electMaster -a localhost:9878 -c DefaultCluster -bn broker-a -b 2
  gantry admin electMaster -a localhost:9878 -c DefaultCluster -bn broker-a -b -1 --unclean`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(given(cmd, "brokerId"), required(cmd, "brokerName"), required(cmd, "clusterName")); err != nil {
				return err
			}
			if id < 1 && (id != proto.NoBroker || !unclean) {
				return wrongUsage("-b: %d is not the id of a broker: see them with getSyncStateSet", id)
			}
			return f.withController(cmd, &o, func(ctx context.Context, s *session, controller string) error {
				elected, err := s.admin.ElectMaster(ctx, controller, client.Election{Cluster: cluster, BrokerName: broker, BrokerID: id, Unclean: unclean})
				if err != nil {
					return err
				}
				return f.show(newElectedView(cluster, broker, elected))
			})
		},
	}
	o.add(cmd)
	cmd.Flags().Int64VarP(&id, "brokerId", "b", 0, "`id` of the broker that is to be master; required")
	brokerNameOption(cmd, &broker, "`name` of the group (-bn); required")
	cmd.Flags().StringVarP(&cluster, "clusterName", "c", "", "`cluster` of the group; required")
	cmd.Flags().BoolVar(&unclean, "unclean", false, "elect who may lack messages, which are lost then")
	return cmd
}

func newCleanBrokerMetadata(f *adminFlags) *cobra.Command {
	var o controllerOption
	var b client.BrokersToClean
	var ids string
	cmd := &cobra.Command{
		Use:   "cleanBrokerMetadata",
		Short: "Let controllers forget brokers that will not come back",
		Long: `Lets controllers forget brokers of a group: those of -b, or all of it. The master and brokers that are in sync can only be forgotten together with
all of the group. Ids are not used again.`,
		Example: `  gantry admin cleanBrokerMetadata -a localhost:9878 -c DefaultCluster -bn broker-a -b '2;3'
  gantry admin cleanBrokerMetadata -a localhost:9878 -bn broker-a -l`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "brokerName"); err != nil {
				return err
			}
			if !b.LivingToo && b.Cluster == "" {
				return wrongUsage("-c: without -l (--cleanLivingBroker) it cannot be empty")
			}
			var err error
			if b.IDs, err = brokerIDs(ids); err != nil {
				return err
			}
			return f.withController(cmd, &o, func(ctx context.Context, s *session, controller string) error {
				if err := s.admin.CleanBrokers(ctx, controller, b); err != nil {
					return err
				}
				return f.show(newDoneView([]string{controller}, nil, fmt.Sprintf("clear broker %s metadata from controller success! ", b.BrokerName)))
			})
		},
	}
	o.add(cmd)
	cmd.Flags().StringVarP(&ids, "brokerControllerIdsToClean", "b", "", "`ids` of brokers, with ; between them; default all of the group")
	brokerNameOption(cmd, &b.BrokerName, "`name` of the group (-bn); required")
	cmd.Flags().StringVarP(&b.Cluster, "clusterName", "c", "", "`cluster` of the group; required without -l")
	cmd.Flags().BoolVarP(&b.LivingToo, "cleanLivingBroker", "l", false, "forget brokers that are alive as well")
	return cmd
}

// brokerIDs reads what -b says.
func brokerIDs(text string) (ids []int64, err error) {
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil || id < 1 {
			return nil, wrongUsage("-b: %q is not the id of a broker: write numbers with ; between them", part)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func newGetControllerConfig(f *adminFlags) *cobra.Command {
	var o controllerOption
	cmd := &cobra.Command{
		Use:     "getControllerConfig",
		Short:   "Show the configuration that controllers run with",
		Long:    "Shows the configuration that each controller of -a runs with.",
		Example: "  gantry admin getControllerConfig -a 'localhost:9878;localhost:9879'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.atControllers(cmd, &o, func(ctx context.Context, s *session, controllers []client.Broker) error {
				answers, failed := askAll(controllers, func(server client.Broker) (map[string]string, error) {
					text, err := s.admin.ControllerConfig(ctx, server.Address)
					return valuesOf(text), err
				})
				return f.report(newServersView(answers, failed), len(answers), failed)
			})
		},
	}
	o.add(cmd)
	return cmd
}

func newUpdateControllerConfig(f *adminFlags) *cobra.Command {
	var o controllerOption
	var key, value string
	cmd := &cobra.Command{
		Use:   "updateControllerConfig",
		Short: "Change a setting of controllers that run",
		Long: `Changes a setting of every controller of -a while they run: name all of them, each has its own. They refuse keys that only count when they
start. See what there is with getControllerConfig.`,
		Example: "  gantry admin updateControllerConfig -a 'localhost:9878;localhost:9879' -k enableElectUncleanMaster -v true",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "key"), given(cmd, "value")); err != nil {
				return err
			}
			return f.atControllers(cmd, &o, func(ctx context.Context, s *session, controllers []client.Broker) error {
				done, failed := tellAll(controllers, func(server client.Broker) error {
					return s.admin.UpdateControllerConfig(ctx, server.Address, proto.ConfigText{{Key: key, Value: value}})
				})
				v := newDoneView(done, failed, "")
				v.last = fmt.Sprintf("update controller config success!%v\n%s : %s", done, key, value)
				return f.report(v, len(done), failed)
			})
		},
	}
	o.add(cmd)
	cmd.Flags().StringVarP(&key, "key", "k", "", "`name` of the setting; required")
	cmd.Flags().StringVarP(&value, "value", "v", "", "`value` it is to have; required")
	return cmd
}

// atControllers runs a command that speaks with every controller of -a.
func (f *adminFlags) atControllers(cmd *cobra.Command, o *controllerOption, run func(ctx context.Context, s *session, controllers []client.Broker) error) error {
	addresses, err := o.list(cmd)
	if err != nil {
		return err
	}
	controllers := make([]client.Broker, len(addresses))
	for i, address := range addresses {
		controllers[i].Address = address
	}
	return f.withNames(cmd, cmp.Or(f.names, os.Getenv("NAMESRV_ADDR"), o.address), func(ctx context.Context, s *session) error { return noController(run(ctx, s, controllers)) })
}
