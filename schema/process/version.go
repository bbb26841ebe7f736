package process

import (
	"cmp"
	"runtime/debug"
)

// version is what the linker wrote here, with -X: make and the Dockerfile give it, for where they build there may be no git.
var version string

// Version is the version the binary was built from, "(devel)" where it does not know, and Go's.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(version, "(devel)")
	}
	return cmp.Or(version, info.Main.Version, "(devel)") + " " + info.GoVersion
}
