/** The little of a process that the command line tool needs; tests put in their own. */
export interface Host {
	readonly env: { [name: string]: string | undefined };
	readonly cwd: string;
	readonly stdin: Input;
	readonly stdout: Output;
	readonly stderr: Output;
	/** How a person starts this tool again, for the commands that it prints. */
	readonly command: string;
	/** The script that was started, for starting it again. */
	readonly entry: string;
}

export interface Input extends AsyncIterable<Uint8Array | string> {
	readonly isTTY?: boolean;
}

export interface Output {
	readonly isTTY?: boolean;
	readonly columns?: number;
	write(text: string): unknown;
}
