package process

// SamplerOf is samplerOf, for tests.
var SamplerOf = samplerOf
