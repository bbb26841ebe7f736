// Package cluster tests the chart on a Kubernetes cluster, as a user installs it: with helm and
// kubectl, and with keys of wagewire nkeys. The tests have the build tag cluster, and make
// test/kubernetes runs them:
//
//	cluster    TestCluster: what is installed, and the scenarios in their order
//	node       the one-node cluster of this repository, unless KUBECONFIG names another one
//	images     the commands as images of the node
//	command    kubectl, helm and wagewire
//	release    an installation of the chart: upgrade, roll back, wait until ready
//	report     pods and events, and what a failed test prints
//	forward    addresses inside the cluster
//	fakes      fake providers in a pod that no upgrade touches: people, webhooks, faults, load
//	watch      waiting for a state
//
// The scenarios:
//
//	install    all event types are completed
//	scale      a worker grows with its ready work, keeps the rate, and shrinks to nothing
//	closed     a worker does not grow while more pods would not help
//	disturb    pods are deleted, and a node is drained
//	upgrade    rolling upgrades and rollbacks
//	refuse     wrong installations, and the line that says what to change
//
// What needs no cluster is tested by make test:
//
//	ledger     compares the webhooks of the fakes with the completions
//	curve      a picture of a scaling worker
package cluster
