// Flags: the program began here; the limit and the slack that the caller had are known.
#define ACTIVE 1
#define LIMIT  2
#define SLACK  4

#define RLIMIT_NOFILE     7
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30

// Twice a word in the environment: one that is set a second time counts once.
DATA added<>+0(SB)/8, $"GOMAXPRO"
DATA added<>+8(SB)/8, $"CS=01\x00\x00\x00"
GLOBL added<>(SB), RODATA, $16

// What the caller had. Before the runtime has begun there is no other place for it.
GLOBL limit<>(SB), NOPTR, $16 // struct rlimit: the soft and the hard limit of open files
GLOBL slack<>(SB), NOPTR, $8
GLOBL flags<>(SB), NOPTR, $8  // which of the two are known

GLOBL lowered<>(SB), NOPTR, $16
