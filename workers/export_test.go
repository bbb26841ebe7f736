package workers

// Run is for tests that import package fetch, which imports this package.
var Run = run
