package process

// SamplerOf is samplerOf, for tests.
var SamplerOf = samplerOf

// NewLogger is newLogger, for tests.
var NewLogger = newLogger

// LogBytesMax is logBytesMax, for tests.
const LogBytesMax = logBytesMax
