package process

import (
	"cmp"
	"runtime/debug"
)

// Version is the version the binary was built from, "(devel)" where it does not know, and Go's.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	return cmp.Or(info.Main.Version, "(devel)") + " " + info.GoVersion
}
