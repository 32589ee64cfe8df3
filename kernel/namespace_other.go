//go:build !linux

package kernel

import (
	"errors"
	"runtime"
)

func noNamespaces() error {
	return sentencef(errors.ErrUnsupported, "%s has no network namespaces: only Linux has them", runtime.GOOS)
}

// CurrentNamespace cannot tell on this system: the error is
// [errors.ErrUnsupported].
func CurrentNamespace() (Namespace, error) { return Namespace{}, noNamespaces() }

// NamedNamespace cannot tell on this system: the error is
// [errors.ErrUnsupported].
func NamedNamespace(name string) (Namespace, error) { return Namespace{}, noNamespaces() }

// NamespaceAt cannot tell on this system: the error is
// [errors.ErrUnsupported].
func NamespaceAt(path string) (Namespace, error) { return Namespace{}, noNamespaces() }

// NamespaceOf cannot tell on this system: the error is
// [errors.ErrUnsupported].
func NamespaceOf(pid int) (Namespace, error) { return Namespace{}, noNamespaces() }

// Namespaces cannot tell on this system: the error is
// [errors.ErrUnsupported].
func Namespaces() (list []Namespace, hidden int, err error) { return nil, 0, noNamespaces() }

// Do cannot enter on this system: the error is [errors.ErrUnsupported].
func (n Namespace) Do(f func() error) error { return noNamespaces() }
