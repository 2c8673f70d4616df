package proto

// Request codes that are Gantry's own. They lie far from all that the protocol has given a meaning, and nobody but Gantry's nodes sends them.
const (
	// ReqRaftMessage carries one message of the consensus between controllers, one-way: the header is a RaftMessage, the body the
	// message as package raftpb marshals it.
	ReqRaftMessage = 710001 // GANTRY_RAFT_MESSAGE: controller to controller, one-way
	// ReqCopyTables asks a master for the files of its config directory: the header is a CopyTables.
	ReqCopyTables = 710002 // GANTRY_COPY_TABLES: slave to master
	// ReqDrainBroker has a broker whose role controllers decide make room for others, for maintenance: the header is a DrainBroker.
	ReqDrainBroker = 710003 // GANTRY_DRAIN_BROKER: admin tool to broker
)

// ownRequestNames are apart from requestNames, which is the protocol's list and nothing else.
var ownRequestNames = map[int32]string{
	ReqRaftMessage: "GANTRY_RAFT_MESSAGE",
	ReqCopyTables:  "GANTRY_COPY_TABLES",
	ReqDrainBroker: "GANTRY_DRAIN_BROKER",
}
