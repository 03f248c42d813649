/** A run as the layers and functions of a user are told of it. */
export interface RunInfo {
	readonly run: string;
	readonly agent: string;
	readonly principal: string;
	readonly session: string | undefined;
}
