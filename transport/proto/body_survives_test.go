package proto

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gantrymq/gantry/transport/wire"
)

// bodySurvives checks that bodies of a type come back as they were written. fix brings a random
// body into the form that reading gives.
func bodySurvives[T any](t *testing.T, write func(*T) []byte, read func([]byte) (*T, error), fix func(*T)) {
	t.Helper()
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.Make[T]().Draw(r, "body")
		fix(&value)
		got, err := read(write(&value))
		require.NoError(r, err)
		require.Equal(r, &value, got)
	})
}

// tidy makes a list what comes out of a table: in order, each key once, nil if there is nothing.
func tidy[S any](values *[]S, compare func(a, b S) int) {
	slices.SortStableFunc(*values, compare)
	*values = slices.CompactFunc(*values, func(a, b S) bool { return compare(a, b) == 0 })
	if len(*values) == 0 {
		*values = nil
	}
}

// arrayed makes a list what comes out of an array: never nil.
func arrayed[S any](values *[]S) {
	if *values == nil {
		*values = []S{}
	}
}

func tabled(tables ...*map[string]string) {
	for _, table := range tables {
		if *table == nil {
			*table = map[string]string{}
		}
	}
}

func finite(numbers ...*float64) {
	for _, n := range numbers {
		if math.IsNaN(*n) || math.IsInf(*n, 0) {
			*n = 0
		}
	}
}

// within makes a random ordinal one of n, or unknown.
func within[E ~int8](value *E, n E) { *value = (*value%(n+1)+n+1)%(n+1) - 1 }

func fixSubscription(s *SubscriptionData) {
	s.ExpressionType = cmp.Or(s.ExpressionType, ExpressionSQL)
	s.Tags, s.TagHashes = append([]string(nil), s.Tags...), append([]int32(nil), s.TagHashes...)
}

func fixSubscriptions(subscriptions []SubscriptionData) {
	for i := range subscriptions {
		fixSubscription(&subscriptions[i])
	}
}

func fixConnection(c *Connection) { c.Language %= wire.LanguageNodeJS + 1 }

func fixNumbered(offsets *[]NumberedOffset) {
	tidy(offsets, func(a, b NumberedOffset) int { return cmp.Compare(a.Number, b.Number) })
}

func fixQueueOffsets(offsets *[]QueueOffset) {
	tidy(offsets, func(a, b QueueOffset) int { return a.Queue.Compare(b.Queue) })
}

func fixConsumeStats(s *ConsumeStats) {
	finite(&s.ConsumedPerSecond)
	tidy(&s.Queues, func(a, b QueueProgress) int { return a.Queue.Compare(b.Queue) })
}

func TestBodiesAboutMembersSurvive(t *testing.T) {
	t.Run("LockBatch", func(t *testing.T) {
		bodySurvives(t, (*LockBatch).Marshal, UnmarshalLockBatch, func(b *LockBatch) { arrayed(&b.Queues) })
	})
	t.Run("LockBatchResponse", func(t *testing.T) {
		bodySurvives(t, (*LockBatchResponse).Marshal, UnmarshalLockBatchResponse, func(b *LockBatchResponse) { arrayed(&b.Queues) })
	})
	t.Run("ConsumerConnection", func(t *testing.T) {
		bodySurvives(t, (*ConsumerConnection).Marshal, UnmarshalConsumerConnection, func(c *ConsumerConnection) {
			within(&c.ConsumeType, 3)
			within(&c.Model, 2)
			within(&c.From, 6)
			arrayed(&c.Members)
			for i := range c.Members {
				fixConnection(&c.Members[i])
			}
			fixSubscriptions(c.Subscriptions)
			tidy(&c.Subscriptions, func(a, b SubscriptionData) int { return strings.Compare(a.Topic, b.Topic) })
		})
	})
	t.Run("ProducerTable", func(t *testing.T) {
		bodySurvives(t, (*ProducerTable).Marshal, UnmarshalProducerTable, func(p *ProducerTable) {
			tidy(&p.Groups, func(a, b ProducerGroup) int { return strings.Compare(a.Group, b.Group) })
			for i := range p.Groups {
				arrayed(&p.Groups[i].Members)
				for j := range p.Groups[i].Members {
					fixConnection(&p.Groups[i].Members[j].Connection)
				}
			}
		})
	})
	t.Run("ConsumerRunningInfo", func(t *testing.T) {
		bodySurvives(t, (*ConsumerRunningInfo).Marshal, UnmarshalConsumerRunningInfo, fixRunningInfo)
	})
	t.Run("ConsumeMessageDirectlyResult", func(t *testing.T) {
		bodySurvives(t, (*ConsumeMessageDirectlyResult).Marshal, UnmarshalConsumeMessageDirectlyResult,
			func(c *ConsumeMessageDirectlyResult) { within(&c.Result, 6) })
	})
}

