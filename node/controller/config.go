package controller

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Settings that are changed while running stand in a file, with whatever else was in it: a
// complete file of the other implementation keeps its further keys.

// neverChangeable are refused with RespNoPermission, as all of Options.ProtectedKeys are: who could write them could
// make this process write files anywhere.
var neverChangeable = []string{"configBlackList", "configStorePath", "controllerStorePath", "rocketmqHome"}

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
	content, err := readFile(s.env.Disk, s.configPath(), int64(s.options.Limits.ConfigBytes))
	if errors.Is(err, env.ErrNotExist) {
		return nil
	}
	if err == nil {
		s.stored, err = proto.ParseConfigText(content)
	}
	if err != nil {
		return fmt.Errorf("settings in %s: %w", s.configPath(), err)
	}
	for _, entry := range s.stored {
		setting := findSetting(entry.Key)
		if setting == nil {
			continue
		}
		// An odd value is no reason not to start: it was accepted by somebody once.
		if err := setting.set(&s.settings, entry.Value); err != nil {
			s.env.Log.Warn("a setting is ignored", zap.String("file", s.configPath()), zap.String("key", entry.Key), zap.Error(err))
		}
	}
	return nil
}

// configPath is the file of settings ("configStorePath").
func (s *Server) configPath() string { return path.Join(s.options.Directory, "controller.properties") }

// getConfig serves ReqGetControllerConfig: a ConfigText, sorted by key.
func (s *Server) getConfig(*transport.Incoming) answer {
	text := proto.ConfigText{
		{Key: "configBlackList", Value: strings.Join(s.options.ProtectedKeys, ";")},
		{Key: "configStorePath", Value: s.configPath()},
		{Key: "controllerDLegerGroup", Value: s.options.Group},
		{Key: "controllerDLegerPeers", Value: formatPeers(s.options.Peers)},
		{Key: "controllerDLegerSelfId", Value: s.options.Self},
		{Key: "controllerStorePath", Value: s.options.Directory},
	}
	for i := range settings {
		text = append(text, proto.ConfigEntry{Key: settings[i].key, Value: settings[i].get(&s.settings)})
	}
	slices.SortFunc(text, func(a, b proto.ConfigEntry) int { return strings.Compare(a.Key, b.Key) })
	return succeed(text.Marshal())
}

// updateConfig serves ReqUpdateControllerConfig: all of the keys are changed, durably, or none.
func (s *Server) updateConfig(in *transport.Incoming) answer {
	text, err := proto.ParseConfigText(in.Command.Body)
	if err != nil {
		return refuse(proto.RespSystemError, err)
	}
	return later(func() answer {
		s.configuring.Acquire(nil, env.Never)
		defer s.configuring.Release()
		return s.changeSettings(text)
	})
}

func (s *Server) changeSettings(text proto.ConfigText) answer {
	next := s.settings
	for _, entry := range text {
		if slices.Contains(s.options.ProtectedKeys, entry.Key) {
			return refuse(proto.RespNoPermission, fmt.Errorf("%s cannot be changed while the controller runs", entry.Key))
		}
		if err := changeSetting(&next, entry); err != nil {
			return refuse(proto.RespSystemError, err)
		}
	}
	if len(text) == 0 {
		return succeed(nil)
	}
	stored := merge(s.stored, text)
	content := stored.Marshal()
	if len(content) > s.options.Limits.ConfigBytes {
		return refuse(proto.RespSystemError, fmt.Errorf("the file of settings would have %d bytes, the limit is %d", len(content), s.options.Limits.ConfigBytes))
	}
	file, err := replaceFile(s.env.Disk, s.configPath(), content)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return refuse(proto.RespSystemError, fmt.Errorf("the settings are not in force, because they cannot be kept for good; if they were written all the same the next start has them: %w", err))
	}
	s.settings, s.stored = next, stored
	s.env.Log.Info("settings changed", zap.ByteString("settings", text.Marshal()))
	return succeed(nil)
}

func changeSetting(s *Settings, entry proto.ConfigEntry) error {
	setting := findSetting(entry.Key)
	if setting == nil {
		return fmt.Errorf("%w: %q; these can be changed while the controller runs: %s", ErrUnknownKey, entry.Key, strings.Join(settingKeys(), ", "))
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
