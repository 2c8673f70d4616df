package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/client"
)

// checkTopics wants of each topic that it can be sent to and read.
func checkTopics(x *examination) []finding {
	var found []finding
	for i := range x.topics {
		if f, bad := x.checkTopic(&x.topics[i]); bad {
			found = append(found, f)
		}
	}
	return orFine(found, "topics", "nothing is wrong with "+count(len(x.topics), "topic"))
}

func (x *examination) checkTopic(t *topicFacts) (f finding, bad bool) {
	switch {
	case errors.Is(t.err, client.ErrTopicNotFound):
		return finding{broken, "topics", fmt.Sprintf("%s is listed, but nobody knows where it is", t.name), "make it with updateTopic, or remove it with deleteTopic"}, true
	case t.err != nil:
		return finding{skipped, "topics", fmt.Sprintf("%s: %v", t.name, t.err), ""}, true
	}
	var write, read int32
	var mayWrite, mayRead bool
	for _, q := range t.route.Queues {
		write, read = write+q.WriteQueues, read+q.ReadQueues
		mayWrite = mayWrite || q.Perm.Writable() && q.WriteQueues > 0
		// A broker name that is wiped is reported as such.
		mayWrite = mayWrite || slices.Contains(x.wiped(), q.BrokerName)
		mayRead = mayRead || q.Perm.Readable() && q.ReadQueues > 0
	}
	switch {
	case write == 0 || read == 0:
		return finding{broken, "topics", fmt.Sprintf("%s has %d queues to send to and %d to read", t.name, write, read), "give it queues with updateTopic -r -w"}, true
	case !mayWrite:
		return finding{warning, "topics", t.name + " may not be sent to", "gantry admin updateTopicPerm -p 6, unless it is meant so, or start the masters of its brokers"}, true
	case !mayRead:
		return finding{warning, "topics", t.name + " may not be read", "gantry admin updateTopicPerm -p 6, unless it is meant so"}, true
	}
	return finding{}, false
}

// checkGroups finds groups that have messages to consume and nobody to do it.
func checkGroups(x *examination) []finding {
	var found []finding
	lags := x.lags()
	for _, group := range slices.Sorted(maps.Keys(lags)) {
		if x.members[group] == 0 {
			found = append(found, finding{warning, "groups", fmt.Sprintf("%s has %s to consume, and no member is online", group, count(int(lags[group]), "message")),
				"start its consumers; if it is not needed any more, deleteSubGroup -r true; if the messages are not, skipAccumulatedMessage"})
		}
	}
	return orFine(found, "groups", "none waits for consumers")
}
