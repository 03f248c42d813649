/** Some versions of Node 24 warn when the module is loaded. That one warning is kept off the terminal, and no other. */
export function withoutWarning<T>(pattern: RegExp, load: () => T): T {
	const emitWarning = process.emitWarning;
	process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
		if (!pattern.test(String(warning))) Reflect.apply(emitWarning, process, [warning, ...rest]);
	};
	try {
		return load();
	} finally {
		process.emitWarning = emitWarning;
	}
}
