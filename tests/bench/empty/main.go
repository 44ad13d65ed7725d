// Command empty does nothing: what any Go program takes to start and to end.
package main

func main() {}
