// Official is Apache's client for Go as a peer of the interop tests: `official producer SETTINGS` and
// `official consumer SETTINGS`. Package interop says what the settings are, what is read and what is printed.
//
// It is a module of its own, so that Gantry's go.mod does not get the client's dependencies.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

func main() {
	rlog.SetLogLevel("warn")
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("want a role and settings")
	}
	var s settings
	if err := json.Unmarshal([]byte(arguments[1]), &s); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	switch arguments[0] {
	case "producer":
		return produce(s)
	case "consumer":
		return consume(s)
	}
	return fmt.Errorf("%q is not a role: want producer or consumer", arguments[0])
}

type settings struct {
	NameServers []string
	Endpoint    string
	Group       string
	Topic       string
	Expression  string
}

type order struct {
	Number     int
	Topic      string
	Tag        string
	Keys       []string
	Properties map[string]string
	Body       []byte
}

type outcome struct {
	Number   int    `json:"number"`
	Error    string `json:"error,omitempty"`
	Status   string `json:"status,omitempty"`
	UniqueID string `json:"uniqueId"`
	OffsetID string `json:"offsetId"`
	Broker   string `json:"broker"`
	Queue    int    `json:"queue"`
	Offset   int64  `json:"offset"`
}

type delivery struct {
	Topic        string            `json:"topic"`
	Tag          string            `json:"tag"`
	Keys         []string          `json:"keys"`
	Properties   map[string]string `json:"properties"`
	Body         []byte            `json:"body"`
	OffsetID     string            `json:"offsetId"`
	Broker       string            `json:"broker"`
	Queue        int               `json:"queue"`
	Offset       int64             `json:"offset"`
	UserFlags    int32             `json:"userFlags"`
	Redeliveries int32             `json:"redeliveries"`
}

type report struct {
	Ready    bool      `json:"ready,omitempty"`
	Outcome  *outcome  `json:"outcome,omitempty"`
	Delivery *delivery `json:"delivery,omitempty"`
}

var printing sync.Mutex

// print writes one line. Sends and deliveries happen side by side.
func (r report) print() {
	printing.Lock()
	defer printing.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
