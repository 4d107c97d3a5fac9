//go:build tools

// Package main names what is built, so that go.mod keeps it.
package main

import _ "istio.io/istio/pilot/cmd/pilot-discovery"
