package access

import (
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// class says how much a request matters.
type class uint8

const (
	// classClient: clients work with it. ACL 1.0 checks what it needs of PUB and SUB.
	classClient class = iota
	// classLook only looks. ACL 1.0 lets every account.
	classLook
	// classInner is among servers. ACL 1.0 wants an account with admin: true.
	classInner
	// classChange changes something for others. ACL 1.0 wants an account with admin: true, and the audit log has it also if it was allowed.
	classChange
)

// demand is what a request code needs.
type demand struct {
	class class
	// gather adds the needs of one request; nil: every account may. The error says what cannot be read.
	gather func(n *needs, command *wire.Command) error
}

// demands are those of all request codes that brokers and name servers have, as DefaultAuthorizationContextBuilder and the annotations of header
// classes have them. A code that is missing here is for super users only.
//
// In some places Java's broker checks nothing but the signature, or not what the request is really about; there a request needs more here. Each
// such row says "stricter". Where a row says "also", something more is enough.
var demands = map[int32]demand{
	proto.ReqSendMessage:             {classClient, sends("topic")},
	proto.ReqSendMessageV2:           {classClient, sends("b")},
	proto.ReqSendBatchMessage:        {classClient, sends("b")},
	proto.ReqSendReplyMessage:        {classClient, replies("topic")}, // stricter: other topics than those of replies
	proto.ReqSendReplyMessageV2:      {classClient, replies("b")},     // stricter: likewise
	proto.ReqConsumerSendMessageBack: {classClient, all(group("group", ActionSub), topicIf("originTopic", ActionSub))},
	// The broker asks for the right to send to the topic of the half message, once it has read it. The topic of the header is none to go by: the Java
	// client says it without its namespace, or says that of all half messages, and before 5.0 says nothing.
	proto.ReqEndTransaction: {classClient, nil}, // stricter
	proto.ReqRecallMessage:  {classClient, topic("topic", ActionPub)},

	proto.ReqPullMessage:                {classClient, consumes("consumerGroup", ActionSub)},
	proto.ReqLitePullMessage:            {classClient, consumes("consumerGroup", ActionSub)}, // stricter: as PULL_MESSAGE
	proto.ReqHeartbeat:                  {classClient, heartbeat},
	proto.ReqUnregisterClient:           {classClient, groupIf("consumerGroup", ActionSub)},
	proto.ReqGetConsumerListByGroup:     {classClient, group("consumerGroup", ActionSub|ActionGet)},
	proto.ReqCheckClientConfig:          {classLook, nil},
	proto.ReqUpdateConsumerOffset:       {classClient, consumes("consumerGroup", ActionSub|ActionUpdate)},
	proto.ReqQueryConsumerOffset:        {classLook, consumes("consumerGroup", ActionSub|ActionGet)},
	proto.ReqLockBatchQueues:            {classClient, locks},
	proto.ReqUnlockBatchQueues:          {classClient, locks},
	proto.ReqQueryAssignment:            {classClient, assignment}, // stricter
	proto.ReqPopMessage:                 {classClient, consumes("consumerGroup", ActionSub)},
	proto.ReqPeekMessage:                {classClient, consumes("consumerGroup", ActionSub)},
	proto.ReqNotification:               {classClient, consumes("consumerGroup", ActionSub)},
	proto.ReqPollingInfo:                {classLook, consumes("consumerGroup", ActionGet)},
	proto.ReqAckMessage:                 {classClient, acknowledges},
	proto.ReqChangeMessageInvisibleTime: {classClient, acknowledges},
	proto.ReqBatchAckMessage:            {classClient, acknowledgesMany}, // stricter
	proto.ReqPopRollback:                {classChange, cluster(ActionUpdate)},

	// Who may read a topic may also see how far it reaches: consumers ask for it before they begin.
	proto.ReqSearchOffsetByTimestamp:     {classLook, topic("topic", ActionGet|ActionSub)}, // also Sub
	proto.ReqGetMaxOffset:                {classLook, topic("topic", ActionGet|ActionSub)}, // also Sub
	proto.ReqGetMinOffset:                {classLook, topic("topic", ActionGet|ActionSub)}, // also Sub
	proto.ReqGetEarliestMessageStoreTime: {classLook, topic("topic", ActionGet)},
	proto.ReqQueryMessage:                {classClient, topic("topic", ActionSub|ActionGet)},
	proto.ReqViewMessageByID:             {classLook, topicIf("topic", ActionGet)}, // stricter: the broker also looks at the topic of what it finds
	proto.ReqQueryConsumeQueue:           {classLook, all(topic("topic", ActionGet), groupIf("consumerGroup", ActionGet))},

	proto.ReqUpdateAndCreateTopic:       {classChange, topic("topic", ActionCreate)},
	proto.ReqUpdateAndCreateStaticTopic: {classChange, topic("topic", ActionCreate)},
	proto.ReqUpdateAndCreateTopicList:   {classChange, topicList}, // stricter
	proto.ReqDeleteTopicInBroker:        {classChange, topic("topic", ActionDelete)},
	proto.ReqGetAllTopicConfig:          {classLook, nil},
	proto.ReqGetTopicConfig:             {classLook, topic("topic", ActionGet)},
	proto.ReqGetTopicStatsInfo:          {classLook, topic("topic", ActionGet)},
	// GET_SYSTEM_TOPIC_LIST_FROM_BROKER and its like tell names only.
	proto.ReqGetSystemTopicListFromBroker: {classLook, nil},

	proto.ReqUpdateAndCreateSubscriptionGroup:     {classChange, groupConfig}, // stricter
	proto.ReqUpdateAndCreateSubscriptionGroupList: {classChange, groupList},   // stricter
	proto.ReqDeleteSubscriptionGroup:              {classChange, group("groupName", ActionDelete)},
	proto.ReqGetAllSubscriptionGroupConfig:        {classLook, nil},
	proto.ReqGetSubscriptionGroupConfig:           {classLook, group("group", ActionGet)},
	proto.ReqUpdateAndGetGroupForbidden:           {classChange, all(topic("topic", ActionUpdate), group("group", ActionUpdate))},
	proto.ReqSetMessageRequestMode:                {classChange, requestMode}, // stricter
	proto.ReqGetAllMessageRequestMode:             {classLook, nil},

	proto.ReqInvokeBrokerToResetOffset: {classChange, all(topic("topic", ActionUpdate), group("group", ActionUpdate))},
	proto.ReqCloneGroupOffset:          {classChange, all(group("destGroup", ActionUpdate), topicIf("topic", ActionUpdate))},
	proto.ReqQueryCorrectionOffset:     {classLook, all(topic("topic", ActionGet), group("compareGroup", ActionGet), groups("filterGroups", ActionGet))},
	proto.ReqGetAllConsumerOffset:      {classLook, nil},
	proto.ReqGetAllDelayOffset:         {classLook, nil},
	proto.ReqGetTimerCheckPoint:        {classLook, nil},
	proto.ReqGetTimerMetrics:           {classLook, nil},

	proto.ReqGetConsumerConnectionList:       {classLook, group("consumerGroup", ActionGet)},
	proto.ReqGetProducerConnectionList:       {classLook, cluster(ActionGet)},
	proto.ReqGetAllProducerInfo:              {classLook, cluster(ActionGet)},
	proto.ReqGetConsumerRunningInfo:          {classLook, group("consumerGroup", ActionGet)},
	proto.ReqConsumeMessageDirectly:          {classChange, all(group("consumerGroup", ActionSub), topicIf("topic", ActionSub))},
	proto.ReqInvokeBrokerToGetConsumerStatus: {classLook, all(topic("topic", ActionGet), group("group", ActionGet))},
	proto.ReqGetConsumeStats:                 {classLook, all(group("consumerGroup", ActionGet), topicIf("topic", ActionGet), topics("topicList", ActionGet))},
	proto.ReqQueryTopicConsumeByWho:          {classLook, topic("topic", ActionGet)},
	proto.ReqQueryTopicsByConsumer:           {classLook, group("group", ActionGet)},
	proto.ReqQuerySubscriptionByConsumer:     {classLook, all(group("group", ActionGet), topicIf("topic", ActionGet))},
	proto.ReqQueryConsumeTimeSpan:            {classLook, all(topic("topic", ActionGet), group("group", ActionGet))},
	proto.ReqGetBrokerConsumeStats:           {classLook, cluster(ActionGet)},
	proto.ReqViewBrokerStatsData:             {classLook, cluster(ActionGet)},
	proto.ReqResumeCheckHalfMessage:          {classChange, topic("topic", ActionUpdate)},

	proto.ReqUpdateBrokerConfig:                    {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqGetBrokerConfig:                       {classLook, nil},
	proto.ReqGetBrokerRuntimeInfo:                  {classLook, nil},
	proto.ReqCleanExpiredConsumeQueue:              {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqCleanUnusedTopic:                      {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqDeleteExpiredCommitLog:                {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqUpdateColdDataFlowControlConfig:       {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqRemoveColdDataFlowControlConfig:       {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqGetColdDataFlowControlInfo:            {classLook, cluster(ActionGet)},
	proto.ReqSetCommitLogReadMode:                  {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqCheckRocksDBConsumeQueueWriteProgress: {classLook, topicIf("topic", ActionGet)},
	proto.ReqExportRocksDBConfigToJSON:             {classLook, cluster(ActionGet)},

	// Who may do what. ACL 1.0 of Java lets every account change the accounts; here only those with admin: true.
	proto.ReqUpdateAndCreateACLConfig:         {classChange, cluster(ActionUpdate)},
	proto.ReqDeleteACLConfig:                  {classChange, cluster(ActionUpdate)},
	proto.ReqUpdateGlobalWhiteAddressesConfig: {classChange, cluster(ActionUpdate)},
	proto.ReqGetBrokerClusterACLInfo:          {classLook, cluster(ActionGet)},
	proto.ReqGetBrokerClusterACLConfig:        {classInner, cluster(ActionGet)},
	proto.ReqAuthCreateUser:                   {classChange, cluster(ActionUpdate)},
	proto.ReqAuthUpdateUser:                   {classChange, cluster(ActionUpdate)},
	proto.ReqAuthDeleteUser:                   {classChange, cluster(ActionUpdate)},
	proto.ReqAuthGetUser:                      {classLook, cluster(ActionGet)},
	proto.ReqAuthListUser:                     {classLook, cluster(ActionGet)},
	proto.ReqAuthCreateACL:                    {classChange, cluster(ActionUpdate)},
	proto.ReqAuthUpdateACL:                    {classChange, cluster(ActionUpdate)},
	proto.ReqAuthDeleteACL:                    {classChange, cluster(ActionUpdate)},
	proto.ReqAuthGetACL:                       {classLook, cluster(ActionGet)},
	proto.ReqAuthListACL:                      {classLook, cluster(ActionGet)},

	// Name servers.
	proto.ReqGetRouteInfoByTopic:                    {classLook, route},
	proto.ReqGetBrokerClusterInfo:                   {classLook, nil},
	proto.ReqGetAllTopicListFromNameServer:          {classLook, nil},
	proto.ReqGetTopicsByCluster:                     {classLook, nil},
	proto.ReqGetSystemTopicListFromNameServer:       {classLook, nil},
	proto.ReqGetUnitTopicList:                       {classLook, nil},
	proto.ReqGetHasUnitSubscriptionTopicList:        {classLook, nil},
	proto.ReqGetHasUnitSubscriptionNonUnitTopicList: {classLook, nil},
	proto.ReqGetNameServerConfig:                    {classLook, nil},
	proto.ReqUpdateNameServerConfig:                 {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqPutKVConfig:                            {classChange, cluster(ActionUpdate)},
	proto.ReqDeleteKVConfig:                         {classChange, cluster(ActionUpdate)},
	proto.ReqGetKVConfig:                            {classLook, cluster(ActionGet)},
	proto.ReqGetKVListByNamespace:                   {classLook, cluster(ActionGet)},
	proto.ReqWipeWritePermOfBroker:                  {classChange, cluster(ActionUpdate)},
	proto.ReqAddWritePermOfBroker:                   {classChange, cluster(ActionUpdate)},
	proto.ReqDeleteTopicInNameServer:                {classChange, clusterOf("clusterName", ActionUpdate)},
	proto.ReqRegisterTopicInNameServer:              {classInner, cluster(ActionUpdate)},
	proto.ReqRegisterBroker:                         {classInner, clusterOf("clusterName", ActionUpdate)},
	proto.ReqUnregisterBroker:                       {classInner, clusterOf("clusterName", ActionUpdate)},
	proto.ReqBrokerHeartbeat:                        {classInner, clusterOf("clusterName", ActionUpdate)},
	proto.ReqQueryDataVersion:                       {classInner, clusterOf("clusterName", ActionGet)},
	proto.ReqGetBrokerMemberGroup:                   {classInner, clusterOf("clusterName", ActionGet)},
	proto.ReqNotifyMinBrokerIDChange:                {classInner, cluster(ActionUpdate)},

	// Replication, broker containers, controllers.
	proto.ReqCopyTables:                  {classInner, cluster(ActionGet)},
	proto.ReqAddBroker:                   {classChange, cluster(ActionUpdate)},
	proto.ReqRemoveBroker:                {classChange, cluster(ActionUpdate)},
	proto.ReqExchangeBrokerHAInfo:        {classInner, cluster(ActionUpdate)},
	proto.ReqGetBrokerHAStatus:           {classInner, cluster(ActionGet)},
	proto.ReqResetMasterFlushOffset:      {classChange, cluster(ActionUpdate)},
	proto.ReqControllerAlterSyncStateSet: {classInner, cluster(ActionUpdate)},
	proto.ReqControllerElectMaster:       {classChange, clusterOf("clusterName", ActionUpdate)},
	proto.ReqControllerRegisterBroker:    {classInner, clusterOf("clusterName", ActionUpdate)},
	proto.ReqControllerGetReplicaInfo:    {classInner, cluster(ActionGet)},
	proto.ReqControllerGetMetadataInfo:   {classLook, nil},
	proto.ReqControllerGetSyncStateData:  {classLook, cluster(ActionGet)}, // stricter
	proto.ReqGetBrokerEpochCache:         {classLook, cluster(ActionGet)}, // stricter
	proto.ReqNotifyBrokerRoleChanged:     {classInner, cluster(ActionUpdate)},
	proto.ReqUpdateControllerConfig:      {classChange, cluster(ActionUpdate)}, // stricter
	proto.ReqGetControllerConfig:         {classLook, nil},
	proto.ReqCleanBrokerData:             {classChange, clusterOf("clusterName", ActionUpdate)},
	proto.ReqControllerGetNextBrokerID:   {classInner, clusterOf("clusterName", ActionGet)},
	proto.ReqControllerApplyBrokerID:     {classInner, clusterOf("clusterName", ActionUpdate)},
	proto.ReqDrainBroker:                 {classChange, cluster(ActionUpdate)}, // Gantry's own
	proto.ReqRaftMessage:                 {classInner, cluster(ActionUpdate)},  // Gantry's own
}
