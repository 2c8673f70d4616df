package guard

import (
	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// record writes into the audit log what belongs there.
func (g *Guard) record(in *transport.Incoming, d *access.Decision) {
	switch {
	case !d.Allowed:
		g.audit.Warn("request denied", fieldsOf(in, d)...)
	case d.Change:
		g.audit.Info("request of administration allowed", fieldsOf(in, d)...)
	}
}

func fieldsOf(in *transport.Incoming, d *access.Decision) []zap.Field {
	fields := []zap.Field{
		zap.String("who", d.Who()), zap.Stringer("from", in.Conn.Remote()),
		zap.String("request", proto.RequestName(in.Command.Code)), zap.Int32("code", in.Command.Code),
	}
	if certificate := in.Conn.Certificate(); certificate != "" {
		fields = append(fields, zap.String("certificate", certificate))
	}
	if what := d.What(); what != "" {
		fields = append(fields, zap.String("what", what))
	}
	if about := subjectOf(in); about != "" {
		fields = append(fields, zap.String("about", about))
	}
	return append(fields, zap.String("rule", d.Rule()))
}

// subjectKeys are fields that tell what a request of administration is about, where its resource does not.
var subjectKeys = []string{"username", "subject", "accessKey", "topic", "groupName", "group", "brokerName", "namespace"}

// subjectMax bounds what a request can write into the log, in bytes.
const subjectMax = 256

func subjectOf(in *transport.Incoming) string {
	for _, key := range subjectKeys {
		if value, given := in.Command.Fields.Get(key); given {
			return key + "=" + string(value[:min(len(value), subjectMax)])
		}
	}
	return ""
}
