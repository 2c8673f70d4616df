package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// isQueueCount reports whether a text is a number of queues that a topic can have.
func isQueueCount(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n > 0 && n <= maxQueues
}

// permChangesView is the answer of updateTopicPerm.
type permChangesView struct {
	Topic   string       `json:"topic"`
	Brokers []permChange `json:"brokers"`
	Failed  failures     `json:"failed,omitempty"`
}

type permChange struct {
	Address  string `json:"address"`
	From     string `json:"from"` // such as RW-
	To       string `json:"to"`
	from, to proto.Perm
}

// write has the words of RocketMQ's tool, which scripts wait for.
func (v *permChangesView) write(out io.Writer, _ int) error {
	var text strings.Builder
	for _, c := range v.Brokers {
		if c.from == c.to {
			fmt.Fprintf(&text, "topic perm is %d already in %s.\n", c.to, c.Address)
			continue
		}
		fmt.Fprintf(&text, "update topic perm from %d to %d in %s success.\n", c.from, c.to, c.Address)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// topicClustersView is the answer of topicClusterList.
type topicClustersView struct {
	Topic    string   `json:"topic"`
	Clusters []string `json:"clusters"`
}

func (v *topicClustersView) write(out io.Writer, _ int) error {
	var text strings.Builder
	for _, cluster := range v.Clusters {
		text.WriteString(cluster + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// orderView is the answer of updateOrderConf.
type orderView struct {
	Topic     string `json:"topic"`
	OrderConf string `json:"orderConf"`
	Found     bool   `json:"found"` // there is one now
	method    string
}

// write has the words of RocketMQ's tool, which scripts wait for.
func (v *orderView) write(out io.Writer, _ int) error {
	verb := map[string]string{"get": "get", "put": "update", "delete": "delete"}[v.method]
	line := fmt.Sprintf("%s orderConf success. topic=[%s]", verb, v.Topic)
	if v.method != "delete" {
		line += fmt.Sprintf(", orderConf=[%s]", v.OrderConf)
	}
	_, err := io.WriteString(out, line+"\n")
	return err
}
