package client

import (
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// This file puts namespaces into the names of topics and groups, and takes them out again (class NamespaceUtil).

// WithNamespace keeps the topics and groups of several applications apart ("namespace"): on their way to brokers, all names that this
// client is given get the namespace and a % in front, behind the prefixes %RETRY% and %DLQ% if they have one; what it returns and hands
// out has names without it. Names that have it already, and those of the system, stay as they are. Sent messages have the property
// INSTANCE_ID.
//
// Exceptions: an Admin returns names as brokers have them, but in messages, and strategies see such, as in Java; what a strategy returns may be either.
func WithNamespace(namespaceName string) Option {
	return option(func(c *config) { c.space = namespace(namespaceName) })
}

// WithNamespaceV2 tells servers with each request which namespace it is about ("namespaceV2", fields "nsd" and "ns"). Names stay as they
// are: servers keep them apart, if they know of namespaces; Gantry's do not.
func WithNamespaceV2(namespaceName string) Option {
	return option(func(c *config) { c.spaceV2 = namespaceName })
}

// Fields of WithNamespaceV2.
const (
	fieldNamespaced = "nsd"
	fieldNamespace  = "ns"
)

// namespace is what WithNamespace was given; "" does nothing.
type namespace string

// separator stands between a namespace and a name.
const separator = "%"

// systemGroupPrefix begins groups that are never in a namespace.
const systemGroupPrefix = "CID_RMQ_SYS_"

// isSystemName reports whether a name is the same in all namespaces.
func isSystemName(name string) bool {
	return proto.IsSystemTopic(name) || strings.HasPrefix(name, systemGroupPrefix)
}

// splitPrefix takes the prefix of a retry topic or a dead-letter topic off.
func splitPrefix(name string) (prefix, rest string) {
	switch {
	case proto.IsRetryTopic(name):
		return name[:len(proto.RetryPrefix)], name[len(proto.RetryPrefix):]
	case proto.IsDeadLetterTopic(name):
		return name[:len(proto.DeadLetterPrefix)], name[len(proto.DeadLetterPrefix):]
	}
	return "", name
}

// full is a name as brokers have it ("wrapNamespace"). It may be called with what it has returned.
func (n namespace) full(name string) string {
	if n == "" || name == "" || isSystemName(name) {
		return name
	}
	prefix, rest := splitPrefix(name)
	if strings.HasPrefix(rest, string(n)+separator) {
		return name
	}
	return prefix + string(n) + separator + rest
}

// bare is a name as the application has it ("withoutNamespace").
func (n namespace) bare(name string) string {
	if n == "" || isSystemName(name) {
		return name
	}
	prefix, rest := splitPrefix(name)
	if inside, found := strings.CutPrefix(rest, string(n)+separator); found {
		return prefix + inside
	}
	return name
}

func (n namespace) fullQueue(q Queue) Queue {
	q.Topic = n.full(q.Topic)
	return q
}

func (n namespace) bareQueue(q Queue) Queue {
	q.Topic = n.bare(q.Topic)
	return q
}

// bareQueues returns the same slice if there is nothing to change.
func (n namespace) bareQueues(queues []Queue) []Queue {
	if n == "" {
		return queues
	}
	queues = slices.Clone(queues)
	for i := range queues {
		queues[i] = n.bareQueue(queues[i])
	}
	return queues
}
