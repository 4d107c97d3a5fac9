//go:build tools

// Package main names what is built, so that go.mod keeps it.
package main

import _ "k8s.io/ingress-nginx/cmd/nginx"
