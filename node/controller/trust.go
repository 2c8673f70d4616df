package controller

import (
	"path"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/transport"
)

// accessCluster is the cluster that requests need rights on if they name none. Controllers serve all clusters, so who has rights on
// single ones has none on it: Cluster:* has.
const accessCluster = "(controller)"

// newGuard makes the guard that stands before the port. A controller in the process of a name server has accounts of its own.
func (s *Server) newGuard() (err error) {
	s.guard, err = guard.New(s.env, s.options.Access, guard.Place{
		Directory: path.Clean(s.options.Directory), Cluster: accessCluster, Name: s.env.Node, Address: func() string { return s.Addr().String() },
		Await: func(in *transport.Incoming, work func()) {
			resume := in.Conn.BeginWait()
			work()
			in.Conn.EndWait(resume)
		},
	})
	return err
}

// mayActFor tells why who has sent a request about brokers of a name may not: the name belongs to a cluster, and that may be another one than the
// request says. A name that nobody has yet belongs to none.
func (s *Server) mayActFor(in *transport.Incoming, brokerName string, actions access.Actions) error {
	g := s.state.groups[brokerName]
	if g == nil {
		return nil
	}
	return s.guard.Touch(in, access.Need{Resource: access.ClusterResource(g.Cluster), Actions: actions})
}

// innerSigner is who this controller is for others; nil: nobody in particular.
func innerSigner(options Options) transport.Signer {
	if !options.Access.Inner.Valid() {
		return nil
	}
	return options.Access.Inner
}
