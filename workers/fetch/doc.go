// Package fetch holds what each worker does with an event: which of the provider's endpoints it asks, and what of the
// answers the event announced. Nothing here retries, waits or publishes: an error goes up as it came, and package workers
// judges it.
package fetch
