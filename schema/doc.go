// Package schema placeholder
package schema
