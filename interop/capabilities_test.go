//go:build interop

package interop_test

// columns are those of the table: somebody else's client with Gantry's servers, or Gantry's client with somebody else's.
var columns = []struct{ name, title string }{
	{"java", "Java client → Gantry"},
	{"ours", "Gantry client → Apache"},
	{"ali-ons", "ali-ons → Gantry"},
	{"official", "Apache's Go client → Gantry"},
}

// The rows of the table.
const (
	rowSync        row = "send and wait"
	rowAsync       row = "send, told later"
	rowOneway      row = "send one-way"
	rowBatch       row = "batch"
	rowOrderedSend row = "send to a chosen queue"
	rowProperties  row = "tags, keys, properties, Unicode"
	rowZlib        row = "compression: zlib"
	rowLZ4         row = "compression: lz4"
	rowZstd        row = "compression: zstd"
	rowGreatest    row = "greatest body, and one byte more refused"
	rowNewTopic    row = "topics made by sends"
	rowDelay       row = "delay levels"
	rowPush        row = "push, concurrently"
	rowShare       row = "members share queues"
	rowCommitted   row = "offsets outlive members and brokers"
	rowOrderly     row = "push, in order"
	rowRetry       row = "redelivery"
	rowDead        row = "dead letters"
	rowBroadcast   row = "broadcast"
	rowTags        row = "filter by tags"
	rowSQL         row = "filter in SQL92"
	rowPop         row = "pop: members share a queue, acknowledgements"
	rowPopAgain    row = "pop: what failed, and what a killed member had, comes again"
	rowPopCrash    row = "pop: a broker is killed, or another one takes its directory"
	rowRequest     row = "request and reply"
	rowPull        row = "pull"
	rowLite        row = "lite pull, subscribed"
	rowAssign      row = "lite pull, assigned: seek, pause, commit"
	rowReset       row = "a live member follows a reset of offsets"
	rowTrace       row = "traces of senders and consumers"
	rowByID        row = "query by offset id"
	rowByUnique    row = "query by unique key"
	rowByKey       row = "query by key"
	rowNamespace   row = "namespaces"
	rowTLS         row = "TLS"
	rowAccess      row = "signed requests, rights of users"
	rowDiscovery   row = "name servers: a list, an endpoint"
	rowCrash       row = "a broker is killed: nothing acknowledged is lost"
)

var allRows = []row{
	rowSync, rowAsync, rowOneway, rowBatch, rowOrderedSend, rowProperties, rowZlib, rowLZ4, rowZstd, rowGreatest, rowNewTopic,
	rowDelay, rowPush, rowShare, rowCommitted, rowOrderly, rowRetry, rowDead, rowBroadcast, rowTags, rowSQL, rowPop, rowPopAgain, rowPopCrash, rowRequest, rowPull,
	rowLite, rowAssign, rowReset, rowTrace, rowByID, rowByUnique, rowByKey, rowNamespace, rowTLS, rowAccess, rowDiscovery, rowCrash,
}
