package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

// target is the brokers that a command is for: one, or those of a cluster.
type target struct{ broker, cluster string }

// add adds the options -b and -c. The long name of the latter differs between commands, as in RocketMQ's tool.
func (t *target) add(cmd *cobra.Command, clusterOption, does string) {
	cmd.Flags().StringVarP(&t.broker, "brokerAddr", "b", "", does+" the broker with this `address`, host:port")
	cmd.Flags().StringVarP(&t.cluster, clusterOption, "c", "", does+" all brokers of this `cluster`")
}

// members finds the brokers of the target; masters leaves slaves out. An address is taken as it is, so that brokers
// can be asked that no name server knows.
func (t *target) members(ctx context.Context, s *session, masters bool) ([]client.Broker, error) {
	if t.broker != "" {
		return []client.Broker{{Address: t.broker}}, nil
	}
	brokers, err := s.admin.Brokers(ctx, t.cluster)
	if err != nil || !masters {
		return brokers, err
	}
	return keepMasters(brokers)
}

func keepMasters(brokers []client.Broker) ([]client.Broker, error) {
	var masters []client.Broker
	for _, b := range brokers {
		if b.IsMaster() {
			masters = append(masters, b)
		}
	}
	if len(masters) == 0 {
		return nil, fmt.Errorf("%w: there is no master", client.ErrNoBroker)
	}
	return masters, nil
}

// brokerAnswer is what one broker answered.
type brokerAnswer[T any] struct {
	broker client.Broker
	value  T
}

// askedAtOnce bounds the brokers that are asked at the same time. One that is silent takes seconds.
const askedAtOnce = 8

// askAll asks brokers. One that fails does not keep the others from being asked. Answers and failures are in the order of the
// brokers.
func askAll[T any](brokers []client.Broker, ask func(client.Broker) (T, error)) (answers []brokerAnswer[T], failed failures) {
	values, errs := make([]T, len(brokers)), make([]error, len(brokers))
	room := make(chan struct{}, askedAtOnce)
	var all sync.WaitGroup
	for i, broker := range brokers {
		all.Go(func() {
			room <- struct{}{}
			values[i], errs[i] = ask(broker)
			<-room
		})
	}
	all.Wait()
	for i, broker := range brokers {
		if errs[i] != nil {
			failed = append(failed, brokerFailure{Broker: broker.Name, Address: broker.Address, Error: errs[i].Error(), err: errs[i]})
			continue
		}
		answers = append(answers, brokerAnswer[T]{broker, values[i]})
	}
	return answers, failed
}

// tellAll is askAll for changes, which have no answer but that they are made.
func tellAll(brokers []client.Broker, tell func(client.Broker) error) (done []string, failed failures) {
	answers, failed := askAll(brokers, func(b client.Broker) (struct{}, error) { return struct{}{}, tell(b) })
	for _, a := range answers {
		done = append(done, a.broker.Address)
	}
	return done, failed
}

// brokerFailure is a broker or a name server that did not do what was asked.
type brokerFailure struct {
	Broker  string `json:"broker,omitempty"`
	Address string `json:"address"`
	Error   string `json:"error"`
	err     error
}

// failures are those of one command.
type failures []brokerFailure

// because is nil if nobody failed. If some others did what was asked it has an exit code of its own.
func (f failures) because(done int) error {
	if len(f) == 0 {
		return nil
	}
	cause := &brokersFailed{f, done + len(f)}
	if done == 0 {
		return cause
	}
	return &failure{cause: cause, code: exitPartly, advice: "repeat the command once all of them can do it"}
}

// brokersFailed is the error of failures.
type brokersFailed struct {
	failures
	total int
}

// Error has a line for each, unless there was only one to ask.
func (b *brokersFailed) Error() string {
	if b.total == 1 {
		return b.failures[0].err.Error()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d of %d failed", len(b.failures), b.total)
	for _, f := range b.failures {
		fmt.Fprintf(&text, "\n  %s: %v", strings.TrimSpace(f.Broker+" "+f.Address), f.err)
	}
	return text.String()
}

// Unwrap returns the errors of all.
func (b *brokersFailed) Unwrap() []error {
	var all []error
	for _, f := range b.failures {
		all = append(all, f.err)
	}
	return all
}

// report shows what was done, and fails if not all did it.
func (f *adminFlags) report(v view, done int, failed failures) error {
	var shown error
	if done > 0 || f.asJSON {
		shown = f.show(v)
	}
	return errors.Join(failed.because(done), shown)
}
