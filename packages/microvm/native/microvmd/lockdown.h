/** Takes from this process everything that it does not need to serve. */
#pragma once
#include <stdbool.h>

#include "../vmm/machine.h"

/** After the files were opened: this process is nobody from here on. Null, or what could not be done. */
const char *become_nobody(void);

/** After the guest booted: no file can be opened, no process started, no memory mapped. Null, or what could not be done. */
const char *lock_down(const struct machine *machine);
