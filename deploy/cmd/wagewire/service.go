package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// service is what a command needs that reads the broker again and again, and serves what it knows.
type service struct {
	process  process.Config
	health   health.Config
	log      *zap.Logger
	op       *stream.Operator
	registry *prometheus.Registry
	// close closes the connection, and then writes the last lines of the log.
	close func()
}

// openService reads the environment, and opens a connection without waiting for NATS. The caller
// must call close.
func openService(t terminal) (*service, error) {
	s := &service{registry: prometheus.NewRegistry()}
	if err := process.ReadConfig(t.getenv, &s.process); err != nil {
		return nil, err
	}
	var err error
	s.health, err = health.ConfigFromEnv(t.getenv)
	if err != nil {
		return nil, err
	}
	log, stopLog, err := process.Logger(s.process)
	if err != nil {
		return nil, err
	}
	s.log = log
	s.op, _, err = dial(t.getenv, log)
	if err != nil {
		stopLog()
		return nil, err
	}
	s.close = func() {
		s.op.Close()
		stopLog()
	}
	s.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s, nil
}
