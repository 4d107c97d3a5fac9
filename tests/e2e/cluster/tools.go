//go:build tools

// Package main names what is built beside the control plane, so that go.mod keeps it.
package main

import _ "sigs.k8s.io/kwok/cmd/kwok"
