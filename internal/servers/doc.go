// Package servers finds the configurations of web servers and says where they
// turn TCP Fast Open on, and where they could.
//
// # Usage
//
//	lines, problems := servers.Scan("/")
//	for _, l := range lines {
//		if l.Add != "" {
//			fmt.Printf("%s:%d: add %s to: %s\n", l.File, l.Number, l.Add, l.Text)
//		}
//	}
//
// # Limitations
//
// nginx and HAProxy, where their packages put the configuration. It is read as
// the server would, with all that it includes, but the server itself is not
// asked: what runs may have been started with another one, and variables of
// the environment are not looked up.
package servers
