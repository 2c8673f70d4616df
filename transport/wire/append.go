package wire

// AppendCommand appends cmd as a whole frame in the encoding cmd.Encoding and returns
// the extended slice. What Encoder says about bounds holds here too. cmd is only read.
func AppendCommand(dst []byte, cmd *Command) []byte {
	e := Begin(dst, &cmd.Header)
	for i := range cmd.Fields {
		e.Bytes(view(cmd.Fields[i].Key), cmd.Fields[i].Value)
	}
	return e.End(cmd.Body)
}
