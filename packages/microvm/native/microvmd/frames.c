#include "frames.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SKIP_BYTES 65536u

void die(enum exit_code code, const char *reason) {
	char line[REASON_BYTES_MAX + 16] = "microvmd: ";
	size_t bytes = strlen(line);
	for (; *reason != 0 && bytes < sizeof line - 1; reason++) line[bytes++] = *reason;
	line[bytes++] = '\n';
	(void)!write(STDERR_FILENO, line, bytes);
	_exit((int)code);
}

void frame_read(void *target, size_t bytes) {
	uint8_t *to = target;
	while (bytes > 0) {
		ssize_t count = read(STDIN_FILENO, to, bytes);
		if (count < 0 && errno == EINTR) continue;
		if (count <= 0) _exit(EXIT_CODE_DONE);
		to += count;
		bytes -= (size_t)count;
	}
}

void frame_skip(size_t bytes) {
	static uint8_t forgotten[SKIP_BYTES];
	while (bytes > 0) {
		size_t some = bytes < sizeof forgotten ? bytes : sizeof forgotten;
		frame_read(forgotten, some);
		bytes -= some;
	}
}

bool frame_waits(void) {
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	return poll(&input, 1, 0) == 1;
}

static void write_all(struct iovec *parts, int count) {
	while (count > 0) {
		ssize_t written = writev(STDOUT_FILENO, parts, count);
		if (written < 0 && errno == EINTR) continue;
		if (written < 0) _exit(EXIT_CODE_DONE);
		size_t left = (size_t)written;
		while (count > 0 && left >= parts->iov_len) {
			left -= parts->iov_len;
			parts++;
			count--;
		}
		if (count == 0) return;
		parts->iov_base = (uint8_t *)parts->iov_base + left;
		parts->iov_len -= left;
	}
}

void frame_begin(enum reply kind, size_t body_bytes, const void *part, size_t part_bytes) {
	struct frame_head head = {.body_bytes = (uint32_t)body_bytes, .kind = kind};
	struct iovec parts[] = {{&head, sizeof head}, {(void *)part, part_bytes}};
	write_all(parts, 2);
}

void frame_write(const void *bytes, size_t count) {
	struct iovec part = {(void *)bytes, count};
	write_all(&part, 1);
}

void frame_send(enum reply kind, const void *part, size_t part_bytes, const void *text, size_t text_bytes) {
	struct frame_head head = {.body_bytes = (uint32_t)(part_bytes + text_bytes), .kind = kind};
	struct iovec parts[] = {
		{&head, sizeof head},
		{(void *)part, part_bytes},
		{(void *)text, text_bytes},
	};
	write_all(parts, 3);
}
