package namesrv

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Settings that are changed while running stand in a file, with whatever else was in it: a
// complete file of the other implementation keeps its further keys.

// neverChangeable are refused with RespNoPermission, as all of Options.ProtectedKeys are: who could write them could
// make this process write files anywhere.
var neverChangeable = []string{"configBlackList", "configStorePath", "kvConfigPath", "rocketmqHome"}

// protectedKeys are these and more, each once.
func protectedKeys(more []string) []string {
	keys := slices.Clone(neverChangeable)
	for _, key := range more {
		if key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// loadConfig reads the file and applies the settings in it. It waits for the disk.
func (s *Server) loadConfig() error {
	content, err := readFile(s.env.Disk, s.options.ConfigPath, s.options.Limits.ConfigBytes)
	if errors.Is(err, env.ErrNotExist) {
		return nil
	}
	if err == nil {
		s.stored, err = proto.ParseConfigText(content)
	}
	if err != nil {
		return fmt.Errorf("settings in %s: %w", s.options.ConfigPath, err)
	}
	for _, entry := range s.stored {
		setting := findSetting(entry.Key)
		if setting == nil {
			continue
		}
		// An odd value is no reason not to start: it was accepted by somebody once.
		if err := setting.set(&s.settings, entry.Value); err != nil {
			s.env.Log.Warn("a setting is ignored", zap.String("file", s.options.ConfigPath), zap.String("key", entry.Key), zap.Error(err))
		}
	}
	return nil
}

// getConfig serves ReqGetNameServerConfig: a ConfigText, sorted by key.
func (s *Server) getConfig(*transport.Incoming) answer {
	_, port, _ := splitAddress(s.options.Listen)
	if s.listener != nil {
		port = s.Addr().Port()
	}
	text := proto.ConfigText{
		{Key: "configBlackList", Value: strings.Join(s.options.ProtectedKeys, ";")},
		{Key: "configStorePath", Value: s.options.ConfigPath},
		{Key: "kvConfigPath", Value: s.options.KVConfigPath},
		{Key: "listenPort", Value: strconv.Itoa(int(port))},
		{Key: "serverChannelMaxIdleTimeSeconds", Value: strconv.Itoa(int(s.options.IdleTimeout / time.Second))},
	}
	for i := range settings {
		text = append(text, proto.ConfigEntry{Key: settings[i].key, Value: settings[i].get(&s.settings)})
	}
	slices.SortFunc(text, func(a, b proto.ConfigEntry) int { return strings.Compare(a.Key, b.Key) })
	return succeed(text.Marshal())
}

// updateConfig serves ReqUpdateNameServerConfig: all of the keys are changed, durably, or none.
func (s *Server) updateConfig(in *transport.Incoming) answer {
	text, err := proto.ParseConfigText(in.Command.Body)
	if err != nil {
		return refuse(proto.RespSystemError, err)
	}
	s.configuring.Acquire(nil, env.Never)
	defer s.configuring.Release()
	next := s.settings
	for _, entry := range text {
		if slices.Contains(s.options.ProtectedKeys, entry.Key) {
			return refuse(proto.RespNoPermission, fmt.Errorf("%s cannot be changed while the name server runs", entry.Key))
		}
		if err := change(&next, entry); err != nil {
			return refuse(proto.RespSystemError, err)
		}
	}
	if len(text) == 0 {
		return succeed(nil)
	}
	stored := merge(s.stored, text)
	content := stored.Marshal()
	if len(content) > s.options.Limits.ConfigBytes {
		return refuse(proto.RespSystemError, fmt.Errorf("%w: the file of settings would have %d bytes, the limit is %d",
			errLimit, len(content), s.options.Limits.ConfigBytes))
	}
	if err := replaceFile(s.env.Disk, s.options.ConfigPath, content); err != nil {
		return refuse(proto.RespSystemError, fmt.Errorf("the settings were not changed, because they cannot be kept: %w", err))
	}
	s.settings, s.stored = next, stored
	s.wake.Broadcast()
	s.env.Log.Info("settings changed", zap.ByteString("settings", text.Marshal()))
	return succeed(nil)
}

func change(s *Settings, entry proto.ConfigEntry) error {
	setting := findSetting(entry.Key)
	if setting == nil {
		return fmt.Errorf("%w: %q; these can be changed while the name server runs: %s", ErrUnknownKey, entry.Key, strings.Join(settingKeys(), ", "))
	}
	if err := setting.set(s, entry.Value); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrOption, entry.Key, err)
	}
	return nil
}

func settingKeys() []string {
	keys := make([]string, len(settings))
	for i := range settings {
		keys[i] = settings[i].key
	}
	return keys
}

// merge replaces the values of keys that are there and appends the others.
func merge(stored, changes proto.ConfigText) proto.ConfigText {
	merged := slices.Clone(stored)
	for _, entry := range changes {
		merged = slices.DeleteFunc(merged, func(e proto.ConfigEntry) bool { return e.Key == entry.Key })
		merged = append(merged, entry)
	}
	return merged
}
