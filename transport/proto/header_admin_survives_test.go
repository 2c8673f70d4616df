package proto

import (
	"slices"
	"strings"
	"testing"
)

// joinable leaves out what a joined list cannot hold.
func joinable(values *[]string, separator string) {
	*values = slices.DeleteFunc(*values, func(s string) bool { return s == "" || strings.Contains(s, separator) })
	if len(*values) == 0 {
		*values = nil
	}
}

func TestHeadersOfConsumersSurviveAFrame(t *testing.T) {
	t.Run("ConsumerSendMessageBack", func(t *testing.T) {
		survives(t, func(h *ConsumerSendMessageBack) { unset(&h.RedeliveriesMax) })
	})
	t.Run("EndTransaction", func(t *testing.T) { survives[EndTransaction](t, nil) })
	t.Run("CheckTransactionState", func(t *testing.T) { survives[CheckTransactionState](t, nil) })
	t.Run("RecallMessage", func(t *testing.T) { survives[RecallMessage](t, nil) })
	t.Run("RecallMessageResponse", func(t *testing.T) { survives[RecallMessageResponse](t, nil) })
	t.Run("PushReplyMessage", func(t *testing.T) { survives[PushReplyMessage](t, nil) })
	t.Run("PopMessage", func(t *testing.T) { survives[PopMessage](t, nil) })
	t.Run("PopMessageResponse", func(t *testing.T) { survives[PopMessageResponse](t, nil) })
	t.Run("AckMessage", func(t *testing.T) { survives[AckMessage](t, nil) })
	t.Run("ChangeMessageInvisibleTime", func(t *testing.T) { survives[ChangeMessageInvisibleTime](t, nil) })
	t.Run("ChangeMessageInvisibleTimeResponse", func(t *testing.T) { survives[ChangeMessageInvisibleTimeResponse](t, nil) })
	t.Run("Notification", func(t *testing.T) { survives[Notification](t, nil) })
	t.Run("NotificationResponse", func(t *testing.T) { survives[NotificationResponse](t, nil) })
}

func TestHeadersOfToolsSurviveAFrame(t *testing.T) {
	t.Run("ResetOffset", func(t *testing.T) {
		survives(t, func(h *ResetOffset) {
			h.QueueID.Set = h.QueueID.Set && h.QueueID.Value >= 0
			unset(&h.QueueID)
			unset(&h.Offset)
		})
	})
	t.Run("GetConsumerStatus", func(t *testing.T) { survives[GetConsumerStatus](t, nil) })
	t.Run("CloneGroupOffset", func(t *testing.T) { survives[CloneGroupOffset](t, nil) })
	t.Run("QueryCorrectionOffset", func(t *testing.T) {
		survives(t, func(h *QueryCorrectionOffset) { joinable(&h.IgnoredGroups, ",") })
	})
	t.Run("GetConsumerConnectionList", func(t *testing.T) { survives[GetConsumerConnectionList](t, nil) })
	t.Run("GetProducerConnectionList", func(t *testing.T) { survives[GetProducerConnectionList](t, nil) })
	t.Run("GetConsumerRunningInfo", func(t *testing.T) { survives[GetConsumerRunningInfo](t, nil) })
	t.Run("ConsumeMessageDirectly", func(t *testing.T) {
		survives(t, func(h *ConsumeMessageDirectly) { unset(&h.TopicSysFlags, &h.GroupSysFlags) })
	})
	t.Run("GetConsumeStats", func(t *testing.T) {
		survives(t, func(h *GetConsumeStats) { joinable(&h.Topics, ";") })
	})
	t.Run("GetBrokerConsumeStats", func(t *testing.T) { survives[GetBrokerConsumeStats](t, nil) })
	t.Run("QueryTopicConsumeByWho", func(t *testing.T) { survives[QueryTopicConsumeByWho](t, nil) })
	t.Run("QueryTopicsByConsumer", func(t *testing.T) { survives[QueryTopicsByConsumer](t, nil) })
	t.Run("QuerySubscriptionByConsumer", func(t *testing.T) { survives[QuerySubscriptionByConsumer](t, nil) })
	t.Run("QueryConsumeTimeSpan", func(t *testing.T) { survives[QueryConsumeTimeSpan](t, nil) })
	t.Run("QueryConsumeQueue", func(t *testing.T) { survives[QueryConsumeQueue](t, nil) })
	t.Run("ViewBrokerStatsData", func(t *testing.T) { survives[ViewBrokerStatsData](t, nil) })
	t.Run("DeleteSubscriptionGroup", func(t *testing.T) { survives[DeleteSubscriptionGroup](t, nil) })
	t.Run("GetSubscriptionGroupConfig", func(t *testing.T) { survives[GetSubscriptionGroupConfig](t, nil) })
	t.Run("GetTopicConfig", func(t *testing.T) {
		survives(t, func(h *GetTopicConfig) { unset(&h.Logical) })
	})
	t.Run("GetAllTopicConfig", func(t *testing.T) {
		survives(t, func(h *GetAllTopicConfig) {
			unset(&h.First, &h.Max)
			unset(&h.Version)
		})
	})
	t.Run("GetAllTopicConfigResponse", func(t *testing.T) {
		survives(t, func(h *GetAllTopicConfigResponse) { unset(&h.Total) })
	})
	t.Run("GetAllSubscriptionGroupConfig", func(t *testing.T) {
		survives(t, func(h *GetAllSubscriptionGroupConfig) {
			unset(&h.First, &h.Max)
			unset(&h.Version)
		})
	})
	t.Run("GetAllSubscriptionGroupConfigResponse", func(t *testing.T) {
		survives(t, func(h *GetAllSubscriptionGroupConfigResponse) { unset(&h.Total) })
	})
}
