/**
 * The lines of a program, as everything counts them: the parser's problems, the engine, and whoever shows the source.
 *
 * JavaScript also ends lines at U+2028 and U+2029, which the engine counts between tokens and nowhere else; so a program
 * has them only inside its texts (`line-separators.ts`), where they end none.
 */
export function sourceLines(code: string): string[] {
	return code.split(/\r\n|[\n\r]/);
}
