package api

// The requests and answers of containerd.task.v2.Task, and of v3, which has the same.
type (
	CreateTaskRequest struct {
		ID               string   `pb:"1"`
		Bundle           string   `pb:"2"`
		Rootfs           []*Mount `pb:"3"`
		Terminal         bool     `pb:"4"`
		Stdin            string   `pb:"5"`
		Stdout           string   `pb:"6"`
		Stderr           string   `pb:"7"`
		Checkpoint       string   `pb:"8"`
		ParentCheckpoint string   `pb:"9"`
		Options          *Any     `pb:"10"`
	}

	CreateTaskResponse struct {
		Pid uint32 `pb:"1"`
	}

	DeleteRequest struct {
		ID     string `pb:"1"`
		ExecID string `pb:"2"`
	}

	DeleteResponse struct {
		Pid        uint32     `pb:"1"`
		ExitStatus uint32     `pb:"2"`
		ExitedAt   *Timestamp `pb:"3"`
	}

	ExecProcessRequest struct {
		ID       string `pb:"1"`
		ExecID   string `pb:"2"`
		Terminal bool   `pb:"3"`
		Stdin    string `pb:"4"`
		Stdout   string `pb:"5"`
		Stderr   string `pb:"6"`
		Spec     *Any   `pb:"7"`
	}

	ResizePtyRequest struct {
		ID     string `pb:"1"`
		ExecID string `pb:"2"`
		Width  uint32 `pb:"3"`
		Height uint32 `pb:"4"`
	}

	StateRequest struct {
		ID     string `pb:"1"`
		ExecID string `pb:"2"`
	}

	StateResponse struct {
		ID         string     `pb:"1"`
		Bundle     string     `pb:"2"`
		Pid        uint32     `pb:"3"`
		Status     int32      `pb:"4"`
		Stdin      string     `pb:"5"`
		Stdout     string     `pb:"6"`
		Stderr     string     `pb:"7"`
		Terminal   bool       `pb:"8"`
		ExitStatus uint32     `pb:"9"`
		ExitedAt   *Timestamp `pb:"10"`
		ExecID     string     `pb:"11"`
	}

	KillRequest struct {
		ID     string `pb:"1"`
		ExecID string `pb:"2"`
		Signal uint32 `pb:"3"`
		All    bool   `pb:"4"`
	}

	CloseIORequest struct {
		ID     string `pb:"1"`
		ExecID string `pb:"2"`
		Stdin  bool   `pb:"3"`
	}

	PidsRequest struct {
		ID string `pb:"1"`
	}

	PidsResponse struct {
		Processes []*ProcessInfo `pb:"1"`
	}

	CheckpointTaskRequest struct {
		ID      string `pb:"1"`
		Path    string `pb:"2"`
		Options *Any   `pb:"3"`
	}

	UpdateTaskRequest struct {
		ID        string `pb:"1"`
		Resources *Any   `pb:"2"`
	}

	StartRequest struct {
		ID     string `pb:"1"`
		ExecID string `pb:"2"`
	}

	StartResponse struct {
		Pid uint32 `pb:"1"`
	}

	WaitRequest struct {
		ID     string `pb:"1"`
		ExecID string `pb:"2"`
	}

	WaitResponse struct {
		ExitStatus uint32     `pb:"1"`
		ExitedAt   *Timestamp `pb:"2"`
	}

	StatsRequest struct {
		ID string `pb:"1"`
	}

	StatsResponse struct {
		Stats *Any `pb:"1"`
	}

	ConnectRequest struct {
		ID string `pb:"1"`
	}

	ConnectResponse struct {
		ShimPid uint32 `pb:"1"`
		TaskPid uint32 `pb:"2"`
		Version string `pb:"3"`
	}

	ShutdownRequest struct {
		ID  string `pb:"1"`
		Now bool   `pb:"2"`
	}

	PauseRequest struct {
		ID string `pb:"1"`
	}

	ResumeRequest struct {
		ID string `pb:"1"`
	}

	Empty struct{}
)
