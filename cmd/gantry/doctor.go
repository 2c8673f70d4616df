package main

import (
	"cmp"
	"slices"

	"github.com/gantrymq/gantry/transport/proto"
)

// level is how bad a finding is.
type level string

// The levels, and what they mean for the exit code.
const (
	fine    level = "ok"      // nothing is wrong
	skipped level = "skipped" // it could not be looked at
	warning level = "warning" // it may hurt
	broken  level = "error"   // it hurts now
)

// finding is what one check found.
type finding struct {
	level level
	check string // what was looked at, such as "clocks"
	what  string // a sentence without a full stop
	fix   string // what to do about it; "" if nothing is to be done
}

// findings of all checks, in an order in which what is found first may be the cause of the rest.
func (x *examination) findings() []finding {
	var all []finding
	checks := []func(*examination) []finding{
		checkNameServers, checkAgreement, checkMasters, checkReachable, checkIdentity, checkClocks, checkDisks, checkHealth, checkControllers, checkCopies,
		checkPermissions, checkTopics, checkGroups,
	}
	if len(x.brokers) == 0 {
		// The rest is about brokers.
		checks = checks[:3]
	}
	for _, check := range checks {
		all = append(all, check(x)...)
	}
	return append(all, x.skipped...)
}

// orFine says that a check found nothing.
func orFine(found []finding, check, what string) []finding {
	if len(found) > 0 {
		return found
	}
	return []finding{{level: fine, check: check, what: what}}
}

// isOwnTopic reports whether a topic belongs to brokers or groups rather than to applications.
func (x *examination) isOwnTopic(name string) bool {
	if proto.IsSystemTopic(name) || proto.IsRetryTopic(name) || proto.IsDeadLetterTopic(name) {
		return true
	}
	return slices.ContainsFunc(x.brokers, func(b brokerFacts) bool {
		return name == b.Name || name == b.Cluster || name == proto.ReplyTopic(b.Cluster)
	})
}

// lags tells how many messages each group has still to consume, at all masters. Groups without any, and those of the system, are left
// out.
func (x *examination) lags() map[string]int64 {
	lags := map[string]int64{}
	for i := range x.brokers {
		if x.brokers[i].stats == nil {
			continue
		}
		for _, group := range x.brokers[i].stats.Groups {
			var behind int64
			for j := range group.Stats {
				behind += group.Stats[j].Behind()
			}
			if behind > 0 && !proto.IsSystemGroup(group.Group) {
				lags[group.Group] += behind
			}
		}
	}
	return lags
}

// answering are the brokers that answer.
func (x *examination) answering() []*brokerFacts {
	var brokers []*brokerFacts
	for i := range x.brokers {
		if x.brokers[i].err == nil {
			brokers = append(brokers, &x.brokers[i])
		}
	}
	return brokers
}

// setting is a value of the broker's configuration, or a default.
func (b *brokerFacts) setting(key, otherwise string) string { return cmp.Or(b.config[key], otherwise) }
