package chaos

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/wagewire/wagewire/deploy/flaw"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// The names of the binaries, except for the workers.
const (
	ingressCommand = "ingress"
	natsCommand    = "nats-server"
)

// workerCommands returns the names of the worker binaries: a name for each resource, and the worker
// of accounts.
func workerCommands() []string {
	names := []string{stream.RoleAccounts}
	for _, q := range schema.Queues() {
		names = append(names, stream.WorkerRole(q.Resource))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// build builds the commands of the repository at root into dir/bin. broken names a flaw, or is "".
func build(
	ctx context.Context, environ []string, root, dir, broken string,
) (bin string, err error) {
	bin = filepath.Join(dir, "bin")
	args := []string{"build", "-o", bin + string(filepath.Separator)}
	args = append(args, "./ingress/cmd/"+ingressCommand, "github.com/nats-io/nats-server/v2")
	for _, name := range workerCommands() {
		args = append(args, "./workers/cmd/"+name)
	}
	return bin, flaw.Go(ctx, root, dir, broken, environ, args...)
}
