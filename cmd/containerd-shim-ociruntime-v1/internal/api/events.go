package api

// The events of a task, of containerd.events, and how they are sent.
type (
	TaskCreate struct {
		ContainerID string   `pb:"1"`
		Bundle      string   `pb:"2"`
		Rootfs      []*Mount `pb:"3"`
		IO          *TaskIO  `pb:"4"`
		Checkpoint  string   `pb:"5"`
		Pid         uint32   `pb:"6"`
	}

	TaskIO struct {
		Stdin    string `pb:"1"`
		Stdout   string `pb:"2"`
		Stderr   string `pb:"3"`
		Terminal bool   `pb:"4"`
	}

	TaskStart struct {
		ContainerID string `pb:"1"`
		Pid         uint32 `pb:"2"`
	}

	TaskDelete struct {
		ContainerID string     `pb:"1"`
		Pid         uint32     `pb:"2"`
		ExitStatus  uint32     `pb:"3"`
		ExitedAt    *Timestamp `pb:"4"`
		ID          string     `pb:"5"`
	}

	TaskExit struct {
		ContainerID string     `pb:"1"`
		ID          string     `pb:"2"`
		Pid         uint32     `pb:"3"`
		ExitStatus  uint32     `pb:"4"`
		ExitedAt    *Timestamp `pb:"5"`
	}

	TaskOOM struct {
		ContainerID string `pb:"1"`
	}

	TaskExecAdded struct {
		ContainerID string `pb:"1"`
		ExecID      string `pb:"2"`
	}

	TaskExecStarted struct {
		ContainerID string `pb:"1"`
		ExecID      string `pb:"2"`
		Pid         uint32 `pb:"3"`
	}

	TaskPaused struct {
		ContainerID string `pb:"1"`
	}

	TaskResumed struct {
		ContainerID string `pb:"1"`
	}

	TaskCheckpointed struct {
		ContainerID string `pb:"1"`
		Checkpoint  string `pb:"2"`
	}

	Envelope struct {
		Timestamp *Timestamp `pb:"1"`
		Namespace string     `pb:"2"`
		Topic     string     `pb:"3"`
		Event     *Any       `pb:"4"`
	}

	ForwardRequest struct {
		Envelope *Envelope `pb:"1"`
	}
)
