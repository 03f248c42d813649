/** The registers, as the base image needs them. */
#pragma once
#include "machine.h"

/** Lets the processor finish what it was doing at the doorbell, and takes its registers. */
bool processor_rest(struct machine *machine, struct processor_state *state);
/** Gives it the registers of the base image. */
bool processor_put_sealed(struct machine *machine);
