package process

import "runtime/debug"

// Version is the version the binary was built from, "devel" where it does not say.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
