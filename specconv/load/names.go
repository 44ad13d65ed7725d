package load

import "strings"

// knownNames are the property names of which upper and lower case can be
// confused: all of them but the one-word ones in lower case.
const knownNames = "ociVersion consoleSize noNewPrivileges apparmorProfile oomScoreAdj selinuxLabel ioPriority execCPUAffinity additionalGids " +
	"uidMappings gidMappings containerID hostID createRuntime createContainer startContainer " +
	"cgroupsPath netDevices rootfsPropagation maskedPaths readonlyPaths mountLabel intelRdt memoryPolicy timeOffsets fileMode " +
	"closID l3CacheSchema memBwSchema enableMonitoring " +
	"defaultAction defaultErrnoRet listenerPath listenerMetadata errnoRet valueTwo " +
	"blockIO hugepageLimits kernelTCP disableOOMKiller useHierarchy checkBeforeUpdate realtimeRuntime realtimePeriod " +
	"leafWeight weightDevice throttleReadBpsDevice throttleWriteBpsDevice throttleReadIOPSDevice throttleWriteIOPSDevice " +
	"pageSize classID hcaHandles hcaObjects"

// knownName gives the property name that differs from name in nothing but
// case, "" if there is none. A name in lower case may be one that knownNames
// doesn't list.
func knownName(name string) string {
	for known := range strings.FieldsSeq(knownNames) {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return strings.ToLower(name)
}