func fixRunningInfo(i *ConsumerRunningInfo) {
	tabled(&i.Properties, &i.UserInfo)
	arrayed(&i.Subscriptions)
	fixSubscriptions(i.Subscriptions)
	tidy(&i.Queues, func(a, b ProcessQueueInfo) int { return a.Queue.Compare(b.Queue) })
	tidy(&i.PopQueues, func(a, b PopProcessQueueInfo) int { return a.Queue.Compare(b.Queue) })
	tidy(&i.Rates, func(a, b ConsumeRates) int { return strings.Compare(a.Topic, b.Topic) })
	for n := range i.Rates {
		r := &i.Rates[n]
		finite(&r.PullMillis, &r.PulledPerSecond, &r.ConsumeMillis, &r.ConsumedPerSecond, &r.FailedPerSecond)
	}
}

func TestBodiesAboutOffsetsSurvive(t *testing.T) {
	t.Run("ConsumeStats", func(t *testing.T) {
		for _, form := range []Form{FormFastJSON, FormStrict} {
			bodySurvives(t, func(s *ConsumeStats) []byte { return s.Marshal(form) }, UnmarshalConsumeStats, fixConsumeStats)
		}
	})
	t.Run("ConsumeStatsList", func(t *testing.T) {
		bodySurvives(t, func(l *ConsumeStatsList) []byte { return l.Marshal(FormFastJSON) }, UnmarshalConsumeStatsList, func(l *ConsumeStatsList) {
			l.Groups = append([]GroupConsumeStats(nil), l.Groups...)
			for i := range l.Groups {
				arrayed(&l.Groups[i].Stats)
				for j := range l.Groups[i].Stats {
					fixConsumeStats(&l.Groups[i].Stats[j])
				}
			}
		})
	})
	t.Run("ConsumerStatus", func(t *testing.T) {
		bodySurvives(t, (*ConsumerStatus).Marshal, UnmarshalConsumerStatus, func(s *ConsumerStatus) {
			fixQueueOffsets(&s.Queues)
			tidy(&s.Members, func(a, b MemberStatus) int { return strings.Compare(a.ClientID, b.ClientID) })
			for i := range s.Members {
				fixQueueOffsets(&s.Members[i].Queues)
			}
		})
	})
	t.Run("ConsumerOffsetTable", func(t *testing.T) {
		bodySurvives(t, (*ConsumerOffsetTable).Marshal, UnmarshalConsumerOffsetTable, func(o *ConsumerOffsetTable) {
			unset(&o.Version)
			key := func(g GroupOffsets) string { return g.Topic + "@" + g.Group }
			for i := range o.Entries {
				o.Entries[i].Topic = strings.ReplaceAll(o.Entries[i].Topic, "@", "")
				fixNumbered(&o.Entries[i].Offsets)
			}
			tidy(&o.Entries, func(a, b GroupOffsets) int { return strings.Compare(key(a), key(b)) })
		})
	})
	t.Run("DelayOffsetTable", func(t *testing.T) {
		bodySurvives(t, (*DelayOffsetTable).Marshal, UnmarshalDelayOffsetTable, func(d *DelayOffsetTable) {
			unset(&d.Version)
			fixNumbered(&d.Levels)
		})
	})
	t.Run("CorrectionOffsets", func(t *testing.T) {
		bodySurvives(t, (*CorrectionOffsets).Marshal, UnmarshalCorrectionOffsets, func(c *CorrectionOffsets) { fixNumbered(&c.Queues) })
	})
	t.Run("ConsumeTimeSpans", func(t *testing.T) {
		bodySurvives(t, (*ConsumeTimeSpans).Marshal, UnmarshalConsumeTimeSpans, func(s *ConsumeTimeSpans) { arrayed(&s.Spans) })
	})
	t.Run("ConsumeQueuePart", func(t *testing.T) {
		bodySurvives(t, (*ConsumeQueuePart).Marshal, UnmarshalConsumeQueuePart, func(p *ConsumeQueuePart) {
			if p.Subscription != nil {
				fixSubscription(p.Subscription)
			}
		})
	})
	t.Run("BrokerStatsData", func(t *testing.T) {
		bodySurvives(t, (*BrokerStatsData).Marshal, UnmarshalBrokerStatsData, func(d *BrokerStatsData) {
			for _, item := range []*BrokerStatsItem{&d.Minute, &d.Hour, &d.Day} {
				finite(&item.PerSecond, &item.PerCall)
			}
		})
	})
}

