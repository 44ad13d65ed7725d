package api

// What containerd sends with the start of a shim, and the options of a runtime.
type (
	BootstrapParams struct {
		InstanceID             string       `pb:"1"`
		Namespace              string       `pb:"2"`
		ContainerdTtrpcAddress string       `pb:"5"`
		Extensions             []*Extension `pb:"8"`
		SocketDir              string       `pb:"9"`
	}

	Extension struct {
		Value *Any `pb:"1"`
	}

	BootstrapResult struct {
		Version  int32  `pb:"1"`
		Address  string `pb:"2"`
		Protocol string `pb:"3"`
	}

	RuncOptions struct {
		NoPivotRoot   bool   `pb:"1"`
		NoNewKeyring  bool   `pb:"2"`
		ShimCgroup    string `pb:"3"`
		IoUid         uint32 `pb:"4"`
		IoGid         uint32 `pb:"5"`
		BinaryName    string `pb:"6"`
		Root          string `pb:"7"`
		SystemdCgroup bool   `pb:"9"`
		CriuImagePath string `pb:"10"`
		CriuWorkPath  string `pb:"11"`
	}

	CheckpointOptions struct {
		Exit                bool     `pb:"1"`
		OpenTcp             bool     `pb:"2"`
		ExternalUnixSockets bool     `pb:"3"`
		Terminal            bool     `pb:"4"`
		FileLocks           bool     `pb:"5"`
		EmptyNamespaces     []string `pb:"6"`
		CgroupsMode         string   `pb:"7"`
		ImagePath           string   `pb:"8"`
		WorkPath            string   `pb:"9"`
		ParentPath          string   `pb:"10"`
	}

	RuntimeOptions struct {
		TypeUrl    string `pb:"1"`
		ConfigPath string `pb:"2"`
		ConfigBody []byte `pb:"3"`
	}

	RuntimeInfo struct {
		Name     string          `pb:"1"`
		Version  *RuntimeVersion `pb:"2"`
		Options  *Any            `pb:"3"`
		Features *Any            `pb:"4"`
	}

	RuntimeVersion struct {
		Version  string `pb:"1"`
		Revision string `pb:"2"`
	}
)
