// Package launch starts an init image and stays with it: it meets the init at every rendezvous of
// its plan, carries out the host's steps there, and turns what the init reports into an error that
// names the step and the place in config.json.
//
// The host never waits for the init alone. Its end of the sync socket becomes readable when the
// init has something to say, and gives end of file when the last holder of the other end is gone:
// because execve closed it, or because the init was killed (seccomp, out of memory, SIGKILL)
// without a word. The progress page, which both map, says which of these it was.
package launch
