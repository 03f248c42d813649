/** Serves the requests of the parent, one after another, until it closes its end. */
#pragma once
#include "../vmm/machine.h"

/** `numbers` has room for the numbers of all pages that the linear memory can have. */
__attribute__((noreturn)) void serve(struct machine *machine, uint32_t *numbers);
