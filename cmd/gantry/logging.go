package main

import (
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logOptions are what flags say about logs.
type logOptions struct{ format, level string }

// addFlags adds --log-format and --log-level.
func (o *logOptions) addFlags(flags *pflag.FlagSet, level string) {
	flags.StringVar(&o.format, "log-format", "console", "form of logs on standard error; `console|json`")
	flags.StringVar(&o.level, "log-level", level, "least level that is logged; `debug|info|warn|error`")
}

// logger makes the logger that the options ask for.
func (o *logOptions) logger(c *console) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(o.level)
	if err != nil {
		return nil, wrongUsage("--log-level %s is none of debug, info, warn, error", o.level)
	}
	encoder, err := o.encoder(c.colour)
	if err != nil {
		return nil, err
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(c.err)), level)), nil
}

func (o *logOptions) encoder(colour bool) (zapcore.Encoder, error) {
	layout := zap.NewProductionEncoderConfig()
	layout.EncodeTime = zapcore.ISO8601TimeEncoder
	layout.EncodeDuration = zapcore.StringDurationEncoder
	switch o.format {
	case "json":
		return zapcore.NewJSONEncoder(layout), nil
	case "console":
		layout.EncodeLevel = zapcore.CapitalLevelEncoder
		if colour {
			layout.EncodeLevel = zapcore.CapitalColorLevelEncoder
		}
		return zapcore.NewConsoleEncoder(layout), nil
	}
	return nil, wrongUsage("--log-format %s is neither console nor json", o.format)
}
