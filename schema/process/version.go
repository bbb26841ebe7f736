package process

import (
	"cmp"
	"runtime/debug"
)

// version is set by the linker, with -X. make and the Dockerfile pass it, because the build may
// have no git.
var version string

// Version returns the binary's version, or "(devel)" if unknown, and the version of Go.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(version, "(devel)")
	}
	return cmp.Or(version, info.Main.Version, "(devel)") + " " + info.GoVersion
}
