export interface Entry {
	readonly mark: string;
	readonly text: string;
	/** It says itself whose line it is. */
	readonly isNamed?: true;
	/** Below the line. */
	readonly below?: readonly string[];
	/** Source text below the line: from the left margin on, because it is wide. */
	readonly source?: readonly string[];
}
