package access

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// Kind is what a resource is (class ResourceType).
type Kind uint8

// The kinds. KindAny is only in rules: it stands for resources of every kind.
const (
	KindAny Kind = iota
	KindCluster
	KindNamespace
	KindTopic
	KindGroup
)

var kindNames = []string{"Any", "Cluster", "Namespace", "Topic", "Group"}

// String is the protocol's word.
func (k Kind) String() string { return kindNames[k] }

// Pattern says which names a rule is about (class ResourcePattern).
type Pattern uint8

// The patterns, from the one that says most on.
const (
	PatternLiteral Pattern = iota // the name itself
	PatternPrefix                 // names that begin with it
	PatternAny                    // all names
)

// Resource is something that rules are about, or that a request touches (class Resource). What a request touches is always literal.
type Resource struct {
	Kind    Kind
	Pattern Pattern
	Name    string // "" with PatternAny
}

// TopicResource is a topic. A retry topic belongs to its group.
func TopicResource(topic string) Resource {
	if proto.IsRetryTopic(topic) {
		return GroupResource(topic)
	}
	return Resource{Kind: KindTopic, Name: topic}
}

// GroupResource is a group, named by itself or by its retry topic.
func GroupResource(group string) Resource {
	return Resource{Kind: KindGroup, Name: strings.TrimPrefix(group, proto.RetryPrefix)}
}

// ClusterResource is a cluster, for everything that is about neither topics nor groups.
func ClusterResource(cluster string) Resource { return Resource{Kind: KindCluster, Name: cluster} }

// String is the resource as rules have it: "Topic:orders", "Group:bill*", "Cluster:*", "*".
func (r Resource) String() string {
	switch {
	case r.Kind == KindAny:
		return "*"
	case r.Pattern == PatternAny:
		return r.Kind.String() + ":*"
	case r.Pattern == PatternPrefix:
		return r.Kind.String() + ":" + r.Name + "*"
	}
	return r.Kind.String() + ":" + r.Name
}

// resourceMax bounds the text of a resource, in bytes: longer names do not exist.
const resourceMax = 1024

// ParseResource reads the resource of a rule. The error says what is wrong with it.
func ParseResource(text string) (Resource, error) {
	text = strings.TrimSpace(text)
	kind, name, found := strings.Cut(text, ":")
	switch {
	case text == "*":
		return Resource{Kind: KindAny, Pattern: PatternAny}, nil
	case len(text) > resourceMax:
		return Resource{}, fmt.Errorf("resource: %d bytes, at most %d are possible", len(text), resourceMax)
	case !found || name == "":
		return Resource{}, fmt.Errorf("resource %q: write Topic:name, Group:name or Cluster:name, a name that ends with * for all that begin so, or * for everything", text)
	}
	r := Resource{Name: name}
	for k := KindCluster; k <= KindGroup; k++ {
		if strings.EqualFold(kind, k.String()) {
			r.Kind = k
		}
	}
	if r.Kind == KindAny {
		return Resource{}, fmt.Errorf("resource %q: %q is none of %s", text, kind, strings.Join(kindNames[1:], ", "))
	}
	return r.withPattern(text)
}

func (r Resource) withPattern(text string) (Resource, error) {
	if r.Name == "*" {
		return Resource{Kind: r.Kind, Pattern: PatternAny}, nil
	}
	if prefix, ok := strings.CutSuffix(r.Name, "*"); ok {
		r.Name, r.Pattern = prefix, PatternPrefix
	}
	if r.Kind == KindGroup {
		r.Name = strings.TrimPrefix(r.Name, proto.RetryPrefix)
	}
	switch {
	case strings.Contains(r.Name, "*"):
		return Resource{}, fmt.Errorf("resource %q: * can only be the last character", text)
	case r.Name == "":
		return Resource{}, fmt.Errorf("resource %q: it has no name", text)
	case r.Kind == KindTopic && proto.IsRetryTopic(r.Name):
		return Resource{}, fmt.Errorf("resource %q: a retry topic is its group's: write Group:%s", text, strings.TrimPrefix(r.Name, proto.RetryPrefix))
	}
	return r, nil
}

// covers reports whether a rule about r is about what a request touches.
func (r Resource) covers(touched Resource) bool {
	switch {
	case r.Kind == KindAny:
		return true
	case r.Kind != touched.Kind:
		return false
	case r.Pattern == PatternPrefix:
		return strings.HasPrefix(touched.Name, r.Name)
	}
	return r.Pattern == PatternAny || r.Name == touched.Name
}

// compareResources puts first what says more: a kind before any kind, a literal name before prefixes, longer prefixes before shorter ones, and
// those before any name. Two different resources that cover the same name are never equal.
func compareResources(a, b Resource) int {
	anyKind := func(r Resource) int {
		if r.Kind == KindAny {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(anyKind(a), anyKind(b)),
		cmp.Compare(a.Pattern, b.Pattern),
		cmp.Compare(len(b.Name), len(a.Name)),
	)
}
