/** The few ways in which text can stand out; on a stream without colours each gives its text back. */
export interface Style {
	bold(text: string): string;
	dim(text: string): string;
	red(text: string): string;
	green(text: string): string;
	yellow(text: string): string;
	cyan(text: string): string;
	magenta(text: string): string;
	blue(text: string): string;
	/** For the one line that matters. */
	marked(text: string): string;
}

export function createStyle(isColoured: boolean): Style {
	const code = (on: string, off: string) => (text: string) =>
		isColoured && text !== "" ? `\u001b[${on}m${text}\u001b[${off}m` : text;
	return {
		bold: code("1", "22"),
		dim: code("2", "22"),
		red: code("31", "39"),
		green: code("32", "39"),
		yellow: code("33", "39"),
		cyan: code("36", "39"),
		magenta: code("35", "39"),
		blue: code("34", "39"),
		marked: code("1;33", "22;39"),
	};
}

export interface ColourFacts {
	readonly env: { readonly [name: string]: string | undefined };
	readonly isTTY: boolean;
	/** `--no-color` */
	readonly isRefused: boolean;
}

/** NO_COLOR and --no-color win; FORCE_COLOR colours what is no terminal. */
export function wantsColour({ env, isTTY, isRefused }: ColourFacts): boolean {
	if (isRefused || (env["NO_COLOR"] ?? "") !== "") return false;
	const forced = env["FORCE_COLOR"] ?? "";
	if (forced !== "") return forced !== "0";
	return isTTY && env["TERM"] !== "dumb";
}
