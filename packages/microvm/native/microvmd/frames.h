/** Bytes in from the parent, bytes out to it. Everything blocks; nothing is kept. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol.h"

/** How this process ends. The same numbers as in the TypeScript client. */
enum exit_code {
	/** The parent closed its end. */
	EXIT_CODE_DONE = 0,
	/** It could not start; the reason is on standard error. */
	EXIT_CODE_UNFIT = 2,
	/** The parent sent what is no request. */
	EXIT_CODE_PROTOCOL = 3,
	/** The guest or its machine broke. */
	EXIT_CODE_FAULT = 4,
};

/** Ends the process with a line on standard error. */
__attribute__((noreturn)) void die(enum exit_code code, const char *reason);

/** Reads exactly so many bytes. Ends the process when the parent is gone. */
void frame_read(void *target, size_t bytes);
/** Reads so many bytes and forgets them. */
void frame_skip(size_t bytes);
/** Something is there to read, or the parent is gone. */
bool frame_waits(void);

/** Head and first part of a reply whose body has `body_bytes`; the rest follows by `frame_write`. */
void frame_begin(enum reply kind, size_t body_bytes, const void *part, size_t part_bytes);
void frame_write(const void *bytes, size_t count);
/** A reply that is a part of fixed size and a text. */
void frame_send(enum reply kind, const void *part, size_t part_bytes, const void *text, size_t text_bytes);
