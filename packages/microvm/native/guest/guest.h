/** What the files of the guest share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol.h"
#include "engine.h"

/** The one engine of this machine. */
extern Z_engine_instance_t engine;

#define ORDER ((const volatile struct mail_order *)ORDER_VA)
#define REPORT ((volatile struct mail_report *)REPORT_VA)
#define MAIL_TEXT ((uint8_t *)TEXT_VA)
#define LINEAR ((uint8_t *)LINEAR_VA)

/** Leaves the virtual machine; returns when the host sends it in again. */
void ring(enum bell bell);

/** Brings the engine to the state that every program starts from. */
void boot(void);
/** Runs one slice as ordered and writes the report. */
void run_slice(void);
/**
 * Asked by the engine every ten thousand steps. True where it is to unwind. Where the slice is to end in the middle of
 * the program it does not return: no code of that program runs again, so nothing that it has need be given back.
 */
bool interrupted(void);

/** Values of the engine that live in the base image, so that they hold in every guest. */
struct addresses {
	uint32_t start;
	uint32_t deliver;
	uint32_t drain;
	uint32_t undefined;
	/** A word for lengths and a one-element argument list. */
	uint32_t cell;
	/** Room for one small message. */
	uint32_t scratch;
	/** The engine's stack pointer at rest. */
	uint32_t stack_pointer;
};
extern struct addresses addresses;

#define SCRATCH_BYTES 65536u
