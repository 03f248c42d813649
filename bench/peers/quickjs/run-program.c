/** Runs the program of its standard input in QuickJS as it is: prints the CPU time in milliseconds, and the value. */
#include <quickjs.h>
#include <stdio.h>
#include <time.h>

#define SOURCE_BYTES_MAX (1u << 20)
static char source[SOURCE_BYTES_MAX];

static double cpu_ms(void) {
	struct timespec now;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(void) {
	size_t bytes = fread(source, 1, sizeof source - 1, stdin);
	JSRuntime *runtime = JS_NewRuntime();
	JSContext *context = JS_NewContext(runtime);
	double from = cpu_ms();
	JSValue value = JS_Eval(context, source, bytes, "program", JS_EVAL_TYPE_GLOBAL);
	double ms = cpu_ms() - from;
	double number = 0;
	if (JS_IsException(value) || JS_ToFloat64(context, &number, value) != 0) return 1;
	printf("%.4f %.17g\n", ms, number);
	return 0;
}
