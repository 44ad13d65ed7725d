package task

// Kind is what containerd tells apart among errors.
type Kind uint8

const (
	NotFound Kind = iota + 1
	AlreadyExists
	InvalidArgument
	FailedPrecondition
)

// Error is the refusal of a call.
type Error struct {
	Kind Kind
	Text string
}

func (e *Error) Error() string { return e.Text }

func refuse(kind Kind, text string) error { return &Error{kind, text} }