func fixGroup(g *SubscriptionGroupConfig) {
	tabled(&g.Attributes)
	g.RetryPolicy.Type &= RetryCustomized
	unset(&g.RetryPolicy.Exponential)
	unset(&g.RetryPolicy.Customized)
	if g.RetryPolicy.Customized.Set {
		arrayed(&g.RetryPolicy.Customized.Value)
	}
}

func TestBodiesAboutSettingsSurvive(t *testing.T) {
	t.Run("SubscriptionGroupTable", func(t *testing.T) {
		bodySurvives(t, (*SubscriptionGroupTable).Marshal, UnmarshalSubscriptionGroupTable, func(s *SubscriptionGroupTable) {
			for i := range s.Groups {
				fixGroup(&s.Groups[i])
			}
			tidy(&s.Groups, func(a, b SubscriptionGroupConfig) int { return strings.Compare(a.Name, b.Name) })
			tidy(&s.Forbidden, func(a, b ForbiddenPerm) int {
				return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Topic, b.Topic))
			})
		})
	})
	t.Run("GroupSubscription", func(t *testing.T) {
		bodySurvives(t, (*GroupSubscription).Marshal, UnmarshalGroupSubscription, func(g *GroupSubscription) {
			if g.Subscription != nil {
				fixSubscription(g.Subscription)
			}
		})
	})
	t.Run("ClientConfigCheck", func(t *testing.T) {
		bodySurvives(t, (*ClientConfigCheck).Marshal, UnmarshalClientConfigCheck, func(c *ClientConfigCheck) {
			if c.Subscription != nil {
				fixSubscription(c.Subscription)
			}
		})
	})
	t.Run("SetMessageRequestMode", func(t *testing.T) {
		bodySurvives(t, (*SetMessageRequestMode).Marshal, UnmarshalSetMessageRequestMode, func(m *SetMessageRequestMode) { m.Mode &= ModePop })
	})
	t.Run("QueryAssignment", func(t *testing.T) {
		bodySurvives(t, (*QueryAssignment).Marshal, UnmarshalQueryAssignment, func(q *QueryAssignment) { within(&q.Model, 2) })
	})
	t.Run("Assignment", func(t *testing.T) {
		bodySurvives(t, (*Assignment).Marshal, UnmarshalAssignment, func(a *Assignment) {
			unset(&a.Queues)
			if a.Queues.Set {
				arrayed(&a.Queues.Value)
			}
			for i := range a.Queues.Value {
				q := &a.Queues.Value[i]
				q.Mode &= ModePop
				if len(q.Attachments) == 0 {
					q.Attachments = nil
				}
			}
		})
	})
	t.Run("BatchAckMessage", func(t *testing.T) {
		bodySurvives(t, (*BatchAckMessage).Marshal, UnmarshalBatchAckMessage, func(b *BatchAckMessage) {
			arrayed(&b.Acks)
			for i := range b.Acks {
				arrayed(&b.Acks[i].Bits)
			}
		})
	})
}
