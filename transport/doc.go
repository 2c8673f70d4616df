// Package transport carries requests and responses over streams: the protocol's
// "remoting" layer (classes NettyRemotingServer and NettyRemotingClient).
//
// # Who owns what
//
// A Server owns the connections it accepted, a Client those it dialled. A Conn belongs to one of
// them; it has one reader task for its whole life and, only while there is something to write that the
// reader does not write itself, one writer task. Everything is used with the node's baton held.
//
// # Which calls wait
//
// Conn.Call, Client.Conn, Client.Call, Client.Oneway (for the connection), Server.Shutdown, Close of Server and
// Client. Conn.Start, Conn.Oneway and all of Reply never wait.
//
// # The data path
//
// In: Conn.readLoop → env.Conn.Read → Conn.decodeArrived (without the baton, every whole frame that arrived) →
// Conn.handleBurst → Conn.handle → Handler.Serve for a request, Conn.complete for a response.
//
// Out: Reply.Send or Conn.enqueue → Conn.append (encodes into the output buffer) → Conn.flush by the reader after
// its burst, or Conn.changed, which starts the writer Conn.writeAll → Conn.write (one system call for everything
// that waits). The reader of a dialled connection never writes.
//
// # Limits
//
// Frame and header sizes are checked before memory is taken for them. Unanswered requests, pending
// calls and unwritten bytes of a connection are bounded (Limits); connections without traffic are closed.
//
// # Files
//
//	conn.go     the connection and its end
//	read.go     from bytes to handled commands
//	write.go    from answers and calls to bytes
//	pending.go  calls of this side
//	reply.go    answers to the peer
//	server.go   accepting, idle connections, graceful stop
//	client.go   one connection for each address
//	sign.go     requests that prove who sends them
//	options.go  limits and the Handler
//	errors.go   what can go wrong with a call
package transport
