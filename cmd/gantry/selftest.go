package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"go.uber.org/zap"
)

// The self-test sends so many messages, so many at once.
const (
	selfTestMessages = 1000
	selfTestSenders  = 16
	selfTestQueues   = 4
	selfTestCluster  = "DefaultCluster"
	selfTestTopic    = "gantry-self-test"
	selfTestTimeout  = 30 * time.Second
)

// selfTestResult is how long it took to store all messages, and to read all.
type selfTestResult struct{ sending, reading time.Duration }

// String tells both rates.
func (r selfTestResult) String() string {
	rate := func(d time.Duration) int { return int(selfTestMessages / max(d.Seconds(), 1e-6)) }
	return fmt.Sprintf("%d messages stored in %v (%d a second) and read back in %v (%d a second)",
		selfTestMessages, r.sending.Round(time.Millisecond), rate(r.sending), r.reading.Round(time.Millisecond), rate(r.reading))
}

// selfTest makes a topic, passes messages through it, compares what comes out with what went in,
// and deletes the topic.
func selfTest(ctx context.Context, secrets *osenv.ClientTLS, who signature.Credentials, nameServers string, log *zap.Logger) (result selfTestResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, selfTestTimeout)
	defer cancel()
	session, err := newSessionOver(secrets, who, nameServers, log)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, session.close()) }()
	if err := session.makeTopic(ctx, selfTestCluster, selfTestConfig()); err != nil {
		return result, fmt.Errorf("the self-test could not make its topic: %w", err)
	}
	began := time.Now()
	sent, err := sendAll(ctx, session)
	if err != nil {
		return result, fmt.Errorf("the self-test could not send: %w", err)
	}
	result.sending, began = time.Since(began), time.Now()
	if err := readAll(ctx, session, sent); err != nil {
		return result, fmt.Errorf("the self-test could not read what it had sent: %w", err)
	}
	result.reading = time.Since(began)
	if err := session.admin.DeleteTopic(ctx, selfTestCluster, selfTestTopic); err != nil {
		return result, fmt.Errorf("the self-test could not delete its topic: %w", err)
	}
	return result, nil
}

func selfTestConfig() client.TopicConfig {
	topic := proto.NewTopicConfig(selfTestTopic)
	topic.ReadQueues, topic.WriteQueues = selfTestQueues, selfTestQueues
	return topic
}

// slot is where a message of the self-test was stored.
type slot struct {
	queue  client.Queue
	offset client.QueueOffset
}

// sendAll sends from several goroutines, and returns the body at each place.
func sendAll(ctx context.Context, s *session) (map[slot][]byte, error) {
	producer, err := s.producer(toolsProducer)
	if err != nil {
		return nil, err
	}
	var all sync.WaitGroup
	var mutex sync.Mutex
	var failed error
	sent := map[slot][]byte{}
	for sender := range selfTestSenders {
		all.Go(func() {
			for i := sender; i < selfTestMessages; i += selfTestSenders {
				body := fmt.Appendf(nil, "message %d of the self-test", i)
				result, err := producer.Send(ctx, client.NewMessage(selfTestTopic, body))
				mutex.Lock()
				sent[slot{result.Queue, result.QueueOffset}] = body
				failed = errors.Join(failed, err)
				mutex.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return sent, errors.Join(failed, leave(producer))
}

// errSelfTest: something else came out than went in.
var errSelfTest = errors.New("the messages that came back are not those that were sent")

// readAll pulls each queue from the first message that was sent to the last.
func readAll(ctx context.Context, s *session, sent map[slot][]byte) error {
	consumer, err := s.pullConsumer(proto.ToolsConsumerGroup)
	if err != nil {
		return err
	}
	for queue, r := range ranges(sent) {
		for r.from < r.to && err == nil {
			r.from, err = readOnce(ctx, consumer, queue, r.from, sent)
		}
		if err != nil {
			break
		}
	}
	if err == nil && len(sent) > 0 {
		err = fmt.Errorf("%w: %d are missing", errSelfTest, len(sent))
	}
	return errors.Join(err, leave(consumer))
}

// offsets is a part of a queue, to exclusive.
type offsets struct{ from, to client.QueueOffset }

func ranges(sent map[slot][]byte) map[client.Queue]offsets {
	all := map[client.Queue]offsets{}
	for p := range sent {
		r, known := all[p.queue]
		if !known {
			r = offsets{p.offset, p.offset}
		}
		all[p.queue] = offsets{min(r.from, p.offset), max(r.to, p.offset+1)}
	}
	return all
}

// readOnce pulls some messages, strikes them off, and returns where to go on.
func readOnce(ctx context.Context, consumer *client.PullConsumer, queue client.Queue, from client.QueueOffset, sent map[slot][]byte) (client.QueueOffset, error) {
	pulled, err := consumer.Pull(ctx, queue, from, 32)
	if err != nil {
		return from, err
	}
	for _, m := range pulled.Messages {
		at := slot{queue, m.Offset}
		if !bytes.Equal(sent[at], m.Body) {
			return from, fmt.Errorf("%w: %s", errSelfTest, m)
		}
		delete(sent, at)
	}
	return pulled.Next, nil
}
